/* SPDX-License-Identifier: Apache-2.0 */
/* Removing and listing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"

static const struct made_file files[] = {
    {"environment.json", "{}"}, {"sub/deep/names.txt", "a\n"}, {"weights.onnx", "12345"}, {0}};

static void publish(struct fixture *f, const char *id) {
  assert_int_equal(model_publish(f->cache, id, files, NULL, NULL), HOIST_OK);
}

/* ---- removing ---------------------------------------------------------------------------- */

static void test_a_removed_model_leaves_neither_files_nor_empty_directories(void **state) {
  struct fixture *f = *state;
  publish(f, "x/y/1");
  uint64_t freed = 0;
  assert_int_equal(model_remove(f->cache, "x/y/1", &freed, NULL), HOIST_OK);
  assert_in_range(freed, 9 + 100, 4096); /* the files, and the manifest */
  assert_int_equal(model_check(f->cache, "x/y/1", files, NULL), HOIST_NOT_FOUND);
  assert_false(path_exists(f, "x"));
  assert_int_equal(model_remove(f->cache, "x/y/1", &freed, NULL), HOIST_NOT_FOUND);
}

static void test_removing_keeps_the_models_inside_and_beside(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  publish(f, "a/1");
  publish(f, "a/2");
  assert_int_equal(model_remove(f->cache, "a", NULL, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "a", files, NULL), HOIST_NOT_FOUND);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
  assert_int_equal(path_count(f, "a"), 2);
  assert_int_equal(model_remove(f->cache, "a/1", NULL, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "a/2", files, NULL), HOIST_OK);
  assert_int_equal(model_remove(f->cache, "a/2", NULL, NULL), HOIST_OK);
  assert_false(path_exists(f, "a"));
}

static void test_removing_keeps_files_that_are_not_the_model_s(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  assert_true(path_write(f, "a/notes.txt", "mine", 4));
  assert_true(path_write(f, "a/sub/notes.txt", "mine", 4));
  assert_int_equal(model_remove(f->cache, "a", NULL, NULL), HOIST_OK);
  assert_true(path_exists(f, "a/notes.txt"));
  assert_true(path_exists(f, "a/sub/notes.txt"));
  assert_int_equal(path_count(f, "a"), 2);
}

static void test_a_damaged_model_can_be_removed(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  publish(f, "a/1");
  assert_true(path_write(f, "a/.hoist-manifest.json", "{", 1));
  assert_int_equal(model_remove(f->cache, "a", NULL, NULL), HOIST_OK);
  assert_false(path_exists(f, "a/weights.onnx"));
  assert_false(path_exists(f, "a/.hoist-retired.json"));
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
}

static void test_a_removal_that_was_cut_short_can_be_finished(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  char from[128], to[128];
  snprintf(from, sizeof from, "%s/a/.hoist-manifest.json", f->root);
  snprintf(to, sizeof to, "%s/a/.hoist-retired.json", f->root);
  assert_int_equal(rename(from, to), 0);
  assert_int_equal(model_check(f->cache, "a", files, NULL), HOIST_NOT_FOUND);
  uint64_t freed = 0;
  assert_int_equal(model_remove(f->cache, "a", &freed, NULL), HOIST_OK);
  assert_true(freed > 9);
  assert_false(path_exists(f, "a"));
}

static void test_files_of_another_program_are_not_removed(void **state) {
  struct fixture *f = *state;
  assert_true(path_make_dirs(f, "a"));
  assert_true(path_write(f, "a/weights.onnx", "x", 1));
  struct hoist_error err;
  assert_int_equal(model_remove(f->cache, "a", NULL, &err), HOIST_NOT_FOUND);
  assert_non_null(strstr(err.message, "a is not in the cache /"));
  assert_true(path_exists(f, "a/weights.onnx"));
}

/* ---- listing ----------------------------------------------------------------------------- */

struct seen {
  char text[2048];
  uint64_t size;
  int stop_after;
};

