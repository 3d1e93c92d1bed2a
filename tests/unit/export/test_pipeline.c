/* SPDX-License-Identifier: Apache-2.0 */
/* The public telemetry calls, from spans to whoever gets them. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist/telemetry.h>
#include <jansson.h>

#include "buf.h"
#include "clock.h"
#include "fs.h"
#include "otlp_read.h"
#include "pipeline.h"
#include "script_server.h"

#define PLENTY_MS 20000

/* ---- who listens --------------------------------------------------------------------------------- */

struct listener {
  atomic_int spans, batches, warnings;
  char last_warning[500];
};

static enum hoist_status count_span(void *user, const struct otlp_span *span,
                                    struct hoist_error *err) {
  ++*(int *)user;
  return HOIST_OK;
}

static void on_spans(void *user, const void *data, size_t size) {
  struct listener *l = user;
  int count = 0;
  if (otlp_each_span(data, size, count_span, &count, NULL) != HOIST_OK) abort();
  l->batches++;
  l->spans += count;
}

static void on_warning(void *user, const char *line) {
  struct listener *l = user;
  snprintf(l->last_warning, sizeof l->last_warning, "%s", line);
  l->warnings++;
}

static struct hoist_telemetry_config listening(struct listener *l) {
  struct hoist_telemetry_config config;
  memset(l, 0, sizeof *l);
  hoist_telemetry_config_init(&config);
  config.batch_delay_ms = 600000; /* only what is asked for happens */
  config.on_spans = on_spans;
  config.on_spans_user = l;
  config.on_warning = on_warning;
  config.on_warning_user = l;
  return config;
}

static struct hoist_telemetry *opened(const struct hoist_telemetry_config *config) {
  struct hoist_telemetry *telemetry;
  struct hoist_error err;
  if (hoist_telemetry_open(config, &telemetry, &err) != HOIST_OK) fail_msg("%s", err.message);
  return telemetry;
}

static void record(struct hoist_telemetry *telemetry, int count) {
  for (int i = 0; i < count; i++) {
    struct hoist_span span;
    hoist_span_start_root(telemetry, "span", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_set_int(&span, "number", i);
    hoist_span_end(&span);
  }
}

static struct hoist_telemetry_status status_of(const struct hoist_telemetry *telemetry) {
  struct hoist_telemetry_status status;
  hoist_telemetry_get_status(telemetry, &status);
  return status;
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void test_a_flush_delivers_what_was_recorded_before_it(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 3);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  assert_int_equal(l.spans, 3);
  assert_int_equal(l.batches, 1);
  struct hoist_telemetry_status status = status_of(telemetry);
  assert_int_equal(status.spans_ended, 3);
  assert_int_equal(status.spans_exported, 3);
  assert_int_equal(status.spans_dropped, 0);
  assert_string_equal(status.last_error, "");
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  assert_int_equal(l.batches, 1); /* nothing is no batch */
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_close_delivers_the_rest(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 5);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_int_equal(l.spans, 5);
  assert_int_equal(l.warnings, 0);
}

static void test_a_close_without_time_drops_and_says_so(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 5);
  hoist_telemetry_close(telemetry, 0);
  assert_int_equal(l.spans, 0);
  assert_int_equal(l.warnings, 1);
  assert_non_null(strstr(l.last_warning, "closed before"));
}

