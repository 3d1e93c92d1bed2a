/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of the files beside the weights: whatever well-formed file is made up comes out as it was meant,
 * whatever else it says; and a value of the wrong kind, put anywhere, is read or refused by name, never
 * misread. The files are made at random from a fixed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "artifacts.h"
#include "json_read.h"

#define ROUNDS 3000

static uint64_t seed;

static unsigned pick(unsigned below) {
  seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(seed >> 33) % below;
}

/* Rounds are told apart by more than their last bits. */
static void begin(unsigned round) {
  seed = round * UINT64_C(0x9E3779B97F4A7C15);
}

/* ---- a model of one file ------------------------------------------------------------------------ */

struct model {
  const char *name; /* of the file that is there */
  char *text;
};

static enum hoist_status read_model(void *user, const char *name, struct buf *ret_data,
                                    struct hoist_error *err) {
  const struct model *m = user;
  if (strcmp(name, m->name) == 0) return buf_append_str(ret_data, m->text, err);
  return hoist_fail(err, HOIST_NOT_FOUND, "%s: not there", name);
}

static enum hoist_status parse(const char *name, const json_t *value, struct artifacts *ret,
                               struct hoist_error *err) {
  struct model model = {.name = name, .text = json_dumps(value, JSON_ENCODE_ANY)};
  const struct artifacts_reader reader = {.user = &model, .read = read_model};
  assert_non_null(model.text);
  enum hoist_status status = artifacts_parse(&reader, ret, err);
  free(model.text);
  return status;
}

/* ---- environment.json made up, and what must come of it ------------------------------------------ */

static const struct {
  const char *format;
  enum hoist_resize kind;
} formats[] = {{"Stretch to", HOIST_RESIZE_STRETCH},
               {"Fit (black edges) in", HOIST_RESIZE_FIT_BLACK},
               {"Fit (white edges) in", HOIST_RESIZE_FIT_WHITE},
               {"Fit (grey edges) in", HOIST_RESIZE_FIT_GREY},
               {"Fit (reflect edges) in", HOIST_RESIZE_FIT_REFLECT},
               {"Fit within", HOIST_RESIZE_FIT_WITHIN},
               {"Fill (with center crop) in", HOIST_RESIZE_FILL_CROP},
               {"Something new", HOIST_RESIZE_OTHER}};
static const struct {
  const char *type;
  enum hoist_contrast kind;
} contrasts[] = {{"Contrast Stretching", HOIST_CONTRAST_STRETCHING},
                 {"Histogram Equalization", HOIST_CONTRAST_HISTOGRAM},
                 {"Adaptive Equalization", HOIST_CONTRAST_ADAPTIVE},
                 {"Something new", HOIST_CONTRAST_OTHER}};

/* A step, and whether it is on: absent, {"enabled": …}, or without the flag. */
static json_t *make_step(json_t *steps, const char *name, int *ret_on) {
  unsigned kind = pick(4);
  *ret_on = kind >= 2;
  json_t *step = json_object();
  if (kind == 1) json_object_set_new(step, "enabled", json_false());
  if (kind == 2) json_object_set_new(step, "enabled", json_true());
  if (pick(3) == 0) json_object_set_new(step, "unknown", json_integer(pick(9)));
  if (kind != 0) json_object_set(steps, name, step);
  return step;
}

static json_t *make_steps(struct artifacts *meant) {
  json_t *steps = json_object();
  struct artifacts_preprocessing *p = &meant->preprocessing;
  int on;
  json_decref(make_step(steps, "auto-orient", &p->auto_orient));
  json_decref(make_step(steps, "grayscale", &p->grayscale));
  json_t *step = make_step(steps, "contrast", &on);
  size_t which = pick(sizeof contrasts / sizeof contrasts[0]);
  json_object_set_new(step, "type", json_string(contrasts[which].type));
  p->contrast = on ? contrasts[which].kind : HOIST_CONTRAST_NONE;
  json_decref(step);
  step = make_step(steps, "static-crop", &p->has_static_crop);
  if (p->has_static_crop) {
    p->static_crop.x_min = pick(50);
    p->static_crop.x_max = 50 + pick(51);
    p->static_crop.y_min = pick(50);
    p->static_crop.y_max = 50 + pick(51);
    json_object_set_new(step, "x_min", json_integer((json_int_t)p->static_crop.x_min));
    json_object_set_new(step, "x_max", json_real(p->static_crop.x_max));
    json_object_set_new(step, "y_min", json_real(p->static_crop.y_min));
    json_object_set_new(step, "y_max", json_integer((json_int_t)p->static_crop.y_max));
  }
  json_decref(step);
  step = make_step(steps, "resize", &on);
  which = pick(sizeof formats / sizeof formats[0]);
  int has_format = pick(4) != 0;
  if (json_object_get(steps, "resize")) {
    meant->input_width = 1 + pick(ARTIFACTS_MAX_PIXELS);
    meant->input_height = 1 + pick(ARTIFACTS_MAX_PIXELS);
    json_object_set_new(step, "width", json_integer(meant->input_width));
    json_object_set_new(step, "height", json_sprintf("%d", (int)meant->input_height));
    if (has_format) json_object_set_new(step, "format", json_string(formats[which].format));
  }
  p->resize = !on ? HOIST_RESIZE_NONE : has_format ? formats[which].kind : HOIST_RESIZE_STRETCH;
  json_decref(step);
  return steps;
}

