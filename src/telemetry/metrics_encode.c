/* SPDX-License-Identifier: Apache-2.0 */
/* The aggregated metrics as OTLP Metric messages. Works under the aggregation's lock; memory only. */
#include <stdlib.h>

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
  METRIC_EXPONENTIAL = WIRE_TAG(10, WIRE_BYTES),
  DATA_POINT = WIRE_TAG(1, WIRE_BYTES),
  TEMPORALITY = WIRE_TAG(2, WIRE_VARINT),
  IS_MONOTONIC = WIRE_TAG(3, WIRE_VARINT),
  TEMPORALITY_DELTA = 1,
  TEMPORALITY_CUMULATIVE = 2,
  POINT_START = WIRE_TAG(2, WIRE_FIXED64),
  POINT_TIME = WIRE_TAG(3, WIRE_FIXED64),
  NUMBER_DOUBLE = WIRE_TAG(4, WIRE_FIXED64),
  NUMBER_EXEMPLARS = WIRE_TAG(5, WIRE_BYTES),
  POINT_COUNT = WIRE_TAG(4, WIRE_FIXED64), /* of both histograms, like the sum */
  POINT_SUM = WIRE_TAG(5, WIRE_FIXED64),
  HISTOGRAM_BUCKETS = WIRE_TAG(6, WIRE_BYTES),
  HISTOGRAM_BOUNDS = WIRE_TAG(7, WIRE_BYTES),
  HISTOGRAM_EXEMPLARS = WIRE_TAG(8, WIRE_BYTES),
  HISTOGRAM_MIN = WIRE_TAG(11, WIRE_FIXED64),
  HISTOGRAM_MAX = WIRE_TAG(12, WIRE_FIXED64),
  EXPONENTIAL_SCALE = WIRE_TAG(6, WIRE_VARINT),
  EXPONENTIAL_ZERO_COUNT = WIRE_TAG(7, WIRE_FIXED64),
  EXPONENTIAL_POSITIVE = WIRE_TAG(8, WIRE_BYTES),
  EXPONENTIAL_NEGATIVE = WIRE_TAG(9, WIRE_BYTES),
  EXPONENTIAL_EXEMPLARS = WIRE_TAG(11, WIRE_BYTES),
  EXPONENTIAL_MIN = WIRE_TAG(12, WIRE_FIXED64),
  EXPONENTIAL_MAX = WIRE_TAG(13, WIRE_FIXED64),
  SIDE_OFFSET = WIRE_TAG(1, WIRE_VARINT),
  SIDE_COUNTS = WIRE_TAG(2, WIRE_BYTES),
  EXEMPLAR_TIME = WIRE_TAG(2, WIRE_FIXED64),
  EXEMPLAR_DOUBLE = WIRE_TAG(3, WIRE_FIXED64),
  EXEMPLAR_SPAN_ID = WIRE_TAG(4, WIRE_BYTES),
  EXEMPLAR_TRACE_ID = WIRE_TAG(5, WIRE_BYTES),
};

/* Room for the parts of a data point. */
enum {
  VARINT_MAX = 10,
  EXEMPLAR_MAX = 2 + 9 + 9 + 10 + 18,
  EXPLICIT_MAX = 2 * (8 * (VALUE_BOUNDS_MAX + 1) + 4),
  SIDE_MAX = VARINT_MAX * (EXPONENTIAL_BUCKETS_MAX + 2) + 8,
  BUCKETS_MAX = EXPLICIT_MAX > 2 * SIDE_MAX ? EXPLICIT_MAX : 2 * SIDE_MAX,
  POINT_MAX = METRICS_ATTR_BYTES_MAX + BUCKETS_MAX + EXEMPLARS_MAX * EXEMPLAR_MAX + 128,
  TEXT_MAX = 1023
};

/* Up-down counters stay cumulative: what they measure is a level, and gauges have no temporality. */
static bool is_delta(const struct metric *metric, const struct metrics_window *window) {
  enum hoist_instrument_kind kind = metric->instrument->kind;
  return window->temporality == HOIST_TEMPORALITY_DELTA && kind != HOIST_UP_DOWN_COUNTER &&
         kind != HOIST_GAUGE;
}

