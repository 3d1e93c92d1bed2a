/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind a struct hoist_telemetry: two tables of functions. The recorder and the
 * adapter to a host's tracer fill the first; who owns the object (the exporter, the adapter) fills
 * the second. telemetry.c is the only caller, and the place where NULL means "not configured". */
#ifndef HOIST_TELEMETRY_DISPATCH_H
#define HOIST_TELEMETRY_DISPATCH_H

#include <hoist/telemetry.h>

/* How a span begins. At most one of `parent` (a span of the same recorder) and `remote` is set. */
struct span_start {
  const struct hoist_span *parent;
  const struct hoist_span_context *remote; /* its ids are invalid only where it is forced */
  const char *name;
  enum hoist_span_kind kind;
  uint64_t start_unix_ns; /* 0: now */
};

struct span_event {
  const char *name;
  uint64_t unix_ns; /* 0: now */
  const struct hoist_attr *attrs;
  size_t attr_count;
};

struct span_link {
  const struct hoist_span_context *context;
  const struct hoist_attr *attrs;
  size_t attr_count;
};

/* A measurement, and the span it was made in (NULL: none), for exemplars. */
struct measurement {
  const struct hoist_instrument *instrument;
  double value;
  const struct hoist_attr *attrs;
  size_t attr_count;
  const struct hoist_span *span;
};

struct span_ops {
  /* Sets ret_span->telemetry last, to NULL where the span shall not even pass on a context. */
  void (*start)(struct hoist_telemetry *telemetry, const struct span_start *how,
                struct hoist_span *ret_span);
  /* `key_size` and `text_size` (of a string) are the lengths of what attr points to. */
  void (*set_attr)(struct hoist_span *span, const struct hoist_attr *attr, size_t key_size,
                   size_t text_size);
  void (*add_event)(struct hoist_span *span, const struct span_event *event);
  void (*add_link)(struct hoist_span *span, const struct span_link *link);
  void (*set_status)(struct hoist_span *span, enum hoist_span_status status,
                     const char *description);
  void (*update_name)(struct hoist_span *span, const char *name);
  int (*is_recording)(const struct hoist_span *span);
  void (*get_context)(const struct hoist_span *span, struct hoist_span_context *ret_context);
  void (*end)(struct hoist_span *span, uint64_t end_unix_ns); /* 0: now */
  void (*metric_add)(struct hoist_telemetry *telemetry, const struct measurement *measurement);
  /* NULL where nothing can be bound. */
  struct hoist_bound *(*bind)(struct hoist_telemetry *telemetry,
                              const struct hoist_instrument *instrument,
                              const struct hoist_attr *attrs, size_t attr_count);
};

struct lifetime_ops {
  enum hoist_status (*flush)(struct hoist_telemetry *telemetry, uint32_t timeout_ms,
                             struct hoist_error *err);
  void (*close)(struct hoist_telemetry *telemetry, uint32_t timeout_ms);
  void (*get_status)(const struct hoist_telemetry *telemetry,
                     struct hoist_telemetry_status *ret_status);
  /* A view with a scope of its own; NULL: it has none. */
  struct hoist_telemetry *(*scope)(struct hoist_telemetry *telemetry, const char *name,
                                   const char *version);
  /* Prometheus text; NULL: unsupported. */
  enum hoist_status (*prometheus)(struct hoist_telemetry *telemetry, char **ret_text,
                                  size_t *ret_size, struct hoist_error *err);
  /* hoist_telemetry_config.propagators; NULL: the default. */
  unsigned (*propagators)(const struct hoist_telemetry *telemetry);
};

struct hoist_telemetry {
  const struct span_ops *spans;
  const struct lifetime_ops *lifetime;
};

/* Whether spans of the one may be parents of spans of the other; not where either is NULL. */
static inline int telemetry_is_same(const struct hoist_telemetry *a,
                                    const struct hoist_telemetry *b) {
  return a && a == b;
}

/* HOIST_PROPAGATE_* bits: what requests carry on. Also where nothing records. */
static inline unsigned telemetry_propagators(const struct hoist_telemetry *telemetry) {
  return telemetry && telemetry->lifetime->propagators
             ? telemetry->lifetime->propagators(telemetry)
             : HOIST_PROPAGATE_TRACECONTEXT | HOIST_PROPAGATE_BAGGAGE;
}

/* What hoist_metric_bind returns begins with this. */
struct hoist_bound {
  void (*record)(struct hoist_bound *bound, double value);
};

#endif
