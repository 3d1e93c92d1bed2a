/* SPDX-License-Identifier: Apache-2.0 */
/* Self-observability. Counts go into the pipeline's own metrics, so they reach every reader of those. What
 * is counted elsewhere is added as the difference to the last look at it. */
#include "self.h"

#include <stdio.h>

#include "bound.h"
#include "clock.h"

static const struct hoist_instrument spans_started = {
    .name = "otel.sdk.span.started",
    .unit = "{span}",
    .description = "The number of created spans",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument spans_live = {
    .name = "otel.sdk.span.live",
    .unit = "{span}",
    .description = "The number of recording spans that have not ended yet",
    .kind = HOIST_UP_DOWN_COUNTER,
};
static const struct hoist_instrument spans_processed = {
    .name = "otel.sdk.processor.span.processed",
    .unit = "{span}",
    .description = "The number of spans handed to the exporters, or lost before that (error.type)",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument spans_exported = {
    .name = "otel.sdk.exporter.span.exported",
    .unit = "{span}",
    .description = "The number of spans whose export has ended, well or with an error.type",
    .kind = HOIST_COUNTER,
};
static const struct hoist_instrument points_exported = {
    .name = "otel.sdk.exporter.metric_data_point.exported",
    .unit = "{data_point}",
    .description = "The number of data points whose export has ended, well or with an error.type",
    .kind = HOIST_COUNTER,
};
/* The conventions want one bucket. */
static const double no_bounds[1];
static const struct hoist_instrument export_duration = {
    .name = "otel.sdk.exporter.operation.duration",
    .unit = "s",
    .description = "The duration of exporting a batch, retries included",
    .kind = HOIST_HISTOGRAM,
    .bounds = no_bounds,
    .bound_count = 0,
};
/* The conventions' queue is measured in spans, ours in bytes. */
static const struct hoist_instrument queue_size = {
    .name = "hoist.telemetry.queue.size",
    .unit = "By",
    .description = "Memory taken by spans that wait for their export",
    .kind = HOIST_UP_DOWN_COUNTER,
};
static const struct hoist_instrument queue_capacity = {
    .name = "hoist.telemetry.queue.capacity",
    .unit = "By",
    .description = "Memory for spans that wait for their export",
    .kind = HOIST_UP_DOWN_COUNTER,
};
static const struct hoist_instrument measurements_lost = {
    .name = "hoist.telemetry.measurements.lost",
    .unit = "{measurement}",
    .description = "Measurements that found no memory or no room for their instrument",
    .kind = HOIST_COUNTER,
};

static const struct hoist_instrument attributes_lost = {
    .name = "hoist.telemetry.attributes.lost",
    .unit = "{attribute}",
    .description = "Attributes left off of measurements because they are too many or too large",
    .kind = HOIST_COUNTER,
};

struct attrs {
  struct hoist_attr list[8];
  size_t count;
};

static void add_text(struct attrs *attrs, const char *key, const char *text) {
  if (text)
    attrs->list[attrs->count++] =
        (struct hoist_attr){.key = key, .type = HOIST_ATTR_STRING, .value = {.string = text}};
}

static void add_number(struct attrs *attrs, const char *key, long number) {
  if (number > 0)
    attrs->list[attrs->count++] =
        (struct hoist_attr){.key = key, .type = HOIST_ATTR_INT, .value = {.integer = number}};
}

static void measure(struct pipeline *p, const struct hoist_instrument *instrument, double value,
                    const struct attrs *attrs) {
  const struct measurement m = {
      .instrument = instrument, .value = value, .attrs = attrs->list, .attr_count = attrs->count};
  metrics_add(&p->recorder.metrics, 0, &m);
}

/* ---- the recorder -------------------------------------------------------------------------------- */

static struct attrs sampled(void) {
  struct attrs attrs = {.count = 0};
  add_text(&attrs, "otel.span.sampling_result", "RECORD_AND_SAMPLE");
  return attrs;
}

static struct attrs processor(const char *error_type) {
  struct attrs attrs = {.count = 0};
  add_text(&attrs, "otel.component.type", "batching_span_processor");
  add_text(&attrs, "otel.component.name", "batching_span_processor/0");
  add_text(&attrs, "error.type", error_type);
  return attrs;
}

/* Adds what came since; nothing is no measurement. */
static void advance(struct pipeline *p, const struct hoist_instrument *instrument, uint64_t now,
                    uint64_t before, const struct attrs *attrs) {
  if (now != before) measure(p, instrument, (double)(int64_t)(now - before), attrs);
}

static void advance_all(struct pipeline *p, const struct recorder_counts *now,
                        const struct recorder_counts *before) {
  const struct attrs spans = sampled(), queue = processor(NULL), full = processor("queue_full");
  advance(p, &spans_started, now->started, before->started, &spans);
  advance(p, &spans_live, now->started - now->ended, before->started - before->ended, &spans);
  advance(p, &spans_processed, now->refused, before->refused, &full);
  if (now->started == 0) return; /* a queue that nobody uses is not worth an export */
  advance(p, &queue_size, now->queue_bytes, before->queue_bytes, &queue);
  advance(p, &queue_capacity, now->queue_bytes_max, before->started ? before->queue_bytes_max : 0,
          &queue);
}

enum hoist_status self_init(struct pipeline *p, struct hoist_error *err) {
  p->measurements_lost = bound_get(&p->recorder, 0, &measurements_lost, NULL, 0);
  return p->measurements_lost ? HOIST_OK : hoist_fail_memory(err, "the metrics");
}

void self_observe(struct pipeline *p) {
  struct recorder_counts now;
  pthread_mutex_lock(&p->lock);
  recorder_counts(&p->recorder, &now);
  uint64_t lost = metrics_lost(&p->recorder.metrics);
  struct recorder_counts before = p->observed;
  uint64_t lost_before = p->observed_lost;
  p->observed = now;
  p->observed_lost = lost;
  pthread_mutex_unlock(&p->lock);
  advance_all(p, &now, &before);
  uint64_t left_off = metrics_take_left_off(&p->recorder.metrics);
  if (left_off > 0) measure(p, &attributes_lost, (double)left_off, &(struct attrs){.count = 0});
  if (lost > lost_before) hoist_bound_add(p->measurements_lost, (double)(lost - lost_before));
}

void self_processed(struct pipeline *p, uint64_t count, const char *error_type) {
  const struct attrs attrs = processor(error_type);
  measure(p, &spans_processed, (double)count, &attrs);
}

/* ---- exporters ----------------------------------------------------------------------------------- */

struct component {
  char type[64], name[80];
};

static void name_component(const struct self_export *e, struct component *ret_component) {
  snprintf(ret_component->type, sizeof ret_component->type, "%s_%s_exporter", e->exporter->kind,
           e->batch->signal == SIGNAL_TRACES ? "span" : "metric");
  snprintf(ret_component->name, sizeof ret_component->name, "%s/0", ret_component->type);
}

static struct attrs exporter_attrs(const struct self_export *e, const struct component *component,
                                   const char *error_type) {
  struct attrs attrs = {.count = 0};
  add_text(&attrs, "otel.component.type", component->type);
  add_text(&attrs, "otel.component.name", component->name);
  add_text(&attrs, "server.address", e->exporter->server_address);
  add_number(&attrs, "server.port", e->exporter->server_port);
  add_text(&attrs, "error.type", error_type);
  return attrs;
}

/* Why the export failed, of few kinds; NULL: it did not. */
static const char *error_type(const struct self_export *e, char number[24]) {
  const struct partial *partial = e->partial;
  if (e->status == HOIST_OK) return partial->rejected > 0 ? "rejected" : NULL;
  if (partial->out_of_time) return "timeout";
  if (partial->grpc_status) return partial->grpc_status;
  if (partial->http_status == 0) return hoist_status_name(e->status);
  snprintf(number, 24, "%ld", partial->http_status);
  return number;
}

void self_exported(struct pipeline *p, const struct self_export *e) {
  char number[24];
  struct component component;
  const struct hoist_instrument *items =
      e->batch->signal == SIGNAL_TRACES ? &spans_exported : &points_exported;
  const char *failure = error_type(e, number);
  name_component(e, &component);
  const struct attrs fine = exporter_attrs(e, &component, NULL);
  struct attrs failed = exporter_attrs(e, &component, failure);
  uint64_t lost = e->status == HOIST_OK ? e->partial->rejected : e->batch->count;
  if (lost > e->batch->count) lost = e->batch->count;
  if (lost < e->batch->count) measure(p, items, (double)(e->batch->count - lost), &fine);
  if (lost > 0) measure(p, items, (double)lost, &failed);
  add_number(&failed, "http.response.status_code", e->partial->http_status);
  add_text(&failed, "rpc.status_code", e->partial->grpc_status);
  measure(p, &export_duration, (double)e->duration_ns / (double)NS_PER_S, &failed);
}
