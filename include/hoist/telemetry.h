/* SPDX-License-Identifier: Apache-2.0 */
/* OpenTelemetry for C: spans and metrics, recorded cheaply, exported in the background. hoist's own
 * loads are recorded with it, and a program may use it for itself.
 *
 * A struct hoist_telemetry is either our recorder (hoist_telemetry_open) or an adapter to a tracer the
 * program already has (hoist_telemetry_adapt). Where a function takes one, NULL means "not
 * configured": every call is then a no-op that touches no memory but its arguments.
 *
 * Names follow the OpenTelemetry specification (Trace API, Metrics API, OTLP 1.x). */
#ifndef HOIST_TELEMETRY_H
#define HOIST_TELEMETRY_H

#include <stddef.h>
#include <stdint.h>

#include <hoist/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hoist_telemetry;

/* ---- attributes -------------------------------------------------------------------------------- */

enum hoist_attr_type {
  HOIST_ATTR_STRING = 1,
  HOIST_ATTR_INT = 2,
  HOIST_ATTR_DOUBLE = 3,
  HOIST_ATTR_BOOL = 4
};

/** One key and its value; everything in it is borrowed for the length of the call it is given to. */
struct hoist_attr {
  const char *key;
  enum hoist_attr_type type;
  union {
    const char *string;
    int64_t integer; /* also the boolean: 0 or 1 */
    double number;
  } value;
};

/* ---- spans ------------------------------------------------------------------------------------- */

enum hoist_span_kind { /* the values of OTLP's SpanKind */
                       HOIST_SPAN_INTERNAL = 1,
                       HOIST_SPAN_SERVER = 2,
                       HOIST_SPAN_CLIENT = 3,
                       HOIST_SPAN_PRODUCER = 4,
                       HOIST_SPAN_CONSUMER = 5
};

/** What identifies a span in other processes (W3C Trace Context). All zero: invalid. */
struct hoist_span_context {
  uint8_t trace_id[16];
  uint8_t span_id[8];
  uint8_t flags;  /**< W3C trace-flags: 0x01 sampled, 0x02 random trace id */
  uint8_t remote; /**< 1 when it came from another process */
};

#define HOIST_SPAN_SIZE 3072

/** A running span, in storage of the caller: on its stack, or in its own object where the span outlives
 *  the function. Not copyable once started. Used by one thread at a time; it may be started in one
 *  thread and ended in another. A zeroed struct is a valid span that records nothing. */
struct hoist_span {
  struct hoist_telemetry *telemetry; /**< read-only; NULL: this span records nothing */
  uint64_t private_[(HOIST_SPAN_SIZE - sizeof(void *)) / sizeof(uint64_t)];
};

/** Starts a span with no parent in this process. `remote` (may be NULL or invalid) is the parent in
 *  another process; without it a new trace begins. `name` is borrowed until the span ends.
 *  Threads: any */
HOIST_API void hoist_span_start_root(struct hoist_telemetry *telemetry, const char *name,
                                     enum hoist_span_kind kind,
                                     const struct hoist_span_context *remote,
                                     struct hoist_span *ret_span);

/** Starts a span under `parent` (NULL or recording nothing: this one records nothing either). The
 *  parent may belong to another thread and need only stay alive during this call. */
HOIST_API void hoist_span_start(const struct hoist_span *parent, const char *name,
                                enum hoist_span_kind kind, struct hoist_span *ret_span);

/** Sets an attribute; the last value of a key wins. NULL strings are ignored. Long values are cut at a
 *  UTF-8 boundary; what does not fit any more is dropped and counted on the span. */
HOIST_API void hoist_span_set_string(struct hoist_span *span, const char *key, const char *value);
HOIST_API void hoist_span_set_int(struct hoist_span *span, const char *key, int64_t value);
HOIST_API void hoist_span_set_double(struct hoist_span *span, const char *key, double value);
HOIST_API void hoist_span_set_bool(struct hoist_span *span, const char *key, int value);

/** Adds an event at the present time. */
HOIST_API void hoist_span_add_event(struct hoist_span *span, const char *name,
                                    const struct hoist_attr *attrs, size_t attr_count);

/** Status Error with `description`, attribute `error.type` = `type`. */
HOIST_API void hoist_span_set_error(struct hoist_span *span, const char *type,
                                    const char *description);

/** hoist_span_set_error out of an error record (`error.type` is the status's name), and one
 *  `exception` event with exception.type and exception.message. Nothing for HOIST_OK. */
HOIST_API void hoist_span_record_error(struct hoist_span *span, const struct hoist_error *err);

/** Ends the span and queues it for export; never blocks on I/O. The storage may be reused. Ending a
 *  zeroed or ended span does nothing. */
HOIST_API void hoist_span_end(struct hoist_span *span);

/** As hoist_span_start and hoist_span_end with times of the caller (nanoseconds since the Unix epoch),
 *  for phases that are known only afterwards. end < start is raised to start. */
