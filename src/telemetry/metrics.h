/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation of metrics: one running value per instrument and attribute set, since the start or since
 * the last time they were encoded. */
#ifndef HOIST_TELEMETRY_METRICS_H
#define HOIST_TELEMETRY_METRICS_H

#include <hoist/telemetry.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

/* Attribute sets per instrument, the overflow's among them. */
#define METRICS_POINTS_MAX 2000
#define METRICS_INSTRUMENTS_MAX 256
#define METRICS_BOUNDS_MAX 128
#define METRICS_ATTRS_MAX 16
/* Encoded attributes of one point. */
#define METRICS_ATTR_BYTES_MAX 1024

struct series;

/* The series of one instrument, in the order they appeared. */
struct metric {
  const struct hoist_instrument *instrument;
  struct series *first, **last;
  struct series *overflow;
  size_t count;
};

struct metrics {
  pthread_mutex_t lock;
  struct series **buckets; /* hash table over all series; NULL until the first */
  size_t bucket_count, series_count;
  struct metric metrics[METRICS_INSTRUMENTS_MAX];
  size_t metric_count;
  uint64_t encoded_unix_ns; /* when last, where that made values begin anew; 0: never */
  uint64_t lost;            /* measurements refused for want of memory or of an instrument slot */
};

void metrics_init(struct metrics *m);
void metrics_done(struct metrics *m);
/** In a forked child: forgets the parent's values (their memory may be half-written, and is left).
 */
void metrics_reset_after_fork(struct metrics *m);

void metrics_add(struct metrics *m, const struct hoist_instrument *instrument, double value,
                 const struct hoist_attr *attrs, size_t attr_count);

/** Appends every metric as a field 2 of ScopeMetrics. Appends nothing where nothing was measured.
 *  With delta temporality, counters and histograms begin anew, and those without a measurement since
 *  are left out; a failure begins nothing anew.
 *  @param ret_points  how many data points that is */
HOIST_MUST_CHECK enum hoist_status metrics_encode(struct metrics *m,
                                                  enum hoist_temporality temporality,
                                                  uint64_t start_unix_ns, uint64_t now_unix_ns,
                                                  struct buf *out, size_t *ret_points,
                                                  struct hoist_error *err);
#endif
