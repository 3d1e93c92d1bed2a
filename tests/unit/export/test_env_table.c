/* SPDX-License-Identifier: Apache-2.0 */
/* Every variable of docs/telemetry.md's environment tables: what a good value changes, that an empty one is
 * as good as none, and that a bad one is warned about once and changes nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

#include "fs.h"

enum { EXTRAS_MAX = 4, SHOWN_SIZE = 4096 };

static const struct row {
  const char *name, *value;
  const char *changes;                /* lines of show() that are then different */
  const char *bad;                    /* NULL: there is no such thing */
  int is_secret;                      /* the value must not show in the warning */
  const char *extras[2 * EXTRAS_MAX]; /* what must also be set; NULL: both exporters */
} rows[] = {
#define URLS(traces, metrics) "traces_endpoint=" traces "\nmetrics_endpoint=" metrics "\n"
#define FOR_GRPC                                                                                   \
  { "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "c:1" }
#define WITH_CERTIFICATE                                                                           \
  {                                                                                                \
    "OTEL_TRACES_EXPORTER", "otlp", "OTEL_METRICS_EXPORTER", "otlp",                               \
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/c"                                              \
  }
#define ALONE                                                                                      \
  { "OTEL_NO_SUCH_VARIABLE", "" }
    {"OTEL_SDK_DISABLED", "TRUE", URLS("-", "-"), .bad = "yes"},
    {"OTEL_TRACES_EXPORTER", "otlp, Console",
     "traces_endpoint=http://localhost:4318/v1/traces\nconsole=1\n", .bad = "zipkin"},
    {"OTEL_METRICS_EXPORTER", "otlp,none", "metrics_endpoint=http://localhost:4318/v1/metrics\n",
     .bad = "statsd"},
    {"OTEL_PROPAGATORS", "baggage, baggage", "propagators=2\n", .bad = "b3"},
    {"HOIST_ALLOW_FORCED_TRACES", "True", "allow_forced_traces=1\n", .bad = "1"},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC",
     URLS("http://localhost:4317", "http://localhost:4317") "protocols=1 1\n", .bad = "http/json"},
    {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc",
     "traces_endpoint=http://localhost:4317\nprotocols=1 0\n", .bad = "http/json"},
    {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc",
     "metrics_endpoint=http://localhost:4317\nprotocols=0 1\n", .bad = "http/json"},
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/x",
     URLS("http://c/x/v1/traces", "http://c/x/v1/metrics"), .bad = "c:4318", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/x", "traces_endpoint=http://c/x\n",
     .bad = "http://", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c/x", "metrics_endpoint=http://c/x\n",
     .bad = "ftp://c", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_INSECURE", "true", URLS("http://c:1", "http://c:1"), .bad = "1",
     .extras = FOR_GRPC},
    {"OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true", "traces_endpoint=http://c:1\n", .bad = "1",
     .extras = FOR_GRPC},
    {"OTEL_EXPORTER_OTLP_METRICS_INSECURE", "true", "metrics_endpoint=http://c:1\n", .bad = "1",
     .extras = FOR_GRPC},
    {"OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c", "headers=a=b%20c\nmetrics_headers=a=b%20c\n",
     .bad = "hunter2", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_HEADERS", "a%2Db=c", "headers=a%2Db=c\nmetrics_headers=a%2Db=c\n",
     .bad = "a b=hunter2", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_HEADERS", "user-agent=c",
     "headers=user-agent=c\nmetrics_headers=user-agent=c\n", .bad = "a=b,a:=hunter2",
     .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_HEADERS", "a=", "headers=a=\nmetrics_headers=a=\n",
     .bad = "\xc3\xa4=hunter2", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_HEADERS", "a=b,", "headers=a=b,\nmetrics_headers=a=b,\n",
     .bad = "Content-Type=hunter2", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b", "headers=a=b\nmetrics_headers=\n",
     .bad = "a=hunter%2", .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=b", "metrics_headers=a=b\n", .bad = "=hunter2",
     .is_secret = 1},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", "0", "timeouts=0 0\n", .bad = "1s"},
    {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "7", "timeouts=7 10000\n", .bad = "-1"},
    {"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "7", "timeouts=10000 7\n", .bad = "4294967296"},
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca", "ca_file=/ca\nmetrics_ca_file=/ca\n", .bad = NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/ca", "ca_file=/ca\nmetrics_ca_file=\n",
     .bad = NULL},
    {"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/ca", "metrics_ca_file=/ca\n", .bad = NULL},
    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/c", "certificate=/c\nmetrics_certificate=/c\n",
     .bad = NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "/c", "certificate=/c\nmetrics_certificate=\n",
     .bad = NULL},
    {"OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "/c", "metrics_certificate=/c\n",
     .bad = NULL},
    {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k", "key=/k\nmetrics_key=/k\n", .bad = NULL,
     .extras = WITH_CERTIFICATE},
    {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/k", "key=/k\nmetrics_key=\n", .bad = NULL,
     .extras = WITH_CERTIFICATE},
    {"OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/k", "metrics_key=/k\n", .bad = NULL,
     .extras = WITH_CERTIFICATE},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "compressions=1 1\n", .bad = "zstd"},
    {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "Gzip", "compressions=1 0\n", .bad = "zstd"},
    {"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip", "compressions=0 1\n", .bad = "zstd"},
    {"OTEL_SERVICE_NAME", "s", "service_name=s\n", .bad = NULL},
    {"OTEL_RESOURCE_ATTRIBUTES", "a=b", "resource_attributes=a=b\n", .bad = NULL},
    {"OTEL_TRACES_SAMPLER", "Always_Off", "sampler=Always_Off\n", .bad = "jaeger_remote"},
    {"OTEL_TRACES_SAMPLER_ARG", "0.25", "sampler_arg=0.25\n", .bad = "2",
     .extras = {"OTEL_TRACES_SAMPLER", "traceidratio"}},
    {"OTEL_BSP_SCHEDULE_DELAY", "7", "batch_delay_ms=7\n", .bad = "soon"},
    {"OTEL_BSP_EXPORT_TIMEOUT", "7", "timeouts=7 10000\n", .bad = "7.5"},
    {"OTEL_METRIC_EXPORT_TIMEOUT", "7", "timeouts=10000 7\n", .bad = "+7"},
    {"OTEL_BSP_MAX_QUEUE_SIZE", "1", "queue_bytes=2048\n", .bad = "0"},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "7", "batch_spans_max=7\n", .bad = "0"},
    {"OTEL_METRIC_EXPORT_INTERVAL", "7", "metric_interval_ms=7\n", .bad = "never"},
    {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta", "temporality=1\n",
     .bad = "sometimes"},
    {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
     "base2_exponential_bucket_histogram", "exponential_histograms=1\n", .bad = "sparse"},
    {"OTEL_METRICS_EXEMPLAR_FILTER", "always_off", "exemplar_filter=1\n", .bad = "sometimes"},
    {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", "attribute_value_max=7\n", .bad = "-7"},
    {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", "attribute_value_max=7\n", .bad = "0x7"},
    {"OTEL_ATTRIBUTE_COUNT_LIMIT", "7", "limits=7 128 128 7 7\n", .bad = "many"},
    {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0", "limits=0 128 128 128 128\n", .bad = "many"},
    {"OTEL_SPAN_EVENT_COUNT_LIMIT", "0", "limits=128 0 128 128 128\n", .bad = "many"},
    {"OTEL_SPAN_LINK_COUNT_LIMIT", "0", "limits=128 128 0 128 128\n", .bad = "many"},
    {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "0", "limits=128 128 128 0 128\n", .bad = "many"},
    {"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "0", "limits=128 128 128 128 0\n", .bad = "many"},
    {"OTEL_TRACING_ENABLED", "true", "traces_endpoint=http://localhost:4318/v1/traces\n",
     .bad = "yes", .extras = ALONE},
    {"OTEL_METRICS_ENABLED", "TRUE", "metrics_endpoint=http://localhost:4318/v1/metrics\n",
     .bad = "yes", .extras = ALONE},
    {"OTEL_EXPORTER_ENDPOINT", "c:1", "traces_endpoint=http://c:1/v1/traces\n", .bad = "c:port",
     .is_secret = 1, .extras = ALONE},
    {"OTEL_METRIC_EXPORTER_ENDPOINT", "c:1", "metrics_endpoint=http://c:1/v1/metrics\n",
     .bad = "c:port", .is_secret = 1, .extras = ALONE},
    {"OTEL_EXPORTER_PROTOCOL", "grpc", "traces_endpoint=http://localhost:4317\nprotocols=1 0\n",
     .bad = "thrift", .extras = {"OTEL_TRACING_ENABLED", "true"}},
    {"OTEL_SAMPLING_RATE", "0.5", "sampler=parentbased_traceidratio\nsampler_arg=0.5\n", .bad = "2",
     .extras = ALONE},
    {"OTEL_TRACE_EXPORT_INTERVAL_MS", "7", "batch_delay_ms=7\n", .bad = "soon", .extras = ALONE},
    {"OTEL_METRIC_EXPORT_INTERVAL_MS", "7", "metric_interval_ms=7\n", .bad = "soon",
     .extras = ALONE},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const char *const both[2 * EXTRAS_MAX] = {"OTEL_TRACES_EXPORTER", "otlp",
                                                 "OTEL_METRICS_EXPORTER", "otlp"};

/* ---- one environment ----------------------------------------------------------------------------- */

static struct {
  const char *name, *value; /* of the row; value NULL: unset */
  const char *const *extras;
  char warnings[1024];
  int warning_count;
} world;

static const char *lookup(const char *name) {
  if (strcmp(name, world.name) == 0) return world.value;
  for (size_t i = 0; i < 2 * EXTRAS_MAX && world.extras[i]; i += 2)
    if (strcmp(name, world.extras[i]) == 0) return world.extras[i + 1];
  return NULL;
}

static void keep_warning(void *user, const char *line) {
  snprintf(world.warnings, sizeof world.warnings, "%s", line);
  world.warning_count++;
}

static const char *text(const char *value) {
  return value ? value : "-";
}

/* Every member that the environment may set, a line each. */
static void show(const struct hoist_telemetry_config *c, char out[SHOWN_SIZE]) {
  const struct hoist_span_limits *l = &c->span_limits;
  int size = snprintf(
      out, SHOWN_SIZE,
      "traces_endpoint=%s\nmetrics_endpoint=%s\nconsole=%d\npropagators=%u\n"
      "allow_forced_traces=%d\nprotocols=%d %d\ncompressions=%d %d\nheaders=%s\n"
      "metrics_headers=%s\ntimeouts=%u %u\nca_file=%s\nmetrics_ca_file=%s\ncertificate=%s\n"
      "metrics_certificate=%s\nkey=%s\nmetrics_key=%s\nservice_name=%s\nresource_attributes=%s\n"
      "sampler=%s\nsampler_arg=%s\nbatch_delay_ms=%u\nqueue_bytes=%llu\nbatch_spans_max=%u\n"
      "metric_interval_ms=%u\ntemporality=%d\nattribute_value_max=%u\nlimits=%u %u %u %u %u\n"
      "exponential_histograms=%d\nexemplar_filter=%d\n",
      text(c->traces_endpoint), text(c->metrics_endpoint), c->console, c->propagators,
      c->allow_forced_traces, (int)c->traces_protocol, (int)c->metrics_protocol,
      (int)c->traces_compression, (int)c->metrics_compression, text(c->headers),
      text(c->metrics_headers), c->export_timeout_ms, c->metrics_export_timeout_ms,
      text(c->ca_file), text(c->metrics_ca_file), text(c->client_certificate_file),
      text(c->metrics_client_certificate_file), text(c->client_key_file),
      text(c->metrics_client_key_file), text(c->service_name), text(c->resource_attributes),
      text(c->sampler), text(c->sampler_arg), c->batch_delay_ms, (unsigned long long)c->queue_bytes,
      c->batch_spans_max, c->metric_interval_ms, (int)c->metrics_temporality,
      c->attribute_value_max, l->attributes, l->events, l->links, l->event_attributes,
      l->link_attributes, c->exponential_histograms, (int)c->exemplar_filter);
  assert_in_range(size, 1, SHOWN_SIZE - 1);
}

/* What the row's variable with this value, and the row's surroundings, make of a configuration. */
static void read_env(const struct row *row, const char *value, char out[SHOWN_SIZE]) {
  struct hoist_telemetry_config config;
  memset(&world, 0, sizeof world);
  world.name = row->name;
  world.value = value;
  world.extras = row->extras[0] ? row->extras : both;
  hoist_telemetry_config_init(&config);
  config.on_warning = keep_warning;
  (void)hoist_telemetry_config_from_env(&config, lookup);
  show(&config, out);
  hoist_telemetry_config_done(&config);
}

/* The lines of `after` that are not in `before`, at the same places. */
static void changed_lines(const char *before, const char *after, char out[SHOWN_SIZE]) {
  size_t used = 0;
  while (*after) {
    size_t size = strcspn(after, "\n") + 1, old_size = strcspn(before, "\n") + 1;
    if (size != old_size || memcmp(before, after, size) != 0) {
      memcpy(out + used, after, size);
      used += size;
    }
    before += old_size;
    after += size;
  }
  out[used] = '\0';
}

static void test_a_good_value_changes_what_it_is_for(void **state) {
  char before[SHOWN_SIZE], after[SHOWN_SIZE], changes[SHOWN_SIZE];
  for (size_t i = 0; i < ROW_COUNT; i++) {
    read_env(&rows[i], NULL, before);
    read_env(&rows[i], rows[i].value, after);
    changed_lines(before, after, changes);
    if (strcmp(changes, rows[i].changes) != 0) fail_msg("%s: %s", rows[i].name, changes);
    if (world.warning_count > 0) fail_msg("%s: %s", rows[i].name, world.warnings);
  }
}

static void test_without_variables_the_defaults_of_the_specification_hold(void **state) {
  static const char *const expected[] = {
      "traces_endpoint=http://localhost:4318/v1/traces\n"
      "metrics_endpoint=http://localhost:4318/v1/metrics\nconsole=0\npropagators=3\n"
      "allow_forced_traces=0\nprotocols=0 0\ncompressions=0 0\n",
      "\ntimeouts=10000 10000\n", "\nsampler=-\n",
      "\nbatch_delay_ms=5000\nqueue_bytes=4194304\nbatch_spans_max=512\n"
      "metric_interval_ms=60000\ntemporality=0\n"
      "attribute_value_max=4294967295\nlimits=128 128 128 128 128\nexponential_histograms=0\n"
      "exemplar_filter=0\n"};
  char out[SHOWN_SIZE];
  read_env(&(struct row){.name = "", .extras = {NULL}}, NULL, out);
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    if (!strstr(out, expected[i])) fail_msg("no %s in %s", expected[i], out);
}

static void test_an_empty_value_is_none(void **state) {
  char before[SHOWN_SIZE], after[SHOWN_SIZE];
  for (size_t i = 0; i < ROW_COUNT; i++) {
    read_env(&rows[i], NULL, before);
    read_env(&rows[i], "", after);
    if (strcmp(before, after) != 0) fail_msg("%s", rows[i].name);
    if (world.warning_count > 0) fail_msg("%s: %s", rows[i].name, world.warnings);
  }
}

static void test_a_bad_value_is_warned_about_once_and_ignored(void **state) {
  char before[SHOWN_SIZE], after[SHOWN_SIZE];
  for (size_t i = 0; i < ROW_COUNT; i++) {
    const struct row *row = &rows[i];
    if (!row->bad) continue;
    read_env(row, NULL, before);
    read_env(row, row->bad, after);
    if (strcmp(before, after) != 0) fail_msg("%s: %s", row->name, after);
    if (world.warning_count != 1) fail_msg("%s: %d warnings", row->name, world.warning_count);
    bool is_named = strstr(world.warnings, row->name) != NULL;
    bool is_shown = strstr(world.warnings, row->bad) != NULL;
    if (!is_named || is_shown == !!row->is_secret) fail_msg("%s: %s", row->name, world.warnings);
  }
}

static void test_a_value_is_shown_in_one_line(void **state) {
  char out[SHOWN_SIZE];
  const struct row row = {.name = "OTEL_BSP_SCHEDULE_DELAY", .extras = ALONE};
  read_env(&row, "1\n2\x1b[31m", out);
  assert_non_null(strstr(world.warnings, "\"1?2?[31m\""));
}

/* ---- the variable of one signal and the general one ---------------------------------------------- */

static void test_the_specific_name_wins_where_its_value_is_good(void **state) {
  static const struct {
    const char *specific, *general, *before, *after; /* of the number in show() */
  } pairs[] = {
      {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT",
       "limits=", " 128 128 9 9\n"},
      {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "limits=9 128 128 ",
       " 9\n"},
      {"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "limits=9 128 128 9 ",
       "\n"},
      {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
       "attribute_value_max=", "\n"},
      {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", "timeouts=", " 9\n"},
      {"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", "timeouts=9 ", "\n"},
  };
  static const struct {
    const char *value;
    int counts;
  } values[] = {{"0", 0}, {"3", 3}, {"bad", 9}, {"", 9}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
      char out[SHOWN_SIZE], line[64];
      const struct row row = {.name = pairs[i].specific, .extras = {pairs[i].general, "9"}};
      read_env(&row, values[j].value, out);
      snprintf(line, sizeof line, "\n%s%d%s", pairs[i].before, values[j].counts, pairs[i].after);
      if (!strstr(out, line)) fail_msg("%s=%s: %s", row.name, values[j].value, out);
    }
}

static void test_propagators_are_a_set(void **state) {
  static const struct {
    const char *value;
    unsigned bits;
    int warnings;
  } cases[] = {
      {"tracecontext", 1, 0},
      {"baggage", 2, 0},
      {"tracecontext,baggage", 3, 0},
      {"TraceContext , baggage,tracecontext,,", 3, 0},
      {"none", 0, 0},
      {"none,baggage", 2, 0},
      {"b3,tracecontext", 1, 1},
      {"b3,jaeger,b3", 3, 2}, /* nothing in it that we know */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    /* It holds also where the SDK is disabled. */
    for (int disabled = 0; disabled < 2; disabled++) {
      char out[SHOWN_SIZE], line[32];
      const struct row row = {.name = "OTEL_PROPAGATORS",
                              .extras = {"OTEL_SDK_DISABLED", disabled ? "true" : "false"}};
      read_env(&row, cases[i].value, out);
      snprintf(line, sizeof line, "\npropagators=%u\n", cases[i].bits);
      if (!strstr(out, line)) fail_msg("%s: %s", cases[i].value, out);
      assert_int_equal(world.warning_count, cases[i].warnings);
    }
  }
}

/* ---- the documentation --------------------------------------------------------------------------- */

/* The command's own; the library is given these by its caller. */
static const char *const command_names[] = {"TRACEPARENT", "TRACESTATE", "BAGGAGE"};

static bool seen[ROW_COUNT];

static void check_documented(const char *name) {
  for (size_t i = 0; i < sizeof command_names / sizeof *command_names; i++)
    if (strcmp(command_names[i], name) == 0) return;
  bool is_tried = false;
  for (size_t i = 0; i < ROW_COUNT; i++)
    if (strcmp(rows[i].name, name) == 0) is_tried = seen[i] = true;
  if (!is_tried) fail_msg("docs/telemetry.md has %s, which no row here tries", name);
}

/* Expands "A_[{B,C}_]D" to A_D, A_B_D and A_C_D. `done` is what is expanded of it so far. */
static void expand(const char *done, const char *pattern) {
  char name[128], rest[256];
  size_t plain = strcspn(pattern, "[{"), done_size = strlen(done) + plain;
  assert_true(done_size < sizeof name);
  snprintf(name, sizeof name, "%s%.*s", done, (int)plain, pattern);
  pattern += plain;
  if (!*pattern) {
    check_documented(name);
    return;
  }
  const char *end = strchr(pattern, *pattern == '[' ? ']' : '}');
  assert_non_null(end);
  if (*pattern == '[') expand(name, end + 1);
  for (const char *part = pattern + 1; part < end;) {
    size_t size = *pattern == '[' ? (size_t)(end - part) : strcspn(part, ",}");
    snprintf(rest, sizeof rest, "%.*s%s", (int)size, part, end + 1);
    expand(name, rest);
    part += size + 1;
  }
}

/* The first column of every table row of the section "Environment" is names between backquotes. */
static void test_the_documentation_has_the_same_variables(void **state) {
  HOIST_AUTO(buf) struct buf docs = buf_make(1u << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, DOCS, &docs, NULL), HOIST_OK);
  char *p = strstr(docs.data, "\n## Environment\n");
  assert_non_null(p);
  char *end = strstr(p + 1, "\n## ");
  assert_non_null(end);
  *end = '\0';
  while ((p = strstr(p, "\n| `")) != NULL) {
    char *column_end = strchr(p + 2, '|');
    assert_non_null(column_end);
    *column_end = '\0';
    for (char *name = strchr(p, '`'); name; name = strchr(name, '`')) {
      char *name_end = strchr(++name, '`');
      assert_non_null(name_end);
      *name_end = '\0';
      expand("", name);
      name = name_end + 1;
    }
    p = column_end + 1;
  }
  for (size_t i = 0; i < ROW_COUNT; i++)
    if (!seen[i]) fail_msg("docs/telemetry.md does not have %s", rows[i].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_good_value_changes_what_it_is_for),
      cmocka_unit_test(test_without_variables_the_defaults_of_the_specification_hold),
      cmocka_unit_test(test_an_empty_value_is_none),
      cmocka_unit_test(test_a_bad_value_is_warned_about_once_and_ignored),
      cmocka_unit_test(test_a_value_is_shown_in_one_line),
      cmocka_unit_test(test_the_specific_name_wins_where_its_value_is_good),
      cmocka_unit_test(test_propagators_are_a_set),
      cmocka_unit_test(test_the_documentation_has_the_same_variables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
