/* SPDX-License-Identifier: Apache-2.0 */
/* Listing all of a prefix, against a scripted server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"
#include "text.h"
#include "visited.h"

#define PAGE(text)                                                                                 \
  {                                                                                                \
    .data = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"        \
            "<ListBucketResult>" text "</ListBucketResult>",                                       \
    .after = SCRIPT_CLOSE                                                                          \
  }
#define OBJECT(key, size)                                                                          \
  "<Contents><Key>" key "</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>"              \
  "<Size>" size "</Size><ETag>&quot;e&quot;</ETag></Contents>"
#define MORE(token)                                                                                \
  "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

struct world {
  struct fixture f;
  struct source *source;
  struct buf text;
};

static void set_up(struct world *w, const struct script_reply *replies, size_t count) {
  *w = (struct world){.text = buf_make(1u << 20)};
  fixture_init(&w->f);
  fixture_replay(&w->f, replies, count);
  const struct s3_options options = {.bucket = "bucket",
                                     .prefix = "models/",
                                     .endpoint = script_server_url(w->f.server),
                                     .virtual_host = -1};
  assert_int_equal(source_s3_new(w->f.http, &options, &w->source, &w->f.err), HOIST_OK);
}

static void tear_down(struct world *w) {
  buf_done(&w->text);
  source_free(w->source);
  fixture_done(&w->f);
}

static enum hoist_status list(struct world *w, const char *below) {
  return visited(w->source, &w->f.call, below, 1, &w->text, &w->f.err);
}

static void test_all_pages_are_told_and_folder_markers_are_not(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE(OBJECT("models/", "0") OBJECT("models/a/", "0")
                                                         OBJECT("models/a/w.onnx", "7") MORE("t1")),
                                                PAGE(OBJECT("models/a/empty", "0") MORE("t2")),
                                                PAGE(OBJECT("models/b.txt", "9"))};
  struct world w;
  set_up(&w, replies, 3);
  assert_int_equal(list(&w, ""), HOIST_OK);
  assert_string_equal(buf_str(&w.text), "a/w.onnx 7\na/empty 0\nb.txt 9\n");
  assert_non_null(strstr(script_server_request(w.f.server, 2), "continuation-token=t2"));
  tear_down(&w);
}

static enum hoist_status keep_time(void *user, const struct source_object *o,
                                   struct hoist_error *err) {
  (void)err;
  *(uint64_t *)user = o->modified_unix_ns;
  assert_string_equal(o->locator, "models/a/w.onnx");
  assert_string_equal(o->etag, "\"e\"");
  return HOIST_OK;
}

static void test_times_etags_and_keys_go_along(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE(OBJECT("models/a/w.onnx", "7"))};
  struct world w;
  uint64_t modified = 0;
  set_up(&w, replies, 1);
  const struct source_visit visit = {.below = "a/", .user = &modified, .object = keep_time};
  assert_int_equal(w.source->ops->list(&w.f.call, w.source, &visit, &w.f.err), HOIST_OK);
  assert_true(modified == UINT64_C(1767323045678000000));
  tear_down(&w);
}

static void test_one_object_is_found_with_one_small_request(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE(OBJECT("models/a/w.onnx", "7"))};
  struct world w;
  set_up(&w, replies, 1);
  assert_int_equal(list(&w, "a/w.onnx"), HOIST_OK);
  assert_string_equal(buf_str(&w.text), "w.onnx 7\n");
  assert_non_null(strstr(script_server_request(w.f.server, 0), "max-keys=1&"));
  tear_down(&w);
}

static void test_a_key_that_is_merely_the_beginning_of_others_is_not_found(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE(OBJECT("models/a/w.onnx", "7")), PAGE("")};
  for (size_t i = 0; i < 2; i++) {
    struct world w;
    set_up(&w, replies + i, 1);
    assert_int_equal(list(&w, "a"), HOIST_NOT_FOUND);
    assert_string_equal(w.f.err.message, "s3://bucket/models/a: there is no such object");
    tear_down(&w);
  }
}

static void test_nothing_below_a_prefix_is_no_failure(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE("")};
  struct world w;
  set_up(&w, replies, 1);
  assert_int_equal(list(&w, "none/"), HOIST_OK);
  assert_string_equal(buf_str(&w.text), "");
  tear_down(&w);
}

static void test_a_listing_that_does_not_get_on_is_corrupt(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE(OBJECT("models/a", "1") MORE("same"))};
  struct world w;
  set_up(&w, replies, 1); /* the one page, again and again */
  assert_int_equal(list(&w, ""), HOIST_CORRUPT);
  assert_non_null(strstr(w.f.err.message, "does not get on"));
  assert_int_equal(script_server_requests(w.f.server), 2);
  tear_down(&w);
}

static void test_a_key_from_elsewhere_is_corrupt(void **state) {
  (void)state;
  static const struct script_reply replies[] = {PAGE(OBJECT("other/w.onnx", "7"))};
  struct world w;
  set_up(&w, replies, 1);
  assert_int_equal(list(&w, ""), HOIST_CORRUPT);
  assert_non_null(strstr(w.f.err.message, "other/w.onnx"));
  tear_down(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_pages_are_told_and_folder_markers_are_not),
      cmocka_unit_test(test_times_etags_and_keys_go_along),
      cmocka_unit_test(test_one_object_is_found_with_one_small_request),
      cmocka_unit_test(test_a_key_that_is_merely_the_beginning_of_others_is_not_found),
      cmocka_unit_test(test_nothing_below_a_prefix_is_no_failure),
      cmocka_unit_test(test_a_listing_that_does_not_get_on_is_corrupt),
      cmocka_unit_test(test_a_key_from_elsewhere_is_corrupt),
  };
  return cmocka_run_group_tests_name("s3_pages", tests, NULL, NULL);
}
