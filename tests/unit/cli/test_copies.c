/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that deal in places: pull of a place, models. */
#include "command_line.h"

/* ---- pull PLACE DIRECTORY ---------------------------------------------------------------------- */

static void test_a_place_is_copied_and_what_came_of_it_said(void **state) {
  fake_hoist.copy_result = (struct hoist_copy_result){.files = 12,
                                                      .copied_files = 9,
                                                      .copied_bytes = 1200000,
                                                      .unchanged_files = 3,
                                                      .excluded_files = 2,
                                                      .seconds = 1.5};
  run_line("hoist pull s3://b/p /dest");
  assert_int_equal(run.code, 0);
  assert_string_equal(fake_hoist.copied, "s3://b/p > /dest\n");
  assert_string_equal(
      run.out.text,
      "s3://b/p: 9 files copied (1.20 MB) to /dest in 1.50 s; 3 unchanged; 2 excluded\n");
  assert_string_equal(run.err.text, "");
  assert_true(fake_hoist.has_cancel);
}

static void test_a_copy_needs_neither_cache_nor_sources(void **state) {
  static const char *const env[] = {"HOIST_CACHE_DIR", "/cache", "HOIST_SOURCES", "s3", NULL};
  environment = env;
  run_line("hoist pull s3://b/p /dest");
  assert_string_equal(fake_hoist.cache_dir, "/dest");
  assert_string_equal(fake_hoist.sources, "");
}

static void test_rules_arrive_in_their_order(void **state) {
  run_line("hoist pull --exclude * s3://b/p --include=*.onnx /dest --exclude x*");
  assert_int_equal(run.code, 0);
  assert_string_equal(fake_hoist.copied, "s3://b/p > /dest -* +*.onnx -x*\n");
  assert_string_equal(run.err.text, "");
}

static void test_a_first_include_is_warned_of(void **state) {
  run_line("hoist pull --include *.onnx s3://b/p /dest");
  assert_int_equal(run.code, 0);
  assert_says(&run.err, "hoist: warning: an --include that no --exclude comes before");
  run_line("hoist pull -q --include *.onnx s3://b/p /dest");
  assert_string_equal(run.err.text, "");
}

static void test_too_many_rules_are_refused(void **state) {
  char *argv[3 * 300] = {(char *)(uintptr_t) "hoist", (char *)(uintptr_t) "pull"};
  int argc = 2;
  for (int i = 0; i <= OPTIONS_MAX_RULES; i++) {
    argv[argc++] = (char *)(uintptr_t) "--exclude";
    argv[argc++] = (char *)(uintptr_t) "x";
  }
  struct options options;
  struct hoist_error error;
  assert_int_equal(options_parse(argc, argv, &options, &error), HOIST_INVALID);
  assert_string_equal(error.message, "--exclude: more than 256 patterns");
}

static void test_a_copy_as_json(void **state) {
  fake_hoist.copy_result =
      (struct hoist_copy_result){.files = 2, .copied_bytes = 7, .seconds = 0.5};
  run_line("hoist pull --json dir:/a/b /dest");
  assert_int_equal(run.code, 0);
  json_t *json = json_line(-1);
  assert_string_equal(text_at(json, "event"), "result");
  assert_string_equal(text_at(json, "model_id"), "dir:/a/b");
  assert_string_equal(text_at(json, "directory"), "/dest");
  assert_int_equal(json_integer_value(json_object_get(json, "copied_bytes")), 7);
  json_decref(json);
}

static void test_a_copy_that_fails_has_its_exit_code(void **state) {
  run_line("hoist pull --json s3://b/denied /dest");
  assert_int_equal(run.code, 4);
  json_t *json = json_line(-1);
  assert_string_equal(text_at(json, "status"), "denied");
  assert_string_equal(text_at(json, "model_id"), "s3://b/denied");
  json_decref(json);
  assert_says(&run.err, "hoist: denied: it is denied\n");
}

/* ---- models ------------------------------------------------------------------------------------ */

static void test_models_are_listed_below_their_source(void **state) {
  fake_hoist.offer_count = 2;
  run_line("hoist models");
  assert_int_equal(run.code, 0);
  assert_string_equal(fake_hoist.offers_source, "");
  assert_says(&run.out, "s3  s3://bucket/\n");
  assert_says(&run.out, "    1.00 MB       3  -                        m0/1\n");
  assert_says(&run.out, "days ago   cached  m1/1\n");
  assert_says(&run.out, "\n2 models, 3.00 MB\n");
}

static void test_one_source_may_be_named(void **state) {
  run_line("hoist models s3://other/prefix");
  assert_string_equal(fake_hoist.offers_source, "s3://other/prefix");
  assert_string_equal(run.out.text, "0 models, 0 B\n");
}

static void test_a_source_that_cannot_tell_is_told_of(void **state) {
  fake_hoist.offer_count = 1;
  fake_hoist.offers_problem = "/models: permission denied";
  fake_hoist.offers_status = HOIST_DENIED;
  run_line("hoist models");
  assert_int_equal(run.code, 4);
  assert_says(&run.out, "dir  /models\n  /models: permission denied\n");
  assert_string_equal(run.err.text, "hoist: /models: permission denied\n");
}

static void test_models_as_json(void **state) {
  fake_hoist.offer_count = 2;
  fake_hoist.offers_problem = "/models: permission denied";
  fake_hoist.offers_status = HOIST_DENIED;
  run_line("hoist models --json");
  json_t *json = json_line(0);
  const json_t *models = json_object_get(json, "models");
  assert_int_equal(json_array_size(models), 3);
  const json_t *second = json_array_get(models, 1), *broken = json_array_get(models, 2);
  assert_string_equal(text_at(second, "model_id"), "m1/1");
  assert_true(json_is_true(json_object_get(second, "in_cache")));
  assert_null(json_object_get(json_array_get(models, 0), "modified_unix_s"));
  assert_true(json_is_null(json_object_get(broken, "model_id")));
  assert_string_equal(text_at(broken, "problem"), "/models: permission denied");
  assert_int_equal(json_integer_value(json_object_get(json, "total_bytes")), 3000000);
  assert_string_equal(text_at(json_object_get(json, "error"), "status"), "denied");
  json_decref(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_a_place_is_copied_and_what_came_of_it_said),
      TEST(test_a_copy_needs_neither_cache_nor_sources),
      TEST(test_rules_arrive_in_their_order),
      TEST(test_a_first_include_is_warned_of),
      TEST(test_too_many_rules_are_refused),
      TEST(test_a_copy_as_json),
      TEST(test_a_copy_that_fails_has_its_exit_code),
      TEST(test_models_are_listed_below_their_source),
      TEST(test_one_source_may_be_named),
      TEST(test_a_source_that_cannot_tell_is_told_of),
      TEST(test_models_as_json),
  };
  return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
