/* SPDX-License-Identifier: Apache-2.0 */
/* What telemetry says about itself, as metrics (semantic conventions, "OpenTelemetry SDK metrics"). */
#ifndef HOIST_EXPORT_SELF_H
#define HOIST_EXPORT_SELF_H

#include "pipeline.h"

/** To be called once, when the recorder is there: metrics about lost metrics must find room.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status self_init(struct pipeline *p, struct hoist_error *err);

/** Brings the metrics of what the recorder counts up to date. Any thread. */
void self_observe(struct pipeline *p);

/** Spans have been handed to the exporters, or, where `error_type` says why, were lost before that. */
void self_processed(struct pipeline *p, uint64_t count, const char *error_type);

/** One export has ended. */
struct self_export {
  const struct exporter *exporter;
  const struct batch *batch;
  const struct partial *partial;
  enum hoist_status status;
  uint64_t duration_ns;
};
void self_exported(struct pipeline *p, const struct self_export *e);

#endif
