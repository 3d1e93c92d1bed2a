/* SPDX-License-Identifier: Apache-2.0 */
/* Where the environment sends each signal, and how: exporters, endpoints, protocol, compression. One
 * thread. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auto.h"
#include "endpoint.h"
#include "env.h"
#include "text.h"

/* The variables of one signal. */
struct signal_names {
  const char *exporter;  /* list of otlp, console, none, and prometheus where that is known */
  bool knows_prometheus; /* nothing is listened to: the metrics are kept for whoever renders them */
  const char *endpoint;  /* URL, used as it is */
  const char *protocol, *compression, *insecure;
  const char
      *reference_endpoint;      /* host:port, the reference server's own for this signal, or NULL */
  const char *reference_switch; /* its boolean */
  const char *path;
};

static const struct signal_names traces = {.exporter = "OTEL_TRACES_EXPORTER",
                                           .endpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                                           .protocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                                           .compression = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
                                           .insecure = "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
                                           .reference_switch = "OTEL_TRACING_ENABLED",
                                           .path = "v1/traces"};
static const struct signal_names metrics = {.exporter = "OTEL_METRICS_EXPORTER",
                                            .knows_prometheus = true,
                                            .endpoint = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                                            .protocol = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                                            .compression = "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
                                            .insecure = "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
                                            .reference_endpoint = "OTEL_METRIC_EXPORTER_ENDPOINT",
                                            .reference_switch = "OTEL_METRICS_ENABLED",
                                            .path = "v1/metrics"};

/* ---- how ----------------------------------------------------------------------------------------- */

static const char *protocol_text(const struct env *env, const struct signal_names *names,
                                 const char **ret_name) {
  return env_first_set(env, (const char *const[2]){names->protocol, "OTEL_EXPORTER_OTLP_PROTOCOL"},
                       ret_name);
}

/* OTEL_EXPORTER_PROTOCOL is the reference server's. */
static enum hoist_otlp_protocol read_protocol(const struct env *env,
                                              const struct signal_names *names) {
  const char *name, *text = protocol_text(env, names, &name);
  if (!text) text = env_get(env, "OTEL_EXPORTER_PROTOCOL");
  return text && strcasecmp(text, "grpc") == 0 ? HOIST_OTLP_GRPC : HOIST_OTLP_HTTP_PROTOBUF;
}

static void warn_of_protocol(const struct env *env, const struct signal_names *names) {
  const char *name, *text = protocol_text(env, names, &name);
  const char *reference = env_get(env, "OTEL_EXPORTER_PROTOCOL");
  if (text && strcasecmp(text, "http/protobuf") != 0 && strcasecmp(text, "grpc") != 0)
    env_warn(env, "%s is \"%s\"; http/protobuf and grpc are supported, and http/protobuf used",
             name, text);
  if (!text && reference && strcasecmp(reference, "http") != 0 &&
      strcasecmp(reference, "grpc") != 0)
    env_warn(env, "OTEL_EXPORTER_PROTOCOL is \"%s\"; http and grpc are supported, and http used",
             reference);
}

static void read_compression(const struct env *env, const struct signal_names *names,
                             enum hoist_compression *compression) {
  const char *name,
      *text = env_first_set(
          env, (const char *const[2]){names->compression, "OTEL_EXPORTER_OTLP_COMPRESSION"}, &name);
  if (!text) return;
  if (strcasecmp(text, "gzip") == 0)
    *compression = HOIST_COMPRESSION_GZIP;
  else if (strcasecmp(text, "none") == 0)
    *compression = HOIST_COMPRESSION_NONE;
  else
    env_warn(env, "%s is \"%s\", neither gzip nor none: ignored", name, text);
}

/* Whether a gRPC endpoint without a scheme is spoken to in cleartext. */
static bool is_insecure(const struct env *env, const struct signal_names *names) {
  if (env_get(env, names->insecure)) return env_is_true(env, names->insecure);
  return env_is_true(env, "OTEL_EXPORTER_OTLP_INSECURE");
}

/* ---- where --------------------------------------------------------------------------------------- */

static char *warn_of_url(const struct env *env, const char *name, const struct hoist_error *error) {
  env_warn(env, "%s: %s: ignored", name, error->message);
  return NULL;
}

/* gRPC endpoints are host:port or URLs; the path is not theirs to say. */
static char *grpc_url(const struct env *env, const char *name, const char *default_scheme) {
  struct hoist_error error;
  const char *text = name ? env_get(env, name) : NULL;
  if (!text) return NULL;
  HOIST_AUTO(mem)
  char *url = text_format("%s%s", strstr(text, "://") ? "" : default_scheme, text);
  if (url && endpoint_check(url, NULL, &error) != HOIST_OK) return warn_of_url(env, name, &error);
  return HOIST_TAKE(url);
}

/* A whole URL, used as it is. */
static char *http_url(const struct env *env, const char *name) {
  struct hoist_error error;
  const char *text = env_get(env, name);
  if (!text) return NULL;
  if (endpoint_check(text, NULL, &error) != HOIST_OK) return warn_of_url(env, name, &error);
  return text_dup(text);
}

/* A base, to which the signal's path is added. The reference server's is host:port (a URL is taken
 * too). */
static char *http_base(const struct env *env, const char *name, const char *default_scheme,
                       const char *path) {
  struct hoist_error error;
  const char *text = name ? env_get(env, name) : NULL;
  char *url = NULL;
  if (!text) return NULL;
  HOIST_AUTO(mem)
  char *base = text_format("%s%s", strstr(text, "://") ? "" : default_scheme, text);
  if (base && endpoint_join(base, path, &url, &error) != HOIST_OK)
    return warn_of_url(env, name, &error);
  return url;
}