HOIST_API void hoist_span_start_at(const struct hoist_span *parent, const char *name,
                                   enum hoist_span_kind kind, uint64_t start_unix_ns,
                                   struct hoist_span *ret_span);
HOIST_API void hoist_span_end_at(struct hoist_span *span, uint64_t end_unix_ns);

/** The span's identity; all zero for a span that records nothing. */
HOIST_API void hoist_span_get_context(const struct hoist_span *span,
                                      struct hoist_span_context *ret_context);

#define HOIST_TRACEPARENT_SIZE 56
/** Formats a W3C traceparent header value (version 00). Writes "" for an invalid context. */
HOIST_API void hoist_traceparent_format(const struct hoist_span_context *context,
                                        char out[HOIST_TRACEPARENT_SIZE]);
/** Parses a W3C traceparent header value; sets `remote`.
 *  Errors: INVALID anything the W3C recommendation rejects */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_traceparent_parse(
    const char *text, struct hoist_span_context *ret_context);

/* ---- metrics ----------------------------------------------------------------------------------- */

enum hoist_instrument_kind {
  HOIST_COUNTER = 1,         /**< monotonic sum */
  HOIST_UP_DOWN_COUNTER = 2, /**< sum that may fall */
  HOIST_HISTOGRAM = 3,       /**< explicit buckets */
  HOIST_GAUGE = 4            /**< the last value */
};

/** An instrument: static, constant data of the program; identified by its address. */
struct hoist_instrument {
  const char *name;
  const char *unit; /**< UCUM: "s", "By", "{load}" */
  const char *description;
  enum hoist_instrument_kind kind;
  const double
      *bounds; /**< histogram: ascending upper bounds, inclusive; NULL: for durations in s */
  size_t bound_count;
};

/** Adds to a counter or up-down counter, records one value of a histogram, or sets a gauge. Never sampled, never
 *  blocks on I/O. A counter ignores negative values.
 *  Threads: any */
HOIST_API void hoist_metric_add(struct hoist_telemetry *telemetry,
                                const struct hoist_instrument *instrument, double value,
                                const struct hoist_attr *attrs, size_t attr_count);

/* ---- a tracer the program already has ---------------------------------------------------------- */

/** What hoist calls instead of its own recorder. Every member but `metric_add` must be set. `user` is
 *  passed to every call. A span is whatever `span_start` returns; NULL is a span that records nothing
 *  and is never passed back. Calls come from any thread, also concurrently for different spans.
 *  Strings are borrowed for the length of the call. */
struct hoist_tracer {
  size_t size; /**< sizeof(struct hoist_tracer): lets later versions add members at the end */
  void *user;
  void *(*span_start)(void *user, const char *name, enum hoist_span_kind kind, void *parent,
                      const struct hoist_span_context *remote_parent, uint64_t start_unix_ns);
  void (*span_set_attr)(void *user, void *span, const struct hoist_attr *attr);
  void (*span_add_event)(void *user, void *span, const char *name, const struct hoist_attr *attrs,
                         size_t attr_count);
  void (*span_set_error)(void *user, void *span, const char *description);
  void (*span_get_context)(void *user, void *span, struct hoist_span_context *ret_context);
  void (*span_end)(void *user, void *span, uint64_t end_unix_ns);
  void (*metric_add)(void *user, const struct hoist_instrument *instrument, double value,
                     const struct hoist_attr *attrs, size_t attr_count); /**< may be NULL */
};

/** Wraps the program's tracer. The table is copied; `user` must outlive the telemetry object.
 *  @param ret_telemetry  on OK: release with hoist_telemetry_close
 *  Errors:  INVALID a required member is missing · NO_MEMORY */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_telemetry_adapt(
    const struct hoist_tracer *tracer, struct hoist_telemetry **ret_telemetry,
    struct hoist_error *err);

/* ---- our own recorder and exporters ------------------------------------------------------------ */

/** What is shown on standard error: a line per span; metrics as OTLP/JSON at each metric export. */
enum hoist_console { HOIST_CONSOLE_SPANS = 1, HOIST_CONSOLE_METRICS = 2 };

enum hoist_temporality { HOIST_TEMPORALITY_CUMULATIVE = 0, HOIST_TEMPORALITY_DELTA = 1 };
enum hoist_otlp_protocol { HOIST_OTLP_HTTP_PROTOBUF = 0, HOIST_OTLP_GRPC = 1 };
enum hoist_compression { HOIST_COMPRESSION_NONE = 0, HOIST_COMPRESSION_GZIP = 1 };

/** How to record and where to export. Fill with hoist_telemetry_config_init, then change what you
 *  need. Every string is borrowed until hoist_telemetry_open returns. */
