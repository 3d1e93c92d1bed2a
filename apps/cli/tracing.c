/* SPDX-License-Identifier: Apache-2.0 */
/* Opens, taps and closes the telemetry of a command. Owns the captured spans, which the export
 * thread adds and the main thread takes, under `lock`. */
#include "tracing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "breakdown.h"
#include "condition.h"
#include "signals.h"
#include "text.h"

#define COLLECT_MS 250       /* for exporters to be done, before looking at the spans anyway */
#define CAPTURE_WAIT_MS 1000 /* for the spans to reach us, where an exporter holds the thread up */
/* Spans leave when an operation has ended. Earlier, an export to a dead collector could still be
 * under way then, and hold up the spans for the waterfall. */
#define BATCH_DELAY_MS (3600 * 1000)
#define SAMPLED 0x01 /* W3C trace-flags */
#define MAX_WARNINGS 8
#define MAX_WARNING_BYTES 512

struct tracing {
  struct cli *cli;
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  bool capture;
  /* What whoever called passed on. */
  struct hoist_remote_context remote; /* span: all zero where there is none */
  struct hoist_baggage *baggage;
  bool is_stuck;       /* an exporter hangs: no more waiting for spans */
  uint64_t spans_seen; /* spans_ended when spans were last taken */
  uint64_t leave_ns;   /* monotonic, after Ctrl-C: no more waiting from here on; 0: not known yet */
  struct trace_set taken; /* its texts are those of `captured` */
  pthread_mutex_t lock;
  pthread_cond_t arrived;
  /* Under the lock: */
  struct trace_set captured; /* what was not taken yet */
  char warnings[MAX_WARNINGS][MAX_WARNING_BYTES];
  size_t warning_count;
};

static void keep_spans(void *user, const void *traces_data, size_t size) {
  struct tracing *t = user;
  pthread_mutex_lock(&t->lock);
  enum hoist_status ignored = trace_read_otlp(&t->captured, traces_data, size, NULL);
  (void)ignored; /* without the memory for it there is less to draw */
  pthread_cond_signal(&t->arrived);
  pthread_mutex_unlock(&t->lock);
}

/* Kept until the end: a warning printed now would tear the progress bars. */
static void keep_warning(void *user, const char *line) {
  struct tracing *t = user;
  pthread_mutex_lock(&t->lock);
  if (t->warning_count < MAX_WARNINGS)
    text_copy(t->warnings[t->warning_count++], MAX_WARNING_BYTES, line);
  pthread_mutex_unlock(&t->lock);
}

/* ---- opening --------------------------------------------------------------------------------- */

static const char *lookup(const struct tracing *t, const char *name) {
  const char *value = t->cli->get_env ? t->cli->get_env(name) : getenv(name);
  return value && *value ? value : NULL;
}

/* The environment as a request that called us: its variables are the headers in capitals. */
static const char *get_header(void *user, const char *name, size_t index) {
  const struct tracing *t = user;
  if (index > 0) return NULL;
  if (strcmp(name, "traceparent") == 0) return lookup(t, "TRACEPARENT");
  return strcmp(name, "tracestate") == 0 ? lookup(t, "TRACESTATE") : NULL;
}

static void read_baggage(struct tracing *t) {
  struct hoist_error error;
  const char *text = lookup(t, "BAGGAGE");
  char line[HOIST_ERROR_MESSAGE_SIZE + 32];
  if (!text || hoist_baggage_parse(text, &t->baggage, &error) == HOIST_OK) return;
  snprintf(line, sizeof line, "BAGGAGE is ignored: %s", error.message);
  keep_warning(t, line);
}

static void read_caller(struct tracing *t) {
  if (t->config.propagators & HOIST_PROPAGATE_TRACECONTEXT)
    hoist_context_extract(get_header, t, &t->remote);
  if (t->config.propagators & HOIST_PROPAGATE_BAGGAGE) read_baggage(t);
}

/* Whoever samples decides about what leaves this machine. The waterfall and the trace file do not, so
 * they show a load that was not sampled too, and only its export is left out. */
static void look_at_unsampled(struct tracing *t) {
  struct hoist_telemetry_config *config = &t->config;
  bool unsampled_parent = tracing_parent(t) && !(t->remote.span.flags & SAMPLED);
  bool is_off = config->sampler && (strcasecmp(config->sampler, "always_off") == 0 ||
                                    strcasecmp(config->sampler, "parentbased_always_off") == 0);
  if (!(t->capture || config->trace_file) || !(unsampled_parent || is_off)) return;
  config->traces_endpoint = NULL;
  config->sampler = "always_on";
  config->propagators |= HOIST_PROPAGATE_UNCHANGED;
}

