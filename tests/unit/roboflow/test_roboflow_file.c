/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow source: files behind URLs that expire. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roboflow_world.h"

static void test_a_file_is_streamed_with_what_the_host_promises(void **state) {
  struct world *w = *state;
  struct received r = {0};
  struct digest md5;
  assert_true(digest_from_hex(DIGEST_MD5, MD5_HEX, &md5));
  w->file_headers = "x-goog-hash: crc32c=AAAAAA==\r\nx-goog-hash: md5=" MD5_BASE64 "\r\n";
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  assert_int_equal(r.begins, 1);
  assert_int_equal(r.announced, 5);
  assert_true(digest_equal(&r.promised, &md5));
}

static void test_promises_are_ignored_where_the_user_says_so(void **state) {
  struct world *w = *state;
  struct received r = {0};
  struct roboflow_options options = world_options(w);
  options.verify_md5 = 0;
  world_open(w, &options);
  w->file_headers = "x-goog-hash: md5=" MD5_BASE64 "\r\n";
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  assert_int_equal(r.promised.kind, DIGEST_NONE);
}

static void test_an_expired_url_is_replaced_by_a_fresh_one(void **state) {
  static const int statuses[] = {400, 401, 403};
  struct world *w = *state;
  for (size_t i = 0; i < 3; i++) {
    struct received r = {0};
    assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
    int asked = w->generation;
    w->expired_below = asked + 1;
    w->expired_status = statuses[i];
    assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
    assert_int_equal(r.begins, 1);
    assert_int_equal(w->generation, asked + 1);
    assert_int_equal(world_generation_of(world_file(w, "weights.onnx")->locator), asked + 1);
  }
}

static void test_an_environment_whose_url_expired_is_asked_for_again(void **state) {
  static const int statuses[] = {400, 401, 403};
  struct world *w = *state;
  for (size_t i = 0; i < 3; i++) {
    int asked = w->generation;
    w->expired_below = asked + 2;
    w->expired_status = statuses[i];
    assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
    assert_int_equal(w->generation, asked + 2);
    assert_int_equal(w->m.file_count, 4);
  }
}

static void test_files_that_expire_together_are_asked_for_once(void **state) {
  struct world *w = *state;
  struct received r = {0};
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->expired_below = 2;
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  assert_int_equal(world_fetch(w, "x.bin", &r), HOIST_OK);
  assert_int_equal(w->generation, 2);
  w->expired_below = 3; /* what was learnt is stale too: ask again */
  assert_int_equal(world_fetch(w, "x.bin", &r), HOIST_OK);
  assert_int_equal(w->generation, 3);
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->expired_below = 5; /* newer than what was learnt */
  assert_int_equal(world_fetch(w, "x.bin", &r), HOIST_OK);
  assert_int_equal(w->generation, 5);
}

static void test_fresh_urls_that_are_refused_too_are_denied(void **state) {
  struct world *w = *state;
  struct received r = {0};
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->expired_below = 99;
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_DENIED);
  assert_non_null(strstr(w->err.message, "weights.onnx: HTTP status 403"));
  assert_int_equal(w->err.http_status, 403);
  assert_int_equal(w->generation, 2);
  assert_int_equal(script_server_requests(w->storage), 3); /* no second environment among them */
  assert_int_equal(r.begins, 0);
}

static void test_an_api_that_fails_when_asked_again_fails_the_file(void **state) {
  struct world *w = *state;
  struct received r = {0};
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->expired_below = 2;
  w->api_status = 423;
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_DENIED);
  assert_int_equal(w->err.http_status, 423);
  assert_int_equal(r.begins, 0);
}

static void test_a_file_that_is_listed_no_more_is_corrupt(void **state) {
  struct world *w = *state;
  struct received r = {0};
  char body[512];
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->expired_below = 2;
  snprintf(body, sizeof body, "{\"ort\": {\"environment\": \"%s/env?&g=9\", \"model\": \"%s/w\"}}",
           script_server_url(w->storage), script_server_url(w->storage));
  w->api_body = body;
  assert_int_equal(world_fetch(w, "x.bin", &r), HOIST_CORRUPT);
  assert_string_equal(w->err.message, "x.bin: its URL expired and the API lists it no more");
}

