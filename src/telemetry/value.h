/* SPDX-License-Identifier: Apache-2.0 */
/* What measurements add up to: a sum, a last value, or buckets. */
#ifndef HOIST_TELEMETRY_VALUE_H
#define HOIST_TELEMETRY_VALUE_H

#include <hoist/metrics.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exponential.h"
#include "shared_word.h"

#define VALUE_BOUNDS_MAX 128

enum shape_kind { SHAPE_SUM, SHAPE_LAST, SHAPE_BUCKETS, SHAPE_EXPONENTIAL };

struct shape {
  enum shape_kind kind;
  const double *bounds; /* SHAPE_BUCKETS: upper ones, inclusive, ascending */
  size_t bound_count;   /* at most VALUE_BOUNDS_MAX */
};

/* Only words, which are written as shared_word.h says. */
struct value {
  uint64_t count; /* measurements */
  double sum;     /* SHAPE_LAST: the last one */
  double min, max;
  uint64_t buckets[]; /* SHAPE_BUCKETS: bounds + 1; SHAPE_EXPONENTIAL: a struct exponential */
};

/* Room for any value. */
union any_value {
  struct value value;
  uint8_t room[sizeof(struct value) + sizeof(struct exponential)];
};
_Static_assert(sizeof(struct exponential) >= (VALUE_BOUNDS_MAX + 1) * sizeof(uint64_t),
               "explicit buckets are the smaller ones");

/** @param exponential  what HOIST_HISTOGRAM is to be */
struct shape shape_of(const struct hoist_instrument *instrument, bool exponential);

size_t value_size(const struct shape *shape);
/** As if nothing had been measured. */
void value_clear(struct value *v, const struct shape *shape);
void value_copy(struct value *to, const struct value *from, const struct shape *shape);
/** What sums come to that grew beyond all numbers: the largest there is, rather than infinity, from which
 *  nothing could be told any more. */
double value_finite(double sum);
/** Adds the measurements of `from`; nothing for SHAPE_LAST. */
void value_merge(struct value *into, const struct value *from, const struct shape *shape);
/** Takes away the measurements of `earlier`, an earlier copy of the same; min and max stay. */
void value_subtract(struct value *from, const struct value *earlier, const struct shape *shape);

/** Adds one measurement. One writer at a time, but for SHAPE_LAST. */
void value_record(struct value *v, const struct shape *shape, double measured);
/** value_record for SHAPE_SUM and for SHAPE_LAST. */
static inline void value_record_sum(struct value *v, double measured) {
  word_put_double(&v->sum, v->sum + measured);
  word_put(&v->count, v->count + 1);
}

static inline void value_record_last(struct value *v, double measured) {
  word_put_double(&v->sum, measured);
  word_put(&v->count, 1);
}

/** The bucket `measured` falls into. */
size_t value_bucket(const struct shape *shape, double measured);

static inline struct exponential *value_exponential(struct value *v) {
  return (struct exponential *)(void *)v->buckets;
}

static inline const struct exponential *value_exponential_of(const struct value *v) {
  return (const struct exponential *)(const void *)v->buckets;
}
#endif
