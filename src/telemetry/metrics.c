/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation. One hash table over all series, keyed by scope, the instrument's address and the encoded,
 * sorted attributes; a new attribute set allocates once, known ones never. An instrument that is like an
 * earlier one at another address is taken for that one. Owns the series.
 * Threads: any; one lock, held without I/O. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "bound.h"
#include "series.h"
#include "shared_word.h"

enum { BUCKETS_MIN = 64 };

void metrics_init(struct metrics *m, const struct metrics_config *config) {
  *m = (struct metrics){.config = *config};
  pthread_mutex_init(&m->lock, NULL);
}

static void free_series(struct series *s) {
  free(s->before);
  free(s->exemplars);
  free(s);
}

void metrics_done(struct metrics *m) {
  for (size_t i = 0; i < m->metric_count; i++)
    for (struct series *s = m->metrics[i].first, *next; s; s = next) {
      next = s->next_in_metric;
      free_series(s);
    }
  free(m->buckets);
  bounds_free(m->bounds);
  pthread_mutex_destroy(&m->lock);
  *m = (struct metrics){0};
}

void metrics_reset_after_fork(struct metrics *m) {
  struct metrics_config config = m->config;
  struct bound *bounds = m->bounds;
  metrics_init(m, &config);
  m->bounds = bounds;
  bounds_reset_after_fork(m);
}

/* ---- keys ---------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

static uint64_t hash_of(const struct series_key *key) {
  uint64_t hash = mix(key->scope, (uintptr_t)key->instrument), word;
  size_t i = 0;
  for (; i + sizeof word <= key->attr_size; i += sizeof word) {
    memcpy(&word, key->attrs + i, sizeof word);
    hash = mix(hash, word);
  }
  word = 0;
  memcpy(&word, key->attrs + i, key->attr_size - i);
  return mix(hash, word);
}

/* The attributes that count, in the order of their keys, so that sets are equal in any order, and the first
 * METRICS_ATTRS_MAX of those, so that which ones these are does not depend on it either. */
struct ordered {
  const struct hoist_attr *list[METRICS_ATTRS_MAX];
  size_t count, left_off;
};

static bool comes_behind(const struct hoist_attr *a, const struct hoist_attr *b) {
  return strcmp(a->key, b->key) > 0;
}

static void insert(struct ordered *o, const struct hoist_attr *attr) {
  if (o->count == METRICS_ATTRS_MAX) {
    o->left_off++;
    if (comes_behind(attr, o->list[--o->count])) attr = o->list[o->count];
  }
  size_t at = o->count++;
  for (; at > 0 && comes_behind(o->list[at - 1], attr); at--)
    o->list[at] = o->list[at - 1];
  o->list[at] = attr;
}

static void order(struct ordered *o, const struct hoist_attr *attrs, size_t count) {
  o->count = o->left_off = 0;
  for (size_t i = 0; i < count; i++)
    if (attr_key_size(attrs[i].key) > 0 && !attr_is_overridden(attrs, count, i))
      insert(o, &attrs[i]);
}

static uint8_t attributes_tag(enum shape_kind kind) {
  switch (kind) {
  case SHAPE_BUCKETS:
    return HISTOGRAM_ATTRIBUTES;
  case SHAPE_EXPONENTIAL:
    return EXPONENTIAL_ATTRIBUTES;
  case SHAPE_SUM:
  case SHAPE_LAST:
    break;
  }
  return NUMBER_ATTRIBUTES;
}

/* Attributes beyond the caps are left off: the values still count, in a coarser series. */
void series_key_make(struct metrics *m, struct series_key *ret_key, unsigned scope,
                     const struct hoist_instrument *instrument, const struct hoist_attr *attrs,
                     size_t attr_count) {
  struct ordered ordered;
  uint8_t tag = attributes_tag(shape_of(instrument, m->config.exponential_histograms).kind);
  uint8_t *p = ret_key->attrs;
  order(&ordered, attrs, attr_count);
  for (size_t i = 0; i < ordered.count; i++) {
    const struct hoist_attr *attr = ordered.list[i];
    uint8_t *after = attr_put(p, ret_key->attrs + sizeof ret_key->attrs, tag, attr,
                              attr_key_size(attr->key), sizeof ret_key->attrs);
    if (after)
      p = after;
    else
      ordered.left_off++;
  }
  if (ordered.left_off > 0)
    atomic_fetch_add_explicit(&m->left_off, ordered.left_off, memory_order_relaxed);
  ret_key->instrument = instrument;
  ret_key->scope = scope;
  ret_key->attr_size = (size_t)(p - ret_key->attrs);
  ret_key->hash = hash_of(ret_key);
}

