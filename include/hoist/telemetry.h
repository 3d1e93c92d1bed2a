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

#include <hoist/metrics.h>
#include <hoist/propagation.h>
#include <hoist/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a tracer the program already has ---------------------------------------------------------- */

/** What hoist calls instead of its own recorder. Every member must be set but those that may be NULL.
 *  `user` is passed to every call. A span is whatever `span_start` returns; NULL is a span that records
 *  nothing and is never passed back. Calls come from any thread, also concurrently for different spans.
 *  Strings are borrowed for the length of the call. */
struct hoist_tracer {
  size_t size; /**< sizeof(struct hoist_tracer): lets later versions add members at the end */
  void *user;
  void *(*span_start)(void *user, const char *name, enum hoist_span_kind kind, void *parent,
                      const struct hoist_span_context *remote_parent, uint64_t start_unix_ns);
  void (*span_set_attr)(void *user, void *span, const struct hoist_attr *attr);
  void (*span_add_event)(void *user, void *span, const char *name, uint64_t unix_ns,
                         const struct hoist_attr *attrs, size_t attr_count);
  void (*span_set_status)(void *user, void *span, enum hoist_span_status status,
                          const char *description);
  void (*span_get_context)(void *user, void *span, struct hoist_span_context *ret_context);
  void (*span_end)(void *user, void *span, uint64_t end_unix_ns);
  /* These may be NULL: */
  void (*metric_add)(void *user, const struct hoist_instrument *instrument, double value,
                     const struct hoist_attr *attrs, size_t attr_count);
  void (*span_add_link)(void *user, void *span, const struct hoist_span_context *context,
                        const struct hoist_attr *attrs, size_t attr_count);
  void (*span_update_name)(void *user, void *span, const char *name);
  int (*span_is_recording)(void *user, void *span); /* NULL: every span does */
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
/** What outgoing requests of hoist carry on; bits. */
enum hoist_propagator {
  HOIST_PROPAGATE_TRACECONTEXT = 1,
  HOIST_PROPAGATE_BAGGAGE = 2,
  /** Beside TRACECONTEXT: the remote parent's context goes on as it came, and none where there is no
   *  remote parent. For spans that nobody else will see. */
  HOIST_PROPAGATE_UNCHANGED = 4
};
/** Which measurements may become exemplars: those made in a sampled span, none, all. */
enum hoist_exemplar_filter {
  HOIST_EXEMPLARS_TRACE_BASED = 0,
  HOIST_EXEMPLARS_OFF = 1,
  HOIST_EXEMPLARS_ALL = 2
};

/** How much a span may hold (Trace SDK, "Span Limits"); 0 is "none at all". What is over is dropped and
 *  counted on the span. Beside them holds the room: a span takes up to one chunk of the queue. */
struct hoist_span_limits {
  uint32_t attributes, events, links;         /**< of a span. Default 128 each */
  uint32_t event_attributes, link_attributes; /**< of one event, one link. Default 128 */
};

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
  uint64_t queue_bytes;    /**< memory for spans not yet exported, 16 KiB to 1 GiB. Default 4 MiB */
  uint32_t batch_delay_ms; /**< longest wait before a batch leaves, at least 10. Default 5000 */
  uint32_t export_timeout_ms;   /**< one batch, retries included. Default 10000; 0: no limit */
  uint32_t metric_interval_ms;  /**< at least 10. Default 60000 */
  const char *sampler;          /**< as OTEL_TRACES_SAMPLER. Default "parentbased_always_on" */
  const char *sampler_arg;      /**< as OTEL_TRACES_SAMPLER_ARG */
  uint32_t attribute_value_max; /**< bytes per string value. Default UINT32_MAX; never over 8 KiB */
  /** If set, gets every batch of spans as one OTLP TracesData message (protobuf), from the export
   *  thread, before the exporters run. Borrowed for the length of the call. */
  void (*on_spans)(void *user, const void *traces_data, size_t size);
  void *on_spans_user;
  /** Where warnings about telemetry itself go, one line each; NULL: standard error. Called by the export
   *  thread, and by the thread that reads the environment, opens, or first records in a forked child. */
  void (*on_warning)(void *user, const char *line);
  void *on_warning_user;
  uint32_t batch_spans_max;           /**< spans in one export, at least 1. Default 512 */
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
  const char *scope_name, *scope_version; /**< of what `telemetry` itself records; NULL: hoist's */
  struct hoist_span_limits span_limits;
  unsigned propagators; /**< HOIST_PROPAGATE_* bits. Default both */
  /** Whether a request's X-Force-Trace makes its trace recorded, whatever the sampler says.
   *  Default 0: whoever may send requests could fill the collector. */
  int allow_forced_traces;
  enum hoist_exemplar_filter exemplar_filter;
  int exponential_histograms; /**< 1: HOIST_HISTOGRAM too gets exponential buckets. Default 0 */
  /** Prometheus text is written here whenever metrics are exported, whole or not at all (for
   *  node_exporter's textfile collector, say); NULL: none. A forked child leaves the file alone. */
  const char *metrics_file;
};

