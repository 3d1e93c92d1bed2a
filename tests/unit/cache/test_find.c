/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up: what counts as a hit, and every way in which a model in the cache can be damaged. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "clock.h"
#include "fs.h"
#include "text.h"

#define WEIGHTS "weights of a model\n"
#define MANIFEST "coco/3/.hoist-manifest.json"

static const struct made_file coco[] = {
    {"environment.json", "{}"}, {"sub/names.txt", "a\nb\n"}, {"weights.onnx", WEIGHTS}, {0}};

static int setup_with_coco(void **state) {
  if (fixture_set_up(state) != 0) return -1;
  struct fixture *f = *state;
  return model_publish(f->cache, "coco/3", coco, NULL, NULL) == HOIST_OK ? 0 : -1;
}

static void assert_message(const struct hoist_error *err, const char *part) {
  if (!strstr(err->message, part)) fail_msg("\"%s\" does not say \"%s\"", err->message, part);
}

/* ---- hits and misses --------------------------------------------------------------------- */

static void test_a_published_model_is_found_whole(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  struct hoist_error err;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(cache_find(&no_limits, f->cache, &id, &entry, &err), HOIST_OK);
  assert_string_equal(cache_entry_model_id(entry), "coco/3");
  assert_int_equal(cache_entry_manifest(entry)->file_count, 3);
  assert_string_equal(cache_entry_manifest(entry)->source, "test");
  assert_true(text_starts_with(cache_entry_dir(entry), "/"));
  assert_true(text_ends_with(cache_entry_dir(entry), "/coco/3"));
  uint64_t now = clock_realtime_ns() / NS_PER_S;
  assert_in_range(cache_entry_created_unix_s(entry), now - 60, now + 60);
  assert_int_equal(model_check(f->cache, "coco/3", coco, &err), HOIST_OK);
}

static void test_a_model_nobody_published_is_not_found_and_leaves_no_trace(void **state) {
  struct fixture *f = *state;
  struct hoist_error err;
  assert_int_equal(model_check(f->cache, "coco/4", coco, &err), HOIST_NOT_FOUND);
  assert_message(&err, "coco/4 is not in the cache");
  assert_int_equal(model_remove(f->cache, "coco/4", NULL, &err), HOIST_NOT_FOUND);
  assert_false(path_exists(f, ".hoist"));
}

static void test_files_of_another_program_are_no_hit(void **state) {
  struct fixture *f = *state;
  assert_true(path_make_dirs(f, "coco/3"));
  assert_true(path_write(f, "coco/3/weights.onnx", WEIGHTS, strlen(WEIGHTS)));
  struct hoist_error err;
  assert_int_equal(model_check(f->cache, "coco/3", coco, &err), HOIST_NOT_FOUND);
}

static void test_a_symbolic_link_is_not_followed_to_a_model(void **state) {
  struct fixture *f = *state;
  char link[128];
  snprintf(link, sizeof link, "%s/linked", f->root);
  assert_int_equal(symlink("coco", link), 0);
  struct hoist_error err;
  assert_int_equal(model_check(f->cache, "linked/3", coco, &err), HOIST_NOT_FOUND);
}

static void test_ids_that_would_meet_the_cache_s_own_files_are_refused(void **state) {
  static const char *const ids[] = {".hoist/locks", ".hoist", "a/.hoist-manifest.json"};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    struct model_id id;
    struct hoist_error err;
    if (model_id_parse(ids[i], &id, &err) != HOIST_OK) continue;
    HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
    HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
    assert_int_equal(cache_find(&no_limits, f->cache, &id, &entry, &err), HOIST_INVALID);
    assert_message(&err, "the cache's own");
    assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, &err), HOIST_INVALID);
    assert_int_equal(cache_remove(&no_limits, f->cache, &id, NULL, &err), HOIST_INVALID);
  }
}

static void test_an_id_of_too_many_segments_is_refused(void **state) {
  struct fixture *f = *state;
  char text[2 * 65 + 1] = "a";
  for (int i = 1; i < 65; i++)
    memcpy(text + 2 * i - 1, "/a", 3);
  struct model_id id = id_of(text);
  struct hoist_error err;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(cache_find(&no_limits, f->cache, &id, &entry, &err), HOIST_INVALID);
  assert_message(&err, "more than 64 segments");
  text[strlen(text) - 2] = '\0';
  static const struct made_file one[] = {{"model.onnx", "x"}, {0}};
  assert_int_equal(model_publish(f->cache, text, one, NULL, &err), HOIST_OK);
  assert_int_equal(model_check(f->cache, text, one, &err), HOIST_OK);
}