/* Spans that are only drawn here are no parents to name to others. */
static void look_at_unshared(struct hoist_telemetry_config *config) {
  bool is_shared =
      config->traces_endpoint || config->trace_file || (config->console & HOIST_CONSOLE_SPANS) != 0;
  if (!is_shared) config->propagators |= HOIST_PROPAGATE_UNCHANGED;
}

/* Prometheus asks; a command is not there long enough to be asked, so it leaves a file. */
static void check_prometheus(struct tracing *t) {
  const char *text =
      t->cli->get_env ? t->cli->get_env("OTEL_METRICS_EXPORTER") : getenv("OTEL_METRICS_EXPORTER");
  if (text && strstr(text, "prometheus") && !t->config.metrics_file)
    keep_warning(t,
                 "telemetry: OTEL_METRICS_EXPORTER is prometheus, for which hoist opens no port: "
                 "say --metrics-file");
}

static bool configure(struct tracing *t) {
  struct hoist_telemetry_config *config = &t->config;
  hoist_telemetry_config_init(config);
  bool wanted = hoist_telemetry_config_from_env(config, t->cli->get_env) != 0;
  if (!config->service_name) config->service_name = "hoist";
  if (t->cli->options.trace_file) config->trace_file = t->cli->options.trace_file;
  if (t->cli->options.metrics_file) config->metrics_file = t->cli->options.metrics_file;
  if (t->capture) {
    config->on_spans = keep_spans;
    config->on_spans_user = t;
    config->batch_delay_ms = BATCH_DELAY_MS;
  }
  config->on_warning = keep_warning;
  config->on_warning_user = t;
  if (wanted) check_prometheus(t);
  read_caller(t);
  look_at_unsampled(t);
  look_at_unshared(config);
  return wanted || t->capture || config->trace_file || config->metrics_file;
}

/* What cannot be exported can still be drawn. */
static void open_without_exports(struct tracing *t) {
  struct hoist_telemetry_config bare;
  hoist_telemetry_config_init(&bare);
  bare.service_name = t->config.service_name;
  bare.on_spans = t->config.on_spans;
  bare.on_spans_user = t->config.on_spans_user;
  bare.on_warning = keep_warning;
  bare.on_warning_user = t;
  bare.propagators = t->config.propagators | HOIST_PROPAGATE_UNCHANGED;
  if (t->capture && hoist_telemetry_open(&bare, &t->telemetry, NULL) != HOIST_OK)
    t->telemetry = NULL;
}

static void start(struct tracing *t) {
  struct hoist_error error;
  if (!configure(t)) return;
  if (hoist_telemetry_open(&t->config, &t->telemetry, &error) != HOIST_OK) {
    keep_warning(t, error.message);
    open_without_exports(t);
  }
}

void tracing_open(struct cli *cli, enum tracing_mode mode, struct tracing **ret_tracing) {
  struct tracing *t = mode != TRACING_NONE ? calloc(1, sizeof *t) : NULL;
  *ret_tracing = t;
  if (!t) return;
  t->cli = cli;
  t->capture = mode == TRACING_CAPTURE;
  pthread_mutex_init(&t->lock, NULL);
  condition_init(&t->arrived);
  start(t);
}

struct hoist_telemetry *tracing_telemetry(const struct tracing *t) {
  return t ? t->telemetry : NULL;
}

const struct hoist_span_context *tracing_parent(const struct tracing *t) {
  return t && hoist_span_context_is_valid(&t->remote.span) ? &t->remote.span : NULL;
}

const struct hoist_baggage *tracing_baggage(const struct tracing *t) {
  return t ? t->baggage : NULL;
}

/* ---- taking the spans ------------------------------------------------------------------------ */

/* How long to wait for what would usually be given `usual_ms`. */
static uint32_t patience_ms(struct tracing *t, uint32_t usual_ms) {
  uint64_t now = clock_monotonic_ns();
  if (!signals_interrupted()) return usual_ms;
  if (t->leave_ns == 0) t->leave_ns = now + TRACING_INTERRUPTED_MS * NS_PER_MS;
  uint64_t left_ms = t->leave_ns > now ? (t->leave_ns - now) / NS_PER_MS : 0;
  return left_ms < usual_ms ? (uint32_t)left_ms : usual_ms;
}

/* The span of a whole operation, which ends last; NULL: it has not arrived. */
static const struct trace_span *find_operation(const struct tracing *t, const char *model_id) {
  for (size_t i = 0; i < t->captured.count; i++) {
    const struct trace_span *span = &t->captured.spans[i];
    const char *subject = breakdown_subject(span);
    if (subject && strcmp(subject, model_id) == 0) return span;
  }
  return NULL;
}

