/* SPDX-License-Identifier: Apache-2.0 */
/* What the files beside the weights say, well-formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "artifacts.h"

/* A model in memory: a list of names and texts that ends with a NULL name. */
struct fake_file {
  const char *name;
  const char *text;
  size_t size; /* 0: strlen */
};

static enum hoist_status read_fake(void *user, const char *name, struct buf *ret_data,
                                   struct hoist_error *err) {
  for (const struct fake_file *f = user; f->name; f++)
    if (strcmp(f->name, name) == 0)
      return buf_append(ret_data, f->text, f->size ? f->size : strlen(f->text), err);
  return hoist_fail(err, HOIST_NOT_FOUND, "%s: not there", name);
}

static enum hoist_status parse(struct fake_file *files, struct artifacts *ret,
                               struct hoist_error *err) {
  const struct artifacts_reader reader = {.user = files, .read = read_fake};
  return artifacts_parse(&reader, ret, err);
}

static void test_a_plain_onnx_model_has_no_artifacts(void **state) {
  struct fake_file files[] = {{NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {.class_count = 9};
  struct hoist_error err = {.message = "untouched"};
  assert_int_equal(parse(files, &a, &err), HOIST_OK);
  assert_string_equal(err.message, "untouched");
  assert_null(a.task_type);
  assert_int_equal(a.class_count, 0);
  assert_int_equal(a.has_preprocessing, 0);
}

static void test_a_complete_model_is_read_whole(void **state) {
  struct fake_file files[] = {
      {"model_type.json",
       "{\"project_task_type\": \"keypoint-detection\", \"model_type\": "
       "\"yolov8n\", \"model_id\": \"x/1\", \"model_variant\": \"n\"}",
       0},
      {"class_names.txt", "cat\r\n  dog \n\nbird\n\n", 0},
      {"environment.json",
       "{\"PREPROCESSING\": {\"auto-orient\": {\"enabled\": true},"
       " \"static-crop\": {\"enabled\": true, \"x_min\": 10, \"x_max\": 90.5, \"y_min\": 0, "
       "\"y_max\": 100},"
       " \"contrast\": {\"enabled\": true, \"type\": \"Contrast Stretching\"},"
       " \"grayscale\": {\"enabled\": false},"
       " \"resize\": {\"enabled\": true, \"format\": \"Fit (black edges) in\", \"width\": 640, "
       "\"height\": \"480\"}},"
       " \"COLORS\": {\"cat\": \"#ff0000\", \"ghost\": \"#00ff00\"},"
       " \"CLASS_MAP\": {\"0\": \"ignored\"}, \"MULTICLASS\": true, \"BATCH_SIZE\": 8}",
       0},
      {"keypoints_metadata.json",
       "[{\"object_class_id\": 1, \"keypoints\": {\"10\": \"tail\", \"2\": \"ear\", \"0\": "
       "\"nose\"}, \"edges\": [{\"from\": 0, "
       "\"to\": 10}, [2, 0]], \"shown\": 1}, {\"object_class_id\": 0, \"keypoints\": {}}]",
       0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_string_equal(a.task_type, "keypoint-detection");
  assert_string_equal(a.model_type, "yolov8n");
  assert_string_equal(a.model_variant, "n");
  assert_int_equal(a.class_count, 4);
  assert_string_equal(a.classes[0], "cat");
  assert_string_equal(a.classes[1], "dog");
  assert_string_equal(a.classes[2], "");
  assert_string_equal(a.classes[3], "bird");
  assert_int_equal(a.color_count, 2);
  assert_string_equal(artifacts_class_color(&a, "ghost"), "#00ff00");
  assert_null(artifacts_class_color(&a, "dog"));
  assert_int_equal(a.multiclass, 1);
  assert_int_equal(a.has_preprocessing, 1);
  assert_int_equal(a.preprocessing.auto_orient, 1);
  assert_int_equal(a.preprocessing.has_static_crop, 1);
  assert_true(a.preprocessing.static_crop.x_max == 90.5);
  assert_string_equal(a.preprocessing.contrast_type, "Contrast Stretching");
  assert_int_equal(a.preprocessing.contrast, HOIST_CONTRAST_STRETCHING);
  assert_int_equal(a.preprocessing.grayscale, 0);
  assert_string_equal(a.preprocessing.resize_format, "Fit (black edges) in");
  assert_int_equal(a.preprocessing.resize, HOIST_RESIZE_FIT_BLACK);
  assert_int_equal(a.input_width, 640);
  assert_int_equal(a.input_height, 480);
  assert_int_equal(a.keypoints_count, 2);
  assert_int_equal(a.keypoints[0].class_id, 0);
  assert_int_equal(a.keypoints[0].names.count, 0);
  assert_int_equal(a.keypoints[1].names.count, 3);
  assert_string_equal(a.keypoints[1].names.names[1], "ear");
  assert_string_equal(a.keypoints[1].names.names[2], "tail");
  assert_int_equal(a.keypoints[1].names.numbers[2], 10);
  assert_int_equal(a.keypoints[1].edge_count, 2);
  assert_int_equal(a.keypoints[1].edges[0].to, 10);
  assert_int_equal(a.keypoints[1].edges[1].from, 2);
  assert_string_equal(a.environment_json, files[2].text);
  assert_string_equal(a.keypoints_json, files[3].text);
}

static void test_objects_may_come_as_strings_of_json(void **state) {
  struct fake_file files[] = {
      {"environment.json",
       "{\"PREPROCESSING\": \"{\\\"resize\\\": {\\\"width\\\": 416, \\\"height\\\": 416}}\","
       " \"COLORS\": \"{\\\"a\\\": \\\"#010203\\\"}\","
       " \"CLASS_MAP\": {\"1\": \"b\", \"0\": \"a\", \"10\": \"k\", \"2\": \"c\", \"3\": \"d\","
       " \"4\": \"e\", \"5\": \"f\", \"6\": \"g\", \"7\": \"h\", \"8\": \"i\", \"9\": \"j\"}}",
       0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_int_equal(a.class_count, 11);
  assert_string_equal(a.classes[2], "c");
  assert_string_equal(a.classes[10], "k");
  assert_string_equal(artifacts_class_color(&a, "a"), "#010203");
  assert_string_equal(a.preprocessing.resize_format, "Stretch to");
  assert_int_equal(a.preprocessing.resize, HOIST_RESIZE_STRETCH);
  assert_int_equal(a.input_width, 416);
  assert_int_equal(a.multiclass, 0);
}

static void test_an_empty_list_of_class_names_leaves_the_word_to_the_class_map(void **state) {
  struct fake_file files[] = {
      {"class_names.txt", "\n", 0},
      {"environment.json", "{\"PREPROCESSING\": {}, \"CLASS_MAP\": {\"0\": \"a\"}}", 0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_int_equal(a.class_count, 1);
  assert_string_equal(a.classes[0], "a");
}

static void test_a_classification_takes_its_names_from_the_class_map(void **state) {
  struct fake_file files[] = {
      {"model_type.json", "{\"project_task_type\": \"classification\"}", 0},
      {"class_names.txt", "old\nnames\n", 0},
      {"environment.json", "{\"PREPROCESSING\": {}, \"CLASS_MAP\": {\"0\": \"a\"}}", 0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_int_equal(a.class_count, 1);
  assert_string_equal(a.classes[0], "a");
  files[2].text = "{\"PREPROCESSING\": {}}";
  HOIST_AUTO(artifacts) struct artifacts without = {0};
  assert_int_equal(parse(files, &without, NULL), HOIST_OK);
  assert_string_equal(without.classes[1], "names");
}

static void test_steps_of_other_kinds_are_kept_as_they_are_written(void **state) {
  struct fake_file files[] = {
      {"environment.json",
       "{\"PREPROCESSING\": {\"resize\": {\"width\": 1, \"height\": 2, \"format\": \"Twist "
       "to\"}, \"contrast\": {\"type\": \"Solarise\"}, \"tile\": {\"rows\": 2}}}",
       0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_int_equal(a.preprocessing.resize, HOIST_RESIZE_OTHER);
  assert_string_equal(a.preprocessing.resize_format, "Twist to");
  assert_int_equal(a.preprocessing.contrast, HOIST_CONTRAST_OTHER);
  assert_string_equal(a.preprocessing.contrast_type, "Solarise");
  assert_non_null(strstr(a.environment_json, "\"tile\""));
}

static void test_edges_that_join_no_keypoints_are_left_out(void **state) {
  struct fake_file files[] = {
      {"keypoints_metadata.json",
       "[{\"object_class_id\": 0, \"keypoints\": {\"0\": \"a\", \"1\": \"b\"}, \"edges\": "
       "[[0, 2], [0], 7, {\"from\": 0}, {\"from\": \"0\", \"to\": 1}, {\"from\": 1, \"to\": "
       "0}]}, {\"object_class_id\": 1, \"keypoints\": {}, \"edges\": \"none\"}]",
       0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_int_equal(a.keypoints[0].edge_count, 1);
  assert_int_equal(a.keypoints[0].edges[0].from, 1);
  assert_int_equal(a.keypoints[1].edge_count, 0);
}

static void test_a_step_that_is_off_leaves_only_the_input_size(void **state) {
  struct fake_file files[] = {
      {"environment.json",
       "{\"PREPROCESSING\": {\"resize\": {\"enabled\": false, \"width\": 224, \"height\": 224},"
       " \"contrast\": {\"enabled\": false}, \"static-crop\": {\"enabled\": false},"
       " \"auto-orient\": {}}}",
       0},
      {NULL, NULL, 0}};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  assert_int_equal(parse(files, &a, NULL), HOIST_OK);
  assert_int_equal(a.preprocessing.resize, HOIST_RESIZE_NONE);
  assert_null(a.preprocessing.resize_format);
  assert_int_equal(a.preprocessing.contrast, HOIST_CONTRAST_NONE);
  assert_null(a.preprocessing.contrast_type);
  assert_int_equal(a.preprocessing.has_static_crop, 0);
  assert_int_equal(a.preprocessing.auto_orient, 1);
  assert_int_equal(a.input_width, 224);
}

#define PRE(text) "{\"PREPROCESSING\": {" text "}}"
#define ENV(text) "{\"PREPROCESSING\": {}, " text "}"

static void test_malformed_files_are_corrupt_and_say_where(void **state) {
  static const struct {
    const char *name;
    const char *text;
    const char *message;
  } cases[] = {
      {"environment.json", "", "environment.json: not JSON: it ends too early"},
      {"environment.json", "{\"PREPROCESSING\"", "environment.json: not JSON: it ends too early"},
      {"environment.json", "[]", "environment.json: expected an object, found a list"},
      {"environment.json", "{}",
       "environment.json: PREPROCESSING: expected an object, but it is missing"},
      {"environment.json", "{\"PREPROCESSING\": 1}",
       "environment.json: PREPROCESSING: expected an object, found a number"},
      {"environment.json", "{\"PREPROCESSING\": \"{\"}",
       "environment.json: PREPROCESSING: not JSON"},
      {"environment.json", "{\"PREPROCESSING\": \"[]\"}",
       "environment.json: PREPROCESSING: expected an object, found a list"},
      {"environment.json", PRE("\"resize\": 1"),
       "environment.json: PREPROCESSING.resize: expected an object, found a number"},
      {"environment.json", PRE("\"resize\": {}"), "PREPROCESSING.resize.width: expected a whole"},
      {"environment.json", PRE("\"resize\": {\"width\": 0, \"height\": 1}"),
       "PREPROCESSING.resize.width: 0 is not between 1 and 65536"},
      {"environment.json", PRE("\"resize\": {\"width\": 1, \"height\": \"x\"}"),
       "PREPROCESSING.resize.height: expected a whole number, found a string"},
      {"environment.json", PRE("\"resize\": {\"enabled\": 1}"),
       "PREPROCESSING.resize.enabled: expected true or false, found a number"},
      {"environment.json", PRE("\"grayscale\": true"),
       "PREPROCESSING.grayscale: expected an object, found a boolean"},
      {"environment.json", PRE("\"contrast\": {\"type\": 4}"),
       "PREPROCESSING.contrast.type: expected a string, found a number"},
      {"environment.json", PRE("\"static-crop\": {\"x_min\": -1}"),
       "PREPROCESSING.static-crop.x_min: -1 is not between 0 and 100"},
      {"environment.json",
       PRE("\"static-crop\": {\"x_min\": 50, \"x_max\": 50, \"y_min\": 0, \"y_max\": 9}"),
       "PREPROCESSING.static-crop: nothing is left of the image"},
      {"environment.json", ENV("\"COLORS\": []"), "COLORS: expected an object, found a list"},
      {"environment.json", ENV("\"COLORS\": {\"a\": 1}"),
       "COLORS.a: expected a string, found a number"},
      {"environment.json", ENV("\"MULTICLASS\": \"yes\""),
       "MULTICLASS: expected true or false, found a string"},
      {"environment.json", ENV("\"CLASS_MAP\": []"), "CLASS_MAP: expected an object, found a list"},
      {"environment.json", ENV("\"CLASS_MAP\": {\"a\": \"b\"}"),
       "CLASS_MAP.a: the key is no number"},
      {"environment.json", ENV("\"CLASS_MAP\": {\"0\": 1}"),
       "CLASS_MAP.0: expected a string, found a number"},
      {"environment.json", ENV("\"CLASS_MAP\": {\"0\": \"a\", \"2\": \"c\"}"),
       "CLASS_MAP: there is no \"1\""},
      {"environment.json", ENV("\"CLASS_MAP\": {\"0\": \"a\", \"00\": \"c\"}"),
       "CLASS_MAP: a number occurs twice"},
      {"class_names.txt", "a\nb\xff\n", "class_names.txt: line 2 is not valid UTF-8"},
      {"keypoints_metadata.json", "{}", "keypoints_metadata.json: expected a list"},
      {"keypoints_metadata.json", "[1]", "keypoints_metadata.json: [0]: expected an object"},
      {"keypoints_metadata.json", "[{}]", "[0].object_class_id: expected a whole number"},
      {"keypoints_metadata.json", "[{\"object_class_id\": 0}]",
       "[0].keypoints: expected an object, but it is missing"},
      {"keypoints_metadata.json", "[{\"object_class_id\": 0, \"keypoints\": {\"x\": \"nose\"}}]",
       "[0].keypoints.x: the key is no number"},
      {"keypoints_metadata.json",
       "[{\"object_class_id\": 3, \"keypoints\": {}}, {\"object_class_id\": 3, \"keypoints\": {}}]",
       "two entries are for class 3"},
      {"model_type.json", "\"x\"", "model_type.json: expected an object, found a string"},
      {"model_type.json", "{\"model_type\": {}}", "model_type.json: model_type: expected a string"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fake_file files[] = {{cases[i].name, cases[i].text, 0}, {NULL, NULL, 0}};
    struct artifacts a = {.class_count = 77};
    struct hoist_error err = {0};
    enum hoist_status status = parse(files, &a, &err);
    if (status != HOIST_CORRUPT || !strstr(err.message, cases[i].message))
      fail_msg("case %zu: %s", i, err.message);
    assert_int_equal(a.class_count, 77);
  }
}

static void test_a_class_name_with_a_nul_byte_is_corrupt(void **state) {
  struct fake_file files[] = {{"class_names.txt", "a\nb\0c\n", 6}, {NULL, NULL, 0}};
  struct artifacts a;
  struct hoist_error err = {0};
  assert_int_equal(parse(files, &a, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "line 2 holds a NUL byte"));
}

static void test_files_and_lists_over_the_cap_are_corrupt(void **state) {
  size_t size = ARTIFACTS_MAX_FILE_BYTES + 1;
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, 'x', size);
  struct fake_file big[] = {{"environment.json", text, size}, {NULL, NULL, 0}};
  struct artifacts a;
  assert_int_equal(parse(big, &a, NULL), HOIST_CORRUPT);
  for (size_t i = 0; i < size; i++)
    text[i] = i % 2 ? '\n' : 'x';
  struct hoist_error err = {0};
  struct fake_file many[] = {{"class_names.txt", text, 2 * (ARTIFACTS_MAX_CLASSES + 1)},
                             {NULL, NULL, 0}};
  assert_int_equal(parse(many, &a, &err), HOIST_CORRUPT);
  assert_string_equal(err.message, "class_names.txt: more than 65536 lines");
  many[0].size = 2 * ARTIFACTS_MAX_CLASSES;
  HOIST_AUTO(artifacts) struct artifacts most = {0};
  assert_int_equal(parse(many, &most, NULL), HOIST_OK);
  assert_int_equal(most.class_count, ARTIFACTS_MAX_CLASSES);
  free(text);
}

static enum hoist_status read_denied(void *user, const char *name, struct buf *ret_data,
                                     struct hoist_error *err) {
  return hoist_fail(err, HOIST_DENIED, "%s: no", name);
}

static void test_an_unreadable_file_stops_the_parse(void **state) {
  const struct artifacts_reader reader = {.read = read_denied};
  struct artifacts a;
  struct hoist_error err = {0};
  assert_int_equal(artifacts_parse(&reader, &a, &err), HOIST_DENIED);
  assert_string_equal(err.message, "model_type.json: no");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_plain_onnx_model_has_no_artifacts),
      cmocka_unit_test(test_a_complete_model_is_read_whole),
      cmocka_unit_test(test_objects_may_come_as_strings_of_json),
      cmocka_unit_test(test_an_empty_list_of_class_names_leaves_the_word_to_the_class_map),
      cmocka_unit_test(test_a_classification_takes_its_names_from_the_class_map),
      cmocka_unit_test(test_steps_of_other_kinds_are_kept_as_they_are_written),
      cmocka_unit_test(test_edges_that_join_no_keypoints_are_left_out),
      cmocka_unit_test(test_a_step_that_is_off_leaves_only_the_input_size),
      cmocka_unit_test(test_malformed_files_are_corrupt_and_say_where),
      cmocka_unit_test(test_a_class_name_with_a_nul_byte_is_corrupt),
      cmocka_unit_test(test_files_and_lists_over_the_cap_are_corrupt),
      cmocka_unit_test(test_an_unreadable_file_stops_the_parse),
  };
  return cmocka_run_group_tests_name("artifacts", tests, NULL, NULL);
}
