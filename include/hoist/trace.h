/* SPDX-License-Identifier: Apache-2.0 */
/* Spans (OpenTelemetry Trace API). Included by <hoist/telemetry.h>; see there for how to start.
 *
 * A span lives in storage of the caller, is used by one thread at a time, and is started with an
 * explicit parent: a span, or what came from another process. Where nothing is configured every call
 * here is a test and, at most, a store. */
#ifndef HOIST_TRACE_H
#define HOIST_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <hoist/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Functions that are worth having in the caller; the library exports each of them as well. */
#if defined(__GNUC_GNU_INLINE__)
#define HOIST_INLINE static __inline__
#else
#define HOIST_INLINE HOIST_API __inline__
#endif

struct hoist_telemetry;

/* ---- attributes -------------------------------------------------------------------------------- */

enum hoist_attr_type {
  HOIST_ATTR_STRING = 1,
  HOIST_ATTR_INT = 2,
  HOIST_ATTR_DOUBLE = 3,
  HOIST_ATTR_BOOL = 4,
  HOIST_ATTR_STRING_ARRAY = 5,
  HOIST_ATTR_INT_ARRAY = 6,
  HOIST_ATTR_DOUBLE_ARRAY = 7,
  HOIST_ATTR_BOOL_ARRAY = 8
};

/** One key and its value; everything in it is borrowed for the length of the call it is given to. */
struct hoist_attr {
  const char *key;
  enum hoist_attr_type type;
  uint32_t count; /**< arrays: how many elements; else unused */
  union {
    const char *string;
    int64_t integer; /* also the boolean: 0 or 1 */
    double number;
    const char *const *strings; /* arrays; a NULL string counts as "" */
    const int64_t *integers;
    const double *numbers;
    const uint8_t *booleans;
  } value;
};

/* ---- identity ---------------------------------------------------------------------------------- */

/** What identifies a span in other processes (W3C Trace Context). All zero: invalid. */
struct hoist_span_context {
  uint8_t trace_id[16];
  uint8_t span_id[8];
  uint8_t flags;  /**< W3C trace-flags: 0x01 sampled, 0x02 random trace id */
  uint8_t remote; /**< 1 when it came from another process; recorded spans and links say so */
  /** 1 when whoever sent it wants this trace recorded (X-Force-Trace), also where the ids are invalid.
   *  It counts only where hoist_telemetry_config.allow_forced_traces says so. */
  uint8_t forced;
  /** W3C tracestate, as hoist_context_extract and hoist_tracestate_set make it; NULL or "": none.
   *  Borrowed; from hoist_span_get_context until that span ends. */
  const char *tracestate;
};

/** Whether trace id and span id are not zero. */
HOIST_API int hoist_span_context_is_valid(const struct hoist_span_context *context);

/* ---- spans ------------------------------------------------------------------------------------- */

enum hoist_span_kind { /* the values of OTLP's SpanKind */
                       HOIST_SPAN_INTERNAL = 1,
                       HOIST_SPAN_SERVER = 2,
                       HOIST_SPAN_CLIENT = 3,
                       HOIST_SPAN_PRODUCER = 4,
                       HOIST_SPAN_CONSUMER = 5
};

enum hoist_span_status { /* the values of OTLP's StatusCode */
                         HOIST_SPAN_UNSET = 0,
                         HOIST_SPAN_OK = 1,
                         HOIST_SPAN_ERROR = 2
};

#define HOIST_SPAN_SIZE 3072

/** A running span, in storage of the caller: on its stack, or in its own object where the span outlives
 *  the function. Once started it must stay where it is: what is done to a copy is dropped, and counted
 *  as a lost span when that ends. Used by one thread at a time; it may be started in one
 *  thread and ended in another. A zeroed struct is a valid span that records nothing. */
struct hoist_span {
  struct hoist_telemetry *telemetry; /**< read-only; NULL: this span records nothing */
  uint64_t private_[(HOIST_SPAN_SIZE - sizeof(void *)) / sizeof(uint64_t)];
};

/* Behind the inline functions below; not called directly. */
HOIST_API void hoist_span_begin_(struct hoist_telemetry *telemetry, const struct hoist_span *parent,
                                 const struct hoist_span_context *remote, const char *name,
                                 enum hoist_span_kind kind, uint64_t start_unix_ns,
                                 struct hoist_span *ret_span);
HOIST_API void hoist_span_put_(struct hoist_span *span, const char *key, size_t key_size,
                               enum hoist_attr_type type, uint64_t value, size_t size);