static bool wait_for_operation(struct tracing *t, const char *model_id) {
  uint64_t until_ns = clock_monotonic_ns() + patience_ms(t, CAPTURE_WAIT_MS) * NS_PER_MS;
  while (!find_operation(t, model_id) && !t->is_stuck)
    t->is_stuck = !condition_wait_until(&t->arrived, &t->lock, until_ns);
  return find_operation(t, model_id) != NULL;
}

static bool is_below(const struct trace_span *span, const struct trace_set *above) {
  for (size_t i = 0; i < above->count; i++)
    if (memcmp(span->parent_id, above->spans[i].span_id, sizeof span->parent_id) == 0 &&
        memcmp(span->trace_id, above->spans[i].trace_id, sizeof span->trace_id) == 0)
      return true;
  return false;
}

/* Moves a span from what was captured to what is taken, whose array is large enough. */
static void move_span(struct tracing *t, size_t i) {
  t->taken.spans[t->taken.count++] = t->captured.spans[i];
  t->captured.spans[i] = t->captured.spans[--t->captured.count];
}

/* Spans of one trace may belong to several operations, where whoever called us passed one on; so it is
 * parents that decide. Each round takes what is below what was taken, until there is no more. */
static void take_operation(struct tracing *t, const char *model_id) {
  t->taken.spans = calloc(t->captured.count, sizeof *t->taken.spans);
  if (!t->taken.spans) return;
  move_span(t, (size_t)(find_operation(t, model_id) - t->captured.spans));
  for (size_t before = 0; before < t->taken.count;) {
    before = t->taken.count;
    for (size_t i = t->captured.count; i-- > 0;)
      if (is_below(&t->captured.spans[i], &t->taken)) move_span(t, i);
  }
}

static bool has_operation(struct tracing *t, const char *model_id) {
  pthread_mutex_lock(&t->lock);
  bool found = find_operation(t, model_id) != NULL;
  pthread_mutex_unlock(&t->lock);
  return found;
}

const struct trace_set *tracing_spans(struct tracing *t, const char *model_id) {
  struct hoist_telemetry_status now = {0};
  if (!t || !t->telemetry || !t->capture || t->is_stuck) return NULL;
  hoist_telemetry_get_status(t->telemetry, &now);
  if (now.spans_ended == t->spans_seen && !has_operation(t, model_id)) return NULL;
  t->spans_seen = now.spans_ended;
  /* Its verdict is about the exporters; the spans come to us before they go to those. */
  enum hoist_status ignored = hoist_telemetry_flush(t->telemetry, patience_ms(t, COLLECT_MS), NULL);
  (void)ignored;
  trace_set_done(&t->taken);
  t->taken = trace_set_make();
  pthread_mutex_lock(&t->lock);
  if (wait_for_operation(t, model_id)) take_operation(t, model_id);
  pthread_mutex_unlock(&t->lock);
  if (t->taken.count == 0 || trace_link(&t->taken, NULL) != HOIST_OK) return NULL;
  return &t->taken;
}

/* ---- closing --------------------------------------------------------------------------------- */

/* Milliseconds for what is left. */
static uint32_t last_ms(struct tracing *t) {
  struct hoist_telemetry_status status = {0};
  hoist_telemetry_get_status(t->telemetry, &status);
  return patience_ms(t, status.spans_exported > 0 ? TRACING_LIVE_MS : TRACING_DEAD_MS);
}

static void print_warnings(const struct tracing *t) {
  for (size_t i = 0; i < t->warning_count; i++)
    cli_warn(t->cli, t->warnings[i]);
}

void tracing_close(struct tracing *t) {
  if (!t) return;
  if (t->telemetry) hoist_telemetry_close(t->telemetry, last_ms(t));
  print_warnings(t);
  hoist_telemetry_config_done(&t->config);
  hoist_baggage_free(t->baggage);
  trace_set_done(&t->taken);
  trace_set_done(&t->captured);
  pthread_mutex_destroy(&t->lock);
  pthread_cond_destroy(&t->arrived);
  free(t);
}

void tracing_leave(struct tracing *t) {
  if (!t) return;
  enum hoist_status ignored = HOIST_OK;
  if (t->telemetry) ignored = hoist_telemetry_flush(t->telemetry, last_ms(t), NULL);
  (void)ignored; /* what went wrong is among the warnings */
  pthread_mutex_lock(&t->lock);
  print_warnings(t);
  pthread_mutex_unlock(&t->lock);
}
