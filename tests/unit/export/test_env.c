/* SPDX-License-Identifier: Apache-2.0 */
/* What the environment means, from an environment of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

enum { VARIABLES_MAX = 8 };

static struct {
  const char *pairs[2 * VARIABLES_MAX + 1]; /* name, value, …, NULL */
  char warnings[2048];
  int warning_count;
} world;

static const char *lookup(const char *name) {
  for (size_t i = 0; world.pairs[i]; i += 2)
    if (strcmp(world.pairs[i], name) == 0) return world.pairs[i + 1];
  return NULL;
}

static void keep_warning(void *user, const char *line) {
  size_t used = strlen(world.warnings);
  snprintf(world.warnings + used, sizeof world.warnings - used, "%s\n", line);
  world.warning_count++;
}

/* Reads the environment given as name, value, …, NULL. */
static int read_env(struct hoist_telemetry_config *config, const char *const pairs[]) {
  memset(&world, 0, sizeof world);
  for (size_t i = 0; pairs[i]; i++) {
    assert_true(i < 2 * VARIABLES_MAX);
    world.pairs[i] = pairs[i];
  }
  hoist_telemetry_config_init(config);
  config->on_warning = keep_warning;
  return hoist_telemetry_config_from_env(config, lookup);
}
#define ENV(...)                                                                                   \
  (const char *const[]) {                                                                          \
    __VA_ARGS__, NULL                                                                              \
  }

static void assert_text(const char *actual, const char *expected) {
  if (expected)
    assert_string_equal(actual ? actual : "(NULL)", expected);
  else
    assert_null(actual);
}