static json_t *as_text_sometimes(json_t *value) {
  if (pick(2) == 0) return value;
  char *text = json_dumps(value, 0);
  json_t *string = json_string(text);
  free(text);
  json_decref(value);
  return string;
}

static json_t *make_environment(struct artifacts *meant) {
  json_t *environment = json_object(), *map = json_object(), *colors = json_object();
  char key[24], name[32];
  if (pick(3) == 0) json_object_set_new(environment, "RESULTS", json_pack("{s:[i,n]}", "x", 1));
  json_object_set_new(environment, "PREPROCESSING", as_text_sometimes(make_steps(meant)));
  meant->class_count = pick(30);
  for (size_t i = meant->class_count; i-- > 0;) { /* the order of a map is nobody's business */
    snprintf(key, sizeof key, "%zu", i);
    snprintf(name, sizeof name, "class %zu", i);
    json_object_set_new(map, key, json_string(name));
    if (i % 2 == 0) json_object_set_new(colors, name, json_sprintf("#%06zx", i));
  }
  json_object_set_new(environment, "CLASS_MAP", map);
  json_object_set_new(environment, "COLORS", as_text_sometimes(colors));
  meant->multiclass = (int)pick(2);
  json_object_set_new(environment, "MULTICLASS", json_boolean(meant->multiclass));
  return environment;
}

static void assert_as_meant(const struct artifacts *a, const struct artifacts *meant) {
  const struct artifacts_preprocessing *p = &a->preprocessing, *m = &meant->preprocessing;
  char name[32], color[24];
  assert_int_equal(p->auto_orient, m->auto_orient);
  assert_int_equal(p->grayscale, m->grayscale);
  assert_int_equal(p->contrast, m->contrast);
  assert_int_equal(p->has_static_crop, m->has_static_crop);
  assert_memory_equal(&p->static_crop, &m->static_crop, sizeof p->static_crop);
  assert_int_equal(p->resize, m->resize);
  assert_int_equal(a->input_width, meant->input_width);
  assert_int_equal(a->input_height, meant->input_height);
  assert_int_equal(a->multiclass, meant->multiclass);
  assert_int_equal(a->class_count, meant->class_count);
  for (size_t i = 0; i < a->class_count; i++) {
    snprintf(name, sizeof name, "class %zu", i);
    snprintf(color, sizeof color, "#%06zx", i);
    assert_string_equal(a->classes[i], name);
    if (i % 2 == 0) assert_string_equal(artifacts_class_color(a, name), color);
    if (i % 2 == 1) assert_null(artifacts_class_color(a, name));
  }
}

static void test_every_environment_comes_out_as_it_was_meant(void **state) {
  for (unsigned round = 1; round < ROUNDS; round++) {
    begin(round);
    struct artifacts meant = {0};
    HOIST_AUTO(json) json_t *environment = make_environment(&meant);
    HOIST_AUTO(artifacts) struct artifacts a = {0};
    struct hoist_error err = {0};
    if (parse("environment.json", environment, &a, &err) != HOIST_OK)
      fail_msg("round %u: %s", round, err.message);
    assert_as_meant(&a, &meant);
  }
}

/* ---- keypoints ----------------------------------------------------------------------------------- */

