/* SPDX-License-Identifier: Apache-2.0 */
/* What telemetry counts about itself: in its status, and as metrics, which are read as Prometheus text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

#include "script_server.h"
#include "self.h"

#define PLENTY_MS 20000
#define OWN "otel_scope_name=\"hoist\",otel_scope_version=\"" HOIST_VERSION "\""
#define BATCHING                                                                                   \
  "otel_component_name=\"batching_span_processor/"                                                 \
  "0\",otel_component_type=\"batching_span_processor\","
#define HTTP_SPANS                                                                                 \
  "otel_component_name=\"otlp_http_span_exporter/0\","                                             \
  "otel_component_type=\"otlp_http_span_exporter\","

static void ignore_warning(void *user, const char *line) {
}

static struct hoist_telemetry *opened(struct script_server *server) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  hoist_telemetry_config_init(&config);
  config.batch_delay_ms = 600000; /* only what is asked for happens */
  config.on_warning = ignore_warning;
  config.traces_endpoint = server ? script_server_url(server) : NULL;
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, NULL), HOIST_OK);
  return telemetry;
}

static void record(struct hoist_telemetry *telemetry, int count) {
  for (int i = 0; i < count; i++) {
    struct hoist_span span;
    hoist_span_start_root(telemetry, "span", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_end(&span);
  }
}

/* Whether the text has this line; "PORT" in it is the server's. */
static void assert_has(struct hoist_telemetry *telemetry, struct script_server *server,
                       const char *line) {
  char wanted[1000], *text;
  size_t size;
  const char *port = strstr(line, "PORT");
  if (port)
    snprintf(wanted, sizeof wanted, "\n%.*s%u%s\n", (int)(port - line), line,
             script_server_port(server), port + 4);
  else
    snprintf(wanted, sizeof wanted, "\n%s\n", line);
  assert_int_equal(hoist_telemetry_prometheus(telemetry, &text, &size, NULL), HOIST_OK);
  if (!strstr(text, wanted)) fail_msg("no line%sin\n%s", wanted, text);
  free(text);
}

static void test_what_arrives_is_counted_as_exported(void **state) {
  struct script_reply ok = {.data = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
  struct script_server *server = script_server_replay(&ok, 1);
  struct hoist_telemetry *telemetry = opened(server);
  struct hoist_telemetry_status status;
  record(telemetry, 3);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.spans_started, 3);
  assert_int_equal(status.spans_ended, 3);
  assert_int_equal(status.spans_exported, 3);
  assert_int_equal(status.exports_ok, 1);
  assert_int_equal(status.queue_bytes_max, 4 << 20);
  assert_has(telemetry, server,
             "otel_sdk_span_started_total{otel_span_sampling_result=\"RECORD_AND_SAMPLE\"," OWN
             "} 3");
  assert_has(telemetry, server, "otel_sdk_processor_span_processed_total{" BATCHING OWN "} 3");
  assert_has(telemetry, server,
             "otel_sdk_exporter_span_exported_total{" HTTP_SPANS OWN
             ",server_address=\"127.0.0.1\",server_port=\"PORT\"} 3");
  assert_has(telemetry, server,
             "otel_sdk_exporter_operation_duration_seconds_bucket{"
             "http_response_status_code=\"200\"," HTTP_SPANS OWN
             ",server_address=\"127.0.0.1\",server_port=\"PORT\",le=\"+Inf\"} 1");
  assert_has(telemetry, server, "hoist_telemetry_queue_capacity_bytes{" BATCHING OWN "} 4194304");
  hoist_telemetry_close(telemetry, PLENTY_MS);
  script_server_stop(server);
}

static void test_what_has_not_ended_is_live_and_what_has_waits_in_the_queue(void **state) {
  static const char live[] =
      "otel_sdk_span_live{otel_span_sampling_result=\"RECORD_AND_SAMPLE\"," OWN "} ";
  struct hoist_telemetry *telemetry = opened(NULL);
  struct hoist_telemetry_status status;
  struct hoist_span open;
  char line[300];
  hoist_span_start_root(telemetry, "open", HOIST_SPAN_INTERNAL, NULL, &open);
  record(telemetry, 2);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.spans_started, 3);
  assert_int_equal(status.spans_ended, 2);
  assert_in_range(status.queue_bytes, 1, 1000);
  snprintf(line, sizeof line, "%s1", live);
  assert_has(telemetry, NULL, line);
  snprintf(line, sizeof line, "hoist_telemetry_queue_size_bytes{" BATCHING OWN "} %llu",
           (unsigned long long)status.queue_bytes);
  assert_has(telemetry, NULL, line);
  hoist_span_end(&open);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  snprintf(line, sizeof line, "%s0", live);
  assert_has(telemetry, NULL, line);
  assert_has(telemetry, NULL, "hoist_telemetry_queue_size_bytes{" BATCHING OWN "} 0");
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_what_is_refused_has_its_reason(void **state) {
  struct script_reply no = {.data = "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"};
  struct script_server *server = script_server_replay(&no, 1);
  struct hoist_telemetry *telemetry = opened(server);
  struct hoist_telemetry_status status;
  record(telemetry, 2);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_UNAVAILABLE);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.dropped.export_failed, 2);
  assert_int_equal(status.spans_dropped, 2);
  assert_int_equal(status.exports_ok, 0);
  assert_int_equal(status.exports_failed, 1);
  assert_non_null(strstr(status.last_error, "HTTP status 400"));
  assert_has(telemetry, server, "otel_sdk_processor_span_processed_total{" BATCHING OWN "} 2");
  assert_has(telemetry, server,
             "otel_sdk_exporter_span_exported_total{error_type=\"400\"," HTTP_SPANS OWN
             ",server_address=\"127.0.0.1\",server_port=\"PORT\"} 2");
  assert_has(telemetry, server,
             "otel_sdk_exporter_operation_duration_seconds_count{error_type=\"400\","
             "http_response_status_code=\"400\"," HTTP_SPANS OWN
             ",server_address=\"127.0.0.1\",server_port=\"PORT\"} 1");
  hoist_telemetry_close(telemetry, PLENTY_MS);
  script_server_stop(server);
}

