/* SPDX-License-Identifier: Apache-2.0 */
/* The gate between what a source says and what is fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

static void add(struct manifest *m, const char *name, int64_t size) {
  struct manifest_file *file = NULL;
  assert_int_equal(manifest_add(m, name, &file, NULL), HOIST_OK);
  file->size = size;
}

static struct model_id coins(void) {
  struct model_id id;
  assert_int_equal(model_id_parse("Coins/1", &id, NULL), HOIST_OK);
  return id;
}

static void test_names_that_could_leave_the_directory_are_corrupt(void **state) {
  static const struct {
    const char *name;
    const char *message;
  } cases[] = {
      {"", "is empty"},
      {"..", "file name \"..\" has a segment \"..\""},
      {"../x.onnx", "has a segment \"..\""},
      {"a/../../x", "has a segment \"..\""},
      {"/etc/passwd", "begins with a slash"},
      {"a//b", "has an empty segment"},
      {"a/", "ends with a slash"},
      {"a/./b", "has a segment \".\""},
      {"a\\b", "has a backslash"},
      {"C:\\x", "has a backslash"},
      {"a\nb", "file name \"a?b\" has a control byte"},
      {"a\x1b]0;x\x07", "has a control byte"},
      {"\xc0\xaf", "is not valid UTF-8"},
      {".hoist-manifest.json", "is reserved"},
      {"a/.hoistx", "is reserved"},
      {"1/2/3/4/5/6/7/8/9", "has too many segments"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct hoist_error err = {0};
    assert_int_equal(plan_check_name(cases[i].name, &err), HOIST_CORRUPT);
    if (!strstr(err.message, cases[i].message)) fail_msg("case %zu: %s", i, err.message);
  }
}

static void test_ordinary_names_pass(void **state) {
  static const char *const names[] = {"weights.onnx", "a/b/c.bin", "1/2/3/4/5/6/7/8", "...", "a b",
                                      "..a",          ".hidden",   "caf\xc3\xa9.txt", "~x"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_int_equal(plan_check_name(names[i], NULL), HOIST_OK);
  char longest[257];
  memset(longest, 'x', sizeof longest);
  longest[255] = '\0';
  assert_int_equal(plan_check_name(longest, NULL), HOIST_OK);
  longest[255] = 'x';
  longest[256] = '\0';
  assert_int_equal(plan_check_name(longest, NULL), HOIST_CORRUPT);
}

static void test_the_weights_are_the_only_candidate_or_the_well_known_one(void **state) {
  static const struct {
    const char *names[4];
    enum hoist_status status;
    const char *result; /* the name, or a part of the message */
  } cases[] = {
      {{"x.onnx", "a.txt"}, HOIST_OK, "x.onnx"},
      {{"x.ort"}, HOIST_OK, "x.ort"},
      {{"a.onnx", "weights.onnx"}, HOIST_OK, "weights.onnx"},
      {{"z.ort", "best.onnx", "a.onnx"}, HOIST_OK, "best.onnx"},
      {{"model.onnx", "sub/weights.onnx"}, HOIST_OK, "model.onnx"},
      {{"a.txt", "weights.bin"}, HOIST_CORRUPT, "none of the 2 files is a *.onnx or *.ort"},
      {{NULL}, HOIST_CORRUPT, "no weights file"},
      {{"a.onnx", "b.onnx"}, HOIST_CORRUPT, "2 weights files, among them a.onnx and b.onnx"},
      {{"a.onnx", "best.onnx", "weights.onnx"},
       HOIST_CORRUPT,
       "3 weights files, among them best.onnx and weights.onnx"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    HOIST_AUTO(manifest) struct manifest m = {0};
    for (size_t n = 0; n < 4 && cases[i].names[n]; n++)
      add(&m, cases[i].names[n], 1);
    const char *name = "untouched";
    struct hoist_error err = {0};
    assert_int_equal(plan_weights(&m, &name, &err), cases[i].status);
    if (cases[i].status == HOIST_OK) {
      assert_string_equal(name, cases[i].result);
    } else {
      assert_string_equal(name, "untouched");
      assert_non_null(strstr(err.message, cases[i].result));
    }
  }
}

static void test_a_plan_has_small_metadata_first(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct model_id id = coins();
  add(&m, "weights.onnx", 100);
  add(&m, "sub/extra.bin", FILE_SIZE_UNKNOWN);
  add(&m, "environment.json", 10);
  add(&m, "class_names.txt", 5);
  assert_int_equal(plan_make(&id, &m, NULL), HOIST_OK);
  static const char *const expected[] = {"class_names.txt", "environment.json", "sub/extra.bin",
                                         "weights.onnx"};
  assert_int_equal(m.file_count, 4);
  for (size_t i = 0; i < 4; i++)
    assert_string_equal(m.files[i].name, expected[i]);
}

