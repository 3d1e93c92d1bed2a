/* SPDX-License-Identifier: Apache-2.0 */
/* Base-2 exponential buckets (Metrics data model, "ExponentialHistogram"): bucket i of scale s holds the
 * magnitudes in (2^(i/2^s), 2^((i+1)/2^s)]. The scale begins as fine as it gets and halves its resolution
 * whenever the values would need more buckets than there are. */
#ifndef HOIST_TELEMETRY_EXPONENTIAL_H
#define HOIST_TELEMETRY_EXPONENTIAL_H

#include <stdint.h>

#define EXPONENTIAL_BUCKETS_MAX 160 /* on each side of zero */
#define EXPONENTIAL_SCALE_MAX 20

/* Buckets `first` to `first + used - 1`; where any are used, the outermost two are not empty. */
struct exponential_side {
  int64_t first;
  uint64_t used;
  uint64_t counts[EXPONENTIAL_BUCKETS_MAX];
};

/* Only words, which are written as shared_word.h says. */
struct exponential {
  int64_t scale;
  uint64_t zero_count;
  struct exponential_side positive, negative;
};

/** The bucket of a finite `magnitude` > 0 at a scale of at most EXPONENTIAL_SCALE_MAX. Exact at powers of
 *  two and at scales up to 0; elsewhere as good as log2(). Scales agree with each other: a bucket of one
 *  lies wholly within a bucket of each coarser one. */
int64_t exponential_index(double magnitude, int64_t scale);

void exponential_clear(struct exponential *h);
/** Counts a finite value. */
void exponential_record(struct exponential *h, double value);
void exponential_merge(struct exponential *into, const struct exponential *from);
/** Takes away what `earlier`, an earlier copy of the same, held. */
void exponential_subtract(struct exponential *from, const struct exponential *earlier);
/** Coarser by `shift` (at most 62) steps. */
void exponential_downscale(struct exponential *h, unsigned shift);

#endif
