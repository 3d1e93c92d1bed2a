/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow source: what it asks the API, what it makes of the answers, and how that is traced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roboflow_world.h"

/* ---- what is asked --------------------------------------------------------------------------- */

static void test_a_versioned_id_is_asked_for_as_the_contract_says(void **state) {
  struct world *w = *state;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(world_older_requests(w), 1);
  world_assert_older_asked(
      w, 0,
      "GET /ort/coins/1?nocache=true&device=dev+1&dynamic=true&api_key=" KEY_ENCODED
      " HTTP/1.1\r\n");
  world_assert_older_asked(w, 0, "X-Roboflow-Inference-Version: " HOIST_VERSION "\r\n");
  world_assert_older_asked(w, 0, "X-Allow-Chunked: true\r\n");
  world_assert_older_asked(w, 0, "X-Team: TOPSECRET\r\n");
  assert_int_equal(script_server_requests(w->storage), 1);
  world_assert_asked(w->storage, 0, "GET /env?");
  assert_string_equal(w->m.source, "roboflow_api");
  assert_string_equal(world_file(w, "environment.json")->content, w->environment);
  assert_string_equal(world_file(w, "class_names.txt")->content, "a\n");
  assert_null(world_file(w, "weights.onnx")->content);
  assert_int_equal(w->m.file_count, 4);
}

static void test_other_ids_are_asked_for_by_name(void **state) {
  struct world *w = *state;
  assert_int_equal(world_describe(w, "acme/coins b"), HOIST_OK);
  world_assert_older_asked(w, 0,
                           "GET /getWeights?model=acme%2Fcoins+b&api_key=" KEY_ENCODED " HTTP/1.1");
  assert_int_equal(script_server_requests(w->storage), 0);
  assert_string_equal(world_file(w, "environment.json")->content, "{}\n");
  assert_string_equal(
      fake_attr(fake_span(w->tracer, "roboflow_api.call", 1), "roboflow_api.function"),
      "get_weights");
}