/* ---- series -------------------------------------------------------------------------------------- */

static bool is_of(const struct series *s, const struct series_key *key) {
  return s->hash == key->hash && s->metric->instrument == key->instrument &&
         s->metric->scope == key->scope && s->attr_size == key->attr_size &&
         memcmp(s->attrs, key->attrs, s->attr_size) == 0;
}

static struct series *find(const struct metrics *m, const struct series_key *key) {
  if (!m->buckets) return NULL;
  struct series *s = m->buckets[key->hash & (m->bucket_count - 1)];
  while (s && !is_of(s, key))
    s = s->next_in_bucket;
  return s;
}

static void link_into(struct series **buckets, size_t bucket_count, struct series *s) {
  struct series **bucket = &buckets[s->hash & (bucket_count - 1)];
  s->next_in_bucket = *bucket;
  *bucket = s;
}

/* Keeps at most one series per bucket on average. */
static bool grow(struct metrics *m) {
  if (m->series_count < m->bucket_count) return true;
  size_t count = m->bucket_count ? 2 * m->bucket_count : BUCKETS_MIN;
  struct series **buckets = calloc(count, sizeof(struct series *));
  if (!buckets) return m->bucket_count > 0; /* longer chains will do */
  for (size_t i = 0; i < m->bucket_count; i++)
    for (struct series *s = m->buckets[i], *next; s; s = next) {
      next = s->next_in_bucket;
      link_into(buckets, count, s);
    }
  free(m->buckets);
  m->buckets = buckets;
  m->bucket_count = count;
  return true;
}

static bool is_same_text(const char *a, const char *b) {
  return strcmp(a ? a : "", b ? b : "") == 0;
}

/* What identifies an instrument (Metrics SDK, "Duplicate instrument registration"); the bounds are advice, and
 * those of the first one count. */
static bool is_like(const struct hoist_instrument *a, const struct hoist_instrument *b) {
  return a->kind == b->kind && is_same_text(a->name, b->name) && is_same_text(a->unit, b->unit) &&
         is_same_text(a->description, b->description);
}

static struct metric *find_metric(struct metrics *m, unsigned scope,
                                  const struct hoist_instrument *instrument) {
  for (size_t i = 0; i < m->metric_count; i++)
    if (m->metrics[i].instrument == instrument && m->metrics[i].scope == scope)
      return &m->metrics[i];
  for (size_t i = 0; i < m->metric_count; i++)
    if (m->metrics[i].scope == scope && is_like(m->metrics[i].instrument, instrument))
      return &m->metrics[i];
  return NULL;
}

static struct metric *metric_of(struct metrics *m, unsigned scope,
                                const struct hoist_instrument *instrument) {
  struct metric *known = find_metric(m, scope, instrument);
  if (known) return known;
  if (m->metric_count == METRICS_INSTRUMENTS_MAX) return NULL;
  struct metric *metric = &m->metrics[m->metric_count++];
  *metric = (struct metric){.instrument = instrument,
                            .scope = scope,
                            .shape = shape_of(instrument, m->config.exponential_histograms),
                            .last = &metric->first,
                            .delta_unix_ns = m->delta_unix_ns[scope]};
  return metric;
}

