/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind a struct hoist_telemetry: two tables of functions. The recorder and the
 * adapter to a host's tracer fill the first; who owns the object (the exporter, the adapter) fills
 * the second. telemetry.c is the only caller, and the place where NULL means "not configured". */
#ifndef HOIST_TELEMETRY_DISPATCH_H
#define HOIST_TELEMETRY_DISPATCH_H

#include <hoist/telemetry.h>

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

/* What set_attr got, put together again. */
static inline struct hoist_attr attr_of(const char *key, enum hoist_attr_type type, uint64_t value,
                                        size_t size) {
  struct hoist_attr attr = {.key = key, .type = type, .count = (uint32_t)size};
  memcpy(&attr.value, &value, sizeof value);
  return attr;
}
_Static_assert(sizeof(((struct hoist_attr *)NULL)->value) == sizeof(uint64_t), "fits a register");

struct span_ops {
  /* At most one of `parent` (a span of the same owner) and `remote` is set; the ids of `remote` are invalid
   * only where it is forced; `start_unix_ns` 0 is now. Sets ret_span->telemetry last, to NULL where the
   * span shall not even pass on a context. */
  void (*start)(struct hoist_telemetry *telemetry, const struct hoist_span *parent,
                const struct hoist_span_context *remote, const char *name,
                enum hoist_span_kind kind, uint64_t start_unix_ns, struct hoist_span *ret_span);
  /* A struct hoist_attr in pieces, so that they travel in registers: `value` holds the bits of its union,
   * `size` the length of a string or the count of an array. */
  void (*set_attr)(struct hoist_span *span, const char *key, size_t key_size,
                   enum hoist_attr_type type, uint64_t value, size_t size);
  void (*add_event)(struct hoist_span *span, const struct span_event *event);
  void (*add_link)(struct hoist_span *span, const struct span_link *link);
  void (*set_status)(struct hoist_span *span, enum hoist_span_status status,
                     const char *description);
  void (*update_name)(struct hoist_span *span, const char *name);
  int (*is_recording)(const struct hoist_span *span);
  void (*get_context)(const struct hoist_span *span, struct hoist_span_context *ret_context);
  void (*end)(struct hoist_span *span, uint64_t end_unix_ns); /* 0: now */
  /* The present time as the span's children and its end would have it. */
  uint64_t (*now)(const struct hoist_span *span);
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
  void *owner; /* what is behind it: the same for all views of one recorder */
};

/* Whether spans of the one may be parents of spans of the other; not where either is NULL. */
static inline int telemetry_is_same(const struct hoist_telemetry *a,
                                    const struct hoist_telemetry *b) {
  return a && b && a->owner == b->owner;
}

/* When something begins that is to be a span below `parent` only if it turns out to be worth one: what
 * hoist_span_start_at takes. The real-time clock would do until somebody sets it meanwhile. 0 where
 * nothing is recorded. */
static inline uint64_t telemetry_now(const struct hoist_span *parent) {
  return parent && parent->telemetry ? parent->telemetry->spans->now(parent) : 0;
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