/* The most specific endpoint there is; NULL when none is set. */
static char *find_http_endpoint(const struct env *env, const struct signal_names *names,
                                bool with_reference) {
  char *url = http_url(env, names->endpoint);
  if (!url) url = http_base(env, "OTEL_EXPORTER_OTLP_ENDPOINT", "", names->path);
  if (!url && with_reference)
    url = http_base(env, names->reference_endpoint, "http://", names->path);
  return url;
}

static char *find_grpc_endpoint(const struct env *env, const struct signal_names *names,
                                bool with_reference) {
  const char *scheme = is_insecure(env, names) ? "http://" : "https://";
  char *url = grpc_url(env, names->endpoint, scheme);
  if (!url) url = grpc_url(env, "OTEL_EXPORTER_OTLP_ENDPOINT", scheme);
  if (!url && with_reference) url = grpc_url(env, names->reference_endpoint, "http://");
  return url;
}

/* A receiver as one of the reference server's variables names it. */
static char *reference_url(const struct env *env, const char *name, const char *path,
                           enum hoist_otlp_protocol protocol) {
  return protocol == HOIST_OTLP_GRPC ? grpc_url(env, name, "http://")
                                     : http_base(env, name, "http://", path);
}

/* Where a signal goes of which only the reference server's variables may say where. */
static char *default_endpoint(const struct env *env, const struct signal_names *names,
                              enum hoist_otlp_protocol protocol) {
  char *url = reference_url(env, "OTEL_EXPORTER_ENDPOINT", names->path, protocol);
  if (url) return url;
  return protocol == HOIST_OTLP_GRPC ? text_dup("http://localhost:4317")
                                     : text_format("http://localhost:4318/%s", names->path);
}

enum { EXPORT_OTLP = 1, EXPORT_CONSOLE = 2, EXPORT_UNSET = 4, EXPORT_PROMETHEUS = 8 };

/* The exporters a list names; EXPORT_UNSET where there is no list, or none we know in it. */
static int read_exporters(const struct env *env, const struct signal_names *names) {
  const char *value = env_get(env, names->exporter);
  int exporters = EXPORT_UNSET;
  HOIST_AUTO(mem) char *copy = text_dup(value);
  for (char *entry, *rest = copy; (entry = strsep(&rest, ", ")) != NULL;) {
    int known = EXPORT_UNSET;
    if (strcasecmp(entry, "none") == 0)
      known = 0;
    else if (strcasecmp(entry, "otlp") == 0)
      known = EXPORT_OTLP;
    else if (strcasecmp(entry, "console") == 0)
      known = EXPORT_CONSOLE;
    else if (strcasecmp(entry, "prometheus") == 0 && names->knows_prometheus)
      known = EXPORT_PROMETHEUS;
    else if (*entry)
      env_warn(env, "%s: exporter \"%s\" is not supported (otlp, console%s and none are): ignored",
               names->exporter, entry, names->knows_prometheus ? ", prometheus" : "");
    if (known != EXPORT_UNSET) exporters = (exporters & ~EXPORT_UNSET) | known;
  }
  return exporters;
}

/* Whether the reference server's variables ask for the signal. Its switch decides where it is set;
 * a usable endpoint alone is enough otherwise. */
static bool reference_asks(const struct env *env, const struct signal_names *names,
                           enum hoist_otlp_protocol protocol) {
  if (env_get(env, names->reference_switch)) return env_is_true(env, names->reference_switch);
  const char *name =
      names->reference_endpoint ? names->reference_endpoint : "OTEL_EXPORTER_ENDPOINT";
  HOIST_AUTO(mem) char *url = reference_url(env, name, names->path, protocol);
  return url != NULL;
}

/* The members of the configuration that one signal's variables set. */
struct signal_config {
  const char **endpoint;
  enum hoist_otlp_protocol *protocol;
  enum hoist_compression *compression;
  int console_bit;
};

static char *find_endpoint(const struct env *env, const struct signal_names *names,
                           enum hoist_otlp_protocol protocol, bool with_reference) {
  return protocol == HOIST_OTLP_GRPC ? find_grpc_endpoint(env, names, with_reference)
                                     : find_http_endpoint(env, names, with_reference);
}

/* Returns whether the environment asks for the signal. */
static bool read_signal(const struct env *env, const struct signal_names *names,
                        struct signal_config config) {
  enum hoist_otlp_protocol protocol = read_protocol(env, names);
  int exporters = read_exporters(env, names);
  bool by_reference = reference_asks(env, names, protocol);
  HOIST_AUTO(mem)
  char *url = find_endpoint(env, names, protocol, by_reference || exporters != EXPORT_UNSET);
  if (exporters == EXPORT_UNSET) exporters = url || by_reference ? EXPORT_OTLP : EXPORT_UNSET;
  if (exporters == EXPORT_UNSET) return false;
  *config.endpoint = NULL;
  env->config->console &= ~config.console_bit;
  if (exporters & EXPORT_CONSOLE) env->config->console |= config.console_bit;
  if (exporters & EXPORT_OTLP) {
    if (!url) url = default_endpoint(env, names, protocol);
    if (url) env_keep(env, url, config.endpoint);
    *config.protocol = protocol;
    warn_of_protocol(env, names);
    read_compression(env, names, config.compression);
  }
  return exporters != 0;
}

bool env_read_traces(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  return read_signal(env, &traces,
                     (struct signal_config){&c->traces_endpoint, &c->traces_protocol,
                                            &c->traces_compression, HOIST_CONSOLE_SPANS});
}

bool env_read_metrics(const struct env *env) {
  struct hoist_telemetry_config *c = env->config;
  return read_signal(env, &metrics,
                     (struct signal_config){&c->metrics_endpoint, &c->metrics_protocol,
                                            &c->metrics_compression, HOIST_CONSOLE_METRICS});
}
