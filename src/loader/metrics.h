/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's metrics. The inference.* names are those the reference server's dashboards read. */
#ifndef HOIST_LOADER_METRICS_H
#define HOIST_LOADER_METRICS_H

#include <hoist/telemetry.h>
#include <stdint.h>

/* `span` is the operation's, from which a measurement can be traced back; NULL: none. */

void metrics_loaded(const struct hoist_span *span, struct hoist_telemetry *t, const char *model_id,
                    double seconds);
void metrics_unloaded(struct hoist_telemetry *t, const char *model_id);
void metrics_error(const struct hoist_span *span, struct hoist_telemetry *t,
                   enum hoist_status status);
/** `result`: "hit", "miss", "corrupt". */
void metrics_lookup(const struct hoist_span *span, struct hoist_telemetry *t, const char *result);
/** `result`: "hit", "miss", "refused", "off". */
void metrics_graph_lookup(const struct hoist_span *span, struct hoist_telemetry *t,
                          const char *result);
/** `outcome`: "ok" or the failure's status name. */
void metrics_artifact_bytes(const struct hoist_span *span, struct hoist_telemetry *t,
                            const char *source, const char *outcome, uint64_t bytes);
/** A model was removed to make room. `reason`: "size", "age", "space". */
void metrics_evicted(const struct hoist_span *span, struct hoist_telemetry *t, const char *reason);
/** What all models in the cache take. */
void metrics_cache_size(const struct hoist_span *span, struct hoist_telemetry *t, uint64_t bytes);
#endif
