/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: building, adding up, and the JSON form on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manifest.h"

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct manifest_file *add(struct manifest *m, const char *name, int64_t size) {
  struct manifest_file *file = NULL;
  assert_int_equal(manifest_add(m, name, &file, NULL), HOIST_OK);
  file->size = size;
  assert_true(digest_from_hex(DIGEST_SHA256, SHA, &file->digest));
  return file;
}

static void test_a_new_file_promises_nothing(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct manifest_file *file = NULL;
  assert_int_equal(manifest_add(&m, "a", &file, NULL), HOIST_OK);
  assert_int_equal(file->size, FILE_SIZE_UNKNOWN);
  assert_int_equal(file->digest.kind, DIGEST_NONE);
  assert_ptr_equal(manifest_find(&m, "a"), file);
  assert_null(manifest_find(&m, "b"));
}

static void test_more_files_than_the_cap_are_corrupt(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct manifest_file *file = NULL;
  struct hoist_error err = {0};
  for (int i = 0; i < MANIFEST_MAX_FILES; i++)
    assert_int_equal(manifest_add(&m, "a", &file, NULL), HOIST_OK);
  assert_int_equal(manifest_add(&m, "a", &file, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "more than 4096 files"));
}

static void test_sizes_add_up_and_saturate(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  int complete = 0;
  add(&m, "a", 3);
  add(&m, "b", 4);
  assert_int_equal(manifest_total_size(&m, &complete), 7);
  assert_int_equal(complete, 1);
  add(&m, "c", FILE_SIZE_UNKNOWN);
  assert_int_equal(manifest_total_size(&m, &complete), 7);
  assert_int_equal(complete, 0);
  for (int i = 0; i < 3; i++)
    add(&m, "d", INT64_MAX);
  assert_true(manifest_total_size(&m, NULL) == UINT64_MAX);
}

static void test_a_manifest_comes_back_from_its_json(void **state) {
  HOIST_AUTO(manifest)
  struct manifest m = {.source = strdup("s3"),
                       .task_type = strdup("object-detection"),
                       .model_type = strdup("yolov8n")};
  add(&m, "weights.onnx", 123456789012345)->etag = strdup("\"abc\"");
  add(&m, "sub/a \"b\".txt", 0)->locator = strdup("secret");
  add(&m, "c", 1)->etag = strdup("\xff");
  HOIST_AUTO(buf) struct buf json = buf_make(MANIFEST_MAX_JSON_BYTES);
  assert_int_equal(manifest_to_json(&m, "Coins/1", 1786000000, &json, NULL), HOIST_OK);
  assert_null(strstr(buf_str(&json), "secret"));
  assert_non_null(strstr(buf_str(&json), "\"created\": \"2026-08-06T07:06:40Z\""));
  HOIST_AUTO(manifest) struct manifest back = {0};
  HOIST_AUTO(mem) char *id = NULL;
  uint64_t created = 0;
  assert_int_equal(manifest_from_json(json.data, json.size, &back, &id, &created, NULL), HOIST_OK);
  assert_string_equal(id, "Coins/1");
  assert_int_equal(created, 1786000000);
  assert_string_equal(back.source, "s3");
  assert_string_equal(back.task_type, "object-detection");
  assert_string_equal(back.model_type, "yolov8n");
  assert_null(back.model_variant);
  assert_int_equal(back.file_count, 3);
  assert_string_equal(back.files[0].name, "weights.onnx");
  assert_true(back.files[0].size == 123456789012345);
  assert_string_equal(back.files[0].etag, "\"abc\"");
  assert_true(digest_equal(&back.files[0].digest, &m.files[0].digest));
  assert_string_equal(back.files[1].name, "sub/a \"b\".txt");
  assert_null(back.files[1].locator);
  assert_null(back.files[2].etag);
}

static void test_a_file_that_was_not_hashed_cannot_be_written(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(buf) struct buf json = buf_make(1000);
  struct hoist_error err = {0};
  add(&m, "a", 1)->digest.kind = DIGEST_MD5;
  assert_int_equal(manifest_to_json(&m, "x", 0, &json, &err), HOIST_INTERNAL);
  assert_non_null(strstr(err.message, "a has no size or no SHA-256"));
  assert_int_equal(json.size, 0);
}

static void test_a_json_over_the_cap_leaves_the_buffer_alone(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(buf) struct buf json = buf_make(50);
  add(&m, "a", 1);
  assert_int_equal(manifest_to_json(&m, "x", 0, &json, NULL), HOIST_CORRUPT);
  assert_int_equal(json.size, 0);
}