static void test_batches_are_no_larger_than_asked(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  config.batch_spans_max = 100;
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 1050);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  assert_int_equal(l.spans, 1050);
  assert_int_equal(l.batches, 11);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_a_batch_leaves_by_itself_after_the_delay(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  config.batch_delay_ms = 1;
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 1);
  for (int i = 0; i < PLENTY_MS && l.spans == 0; i++)
    usleep(1000);
  assert_int_equal(l.spans, 1);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_a_queue_that_fills_up_wakes_the_worker(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  config.queue_bytes = 64 << 10;
  struct hoist_telemetry *telemetry = opened(&config);
  for (int i = 0; i < PLENTY_MS && l.spans == 0; i++) {
    record(telemetry, 100);
    usleep(1000);
  }
  assert_true(l.spans > 0);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_settings_that_make_no_sense_are_invalid(void **state) {
  struct hoist_telemetry_config config, zeroed = {0};
  struct hoist_telemetry *telemetry = NULL;
  struct hoist_error err;
  assert_int_equal(hoist_telemetry_open(&zeroed, &telemetry, &err), HOIST_INVALID);
  hoist_telemetry_config_init(&config);
  config.sampler = "sometimes";
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, &err), HOIST_INVALID);
  hoist_telemetry_config_init(&config);
  config.traces_endpoint = "nowhere";
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, &err), HOIST_INVALID);
  hoist_telemetry_config_init(&config);
  config.trace_file = "/dev/null/trace.jsonl";
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, &err), HOIST_NOT_FOUND);
  assert_non_null(strstr(err.message, "/dev/null/trace.jsonl"));
  assert_null(telemetry);
}

static void test_bad_resource_attributes_are_one_warning(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  config.resource_attributes = "a=%zz";
  hoist_telemetry_close(opened(&config), PLENTY_MS);
  assert_int_equal(l.warnings, 1);
  assert_non_null(strstr(l.last_warning, "resource attributes ignored"));
}

/* ---- over HTTP ----------------------------------------------------------------------------------- */

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void test_spans_and_metrics_reach_a_live_collector_by_close(void **state) {
  static const struct hoist_instrument counter = {.name = "c", .kind = HOIST_COUNTER};
  struct script_reply ok = {.data = OK_EMPTY};
  struct script_server *server = script_server_replay(&ok, 1);
  struct hoist_telemetry_config config;
  char traces[128], metrics[128];
  snprintf(traces, sizeof traces, "%s/v1/traces", script_server_url(server));
  snprintf(metrics, sizeof metrics, "%s/v1/metrics", script_server_url(server));
  hoist_telemetry_config_init(&config);
  config.traces_endpoint = traces;
  config.metrics_endpoint = metrics;
  config.headers = "x-key=k";
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 1);
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_int_equal(script_server_requests(server), 2);
  assert_non_null(strstr(script_server_request(server, 0), "POST /v1/traces "));
  assert_non_null(strstr(script_server_request(server, 1), "POST /v1/metrics "));
  assert_non_null(strstr(script_server_request(server, 1), "\r\nx-key: k\r\n"));
  script_server_stop(server);
}

static void test_metrics_leave_by_themselves_at_each_interval(void **state) {
  static const struct hoist_instrument counter = {.name = "c", .kind = HOIST_COUNTER};
  struct script_reply ok = {.data = OK_EMPTY};
  struct script_server *server = script_server_replay(&ok, 1);
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  config.metrics_endpoint = script_server_url(server);
  config.metric_interval_ms = 1;
  struct hoist_telemetry *telemetry = opened(&config);
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
  for (int i = 0; i < PLENTY_MS && script_server_requests(server) < 2; i++)
    usleep(1000);
  assert_true(script_server_requests(server) >= 2);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  script_server_stop(server);
}

static void test_nothing_recorded_is_no_request(void **state) {
  struct script_reply ok = {.data = OK_EMPTY};
  struct script_server *server = script_server_replay(&ok, 1);
  struct hoist_telemetry_config config;
  hoist_telemetry_config_init(&config);
  config.traces_endpoint = config.metrics_endpoint = script_server_url(server);
  struct hoist_telemetry *telemetry = opened(&config);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_int_equal(script_server_requests(server), 0);
  script_server_stop(server);
}

