/* SPDX-License-Identifier: Apache-2.0 */
/* What each task needs, and what weights are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "task.h"

/* A manifest of the names, which end with NULL. */
static struct manifest manifest_of(const char *const *names) {
  struct manifest m = {0};
  struct manifest_file *file;
  for (; *names; names++)
    assert_int_equal(manifest_add(&m, *names, &file, NULL), HOIST_OK);
  return m;
}

static void test_each_task_needs_its_files(void **state) {
  static const struct {
    const char *task;
    const char *files[TASK_MAX_FILES + 1];
  } rows[] = {
      {"object-detection", {"environment.json", "class_names.txt"}},
      {"instance-segmentation", {"environment.json", "class_names.txt"}},
      {"semantic-segmentation", {"environment.json", "class_names.txt"}},
      {"classification", {"environment.json"}},
      {"keypoint-detection", {"environment.json", "class_names.txt", "keypoints_metadata.json"}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    HOIST_AUTO(manifest) struct manifest whole = manifest_of(rows[i].files);
    assert_int_equal(task_check_files(rows[i].task, &whole, NULL), HOIST_OK);
    for (size_t gone = 0; rows[i].files[gone]; gone++) {
      const char *rest[TASK_MAX_FILES + 1] = {NULL};
      for (size_t from = 0, to = 0; rows[i].files[from]; from++)
        if (from != gone) rest[to++] = rows[i].files[from];
      HOIST_AUTO(manifest) struct manifest part = manifest_of(rest);
      struct hoist_error err = {0};
      assert_int_equal(task_check_files(rows[i].task, &part, &err), HOIST_CORRUPT);
      assert_ptr_equal(strstr(err.message, rows[i].files[gone]), err.message);
      assert_non_null(strstr(err.message, rows[i].task));
    }
  }
}

static void test_nothing_is_demanded_of_what_is_not_known(void **state) {
  struct manifest empty = {0};
  assert_int_equal(task_check_files(NULL, &empty, NULL), HOIST_OK);
  assert_int_equal(task_check_files("embed", &empty, NULL), HOIST_OK);
  const char *files[TASK_MAX_FILES];
  assert_int_equal(task_files("", files), 0);
}

static void test_a_package_may_describe_itself_in_the_newer_way(void **state) {
  static const char *const names[] = {"class_names.txt", "inference_config.json", NULL};
  HOIST_AUTO(manifest) struct manifest m = manifest_of(names);
  assert_int_equal(task_check_files("object-detection", &m, NULL), HOIST_OK);
  assert_int_equal(task_check_files("keypoint-detection", &m, NULL), HOIST_CORRUPT);
}

static void test_weights_are_called_after_task_and_type(void **state) {
  static const struct {
    const char *task, *type, *name;
  } rows[] = {
      {"object-detection", "yolov8n", "weights.onnx"},
      {"object-detection", "yolov5v2s", "yolov5s_weights.onnx"},
      {"instance-segmentation", "yolov5-seg", "yolov5s_weights.onnx"},
      {"instance-segmentation", "yolact", "weights.onnx"},
      {"classification", "vit", "best.onnx"},
      {"classification", "resnet18", "best.onnx"},
      {"classification", "dinov3", "best.onnx"},
      {"classification", "yolov8n", "weights.onnx"},
      {"keypoint-detection", "yolov8n-pose", "weights.onnx"},
      {"object-detection", "vit", "weights.onnx"},
      {"object-detection", NULL, "weights.onnx"},
      {NULL, "vit", "weights.onnx"},
      {NULL, NULL, "weights.onnx"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_string_equal(task_weights_name(rows[i].task, rows[i].type), rows[i].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_task_needs_its_files),
      cmocka_unit_test(test_nothing_is_demanded_of_what_is_not_known),
      cmocka_unit_test(test_a_package_may_describe_itself_in_the_newer_way),
      cmocka_unit_test(test_weights_are_called_after_task_and_type),
  };
  return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