static void test_every_skeleton_comes_out_as_it_was_meant(void **state) {
  for (unsigned round = 1; round < ROUNDS; round++) {
    begin(round);
    size_t classes = pick(4);
    HOIST_AUTO(json) json_t *list = json_array();
    for (size_t c = classes; c-- > 0;) {
      json_t *points = json_object(), *edges = json_array();
      char key[16];
      for (unsigned id = 0; id <= c; id++) {
        snprintf(key, sizeof key, "%u", id * 3);
        json_object_set_new(points, key, json_sprintf("point %u", id * 3));
        if (id > 0)
          json_array_append_new(edges, json_pack("{s:i,s:i}", "from", (int)id * 3, "to", 0));
      }
      json_array_append_new(edges, json_pack("[i,i]", 0, 1)); /* 1 is no keypoint */
      json_array_append_new(list, json_pack("{s:i,s:o,s:o,s:n}", "object_class_id", (int)c * 2,
                                            "keypoints", points, "edges", edges, "unknown"));
    }
    HOIST_AUTO(artifacts) struct artifacts a = {0};
    assert_int_equal(parse("keypoints_metadata.json", list, &a, NULL), HOIST_OK);
    assert_int_equal(a.keypoints_count, classes);
    for (size_t c = 0; c < classes; c++) {
      assert_int_equal(a.keypoints[c].class_id, 2 * c);
      assert_int_equal(a.keypoints[c].names.count, c + 1);
      assert_int_equal(a.keypoints[c].names.numbers[c], 3 * c);
      assert_int_equal(a.keypoints[c].edge_count, c);
    }
  }
}

/* ---- values of the wrong kind -------------------------------------------------------------------- */

static json_t *odd_value(void) {
  switch (pick(9)) {
  case 0:
    return json_null();
  case 1:
    return json_true();
  case 2:
    return json_integer(-1);
  case 3:
    return json_integer(INT64_MAX);
  case 4:
    return json_real(0.5);
  case 5:
    return json_string("");
  case 6:
    return json_string("{\"");
  case 7:
    return json_array();
  default:
    return json_object();
  }
}

/* Replaces one member or item somewhere below. */
static void spoil(json_t *value) {
  size_t size = json_is_object(value) ? json_object_size(value) : json_array_size(value);
  if (size == 0) return;
  size_t at = pick((unsigned)size);
  json_t *child;
  if (json_is_object(value)) {
    void *iter = json_object_iter(value);
    for (; at > 0; at--)
      iter = json_object_iter_next(value, iter);
    child = json_object_iter_value(iter);
    if (pick(2) == 0 || json_is_string(child))
      json_object_iter_set_new(value, iter, odd_value());
    else
      spoil(child);
    return;
  }
  if (pick(2) == 0)
    json_array_set_new(value, at, odd_value());
  else
    spoil(json_array_get(value, at));
}

static void assert_read_or_refused(const char *file, json_t *value, int *ret_refused) {
  struct artifacts a = {.class_count = 77};
  struct hoist_error err = {0};
  enum hoist_status status = parse(file, value, &a, &err);
  if (status == HOIST_OK) {
    artifacts_done(&a);
    return;
  }
  (*ret_refused)++;
  assert_int_equal(status, HOIST_CORRUPT);
  assert_int_equal(a.class_count, 77); /* untouched */
  if (strncmp(err.message, file, strlen(file)) != 0) fail_msg("%s", err.message);
}

static void test_a_value_of_the_wrong_kind_is_read_or_refused_by_name(void **state) {
  int refused[3] = {0};
  for (unsigned round = 1; round < ROUNDS; round++) {
    begin(round);
    struct artifacts meant = {0};
    HOIST_AUTO(json) json_t *environment = make_environment(&meant);
    HOIST_AUTO(json)
    json_t *keypoints = json_pack("[{s:i,s:{s:s,s:s},s:[[i,i]]}]", "object_class_id", 0,
                                  "keypoints", "0", "a", "1", "b", "edges", 0, 1);
    HOIST_AUTO(json)
    json_t *type = json_pack("{s:s,s:s,s:s,s:s}", "project_task_type", "x", "model_type", "y",
                             "model_id", "z", "model_variant", "v");
    spoil(environment);
    spoil(keypoints);
    spoil(type);
    assert_read_or_refused("environment.json", environment, &refused[0]);
    assert_read_or_refused("keypoints_metadata.json", keypoints, &refused[1]);
    assert_read_or_refused("model_type.json", type, &refused[2]);
  }
  for (size_t i = 0; i < 3; i++)
    assert_in_range(refused[i], ROUNDS / 20, ROUNDS - ROUNDS / 20); /* both happen */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_environment_comes_out_as_it_was_meant),
      cmocka_unit_test(test_every_skeleton_comes_out_as_it_was_meant),
      cmocka_unit_test(test_a_value_of_the_wrong_kind_is_read_or_refused_by_name),
  };
  return cmocka_run_group_tests_name("artifacts_property", tests, NULL, NULL);
}