static uint64_t start_of(const struct metric *metric, const struct metrics_window *window) {
  return is_delta(metric, window) && metric->delta_unix_ns ? metric->delta_unix_ns
                                                           : window->start_unix_ns;
}

/* ---- data points --------------------------------------------------------------------------------- */

static uint8_t *put_words(uint8_t *p, uint8_t tag, const void *words, size_t count) {
  const uint8_t *from = words;
  p = wire_put_head(p, tag, 8 * count);
  for (size_t i = 0; i < count; i++) {
    uint64_t word;
    memcpy(&word, from + 8 * i, sizeof word);
    word = wire_le64(word);
    p = wire_put_raw(p, &word, sizeof word);
  }
  return p;
}

static uint8_t *put_explicit(uint8_t *p, const struct value *v, const struct shape *shape) {
  p = wire_put_fixed64(p, POINT_COUNT, v->count);
  p = wire_put_double(p, POINT_SUM, v->sum);
  p = put_words(p, HISTOGRAM_BUCKETS, v->buckets, shape->bound_count + 1);
  if (shape->bound_count > 0) p = put_words(p, HISTOGRAM_BOUNDS, shape->bounds, shape->bound_count);
  p = wire_put_double(p, HISTOGRAM_MIN, v->min);
  return wire_put_double(p, HISTOGRAM_MAX, v->max);
}

