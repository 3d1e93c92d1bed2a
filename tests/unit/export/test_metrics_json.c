/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential histograms and exemplars as OTLP/JSON, read back from the trace file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist/telemetry.h>
#include <jansson.h>

#include "buf.h"
#include "fs.h"
#include "text.h"

static json_t *get(json_t *object, const char *key) {
  json_t *value = json_object_get(object, key);
  if (!value) fail_msg("no %s in %s", key, json_dumps(object, 0));
  return value;
}

static json_t *first(json_t *object, const char *key) {
  return json_array_get(get(object, key), 0);
}

/* The only point of the first metric in a line of metrics. */
static json_t *point_of(json_t *line, const char *kind) {
  json_t *metric = first(first(first(line, "resourceMetrics"), "scopeMetrics"), "metrics");
  return first(get(metric, kind), "dataPoints");
}

/* The line of the file that is about metrics. */
static json_t *read_metrics(const char *path) {
  HOIST_AUTO(buf) struct buf data = buf_make(1 << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &data, NULL), HOIST_OK);
  const char *line = strstr(buf_str(&data), "{\"resourceMetrics\"");
  assert_non_null(line);
  json_error_t error;
  json_t *root = json_loads(line, JSON_DISABLE_EOF_CHECK, &error);
  if (!root) fail_msg("%s", error.text);
  return root;
}

static json_t *export(const struct hoist_instrument *instrument, const double *values, size_t count,
                      struct hoist_span_context *ret_context) {
  char path[] = "/tmp/hoist-json-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  struct hoist_span span;
  hoist_telemetry_config_init(&config);
  config.trace_file = path;
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, NULL), HOIST_OK);
  hoist_span_start_root(telemetry, "span", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_get_context(&span, ret_context);
  hoist_metric_add_in(&span, telemetry, instrument, values[0], NULL, 0);
  for (size_t i = 1; i < count; i++)
    hoist_metric_add(telemetry, instrument, values[i], NULL, 0);
  hoist_span_end(&span);
  hoist_telemetry_close(telemetry, 20000);
  json_t *root = read_metrics(path);
  unlink(path);
  return root;
}

static void test_an_exponential_histogram_as_json(void **state) {
  static const struct hoist_instrument spread = {.name = "a.spread",
                                                 .kind = HOIST_EXPONENTIAL_HISTOGRAM};
  static const double values[] = {0x1p-100, 0x1p100, 0, -4, -4};
  struct hoist_span_context context;
  json_t *root = export(&spread, values, 5, &context),
         *point = point_of(root, "exponentialHistogram");
  assert_string_equal(json_string_value(get(point, "count")), "5");
  assert_string_equal(json_string_value(get(point, "zeroCount")), "1");
  assert_int_equal(json_integer_value(get(point, "scale")), -1);
  json_t *positive = get(point, "positive"), *negative = get(point, "negative");
  assert_int_equal(json_integer_value(get(positive, "offset")), -51);
  assert_int_equal(json_array_size(get(positive, "bucketCounts")), 101);
  assert_string_equal(json_string_value(first(positive, "bucketCounts")), "1");
  assert_int_equal(json_integer_value(get(negative, "offset")), 0);
  assert_string_equal(json_string_value(first(negative, "bucketCounts")), "2");
  assert_true(json_number_value(get(point, "min")) == -4);
  assert_true(json_number_value(get(point, "max")) == 0x1p100);
  json_decref(root);
}

static void test_an_exemplar_as_json(void **state) {
  static const struct hoist_instrument counter = {.name = "a.count", .kind = HOIST_COUNTER};
  static const double values[] = {2, 3};
  struct hoist_span_context context;
  char trace[33], span[17];
  json_t *root = export(&counter, values, 2, &context), *point = point_of(root, "sum");
  json_t *exemplar = first(point, "exemplars");
  hex_encode(context.trace_id, 16, trace);
  hex_encode(context.span_id, 8, span);
  assert_true(json_number_value(get(point, "asDouble")) == 5);
  assert_true(json_number_value(get(exemplar, "asDouble")) == 2);
  assert_string_equal(json_string_value(get(exemplar, "traceId")), trace);
  assert_string_equal(json_string_value(get(exemplar, "spanId")), span);
  assert_true(strlen(json_string_value(get(exemplar, "timeUnixNano"))) == 19);
  json_decref(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_exponential_histogram_as_json),
      cmocka_unit_test(test_an_exemplar_as_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
