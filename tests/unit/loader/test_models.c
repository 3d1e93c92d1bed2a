/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of model, from a source into the cache and described out of it, without a session. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_source.h"
#include "fake_tracer.h"
#include "fs.h"
#include "hoist_internal.h"

#define ID "models/1"

struct world {
  char root[64];
  struct fake_tracer *tracer;
  struct hoist *hoist;
  struct fake_source *source;
  struct hoist_error err;
};

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-models-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  w->tracer = fake_tracer_new();
  struct hoist_config config;
  hoist_config_init(&config);
  config.cache_dir = w->root;
  config.telemetry = w->tracer->telemetry;
  assert_int_equal(hoist_open(&config, &w->hoist, NULL), HOIST_OK);
  w->source = fake_source_new("s3");
  w->hoist->chain.sources[w->hoist->chain.count++] = &w->source->base;
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  hoist_close(w->hoist);
  fake_tracer_check(w->tracer, NULL);
  fake_tracer_free(w->tracer);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

static void give(struct world *w, const char *environment) {
  fake_source_add(w->source, "weights.onnx", "0123456789");
  if (environment) fake_source_add(w->source, "environment.json", environment);
}

static struct hoist_info *pull_and_describe(struct world *w) {
  struct hoist_info *info = NULL;
  assert_int_equal(hoist_pull(w->hoist, ID, NULL, NULL, &w->err), HOIST_OK);
  assert_int_equal(hoist_describe(w->hoist, ID, NULL, &info, &w->err), HOIST_OK);
  assert_int_equal(info->cache_hit, 1);
  assert_null(info->onnxruntime_version);
  return info;
}

static void test_keypoints_come_with_names_ids_and_edges(void **state) {
  struct world *w = *state;
  give(w, "{\"PREPROCESSING\": {\"resize\": {\"width\": 320, \"height\": 240, \"format\": \"Fit "
          "(grey edges) in\"}}, \"RESULTS\": {\"map\": 0.9}}");
  fake_source_add(w->source, "class_names.txt", "person\n");
  fake_source_add(w->source, "keypoints_metadata.json",
                  "[{\"object_class_id\": 0, \"keypoints\": {\"0\": \"nose\", \"3\": \"ear\"}, "
                  "\"edges\": [{\"from\": 3, \"to\": 0}]}]");
  w->source->task_type = "keypoint-detection";
  struct hoist_info *info = pull_and_describe(w);
  assert_string_equal(info->task_type, "keypoint-detection");
  assert_int_equal(info->keypoints_count, 1);
  assert_int_equal(info->keypoints[0].ids[1], 3);
  assert_string_equal(info->keypoints[0].names[1], "ear");
  assert_int_equal(info->keypoints[0].edge_count, 1);
  assert_int_equal(info->keypoints[0].edges[0].from, 3);
  assert_int_equal(info->preprocessing.resize, HOIST_RESIZE_FIT_GREY);
  assert_string_equal(info->preprocessing.resize_format, "Fit (grey edges) in");
  assert_non_null(strstr(info->environment_json, "\"RESULTS\": {\"map\": 0.9}"));
  assert_non_null(strstr(info->keypoints_json, "\"edges\""));
  hoist_info_free(info);
  fake_span(w->tracer, "model.describe", 0);
}

static void test_a_classification_needs_no_list_of_names(void **state) {
  struct world *w = *state;
  give(w, "{\"PREPROCESSING\": \"{}\", \"CLASS_MAP\": {\"0\": \"cat\", \"1\": \"dog\"}, "
          "\"MULTICLASS\": true}");
  w->source->task_type = "classification";
  struct hoist_info *info = pull_and_describe(w);
  assert_int_equal(info->class_count, 2);
  assert_string_equal(info->classes[1].name, "dog");
  assert_int_equal(info->multiclass, 1);
  assert_int_equal(info->preprocessing.present, 1);
  assert_int_equal(info->preprocessing.resize, HOIST_RESIZE_NONE);
  hoist_info_free(info);
}

static void test_a_plain_model_is_legal(void **state) {
  struct world *w = *state;
  give(w, NULL);
  struct hoist_info *info = pull_and_describe(w);
  assert_null(info->task_type);
  assert_null(info->environment_json);
  assert_int_equal(info->preprocessing.present, 0);
  hoist_info_free(info);
}

/* The source says what the task is: nothing is fetched. */
static void test_a_missing_artifact_is_named_before_anything_is_fetched(void **state) {
  struct world *w = *state;
  give(w, "{\"PREPROCESSING\": {}}");
  w->source->task_type = "object-detection";
  assert_int_equal(hoist_pull(w->hoist, ID, NULL, NULL, &w->err), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "class_names.txt is missing"));
  assert_int_equal(w->source->fetches, 0);
}

/* Only model_type.json does: it is known when all files are there, and nothing is published. */
static void test_a_missing_artifact_is_named_where_a_file_tells_the_task(void **state) {
  struct world *w = *state;
  struct hoist_info *info = NULL;
  give(w, NULL);
  fake_source_add(w->source, "model_type.json", "{\"project_task_type\": \"classification\"}");
  assert_int_equal(hoist_pull(w->hoist, ID, NULL, NULL, &w->err), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "environment.json is missing"));
  assert_int_equal(hoist_describe(w->hoist, ID, NULL, &info, NULL), HOIST_NOT_FOUND);
  assert_null(info);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(test_keypoints_come_with_names_ids_and_edges),
      T(test_a_classification_needs_no_list_of_names),
      T(test_a_plain_model_is_legal),
      T(test_a_missing_artifact_is_named_before_anything_is_fetched),
      T(test_a_missing_artifact_is_named_where_a_file_tells_the_task),
  };
  return cmocka_run_group_tests_name("models", tests, NULL, NULL);
}