static void test_a_failing_collector_is_one_warning_and_many_counts(void **state) {
  struct script_reply no = {.data = "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"};
  struct script_server *server = script_server_replay(&no, 1);
  struct listener l;
  struct hoist_error err;
  struct hoist_telemetry_config config = listening(&l);
  config.traces_endpoint = script_server_url(server);
  struct hoist_telemetry *telemetry = opened(&config);
  for (int i = 0; i < 3; i++) {
    record(telemetry, 2);
    assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, &err), HOIST_UNAVAILABLE);
    assert_non_null(strstr(err.message, "HTTP status 400"));
  }
  struct hoist_telemetry_status status = status_of(telemetry);
  assert_int_equal(l.spans, 6); /* the callback gets them all the same */
  assert_int_equal(l.warnings, 1);
  assert_int_equal(status.spans_dropped, 6);
  assert_int_equal(status.spans_exported, 0);
  assert_int_equal(status.exports_failed, 3);
  assert_non_null(strstr(status.last_error, "HTTP status 400"));
  hoist_telemetry_close(telemetry, PLENTY_MS);
  script_server_stop(server);
}

static void test_rejected_spans_are_counted_as_dropped(void **state) {
  static const char reply[] =
      "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\x0a\x06\x08\x01\x12\x02no";
  struct script_reply some = {.data = reply, .size = sizeof reply - 1};
  struct script_server *server = script_server_replay(&some, 1);
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  config.traces_endpoint = script_server_url(server);
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 3);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  assert_int_equal(status_of(telemetry).spans_exported, 2);
  assert_int_equal(status_of(telemetry).spans_dropped, 1);
  assert_non_null(strstr(l.last_warning, "rejected 1 of 3 spans: no"));
  hoist_telemetry_close(telemetry, PLENTY_MS);
  script_server_stop(server);
}

static void test_flush_and_close_end_in_time_when_the_collector_hangs(void **state) {
  struct script_reply stall = {.after = SCRIPT_STALL};
  struct script_server *server = script_server_replay(&stall, 1);
  struct listener l;
  struct hoist_error err;
  struct hoist_telemetry_config config = listening(&l);
  config.traces_endpoint = script_server_url(server);
  config.export_timeout_ms = 0; /* the collector's patience is not what ends it */
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 1);
  assert_int_equal(hoist_telemetry_flush(telemetry, 50, &err), HOIST_TIMEOUT);
  assert_non_null(strstr(err.message, "50 ms"));
  hoist_telemetry_close(telemetry, 50);
  assert_int_equal(l.spans, 1);
  assert_int_equal(l.warnings, 1);
  script_server_stop(server);
}

/* Retries go on for longer than the flush waits: what they failed of is told all the same. */
static void test_a_flush_that_runs_out_of_time_tells_the_last_attempts_failure(void **state) {
  struct script_reply busy = {.data =
                                  "HTTP/1.1 503 X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"};
  struct script_server *server = script_server_replay(&busy, 1);
  struct listener l;
  struct hoist_error err;
  struct hoist_telemetry_config config = listening(&l);
  config.traces_endpoint = script_server_url(server);
  config.export_timeout_ms = 0;
  struct hoist_telemetry *telemetry = opened(&config);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, &err), HOIST_OK);
  assert_string_equal(status_of(telemetry).last_error, "");
  record(telemetry, 1);
  assert_int_equal(hoist_telemetry_flush(telemetry, 1, &err), HOIST_TIMEOUT);
  while (!status_of(telemetry).last_error[0]) /* the attempt has been made */
    assert_int_equal(hoist_telemetry_flush(telemetry, 1, &err), HOIST_TIMEOUT);
  assert_int_equal(hoist_telemetry_flush(telemetry, 1, &err), HOIST_TIMEOUT);
  assert_non_null(strstr(err.message, "within 1 ms: POST http://127.0.0.1:"));
  assert_non_null(strstr(err.message, "HTTP status 503 (attempt 1)"));
  assert_non_null(strstr(status_of(telemetry).last_error, "HTTP status 503 (attempt 1)"));
  assert_int_equal(status_of(telemetry).exports_failed, 0);
  hoist_telemetry_close(telemetry, 0);
  assert_non_null(strstr(l.last_warning, "; 1 span dropped;"));
  script_server_stop(server);
}

/* ---- to a file ----------------------------------------------------------------------------------- */

static char directory[] = "/tmp/hoist-export-XXXXXX";

static const char *path_of(const char *name) {
  static char path[sizeof directory + 32];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return path;
}