static void test_the_query_depends_on_key_suffix_and_secret(void **state) {
  static const struct {
    const char *key;
    const char *suffix;
    const char *secret;
    const char *request;
  } cases[] = {
      {NULL, NULL, NULL, "GET /ort/coins/1?nocache=true&device=dev+1&dynamic=true HTTP"},
      {"local", "", NULL, "GET /ort/coins/1?nocache=true&device=dev+1&dynamic=true HTTP"},
      {"", "/x/", "s", "GET /x/ort/coins/1?nocache=true&device=dev+1&dynamic=true HTTP"},
      {"k", "serverless", "s&t",
       "GET /serverless/ort/coins/1?nocache=true&device=dev+1&dynamic=true&api_key=k"
       "&countinference=false&service_secret=s%26t HTTP"},
      {"k", "serverless", NULL,
       "GET /serverless/ort/coins/1?nocache=true&device=dev+1&dynamic=true&api_key=k HTTP"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct roboflow_options options = world_options(w);
    options.api_key = cases[i].key;
    options.weights_suffix = cases[i].suffix;
    options.service_secret = cases[i].secret;
    world_open(w, &options);
    assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
    world_assert_older_asked(w, (int)i, cases[i].request);
  }
}

static void test_the_apis_headers_and_key_do_not_reach_the_storage_host(void **state) {
  struct world *w = *state;
  struct received r = {0};
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  for (int i = 0; i < script_server_requests(w->storage); i++) {
    const char *text = script_server_request(w->storage, i);
    assert_null(strstr(text, "X-Roboflow"));
    assert_null(strstr(text, "X-Allow-Chunked"));
    assert_null(strstr(text, "X-Team"));
    assert_null(strstr(text, "api_key"));
    assert_null(strstr(text, KEY_ENCODED));
  }
}

static void test_a_secure_gateway_wraps_every_url_once(void **state) {
  struct world *w = *state;
  char gateway[64], wrapped[256];
  struct roboflow_options options = world_options(w);
  /* The API's server plays the gateway; it describes the model whatever it is asked. */
  snprintf(gateway, sizeof gateway, "127.0.0.1:%u/", script_server_port(w->api));
  options.base_url = "https://api.invalid";
  options.secure_gateway = gateway;
  options.api_key = "k";
  world_open(w, &options);
  char body[1024];
  snprintf(body, sizeof body,
           "{\"ort\": {\"environment\": \"%s/proxy?url=already\", \"model\": "
           "\"https://s.invalid/w?a=1\"}}",
           script_server_url(w->api));
  w->api_body = body;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  world_assert_older_asked(
      w, 0,
      "GET /proxy?url=https%3A%2F%2Fapi.invalid%2Fort%2Fcoins%2F1%3Fnocache%3Dtrue"
      "%26device%3Ddev%2B1%26dynamic%3Dtrue%26api_key%3Dk HTTP/1.1");
  world_assert_older_asked(w, 1, "GET /proxy?url=already HTTP/1.1");
  w->api_body = "hello";
  struct received r = {0};
  assert_int_equal(world_fetch(w, "yolov5s_weights.onnx", &r), HOIST_OK);
  snprintf(wrapped, sizeof wrapped,
           "GET /proxy?url=https%%3A%%2F%%2Fs.invalid%%2Fw%%3Fa%%3D1 HTTP");
  world_assert_older_asked(w, 2, wrapped);
}

/* ---- what comes back ------------------------------------------------------------------------- */

static void test_every_status_of_the_api_has_its_meaning(void **state) {
  static const struct {
    int http_status;
    const char *key;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {401, KEY, HOIST_DENIED, "does not accept this API key: check ROBOFLOW_API_KEY (HTTP"},
      {401, NULL, HOIST_DENIED, "wants an API key and none is set: set ROBOFLOW_API_KEY"},
      {402, KEY, HOIST_DENIED, "payment"},
      {403, KEY, HOIST_DENIED, "forbids it"},
      {404, KEY, HOIST_NOT_FOUND, "has no such model: check the id"},
      {423, KEY, HOIST_DENIED, "paused"},
      {408, KEY, HOIST_UNAVAILABLE, "try again later"},
      {429, KEY, HOIST_UNAVAILABLE, "try again later"},
      {500, KEY, HOIST_UNAVAILABLE, "try again later"},
      {502, KEY, HOIST_UNAVAILABLE, "try again later"},
      {503, KEY, HOIST_UNAVAILABLE, "try again later"},
      {418, KEY, HOIST_CORRUPT, "makes no sense"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct roboflow_options options = world_options(w);
    options.api_key = cases[i].key;
    world_open(w, &options);
    w->api_status = cases[i].http_status;
    assert_int_equal(world_describe(w, "coins/1"), cases[i].status);
    assert_int_equal(w->err.http_status, cases[i].http_status);
    assert_non_null(strstr(w->err.message, "model \"coins/1\": "));
    if (!strstr(w->err.message, cases[i].message)) fail_msg("%zu: %s", i, w->err.message);
    assert_null(strstr(w->err.message, SECRET));
    w->f.sleep_count = 0;
  }
}

static void test_an_api_that_is_down_is_unavailable(void **state) {
  struct world *w = *state;
  static const struct script_reply silence = {0};
  struct script_server *gone = script_server_replay(&silence, 1);
  char url[64];
  snprintf(url, sizeof url, "%s", script_server_url(gone));
  script_server_stop(gone);
  struct roboflow_options options = world_options(w);
  options.base_url = url;
  world_open(w, &options);
  assert_int_equal(world_describe(w, "coins/1"), HOIST_UNAVAILABLE);
  assert_non_null(strstr(w->err.message, "127.0.0.1"));
  w->f.sleep_count = 0;
}

static void test_answers_that_make_no_sense_are_corrupt(void **state) {
  static const struct {
    const char *body;
    const char *message;
  } cases[] = {
      {"<html>TOPSECRET", "model \"coins/1\": the Roboflow API's answer: not JSON"},
      {"{\"ort\": {\"model\": \"https://s/?X-Amz-Signature=TOPSECRET\"}}",
       "ort.environment: expected a URL string, but it is missing"},
      {"{\"ort\": {\"model\": \"https://s/\", \"environment\": \"http://TOPSECRET:bad port/\"}}",
       "ort.environment: a URL with a space"},
      {"{\"ort\": {\"model\": \"https://s/\", \"environment\": \"http://\"}}",
       "environment.json: "},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    w->api_body = cases[i].body;
    assert_int_equal(world_describe(w, "coins/1"), HOIST_CORRUPT);
    assert_int_equal(w->err.status, HOIST_CORRUPT);
    if (!strstr(w->err.message, cases[i].message)) fail_msg("%zu: %s", i, w->err.message);
    assert_null(strstr(w->err.message, SECRET));
    assert_int_equal(w->m.file_count, 0);
  }
}

static void test_an_environment_that_cannot_be_had_fails_the_description(void **state) {
  static const struct {
    int http_status;
    const char *body;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {0, "[]", HOIST_CORRUPT, "environment.json: expected an object, found a list"},
      {0, "TOPSECRET", HOIST_CORRUPT, "environment.json: not JSON"},
      {403, "", HOIST_DENIED, "environment.json: HTTP status 403"},
      {404, "", HOIST_CORRUPT, "environment.json: the API lists it, but its storage does not"},
      {500, "", HOIST_UNAVAILABLE, "environment.json: HTTP status 500"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    w->storage_status = cases[i].http_status;
    w->environment = cases[i].body;
    assert_int_equal(world_describe(w, "coins/1"), cases[i].status);
    if (!strstr(w->err.message, cases[i].message)) fail_msg("%zu: %s", i, w->err.message);
    assert_int_equal(w->m.file_count, 0);
    w->f.sleep_count = 0;
  }
}

/* ---- telemetry, construction ----------------------------------------------------------------- */

static void test_each_endpoint_is_one_span_with_its_requests_below(void **state) {
  static const struct {
    const char *function;
    int requests;
  } calls[] = {{"get_model_packages", 1}, {"get_model_data", 2}};
  struct world *w = *state;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(fake_span_count(w->tracer, "roboflow_api.call"), 2);
  assert_int_equal(w->tracer->metric_count, 2);
  for (int i = 0, request = 0; i < 2; i++) {
    const struct fake_span *span = fake_span(w->tracer, "roboflow_api.call", i);
    char attrs[64];
    assert_int_equal(span->parent, 0);
    assert_int_equal(span->errors, 0); /* that the first does not have it is no failure */
    assert_string_equal(fake_attr(span, "roboflow_api.function"), calls[i].function);
    for (int n = 0; n < calls[i].requests; n++)
      assert_int_equal(fake_span(w->tracer, "GET", request++)->parent, span->index);
    snprintf(attrs, sizeof attrs, "roboflow_api.function=%s", calls[i].function);
    assert_string_equal(w->tracer->metrics[i].name, "inference.roboflow_api.duration");
    assert_string_equal(w->tracer->metrics[i].attrs, attrs);
    assert_int_equal(w->tracer->metrics[i].count, 1);
  }
  assert_string_equal(
      fake_attr(fake_span(w->tracer, "roboflow_api.call", 0), "roboflow_api.outcome"), "not_found");
}

static void test_a_failed_description_is_a_failed_span(void **state) {
  struct world *w = *state;
  w->api_status = 401;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_DENIED);
  const struct fake_span *span = fake_span(w->tracer, "roboflow_api.call", 1);
  assert_int_equal(span->errors, 1);
  assert_int_equal(span->exception_events, 1);
  assert_string_equal(fake_attr(span, "error.type"), "denied");
  assert_string_equal(span->description, w->err.message);
  assert_int_equal(w->tracer->metrics[1].count, 1);
}

static void test_options_that_make_no_sense_are_invalid(void **state) {
  static const struct {
    struct roboflow_options options;
    const char *message;
  } cases[] = {
      {{.base_url = "api.roboflow.com"}, "API_BASE_URL: not an http or https URL"},
      {{.base_url = "file:///etc"}, "API_BASE_URL: not an http or https URL"},
      {{.base_url = ""}, "API_BASE_URL: not an http or https URL"},
      {{.secure_gateway = "ftp://gw"}, "SECURE_GATEWAY: not an http or https URL"},
      {{.api_key = "TOPSECRET\r\nX: 1"}, "ROBOFLOW_API_KEY: there is a control character"},
      {{.quantization = "fp64"}, "quantization: \"fp64\" is none: use fp32"},
      {{.quantization = "int8, int8"}, "quantization: int8 occurs twice"},
      {{.extra_headers = "x"}, "ROBOFLOW_API_EXTRA_HEADERS: not JSON"},
      {{.extra_headers = "[]"}, "ROBOFLOW_API_EXTRA_HEADERS: expected an object, found a list"},
      {{.extra_headers = "{\"X-A\": 1}"}, "X-A: expected a string, found a number"},
      {{.extra_headers = "{\"X A\": \"TOPSECRET\"}"}, "X A: not a header name"},
      {{.extra_headers = "{\"\": \"TOPSECRET\"}"}, "not a header name"},
      {{.extra_headers = "{\"X-A\": \"TOPSECRET\\r\\nX-B: 1\"}"}, "X-A: a control character"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct source *source = NULL;
    assert_int_equal(source_roboflow_new(w->f.http, &cases[i].options, &source, &w->err),
                     HOIST_INVALID);
    assert_int_equal(w->err.status, HOIST_INVALID);
    if (!strstr(w->err.message, cases[i].message)) fail_msg("%zu: %s", i, w->err.message);
    assert_null(strstr(w->err.message, SECRET));
    assert_null(source);
  }
}

static void test_more_extra_headers_than_fit_are_invalid(void **state) {
  struct world *w = *state;
  struct source *source = NULL;
  HOIST_AUTO(buf) struct buf text = buf_make(4096);
  for (int i = 0; i < HTTP_MAX_REQUEST_HEADERS; i++)
    assert_int_equal(buf_printf(&text, NULL, "%s\"X-%d\": \"\"", i ? "," : "{", i), HOIST_OK);
  assert_int_equal(buf_append_str(&text, "}", NULL), HOIST_OK);
  const struct roboflow_options options = {.extra_headers = text.data};
  assert_int_equal(source_roboflow_new(w->f.http, &options, &source, &w->err), HOIST_INVALID);
  assert_non_null(strstr(w->err.message, "more than 24 headers"));
}

static void test_our_own_headers_win_over_extra_ones(void **state) {
  struct world *w = *state;
  struct roboflow_options options = world_options(w);
  options.extra_headers = "{\"x-allow-CHUNKED\": \"false\"}";
  world_open(w, &options);
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  world_assert_older_asked(w, 0, "X-Allow-Chunked: true");
  assert_null(strstr(world_older_request(w, 0), "CHUNKED: false"));
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(test_a_versioned_id_is_asked_for_as_the_contract_says),
      WORLD_TEST(test_other_ids_are_asked_for_by_name),
      WORLD_TEST(test_the_query_depends_on_key_suffix_and_secret),
      WORLD_TEST(test_the_apis_headers_and_key_do_not_reach_the_storage_host),
      WORLD_TEST(test_a_secure_gateway_wraps_every_url_once),
      WORLD_TEST(test_every_status_of_the_api_has_its_meaning),
      WORLD_TEST(test_an_api_that_is_down_is_unavailable),
      WORLD_TEST(test_answers_that_make_no_sense_are_corrupt),
      WORLD_TEST(test_an_environment_that_cannot_be_had_fails_the_description),
      WORLD_TEST(test_each_endpoint_is_one_span_with_its_requests_below),
      WORLD_TEST(test_a_failed_description_is_a_failed_span),
      WORLD_TEST(test_options_that_make_no_sense_are_invalid),
      WORLD_TEST(test_more_extra_headers_than_fit_are_invalid),
      WORLD_TEST(test_our_own_headers_win_over_extra_ones),
  };
  return cmocka_run_group_tests_name("roboflow", tests, NULL, NULL);
}