static void test_verification_stops_when_the_caller_cancels(void **state) {
  struct fixture *f = *state;
  atomic_int cancel = 1;
  const struct call call = {.cancel = &cancel};
  struct model_id id = id_of("coco/3");
  struct hoist_error err;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(cache_find(&call, f->cache, &id, &entry, &err), HOIST_CANCELLED);
  assert_null(entry);
}

/* ---- damage ------------------------------------------------------------------------------ */

static void replace_with(const struct fixture *f, const char *path, const char *kind) {
  char absolute[256];
  snprintf(absolute, sizeof absolute, "%s/%s", f->root, path);
  assert_int_equal(unlink(absolute), 0);
  if (strcmp(kind, "directory") == 0) assert_int_equal(mkdir(absolute, 0777), 0);
  if (strcmp(kind, "fifo") == 0) assert_int_equal(mkfifo(absolute, 0666), 0);
  if (strcmp(kind, "symlink") == 0) assert_int_equal(symlink("environment.json", absolute), 0);
}

static const struct damage {
  const char *what;
  const char *path;
  const char *content; /* written there; NULL: see `kind` */
  const char *kind;    /* put there instead */
  const char *message[2];
} damages[] = {
    {"truncated",
     "coco/3/weights.onnx",
     "weights",
     NULL,
     {"coco/3 in the cache: weights.onnx: 7 bytes", "the manifest says 19"}},
    {"empty", "coco/3/weights.onnx", "", NULL, {"weights.onnx: 0 bytes", "says 19"}},
    {"longer", "coco/3/weights.onnx", WEIGHTS "x", NULL, {"weights.onnx: 20 bytes", "says 19"}},
    {"one bit",
     "coco/3/weights.onnx",
     "weights of a modem\n",
     NULL,
     {"weights.onnx: sha256 is ", ", the manifest says "}},
    {"in a sub-directory", "coco/3/sub/names.txt", "a\nc\n", NULL, {"sub/names.txt: sha256", ""}},
    {"missing", "coco/3/weights.onnx", NULL, "nothing", {"weights.onnx: missing", ""}},
    {"symlink", "coco/3/weights.onnx", NULL, "symlink", {"weights.onnx: a symbolic link", ""}},
    {"directory", "coco/3/weights.onnx", NULL, "directory", {"weights.onnx: not a regular", ""}},
    {"fifo", "coco/3/weights.onnx", NULL, "fifo", {"weights.onnx: not a regular file", ""}},
    {"manifest empty", MANIFEST, "", NULL, {"coco/3 in the cache: .hoist-manifest.json: ", ""}},
    {"manifest garbage", MANIFEST, "\001\377{", NULL, {".hoist-manifest.json: ", ""}},
    {"manifest of another shape", MANIFEST, "[]", NULL, {".hoist-manifest.json: ", ""}},
    {"manifest symlink", MANIFEST, NULL, "symlink", {"is a symbolic link", ""}},
    {"manifest directory", MANIFEST, NULL, "directory", {"is not a regular file", ""}},
};

static void test_every_kind_of_damage_is_corrupt_and_named(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    const struct damage *d = &damages[i];
    struct hoist_error err = {.message = ""};
    assert_true(path_remove(f, "coco"));
    assert_int_equal(model_publish(f->cache, "coco/3", coco, NULL, &err), HOIST_OK);
    if (d->content)
      assert_true(path_write(f, d->path, d->content, strlen(d->content)));
    else
      replace_with(f, d->path, d->kind);
    enum hoist_status status = model_check(f->cache, "coco/3", coco, &err);
    if (status != HOIST_CORRUPT) fail_msg("%s: status %d: %s", d->what, status, err.message);
    assert_message(&err, d->message[0]);
    assert_message(&err, d->message[1]);
  }
}

static void test_a_damaged_model_is_replaced_by_publishing_it_again(void **state) {
  struct fixture *f = *state;
  assert_true(path_write(f, "coco/3/weights.onnx", "", 0));
  assert_true(path_write(f, MANIFEST, "", 0));
  assert_int_equal(model_publish(f->cache, "coco/3", coco, NULL, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "coco/3", coco, NULL), HOIST_OK);
}

static void test_a_manifest_over_the_cap_is_corrupt(void **state) {
  struct fixture *f = *state;
  size_t size = MANIFEST_MAX_JSON_BYTES + 1;
  HOIST_AUTO(mem) char *spaces = malloc(size);
  memset(spaces, ' ', size);
  assert_true(path_write(f, MANIFEST, spaces, size));
  struct hoist_error err;
  assert_int_equal(model_check(f->cache, "coco/3", coco, &err), HOIST_CORRUPT);
  assert_message(&err, ".hoist-manifest.json: more than");
}

