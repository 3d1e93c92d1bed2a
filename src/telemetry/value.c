/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of values. Pure. Recording writes words that others may copy meanwhile; everything else
 * works on values that nobody else touches. */
#include "value.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Durations in seconds; beyond the conventions' 10 s because loads take minutes. */
static const double duration_bounds[] = {.005, .01, .025, .05, .075, .1, .25, .5,  .75, 1,
                                         2.5,  5,   7.5,  10,  30,   60, 120, 300, 600};

/* The specification's for anything else. */
static const double general_bounds[] = {0,   5,   10,   25,   50,   75,   100,  250,
                                        500, 750, 1000, 2500, 5000, 7500, 10000};

static struct shape explicit_buckets(const struct hoist_instrument *instrument) {
  size_t count = instrument->bound_count;
  if (!instrument->bounds && instrument->unit && strcmp(instrument->unit, "s") == 0)
    return (struct shape){SHAPE_BUCKETS, duration_bounds,
                          sizeof duration_bounds / sizeof duration_bounds[0]};
  if (!instrument->bounds)
    return (struct shape){SHAPE_BUCKETS, general_bounds,
                          sizeof general_bounds / sizeof general_bounds[0]};
  return (struct shape){SHAPE_BUCKETS, instrument->bounds,
                        count < VALUE_BOUNDS_MAX ? count : VALUE_BOUNDS_MAX};
}

struct shape shape_of(const struct hoist_instrument *instrument, bool exponential) {
  switch (instrument->kind) {
  case HOIST_HISTOGRAM:
    return exponential ? (struct shape){.kind = SHAPE_EXPONENTIAL} : explicit_buckets(instrument);
  case HOIST_EXPONENTIAL_HISTOGRAM:
    return (struct shape){.kind = SHAPE_EXPONENTIAL};
  case HOIST_GAUGE:
    return (struct shape){.kind = SHAPE_LAST};
  case HOIST_COUNTER:
  case HOIST_UP_DOWN_COUNTER:
    break;
  }
  return (struct shape){.kind = SHAPE_SUM};
}

size_t value_size(const struct shape *shape) {
  if (shape->kind == SHAPE_EXPONENTIAL) return sizeof(struct value) + sizeof(struct exponential);
  size_t buckets = shape->kind == SHAPE_BUCKETS ? shape->bound_count + 1 : 0;
  return sizeof(struct value) + buckets * sizeof(uint64_t);
}

void value_clear(struct value *v, const struct shape *shape) {
  *v = (struct value){.min = INFINITY, .max = -INFINITY};
  if (shape->kind == SHAPE_BUCKETS)
    memset(v->buckets, 0, (shape->bound_count + 1) * sizeof v->buckets[0]);
  if (shape->kind == SHAPE_EXPONENTIAL) exponential_clear(value_exponential(v));
}

void value_copy(struct value *to, const struct value *from, const struct shape *shape) {
  memcpy(to, from, value_size(shape));
}

double value_finite(double sum) {
  if (isnan(sum)) return 0;
  return fmin(fmax(sum, -DBL_MAX), DBL_MAX);
}

/* A sum may be ahead of its count, and is merged without; a distribution without a measurement has no
 * minimum and maximum of this time. */
void value_merge(struct value *into, const struct value *from, const struct shape *shape) {
  if (shape->kind == SHAPE_LAST || (shape->kind != SHAPE_SUM && from->count == 0)) return;
  into->count += from->count;
  into->sum = value_finite(into->sum + from->sum);
  into->min = fmin(into->min, from->min);
  into->max = fmax(into->max, from->max);
  if (shape->kind == SHAPE_BUCKETS)
    for (size_t i = 0; i <= shape->bound_count; i++)
      into->buckets[i] += from->buckets[i];
  if (shape->kind == SHAPE_EXPONENTIAL)
    exponential_merge(value_exponential(into), value_exponential_of(from));
}

void value_subtract(struct value *from, const struct value *earlier, const struct shape *shape) {
  from->count -= earlier->count;
  from->sum = value_finite(value_finite(from->sum) - value_finite(earlier->sum));
  if (shape->kind == SHAPE_BUCKETS)
    for (size_t i = 0; i <= shape->bound_count; i++)
      from->buckets[i] -= earlier->buckets[i];
  if (shape->kind == SHAPE_EXPONENTIAL)
    exponential_subtract(value_exponential(from), value_exponential_of(earlier));
}

/* Counts every bound: no branch to guess, and several are compared at once. */
size_t value_bucket(const struct shape *shape, double measured) {
  size_t bucket = 0;
  for (size_t i = 0; i < shape->bound_count; i++)
    bucket += measured > shape->bounds[i];
  return bucket;
}

static void record_distribution(struct value *v, const struct shape *shape, double measured) {
  value_record_sum(v, measured);
  if (measured < v->min) word_put_double(&v->min, measured);
  if (measured > v->max) word_put_double(&v->max, measured);
  if (shape->kind == SHAPE_EXPONENTIAL) {
    exponential_record(value_exponential(v), measured);
  } else {
    uint64_t *bucket = &v->buckets[value_bucket(shape, measured)];
    word_put(bucket, *bucket + 1);
  }
}

void value_record(struct value *v, const struct shape *shape, double measured) {
  switch (shape->kind) {
  case SHAPE_SUM:
    value_record_sum(v, measured);
    break;
  case SHAPE_LAST:
    value_record_last(v, measured);
    break;
  case SHAPE_BUCKETS:
  case SHAPE_EXPONENTIAL:
    record_distribution(v, shape, measured);
    break;
  }
}
