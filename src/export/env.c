/* SPDX-License-Identifier: Apache-2.0 */
/* The OTEL_* environment, and the reference server's names for the same things. Standard names win. An
 * empty variable is unset; a bad value is warned about by name (and shown, where it cannot be secret)
 * and ignored. Copies what it keeps into a list that hangs on the configuration. One thread. */
#include <hoist/telemetry.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auto.h"
#include "endpoint.h"
#include "keyvalue.h"
#include "sampler.h"
#include "text.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"
/* What a span takes in the queue, for OTEL_BSP_MAX_QUEUE_SIZE: its default of 2048 is our 4 MiB. */
#define QUEUE_BYTES_PER_SPAN 2048

struct kept {
  struct kept *next;
  char text[];
};

struct env {
  struct hoist_telemetry_config *config;
  const char *(*get_env)(const char *name);
};

static const char *getenv_const(const char *name) {
  return getenv(name);
}

static const char *get(const struct env *env, const char *name) {
  const char *value = env->get_env(name);
  return value && *value ? value : NULL;
}

static void warn(const struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void warn(const struct env *env, const char *fmt, ...) {
  char text[400], line[480];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  snprintf(line, sizeof line, "telemetry: %s", text);
  if (env->config->on_warning)
    env->config->on_warning(env->config->on_warning_user, line);
  else
    fprintf(stderr, "hoist: %s\n", line);
}

static void keep(const struct env *env, const char *value, const char **ret_text) {
  size_t size = strlen(value) + 1;
  struct kept *kept = malloc(sizeof *kept + size);
  if (!kept) {
    warn(env, "out of memory, an environment variable is ignored");
    return;
  }
  memcpy(kept->text, value, size);
  kept->next = env->config->private_;
  env->config->private_ = kept;
  *ret_text = kept->text;
}

/* The first of up to two names that is set. */
static const char *first_set(const struct env *env, const char *const names[2],
                             const char **ret_name) {
  for (int i = 0; i < 2 && names[i]; i++) {
    *ret_name = names[i];
    const char *value = get(env, names[i]);
    if (value) return value;
  }
  return NULL;
}

static bool is_true(const struct env *env, const char *name) {
  const char *value = get(env, name);
  if (!value) return false;
  if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
    warn(env, "%s is \"%s\", neither true nor false: taken as false", name, value);
  return strcasecmp(value, "true") == 0;
}

/* ---- plain values -------------------------------------------------------------------------------- */

static void read_number(const struct env *env, const char *const names[2], uint32_t *number) {
  const char *name, *text = first_set(env, names, &name);
  uint64_t value;
  if (!text) return;
  if (!parse_u64(text, &value) || value > UINT32_MAX) {
    warn(env, "%s is \"%s\", not a whole number from 0 to %u: ignored", name, text, UINT32_MAX);
    return;
  }
  *number = (uint32_t)value;
}

static void read_numbers(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  const struct {
    const char *names[2]; /* the one that wins first */
    uint32_t *number;
  } numbers[] = {
      {{"OTEL_BSP_SCHEDULE_DELAY", "OTEL_TRACE_EXPORT_INTERVAL_MS"}, &c->batch_delay_ms},
      {{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", NULL}, &c->batch_spans_max},
      {{"OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_INTERVAL_MS"}, &c->metric_interval_ms},
      {{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"},
       &c->attribute_value_max},
      {{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"}, &c->export_timeout_ms},
      {{"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"},
       &c->metrics_export_timeout_ms},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    read_number(env, numbers[i].names, numbers[i].number);
}

/* The processor's limit on an export, which holds beside the exporter's own. */
static void read_limits(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  uint32_t limit_ms = 0, queue_spans = 0;
  read_number(env, (const char *const[2]){"OTEL_BSP_EXPORT_TIMEOUT"}, &limit_ms);
  if (limit_ms > 0 && (c->export_timeout_ms == 0 || limit_ms < c->export_timeout_ms))
    c->export_timeout_ms = limit_ms;
  limit_ms = 0;
  read_number(env, (const char *const[2]){"OTEL_METRIC_EXPORT_TIMEOUT"}, &limit_ms);
  if (limit_ms > 0 &&
      (c->metrics_export_timeout_ms == 0 || limit_ms < c->metrics_export_timeout_ms))
    c->metrics_export_timeout_ms = limit_ms;
  read_number(env, (const char *const[2]){"OTEL_BSP_MAX_QUEUE_SIZE"}, &queue_spans);
  if (queue_spans > 0) c->queue_bytes = (uint64_t)queue_spans * QUEUE_BYTES_PER_SPAN;
}

static void read_sampler(const struct env *env) {
  struct sampler unused;
  struct hoist_error error;
  const char *name = get(env, "OTEL_TRACES_SAMPLER"), *arg = get(env, "OTEL_TRACES_SAMPLER_ARG");
  const char *arg_name = "OTEL_TRACES_SAMPLER_ARG";
  if (!name && get(env, "OTEL_SAMPLING_RATE")) {
    name = "parentbased_traceidratio";
    arg = get(env, "OTEL_SAMPLING_RATE");
    arg_name = "OTEL_SAMPLING_RATE";
  }
  if (!name) return;
  if (sampler_parse(name, NULL, &unused, &error) != HOIST_OK) {
    warn(env, "OTEL_TRACES_SAMPLER: %s: ignored", error.message);
    return;
  }
  keep(env, name, &env->config->sampler);
  if (arg && sampler_parse(name, arg, &unused, &error) != HOIST_OK)
    warn(env, "%s: %s: ignored", arg_name, error.message);
  else if (arg)
    keep(env, arg, &env->config->sampler_arg);
}

static enum hoist_status accept_pair(void *user, const char *key, const char *value,
                                     struct hoist_error *err) {
  return HOIST_OK;
}

/* Header lists are secret: the warning names the variable only. */
static void read_headers(const struct env *env, const char *const names[2], const char **headers) {
  struct hoist_error error;
  const char *name, *text = first_set(env, names, &name);
  if (!text) return;
  if (keyvalue_each(text, accept_pair, NULL, &error) != HOIST_OK)
    warn(env, "%s: %s: ignored", name, error.message);
  else
    keep(env, text, headers);
}

static void read_text(const struct env *env, const char *const names[2], const char **text) {
  const char *name, *value = first_set(env, names, &name);
  if (value) keep(env, value, text);
}

static void read_texts(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  read_text(env, (const char *const[2]){"OTEL_SERVICE_NAME"}, &c->service_name);
  read_text(env, (const char *const[2]){"OTEL_RESOURCE_ATTRIBUTES"}, &c->resource_attributes);
  read_text(env,
            (const char *const[2]){"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                                   "OTEL_EXPORTER_OTLP_CERTIFICATE"},
            &c->ca_file);
  read_text(env,
            (const char *const[2]){"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
                                   "OTEL_EXPORTER_OTLP_CERTIFICATE"},
            &c->metrics_ca_file);
  read_headers(
      env,
      (const char *const[2]){"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
      &c->headers);
  read_headers(
      env,
      (const char *const[2]){"OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
      &c->metrics_headers);
  /* What was given for traces alone is not for the receiver of metrics. */
  if (!c->metrics_headers && get(env, "OTEL_EXPORTER_OTLP_TRACES_HEADERS")) c->metrics_headers = "";
  if (!c->metrics_ca_file && get(env, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"))
    c->metrics_ca_file = "";
}

/* ---- where to export ----------------------------------------------------------------------------- */

/* The variables of one signal. */
struct signal_names {
  const char *exporter; /* list of otlp, console, none */
  const char *endpoint; /* URL, used as it is */
  const char *protocol;
  const char
      *reference_endpoint;      /* host:port, the reference server's own for this signal, or NULL */
  const char *reference_switch; /* its boolean */
  const char *path;
};

static const struct signal_names traces = {"OTEL_TRACES_EXPORTER",
                                           "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                                           "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                                           NULL,
                                           "OTEL_TRACING_ENABLED",
                                           "v1/traces"};
static const struct signal_names metrics = {"OTEL_METRICS_EXPORTER",
                                            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                                            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                                            "OTEL_METRIC_EXPORTER_ENDPOINT",
                                            "OTEL_METRICS_ENABLED",
                                            "v1/metrics"};

static void warn_of_protocol(const struct env *env, const struct signal_names *names) {
  const char *name,
      *protocol = first_set(
          env, (const char *const[2]){names->protocol, "OTEL_EXPORTER_OTLP_PROTOCOL"}, &name);
  if (protocol && strcmp(protocol, "http/protobuf") != 0) {
    warn(env, "%s is \"%s\"; only http/protobuf is supported, and used", name, protocol);
    return;
  }
  const char *reference = get(env, "OTEL_EXPORTER_PROTOCOL");
  if (!protocol && reference && strcmp(reference, "http") != 0)
    warn(env, "OTEL_EXPORTER_PROTOCOL is \"%s\"; only http is supported, and used", reference);
}

/* URL of a variable that holds a whole one; `base` ones get the signal's path. NULL: none, or bad. */
static char *url_from(const struct env *env, const char *name, const char *path) {
  struct hoist_error error;
  const char *text = get(env, name);
  char *url = NULL;
  if (!text) return NULL;
  enum hoist_status status =
      path ? endpoint_join(text, path, &url, &error) : endpoint_check(text, NULL, &error);
  if (status != HOIST_OK) {
    warn(env, "%s: %s: ignored", name, error.message);
    return NULL;
  }
  return path ? url : text_dup(text);
}

/* The reference server's host:port. */
static char *url_from_reference(const struct env *env, const char *name, const char *path) {
  struct hoist_error error;
  const char *text = name ? get(env, name) : NULL;
  char *url = NULL;
  if (!text) return NULL;
  HOIST_AUTO(mem) char *base = text_format("%s%s", strstr(text, "://") ? "" : "http://", text);
  if (!base) return NULL;
  if (endpoint_join(base, path, &url, &error) != HOIST_OK)
    warn(env, "%s: %s: ignored", name, error.message);
  return url;
}

/* The most specific endpoint there is; NULL when none is set. */
static char *find_endpoint(const struct env *env, const struct signal_names *names,
                           bool with_reference) {
  char *url = url_from(env, names->endpoint, NULL);
  if (!url) url = url_from(env, "OTEL_EXPORTER_OTLP_ENDPOINT", names->path);
  if (!url && with_reference) url = url_from_reference(env, names->reference_endpoint, names->path);
  return url;
}

enum { EXPORT_OTLP = 1, EXPORT_CONSOLE = 2, EXPORT_UNSET = 4 };

/* The exporters a list names; EXPORT_UNSET where there is no list. */
static int read_exporters(const struct env *env, const char *name) {
  const char *value = get(env, name);
  int exporters = 0;
  if (!value) return EXPORT_UNSET;
  HOIST_AUTO(mem) char *copy = text_dup(value);
  for (char *entry, *rest = copy; (entry = strsep(&rest, ", ")) != NULL;) {
    if (strcmp(entry, "otlp") == 0)
      exporters |= EXPORT_OTLP;
    else if (strcmp(entry, "console") == 0)
      exporters |= EXPORT_CONSOLE;
    else if (*entry && strcmp(entry, "none") != 0)
      warn(env, "%s: exporter \"%s\" is not supported (otlp, console and none are): ignored", name,
           entry);
  }
  return exporters;
}

/* Whether the reference server's variables ask for the signal. Its switch decides where it is set;
 * an endpoint alone is enough otherwise. */
static bool reference_asks(const struct env *env, const struct signal_names *names) {
  if (get(env, names->reference_switch)) return is_true(env, names->reference_switch);
  return get(env, names->reference_endpoint ? names->reference_endpoint
                                            : "OTEL_EXPORTER_ENDPOINT") != NULL;
}

/* Returns whether the environment asks for the signal. */
static bool read_signal(const struct env *env, const struct signal_names *names,
                        const char **endpoint, int console_bit) {
  int exporters = read_exporters(env, names->exporter);
  bool by_reference = reference_asks(env, names);
  HOIST_AUTO(mem) char *url = find_endpoint(env, names, by_reference || exporters != EXPORT_UNSET);
  if (exporters == EXPORT_UNSET) exporters = url || by_reference ? EXPORT_OTLP : EXPORT_UNSET;
  if (exporters == EXPORT_UNSET) return false;
  *endpoint = NULL;
  env->config->console &= ~console_bit;
  if (exporters & EXPORT_CONSOLE) env->config->console |= console_bit;
  if (exporters & EXPORT_OTLP) {
    if (!url) url = url_from_reference(env, "OTEL_EXPORTER_ENDPOINT", names->path);
    if (!url) url = text_format("%s/%s", DEFAULT_ENDPOINT, names->path);
    if (url) keep(env, url, endpoint);
    warn_of_protocol(env, names);
  }
  return exporters != 0;
}

int hoist_telemetry_config_from_env(struct hoist_telemetry_config *config,
                                    const char *(*get_env)(const char *name)) {
  struct env env = {.config = config, .get_env = get_env ? get_env : getenv_const};
  if (is_true(&env, "OTEL_SDK_DISABLED")) return 0;
  bool has_traces = read_signal(&env, &traces, &config->traces_endpoint, HOIST_CONSOLE_SPANS);
  bool has_metrics = read_signal(&env, &metrics, &config->metrics_endpoint, HOIST_CONSOLE_METRICS);
  read_numbers(&env);
  read_limits(&env);
  read_sampler(&env);
  read_texts(&env);
  return has_traces || has_metrics;
}

void hoist_telemetry_config_done(struct hoist_telemetry_config *config) {
  for (struct kept *kept = config->private_, *next; kept; kept = next) {
    next = kept->next;
    free(kept);
  }
  hoist_telemetry_config_init(config);
}