HOIST_API void hoist_span_finish_(struct hoist_span *span, uint64_t end_unix_ns);

/** Starts a span with no parent in this process. `remote` (may be NULL or invalid) is the parent in
 *  another process; without it a new trace begins. `name` is copied, and cut at 255 bytes.
 *  Threads: any */
HOIST_INLINE void hoist_span_start_root(struct hoist_telemetry *telemetry, const char *name,
                                        enum hoist_span_kind kind,
                                        const struct hoist_span_context *remote,
                                        struct hoist_span *ret_span) {
  ret_span->telemetry = NULL;
  if (telemetry) hoist_span_begin_(telemetry, NULL, remote, name, kind, 0, ret_span);
}

/** As hoist_span_start_root with a time of the caller (nanoseconds since the Unix epoch; 0: now), for a
 *  request whose arrival was noted before there was a span. */
HOIST_INLINE void hoist_span_start_root_at(struct hoist_telemetry *telemetry, const char *name,
                                           enum hoist_span_kind kind,
                                           const struct hoist_span_context *remote,
                                           uint64_t start_unix_ns, struct hoist_span *ret_span) {
  ret_span->telemetry = NULL;
  if (telemetry) hoist_span_begin_(telemetry, NULL, remote, name, kind, start_unix_ns, ret_span);
}

/** Starts a span under `parent` (NULL or recording nothing: this one records nothing either). The
 *  parent may belong to another thread and need only stay alive during this call. */
HOIST_INLINE void hoist_span_start(const struct hoist_span *parent, const char *name,
                                   enum hoist_span_kind kind, struct hoist_span *ret_span) {
  ret_span->telemetry = NULL;
  if (parent && parent->telemetry)
    hoist_span_begin_(parent->telemetry, parent, NULL, name, kind, 0, ret_span);
}

/** As hoist_span_start, recorded by `telemetry` (NULL: not at all): under another scope than its parent's
 *  (hoist_telemetry_scope). Without a parent it is a root. A parent of another telemetry object is taken
 *  for a remote one. */
HOIST_API void hoist_span_start_in(struct hoist_telemetry *telemetry,
                                   const struct hoist_span *parent, const char *name,
                                   enum hoist_span_kind kind, struct hoist_span *ret_span);

/** As hoist_span_start with a time of the caller (nanoseconds since the Unix epoch; 0: now), for phases
 *  that are known only afterwards. */
HOIST_INLINE void hoist_span_start_at(const struct hoist_span *parent, const char *name,
                                      enum hoist_span_kind kind, uint64_t start_unix_ns,
                                      struct hoist_span *ret_span) {
  ret_span->telemetry = NULL;
  if (parent && parent->telemetry)
    hoist_span_begin_(parent->telemetry, parent, NULL, name, kind, start_unix_ns, ret_span);
}

/** Whether what is set on the span goes anywhere: 0 when it is not configured, not sampled, or ended, for a copy, and in a
 *  process forked since it was started. */
HOIST_API int hoist_span_is_recording(const struct hoist_span *span);

/** Sets an attribute; the last value of a key wins. NULL strings and arrays are ignored. Long values are cut at a
 *  UTF-8 boundary (hoist_telemetry_config.attribute_value_max); what does not fit any more, and a key that
 *  is empty, over 127 bytes or not UTF-8, is dropped and counted on the span. */
HOIST_INLINE void hoist_span_set_string(struct hoist_span *span, const char *key,
                                        const char *value) {
  if (span && span->telemetry && key && value)
    hoist_span_put_(span, key, strlen(key), HOIST_ATTR_STRING, (uint64_t)(uintptr_t)value,
                    strlen(value));
}

HOIST_INLINE void hoist_span_set_int(struct hoist_span *span, const char *key, int64_t value) {
  if (span && span->telemetry && key)
    hoist_span_put_(span, key, strlen(key), HOIST_ATTR_INT, (uint64_t)value, 0);
}

HOIST_INLINE void hoist_span_set_double(struct hoist_span *span, const char *key, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (span && span->telemetry && key)
    hoist_span_put_(span, key, strlen(key), HOIST_ATTR_DOUBLE, bits, 0);
}

HOIST_INLINE void hoist_span_set_bool(struct hoist_span *span, const char *key, int value) {
  if (span && span->telemetry && key)
    hoist_span_put_(span, key, strlen(key), HOIST_ATTR_BOOL, value != 0, 0);
}

