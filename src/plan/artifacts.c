/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of the files beside the weights. Owns what it returns. Pure but for the caller's reader;
 * any thread. */
#include "artifacts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "json_read.h"
#include "keypoints.h"
#include "text.h"

#define ENVIRONMENT "environment.json"
#define CLASS_NAMES "class_names.txt"
#define KEYPOINTS "keypoints_metadata.json"
#define MODEL_TYPE "model_type.json"

static void free_names(char **names, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(names[i]);
  free(names);
}

void artifacts_done(struct artifacts *a) {
  if (!a) return;
  for (size_t i = 0; i < a->color_count; i++) {
    free(a->colors[i].class_name);
    free(a->colors[i].color);
  }
  for (size_t i = 0; i < a->keypoints_count; i++)
    keypoints_done(&a->keypoints[i]);
  free_names(a->classes, a->class_count);
  free(a->colors);
  free(a->keypoints);
  free(a->preprocessing.contrast_type);
  free(a->preprocessing.resize_format);
  free(a->task_type);
  free(a->model_type);
  free(a->model_variant);
  free(a->environment_json);
  free(a->keypoints_json);
  *a = (struct artifacts){0};
}

void artifacts_take_classes(struct artifacts *a, char **names, size_t count) {
  free_names(a->classes, a->class_count);
  a->classes = names;
  a->class_count = count;
}

const char *artifacts_class_color(const struct artifacts *a, const char *class_name) {
  for (size_t i = 0; i < a->color_count; i++)
    if (strcmp(a->colors[i].class_name, class_name) == 0) return a->colors[i].color;
  return NULL;
}

/* Reads a file that may be missing: `ret_there` tells. */
static enum hoist_status read_file(const struct artifacts_reader *reader, const char *name,
                                   struct buf *ret_data, bool *ret_there, struct hoist_error *err) {
  struct hoist_error problem = {.status = HOIST_OK};
  enum hoist_status status = reader->read(reader->user, name, ret_data, &problem);
  *ret_there = status != HOIST_NOT_FOUND;
  if (status == HOIST_OK || status == HOIST_NOT_FOUND) return HOIST_OK;
  if (err) *err = problem;
  return status;
}

/* The same for JSON: an absent file leaves *ret_value and *ret_text NULL. The text has no NUL in it.
 * @param ret_text  NULL: it is not wanted */
static enum hoist_status read_json(const struct artifacts_reader *reader, const char *name,
                                   json_t **ret_value, char **ret_text, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf data = buf_make(ARTIFACTS_MAX_FILE_BYTES);
  bool there = false;
  enum hoist_status status = read_file(reader, name, &data, &there, err);
  if (status != HOIST_OK || !there) return status;
  status =
      json_read_parse(buf_str(&data), data.size, ARTIFACTS_MAX_FILE_BYTES, name, ret_value, err);
  if (status != HOIST_OK || !ret_text) return status;
  *ret_text = buf_take(&data);
  return *ret_text ? HOIST_OK : hoist_fail_memory(err, name);
}

/* ---- class_names.txt ------------------------------------------------------------------------- */

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

static enum hoist_status check_line(const char *line, size_t size, size_t number,
                                    struct hoist_error *err) {
  if (memchr(line, '\0', size))
    return hoist_fail(err, HOIST_CORRUPT, CLASS_NAMES ": line %zu holds a NUL byte", number);
  if (!utf8_valid(line, size))
    return hoist_fail(err, HOIST_CORRUPT, CLASS_NAMES ": line %zu is not valid UTF-8", number);
  if (number > ARTIFACTS_MAX_CLASSES)
    return hoist_fail(err, HOIST_CORRUPT, CLASS_NAMES ": more than %d lines",
                      ARTIFACTS_MAX_CLASSES);
  return HOIST_OK;
}

