/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation. One hash table over all series, keyed by the instrument's address and the encoded,
 * sorted attributes; a new attribute set allocates once, known ones never. Owns the series.
 * Threads: any; one lock, held without I/O. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "series.h"

enum { BUCKETS_MIN = 64 };

/* Durations in seconds; beyond the conventions' 10 s because loads take minutes. */
static const double duration_bounds[] = {.005, .01, .025, .05, .075, .1, .25, .5,  .75, 1,
                                         2.5,  5,   7.5,  10,  30,   60, 120, 300, 600};

struct bounds bounds_of(const struct hoist_instrument *instrument) {
  if (instrument->kind != HOIST_HISTOGRAM) return (struct bounds){0};
  if (!instrument->bounds)
    return (struct bounds){duration_bounds, sizeof duration_bounds / sizeof duration_bounds[0]};
  size_t count = instrument->bound_count;
  return (struct bounds){instrument->bounds,
                         count < METRICS_BOUNDS_MAX ? count : METRICS_BOUNDS_MAX};
}

/* An instrument and an attribute set, in the form series are looked up by. */
struct key {
  const struct hoist_instrument *instrument;
  uint64_t hash;
  size_t attr_size;
  uint8_t attrs[METRICS_ATTR_BYTES_MAX];
};

void metrics_init(struct metrics *m) {
  *m = (struct metrics){0};
  pthread_mutex_init(&m->lock, NULL);
}

void metrics_done(struct metrics *m) {
  for (size_t i = 0; i < m->metric_count; i++)
    for (struct series *s = m->metrics[i].first, *next; s; s = next) {
      next = s->next_in_metric;
      free(s);
    }
  free(m->buckets);
  pthread_mutex_destroy(&m->lock);
  *m = (struct metrics){0};
}

void metrics_reset_after_fork(struct metrics *m) {
  metrics_init(m);
}

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

static uint64_t hash_of(const struct key *key) {
  uint64_t hash = mix(0, (uintptr_t)key->instrument), word;
  size_t i = 0;
  for (; i + sizeof word <= key->attr_size; i += sizeof word) {
    memcpy(&word, key->attrs + i, sizeof word);
    hash = mix(hash, word);
  }
  for (; i < key->attr_size; i++)
    hash = mix(hash, key->attrs[i]);
  return hash;
}

/* Positions of the attributes that count, in the order of their keys: sets are equal in any order.
 */
static size_t sorted(const struct hoist_attr *attrs, size_t count, uint8_t order[]) {
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (attr_key_size(attrs[i].key) == 0 || attr_is_overridden(attrs, count, i)) continue;
    size_t at = used++;
    for (; at > 0 && strcmp(attrs[order[at - 1]].key, attrs[i].key) > 0; at--)
      order[at] = order[at - 1];
    order[at] = (uint8_t)i;
  }
  return used;
}

/* Attributes beyond the caps are left off: the values still count, in a coarser series. */
static void make_key(struct key *key, const struct hoist_instrument *instrument,
                     const struct hoist_attr *attrs, size_t attr_count) {
  uint8_t order[METRICS_ATTRS_MAX];
  if (attr_count > METRICS_ATTRS_MAX) attr_count = METRICS_ATTRS_MAX;
  uint8_t tag = instrument->kind == HOIST_HISTOGRAM ? HISTOGRAM_ATTRIBUTES : NUMBER_ATTRIBUTES;
  uint8_t *p = key->attrs;
  size_t count = sorted(attrs, attr_count, order);
  for (size_t i = 0; i < count; i++) {
    const struct hoist_attr *attr = &attrs[order[i]];
    uint8_t *after = attr_put(p, key->attrs + sizeof key->attrs, tag, attr,
                              attr_key_size(attr->key), sizeof key->attrs);
    if (after) p = after;
  }
  key->instrument = instrument;
  key->attr_size = (size_t)(p - key->attrs);
  key->hash = hash_of(key);
}