static void test_rejected_spans_are_failed_ones_beside_those_taken(void **state) {
  static const char reply[] =
      "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\x0a\x06\x08\x01\x12\x02no";
  struct script_reply some = {.data = reply, .size = sizeof reply - 1};
  struct script_server *server = script_server_replay(&some, 1);
  struct hoist_telemetry *telemetry = opened(server);
  struct hoist_telemetry_status status;
  record(telemetry, 3);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.dropped.rejected, 1);
  assert_int_equal(status.spans_exported, 2);
  assert_has(telemetry, server,
             "otel_sdk_exporter_span_exported_total{" HTTP_SPANS OWN
             ",server_address=\"127.0.0.1\",server_port=\"PORT\"} 2");
  assert_has(telemetry, server,
             "otel_sdk_exporter_span_exported_total{error_type=\"rejected\"," HTTP_SPANS OWN
             ",server_address=\"127.0.0.1\",server_port=\"PORT\"} 1");
  hoist_telemetry_close(telemetry, PLENTY_MS);
  script_server_stop(server);
}

static void test_a_full_queue_is_counted_as_the_conventions_say(void **state) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  struct hoist_telemetry_status status;
  char line[300];
  hoist_telemetry_config_init(&config);
  config.queue_bytes = 16 << 10;
  config.batch_delay_ms = 600000;
  config.on_warning = ignore_warning;
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, NULL), HOIST_OK);
  do {
    record(telemetry, 1000);
    hoist_telemetry_get_status(telemetry, &status);
  } while (status.dropped.queue_full == 0);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.spans_started, status.spans_ended + status.dropped.queue_full);
  assert_int_equal(status.spans_exported, status.spans_ended);
  snprintf(line, sizeof line,
           "otel_sdk_processor_span_processed_total{error_type=\"queue_full\"," BATCHING OWN
           "} %llu",
           (unsigned long long)status.dropped.queue_full);
  assert_has(telemetry, NULL, line);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_no_room_for_an_instrument_is_counted(void **state) {
  enum { MANY = 300 };
  static struct hoist_instrument many[MANY];
  static char names[MANY][16];
  struct hoist_telemetry *telemetry = opened(NULL);
  static const struct hoist_instrument first = {.name = "first", .kind = HOIST_COUNTER};
  char *text;
  size_t size;
  for (int i = 0; i < MANY; i++) {
    snprintf(names[i], sizeof names[i], "n%d", i);
    many[i] = first;
    many[i].name = names[i];
    hoist_metric_add(telemetry, &many[i], 1, NULL, 0);
  }
  assert_int_equal(hoist_telemetry_prometheus(telemetry, &text, &size, NULL), HOIST_OK);
  assert_non_null(strstr(text, "n0_total"));
  /* The one that says so has its place from the start. */
  assert_non_null(strstr(text, "\nhoist_telemetry_measurements_lost_total{" OWN "} 45\n"));
  free(text);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

static void test_attributes_left_off_are_counted(void **state) {
  static const struct hoist_instrument c = {.name = "c", .kind = HOIST_COUNTER};
  static char text[4096];
  struct hoist_telemetry *telemetry = opened(NULL);
  memset(text, 'x', sizeof text - 1);
  const struct hoist_attr attr = {.key = "a", .type = HOIST_ATTR_STRING, .value = {.string = text}};
  for (int i = 0; i < 3; i++)
    hoist_metric_add(telemetry, &c, 1, &attr, 1);
  assert_has(telemetry, NULL, "hoist_telemetry_attributes_lost_total{" OWN "} 3");
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

/* A scrape that holds the metrics up must not hold up those who end spans. */
static void test_counting_what_is_lost_waits_for_no_metrics(void **state) {
  struct hoist_telemetry *telemetry = opened(NULL);
  struct pipeline *p = (struct pipeline *)telemetry;
  pthread_mutex_lock(&p->recorder.metrics.lock);
  self_observe(p); /* would wait for ever: a test that ends has passed */
  pthread_mutex_unlock(&p->recorder.metrics.lock);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_arrives_is_counted_as_exported),
      cmocka_unit_test(test_what_has_not_ended_is_live_and_what_has_waits_in_the_queue),
      cmocka_unit_test(test_what_is_refused_has_its_reason),
      cmocka_unit_test(test_rejected_spans_are_failed_ones_beside_those_taken),
      cmocka_unit_test(test_a_full_queue_is_counted_as_the_conventions_say),
      cmocka_unit_test(test_attributes_left_off_are_counted),
      cmocka_unit_test(test_counting_what_is_lost_waits_for_no_metrics),
      cmocka_unit_test(test_no_room_for_an_instrument_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