static struct series *add_series(struct metrics *m, struct metric *metric,
                                 const struct series_key *key) {
  size_t before_attrs = offsetof(struct series, value) + value_size(&metric->shape);
  if (!grow(m)) return NULL;
  struct series *s = calloc(1, before_attrs + key->attr_size);
  if (!s) return NULL;
  uint8_t *attrs = (uint8_t *)s + before_attrs;
  memcpy(attrs, key->attrs, key->attr_size);
  s->metric = metric;
  s->hash = key->hash;
  s->attr_size = key->attr_size;
  s->attrs = attrs;
  value_clear(&s->value, &metric->shape);
  link_into(m->buckets, m->bucket_count, s);
  m->series_count++;
  *metric->last = s;
  metric->last = &s->next_in_metric;
  metric->count++;
  return s;
}

static struct series *overflow_of(struct metrics *m, struct metric *metric) {
  static const struct hoist_attr overflow = {
      .key = "otel.metric.overflow", .type = HOIST_ATTR_BOOL, .value = {.integer = 1}};
  if (!metric->overflow) {
    struct series_key key;
    series_key_make(m, &key, metric->scope, metric->instrument, &overflow, 1);
    metric->overflow = find(m, &key); /* bound instruments find theirs again after a fork */
    if (!metric->overflow) metric->overflow = add_series(m, metric, &key);
  }
  return metric->overflow;
}

struct series *series_get(struct metrics *m, struct series_key *key) {
  struct series *s = find(m, key);
  if (s) return s;
  struct metric *metric = metric_of(m, key->scope, key->instrument);
  if (!metric) return NULL;
  if (metric->instrument != key->instrument) {
    key->instrument = metric->instrument;
    key->hash = hash_of(key);
    if ((s = find(m, key))) return s;
  }
  return metric->count < METRICS_POINTS_MAX - 1 ? add_series(m, metric, key)
                                                : overflow_of(m, metric);
}

void series_key_of(const struct series *s, struct series_key *ret_key) {
  ret_key->instrument = s->metric->instrument;
  ret_key->scope = s->metric->scope;
  ret_key->hash = s->hash;
  ret_key->attr_size = s->attr_size;
  memcpy(ret_key->attrs, s->attrs, s->attr_size);
}

void series_offer(struct series *s, double measured, const struct exemplar *exemplar) {
  if (!s->exemplars) s->exemplars = reservoir_new(&s->metric->shape);
  if (s->exemplars) reservoir_offer(s->exemplars, &s->metric->shape, measured, exemplar);
}

void series_read(const struct series *s, bool with_before, union any_value *ret_value) {
  const struct shape *shape = &s->metric->shape;
  if (shape->kind == SHAPE_LAST) { /* may be set without the lock */
    ret_value->value = (struct value){.count = word_get(&s->value.count)};
    ret_value->value.sum = word_get_double(&s->value.sum);
    return;
  }
  value_copy(&ret_value->value, &s->value, shape);
  ret_value->value.sum = value_finite(ret_value->value.sum);
  if (with_before && s->before) value_merge(&ret_value->value, s->before, shape);
}

/* ---- measuring ----------------------------------------------------------------------------------- */

bool series_accepts(const struct hoist_instrument *instrument, double measured) {
  return isfinite(measured) && !(instrument->kind == HOIST_COUNTER && measured < 0);
}

void metrics_add(struct metrics *m, unsigned scope, const struct measurement *measurement) {
  struct series_key key;
  struct exemplar exemplar;
  if (!series_accepts(measurement->instrument, measurement->value)) return;
  series_key_make(m, &key, scope, measurement->instrument, measurement->attrs,
                  measurement->attr_count);
  bool is_exemplar = exemplar_wanted(m->config.exemplar_filter, measurement->span, &exemplar);
  pthread_mutex_lock(&m->lock);
  struct series *s = series_get(m, &key);
  if (s) {
    value_record(&s->value, &s->metric->shape, measurement->value);
    if (is_exemplar) series_offer(s, measurement->value, &exemplar);
  } else {
    m->lost++;
  }
  pthread_mutex_unlock(&m->lock);
}

uint64_t metrics_take_left_off(struct metrics *m) {
  return atomic_exchange_explicit(&m->left_off, 0, memory_order_relaxed);
}

uint64_t metrics_lost(struct metrics *m) {
  return atomic_load_explicit(&m->lost, memory_order_relaxed);
}