static struct series *find(const struct metrics *m, const struct key *key) {
  if (!m->buckets) return NULL;
  struct series *s = m->buckets[key->hash & (m->bucket_count - 1)];
  while (s && !(s->hash == key->hash && s->instrument == key->instrument &&
                s->attr_size == key->attr_size && memcmp(s->attrs, key->attrs, s->attr_size) == 0))
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

static struct metric *metric_of(struct metrics *m, const struct hoist_instrument *instrument) {
  for (size_t i = 0; i < m->metric_count; i++)
    if (m->metrics[i].instrument == instrument) return &m->metrics[i];
  if (m->metric_count == METRICS_INSTRUMENTS_MAX) return NULL;
  struct metric *metric = &m->metrics[m->metric_count++];
  *metric = (struct metric){.instrument = instrument, .last = &metric->first};
  return metric;
}

void series_clear(struct series *s) {
  if (s->instrument->kind == HOIST_HISTOGRAM)
    memset(s->buckets, 0, 8 * (bounds_of(s->instrument).count + 1));
  s->sum = 0;
  s->min = INFINITY;
  s->max = -INFINITY;
  s->count = 0;
}

static struct series *add_series(struct metrics *m, struct metric *metric, const struct key *key) {
  size_t bounds = bounds_of(key->instrument).count;
  size_t bucket_bytes = metric->instrument->kind == HOIST_HISTOGRAM ? 8 * (bounds + 1) : 0;
  if (!grow(m)) return NULL;
  struct series *s = calloc(1, sizeof *s + bucket_bytes + key->attr_size);
  if (!s) return NULL;
  s->instrument = key->instrument;
  s->hash = key->hash;
  series_clear(s);
  s->attr_size = key->attr_size;
  s->attrs = (uint8_t *)s->buckets + bucket_bytes;
  memcpy(s->attrs, key->attrs, key->attr_size);
  link_into(m->buckets, m->bucket_count, s);
  m->series_count++;
  *metric->last = s;
  metric->last = &s->next_in_metric;
  metric->count++;
  return s;
}

/* The series of a key not seen before: a new one, or the instrument's overflow. */
static struct series *make_series(struct metrics *m, const struct key *key) {
  static const struct hoist_attr overflow = {
      .key = "otel.metric.overflow", .type = HOIST_ATTR_BOOL, .value = {.integer = 1}};
  struct metric *metric = metric_of(m, key->instrument);
  if (!metric) return NULL;
  if (metric->count < METRICS_POINTS_MAX - 1) return add_series(m, metric, key);
  if (!metric->overflow) {
    struct key overflow_key;
    make_key(&overflow_key, key->instrument, &overflow, 1);
    metric->overflow = add_series(m, metric, &overflow_key);
  }
  return metric->overflow;
}

static void update(struct series *s, double value) {
  s->sum = s->instrument->kind == HOIST_GAUGE ? value : s->sum + value;
  s->count++;
  if (s->instrument->kind != HOIST_HISTOGRAM) return;
  struct bounds bounds = bounds_of(s->instrument);
  size_t bucket = 0;
  while (bucket < bounds.count && value > bounds.at[bucket])
    bucket++;
  s->buckets[bucket]++;
  s->min = fmin(s->min, value);
  s->max = fmax(s->max, value);
}

void metrics_add(struct metrics *m, const struct hoist_instrument *instrument, double value,
                 const struct hoist_attr *attrs, size_t attr_count) {
  if (!isfinite(value) || (instrument->kind == HOIST_COUNTER && value < 0)) return;
  struct key key;
  make_key(&key, instrument, attrs, attr_count);
  pthread_mutex_lock(&m->lock);
  struct series *s = find(m, &key);
  if (!s) s = make_series(m, &key);
  if (s)
    update(s, value);
  else
    m->lost++;
  pthread_mutex_unlock(&m->lock);
}
