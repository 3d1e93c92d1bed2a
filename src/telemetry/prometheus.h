/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as Prometheus text, exposition format 0.0.4. */
#ifndef HOIST_TELEMETRY_PROMETHEUS_H
#define HOIST_TELEMETRY_PROMETHEUS_H

#include "metrics.h"

/* The text of all metrics. */
#define PROMETHEUS_MAX (64u << 20)

struct prometheus_scope {
  const char *name, *version; /* version "": none */
};

struct prometheus_source {
  struct metrics *metrics;
  const struct prometheus_scope *scopes; /* by index */
  size_t scope_count;
  const void *resource; /* encoded OTLP Resource */
  size_t resource_size;
};

/** Appends all metrics, cumulative. Left out are instruments whose name or type would clash with an
 *  earlier one's, attribute sets whose labels come to those of an earlier one, and, from the first that
 *  `out` has no room for, all attribute sets.
 *  @param ret_left_out  how many
 *  Errors: NO_MEMORY. Threads: any */
HOIST_MUST_CHECK enum hoist_status prometheus_render(const struct prometheus_source *source,
                                                     struct buf *out, size_t *ret_left_out,
                                                     struct hoist_error *err);
#endif
