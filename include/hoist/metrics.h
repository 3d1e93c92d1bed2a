/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics (OpenTelemetry Metrics API): synchronous instruments, their attribute sets aggregated in the
 * process and exported at intervals. Included by <hoist/telemetry.h>. */
#ifndef HOIST_METRICS_H
#define HOIST_METRICS_H

#include <hoist/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hoist_instrument_kind {
  HOIST_COUNTER = 1,         /**< monotonic sum */
  HOIST_UP_DOWN_COUNTER = 2, /**< sum that may fall */
  HOIST_HISTOGRAM = 3,       /**< explicit buckets, unless the configuration says otherwise */
  HOIST_GAUGE = 4,           /**< the last value */
  HOIST_EXPONENTIAL_HISTOGRAM =
      5 /**< base-2 exponential buckets, at most 160 on each side of zero */
};

/* What there is room for: 256 instruments, those of the loader and of the telemetry itself among them
 * (measurements of others are counted as lost); 2000 attribute sets per instrument (others count in one
 * more, with otel.metric.overflow=true); 16 attributes and 1024 encoded bytes per set (in the order of
 * their keys; what is beyond is left off, and counted); 128 bounds (the others are left off). */

/** An instrument: static, constant data of the program, which it stays until the telemetry is closed. Two of
 *  the same name, unit, description and kind in one scope are the same one, as a `static const` in a header
 *  makes them in every file; each measurement through another address than the first one's takes a little
 *  longer. Of the same name but different in one of these they are two metrics: OTLP gets both, and
 *  Prometheus text, where both come to the same name there, has the first alone. */
struct hoist_instrument {
  const char *name; /**< NULL: nothing is recorded */
  const char *unit; /**< UCUM: "s", "By", "{load}" */
  const char *description;
  enum hoist_instrument_kind kind;
  /** Histogram: ascending upper bounds, inclusive, at most 128. NULL: for unit "s" .005 .01 .025 .05 .075
   *  .1 .25 .5 .75 1 2.5 5 7.5 10 30 60 120 300 600, for any other the specification's 0 5 10 25 50 75 100
   *  250 500 750 1000 2500 5000 7500 10000. */
  const double *bounds;
  size_t bound_count;
};

/** Adds to a counter or up-down counter, records one value of a histogram, or sets a gauge. Never
 *  sampled, never blocks on I/O. A counter ignores negative values, everything ignores what is not
 *  finite. Where the exemplar filter lets it, the thread's current span becomes the exemplar.
 *  Threads: any */
HOIST_API void hoist_metric_add(struct hoist_telemetry *telemetry,
                                const struct hoist_instrument *instrument, double value,
                                const struct hoist_attr *attrs, size_t attr_count);

/** As hoist_metric_add, for a measurement made within `span` (NULL: none) rather than the current one. */
HOIST_API void hoist_metric_add_in(const struct hoist_span *span, struct hoist_telemetry *telemetry,
                                   const struct hoist_instrument *instrument, double value,
                                   const struct hoist_attr *attrs, size_t attr_count);

/** An instrument with its attributes given once, for the few places that measure very often. */
struct hoist_bound;

/** Binds; the same instrument and attributes share one series with hoist_metric_add. Belongs to
 *  `telemetry`, and is valid until that is closed. NULL where nothing is configured, and where memory or
 *  room is missing (which is counted): adding to NULL does nothing.
 *  Threads: any */
HOIST_API struct hoist_bound *hoist_metric_bind(struct hoist_telemetry *telemetry,
                                                const struct hoist_instrument *instrument,
                                                const struct hoist_attr *attrs, size_t attr_count);

/* Behind the inline function below; not called directly. */
HOIST_API void hoist_bound_record_(struct hoist_bound *bound, double value);

/** As hoist_metric_add. The first 64 threads that live at a time do not meet here: each has a cell of its
 *  own, summed when exported; those beyond lock. A gauge is one word that all of them set. Within a span
 *  that exemplars may be of, the first 16 measurements between two exports, of each bucket of an explicit
 *  histogram, and then every 16th try for a lock to offer one; they do not wait for it.
 *  Threads: any */
HOIST_INLINE void hoist_bound_add(struct hoist_bound *bound, double value) {
  if (bound) hoist_bound_record_(bound, value);
}

#ifdef __cplusplus
}
#endif
#endif
