/* SPDX-License-Identifier: Apache-2.0 */
/* One running value; shared by the aggregation (metrics.c) and its encoding (metrics_encode.c). */
#ifndef HOIST_TELEMETRY_SERIES_H
#define HOIST_TELEMETRY_SERIES_H

#include "metrics.h"
#include "wire.h"

/* Data points carry their attributes under these tags, and series keep them so encoded. */
enum {
  NUMBER_ATTRIBUTES = WIRE_TAG(7, WIRE_BYTES),
  HISTOGRAM_ATTRIBUTES = WIRE_TAG(9, WIRE_BYTES)
};

struct series {
  struct series *next_in_bucket, *next_in_metric;
  const struct hoist_instrument *instrument;
  uint64_t hash;
  double sum, min, max; /* gauge: the last value is in `sum` */
  uint64_t count;       /* measurements */
  size_t attr_size;
  uint8_t *attrs;     /* behind the buckets, in the same allocation */
  uint64_t buckets[]; /* histogram: bounds + 1 */
};

struct bounds {
  const double *at;
  size_t count;
};

/** The bucket bounds of a histogram; none for other kinds. */
struct bounds bounds_of(const struct hoist_instrument *instrument);

/** As if nothing had been measured. */
void series_clear(struct series *s);

#endif