static json_t *at(json_t *array, size_t index) {
  json_t *value = json_array_get(array, index);
  assert_non_null(value);
  return value;
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  assert_non_null(text);
  return text;
}

static json_t *attribute(const json_t *owner, const char *key) {
  size_t i;
  json_t *pair;
  json_array_foreach(json_object_get(owner, "attributes"), i, pair) {
    if (strcmp(text_at(pair, "key"), key) == 0) return json_object_get(pair, "value");
  }
  fail_msg("no attribute %s", key);
  return NULL;
}

/* Line `n` of the file, parsed. */
static json_t *line_of(const char *path, int n) {
  HOIST_AUTO(buf) struct buf data = buf_make(1 << 20);
  json_error_t error;
  assert_int_equal(fs_read_file(AT_FDCWD, path, &data, NULL), HOIST_OK);
  char *line = data.data;
  while (n-- > 0) {
    line = strchr(line, '\n');
    assert_non_null(line);
    line++;
  }
  *strchr(line, '\n') = '\0';
  json_t *root = json_loads(line, JSON_REJECT_DUPLICATES, &error);
  if (!root) fail_msg("%s: %s", error.text, line);
  return root;
}

static void record_one_of_everything(struct hoist_telemetry *telemetry) {
  static const struct hoist_instrument histogram = {
      .name = "h", .unit = "s", .kind = HOIST_HISTOGRAM};
  static const struct hoist_instrument counter = {.name = "c", .kind = HOIST_COUNTER};
  struct hoist_span span;
  struct hoist_error err = {.status = HOIST_CORRUPT, .message = "a \"quoted\" \\ text"};
  hoist_span_start_root(telemetry, "na\tme", HOIST_SPAN_CLIENT, NULL, &span);
  hoist_span_set_string(&span, "text", "\xe2\x82\xac\n\x01");
  hoist_span_set_int(&span, "int", INT64_MIN);
  hoist_span_set_double(&span, "tenth", 0.1);
  hoist_span_set_double(&span, "infinite", 1e300 * 1e300);
  hoist_span_set_bool(&span, "bool", 1);
  hoist_span_record_error(&span, &err);
  hoist_span_end(&span);
  hoist_metric_add(telemetry, &histogram, 0.3, NULL, 0);
  hoist_metric_add(telemetry, &counter, 2, NULL, 0);
}

static void check_span(json_t *root) {
  json_t *resource_spans = at(json_object_get(root, "resourceSpans"), 0);
  json_t *scope_spans = at(json_object_get(resource_spans, "scopeSpans"), 0);
  json_t *span = at(json_object_get(scope_spans, "spans"), 0);
  assert_string_equal(
      text_at(attribute(json_object_get(resource_spans, "resource"), "service.name"),
              "stringValue"),
      "s");
  assert_string_equal(text_at(json_object_get(scope_spans, "scope"), "name"), "hoist");
  assert_int_equal(strlen(text_at(span, "traceId")), 32);
  assert_int_equal(strlen(text_at(span, "spanId")), 16);
  assert_null(json_object_get(span, "parentSpanId"));
  assert_string_equal(text_at(span, "name"), "na\tme");
  assert_int_equal(json_integer_value(json_object_get(span, "kind")), 3);
  assert_true(strtoull(text_at(span, "endTimeUnixNano"), NULL, 10) >=
              strtoull(text_at(span, "startTimeUnixNano"), NULL, 10));
  assert_string_equal(text_at(attribute(span, "text"), "stringValue"), "\xe2\x82\xac\n\x01");
  assert_string_equal(text_at(attribute(span, "int"), "intValue"), "-9223372036854775808");
  assert_true(json_real_value(json_object_get(attribute(span, "tenth"), "doubleValue")) == 0.1);
  assert_string_equal(text_at(attribute(span, "infinite"), "doubleValue"), "Infinity");
  assert_true(json_is_true(json_object_get(attribute(span, "bool"), "boolValue")));
  json_t *status = json_object_get(span, "status");
  assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
  assert_string_equal(text_at(status, "message"), "a \"quoted\" \\ text");
  json_t *event = at(json_object_get(span, "events"), 0);
  assert_string_equal(text_at(event, "name"), "exception");
  assert_string_equal(text_at(attribute(event, "exception.type"), "stringValue"), "corrupt");
  assert_int_equal(json_integer_value(json_object_get(span, "flags")), 0x103);
}

