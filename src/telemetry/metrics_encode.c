/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregated metrics as OTLP Metric messages. Works under the aggregation's lock; memory only. */
#include "attr.h"
#include "series.h"

enum {
  SCOPE_METRICS_METRIC = WIRE_TAG(2, WIRE_BYTES),
  METRIC_NAME = WIRE_TAG(1, WIRE_BYTES),
  METRIC_DESCRIPTION = WIRE_TAG(2, WIRE_BYTES),
  METRIC_UNIT = WIRE_TAG(3, WIRE_BYTES),
  METRIC_GAUGE = WIRE_TAG(5, WIRE_BYTES),
  METRIC_SUM = WIRE_TAG(7, WIRE_BYTES),
  METRIC_HISTOGRAM = WIRE_TAG(9, WIRE_BYTES),
  DATA_POINT = WIRE_TAG(1, WIRE_BYTES),
  TEMPORALITY = WIRE_TAG(2, WIRE_VARINT),
  IS_MONOTONIC = WIRE_TAG(3, WIRE_VARINT),
  TEMPORALITY_DELTA = 1,
  TEMPORALITY_CUMULATIVE = 2,
  POINT_START = WIRE_TAG(2, WIRE_FIXED64),
  POINT_TIME = WIRE_TAG(3, WIRE_FIXED64),
  NUMBER_DOUBLE = WIRE_TAG(4, WIRE_FIXED64),
  HISTOGRAM_COUNT = WIRE_TAG(4, WIRE_FIXED64),
  HISTOGRAM_SUM = WIRE_TAG(5, WIRE_FIXED64),
  HISTOGRAM_BUCKETS = WIRE_TAG(6, WIRE_BYTES),
  HISTOGRAM_BOUNDS = WIRE_TAG(7, WIRE_BYTES),
  HISTOGRAM_MIN = WIRE_TAG(11, WIRE_FIXED64),
  HISTOGRAM_MAX = WIRE_TAG(12, WIRE_FIXED64),
};

/* Room for one data point: attributes, two packed lists, and the numbers. */
enum {
  POINT_MAX = METRICS_ATTR_BYTES_MAX + 2 * (8 * (METRICS_BOUNDS_MAX + 1) + 4) + 128,
  TEXT_MAX = 1023
};

/* What the values of one export span. */
struct window {
  uint64_t start_unix_ns, delta_start_unix_ns, now_unix_ns;
  enum hoist_temporality temporality;
};

/* Up-down counters stay cumulative: what they measure is a level, and gauges have no temporality. */
static bool is_delta(const struct hoist_instrument *instrument, const struct window *window) {
  return window->temporality == HOIST_TEMPORALITY_DELTA &&
         (instrument->kind == HOIST_COUNTER || instrument->kind == HOIST_HISTOGRAM);
}

static uint8_t *put_histogram(uint8_t *p, const struct series *s) {
  struct bounds bounds = bounds_of(s->instrument);
  p = wire_put_fixed64(p, HISTOGRAM_COUNT, s->count);
  p = wire_put_double(p, HISTOGRAM_SUM, s->sum);
  p = wire_put_head(p, HISTOGRAM_BUCKETS, 8 * (bounds.count + 1));
  for (size_t i = 0; i <= bounds.count; i++) {
    uint64_t le = wire_le64(s->buckets[i]);
    p = wire_put_raw(p, &le, sizeof le);
  }
  p = wire_put_head(p, HISTOGRAM_BOUNDS, 8 * bounds.count);
  for (size_t i = 0; i < bounds.count; i++) {
    uint64_t bits;
    memcpy(&bits, &bounds.at[i], sizeof bits);
    bits = wire_le64(bits);
    p = wire_put_raw(p, &bits, sizeof bits);
  }
  p = wire_put_double(p, HISTOGRAM_MIN, s->min);
  return wire_put_double(p, HISTOGRAM_MAX, s->max);
}

static enum hoist_status append_point(struct buf *out, const struct series *s,
                                      const struct window *window, struct hoist_error *err) {
  uint8_t point[POINT_MAX], head[16];
  uint8_t *p = wire_put_fixed64(point, POINT_START,
                                is_delta(s->instrument, window) ? window->delta_start_unix_ns
                                                                : window->start_unix_ns);
  p = wire_put_fixed64(p, POINT_TIME, window->now_unix_ns);
  p = wire_put_raw(p, s->attrs, s->attr_size);
  p = s->instrument->kind == HOIST_HISTOGRAM ? put_histogram(p, s)
                                             : wire_put_double(p, NUMBER_DOUBLE, s->sum);
  size_t size = (size_t)(p - point);
  const uint8_t *head_end = wire_put_head(head, DATA_POINT, size);
  enum hoist_status status = buf_append(out, head, (size_t)(head_end - head), err);
  return status == HOIST_OK ? buf_append(out, point, size, err) : status;
}