static enum hoist_status note(void *user, const struct cache_listing *l, struct hoist_error *err) {
  struct seen *s = user;
  size_t used = strlen(s->text);
  snprintf(s->text + used, sizeof s->text - used, "%s%s|", l->model_id, l->problem ? "!" : "");
  assert_int_equal(l->path[0], '/');
  assert_true(l->problem ? l->manifest->file_count == 0 : l->created_unix_s > 0);
  s->size += l->size_bytes;
  return --s->stop_after == 0 ? hoist_fail(err, HOIST_CANCELLED, "enough") : HOIST_OK;
}

static void test_an_empty_cache_lists_nothing(void **state) {
  struct fixture *f = *state;
  struct seen s = {.text = ""};
  assert_int_equal(cache_list(f->cache, note, &s, NULL), HOIST_OK);
  assert_string_equal(s.text, "");
}

static void test_models_are_listed_in_the_order_of_their_ids(void **state) {
  struct fixture *f = *state;
  const char *const ids[] = {"b/2", "Zebra/1", "a", "b/10", "a/1", "b"};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
    publish(f, ids[i]);
  assert_true(path_make_dirs(f, "another-program/1"));
  struct seen s = {.text = ""};
  assert_int_equal(cache_list(f->cache, note, &s, NULL), HOIST_OK);
  assert_string_equal(s.text, "Zebra/1|a|a/1|b|b/10|b/2|");
  assert_int_equal(s.size, 6 * 9);
}

static void test_damaged_manifests_are_listed_as_problems(void **state) {
  struct fixture *f = *state;
  publish(f, "bad");
  publish(f, "good");
  publish(f, "copied/1");
  assert_true(path_write(f, "bad/.hoist-manifest.json", "{", 1));
  char from[128], to[128];
  snprintf(from, sizeof from, "%s/copied/1", f->root);
  snprintf(to, sizeof to, "%s/copied/2", f->root);
  assert_int_equal(rename(from, to), 0);
  struct seen s = {.text = ""};
  assert_int_equal(cache_list(f->cache, note, &s, NULL), HOIST_OK);
  assert_string_equal(s.text, "bad!|copied/2!|good|");
}

static void test_staging_and_links_are_not_listed(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  assert_true(path_make_dirs(f, ".hoist/staging/x"));
  assert_true(path_write(f, ".hoist/staging/x/.hoist-manifest.json", "{", 1));
  char link[128];
  snprintf(link, sizeof link, "%s/link", f->root);
  assert_int_equal(symlink("a", link), 0);
  struct seen s = {.text = ""};
  assert_int_equal(cache_list(f->cache, note, &s, NULL), HOIST_OK);
  assert_string_equal(s.text, "a|");
}

static void test_listing_stops_when_the_visitor_says_so(void **state) {
  struct fixture *f = *state;
  publish(f, "a");
  publish(f, "b");
  struct seen s = {.text = "", .stop_after = 1};
  struct hoist_error err;
  assert_int_equal(cache_list(f->cache, note, &s, &err), HOIST_CANCELLED);
  assert_string_equal(err.message, "enough");
  assert_string_equal(s.text, "a|");
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_a_removed_model_leaves_neither_files_nor_empty_directories),
      CASE(test_removing_keeps_the_models_inside_and_beside),
      CASE(test_removing_keeps_files_that_are_not_the_model_s),
      CASE(test_a_damaged_model_can_be_removed),
      CASE(test_a_removal_that_was_cut_short_can_be_finished),
      CASE(test_files_of_another_program_are_not_removed),
      CASE(test_an_empty_cache_lists_nothing),
      CASE(test_models_are_listed_in_the_order_of_their_ids),
      CASE(test_damaged_manifests_are_listed_as_problems),
      CASE(test_staging_and_links_are_not_listed),
      CASE(test_listing_stops_when_the_visitor_says_so),
  };
  return cmocka_run_group_tests_name("cache_housekeeping", tests, NULL, NULL);
}
