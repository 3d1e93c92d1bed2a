/* SPDX-License-Identifier: Apache-2.0 */
/* Records very many spans in several threads, exports them as told, and prints what the telemetry
 * says became of them, and the memory in use after each tenth, as one line of JSON. */
#include <getopt.h>
#include <hoist/telemetry.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, ROUNDS = 10, VALUE_MAX = 1000 };

struct options {
  struct hoist_telemetry_config config;
  int threads;
  long spans;
  uint32_t flush_ms;
  size_t value_size; /* of one string attribute more */
  int with_metrics;
};

struct job {
  struct hoist_telemetry *telemetry;
  const struct options *options;
  long spans;
};

static const struct hoist_instrument made = {
    .name = "spans.made", .unit = "{span}", .description = "", .kind = HOIST_COUNTER};

static void usage(void) {
  fputs("usage: make_spans [--endpoint URL] [--grpc] [--gzip] [--ca F] [--cert F] [--key F]\n"
        "  [--headers LIST] [--threads N] [--spans N] [--queue BYTES] [--batch N] [--delay MS]\n"
        "  [--timeout MS] [--flush MS] [--value BYTES] [--metrics]\n",
        stderr);
  exit(2);
}

/* An endpoint for metrics is the one for spans with the last part of its path replaced. */
static const char *metrics_endpoint(const char *traces) {
  static char url[300];
  const char *tail = strstr(traces, "/v1/traces");
  snprintf(url, sizeof url, "%.*s%s", tail ? (int)(tail - traces) : (int)strlen(traces), traces,
           tail ? "/v1/metrics" : "");
  return url;
}

static void set(struct options *o, const char *name, const char *value) {
  struct hoist_telemetry_config *c = &o->config;
  uint32_t number = value ? (uint32_t)strtoul(value, NULL, 10) : 0;
  if (strcmp(name, "endpoint") == 0) c->traces_endpoint = value;
  if (strcmp(name, "grpc") == 0) c->traces_protocol = c->metrics_protocol = HOIST_OTLP_GRPC;
  if (strcmp(name, "gzip") == 0)
    c->traces_compression = c->metrics_compression = HOIST_COMPRESSION_GZIP;
  if (strcmp(name, "ca") == 0) c->ca_file = value;
  if (strcmp(name, "cert") == 0) c->client_certificate_file = value;
  if (strcmp(name, "key") == 0) c->client_key_file = value;
  if (strcmp(name, "headers") == 0) c->headers = value;
  if (strcmp(name, "threads") == 0) o->threads = (int)number;
  if (strcmp(name, "spans") == 0) o->spans = number;
  if (strcmp(name, "queue") == 0) c->queue_bytes = number;
  if (strcmp(name, "batch") == 0) c->batch_spans_max = number;
  if (strcmp(name, "delay") == 0) c->batch_delay_ms = number;
  if (strcmp(name, "timeout") == 0) c->export_timeout_ms = c->metrics_export_timeout_ms = number;
  if (strcmp(name, "flush") == 0) o->flush_ms = number;
  if (strcmp(name, "value") == 0) o->value_size = number < VALUE_MAX ? number : VALUE_MAX;
  if (strcmp(name, "metrics") == 0) o->with_metrics = 1;
}

static struct options parse(int argc, char **argv) {
  static const struct option names[] = {
      {"endpoint", 1, NULL, 0}, {"grpc", 0, NULL, 0},    {"gzip", 0, NULL, 0},
      {"ca", 1, NULL, 0},       {"cert", 1, NULL, 0},    {"key", 1, NULL, 0},
      {"headers", 1, NULL, 0},  {"threads", 1, NULL, 0}, {"spans", 1, NULL, 0},
      {"queue", 1, NULL, 0},    {"batch", 1, NULL, 0},   {"delay", 1, NULL, 0},
      {"timeout", 1, NULL, 0},  {"flush", 1, NULL, 0},   {"value", 1, NULL, 0},
      {"metrics", 0, NULL, 0},  {NULL, 0, NULL, 0}};
  struct options o = {.threads = 1, .spans = 1, .flush_ms = 30000};
  int index;
  hoist_telemetry_config_init(&o.config);
  o.config.service_name = "make_spans";
  for (int c; (c = getopt_long(argc, argv, "", names, &index)) != -1;) {
    if (c != 0) usage();
    set(&o, names[index].name, optarg);
  }
  if (o.threads < 1 || o.threads > THREADS_MAX || optind != argc) usage();
  if (o.with_metrics && o.config.traces_endpoint)
    o.config.metrics_endpoint = metrics_endpoint(o.config.traces_endpoint);
  return o;
}