struct hoist_telemetry_config {
  size_t size;              /**< set by hoist_telemetry_config_init */
  const char *service_name; /**< NULL: "unknown_service:<program>" */
  const char
      *resource_attributes;     /**< "key=value,…" percent-encoded, as OTEL_RESOURCE_ATTRIBUTES */
  const char *traces_endpoint;  /**< full URL ("http://127.0.0.1:4318/v1/traces"); NULL: none */
  const char *metrics_endpoint; /**< full URL; NULL: none */
  const char *headers;          /**< "key=value,…" percent-encoded; secrets, never shown */
  const char *ca_file;          /**< PEM; NULL: the system's */
  const char *trace_file;       /**< OTLP-JSON lines are appended here; NULL: none */
  int console;                  /**< HOIST_CONSOLE_* bits: also shown on standard error */
  uint64_t queue_bytes;         /**< memory for spans not yet exported. Default 4 MiB */
  uint32_t batch_delay_ms;      /**< longest wait before a batch leaves. Default 5000 */
  uint32_t export_timeout_ms;   /**< one batch, retries included. Default 10000; 0: no limit */
  uint32_t metric_interval_ms;  /**< Default 60000 */
  const char *sampler;          /**< as OTEL_TRACES_SAMPLER. Default "parentbased_always_on" */
  const char *sampler_arg;      /**< as OTEL_TRACES_SAMPLER_ARG */
  uint32_t attribute_value_max; /**< bytes per string value. Default 1024 */
  /** If set, gets every batch of spans as one OTLP TracesData message (protobuf), from the export
   *  thread, before the exporters run. Borrowed for the length of the call. */
  void (*on_spans)(void *user, const void *traces_data, size_t size);
  void *on_spans_user;
  /** Where warnings about telemetry itself go, one line each; NULL: standard error. */
  void (*on_warning)(void *user, const char *line);
  void *on_warning_user;
  uint32_t batch_spans_max;           /**< spans in one export. Default 512 */
  uint32_t metrics_export_timeout_ms; /**< as export_timeout_ms, for metrics. Default 10000 */
  const char *metrics_headers;        /**< for metrics; NULL: `headers`, "": none */
  const char *metrics_ca_file;        /**< for metrics; NULL: `ca_file`, "": system's */
  void *private_;                     /**< strings of hoist_telemetry_config_from_env */
  /** How the endpoints are spoken to. The path of a gRPC endpoint's URL is not used; http:// is
   *  HTTP/2 in cleartext ("http://127.0.0.1:4317"). */
  enum hoist_otlp_protocol traces_protocol, metrics_protocol;
  enum hoist_compression traces_compression, metrics_compression; /**< of requests */
  const char *client_certificate_file; /**< PEM, shown to a receiver that asks; NULL: none */
  const char *client_key_file;         /**< PEM; NULL: it is in the certificate's file */
  const char *metrics_client_certificate_file; /**< for metrics; NULL: as for traces, "": none */
  const char *metrics_client_key_file;         /**< for metrics; NULL: as for traces, "": none */
  /** Of counters and histograms; delta: since the export before, whether that arrived or not. */
  enum hoist_temporality metrics_temporality;
};

HOIST_API void hoist_telemetry_config_init(struct hoist_telemetry_config *config);

/** Reads the OTEL_* environment (and the names the Roboflow inference server uses for the same things)
 *  into `config`; unset variables leave their member alone. Strings point into storage owned by
 *  `config`: release with hoist_telemetry_config_done.
 *  @param get_env  how to look a variable up; NULL: getenv
 *  @return 1 when the environment asks for telemetry, 0 when nothing in it does (then do not open) */
HOIST_API int hoist_telemetry_config_from_env(struct hoist_telemetry_config *config,
                                              const char *(*get_env)(const char *name));
HOIST_API void hoist_telemetry_config_done(struct hoist_telemetry_config *config);

/** Starts recording and one export thread.
 *  Errors:  INVALID a malformed URL, sampler or header list · UNAVAILABLE the trace file cannot be
 *           opened · NO_MEMORY
 *  Threads: any */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_telemetry_open(
    const struct hoist_telemetry_config *config, struct hoist_telemetry **ret_telemetry,
    struct hoist_error *err);

/** Exports what has been recorded so far; blocks until it is done or `timeout_ms` passed.
 *  Errors:  TIMEOUT · UNAVAILABLE an exporter failed (the data is dropped and counted) */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_telemetry_flush(
    struct hoist_telemetry *telemetry, uint32_t timeout_ms, struct hoist_error *err);

/** Flushes for at most `timeout_ms`, stops the thread, frees everything. NULL is fine. All spans must
 *  have ended. */
HOIST_API void hoist_telemetry_close(struct hoist_telemetry *telemetry, uint32_t timeout_ms);

/** Counters of the telemetry itself. */
struct hoist_telemetry_status {
  uint64_t spans_ended;    /**< recorded and queued */
  uint64_t spans_dropped;  /**< lost because the queue was full or an export failed for good */
  uint64_t spans_exported; /**< accepted by every exporter */
  uint64_t exports_failed;
  char last_error[256]; /**< "" when there was none */
};
HOIST_API void hoist_telemetry_get_status(const struct hoist_telemetry *telemetry,
                                          struct hoist_telemetry_status *ret_status);

#ifdef __cplusplus
}
#endif
#endif