static void check_metrics(json_t *root) {
  json_t *resource_metrics = at(json_object_get(root, "resourceMetrics"), 0);
  json_t *metrics =
      json_object_get(at(json_object_get(resource_metrics, "scopeMetrics"), 0), "metrics");
  json_t *histogram = json_object_get(at(metrics, 0), "histogram");
  json_t *point = at(json_object_get(histogram, "dataPoints"), 0);
  assert_string_equal(text_at(at(metrics, 0), "name"), "h");
  assert_int_equal(json_integer_value(json_object_get(histogram, "aggregationTemporality")), 2);
  assert_string_equal(text_at(point, "count"), "1");
  assert_int_equal(json_array_size(json_object_get(point, "explicitBounds")), 19);
  assert_string_equal(json_string_value(at(json_object_get(point, "bucketCounts"), 7)), "1");
  json_t *sum = json_object_get(at(metrics, 1), "sum");
  assert_true(json_is_true(json_object_get(sum, "isMonotonic")));
  assert_true(json_number_value(
                  json_object_get(at(json_object_get(sum, "dataPoints"), 0), "asDouble")) == 2);
}

static void test_a_trace_file_that_cannot_be_opened_is_told_by_its_errno(void **state) {
  const char *path = path_of("fifo");
  assert_int_equal(mkfifo(path, 0600), 0);
  const struct {
    const char *path, *message;
    enum hoist_status status;
  } cases[] = {{"/nowhere/t", "opening trace file /nowhere/t: ", HOIST_NOT_FOUND},
               {"/", "opening trace file /: ", HOIST_UNAVAILABLE},
               {path, "a pipe that nobody reads", HOIST_UNAVAILABLE}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry *telemetry;
    struct hoist_telemetry_config config;
    struct hoist_error err;
    hoist_telemetry_config_init(&config);
    config.trace_file = cases[i].path;
    assert_int_equal(hoist_telemetry_open(&config, &telemetry, &err), cases[i].status);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s", err.message);
  }
  assert_int_equal(unlink(path), 0);
}

/* More than a pipe holds: the worker waits for the reader, opening did not. */
static void test_a_trace_file_may_be_a_pipe_with_a_reader(void **state) {
  enum { SPANS = 2000 };
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  char data[4096];
  const char *path = path_of("fifo");
  assert_int_equal(mkfifo(path, 0600), 0);
  int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  config.trace_file = path;
  struct hoist_telemetry *telemetry = opened(&config);
  assert_true(reader >= 0 && fcntl(reader, F_SETFL, 0) == 0);
  record(telemetry, SPANS);
  assert_int_equal(hoist_telemetry_flush(telemetry, 1, NULL), HOIST_TIMEOUT);
  size_t lines = 0;
  while (lines < SPANS / 512 + 1) {
    ssize_t size = read(reader, data, sizeof data);
    assert_true(size > 0);
    for (ssize_t i = 0; i < size; i++)
      lines += data[i] == '\n';
  }
  close(reader); /* what comes now is a warning, and no signal */
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_int_equal(unlink(path), 0);
}

static void test_an_empty_file_name_is_none(void **state) {
  struct hoist_telemetry_config config;
  hoist_telemetry_config_init(&config);
  config.trace_file = "";
  struct hoist_telemetry *telemetry = opened(&config);
  record(telemetry, 1);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_a_number_that_no_enum_has_is_invalid(void **state) {
  struct hoist_telemetry_config config;
  int *const members[] = {(int *)&config.traces_protocol,     (int *)&config.metrics_protocol,
                          (int *)&config.traces_compression,  (int *)&config.metrics_compression,
                          (int *)&config.metrics_temporality, (int *)&config.exemplar_filter};
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    struct hoist_telemetry *telemetry;
    struct hoist_error err;
    hoist_telemetry_config_init(&config);
    *members[i] = 7;
    assert_int_equal(hoist_telemetry_open(&config, &telemetry, &err), HOIST_INVALID);
    assert_non_null(strstr(err.message, "is none of its values"));
  }
}

