/* SPDX-License-Identifier: Apache-2.0 */
/* hoist's side of the telemetry benchmark: a program like any other, with the public header and the
 * shared library. What it records is taken by on_spans in place of a collector, so that the export
 * thread works as it always does and no network is measured. */
#include <hoist/telemetry.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum {
  CALLS = 100000,
  /* A round's spans fit into the default queue, and the export thread looks for some all the while. */
  SPANS = 8000,
  BATCH_DELAY_MS = 1,
  FLUSH_MS = 10000
};

static atomic_ullong exported_bytes;

static void take(void *user, const void *traces_data, size_t size) {
  (void)user, (void)traces_data;
  atomic_fetch_add(&exported_bytes, size);
}

static struct hoist_telemetry *open_telemetry(const char *sampler) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry = NULL;
  struct hoist_error err;
  hoist_telemetry_config_init(&config);
  config.sampler = sampler;
  config.batch_delay_ms = BATCH_DELAY_MS;
  config.on_spans = take;
  if (hoist_telemetry_open(&config, &telemetry, &err) != HOIST_OK) {
    fprintf(stderr, "bench_telemetry: %s\n", err.message);
    exit(1);
  }
  return telemetry;
}

static void flush(void *telemetry) {
  struct hoist_error err;
  if (hoist_telemetry_flush(telemetry, FLUSH_MS, &err) == HOIST_OK) return;
  fprintf(stderr, "bench_telemetry: %s\n", err.message);
  exit(1);
}

/* ---- spans ------------------------------------------------------------------------------------- */

static void start_and_end(void *user, long calls) {
  struct hoist_telemetry *telemetry = user;
  for (long i = 0; i < calls; i++) {
    struct hoist_span span;
    BENCH_OPAQUE(telemetry);
    hoist_span_start_root(telemetry, "span-name", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_end(&span);
  }
}

static void start_set_5_and_end(void *user, long calls) {
  struct hoist_telemetry *telemetry = user;
  for (long i = 0; i < calls; i++) {
    struct hoist_span span;
    BENCH_OPAQUE(telemetry);
    hoist_span_start_root(telemetry, "span-name", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_set_string(&span, "key2", "hello");
    hoist_span_set_string(&span, "key4", "world");
    hoist_span_set_int(&span, "key1", 0);
    hoist_span_set_int(&span, "key3", 123456);
    hoist_span_set_int(&span, "key5", 123);
    hoist_span_end(&span);
  }
}

/* ---- metrics ----------------------------------------------------------------------------------- */

static const struct hoist_instrument counter = {.name = "bench.count", .kind = HOIST_COUNTER};
static const struct hoist_instrument histogram = {
    .name = "bench.time", .unit = "s", .kind = HOIST_HISTOGRAM};
static const struct hoist_attr model = {
    .key = "model.id", .type = HOIST_ATTR_STRING, .value = {.string = "coins/1"}};

static void add(void *telemetry, long calls) {
  for (long i = 0; i < calls; i++)
    hoist_metric_add(telemetry, &counter, 1, &model, 1);
}

static void record(void *telemetry, long calls) {
  for (long i = 0; i < calls; i++)
    hoist_metric_add(telemetry, &histogram, 0.3, &model, 1);
}

static void add_bound(void *user, long calls) {
  struct hoist_bound *bound = user;
  for (long i = 0; i < calls; i++) {
    BENCH_OPAQUE(bound);
    hoist_bound_add(bound, 1);
  }
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void measure_spans(void) {
  static const struct bench_row off = {"span.off", 1, CALLS, start_and_end, NULL};
  static const struct bench_row unsampled = {"span.unsampled", 1, CALLS, start_and_end, NULL};
  static const struct bench_row sampled[] = {
      {"span.sampled", 1, SPANS, start_and_end, flush},
      {"span.five", 1, SPANS, start_set_5_and_end, flush},
      {"span.five.2", 2, SPANS / 2, start_set_5_and_end, flush},
  };
  bench_measure(&off, NULL);
  struct hoist_telemetry *telemetry = open_telemetry("always_off");
  bench_measure(&unsampled, telemetry);
  hoist_telemetry_close(telemetry, FLUSH_MS);
  telemetry = open_telemetry("always_on");
  for (size_t i = 0; i < sizeof sampled / sizeof sampled[0]; i++)
    bench_measure(&sampled[i], telemetry);
  struct hoist_telemetry_status status;
  hoist_telemetry_get_status(telemetry, &status);
  bench_report("spans", status.spans_ended);
  bench_report("dropped", status.spans_dropped);
  bench_report("OTLP bytes", atomic_load(&exported_bytes));
  hoist_telemetry_close(telemetry, FLUSH_MS);
}

static void measure_metrics(void) {
  static const struct bench_row adding[] = {{"counter", 1, CALLS, add, NULL},
                                            {"counter.2", 2, CALLS, add, NULL},
                                            {"histogram", 1, CALLS, record, NULL}};
  static const struct bench_row bound_adding[] = {{"counter.bound", 1, CALLS, add_bound, NULL},
                                                  {"counter.bound.2", 2, CALLS, add_bound, NULL}};
  struct hoist_telemetry *telemetry = open_telemetry("always_on");
  for (size_t i = 0; i < sizeof adding / sizeof adding[0]; i++)
    bench_measure(&adding[i], telemetry);
  struct hoist_bound *bound = hoist_metric_bind(telemetry, &counter, &model, 1);
  for (size_t i = 0; bound && i < sizeof bound_adding / sizeof bound_adding[0]; i++)
    bench_measure(&bound_adding[i], bound);
  hoist_telemetry_close(telemetry, FLUSH_MS);
}

int main(void) {
  measure_spans();
  measure_metrics();
  return 0;
}