/* Gauge, Sum or Histogram: its points, and how they are to be read. */
static enum hoist_status append_data(struct buf *out, const struct metric *metric,
                                     const struct window *window, size_t *ret_points,
                                     struct hoist_error *err) {
  enum hoist_instrument_kind kind = metric->instrument->kind;
  size_t points = 0;
  for (const struct series *s = metric->first; s; s = s->next_in_metric) {
    if (s->count == 0) continue;
    points++;
    enum hoist_status status = append_point(out, s, window, err);
    if (status != HOIST_OK) return status;
  }
  *ret_points = points;
  if (kind == HOIST_GAUGE) return HOIST_OK;
  uint8_t end[4];
  uint8_t *p = wire_put_number(end, TEMPORALITY,
                               is_delta(metric->instrument, window) ? TEMPORALITY_DELTA
                                                                    : TEMPORALITY_CUMULATIVE);
  if (kind == HOIST_COUNTER) p = wire_put_number(p, IS_MONOTONIC, 1);
  return buf_append(out, end, (size_t)(p - end), err);
}

/* Name, description and unit; texts that are empty are left out, as protobuf does. */
static size_t put_names(uint8_t *p, const uint8_t *end, const struct hoist_instrument *instrument) {
  const struct {
    uint8_t tag;
    const char *text;
  } fields[] = {{METRIC_NAME, instrument->name},
                {METRIC_DESCRIPTION, instrument->description},
                {METRIC_UNIT, instrument->unit}};
  uint8_t *at = p;
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    const char *text = fields[i].text;
    uint8_t *after = text && *text ? text_put(at, end, fields[i].tag, text, TEXT_MAX) : NULL;
    if (after) at = after;
  }
  return (size_t)(at - p);
}

static uint8_t data_tag(const struct hoist_instrument *instrument) {
  if (instrument->kind == HOIST_GAUGE) return METRIC_GAUGE;
  return instrument->kind == HOIST_HISTOGRAM ? METRIC_HISTOGRAM : METRIC_SUM;
}

/* Adds to `points`. */
static enum hoist_status append_metric(struct buf *out, const struct metric *metric,
                                       const struct window *window, size_t *points,
                                       struct hoist_error *err) {
  size_t own_points = 0;
  HOIST_AUTO(buf) struct buf data = buf_make(out->max);
  enum hoist_status status = append_data(&data, metric, window, &own_points, err);
  if (status != HOIST_OK || own_points == 0) return status;
  *points += own_points;
  uint8_t names[3 * (TEXT_MAX + 4)], head[16], data_head[16];
  size_t names_size = put_names(names, names + sizeof names, metric->instrument);
  size_t data_head_size =
      (size_t)(wire_put_head(data_head, data_tag(metric->instrument), data.size) - data_head);
  size_t body = names_size + data_head_size + data.size;
  size_t head_size = (size_t)(wire_put_head(head, SCOPE_METRICS_METRIC, body) - head);
  const struct {
    const void *data;
    size_t size;
  } parts[] = {
      {head, head_size}, {names, names_size}, {data_head, data_head_size}, {data.data, data.size}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    status = buf_append(out, parts[i].data, parts[i].size, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

/* After a delta was encoded. */
static void begin_anew(struct metrics *m, const struct window *window) {
  if (window->temporality != HOIST_TEMPORALITY_DELTA) return;
  for (size_t i = 0; i < m->metric_count; i++)
    if (is_delta(m->metrics[i].instrument, window))
      for (struct series *s = m->metrics[i].first; s; s = s->next_in_metric)
        series_clear(s);
  m->encoded_unix_ns = window->now_unix_ns;
}

enum hoist_status metrics_encode(struct metrics *m, enum hoist_temporality temporality,
                                 uint64_t start_unix_ns, uint64_t now_unix_ns, struct buf *out,
                                 size_t *ret_points, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  size_t points = 0;
  pthread_mutex_lock(&m->lock);
  struct window window = {start_unix_ns, m->encoded_unix_ns ? m->encoded_unix_ns : start_unix_ns,
                          now_unix_ns, temporality};
  for (size_t i = 0; status == HOIST_OK && i < m->metric_count; i++)
    status = append_metric(out, &m->metrics[i], &window, &points, err);
  if (status == HOIST_OK) begin_anew(m, &window);
  pthread_mutex_unlock(&m->lock);
  if (status != HOIST_OK) return status;
  *ret_points = points;
  return HOIST_OK;
}