static void test_the_trace_file_is_a_line_of_otlp_json_per_batch(void **state) {
  struct hoist_telemetry_config config;
  const char *path = path_of("trace.jsonl");
  hoist_telemetry_config_init(&config);
  config.service_name = "s";
  config.trace_file = path;
  for (int run = 0; run < 2; run++) { /* the second appends */
    struct hoist_telemetry *telemetry = opened(&config);
    record_one_of_everything(telemetry);
    hoist_telemetry_close(telemetry, PLENTY_MS);
  }
  for (int line = 0; line < 4; line++) {
    json_t *root = line_of(path, line);
    if (line % 2 == 0)
      check_span(root);
    else
      check_metrics(root);
    json_decref(root);
  }
}

static void test_the_console_shows_spans_as_lines_and_metrics_as_json(void **state) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  const char *path = path_of("console");
  int saved = dup(STDERR_FILENO), file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  assert_true(saved >= 0 && file >= 0);
  hoist_telemetry_config_init(&config);
  config.console = HOIST_CONSOLE_SPANS | HOIST_CONSOLE_METRICS;
  enum hoist_status status = hoist_telemetry_open(&config, &telemetry, NULL);
  assert_int_equal(status, HOIST_OK);
  assert_true(dup2(file, STDERR_FILENO) >= 0);
  record_one_of_everything(telemetry);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_true(dup2(saved, STDERR_FILENO) >= 0);
  close(saved);
  close(file);
  HOIST_AUTO(buf) struct buf shown = buf_make(1 << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &shown, NULL), HOIST_OK);
  assert_memory_equal(buf_str(&shown), "span na?me ", 11); /* control bytes steer no terminal */
  assert_non_null(strstr(buf_str(&shown), " parent=0000000000000000 error: a \"quoted\" "));
  assert_non_null(strstr(buf_str(&shown), " error.type=corrupt\n"));
  json_t *root = line_of(path, 1);
  check_metrics(root);
  json_decref(root);
}

/* A reader of a pipe that reads nothing: writes to it hang once it is full. */
static void test_close_leaves_a_worker_that_hangs_in_the_kernel(void **state) {
  struct listener l;
  char value[1025];
  const char *path = path_of("pipe");
  assert_int_equal(mkfifo(path, 0600), 0);
  int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_true(reader >= 0);
  struct hoist_telemetry_config config = listening(&l);
  config.trace_file = path;
  struct hoist_telemetry *telemetry = opened(&config);
  memset(value, 'v', 1024);
  value[1024] = '\0';
  for (int i = 0; i < 200; i++) {
    struct hoist_span span;
    hoist_span_start_root(telemetry, "span", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_set_string(&span, "value", value);
    hoist_span_end(&span);
  }
  hoist_telemetry_close(telemetry, 10);
  int warnings = l.warnings;
  close(reader); /* the worker's write fails without a SIGPIPE, and it frees what is left */
  usleep(100000);
  assert_int_equal(l.warnings, warnings);
}

/* ---- threads and processes ------------------------------------------------------------------------ */

static void *record_many(void *arg) {
  static const struct hoist_instrument counter = {.name = "c", .kind = HOIST_COUNTER};
  for (int i = 0; i < 2000; i++) {
    record(arg, 1);
    hoist_metric_add(arg, &counter, 1, NULL, 0);
  }
  return NULL;
}

static void test_threads_record_while_others_flush(void **state) {
  struct listener l;
  pthread_t threads[3];
  struct hoist_telemetry_config config = listening(&l);
  config.trace_file = "/dev/null";
  config.batch_delay_ms = 1;
  struct hoist_telemetry *telemetry = opened(&config);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, record_many, telemetry), 0);
  for (int i = 0; i < 20; i++) {
    assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
    (void)status_of(telemetry);
  }
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  struct hoist_telemetry_status status = status_of(telemetry);
  assert_int_equal(status.spans_ended + status.spans_dropped, 6000);
  assert_int_equal(status.spans_exported, status.spans_ended);
  assert_int_equal(l.spans, status.spans_ended);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

