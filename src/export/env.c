/* SPDX-License-Identifier: Apache-2.0 */
/* The OTEL_* environment, and the reference server's names for the same things. Standard names win. An
 * empty variable is unset; a bad value is warned about by name (and shown, where it cannot be secret)
 * and ignored. Copies what it keeps into a list that hangs on the configuration. One thread. */
#include "env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auto.h"
#include "buf.h"
#include "header.h"
#include "sampler.h"
#include "text.h"

/* What a span takes in the queue, for OTEL_BSP_MAX_QUEUE_SIZE: its default of 2048 is our 4 MiB. */
#define QUEUE_BYTES_PER_SPAN 2048
#define WARNINGS_MAX_BYTES (64u << 10) /* remembered; all there can be are a fraction of that */

struct kept {
  struct kept *next;
  char text[];
};

static const char *getenv_const(const char *name) {
  return getenv(name);
}

const char *env_get(const struct env *env, const char *name) {
  const char *value = env->get_env(name);
  return value && *value ? value : NULL;
}

/* Whether the line was said before: a general variable is looked at once for each signal. */
static bool is_said(const struct env *env, const char *line) {
  char framed[512];
  snprintf(framed, sizeof framed, "\n%s\n", line);
  if (strstr(buf_str(env->said), framed)) return true;
  enum hoist_status ignored = buf_append_str(env->said, framed, NULL);
  (void)ignored; /* at worst it is said twice */
  return false;
}

void env_warn(const struct env *env, const char *fmt, ...) {
  char text[400], line[480];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  for (char *p = text; *p; p++)
    if ((unsigned char)*p < ' ' || *p == 0x7f) *p = '?';
  snprintf(line, sizeof line, "telemetry: %s", text);
  if (is_said(env, line)) return;
  if (env->config->on_warning)
    env->config->on_warning(env->config->on_warning_user, line);
  else
    fprintf(stderr, "hoist: %s\n", line);
}

void env_keep(const struct env *env, const char *value, const char **ret_text) {
  size_t size = strlen(value) + 1;
  struct kept *kept = malloc(sizeof *kept + size);
  if (!kept) {
    env_warn(env, "out of memory, an environment variable is ignored");
    return;
  }
  memcpy(kept->text, value, size);
  kept->next = env->config->private_;
  env->config->private_ = kept;
  *ret_text = kept->text;
}

const char *env_first_set(const struct env *env, const char *const names[2],
                          const char **ret_name) {
  for (int i = 0; i < 2 && names[i]; i++) {
    *ret_name = names[i];
    const char *value = env_get(env, names[i]);
    if (value) return value;
  }
  return NULL;
}

bool env_is_true(const struct env *env, const char *name) {
  const char *value = env_get(env, name);
  if (!value) return false;
  if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
    env_warn(env, "%s is \"%s\", neither true nor false: taken as false", name, value);
  return strcasecmp(value, "true") == 0;
}

/* ---- plain values -------------------------------------------------------------------------------- */

/* The first of the names that has a usable value counts. */
static void read_number(const struct env *env, const char *const names[2], uint32_t low,
                        uint32_t *number) {
  for (int i = 0; i < 2 && names[i]; i++) {
    const char *text = env_get(env, names[i]);
    uint64_t value;
    if (!text) continue;
    if (parse_u64(text, &value) && value >= low && value <= UINT32_MAX) {
      *number = (uint32_t)value;
      return;
    }
    env_warn(env, "%s is \"%s\", not a whole number from %u to %u: ignored", names[i], text, low,
             UINT32_MAX);
  }
}

