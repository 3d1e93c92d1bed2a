/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of the parsers fails in turn: the answer is NO_MEMORY, nothing leaks (the sanitizer
 * runs see to that). The allocators are wrapped at link time; jansson gets the same through its own
 * hook where it builds a value, but not where it parses: its lexer takes a failure for bad syntax. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "artifacts.h"
#include "json_read.h"
#include "plan.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static int until_failure = -1; /* allocations that still succeed; negative: all do */

static int fails(void) {
  return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size) {
  return fails() ? NULL : __real_realloc(old, size);
}
void *__wrap_reallocarray(void *old, size_t count, size_t size) {
  return fails() ? NULL : __real_reallocarray(old, count, size);
}
char *__wrap_strdup(const char *text) {
  return fails() ? NULL : __real_strdup(text);
}
char *__wrap_strndup(const char *text, size_t size) {
  return fails() ? NULL : __real_strndup(text, size);
}

/* Runs `work` with allocation 0, 1, 2, … failing until it gets through. */
static void fail_each(enum hoist_status (*work)(struct hoist_error *err), int at_least) {
  for (int n = 0;; n++) {
    struct hoist_error err = {0};
    until_failure = n;
    enum hoist_status status = work(&err);
    int got_through = until_failure >= 0;
    until_failure = -1;
    if (got_through) {
      assert_int_equal(status, HOIST_OK);
      assert_true(n >= at_least);
      return;
    }
    if (status != HOIST_NO_MEMORY)
      fail_msg("allocation %d: %s: %s", n, hoist_status_name(status), err.message);
    assert_int_equal(err.status, HOIST_NO_MEMORY);
  }
}

static enum hoist_status read_fake(void *user, const char *name, struct buf *ret_data,
                                   struct hoist_error *err) {
  if (strcmp(name, "class_names.txt") == 0) return buf_append_str(ret_data, "a\nb\n", err);
  if (strcmp(name, "model_type.json") == 0)
    return buf_append_str(
        ret_data, "{\"model_type\": \"x\", \"project_task_type\": \"classification\"}", err);
  if (strcmp(name, "keypoints_metadata.json") == 0)
    return buf_append_str(ret_data,
                          "[{\"object_class_id\": 0, \"keypoints\": {\"0\": \"p\", \"1\": \"q\"}, "
                          "\"edges\": [[0, 1]]}]",
                          err);
  return buf_append_str(ret_data,
                        "{\"PREPROCESSING\": \"{\\\"resize\\\": {\\\"width\\\": 1, "
                        "\\\"height\\\": 1}, \\\"contrast\\\": {\\\"type\\\": \\\"t\\\"}}\","
                        " \"COLORS\": {\"a\": \"#000000\"}, \"CLASS_MAP\": {\"0\": \"z\"}}",
                        err);
}

static enum hoist_status parse_artifacts(struct hoist_error *err) {
  const struct artifacts_reader reader = {.read = read_fake};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  return artifacts_parse(&reader, &a, err);
}

static enum hoist_status plan_and_store(struct hoist_error *err) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(buf) struct buf json = buf_make(MANIFEST_MAX_JSON_BYTES);
  struct model_id id;
  enum hoist_status status = model_id_parse("a/1", &id, err);
  if (status != HOIST_OK) return status;
  m.task_type = strdup("t");
  if (!m.task_type) return hoist_fail_memory(err, "a task");
  struct manifest_file *file = NULL;
  status = manifest_add(&m, "weights.onnx", &file, err);
  if (status == HOIST_OK) status = plan_make(&id, &m, err);
  if (status != HOIST_OK) return status;
  for (size_t i = 0; i < m.file_count; i++) {
    m.files[i].size = 1;
    m.files[i].digest.kind = DIGEST_SHA256;
  }
  return manifest_to_json(&m, "a/1", 0, &json, err);
}

static enum hoist_status read_manifest(struct hoist_error *err) {
  static const char json[] =
      "{\"version\": 1, \"model_id\": \"x\", \"created\": \"2026-01-01T00:00:00Z\", \"source\": "
      "\"s3\", \"files\": [{\"name\": \"a\", \"size\": 1, \"etag\": \"e\", \"sha256\": "
      "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}]}";
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(mem) char *id = NULL;
  uint64_t created = 0;
  return manifest_from_json(json, sizeof json - 1, &m, &id, &created, err);
}

static void test_artifacts_survive_every_failing_allocation(void **state) {
  fail_each(parse_artifacts, 10);
}

static void test_planning_survives_every_failing_allocation(void **state) {
  json_set_alloc_funcs(__wrap_malloc, free);
  fail_each(plan_and_store, 20);
  json_set_alloc_funcs(__real_malloc, free);
}

static void test_reading_a_manifest_survives_every_failing_allocation(void **state) {
  fail_each(read_manifest, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_artifacts_survive_every_failing_allocation),
      cmocka_unit_test(test_planning_survives_every_failing_allocation),
      cmocka_unit_test(test_reading_a_manifest_survives_every_failing_allocation),
  };
  return cmocka_run_group_tests_name("plan_allocation", tests, NULL, NULL);
}