/* Protobuf's sint32. */
static uint64_t zigzag(int64_t value) {
  return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static uint8_t *put_side(uint8_t *p, uint8_t tag, const struct exponential_side *side) {
  uint8_t packed[VARINT_MAX * EXPONENTIAL_BUCKETS_MAX], *packed_end = packed;
  if (side->used == 0) return p;
  for (uint64_t i = 0; i < side->used; i++)
    packed_end = wire_put_varint(packed_end, side->counts[i]);
  size_t size = (size_t)(packed_end - packed);
  uint64_t offset = zigzag(side->first);
  p = wire_put_head(p, tag, 1 + wire_varint_size(offset) + wire_bytes_size(size));
  p = wire_put_number(p, SIDE_OFFSET, offset);
  return wire_put_bytes(p, SIDE_COUNTS, packed, size);
}

static uint8_t *put_exponential(uint8_t *p, const struct value *v) {
  const struct exponential *h = value_exponential_of(v);
  p = wire_put_fixed64(p, POINT_COUNT, v->count);
  p = wire_put_double(p, POINT_SUM, v->sum);
  p = wire_put_number(p, EXPONENTIAL_SCALE, zigzag(h->scale));
  p = wire_put_fixed64(p, EXPONENTIAL_ZERO_COUNT, h->zero_count);
  p = put_side(p, EXPONENTIAL_POSITIVE, &h->positive);
  p = put_side(p, EXPONENTIAL_NEGATIVE, &h->negative);
  p = wire_put_double(p, EXPONENTIAL_MIN, v->min);
  return wire_put_double(p, EXPONENTIAL_MAX, v->max);
}

static uint8_t *put_exemplar(uint8_t *p, uint8_t tag, const struct exemplar *e) {
  uint8_t message[EXEMPLAR_MAX];
  uint8_t *end = wire_put_fixed64(message, EXEMPLAR_TIME, e->unix_ns);
  end = wire_put_double(end, EXEMPLAR_DOUBLE, e->value);
  if (e->has_span) {
    end = wire_put_bytes(end, EXEMPLAR_SPAN_ID, e->span_id, sizeof e->span_id);
    end = wire_put_bytes(end, EXEMPLAR_TRACE_ID, e->trace_id, sizeof e->trace_id);
  }
  return wire_put_bytes(p, tag, message, (size_t)(end - message));
}

static uint8_t exemplar_tag(enum shape_kind kind) {
  switch (kind) {
  case SHAPE_BUCKETS:
    return HISTOGRAM_EXEMPLARS;
  case SHAPE_EXPONENTIAL:
    return EXPONENTIAL_EXEMPLARS;
  case SHAPE_SUM:
  case SHAPE_LAST:
    break;
  }
  return NUMBER_EXEMPLARS;
}

static uint8_t *put_exemplars(uint8_t *p, const struct series *s) {
  uint8_t tag = exemplar_tag(s->metric->shape.kind);
  for (size_t i = 0; s->exemplars && i < s->exemplars->size; i++)
    if (s->exemplars->places[i].exemplar.unix_ns)
      p = put_exemplar(p, tag, &s->exemplars->places[i].exemplar);
  return p;
}

static uint8_t *put_value(uint8_t *p, const struct value *v, const struct shape *shape) {
  switch (shape->kind) {
  case SHAPE_BUCKETS:
    return put_explicit(p, v, shape);
  case SHAPE_EXPONENTIAL:
    return put_exponential(p, v);
  case SHAPE_SUM:
  case SHAPE_LAST:
    break;
  }
  return wire_put_double(p, NUMBER_DOUBLE, v->sum);
}

static enum hoist_status append_point(struct buf *out, const struct series *s,
                                      const struct value *v, const struct metrics_window *window,
                                      struct hoist_error *err) {
  uint8_t point[POINT_MAX], head[16];
  uint8_t *p = wire_put_fixed64(point, POINT_START, start_of(s->metric, window));
  p = wire_put_fixed64(p, POINT_TIME, window->now_unix_ns);
  p = wire_put_raw(p, s->attrs, s->attr_size);
  p = put_value(p, v, &s->metric->shape);
  p = put_exemplars(p, s);
  size_t size = (size_t)(p - point);
  const uint8_t *head_end = wire_put_head(head, DATA_POINT, size);
  enum hoist_status status = buf_append(out, head, (size_t)(head_end - head), err);
  return status == HOIST_OK ? buf_append(out, point, size, err) : status;
}

/* ---- metrics ------------------------------------------------------------------------------------- */

/* Gauge, Sum or one of the histograms: its points, and how they are to be read. */
static enum hoist_status append_data(struct buf *out, const struct metric *metric,
                                     const struct metrics_window *window, size_t *ret_points,
                                     struct hoist_error *err) {
  enum hoist_instrument_kind kind = metric->instrument->kind;
  bool delta = is_delta(metric, window);
  size_t points = 0;
  for (const struct series *s = metric->first; s; s = s->next_in_metric) {
    union any_value v;
    series_read(s, !delta, &v);
    if (v.value.count == 0) continue;
    points++;
    enum hoist_status status = append_point(out, s, &v.value, window, err);
    if (status != HOIST_OK) return status;
  }
  *ret_points = points;
  if (kind == HOIST_GAUGE) return HOIST_OK;
  uint8_t end[4];
  uint8_t *p =
      wire_put_number(end, TEMPORALITY, delta ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE);
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

static uint8_t data_tag(enum shape_kind kind) {
  switch (kind) {
  case SHAPE_SUM:
    return METRIC_SUM;
  case SHAPE_BUCKETS:
    return METRIC_HISTOGRAM;
  case SHAPE_EXPONENTIAL:
    return METRIC_EXPONENTIAL;
  case SHAPE_LAST:
    break;
  }
  return METRIC_GAUGE;
}

/* Whole or not at all; adds to `points`. Errors: CORRUPT there is no room */
static enum hoist_status append_metric(struct buf *out, const struct metric *metric,
                                       const struct metrics_window *window, size_t *points,
                                       struct hoist_error *err) {
  size_t own_points = 0;
  HOIST_AUTO(buf) struct buf data = buf_make(out->max);
  enum hoist_status status = append_data(&data, metric, window, &own_points, err);
  if (status != HOIST_OK || own_points == 0) return status;
  uint8_t names[3 * (TEXT_MAX + 4)], head[16], data_head[16];
  size_t names_size = put_names(names, names + sizeof names, metric->instrument);
  size_t data_head_size =
      (size_t)(wire_put_head(data_head, data_tag(metric->shape.kind), data.size) - data_head);
  size_t body = names_size + data_head_size + data.size;
  size_t head_size = (size_t)(wire_put_head(head, SCOPE_METRICS_METRIC, body) - head);
  if (head_size + body > out->max - out->size)
    return hoist_fail(err, HOIST_CORRUPT, "metrics are larger than the %zu bytes allowed here",
                      out->max);
  const struct {
    const void *data;
    size_t size;
  } parts[] = {
      {head, head_size}, {names, names_size}, {data_head, data_head_size}, {data.data, data.size}};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    status = buf_append(out, parts[i].data, parts[i].size, err);
    if (status != HOIST_OK) return status;
  }
  *points += own_points;
  return HOIST_OK;
}

/* ---- deltas -------------------------------------------------------------------------------------- */

/* Room for what was before, made before anything is encoded. */
static enum hoist_status prepare_series(struct series *s, struct hoist_error *err) {
  if (s->before || s->value.count == 0) return HOIST_OK;
  s->before = malloc(value_size(&s->metric->shape));
  if (!s->before) return hoist_fail_memory(err, "the metrics so far");
  value_clear(s->before, &s->metric->shape);
  return HOIST_OK;
}

static enum hoist_status prepare(const struct metric *metric, const struct metrics_window *window,
                                 struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  if (!is_delta(metric, window)) return HOIST_OK;
  for (struct series *s = metric->first; s && status == HOIST_OK; s = s->next_in_metric)
    status = prepare_series(s, err);
  return status;
}

/* After it was encoded. */
static void begin_anew(struct metric *metric, const struct metrics_window *window) {
  bool delta = is_delta(metric, window);
  for (struct series *s = metric->first; s; s = s->next_in_metric) {
    if (s->exemplars) reservoir_begin(s->exemplars, delta);
    if (!delta || s->value.count == 0)
      continue; /* a sum may be ahead of its count: kept for then */
    value_merge(s->before, &s->value, &metric->shape);
    value_clear(&s->value, &metric->shape);
  }
  if (delta) metric->delta_unix_ns = window->now_unix_ns;
}

/* The next metric of a scope from `at` on; NULL: there is none. */
static struct metric *next_of(struct metrics *m, unsigned scope, size_t *at) {
  while (*at < m->metric_count && m->metrics[*at].scope != scope)
    ++*at;
  return *at < m->metric_count ? &m->metrics[(*at)++] : NULL;
}

static enum hoist_status encode_metric(const struct metric *metric,
                                       const struct metrics_window *window, struct buf *out,
                                       size_t *points, struct hoist_error *err) {
  enum hoist_status status = prepare(metric, window, err);
  return status == HOIST_OK ? append_metric(out, metric, window, points, err) : status;
}

/* From *at on, as far as there is room; *at is then where to go on. */
static enum hoist_status encode_some(struct metrics *m, unsigned scope,
                                     const struct metrics_window *window, struct buf *out,
                                     size_t *at, size_t *points, struct hoist_error *err) {
  size_t size_before = out->size, behind = *at;
  const struct metric *metric;
  while ((metric = next_of(m, scope, &behind)) != NULL) {
    struct hoist_error error = {.status = HOIST_OK};
    enum hoist_status status = encode_metric(metric, window, out, points, &error);
    if (status == HOIST_CORRUPT && out->size > size_before) return HOIST_OK;
    if (status != HOIST_OK) {
      buf_cut(out, size_before);
      if (err) *err = error;
      return status;
    }
    *at = behind;
  }
  *at = behind;
  return HOIST_OK;
}

static enum hoist_status encode(struct metrics *m, unsigned scope,
                                const struct metrics_window *window, struct buf *out,
                                size_t *points, struct hoist_error *err) {
  size_t first = m->next_metric[scope], end = first;
  struct metric *metric;
  metrics_harvest(m);
  m->next_metric[scope] = 0;
  enum hoist_status status = encode_some(m, scope, window, out, &end, points, err);
  if (status != HOIST_OK) return status;
  for (size_t at = first; (metric = next_of(m, scope, &at)) != NULL && at <= end;)
    begin_anew(metric, window);
  if (end < m->metric_count)
    m->next_metric[scope] = end;
  else if (window->temporality == HOIST_TEMPORALITY_DELTA)
    m->delta_unix_ns[scope] = window->now_unix_ns;
  return HOIST_OK;
}

bool metrics_has_more(const struct metrics *m, unsigned scope) {
  return m->next_metric[scope] > 0;
}

enum hoist_status metrics_encode(struct metrics *m, unsigned scope,
                                 const struct metrics_window *window, struct buf *out,
                                 size_t *ret_points, struct hoist_error *err) {
  size_t points = 0;
  pthread_mutex_lock(&m->lock);
  enum hoist_status status = encode(m, scope, window, out, &points, err);
  pthread_mutex_unlock(&m->lock);
  if (status == HOIST_OK) *ret_points = points;
  return status;
}