static void test_a_directory_copied_from_another_model_is_corrupt(void **state) {
  struct fixture *f = *state;
  char from[128], to[128];
  snprintf(from, sizeof from, "%s/coco/3", f->root);
  snprintf(to, sizeof to, "%s/coco/4", f->root);
  assert_int_equal(rename(from, to), 0);
  struct hoist_error err;
  assert_int_equal(model_check(f->cache, "coco/4", coco, &err), HOIST_CORRUPT);
  assert_message(&err, "is the one of coco/3");
}

/* ---- reading files of an entry ----------------------------------------------------------- */

static void test_reading_a_file_checks_name_cap_and_digest(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  struct hoist_error err;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(cache_find(&no_limits, f->cache, &id, &entry, &err), HOIST_OK);

  HOIST_AUTO(buf) struct buf data = buf_make(19);
  assert_int_equal(cache_entry_read(entry, "weights.onnx", &data, &err), HOIST_OK);
  assert_string_equal(buf_str(&data), WEIGHTS);
  assert_int_equal(cache_entry_read(entry, "labels.txt", &data, &err), HOIST_NOT_FOUND);
  assert_message(&err, "labels.txt: coco/3 has no such file");

  HOIST_AUTO(buf) struct buf small = buf_make(18);
  assert_int_equal(cache_entry_read(entry, "weights.onnx", &small, &err), HOIST_CORRUPT);
  assert_int_equal(small.size, 0);

  assert_true(path_write(f, "coco/3/weights.onnx", "weights of a modem\n", 19));
  buf_clear(&data);
  assert_int_equal(cache_entry_read(entry, "weights.onnx", &data, &err), HOIST_CORRUPT);
  assert_message(&err, "sha256");
  assert_int_equal(data.size, 0);
}

/* ---- the root ---------------------------------------------------------------------------- */

static void test_a_root_that_cannot_be_one_is_refused(void **state) {
  struct fixture *f = *state;
  struct hoist_error err;
  struct cache *cache = NULL;
  assert_int_equal(cache_open("", &cache, &err), HOIST_INVALID);
  assert_message(&err, "HOIST_CACHE_DIR");
  assert_int_equal(cache_open(NULL, &cache, &err), HOIST_INVALID);
  assert_true(path_write(f, "file", "", 0));
  char path[128];
  snprintf(path, sizeof path, "%s/file", f->root);
  assert_int_equal(cache_open(path, &cache, &err), HOIST_INVALID);
  assert_message(&err, "is not a directory");
  snprintf(path, sizeof path, "%s/file/below", f->root);
  assert_int_not_equal(cache_open(path, &cache, &err), HOIST_OK);
  assert_message(&err, "cannot be made");
  assert_message(&err, "HOIST_CACHE_DIR");
  assert_null(cache);
}

static void test_a_missing_root_is_made_and_its_path_is_absolute(void **state) {
  struct fixture *f = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/new/./deep/", f->root);
  struct cache *cache = NULL;
  assert_int_equal(cache_open(path, &cache, NULL), HOIST_OK);
  snprintf(path, sizeof path, "%s/new/deep", f->root);
  assert_string_equal(cache_root(cache), path);
  cache_close(cache);
  cache_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_published_model_is_found_whole, setup_with_coco,
                                      fixture_tear_down),
      cmocka_unit_test_setup_teardown(
          test_a_model_nobody_published_is_not_found_and_leaves_no_trace, fixture_set_up,
          fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_files_of_another_program_are_no_hit, fixture_set_up,
                                      fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_a_symbolic_link_is_not_followed_to_a_model,
                                      setup_with_coco, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_ids_that_would_meet_the_cache_s_own_files_are_refused,
                                      fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_an_id_of_too_many_segments_is_refused, fixture_set_up,
                                      fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_verification_stops_when_the_caller_cancels,
                                      setup_with_coco, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_every_kind_of_damage_is_corrupt_and_named,
                                      fixture_set_up, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_a_damaged_model_is_replaced_by_publishing_it_again,
                                      setup_with_coco, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_a_manifest_over_the_cap_is_corrupt, setup_with_coco,
                                      fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_a_directory_copied_from_another_model_is_corrupt,
                                      setup_with_coco, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_reading_a_file_checks_name_cap_and_digest,
                                      setup_with_coco, fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_a_root_that_cannot_be_one_is_refused, fixture_set_up,
                                      fixture_tear_down),
      cmocka_unit_test_setup_teardown(test_a_missing_root_is_made_and_its_path_is_absolute,
                                      fixture_set_up, fixture_tear_down),
  };
  return cmocka_run_group_tests_name("cache_find", tests, NULL, NULL);
}
