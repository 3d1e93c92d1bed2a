/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation of metrics: one series per instrumentation scope, instrument and attribute set. A series
 * keeps what was measured since the last export of deltas, and what was before, so that some may read
 * deltas and others totals of the same.
 *
 * Life: metrics_init → metrics_add, metrics_bind, … from any thread → metrics_done. */
#ifndef HOIST_TELEMETRY_METRICS_H
#define HOIST_TELEMETRY_METRICS_H

#include <hoist/telemetry.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "dispatch.h"
#include "err.h"
#include "value.h"

/* Attribute sets per instrument, the overflow's among them. */
#define METRICS_POINTS_MAX 2000
#define METRICS_INSTRUMENTS_MAX 256
#define METRICS_ATTRS_MAX 16
/* Encoded attributes of one point. */
#define METRICS_ATTR_BYTES_MAX 1024
/* Instrumentation scopes: 0, which is the program's own, and those it asked for. */
#define METRICS_SCOPES_MAX 16

struct series;
struct bound;

struct metrics_config {
  bool exponential_histograms; /* HOIST_HISTOGRAM has exponential buckets */
  enum hoist_exemplar_filter exemplar_filter;
};

/* The series of one instrument in one scope, in the order they appeared. */
struct metric {
  const struct hoist_instrument *instrument;
  unsigned scope;
  struct shape shape;
  struct series *first, **last;
  struct series *overflow;
  size_t count;
  uint64_t delta_unix_ns; /* when its deltas were last encoded; 0: never */
};

struct metrics {
  struct metrics_config config;
  pthread_mutex_t lock;
  struct series **buckets; /* hash table over all series; NULL until the first */
  size_t bucket_count, series_count;
  struct metric metrics[METRICS_INSTRUMENTS_MAX];
  size_t metric_count;
  uint64_t delta_unix_ns[METRICS_SCOPES_MAX]; /* the same of the whole scope, for metrics to come */
  size_t next_metric[METRICS_SCOPES_MAX];     /* where encoding goes on; 0: from the first */
  /* Measurements refused for want of memory or of an instrument slot; read without the lock. */
  _Atomic uint64_t lost;
  _Atomic uint64_t left_off; /* attributes beyond the caps, since they were last asked for */
  struct bound *bounds;
};

void metrics_init(struct metrics *m, const struct metrics_config *config);
void metrics_done(struct metrics *m);
/** In a forked child: forgets the parent's values (their memory may be half-written, and is left). Bound
 *  instruments go on, from zero. */
void metrics_reset_after_fork(struct metrics *m);

/** @param scope  below METRICS_SCOPES_MAX */
void metrics_add(struct metrics *m, unsigned scope, const struct measurement *measurement);

/** Measurements refused so far. Waits for nobody. */
uint64_t metrics_lost(struct metrics *m);

/** Attributes left off of measurements and bound instruments since the last call. Waits for nobody. */
uint64_t metrics_take_left_off(struct metrics *m);

struct metrics_window {
  enum hoist_temporality temporality;
  uint64_t start_unix_ns, now_unix_ns; /* of cumulative values */
};

/** Appends the metrics of one scope, each as a field 2 of ScopeMetrics, as far as there is room in `out`:
 *  where metrics_has_more then, the next call goes on behind them. Appends nothing where nothing was
 *  measured. With delta temporality, counters and histograms that were appended begin anew, and those
 *  without a measurement since are left out; a failure appends and begins nothing anew.
 *  @param ret_points  how many data points that is
 *  Errors: CORRUPT no room for even one metric · NO_MEMORY. Threads: one at a time */
HOIST_MUST_CHECK enum hoist_status metrics_encode(struct metrics *m, unsigned scope,
                                                  const struct metrics_window *window,
                                                  struct buf *out, size_t *ret_points,
                                                  struct hoist_error *err);
bool metrics_has_more(const struct metrics *m, unsigned scope);
#endif