static enum hoist_status take_line(struct artifacts *a, const char *line, size_t size,
                                   struct hoist_error *err) {
  enum hoist_status status = check_line(line, size, a->class_count + 1, err);
  if (status != HOIST_OK) return status;
  while (size > 0 && is_blank(line[size - 1]))
    size--;
  for (; size > 0 && is_blank(*line); size--)
    line++;
  char *name = strndup(line, size);
  if (!name) return hoist_fail_memory(err, CLASS_NAMES);
  a->classes[a->class_count++] = name;
  return HOIST_OK;
}

static size_t count_lines(const char *text, size_t size) {
  size_t lines = 1;
  for (size_t i = 0; i < size; i++)
    lines += text[i] == '\n';
  return lines;
}

/* One class per line. A blank line keeps its id, so that later ones do not move; blank lines at the
 * end are none. */
static enum hoist_status parse_class_names(const char *text, size_t size, struct artifacts *a,
                                           struct hoist_error *err) {
  while (size > 0 && (is_blank(text[size - 1]) || text[size - 1] == '\n'))
    size--;
  if (size == 0) return HOIST_OK;
  a->classes = calloc(count_lines(text, size), sizeof *a->classes);
  if (!a->classes) return hoist_fail_memory(err, CLASS_NAMES);
  const char *end = text + size;
  enum hoist_status status = HOIST_OK;
  for (const char *line = text; status == HOIST_OK && line <= end;) {
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    const char *line_end = newline ? newline : end;
    status = take_line(a, line, (size_t)(line_end - line), err);
    line = line_end + 1;
  }
  return status;
}

static enum hoist_status read_class_names(const struct artifacts_reader *reader,
                                          struct artifacts *a, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf data = buf_make(ARTIFACTS_MAX_FILE_BYTES);
  bool there = false;
  enum hoist_status status = read_file(reader, CLASS_NAMES, &data, &there, err);
  if (status != HOIST_OK || !there) return status;
  return parse_class_names(buf_str(&data), data.size, a, err);
}

/* ---- the JSON files -------------------------------------------------------------------------- */

static enum hoist_status read_environment(const struct artifacts_reader *reader,
                                          struct artifacts *a, struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status = read_json(reader, ENVIRONMENT, &value, &a->environment_json, err);
  if (status != HOIST_OK || !value) return status;
  return environment_read(value, a, err);
}

static enum hoist_status read_keypoints(const struct artifacts_reader *reader, struct artifacts *a,
                                        struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status = read_json(reader, KEYPOINTS, &value, &a->keypoints_json, err);
  if (status != HOIST_OK || !value) return status;
  return keypoints_read(value, a, err);
}

static enum hoist_status read_model_type(const struct artifacts_reader *reader, struct artifacts *a,
                                         struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status = read_json(reader, MODEL_TYPE, &value, NULL, err);
  if (status != HOIST_OK || !value) return status;
  struct json_place root = json_read_root(value, MODEL_TYPE);
  status = json_read_object(&root, err);
  if (status != HOIST_OK) return status;
  struct json_place task = json_read_member(&root, "project_task_type");
  struct json_place type = json_read_member(&root, "model_type");
  struct json_place variant = json_read_member(&root, "model_variant");
  status = json_read_copy(&task, false, &a->task_type, err);
  if (status != HOIST_OK) return status;
  status = json_read_copy(&type, false, &a->model_type, err);
  if (status != HOIST_OK) return status;
  return json_read_copy(&variant, false, &a->model_variant, err);
}

enum hoist_status artifacts_parse(const struct artifacts_reader *reader,
                                  struct artifacts *ret_artifacts, struct hoist_error *err) {
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  enum hoist_status status = read_model_type(reader, &a, err);
  if (status != HOIST_OK) return status;
  status = read_class_names(reader, &a, err);
  if (status != HOIST_OK) return status;
  status = read_environment(reader, &a, err);
  if (status != HOIST_OK) return status;
  status = read_keypoints(reader, &a, err);
  if (status != HOIST_OK) return status;
  *ret_artifacts = a;
  a = (struct artifacts){0};
  return HOIST_OK;
}