static void test_model_type_json_is_made_where_the_source_knows_the_type(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct model_id id = coins();
  add(&m, "weights.onnx", 100);
  add(&m, "environment.json", 10);
  add(&m, "class_names.txt", 5);
  m.task_type = strdup("object-detection");
  m.model_type = strdup("yolov8n");
  assert_int_equal(plan_make(&id, &m, NULL), HOIST_OK);
  const struct manifest_file *file = manifest_find(&m, "model_type.json");
  assert_non_null(file);
  assert_string_equal(file->content,
                      "{\"project_task_type\": \"object-detection\", \"model_type\": "
                      "\"yolov8n\", \"model_id\": \"Coins/1\"}\n");
  assert_int_equal(file->size, strlen(file->content));
}

static void test_a_plan_without_a_file_that_the_task_needs_is_corrupt(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct model_id id = coins();
  struct hoist_error err = {0};
  add(&m, "weights.onnx", 100);
  add(&m, "environment.json", 10);
  m.task_type = strdup("object-detection");
  assert_int_equal(plan_make(&id, &m, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "class_names.txt is missing"));
}

static void test_the_type_decides_between_several_weights(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  const char *name = NULL;
  add(&m, "best.onnx", 1);
  add(&m, "weights.onnx", 1);
  assert_int_equal(plan_weights(&m, &name, NULL), HOIST_CORRUPT);
  m.task_type = strdup("classification");
  m.model_type = strdup("vit");
  assert_int_equal(plan_weights(&m, &name, NULL), HOIST_OK);
  assert_string_equal(name, "best.onnx");
}

static void test_a_model_type_json_of_the_source_stays(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct model_id id = coins();
  add(&m, "weights.onnx", 100);
  add(&m, "model_type.json", 7);
  m.model_type = strdup("yolov8n");
  m.model_variant = strdup("n");
  assert_int_equal(plan_make(&id, &m, NULL), HOIST_OK);
  assert_int_equal(m.file_count, 2);
  assert_null(manifest_find(&m, "model_type.json")->content);
}

static void test_bad_plans_are_corrupt(void **state) {
  static const struct {
    const char *names[4];
    int64_t size;
    const char *message;
  } cases[] = {
      {{"weights.onnx", "../x"}, 1, "has a segment"},
      {{"a.onnx", "b", "a.onnx"}, 1, "file name \"a.onnx\" occurs twice"},
      {{"w.onnx", "a/b", "a-c", "a"}, 1, "\"a\" is both a file and a directory"},
      {{"w.onnx", "a/b/c", "a.b", "a/b"}, 1, "\"a/b\" is both a file and a directory"},
      {{"w.onnx"}, -2, "w.onnx: a negative size"},
      {{"w.bin"}, 1, "no weights file"},
  };
  struct model_id id = coins();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    HOIST_AUTO(manifest) struct manifest m = {0};
    struct hoist_error err = {0};
    for (size_t n = 0; n < 4 && cases[i].names[n]; n++)
      add(&m, cases[i].names[n], cases[i].size);
    assert_int_equal(plan_make(&id, &m, &err), HOIST_CORRUPT);
    if (!strstr(err.message, cases[i].message)) fail_msg("case %zu: %s", i, err.message);
  }
}

static void test_names_that_only_begin_alike_do_not_clash(void **state) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct model_id id = coins();
  static const char *const names[] = {"a", "a-b", "a.b", "ab/c", "a0/x.onnx"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    add(&m, names[i], 1);
  assert_int_equal(plan_make(&id, &m, NULL), HOIST_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_that_could_leave_the_directory_are_corrupt),
      cmocka_unit_test(test_ordinary_names_pass),
      cmocka_unit_test(test_the_weights_are_the_only_candidate_or_the_well_known_one),
      cmocka_unit_test(test_a_plan_has_small_metadata_first),
      cmocka_unit_test(test_model_type_json_is_made_where_the_source_knows_the_type),
      cmocka_unit_test(test_a_plan_without_a_file_that_the_task_needs_is_corrupt),
      cmocka_unit_test(test_the_type_decides_between_several_weights),
      cmocka_unit_test(test_a_model_type_json_of_the_source_stays),
      cmocka_unit_test(test_bad_plans_are_corrupt),
      cmocka_unit_test(test_names_that_only_begin_alike_do_not_clash),
  };
  return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
