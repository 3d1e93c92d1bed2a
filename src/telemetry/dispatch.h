/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind a struct hoist_telemetry: two tables of functions. The recorder and the
 * adapter to a host's tracer fill the first; who owns the object (the exporter, the adapter) fills
 * the second. telemetry.c is the only caller, and the place where NULL means "not configured". */
#ifndef HOIST_TELEMETRY_DISPATCH_H
#define HOIST_TELEMETRY_DISPATCH_H

#include <hoist/telemetry.h>

/* How a span begins. At most one of `parent` (a span with the same telemetry) and `remote` is set.
 */
struct span_start {
  const struct hoist_span *parent;
  const struct hoist_span_context *remote;
  const char *name;
  enum hoist_span_kind kind;
  uint64_t start_unix_ns; /* 0: now */
};

struct span_ops {
  /* Sets ret_span->telemetry last, to NULL where the span shall not even pass on a context. */
  void (*start)(struct hoist_telemetry *telemetry, const struct span_start *how,
                struct hoist_span *ret_span);
  void (*set_attr)(struct hoist_span *span, const struct hoist_attr *attr);
  void (*add_event)(struct hoist_span *span, const char *name, const struct hoist_attr *attrs,
                    size_t attr_count);
  void (*set_error)(struct hoist_span *span, const char *description);
  void (*get_context)(const struct hoist_span *span, struct hoist_span_context *ret_context);
  void (*end)(struct hoist_span *span, uint64_t end_unix_ns); /* 0: now */
  void (*metric_add)(struct hoist_telemetry *telemetry, const struct hoist_instrument *instrument,
                     double value, const struct hoist_attr *attrs, size_t attr_count);
};

struct lifetime_ops {
  enum hoist_status (*flush)(struct hoist_telemetry *telemetry, uint32_t timeout_ms,
                             struct hoist_error *err);
  void (*close)(struct hoist_telemetry *telemetry, uint32_t timeout_ms);
  void (*get_status)(const struct hoist_telemetry *telemetry,
                     struct hoist_telemetry_status *ret_status);
};

struct hoist_telemetry {
  const struct span_ops *spans;
  const struct lifetime_ops *lifetime;
};

#endif
