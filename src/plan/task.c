/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of tasks. A new task is one row. Pure; any thread. */
#include "task.h"

#include "text.h"

#define ENVIRONMENT "environment.json"
#define CLASS_NAMES "class_names.txt"
#define KEYPOINTS "keypoints_metadata.json"
/* What packages of the newer kind describe themselves with, in place of environment.json. */
#define PACKAGE_DESCRIPTION "inference_config.json"
#define CLASSIFICATION "classification"

static const struct task {
  const char *name;
  const char *files[TASK_MAX_FILES];
} tasks[] = {
    {"object-detection", {ENVIRONMENT, CLASS_NAMES}},
    {"instance-segmentation", {ENVIRONMENT, CLASS_NAMES}},
    {"semantic-segmentation", {ENVIRONMENT, CLASS_NAMES}},
    {CLASSIFICATION, {ENVIRONMENT}},
    {"keypoint-detection", {ENVIRONMENT, CLASS_NAMES, KEYPOINTS}},
};

size_t task_files(const char *task_type, const char *ret_files[TASK_MAX_FILES]) {
  size_t count = 0;
  for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
    if (!text_equal(tasks[i].name, task_type)) continue;
    for (; count < TASK_MAX_FILES && tasks[i].files[count]; count++)
      ret_files[count] = tasks[i].files[count];
  }
  return count;
}

static bool has(const struct manifest *m, const char *name) {
  return manifest_find(m, name) ||
         (text_equal(name, ENVIRONMENT) && manifest_find(m, PACKAGE_DESCRIPTION));
}

enum hoist_status task_check_files(const char *task_type, const struct manifest *m,
                                   struct hoist_error *err) {
  const char *files[TASK_MAX_FILES];
  size_t count = task_files(task_type, files);
  for (size_t i = 0; i < count; i++)
    if (!has(m, files[i]))
      return hoist_fail(err, HOIST_CORRUPT,
                        "%s is missing: a model for %s needs it beside its weights; the model "
                        "package is broken",
                        files[i], task_type);
  return HOIST_OK;
}

const char *task_weights_name(const char *task_type, const char *model_type) {
  static const struct {
    const char *task_type;
    const char *model_type_prefix;
    const char *name;
  } names[] = {{"object-detection", "yolov5", "yolov5s_weights.onnx"},
               {"instance-segmentation", "yolov5", "yolov5s_weights.onnx"},
               {CLASSIFICATION, "vit", "best.onnx"},
               {CLASSIFICATION, "resnet", "best.onnx"},
               {CLASSIFICATION, "dinov3", "best.onnx"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (model_type && text_equal(names[i].task_type, task_type) &&
        text_starts_with(model_type, names[i].model_type_prefix))
      return names[i].name;
  return "weights.onnx";
}

bool task_takes_class_map(const char *task_type) {
  return text_equal(task_type, CLASSIFICATION);
}
