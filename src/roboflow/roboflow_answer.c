/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of the Roboflow API's answers. Owns what it returns. Pure; any thread. */
#include "roboflow_answer.h"

#include <stdlib.h>
#include <string.h>

#include "roboflow_shape.h"
#include "task.h"
#include "text.h"

#define ENVIRONMENT "environment.json"
#define DEFAULT_TASK "object-detection" /* what the reference takes where an answer names none */

void roboflow_answer_done(struct roboflow_answer *answer) {
  if (!answer) return;
  manifest_done(&answer->manifest);
  free(answer->environment_url);
  json_decref(answer->colors);
  *answer = (struct roboflow_answer){0};
}

/* ---- names and defaults ---------------------------------------------------------------------- */

static const char *default_model_type(const char *task_type) {
  static const struct {
    const char *task_type;
    const char *model_type;
  } defaults[] = {{"object-detection", "yolov5v2s"},
                  {"instance-segmentation", "yolact"},
                  {"classification", "vit"},
                  {"keypoint-detection", "yolov8n"}};
  for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
    if (strcmp(task_type, defaults[i].task_type) == 0) return defaults[i].model_type;
  return NULL;
}

static enum hoist_status read_type(const struct json_place *root, const char *task_key,
                                   struct manifest *m, struct hoist_error *err) {
  struct json_place task = json_read_member(root, task_key);
  struct json_place type = json_read_member(root, "modelType");
  struct json_place variant = json_read_member(root, "modelVariant");
  enum hoist_status status = json_read_copy(&task, false, &m->task_type, err);
  if (status == HOIST_OK) status = json_read_copy(&type, false, &m->model_type, err);
  if (status == HOIST_OK) status = json_read_copy(&variant, false, &m->model_variant, err);
  if (status != HOIST_OK) return status;
  if (!m->task_type && !(m->task_type = strdup(DEFAULT_TASK)))
    return hoist_fail_memory(err, ROBOFLOW_ANSWER);
  if (m->model_type && strcmp(m->model_type, "ort") != 0) return HOIST_OK;
  const char *standard = default_model_type(m->task_type);
  free(m->model_type);
  m->model_type = text_dup(standard);
  return standard && !m->model_type ? hoist_fail_memory(err, ROBOFLOW_ANSWER) : HOIST_OK;
}

/* ---- files ---------------------------------------------------------------------------------- */

static enum hoist_status append_class(const struct json_place *place, struct buf *text,
                                      struct hoist_error *err) {
  const char *name = NULL;
  enum hoist_status status = json_read_string(place, &name, err);
  if (status != HOIST_OK) return status;
  if (strpbrk(name, "\r\n")) return json_read_fail(place, err, "a class name with a line break");
  return buf_printf(text, err, "%s\n", name);
}

static enum hoist_status add_classes(const struct json_place *root, struct manifest *m,
                                     struct hoist_error *err) {
  struct json_place classes = json_read_member(root, "classes");
  if (!classes.value) return HOIST_OK;
  enum hoist_status status = json_read_array(&classes, err);
  HOIST_AUTO(buf) struct buf text = buf_make(2 * ROBOFLOW_MAX_ANSWER_BYTES);
  for (size_t i = 0; status == HOIST_OK && i < json_array_size(classes.value); i++) {
    struct json_place name = json_read_item(&classes, i);
    status = append_class(&name, &text, err);
  }
  return status == HOIST_OK ? roboflow_add_content(m, "class_names.txt", &text, err) : status;
}

static enum hoist_status add_keypoints(const struct json_place *root, struct manifest *m,
                                       struct hoist_error *err) {
  struct json_place keypoints = json_read_member(root, "keypoints_metadata");
  if (!keypoints.value) return HOIST_OK;
  enum hoist_status status = json_read_array(&keypoints, err);
  if (status != HOIST_OK) return status;
  return roboflow_add_json(m, "keypoints_metadata.json", keypoints.value, err);
}