#define HEAD_OK "\"version\": 1, \"model_id\": \"x\", \"created\": \"2026-01-01T00:00:00Z\""
#define FILE_OK "{\"name\": \"a\", \"size\": 1, \"sha256\": \"" SHA "\"}"

static void test_malformed_manifests_are_corrupt_and_say_where(void **state) {
  static const struct {
    const char *json;
    const char *message;
  } cases[] = {
      {"", "manifest: not JSON"},
      {"[]", "manifest: expected an object, found a list"},
      {"{}", "manifest: version: expected a whole number, but it is missing"},
      {"{\"version\": 2}", "manifest: version: 2 is unknown to this hoist"},
      {"{\"version\": 1}", "created: expected a string, but it is missing"},
      {"{\"version\": 1, \"created\": \"today\"}", "created: not a UTC time"},
      {"{\"version\": 1, \"created\": \"2026-13-01T00:00:00Z\"}", "created: not a UTC time"},
      {"{\"version\": 1, \"created\": \"2026-01-01T00:00:00z\"}", "created: not a UTC time"},
      {"{\"version\": 1, \"created\": \"0000-01-01T00:00:00Z\"}", "created: not a UTC time"},
      {"{" HEAD_OK "}", "files: expected a list, but it is missing"},
      {"{" HEAD_OK ", \"files\": {}}", "files: expected a list, found an object"},
      {"{" HEAD_OK ", \"files\": [1]}", "files[0]: expected an object, found a number"},
      {"{" HEAD_OK ", \"files\": [{}]}", "files[0].name: expected a string"},
      {"{" HEAD_OK ", \"files\": [{\"name\": \"../a\"}]}", "manifest: file name \"../a\" has"},
      {"{" HEAD_OK ", \"files\": [{\"name\": \"a\"}]}", "files[0].size: expected a whole number"},
      {"{" HEAD_OK ", \"files\": [{\"name\": \"a\", \"size\": -1}]}", "-1 is not between"},
      {"{" HEAD_OK ", \"files\": [{\"name\": \"a\", \"size\": 1, \"sha256\": \"00\"}]}",
       "files[0].sha256: not 64 hexadecimal digits"},
      {"{" HEAD_OK ", \"files\": [" FILE_OK ", " FILE_OK "]}", "\"a\" occurs twice"},
      {"{" HEAD_OK ", \"source\": 1, \"files\": []}", "source: expected a string, found a number"},
      {"{\"version\": 1, \"created\": \"2026-01-01T00:00:00Z\", \"files\": []}",
       "model_id: expected a string, but it is missing"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct manifest m = {.file_count = 77};
    char *id = NULL;
    uint64_t created = 5;
    struct hoist_error err = {0};
    assert_int_equal(
        manifest_from_json(cases[i].json, strlen(cases[i].json), &m, &id, &created, &err),
        HOIST_CORRUPT);
    if (!strstr(err.message, cases[i].message)) fail_msg("case %zu: %s", i, err.message);
    assert_int_equal(m.file_count, 77);
    assert_null(id);
    assert_int_equal(created, 5);
  }
}

static void test_a_manifest_with_too_many_files_is_corrupt(void **state) {
  HOIST_AUTO(buf) struct buf json = buf_make(MANIFEST_MAX_JSON_BYTES);
  struct hoist_error err = {0};
  assert_int_equal(buf_append_str(&json, "{" HEAD_OK ", \"files\": [", NULL), HOIST_OK);
  for (int i = 0; i <= MANIFEST_MAX_FILES; i++)
    assert_int_equal(buf_printf(&json, NULL,
                                "%s{\"name\": \"%d\", \"size\": 1, \"sha256\": \"" SHA "\"}",
                                i ? "," : "", i),
                     HOIST_OK);
  assert_int_equal(buf_append_str(&json, "]}", NULL), HOIST_OK);
  struct manifest m = {0};
  char *id = NULL;
  uint64_t created = 0;
  assert_int_equal(manifest_from_json(json.data, json.size, &m, &id, &created, &err),
                   HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "more than 4096 files"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_new_file_promises_nothing),
      cmocka_unit_test(test_more_files_than_the_cap_are_corrupt),
      cmocka_unit_test(test_sizes_add_up_and_saturate),
      cmocka_unit_test(test_a_manifest_comes_back_from_its_json),
      cmocka_unit_test(test_a_file_that_was_not_hashed_cannot_be_written),
      cmocka_unit_test(test_a_json_over_the_cap_leaves_the_buffer_alone),
      cmocka_unit_test(test_malformed_manifests_are_corrupt_and_say_where),
      cmocka_unit_test(test_a_manifest_with_too_many_files_is_corrupt),
  };
  return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