static void test_endpoints_and_exporters_decide_where_each_signal_goes(void **state) {
#define DEFAULT_TRACES "http://localhost:4318/v1/traces"
#define DEFAULT_METRICS "http://localhost:4318/v1/metrics"
  static const struct {
    const char *pairs[2 * VARIABLES_MAX];
    int configured;
    const char *traces, *metrics;
    int console;
  } cases[] = {
      {{NULL}, 0, NULL, NULL, 0},
      {{"OTEL_SERVICE_NAME", "s"}, 0, NULL, NULL, 0},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}, 0, NULL, NULL, 0},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"},
       1,
       "http://c:4318/v1/traces",
       "http://c:4318/v1/metrics",
       0},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/otlp/"},
       1,
       "http://c/otlp/v1/traces",
       "http://c/otlp/v1/metrics",
       0},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:p@c/otlp?k=v"},
       1,
       "https://u:p@c/otlp/v1/traces?k=v",
       "https://u:p@c/otlp/v1/metrics?k=v",
       0},
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1/x"}, 1, "http://c:1/x", NULL, 0},
      {{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:1"}, 1, NULL, "http://c:1", 0},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://t/"},
       1,
       "http://t/",
       "http://c/v1/metrics",
       0},
      {{"OTEL_TRACES_EXPORTER", "otlp"}, 1, DEFAULT_TRACES, NULL, 0},
      {{"OTEL_METRICS_EXPORTER", "otlp"}, 1, NULL, DEFAULT_METRICS, 0},
      {{"OTEL_TRACES_EXPORTER", "console"}, 1, NULL, NULL, HOIST_CONSOLE_SPANS},
      {{"OTEL_METRICS_EXPORTER", "console"}, 1, NULL, NULL, HOIST_CONSOLE_METRICS},
      {{"OTEL_TRACES_EXPORTER", "console, otlp", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/"},
       1,
       "http://t/",
       NULL,
       HOIST_CONSOLE_SPANS},
      {{"OTEL_TRACES_EXPORTER", "none"}, 0, NULL, NULL, 0},
      {{"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
       1,
       NULL,
       "http://c/v1/metrics",
       0},
      {{"OTEL_SDK_DISABLED", "TRUE", "OTEL_TRACES_EXPORTER", "otlp"}, 0, NULL, NULL, 0},
      {{"OTEL_SDK_DISABLED", "false", "OTEL_TRACES_EXPORTER", "otlp"}, 1, DEFAULT_TRACES, NULL, 0},
      /* the reference server's names */
      {{"OTEL_TRACING_ENABLED", "true"}, 1, DEFAULT_TRACES, NULL, 0},
      {{"OTEL_TRACING_ENABLED", "True", "OTEL_EXPORTER_ENDPOINT", "c:4318"},
       1,
       "http://c:4318/v1/traces",
       NULL,
       0},
      {{"OTEL_TRACING_ENABLED", "false", "OTEL_EXPORTER_ENDPOINT", "c:4318"}, 0, NULL, NULL, 0},
      {{"OTEL_EXPORTER_ENDPOINT", "c:4318"}, 1, "http://c:4318/v1/traces", NULL, 0},
      {{"OTEL_METRICS_ENABLED", "true", "OTEL_EXPORTER_ENDPOINT", "c:4318", "OTEL_TRACING_ENABLED",
        "false"},
       1,
       NULL,
       "http://c:4318/v1/metrics",
       0},
      {{"OTEL_METRIC_EXPORTER_ENDPOINT", "m:1"}, 1, NULL, "http://m:1/v1/metrics", 0},
      {{"OTEL_TRACING_ENABLED", "false", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/"},
       1,
       "http://t/",
       NULL,
       0},
      {{"OTEL_EXPORTER_ENDPOINT", "c:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/"},
       1,
       "http://t/",
       NULL,
       0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry_config config;
    const char *pairs[2 * VARIABLES_MAX + 1] = {0};
    memcpy(pairs, cases[i].pairs, sizeof cases[i].pairs);
    assert_int_equal(read_env(&config, pairs), cases[i].configured);
    assert_text(config.traces_endpoint, cases[i].traces);
    assert_text(config.metrics_endpoint, cases[i].metrics);
    assert_int_equal(config.console, cases[i].console);
    assert_string_equal(world.warnings, "");
    hoist_telemetry_config_done(&config);
  }
}

static void test_settings_are_read_and_standard_names_win(void **state) {
  struct hoist_telemetry_config c;
  (void)read_env(&c, ENV("OTEL_BSP_SCHEDULE_DELAY", "11", "OTEL_TRACE_EXPORT_INTERVAL_MS", "12",
                         "OTEL_METRIC_EXPORT_INTERVAL_MS", "13", "OTEL_BSP_MAX_QUEUE_SIZE", "16",
                         "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "17", "OTEL_SERVICE_NAME", "name",
                         "OTEL_RESOURCE_ATTRIBUTES", "a=b"));
  assert_int_equal(c.batch_delay_ms, 11);
  assert_int_equal(c.metric_interval_ms, 13);
  assert_int_equal(c.queue_bytes, 16 * 2048);
  assert_int_equal(c.batch_spans_max, 17);
  assert_string_equal(c.service_name, "name");
  assert_string_equal(c.resource_attributes, "a=b");
  hoist_telemetry_config_done(&c);
  (void)read_env(&c, ENV("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "OTEL_BSP_EXPORT_TIMEOUT", "500",
                         "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "7", "OTEL_METRIC_EXPORT_TIMEOUT",
                         "9", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5",
                         "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0"));
  assert_int_equal(c.export_timeout_ms, 500);
  assert_int_equal(c.metrics_export_timeout_ms, 7);
  assert_int_equal(c.attribute_value_max, 0);
  assert_string_equal(world.warnings, "");
  hoist_telemetry_config_done(&c);
}

static void test_the_sampler_is_the_standard_one_or_the_reference_rate(void **state) {
  static const struct {
    const char *pairs[2 * VARIABLES_MAX];
    const char *sampler, *arg;
  } cases[] = {
      {{"OTEL_TRACES_SAMPLER", "always_off"}, "always_off", NULL},
      {{"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", ".5"},
       "traceidratio",
       ".5"},
      {{"OTEL_SAMPLING_RATE", "0.1"}, "parentbased_traceidratio", "0.1"},
      {{"OTEL_SAMPLING_RATE", "0.1", "OTEL_TRACES_SAMPLER", "always_on"}, "always_on", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry_config config;
    const char *pairs[2 * VARIABLES_MAX + 1] = {0};
    memcpy(pairs, cases[i].pairs, sizeof cases[i].pairs);
    (void)read_env(&config, pairs);
    assert_text(config.sampler, cases[i].sampler);
    assert_text(config.sampler_arg, cases[i].arg);
    assert_string_equal(world.warnings, "");
    hoist_telemetry_config_done(&config);
  }
}

static void test_bad_values_are_warned_about_once_and_ignored(void **state) {
  static const struct {
    const char *pairs[2 * VARIABLES_MAX];
    const char *warning;
  } cases[] = {
      {{"OTEL_BSP_SCHEDULE_DELAY", "soon"}, "OTEL_BSP_SCHEDULE_DELAY is \"soon\""},
      {{"OTEL_BSP_SCHEDULE_DELAY", "-1"}, "not a whole number"},
      {{"OTEL_BSP_MAX_QUEUE_SIZE", "99999999999"}, "OTEL_BSP_MAX_QUEUE_SIZE"},
      {{"OTEL_TRACES_SAMPLER", "jaeger_remote"}, "sampler \"jaeger_remote\""},
      {{"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "2"},
       "not a number from"},
      {{"OTEL_SAMPLING_RATE", "x"}, "OTEL_SAMPLING_RATE: sampler argument \"x\""},
      {{"OTEL_SDK_DISABLED", "yes"}, "OTEL_SDK_DISABLED is \"yes\", neither true nor false"},
      {{"OTEL_TRACES_EXPORTER", "zipkin"}, "exporter \"zipkin\" is not supported"},
      {{"OTEL_METRICS_EXPORTER", "statsd"}, "exporter \"statsd\" is not supported"},
      {{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"},
       "OTEL_EXPORTER_OTLP_PROTOCOL is \"http/json\"; http/protobuf and grpc are supported"},
      {{"OTEL_TRACING_ENABLED", "true", "OTEL_EXPORTER_PROTOCOL", "thrift"},
       "OTEL_EXPORTER_PROTOCOL is \"thrift\"; http and grpc are supported"},
      {{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"},
       "OTEL_EXPORTER_OTLP_COMPRESSION is \"zstd\", neither gzip nor none"},
      {{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/key"},
       "a client key for traces without"},
      {{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "c:port"},
       "malformed"},
      {{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"},
       "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE is \"sometimes\""},
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"}, "neither http:// nor https://"},
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"}, "malformed"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry_config config, plain;
    const char *pairs[2 * VARIABLES_MAX + 1] = {0};
    memcpy(pairs, cases[i].pairs, sizeof cases[i].pairs);
    hoist_telemetry_config_init(&plain);
    (void)read_env(&config, pairs);
    if (!strstr(world.warnings, cases[i].warning))
      fail_msg("%s: %s", cases[i].warning, world.warnings);
    assert_int_equal(world.warning_count, 1);
    assert_int_equal(config.batch_delay_ms, plain.batch_delay_ms);
    assert_int_equal(config.queue_bytes, plain.queue_bytes);
    assert_null(config.sampler_arg);
    hoist_telemetry_config_done(&config);
  }
}

static void test_secrets_never_show_in_warnings(void **state) {
  static const char *const cases[][3] = {
      {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%2hunter2", NULL},
      {"OTEL_EXPORTER_OTLP_HEADERS", "hunter2", NULL},
      {"OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%0d%0ab: c", NULL},
      {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "htt://me:hunter2@host/", NULL},
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2@host:99999/", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry_config config;
    (void)read_env(&config, cases[i]);
    assert_true(world.warning_count >= 1);
    assert_null(strstr(world.warnings, "hunter2"));
    assert_non_null(strstr(world.warnings, cases[i][0]));
    assert_null(config.headers);
    hoist_telemetry_config_done(&config);
  }
}

static void test_headers_for_traces_alone_do_not_go_to_the_metrics_receiver(void **state) {
  struct hoist_telemetry_config c;
  (void)read_env(&c, ENV("OTEL_EXPORTER_OTLP_HEADERS", "a=1", "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                         "a=2", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"));
  assert_string_equal(c.headers, "a=1");
  assert_string_equal(c.metrics_headers, "a=2");
  assert_string_equal(c.ca_file, "/ca");
  assert_string_equal(c.metrics_ca_file, "/ca");
  hoist_telemetry_config_done(&c);
  (void)read_env(&c, ENV("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=1"));
  assert_string_equal(c.headers, "a=1");
  assert_string_equal(c.metrics_headers, "");
  hoist_telemetry_config_done(&c);
}

static void test_protocol_and_scheme_decide_how_each_signal_goes(void **state) {
#define PROTOCOL "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"
  static const struct {
    const char *pairs[2 * VARIABLES_MAX];
    enum hoist_otlp_protocol traces_protocol, metrics_protocol;
    const char *traces, *metrics;
  } cases[] = {
      {{"OTEL_TRACES_EXPORTER", "otlp", PROTOCOL},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_HTTP_PROTOBUF,
       "http://localhost:4317",
       NULL},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1", PROTOCOL},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_GRPC,
       "http://c:1",
       "http://c:1"},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"},
       HOIST_OTLP_HTTP_PROTOBUF,
       HOIST_OTLP_GRPC,
       "http://c:1/v1/traces",
       "http://c:1"},
      {{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf", PROTOCOL,
        "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"},
       HOIST_OTLP_HTTP_PROTOBUF,
       HOIST_OTLP_GRPC,
       "http://c:1/v1/traces",
       "http://c:1"},
      /* without a scheme, only gRPC's, INSECURE decides */
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "c:1", PROTOCOL},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_HTTP_PROTOBUF,
       "https://c:1",
       NULL},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:1", PROTOCOL, "OTEL_EXPORTER_OTLP_INSECURE", "true"},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_GRPC,
       "http://c:1",
       "http://c:1"},
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:1", PROTOCOL, "OTEL_EXPORTER_OTLP_INSECURE", "true",
        "OTEL_EXPORTER_OTLP_METRICS_INSECURE", "false"},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_GRPC,
       "http://c:1",
       "https://c:1"},
      {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c:1", PROTOCOL,
        "OTEL_EXPORTER_OTLP_INSECURE", "true"},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_HTTP_PROTOBUF,
       "https://c:1",
       NULL},
      /* the reference server's names */
      {{"OTEL_TRACING_ENABLED", "true", "OTEL_EXPORTER_PROTOCOL", "grpc"},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_HTTP_PROTOBUF,
       "http://localhost:4317",
       NULL},
      {{"OTEL_TRACING_ENABLED", "true", "OTEL_EXPORTER_PROTOCOL", "grpc", "OTEL_EXPORTER_ENDPOINT",
        "c:1"},
       HOIST_OTLP_GRPC,
       HOIST_OTLP_HTTP_PROTOBUF,
       "http://c:1",
       NULL},
      {{"OTEL_TRACING_ENABLED", "true", "OTEL_EXPORTER_PROTOCOL", "grpc",
        "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
       HOIST_OTLP_HTTP_PROTOBUF,
       HOIST_OTLP_HTTP_PROTOBUF,
       DEFAULT_TRACES,
       NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry_config config;
    const char *pairs[2 * VARIABLES_MAX + 1] = {0};
    memcpy(pairs, cases[i].pairs, sizeof cases[i].pairs);
    assert_int_equal(read_env(&config, pairs), 1);
    assert_text(config.traces_endpoint, cases[i].traces);
    assert_text(config.metrics_endpoint, cases[i].metrics);
    assert_int_equal(config.traces_protocol, cases[i].traces_protocol);
    assert_int_equal(config.metrics_protocol, cases[i].metrics_protocol);
    assert_string_equal(world.warnings, "");
    hoist_telemetry_config_done(&config);
  }
}

static void test_compression_is_read_for_each_signal(void **state) {
  struct hoist_telemetry_config c;
  (void)read_env(&c,
                 ENV("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_COMPRESSION",
                     "gzip", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"));
  assert_int_equal(c.traces_compression, HOIST_COMPRESSION_GZIP);
  assert_int_equal(c.metrics_compression, HOIST_COMPRESSION_NONE);
  assert_string_equal(world.warnings, "");
  hoist_telemetry_config_done(&c);
}

static void test_the_temporality_is_read_in_any_case(void **state) {
  static const struct {
    const char *text;
    enum hoist_temporality temporality;
  } cases[] = {{"", HOIST_TEMPORALITY_CUMULATIVE},
               {"Cumulative", HOIST_TEMPORALITY_CUMULATIVE},
               {"DELTA", HOIST_TEMPORALITY_DELTA},
               {"lowmemory", HOIST_TEMPORALITY_DELTA}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_telemetry_config c;
    (void)read_env(&c, ENV("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", cases[i].text));
    assert_int_equal(c.metrics_temporality, cases[i].temporality);
    assert_string_equal(world.warnings, "");
    hoist_telemetry_config_done(&c);
  }
}

static void test_exemplars_and_aggregation_are_read_in_any_case(void **state) {
  struct hoist_telemetry_config config;
  (void)read_env(&config, ENV("OTEL_METRICS_EXEMPLAR_FILTER", "Always_On",
                              "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                              "Base2_Exponential_Bucket_Histogram"));
  assert_int_equal(config.exemplar_filter, HOIST_EXEMPLARS_ALL);
  assert_int_equal(config.exponential_histograms, 1);
  hoist_telemetry_config_done(&config);
  (void)read_env(&config, ENV("OTEL_METRICS_EXEMPLAR_FILTER", "always_off",
                              "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                              "explicit_bucket_histogram"));
  assert_int_equal(config.exemplar_filter, HOIST_EXEMPLARS_OFF);
  assert_int_equal(config.exponential_histograms, 0);
  hoist_telemetry_config_done(&config);
  (void)read_env(&config,
                 ENV("OTEL_METRICS_EXEMPLAR_FILTER", "some",
                     "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "linear"));
  assert_int_equal(config.exemplar_filter, HOIST_EXEMPLARS_TRACE_BASED);
  assert_int_equal(config.exponential_histograms, 0);
  assert_int_equal(world.warning_count, 2);
  assert_non_null(strstr(world.warnings, "\"some\"; trace_based"));
  assert_non_null(strstr(world.warnings, "\"linear\"; explicit_bucket_histogram"));
  hoist_telemetry_config_done(&config);
}

static void test_prometheus_is_an_exporter_of_metrics_that_goes_nowhere(void **state) {
  struct hoist_telemetry_config config;
  assert_int_equal(read_env(&config, ENV("OTEL_METRICS_EXPORTER", "prometheus")), 1);
  assert_null(config.metrics_endpoint);
  assert_null(config.traces_endpoint);
  assert_int_equal(world.warning_count, 0);
  hoist_telemetry_config_done(&config);
  assert_int_equal(read_env(&config, ENV("OTEL_METRICS_EXPORTER", "prometheus,otlp")), 1);
  assert_text(config.metrics_endpoint, DEFAULT_METRICS);
  hoist_telemetry_config_done(&config);
  assert_int_equal(read_env(&config, ENV("OTEL_TRACES_EXPORTER", "prometheus")), 0);
  assert_int_equal(world.warning_count, 1);
  hoist_telemetry_config_done(&config);
}

static void test_client_certificates_go_to_the_signals_they_are_for(void **state) {
  struct hoist_telemetry_config c;
  (void)read_env(&c,
                 ENV("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/c", "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                     "/k", "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "/mc",
                     "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/mk"));
  assert_string_equal(c.client_certificate_file, "/c");
  assert_string_equal(c.client_key_file, "/k");
  assert_string_equal(c.metrics_client_certificate_file, "/mc");
  assert_string_equal(c.metrics_client_key_file, "/mk");
  hoist_telemetry_config_done(&c);
  (void)read_env(&c, ENV("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "/c",
                         "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/k"));
  assert_string_equal(c.client_key_file, "/k");
  assert_string_equal(c.metrics_client_certificate_file, "");
  assert_string_equal(c.metrics_client_key_file, "");
  assert_string_equal(world.warnings, "");
  hoist_telemetry_config_done(&c);
}

static void test_unset_variables_leave_the_callers_settings_alone(void **state) {
  struct hoist_telemetry_config c;
  memset(&world, 0, sizeof world);
  hoist_telemetry_config_init(&c);
  c.traces_endpoint = "http://mine/";
  c.service_name = "mine";
  c.batch_delay_ms = 1;
  assert_int_equal(hoist_telemetry_config_from_env(&c, lookup), 0);
  assert_string_equal(c.traces_endpoint, "http://mine/");
  assert_string_equal(c.service_name, "mine");
  assert_int_equal(c.batch_delay_ms, 1);
  hoist_telemetry_config_done(&c);
  hoist_telemetry_config_done(&c);
  assert_null(c.traces_endpoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_endpoints_and_exporters_decide_where_each_signal_goes),
      cmocka_unit_test(test_settings_are_read_and_standard_names_win),
      cmocka_unit_test(test_the_sampler_is_the_standard_one_or_the_reference_rate),
      cmocka_unit_test(test_bad_values_are_warned_about_once_and_ignored),
      cmocka_unit_test(test_secrets_never_show_in_warnings),
      cmocka_unit_test(test_headers_for_traces_alone_do_not_go_to_the_metrics_receiver),
      cmocka_unit_test(test_protocol_and_scheme_decide_how_each_signal_goes),
      cmocka_unit_test(test_compression_is_read_for_each_signal),
      cmocka_unit_test(test_the_temporality_is_read_in_any_case),
      cmocka_unit_test(test_exemplars_and_aggregation_are_read_in_any_case),
      cmocka_unit_test(test_prometheus_is_an_exporter_of_metrics_that_goes_nowhere),
      cmocka_unit_test(test_client_certificates_go_to_the_signals_they_are_for),
      cmocka_unit_test(test_unset_variables_leave_the_callers_settings_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