static void *record(void *user) {
  const struct job *job = user;
  char value[VALUE_MAX + 1] = "";
  memset(value, 'v', job->options->value_size);
  for (long i = 0; i < job->spans; i++) {
    struct hoist_span span;
    hoist_span_start_root(job->telemetry, "made", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_set_int(&span, "number", i);
    if (job->options->value_size) hoist_span_set_string(&span, "value", value);
    hoist_span_end(&span);
  }
  if (job->options->with_metrics)
    hoist_metric_add(job->telemetry, &made, (double)job->spans, NULL, 0);
  return NULL;
}

static void run_round(const struct options *o, struct hoist_telemetry *telemetry, long spans) {
  pthread_t threads[THREADS_MAX];
  struct job jobs[THREADS_MAX];
  for (int i = 0; i < o->threads; i++) {
    long share = spans / o->threads + (i < spans % o->threads);
    jobs[i] = (struct job){telemetry, o, share};
    if (pthread_create(&threads[i], NULL, record, &jobs[i]) != 0) abort();
  }
  for (int i = 0; i < o->threads; i++)
    pthread_join(threads[i], NULL);
}

static long resident_kib(void) {
  long size = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2) abort();
  fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_text(const char *text) {
  putchar('"');
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    putchar(*text);
  }
  putchar('"');
}

static void print(const struct hoist_telemetry_status *s, enum hoist_status flushed, double seconds,
                  const long *rss, const struct options *o) {
  printf("{\"made\":%ld,\"started\":%" PRIu64 ",\"ended\":%" PRIu64 ",\"exported\":%" PRIu64
         ",\"dropped\":%" PRIu64 ",\"reasons\":{\"queue_full\":%" PRIu64
         ",\"export_failed\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"shutdown\":%" PRIu64
         ",\"no_memory\":%" PRIu64 "}",
         o->spans, s->spans_started, s->spans_ended, s->spans_exported, s->spans_dropped,
         s->dropped.queue_full, s->dropped.export_failed, s->dropped.rejected, s->dropped.shutdown,
         s->dropped.no_memory);
  printf(",\"exportsFailed\":%" PRIu64 ",\"flush\":\"%s\",\"recordSeconds\":%.3f",
         s->exports_failed, hoist_status_name(flushed), seconds);
  fputs(",\"lastError\":", stdout);
  print_text(s->last_error);
  fputs(",\"rssKib\":[", stdout);
  for (int i = 0; i < ROUNDS; i++)
    printf("%s%ld", i ? "," : "", rss[i]);
  puts("]}");
}

int main(int argc, char **argv) {
  struct options o = parse(argc, argv);
  struct hoist_telemetry *telemetry;
  struct hoist_telemetry_status status = {0};
  struct hoist_error err = {0};
  long rss[ROUNDS];
  if (hoist_telemetry_open(&o.config, &telemetry, &err) != HOIST_OK) {
    fprintf(stderr, "make_spans: %s\n", err.message);
    return 2;
  }
  double before = now_s();
  for (int i = 0; i < ROUNDS; i++) {
    run_round(&o, telemetry, o.spans / ROUNDS + (i < o.spans % ROUNDS));
    rss[i] = resident_kib();
  }
  double seconds = now_s() - before;
  enum hoist_status flushed = hoist_telemetry_flush(telemetry, o.flush_ms, &err);
  hoist_telemetry_get_status(telemetry, &status);
  print(&status, flushed, seconds, rss, &o);
  hoist_telemetry_close(telemetry, 1000);
  return 0;
}