#ifndef __SANITIZE_THREAD__
/* In the child, where cmocka cannot report. */
static int child_exports_its_own(struct hoist_telemetry *telemetry, struct listener *l) {
  l->spans = 0;
  record(telemetry, 2);
  if (hoist_telemetry_flush(telemetry, PLENTY_MS, NULL) != HOIST_OK) return 1;
  if (l->spans != 2) return 2;
  hoist_telemetry_close(telemetry, PLENTY_MS);
  return 0;
}

static int child_only_closes(struct hoist_telemetry *telemetry, struct listener *l) {
  l->spans = 0;
  hoist_telemetry_close(telemetry, PLENTY_MS);
  return l->spans;
}

static void test_a_forked_child_exports_its_own_spans_only(void **state) {
  static int (*const children[])(struct hoist_telemetry *,
                                 struct listener *) = {child_exports_its_own, child_only_closes};
  for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
    struct listener l;
    struct hoist_telemetry_config config = listening(&l);
    config.traces_endpoint = NULL;
    struct hoist_telemetry *telemetry = opened(&config);
    record(telemetry, 3);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(children[i](telemetry, &l));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    hoist_telemetry_close(telemetry, PLENTY_MS);
    assert_int_equal(l.spans, 3);
  }
}
#endif

#ifndef __SANITIZE_THREAD__
/* Runs in a process of its own, as it takes standard error away. */
static int close_with_a_stuck_standard_error(void) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  int pipe_ends[2];
  char filler[4096] = {0};
  if (pipe(pipe_ends) != 0 || fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK) != 0) return 1;
  while (write(pipe_ends[1], filler, sizeof filler) > 0)
    ;
  if (fcntl(pipe_ends[1], F_SETFL, 0) != 0 || dup2(pipe_ends[1], STDERR_FILENO) < 0) return 2;
  hoist_telemetry_config_init(&config);
  config.traces_endpoint = "http://127.0.0.1:9/v1/traces";
  if (hoist_telemetry_open(&config, &telemetry, NULL) != HOIST_OK) return 3;
  record(telemetry, 1);
  alarm(PLENTY_MS / 1000);
  hoist_telemetry_close(telemetry, 100); /* the warning about the collector blocks */
  return 0;
}

static void test_close_does_not_wait_for_a_standard_error_nobody_reads(void **state) {
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) exit(close_with_a_stuck_standard_error()); /* which flushes streams */
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

struct closing {
  struct hoist_telemetry *telemetry;
  atomic_int all_ended, closed;
};

static void close_from_within(void *user, const void *data, size_t size) {
  struct closing *c = user;
  if (atomic_load(&c->closed)) return; /* the last round, after close */
  while (!atomic_load(&c->all_ended))
    usleep(1000);
  hoist_telemetry_close(c->telemetry, 100);
  atomic_store(&c->closed, 1);
}

static void test_close_from_a_callback_returns(void **state) {
  static struct closing c; /* looked at by a thread that nobody waits for */
  struct hoist_telemetry_config config;
  hoist_telemetry_config_init(&config);
  config.on_spans = close_from_within;
  config.on_spans_user = &c;
  config.batch_delay_ms = 10;
  c.telemetry = opened(&config);
  record(c.telemetry, 1);
  atomic_store(&c.all_ended, 1);
  for (int i = 0; i < PLENTY_MS && !atomic_load(&c.closed); i++)
    usleep(1000);
  assert_int_equal(atomic_load(&c.closed), 1);
  usleep(100000); /* for the thread to free everything */
}

#ifndef __SANITIZE_THREAD__
/* A thread of the parent's was adding a scope when it forked. */
static int child_asks_for_a_scope(struct hoist_telemetry *telemetry) {
  alarm(PLENTY_MS / 1000);
  if (!hoist_telemetry_scope(telemetry, "a new one", NULL)) return 1;
  hoist_telemetry_close(telemetry, PLENTY_MS);
  return 0;
}