static void read_numbers(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  struct hoist_span_limits *limits = &c->span_limits;
  const struct {
    const char *names[2]; /* the one that wins first */
    uint32_t *number;
  } numbers[] = {
      {{"OTEL_BSP_SCHEDULE_DELAY", "OTEL_TRACE_EXPORT_INTERVAL_MS"}, &c->batch_delay_ms},
      {{"OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_INTERVAL_MS"}, &c->metric_interval_ms},
      {{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"},
       &c->attribute_value_max},
      {{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"}, &limits->attributes},
      {{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"},
       &limits->event_attributes},
      {{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"}, &limits->link_attributes},
      {{"OTEL_SPAN_EVENT_COUNT_LIMIT", NULL}, &limits->events},
      {{"OTEL_SPAN_LINK_COUNT_LIMIT", NULL}, &limits->links},
      {{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"}, &c->export_timeout_ms},
      {{"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"},
       &c->metrics_export_timeout_ms},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    read_number(env, numbers[i].names, 0, numbers[i].number);
}

/* A further limit on an export, beside the exporter's own; 0: none. */
static void tighten(const struct env *env, const char *name, uint32_t *timeout_ms) {
  uint32_t limit_ms = 0;
  read_number(env, (const char *const[2]){name}, 0, &limit_ms);
  if (limit_ms > 0 && (*timeout_ms == 0 || limit_ms < *timeout_ms)) *timeout_ms = limit_ms;
}

/* What the batching processor and the metric reader hold to. */
static void read_processors(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  uint32_t queue_spans = 0;
  tighten(env, "OTEL_BSP_EXPORT_TIMEOUT", &c->export_timeout_ms);
  tighten(env, "OTEL_METRIC_EXPORT_TIMEOUT", &c->metrics_export_timeout_ms);
  read_number(env, (const char *const[2]){"OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}, 1,
              &c->batch_spans_max);
  read_number(env, (const char *const[2]){"OTEL_BSP_MAX_QUEUE_SIZE"}, 1, &queue_spans);
  if (queue_spans > 0) c->queue_bytes = (uint64_t)queue_spans * QUEUE_BYTES_PER_SPAN;
}

static bool is_sampler(const struct env *env, const char *variable, const char *name,
                       const char *arg) {
  struct sampler unused;
  struct hoist_error error;
  if (sampler_parse(name, arg, &unused, &error) == HOIST_OK) return true;
  env_warn(env, "%s: %s: ignored", variable, error.message);
  return false;
}

static void read_sampler(const struct env *env) {
  static const char by_name[] = "OTEL_TRACES_SAMPLER", by_arg[] = "OTEL_TRACES_SAMPLER_ARG",
                    by_rate[] = "OTEL_SAMPLING_RATE", ratio[] = "parentbased_traceidratio";
  const char *name = env_get(env, by_name), *arg = env_get(env, by_arg),
             *rate = env_get(env, by_rate);
  struct hoist_telemetry_config *c = env->config;
  if (name) {
    if (!is_sampler(env, by_name, name, NULL)) return;
    env_keep(env, name, &c->sampler);
    if (arg && is_sampler(env, by_arg, name, arg)) env_keep(env, arg, &c->sampler_arg);
  } else if (rate && is_sampler(env, by_rate, ratio, rate)) {
    env_keep(env, ratio, &c->sampler);
    env_keep(env, rate, &c->sampler_arg);
  }
}

/* "lowmemory" differs from "delta" only for instruments that are read when they are exported, of which there
 * are none here. */
static void read_temporality(const struct env *env) {
  static const char name[] = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
  const char *text = env_get(env, name);
  if (!text) return;
  if (strcasecmp(text, "delta") == 0 || strcasecmp(text, "lowmemory") == 0)
    env->config->metrics_temporality = HOIST_TEMPORALITY_DELTA;
  else if (strcasecmp(text, "cumulative") == 0)
    env->config->metrics_temporality = HOIST_TEMPORALITY_CUMULATIVE;
  else
    env_warn(env, "%s is \"%s\"; cumulative, delta and lowmemory are known: ignored", name, text);
}

static void read_exemplar_filter(const struct env *env) {
  static const struct {
    const char *text;
    enum hoist_exemplar_filter filter;
  } filters[] = {{"trace_based", HOIST_EXEMPLARS_TRACE_BASED},
                 {"always_on", HOIST_EXEMPLARS_ALL},
                 {"always_off", HOIST_EXEMPLARS_OFF}};
  static const char name[] = "OTEL_METRICS_EXEMPLAR_FILTER";
  const char *text = env_get(env, name);
  if (!text) return;
  for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
    if (strcasecmp(text, filters[i].text) == 0) {
      env->config->exemplar_filter = filters[i].filter;
      return;
    }
  env_warn(env, "%s is \"%s\"; trace_based, always_on and always_off are known: ignored", name,
           text);
}

static void read_histogram_aggregation(const struct env *env) {
  static const char name[] = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
  const char *text = env_get(env, name);
  if (!text) return;
  if (strcasecmp(text, "base2_exponential_bucket_histogram") == 0)
    env->config->exponential_histograms = 1;
  else if (strcasecmp(text, "explicit_bucket_histogram") == 0)
    env->config->exponential_histograms = 0;
  else
    env_warn(env,
             "%s is \"%s\"; explicit_bucket_histogram and base2_exponential_bucket_histogram are "
             "known: ignored",
             name, text);
}

static enum hoist_status accept_pair(void *user, const char *key, const char *value,
                                     struct hoist_error *err) {
  return HOIST_OK;
}

/* Header lists are secret: the warning names the variable only. */
static void read_headers(const struct env *env, const char *const names[2], const char **headers) {
  struct hoist_error error;
  const char *name, *text = env_first_set(env, names, &name);
  if (!text) return;
  if (header_each(text, accept_pair, NULL, &error) != HOIST_OK)
    env_warn(env, "%s: %s: ignored", name, error.message);
  else
    env_keep(env, text, headers);
}

static void read_text(const struct env *env, const char *const names[2], const char **text) {
  const char *name, *value = env_first_set(env, names, &name);
  if (value) env_keep(env, value, text);
}

static void read_texts(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  const struct {
    const char *names[2];
    const char **text;
  } texts[] = {
      {{"OTEL_SERVICE_NAME"}, &c->service_name},
      {{"OTEL_RESOURCE_ATTRIBUTES"}, &c->resource_attributes},
      {{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"}, &c->ca_file},
      {{"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"},
       &c->metrics_ca_file},
      {{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
       &c->client_certificate_file},
      {{"OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"},
       &c->metrics_client_certificate_file},
      {{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
       &c->client_key_file},
      {{"OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
       &c->metrics_client_key_file},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    read_text(env, texts[i].names, texts[i].text);
  read_headers(
      env,
      (const char *const[2]){"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
      &c->headers);
  read_headers(
      env,
      (const char *const[2]){"OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
      &c->metrics_headers);
}

/* What was given for traces alone, and taken, is not for the receiver of metrics. */
static void keep_to_traces(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  const struct {
    const char *name, *text;
    const char **metrics_text;
  } texts[] = {
      {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", c->headers, &c->metrics_headers},
      {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", c->ca_file, &c->metrics_ca_file},
      {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", c->client_certificate_file,
       &c->metrics_client_certificate_file},
      {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", c->client_key_file, &c->metrics_client_key_file},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    const char *value = env_get(env, texts[i].name);
    if (value && !*texts[i].metrics_text && text_equal(value, texts[i].text))
      *texts[i].metrics_text = "";
  }
}

/* A key alone proves nothing: opening would refuse it. */
static void check_client_key(const struct env *env, const char *signal, const char *certificate,
                             const char **key) {
  if (!*key || !**key || (certificate && *certificate)) return;
  env_warn(env, "a client key for %s without OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: ignored",
           signal);
  *key = "";
}

static void check_client_keys(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  check_client_key(env, "traces", c->client_certificate_file, &c->client_key_file);
  check_client_key(env, "metrics", c->metrics_client_certificate_file, &c->metrics_client_key_file);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

int hoist_telemetry_config_from_env(struct hoist_telemetry_config *config,
                                    const char *(*get_env)(const char *name)) {
  HOIST_AUTO(buf) struct buf said = buf_make(WARNINGS_MAX_BYTES);
  struct env env = {.config = config, .get_env = get_env ? get_env : getenv_const, .said = &said};
  env_read_propagation(&env);
  if (env_is_true(&env, "OTEL_SDK_DISABLED")) return 0;
  bool has_traces = env_read_traces(&env), has_metrics = env_read_metrics(&env);
  read_numbers(&env);
  read_processors(&env);
  read_sampler(&env);
  read_temporality(&env);
  read_exemplar_filter(&env);
  read_histogram_aggregation(&env);
  read_texts(&env);
  keep_to_traces(&env);
  check_client_keys(&env);
  return has_traces || has_metrics;
}

void hoist_telemetry_config_done(struct hoist_telemetry_config *config) {
  for (struct kept *kept = config->private_, *next; kept; kept = next) {
    next = kept->next;
    free(kept);
  }
  hoist_telemetry_config_init(config);
}