static void test_what_is_wrong_with_a_file_is_told_with_its_name(void **state) {
  static const struct {
    int http_status;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {404, HOIST_CORRUPT, "weights.onnx: the API lists it, but its storage does not have it"},
      {410, HOIST_CORRUPT, "the model package is broken"},
      {500, HOIST_UNAVAILABLE, "weights.onnx: HTTP status 500"},
      {206, HOIST_CORRUPT, "weights.onnx: asked for the whole file, the server sends a part"},
      {204, HOIST_CORRUPT, "weights.onnx: HTTP status 204 instead of the file"},
  };
  struct world *w = *state;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct received r = {0};
    w->storage_status = cases[i].http_status;
    assert_int_equal(world_fetch(w, "weights.onnx", &r), cases[i].status);
    if (!strstr(w->err.message, cases[i].message)) fail_msg("%zu: %s", i, w->err.message);
    assert_int_equal(r.begins, 0);
    w->f.sleep_count = 0;
  }
}

static void test_a_part_is_asked_for_if_it_is_still_the_same_version(void **state) {
  struct world *w = *state;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->storage_status = 206;
  w->file_headers = "Content-Range: bytes 3-7/8\r\n";
  struct received r = {.from = 3, .to = 8, .validator = "\"v1\""};
  w->expired_below = 2; /* and by a fresh URL, when the first one has expired */
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  assert_int_equal(r.announced, 8);
  int last = script_server_requests(w->storage) - 1;
  world_assert_asked(w->storage, last, "\r\nrange: bytes=3-7\r\n");
  world_assert_asked(w->storage, last, "\r\nif-range: \"v1\"\r\n");
  w->file_headers = "Content-Range: bytes 2-6/8\r\n";
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "weights.onnx: asked for bytes=3-7, the server sends"));
}

static void test_a_sink_that_fails_is_heard_once(void **state) {
  struct world *w = *state;
  struct received r = {.fail = HOIST_NO_SPACE};
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_NO_SPACE);
  assert_string_equal(w->err.message, "weights.onnx: the sink says no");
  assert_int_equal(r.begins, 1);
}

struct worker {
  struct world *w;
  const char *name;
  enum hoist_status status;
};

static enum hoist_status drop(void *user, const void *data, size_t size, struct hoist_error *err) {
  return HOIST_OK;
}

static enum hoist_status drop_begin(void *user, const struct source_response *response,
                                    struct hoist_error *err) {
  return HOIST_OK;
}

static void *fetch_in_thread(void *user) {
  struct worker *worker = user;
  struct world *w = worker->w;
  struct model_id id = world_id("coins/1");
  struct call call = w->f.call;
  call.sleep = NULL;
  struct source_request request = {.file = world_file(w, worker->name),
                                   .to = SOURCE_TO_END,
                                   .sink = {.begin = drop_begin, .write = drop}};
  worker->status = w->source->ops->fetch(&call, w->source, &id, &request, NULL);
  return NULL;
}

static void test_threads_whose_urls_expire_at_once_share_the_fresh_ones(void **state) {
  struct world *w = *state;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  w->expired_below = 2;
  struct worker workers[2] = {{w, "weights.onnx", HOIST_INTERNAL}, {w, "x.bin", HOIST_INTERNAL}};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, fetch_in_thread, &workers[i]), 0);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(workers[i].status, HOIST_OK);
  }
  assert_int_equal(w->generation, 2);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(test_a_file_is_streamed_with_what_the_host_promises),
      WORLD_TEST(test_promises_are_ignored_where_the_user_says_so),
      WORLD_TEST(test_an_expired_url_is_replaced_by_a_fresh_one),
      WORLD_TEST(test_an_environment_whose_url_expired_is_asked_for_again),
      WORLD_TEST(test_files_that_expire_together_are_asked_for_once),
      WORLD_TEST(test_fresh_urls_that_are_refused_too_are_denied),
      WORLD_TEST(test_an_api_that_fails_when_asked_again_fails_the_file),
      WORLD_TEST(test_a_file_that_is_listed_no_more_is_corrupt),
      WORLD_TEST(test_what_is_wrong_with_a_file_is_told_with_its_name),
      WORLD_TEST(test_a_part_is_asked_for_if_it_is_still_the_same_version),
      WORLD_TEST(test_a_sink_that_fails_is_heard_once),
      WORLD_TEST(test_threads_whose_urls_expire_at_once_share_the_fresh_ones),
  };
  return cmocka_run_group_tests_name("roboflow_file", tests, NULL, NULL);
}
