/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: from the configuration to a running pipeline. Everything is checked before the thread
 * starts. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline.h"
#include "self.h"
#include "text.h"

enum { FIRST_BACKOFF_MS = 1000, DELAY_MIN_MS = 10 /* keeps the worker from spinning */ };

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void) {
  (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void hoist_telemetry_config_init(struct hoist_telemetry_config *config) {
  *config = (struct hoist_telemetry_config){
      .size = sizeof *config,
      .queue_bytes = UINT64_C(4) << 20,
      .batch_delay_ms = 5000,
      .export_timeout_ms = 10000,
      .metric_interval_ms = 60000,
      .attribute_value_max = UINT32_MAX,
      .batch_spans_max = 512,
      .metrics_export_timeout_ms = 10000,
      .span_limits = {128, 128, 128, 128, 128},
      .propagators = HOIST_PROPAGATE_TRACECONTEXT | HOIST_PROPAGATE_BAGGAGE,
  };
}

/* Takes the exporter that `status` says was made. */
static enum hoist_status add(struct pipeline *p, enum hoist_status status,
                             struct exporter *exporter) {
  if (status != HOIST_OK) return status;
  exporter->on_trouble = pipeline_on_trouble;
  exporter->on_trouble_user = p;
  p->exporters[p->exporter_count++] = exporter;
  return HOIST_OK;
}

static enum hoist_status add_otlp(struct pipeline *p, enum hoist_otlp_protocol protocol,
                                  const struct otlp_config *config, struct hoist_error *err) {
  struct exporter *exporter = NULL;
  if (!config->url) return HOIST_OK;
  enum hoist_status status = protocol == HOIST_OTLP_GRPC ? otlp_grpc_new(config, &exporter, err)
                                                         : otlp_http_new(config, &exporter, err);
  return add(p, status, exporter);
}

static enum hoist_status add_file(struct pipeline *p, const char *path, struct hoist_error *err) {
  struct exporter *exporter = NULL;
  if (!path || !*path) return HOIST_OK;
  enum hoist_status status = otlp_file_new(path, &exporter, err);
  return add(p, status, exporter);
}

static enum hoist_status add_console(struct pipeline *p, int bits, struct hoist_error *err) {
  struct exporter *exporter = NULL;
  unsigned signals = (bits & HOIST_CONSOLE_SPANS ? (unsigned)SIGNAL_TRACES : 0) |
                     (bits & HOIST_CONSOLE_METRICS ? (unsigned)SIGNAL_METRICS : 0);
  if (!signals) return HOIST_OK;
  enum hoist_status status = console_new(STDERR_FILENO, signals, &exporter, err);
  return add(p, status, exporter);
}

static const char *first(const char *own, const char *general) {
  return own ? own : general;
}

static struct otlp_config traces_config(const struct pipeline *p,
                                        const struct hoist_telemetry_config *config) {
  return (struct otlp_config){.signal = SIGNAL_TRACES,
                              .url = config->traces_endpoint,
                              .headers = config->headers,
                              .ca_file = config->ca_file,
                              .client_certificate_file = config->client_certificate_file,
                              .client_key_file = config->client_key_file,
                              .gzip = config->traces_compression == HOIST_COMPRESSION_GZIP,
                              .timeout_ms = config->export_timeout_ms,
                              .backoff_ms = FIRST_BACKOFF_MS,
                              .stop_at_ns = &p->stop_at_ns};
}

static struct otlp_config metrics_config(const struct pipeline *p,
                                         const struct hoist_telemetry_config *config) {
  return (struct otlp_config){
      .signal = SIGNAL_METRICS,
      .url = config->metrics_endpoint,
      .headers = first(config->metrics_headers, config->headers),
      .ca_file = first(config->metrics_ca_file, config->ca_file),
      .client_certificate_file =
          first(config->metrics_client_certificate_file, config->client_certificate_file),
      .client_key_file = first(config->metrics_client_key_file, config->client_key_file),
      .gzip = config->metrics_compression == HOIST_COMPRESSION_GZIP,
      .timeout_ms = config->metrics_export_timeout_ms,
      .backoff_ms = FIRST_BACKOFF_MS,
      .stop_at_ns = &p->stop_at_ns};
}

static enum hoist_status add_exporters(struct pipeline *p,
                                       const struct hoist_telemetry_config *config,
                                       struct hoist_error *err) {
  struct otlp_config traces = traces_config(p, config), metrics = metrics_config(p, config);
  /* The ones that cannot hang come first. */
  enum hoist_status status = add_file(p, config->trace_file, err);
  if (status == HOIST_OK) status = add_console(p, config->console, err);
  if (status == HOIST_OK) status = add_otlp(p, config->traces_protocol, &traces, err);
  if (status == HOIST_OK) status = add_otlp(p, config->metrics_protocol, &metrics, err);
  return status;
}

static uint32_t at_least(uint32_t value, uint32_t low) {
  return value > low ? value : low;
}

static enum hoist_status copy_settings(struct pipeline *p,
                                       const struct hoist_telemetry_config *config,
                                       struct hoist_error *err) {
  p->batch_delay_ms = at_least(config->batch_delay_ms, DELAY_MIN_MS);
  p->metric_interval_ms = at_least(config->metric_interval_ms, DELAY_MIN_MS);
  p->batch_spans_max = at_least(config->batch_spans_max, 1);
  p->propagators = config->propagators;
  p->on_spans = config->on_spans;
  p->on_spans_user = config->on_spans_user;
  p->on_warning = config->on_warning;
  p->on_warning_user = config->on_warning_user;
  p->service_name = text_dup(config->service_name);
  p->resource_attributes = text_dup(config->resource_attributes);
  p->metrics_file = text_dup(config->metrics_file);
  if ((config->metrics_file && !p->metrics_file) || (config->service_name && !p->service_name) ||
      (config->resource_attributes && !p->resource_attributes))
    return hoist_fail_memory(err, "the telemetry settings");
  return HOIST_OK;
}

static enum hoist_status build(struct pipeline *p, const struct hoist_telemetry_config *config,
                               struct hoist_error *err) {
  struct recorder_config recorder = {
      .queue_bytes = config->queue_bytes,
      .attribute_value_max = config->attribute_value_max,
      .limits = config->span_limits,
      .allow_forced = config->allow_forced_traces != 0,
      .scope_name = config->scope_name,
      .scope_version = config->scope_version,
      .temporality = config->metrics_temporality,
      .metrics = {config->exponential_histograms != 0, config->exemplar_filter},
      .on_pressure = pipeline_on_pressure,
      .on_reset = pipeline_on_reset,
      .on_fork = pipeline_on_fork,
      .user = p};
  enum hoist_status status =
      sampler_parse(config->sampler, config->sampler_arg, &recorder.sampler, err);
  if (status == HOIST_OK) status = recorder_init(&p->recorder, &recorder, &pipeline_lifetime, err);
  if (status != HOIST_OK) return status;
  status = self_init(p, err);
  if (status == HOIST_OK) status = copy_settings(p, config, err);
  if (status == HOIST_OK) status = add_exporters(p, config, err);
  return status == HOIST_OK ? pipeline_start(p, err) : status;
}

static bool is_protocol(enum hoist_otlp_protocol protocol) {
  return protocol == HOIST_OTLP_HTTP_PROTOBUF || protocol == HOIST_OTLP_GRPC;
}

static bool is_compression(enum hoist_compression compression) {
  return compression == HOIST_COMPRESSION_NONE || compression == HOIST_COMPRESSION_GZIP;
}

/* A program may put any number into an enum. */
static enum hoist_status check_enums(const struct hoist_telemetry_config *c,
                                     struct hoist_error *err) {
  const struct {
    const char *member;
    bool is_known;
  } enums[] = {
      {"traces_protocol", is_protocol(c->traces_protocol)},
      {"metrics_protocol", is_protocol(c->metrics_protocol)},
      {"traces_compression", is_compression(c->traces_compression)},
      {"metrics_compression", is_compression(c->metrics_compression)},
      {"metrics_temporality", c->metrics_temporality == HOIST_TEMPORALITY_CUMULATIVE ||
                                  c->metrics_temporality == HOIST_TEMPORALITY_DELTA},
      {"exemplar_filter", c->exemplar_filter == HOIST_EXEMPLARS_TRACE_BASED ||
                              c->exemplar_filter == HOIST_EXEMPLARS_ALL ||
                              c->exemplar_filter == HOIST_EXEMPLARS_OFF},
  };
  for (size_t i = 0; i < sizeof enums / sizeof enums[0]; i++)
    if (!enums[i].is_known)
      return hoist_fail(err, HOIST_INVALID,
                        "the telemetry configuration's %s is none of its values", enums[i].member);
  return HOIST_OK;
}

enum hoist_status hoist_telemetry_open(const struct hoist_telemetry_config *config,
                                       struct hoist_telemetry **ret_telemetry,
                                       struct hoist_error *err) {
  struct hoist_telemetry_config complete;
  if (!config || !ret_telemetry || config->size == 0 || config->size > sizeof complete)
    return hoist_fail(err, HOIST_INVALID,
                      "the telemetry configuration was not made by hoist_telemetry_config_init");
  hoist_telemetry_config_init(&complete); /* a program built with an older header knows less */
  memcpy(&complete, config, config->size);
  enum hoist_status status = check_enums(&complete, err);
  if (status != HOIST_OK) return status;
  pthread_once(&curl_once, init_curl);
  struct pipeline *p = calloc(1, sizeof *p);
  if (!p) return hoist_fail_memory(err, "telemetry");
  atomic_init(&p->stop_at_ns, UINT64_MAX);
  pipeline_init_locks(p);
  status = build(p, &complete, err);
  if (status != HOIST_OK) {
    pipeline_free(p);
    return status;
  }
  *ret_telemetry = &p->recorder.scopes[0].base;
  return HOIST_OK;
}
