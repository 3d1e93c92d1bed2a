/* SPDX-License-Identifier: Apache-2.0 */
/* environment.json. Pure; any thread. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>

#include "numbered.h"
#include "task.h"
#include "text.h"

#define ENVIRONMENT "environment.json"
#define RESIZE_DEFAULT "Stretch to"

/* ---- steps of the preprocessing --------------------------------------------------------------- */

/* The server writes some objects as a string that holds their JSON. Where that is so, `ret_holder`
 * owns the parsed value that `ret_object` refers to. */
static enum hoist_status open_object(const struct json_place *place, const char *document,
                                     json_t **ret_holder, struct json_place *ret_object,
                                     struct hoist_error *err) {
  *ret_object = *place;
  if (json_is_string(place->value)) {
    enum hoist_status status =
        json_read_parse(json_string_value(place->value), json_string_length(place->value),
                        ARTIFACTS_MAX_FILE_BYTES, document, ret_holder, err);
    if (status != HOIST_OK) return status;
    *ret_object = json_read_root(*ret_holder, document);
  }
  return json_read_object(ret_object, err);
}

/* {"enabled": bool, …}: absent is off; without "enabled" it is on, as older versions wrote no flag.
 */
static enum hoist_status read_step(const struct json_place *step, bool *ret_on,
                                   struct hoist_error *err) {
  *ret_on = false;
  if (!step->value) return HOIST_OK;
  enum hoist_status status = json_read_object(step, err);
  if (status != HOIST_OK) return status;
  struct json_place enabled = json_read_member(step, "enabled");
  *ret_on = true;
  return enabled.value ? json_read_bool(&enabled, ret_on, err) : HOIST_OK;
}

static enum hoist_status read_flag_step(const struct json_place *steps, const char *key,
                                        int *ret_flag, struct hoist_error *err) {
  struct json_place step = json_read_member(steps, key);
  bool on = false;
  enum hoist_status status = read_step(&step, &on, err);
  if (status == HOIST_OK) *ret_flag = on;
  return status;
}

static enum hoist_status read_crop(const struct json_place *steps,
                                   struct artifacts_preprocessing *ret, struct hoist_error *err) {
  struct json_place step = json_read_member(steps, "static-crop");
  bool on = false;
  enum hoist_status status = read_step(&step, &on, err);
  if (status != HOIST_OK || !on) return status;
  struct artifacts_crop *crop = &ret->static_crop;
  const struct {
    const char *key;
    double *ret_percent;
  } edges[] = {{"x_min", &crop->x_min},
               {"x_max", &crop->x_max},
               {"y_min", &crop->y_min},
               {"y_max", &crop->y_max}};
  for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
    struct json_place edge = json_read_member(&step, edges[i].key);
    status = json_read_number(&edge, 0, 100, edges[i].ret_percent, err);
    if (status != HOIST_OK) return status;
  }
  if (crop->x_min >= crop->x_max || crop->y_min >= crop->y_max)
    return json_read_fail(&step, err, "nothing is left of the image");
  ret->has_static_crop = 1;
  return HOIST_OK;
}

static enum hoist_contrast contrast_kind(const char *type) {
  static const struct {
    const char *type;
    enum hoist_contrast kind;
  } known[] = {{"Contrast Stretching", HOIST_CONTRAST_STRETCHING},
               {"Histogram Equalization", HOIST_CONTRAST_HISTOGRAM},
               {"Adaptive Equalization", HOIST_CONTRAST_ADAPTIVE}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(type, known[i].type) == 0) return known[i].kind;
  return HOIST_CONTRAST_OTHER;
}

static enum hoist_status read_contrast(const struct json_place *steps,
                                       struct artifacts_preprocessing *ret,
                                       struct hoist_error *err) {
  struct json_place step = json_read_member(steps, "contrast");
  bool on = false;
  enum hoist_status status = read_step(&step, &on, err);
  if (status != HOIST_OK || !on) return status;
  struct json_place type = json_read_member(&step, "type");
  status = json_read_copy(&type, true, &ret->contrast_type, err);
  if (status == HOIST_OK) ret->contrast = contrast_kind(ret->contrast_type);
  return status;
}

static enum hoist_status read_pixels(const struct json_place *step, const char *key, bool required,
                                     int64_t *ret_pixels, struct hoist_error *err) {
  struct json_place place = json_read_member(step, key);
  if (!place.value && !required) return HOIST_OK;
  return json_read_int(&place, 1, ARTIFACTS_MAX_PIXELS, ret_pixels, err);
}

static enum hoist_resize resize_kind(const char *format) {
  static const struct {
    const char *format;
    enum hoist_resize kind;
  } known[] = {{RESIZE_DEFAULT, HOIST_RESIZE_STRETCH},
               {"Fit (black edges) in", HOIST_RESIZE_FIT_BLACK},
               {"Fit (white edges) in", HOIST_RESIZE_FIT_WHITE},
               {"Fit (grey edges) in", HOIST_RESIZE_FIT_GREY},
               {"Fit (reflect edges) in", HOIST_RESIZE_FIT_REFLECT},
               {"Fit within", HOIST_RESIZE_FIT_WITHIN},
               {"Fill (with center crop) in", HOIST_RESIZE_FILL_CROP}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(format, known[i].format) == 0) return known[i].kind;
  return HOIST_RESIZE_OTHER;
}

