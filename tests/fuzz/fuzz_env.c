/* SPDX-License-Identifier: Apache-2.0 */
/* An environment: each line begins with a character that says which variable ('0' the first of the table
 * below, '1' the second, …), the rest is its value. What is read from it can be used. */
#include <hoist/telemetry.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sampler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_PROPAGATORS",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "HOIST_ALLOW_FORCED_TRACES",
    "OTEL_TRACING_ENABLED",
    "OTEL_METRICS_ENABLED",
    "OTEL_EXPORTER_ENDPOINT",
    "OTEL_METRIC_EXPORTER_ENDPOINT",
    "OTEL_EXPORTER_PROTOCOL",
    "OTEL_SAMPLING_RATE",
    "OTEL_TRACE_EXPORT_INTERVAL_MS",
    "OTEL_METRIC_EXPORT_INTERVAL_MS",
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

static const char *values[NAME_COUNT];

static void require(int condition) {
  if (!condition) abort();
}

static const char *get(const char *name) {
  for (size_t i = 0; i < NAME_COUNT; i++)
    if (strcmp(names[i], name) == 0) return values[i];
  return NULL;
}

/* One line of text, whatever the value it is about. */
static void check_warning(void *user, const char *line) {
  require(*line != '\0');
  for (; *line; line++)
    require((unsigned char)*line >= ' ' && *line != 0x7f);
}

static void check_url(const char *url) {
  require(!url || strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
}

static void check(const struct hoist_telemetry_config *c, int is_wanted) {
  struct sampler sampler;
  const unsigned all = HOIST_PROPAGATE_TRACECONTEXT | HOIST_PROPAGATE_BAGGAGE;
  require((c->propagators & ~all) == 0);
  require(c->allow_forced_traces == 0 || c->allow_forced_traces == 1);
  require(c->batch_spans_max > 0 && c->queue_bytes > 0);
  check_url(c->traces_endpoint);
  check_url(c->metrics_endpoint);
  require(sampler_parse(c->sampler, c->sampler_arg, &sampler, NULL) == HOIST_OK);
  require(is_wanted || (!c->traces_endpoint && !c->metrics_endpoint && !c->console));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_telemetry_config config;
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  memset(values, 0, sizeof values);
  for (char *line, *rest = text; (line = strsep(&rest, "\n")) != NULL;)
    if (*line >= '0' && *line < '0' + NAME_COUNT) values[*line - '0'] = line + 1;
  hoist_telemetry_config_init(&config);
  config.on_warning = check_warning;
  check(&config, hoist_telemetry_config_from_env(&config, get));
  hoist_telemetry_config_done(&config);
  require(!config.private_ && !config.traces_endpoint && !config.sampler);
  free(text);
  return 0;
}