HOIST_API void hoist_telemetry_config_init(struct hoist_telemetry_config *config);

/** Reads the OTEL_* environment (and the names the Roboflow inference server uses for the same things)
 *  into `config`; unset variables leave their member alone. Strings point into storage owned by
 *  `config`: release with hoist_telemetry_config_done.
 *  @param get_env  how to look a variable up; NULL: getenv
 *  @return 1 when the environment asks for telemetry; 0 when nothing in it does, or OTEL_SDK_DISABLED is
 *          true. Then open only for what the program itself asks for (trace_file, on_spans, …), and, to
 *          honour that variable, only where it is not "true" */
HOIST_API int hoist_telemetry_config_from_env(struct hoist_telemetry_config *config,
                                              const char *(*get_env)(const char *name));
HOIST_API void hoist_telemetry_config_done(struct hoist_telemetry_config *config);

/** Starts recording and one export thread.
 *  Errors:  INVALID a malformed URL, sampler or header list, a header that is the protocol's own, a number
 *           that an enum does not have · by errno the trace file cannot be opened: NOT_FOUND, DENIED,
 *           UNAVAILABLE (also a pipe that nobody reads) · NO_MEMORY
 *  Threads: any */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_telemetry_open(
    const struct hoist_telemetry_config *config, struct hoist_telemetry **ret_telemetry,
    struct hoist_error *err);

/** Exports what has been recorded so far; blocks until it is done or `timeout_ms` passed.
 *  Errors:  TIMEOUT · UNAVAILABLE an exporter failed (the data is dropped and counted), or there is no
 *           export thread · INVALID called from a callback of this telemetry */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_telemetry_flush(
    struct hoist_telemetry *telemetry, uint32_t timeout_ms, struct hoist_error *err);

/** Flushes for at most `timeout_ms`, stops the thread, frees everything. NULL is fine, and so is a view,
 *  which goes with the whole. No other thread may be in a call with `telemetry`, its views, spans or bound
 *  instruments meanwhile, and none of them may be used afterwards: a span that is still open is not ended,
 *  but forgotten. A program that exits without hoist_telemetry_close or _flush loses what waits for export.
 *
 *  Returns at most 250 ms later than that, whatever collectors, files and standard error do: where one of
 *  them holds the thread up, the thread is left to free everything itself. Only a callback of the program's
 *  is waited for until it returns. From such a callback close returns at once. */
HOIST_API void hoist_telemetry_close(struct hoist_telemetry *telemetry, uint32_t timeout_ms);

/** A view of `telemetry` whose spans and metrics carry an instrumentation scope of their own (Trace API,
 *  "Get a Tracer"): a library gives its name, and may share its program's telemetry. The same name and
 *  version give the same view. It lives as long as `telemetry`, is not closed, and spans of different
 *  views may be each other's parents. Strings are copied. (struct hoist_scope is something else: a thread's
 *  current span.)
 *  @return `telemetry` itself for a host's tracer and beyond 15 scopes; NULL for NULL
 *  Threads: any */
HOIST_API struct hoist_telemetry *hoist_telemetry_scope(struct hoist_telemetry *telemetry,
                                                        const char *name, const char *version);

/** Every metric as Prometheus text (exposition format 0.0.4), cumulative whatever the exporters get.
 *  @param ret_text  on OK: NUL-terminated, release with free()
 *  @param ret_size  its bytes without the NUL; may be NULL
 *  Errors:  UNSUPPORTED a host's tracer keeps its own metrics, or `telemetry` is NULL · UNAVAILABLE another
 *           thread is just taking over in a forked process · NO_MEMORY. Text beyond 64 MiB is no error:
 *           it ends with the last attribute set that has room
 *  Threads: any */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_telemetry_prometheus(
    struct hoist_telemetry *telemetry, char **ret_text, size_t *ret_size, struct hoist_error *err);

/** Counters of the telemetry itself, since it was opened or the process was forked. Also metrics
 *  (docs/telemetry.md, "Metrics"). */
struct hoist_telemetry_status {
  uint64_t spans_started;  /**< sampled, so recorded */
  uint64_t spans_ended;    /**< of those, ended and queued */
  uint64_t spans_exported; /**< accepted by every exporter */
  uint64_t spans_dropped;  /**< lost, in all, and by reason: */
  struct {
    uint64_t queue_full;    /**< more came than the exporters took away; also copies that ended */
    uint64_t export_failed; /**< an exporter gave a batch up */
    uint64_t rejected;      /**< the collector refused them (partial success) */
    uint64_t shutdown;      /**< no time was left at close */
    uint64_t no_memory;
  } dropped;
  uint64_t queue_bytes;     /**< waiting to be exported */
  uint64_t queue_bytes_max; /**< room for them, fixed at open */
  uint64_t exports_ok;      /**< requests and writes that succeeded, of all exporters */
  uint64_t exports_failed;
  char last_error[256]; /**< "" when there was none */
};
HOIST_API void hoist_telemetry_get_status(const struct hoist_telemetry *telemetry,
                                          struct hoist_telemetry_status *ret_status);

#ifdef __cplusplus
}
#endif
#endif