static void test_a_forked_child_can_ask_for_a_scope(void **state) {
  struct listener l;
  struct hoist_telemetry_config config = listening(&l);
  struct hoist_telemetry *telemetry = opened(&config);
  struct pipeline *p = telemetry->owner;
  int status;
  pthread_mutex_lock(&p->recorder.scopes_lock);
  pid_t child = fork();
  if (child == 0) _exit(child_asks_for_a_scope(telemetry));
  pthread_mutex_unlock(&p->recorder.scopes_lock);
  assert_true(child > 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}
#endif

static void flush_from_within(void *user, const void *data, size_t size) {
  struct hoist_telemetry **telemetry = user;
  struct hoist_error err;
  if (hoist_telemetry_flush(*telemetry, PLENTY_MS, &err) != HOIST_INVALID) abort();
}

static void test_a_flush_from_the_callback_is_refused_and_does_not_hang(void **state) {
  struct listener l;
  struct hoist_telemetry *telemetry;
  struct hoist_telemetry_config config = listening(&l);
  config.on_spans = flush_from_within;
  config.on_spans_user = &telemetry;
  telemetry = opened(&config);
  record(telemetry, 1);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static int make_directory(void **state) {
  return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
  return fs_remove_tree(AT_FDCWD, directory, NULL) == HOIST_OK ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_flush_delivers_what_was_recorded_before_it),
      cmocka_unit_test(test_close_delivers_the_rest),
      cmocka_unit_test(test_a_close_without_time_drops_and_says_so),
      cmocka_unit_test(test_batches_are_no_larger_than_asked),
      cmocka_unit_test(test_a_batch_leaves_by_itself_after_the_delay),
      cmocka_unit_test(test_a_queue_that_fills_up_wakes_the_worker),
      cmocka_unit_test(test_settings_that_make_no_sense_are_invalid),
      cmocka_unit_test(test_bad_resource_attributes_are_one_warning),
      cmocka_unit_test(test_spans_and_metrics_reach_a_live_collector_by_close),
      cmocka_unit_test(test_metrics_leave_by_themselves_at_each_interval),
      cmocka_unit_test(test_nothing_recorded_is_no_request),
      cmocka_unit_test(test_a_failing_collector_is_one_warning_and_many_counts),
      cmocka_unit_test(test_rejected_spans_are_counted_as_dropped),
      cmocka_unit_test(test_flush_and_close_end_in_time_when_the_collector_hangs),
      cmocka_unit_test(test_a_flush_that_runs_out_of_time_tells_the_last_attempts_failure),
      cmocka_unit_test(test_a_trace_file_that_cannot_be_opened_is_told_by_its_errno),
      cmocka_unit_test(test_a_trace_file_may_be_a_pipe_with_a_reader),
      cmocka_unit_test(test_an_empty_file_name_is_none),
      cmocka_unit_test(test_a_number_that_no_enum_has_is_invalid),
      cmocka_unit_test(test_the_trace_file_is_a_line_of_otlp_json_per_batch),
      cmocka_unit_test(test_the_console_shows_spans_as_lines_and_metrics_as_json),
      cmocka_unit_test(test_close_leaves_a_worker_that_hangs_in_the_kernel),
      cmocka_unit_test(test_threads_record_while_others_flush),
#ifndef __SANITIZE_THREAD__ /* which cannot follow threads into a forked child */
      cmocka_unit_test(test_a_forked_child_exports_its_own_spans_only),
#endif
#ifndef __SANITIZE_THREAD__
      cmocka_unit_test(test_close_does_not_wait_for_a_standard_error_nobody_reads),
      cmocka_unit_test(test_a_forked_child_can_ask_for_a_scope),
#endif
      cmocka_unit_test(test_close_from_a_callback_returns),
      cmocka_unit_test(test_a_flush_from_the_callback_is_refused_and_does_not_hang),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