static enum hoist_status read_format(const struct json_place *step,
                                     struct artifacts_preprocessing *ret, struct hoist_error *err) {
  struct json_place format = json_read_member(step, "format");
  enum hoist_status status = json_read_copy(&format, false, &ret->resize_format, err);
  if (status != HOIST_OK) return status;
  if (!ret->resize_format && !(ret->resize_format = strdup(RESIZE_DEFAULT)))
    return hoist_fail_memory(err, ENVIRONMENT);
  ret->resize = resize_kind(ret->resize_format);
  return HOIST_OK;
}

/* The size is that of the model's input also where resizing is off. */
static enum hoist_status read_resize(const struct json_place *steps, struct artifacts *a,
                                     struct hoist_error *err) {
  struct json_place step = json_read_member(steps, "resize");
  bool on = false;
  enum hoist_status status = read_step(&step, &on, err);
  if (status != HOIST_OK) return status;
  status = read_pixels(&step, "width", on, &a->input_width, err);
  if (status != HOIST_OK) return status;
  status = read_pixels(&step, "height", on, &a->input_height, err);
  return status == HOIST_OK && on ? read_format(&step, &a->preprocessing, err) : status;
}

static enum hoist_status read_preprocessing(const struct json_place *environment,
                                            struct artifacts *a, struct hoist_error *err) {
  struct json_place place = json_read_member(environment, "PREPROCESSING");
  HOIST_AUTO(json) json_t *holder = NULL;
  struct json_place steps;
  enum hoist_status status =
      open_object(&place, ENVIRONMENT ": PREPROCESSING", &holder, &steps, err);
  if (status != HOIST_OK) return status;
  struct artifacts_preprocessing *p = &a->preprocessing;
  status = read_flag_step(&steps, "auto-orient", &p->auto_orient, err);
  if (status != HOIST_OK) return status;
  status = read_crop(&steps, p, err);
  if (status != HOIST_OK) return status;
  status = read_contrast(&steps, p, err);
  if (status != HOIST_OK) return status;
  status = read_flag_step(&steps, "grayscale", &p->grayscale, err);
  if (status != HOIST_OK) return status;
  status = read_resize(&steps, a, err);
  if (status == HOIST_OK) a->has_preprocessing = 1;
  return status;
}

static enum hoist_status read_colors(const struct json_place *environment, struct artifacts *a,
                                     struct hoist_error *err) {
  struct json_place place = json_read_member(environment, "COLORS");
  if (!place.value) return HOIST_OK;
  HOIST_AUTO(json) json_t *holder = NULL;
  struct json_place colors;
  enum hoist_status status = open_object(&place, ENVIRONMENT ": COLORS", &holder, &colors, err);
  if (status != HOIST_OK) return status;
  a->colors = calloc(json_object_size(colors.value) + 1, sizeof *a->colors);
  if (!a->colors) return hoist_fail_memory(err, ENVIRONMENT);
  const char *key;
  json_t *value;
  json_object_foreach(colors.value, key, value) {
    struct json_place color = json_read_member(&colors, key);
    struct artifacts_color *entry = &a->colors[a->color_count++];
    status = json_read_copy(&color, true, &entry->color, err);
    if (status != HOIST_OK) return status;
    entry->class_name = strdup(key);
    if (!entry->class_name) return hoist_fail_memory(err, ENVIRONMENT);
  }
  return HOIST_OK;
}

static enum hoist_status read_multiclass(const struct json_place *environment, struct artifacts *a,
                                         struct hoist_error *err) {
  struct json_place place = json_read_member(environment, "MULTICLASS");
  if (!place.value) return HOIST_OK;
  bool multiclass = false;
  enum hoist_status status = json_read_bool(&place, &multiclass, err);
  if (status == HOIST_OK) a->multiclass = multiclass;
  return status;
}

/* The names of a class map replace those that `a` has. */
static enum hoist_status read_class_map(const struct json_place *environment, struct artifacts *a,
                                        struct hoist_error *err) {
  struct json_place map = json_read_member(environment, "CLASS_MAP");
  if (!map.value || (a->class_count > 0 && !task_takes_class_map(a->task_type))) return HOIST_OK;
  HOIST_AUTO(numbered) struct numbered names = {0};
  enum hoist_status status = numbered_read(&map, ARTIFACTS_MAX_CLASSES, &names, err);
  if (status == HOIST_OK) status = numbered_check_dense(&map, &names, err);
  if (status != HOIST_OK || names.count == 0) return status;
  artifacts_take_classes(a, names.names, names.count);
  names.names = NULL;
  names.count = 0;
  return HOIST_OK;
}

enum hoist_status environment_read(json_t *environment, struct artifacts *a,
                                   struct hoist_error *err) {
  struct json_place root = json_read_root(environment, ENVIRONMENT);
  enum hoist_status status = json_read_object(&root, err);
  if (status != HOIST_OK) return status;
  status = read_preprocessing(&root, a, err);
  if (status != HOIST_OK) return status;
  status = read_class_map(&root, a, err);
  if (status != HOIST_OK) return status;
  status = read_colors(&root, a, err);
  if (status != HOIST_OK) return status;
  return read_multiclass(&root, a, err);
}