/** Sets an attribute of any type; the way to set an array. */
HOIST_API void hoist_span_set_attr(struct hoist_span *span, const struct hoist_attr *attr);

/** Adds an event at the present time. Its name is cut at 255 bytes. */
HOIST_API void hoist_span_add_event(struct hoist_span *span, const char *name,
                                    const struct hoist_attr *attrs, size_t attr_count);
/** As hoist_span_add_event with a time of the caller (nanoseconds since the Unix epoch; 0: now). */
HOIST_API void hoist_span_add_event_at(struct hoist_span *span, const char *name, uint64_t unix_ns,
                                       const struct hoist_attr *attrs, size_t attr_count);

/** Links the span to another one, of this trace or not. An invalid context is ignored unless it
 *  carries attributes or a tracestate (Trace API, "Link"). */
HOIST_API void hoist_span_add_link(struct hoist_span *span,
                                   const struct hoist_span_context *context,
                                   const struct hoist_attr *attrs, size_t attr_count);

/** Sets the status: OK is final, ERROR beats UNSET, and setting UNSET does nothing (Trace API, "Set
 *  Status"). `description` counts only with ERROR, and is cut at 511 bytes; NULL: none. */
HOIST_API void hoist_span_set_status(struct hoist_span *span, enum hoist_span_status status,
                                     const char *description);

/** Status ERROR with `description`, attribute `error.type` = `type`. */
HOIST_API void hoist_span_set_error(struct hoist_span *span, const char *type,
                                    const char *description);

/** hoist_span_set_error out of an error record (`error.type` is the status's name), and one
 *  `exception` event with exception.type and exception.message. Nothing for HOIST_OK. */
HOIST_API void hoist_span_record_error(struct hoist_span *span, const struct hoist_error *err);

#define HOIST_EXCEPTION_ATTRS_MAX 64

/** One `exception` event with exception.type and exception.message (NULL: without it), and `attrs`: the
 *  first HOIST_EXCEPTION_ATTRS_MAX, which win over the former. The status stays as it is
 *  (hoist_span_set_error). */
HOIST_API void hoist_span_record_exception(struct hoist_span *span, const char *type,
                                           const char *message, const struct hoist_attr *attrs,
                                           size_t attr_count);

/** Renames the span. The sampler has decided by then. */
HOIST_API void hoist_span_update_name(struct hoist_span *span, const char *name);

/** Ends the span and queues it for export; never blocks on I/O. The storage may be reused. Ending a
 *  zeroed or ended span does nothing. */
HOIST_INLINE void hoist_span_end(struct hoist_span *span) {
  if (span && span->telemetry) hoist_span_finish_(span, 0);
}

/** As hoist_span_end with a time of the caller (nanoseconds since the Unix epoch; 0: now). An end
 *  before the start is raised to it. */
HOIST_INLINE void hoist_span_end_at(struct hoist_span *span, uint64_t end_unix_ns) {
  if (span && span->telemetry) hoist_span_finish_(span, end_unix_ns);
}

/** The span's identity; all zero for a span that records nothing because nothing is configured, and for
 *  one that has ended. A span that was not sampled has one. What was got before the end may be used
 *  afterwards (for a link, say) but for its `tracestate`, which goes with the span: set that to NULL, or
 *  copy the text. Where nothing is configured a server passes on what came to it (hoist_context_inject). */
HOIST_API void hoist_span_get_context(const struct hoist_span *span,
                                      struct hoist_span_context *ret_context);

/* ---- the current span of a thread -------------------------------------------------------------- */
/* A scope here is a stretch of a thread's time in which a span is the current one. The instrumentation
 * scope, the name of the library that records, is hoist_telemetry_scope's. */

/** Between enter and leave: what the thread's current span was before. */
struct hoist_scope {
  struct hoist_span *previous;
};

/** Makes `span` (NULL: none) the calling thread's current span. It must stay alive, and the scope be
 *  left by the same thread, in reverse order. A span is never current by itself: a library that wants
 *  to find its caller's span asks for it, hoist's own calls do where they are given no parent. */
HOIST_API void hoist_scope_enter(struct hoist_scope *ret_scope, struct hoist_span *span);
HOIST_API void hoist_scope_leave(struct hoist_scope *scope);

/** The span of the innermost scope of this thread, NULL outside of any. */
HOIST_API struct hoist_span *hoist_span_current(void);

#ifdef __cplusplus
}
#endif
#endif