static enum hoist_status add_further(const struct json_place *root, struct manifest *m,
                                     struct hoist_error *err) {
  struct json_place weights = json_read_member(root, "weights");
  if (!weights.value) return HOIST_OK;
  enum hoist_status status = json_read_object(&weights, err);
  if (status != HOIST_OK) return status;
  const char *name;
  json_t *value;
  json_object_foreach(weights.value, name, value) {
    struct json_place url = json_read_member(&weights, name);
    status = roboflow_add_url(m, name, &url, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status read_colors(const struct json_place *root, json_t **ret_colors,
                                     struct hoist_error *err) {
  struct json_place colors = json_read_member(root, "colors");
  if (!colors.value) return HOIST_OK;
  enum hoist_status status = json_read_object(&colors, err);
  if (status == HOIST_OK) *ret_colors = json_incref(colors.value);
  return status;
}

/* What both answers have: the type, class names, keypoints, colors, and the weights at `model`. */
static enum hoist_status read_common(const struct json_place *root, const char *task_key,
                                     const struct json_place *model, struct roboflow_answer *answer,
                                     struct hoist_error *err) {
  struct manifest *m = &answer->manifest;
  enum hoist_status status = read_type(root, task_key, m, err);
  if (status != HOIST_OK) return status;
  status = roboflow_add_url(m, task_weights_name(m->task_type, m->model_type), model, err);
  if (status != HOIST_OK) return status;
  status = add_classes(root, m, err);
  if (status != HOIST_OK) return status;
  status = add_keypoints(root, m, err);
  if (status != HOIST_OK) return status;
  return read_colors(root, &answer->colors, err);
}

static void hand_over(struct roboflow_answer *from, struct roboflow_answer *ret) {
  *ret = *from;
  *from = (struct roboflow_answer){0};
}

/* ---- files for other programs ---------------------------------------------------------------- */

/* The last segment of the URL's path, as it is: so the reference server names it. */
static enum hoist_status add_by_url(struct manifest *m, const struct json_place *place,
                                    struct hoist_error *err) {
  HOIST_AUTO(mem) char *url = NULL;
  enum hoist_status status = roboflow_read_url(place, &url, err);
  if (status != HOIST_OK) return status;
  url[strcspn(url, "?#")] = '\0';
  const char *slash = strrchr(strstr(url, "://") + 3, '/');
  if (!slash || !slash[1])
    return json_read_fail(place, err, "a URL with no file name at the end of its path");
  return roboflow_add_url(m, slash + 1, place, err);
}

enum hoist_status roboflow_read_core_model(const char *json, size_t size,
                                           struct roboflow_answer *ret_answer,
                                           struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  struct json_place root;
  enum hoist_status status = roboflow_read_root(json, size, &value, &root, err);
  if (status != HOIST_OK) return status;
  struct json_place weights = json_read_member(&root, "weights");
  status = json_read_object(&weights, err);
  if (status != HOIST_OK) return status;
  if (json_object_size(weights.value) == 0)
    return json_read_fail(&weights, err, "there is no file in it");
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {.manifest.is_bundle = 1};
  const char *key;
  json_t *url;
  json_object_foreach(weights.value, key, url) {
    struct json_place place = json_read_member(&weights, key);
    status = add_by_url(&answer.manifest, &place, err);
    if (status != HOIST_OK) return status;
  }
  hand_over(&answer, ret_answer);
  return HOIST_OK;
}

static enum hoist_status read_owlv2(const struct json_place *owlv2,
                                    struct roboflow_answer *ret_answer, struct hoist_error *err) {
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {.manifest.is_bundle = 1};
  enum hoist_status status = json_read_object(owlv2, err);
  if (status != HOIST_OK) return status;
  struct json_place model = json_read_member(owlv2, "model");
  status = roboflow_add_url(&answer.manifest, "weights.pt", &model, err);
  if (status != HOIST_OK) return status;
  hand_over(&answer, ret_answer);
  return HOIST_OK;
}

enum hoist_status roboflow_read_owlv2(const char *json, size_t size,
                                      struct roboflow_answer *ret_answer, struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  struct json_place root;
  enum hoist_status status = roboflow_read_root(json, size, &value, &root, err);
  if (status != HOIST_OK) return status;
  struct json_place owlv2 = json_read_member(&root, "owlv2");
  return read_owlv2(&owlv2, ret_answer, err);
}

/* ---- /ort and /getWeights ------------------------------------------------------------------- */

enum hoist_status roboflow_read_ort(const char *json, size_t size,
                                    struct roboflow_answer *ret_answer, struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  struct json_place root;
  enum hoist_status status = roboflow_read_root(json, size, &value, &root, err);
  if (status != HOIST_OK) return status;
  struct json_place ort = json_read_member(&root, "ort");
  status = json_read_object(&ort, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {0};
  struct json_place model = json_read_member(&ort, "model");
  status = read_common(&ort, "type", &model, &answer, err);
  if (status != HOIST_OK) return status;
  struct json_place environment = json_read_member(&ort, "environment");
  status = roboflow_read_url(&environment, &answer.environment_url, err);
  if (status != HOIST_OK) return status;
  status = add_further(&ort, &answer.manifest, err);
  if (status != HOIST_OK) return status;
  hand_over(&answer, ret_answer);
  return HOIST_OK;
}

static enum hoist_status merge_colors(json_t *environment, json_t *colors,
                                      struct hoist_error *err) {
  if (!colors || json_object_set(environment, "COLORS", colors) == 0) return HOIST_OK;
  return hoist_fail_memory(err, ENVIRONMENT);
}

enum hoist_status roboflow_read_weights(const char *json, size_t size,
                                        struct roboflow_answer *ret_answer,
                                        struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  struct json_place root;
  enum hoist_status status = roboflow_read_root(json, size, &value, &root, err);
  if (status != HOIST_OK) return status;
  struct json_place files = json_read_member(&root, "modelFiles");
  struct json_place owlv2 = json_read_member(&files, "owlv2");
  if (owlv2.value) return read_owlv2(&owlv2, ret_answer, err);
  struct json_place ort = json_read_member(&files, "ort");
  struct json_place model = json_read_member(&ort, "model");
  struct json_place environment = json_read_member(&root, "environment");
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {0};
  status = read_common(&root, "taskType", &model, &answer, err);
  if (status != HOIST_OK) return status;
  status = json_read_object(&environment, err);
  if (status != HOIST_OK) return status;
  status = merge_colors(environment.value, answer.colors, err);
  if (status != HOIST_OK) return status;
  status = roboflow_add_json(&answer.manifest, ENVIRONMENT, environment.value, err);
  if (status != HOIST_OK) return status;
  hand_over(&answer, ret_answer);
  return HOIST_OK;
}

enum hoist_status roboflow_add_environment(struct roboflow_answer *answer, const char *json,
                                           size_t size, struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status =
      json_read_parse(json, size, ROBOFLOW_MAX_ENVIRONMENT_BYTES, ENVIRONMENT, &value, err);
  if (status != HOIST_OK) return status;
  struct json_place root = json_read_root(value, ENVIRONMENT);
  status = json_read_object(&root, err);
  if (status != HOIST_OK) return status;
  if (answer->colors) {
    status = merge_colors(value, answer->colors, err);
    return status == HOIST_OK ? roboflow_add_json(&answer->manifest, ENVIRONMENT, value, err)
                              : status;
  }
  HOIST_AUTO(buf) struct buf text = buf_make(ROBOFLOW_MAX_ENVIRONMENT_BYTES);
  status = buf_append(&text, json, size, err);
  return status == HOIST_OK ? roboflow_add_content(&answer->manifest, ENVIRONMENT, &text, err)
                            : status;
}
