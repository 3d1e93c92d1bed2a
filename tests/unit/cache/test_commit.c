/* SPDX-License-Identifier: Apache-2.0 */
/* Staging and publishing: what a commit demands, what it replaces, and models inside models. */
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
#include "fs.h"

#define STAGING ".hoist/staging"

static const struct made_file first[] = {
    {"environment.json", "{}"}, {"old/names.txt", "a\n"}, {"weights.onnx", "one"}, {0}};
static const struct made_file second[] = {
    {"model.onnx", "two"}, {"new/names.txt", "b\n"}, {"environment.json", "{1}"}, {0}};

static void assert_message(const struct hoist_error *err, const char *part) {
  if (!strstr(err->message, part)) fail_msg("\"%s\" does not say \"%s\"", err->message, part);
}

static void assert_published(struct fixture *f, const char *id, const struct made_file *files) {
  struct hoist_error err = {.message = ""};
  if (model_publish(f->cache, id, files, NULL, &err) != HOIST_OK)
    fail_msg("%s: %s", id, err.message);
  assert_int_equal(path_count(f, STAGING), 0);
}

static void assert_found(struct fixture *f, const char *id, const struct made_file *files) {
  struct hoist_error err = {.message = ""};
  if (model_check(f->cache, id, files, &err) != HOIST_OK) fail_msg("%s: %s", id, err.message);
}

static void assert_absent(struct fixture *f, const char *id) {
  assert_int_equal(model_check(f->cache, id, first, NULL), HOIST_NOT_FOUND);
}

/* ---- publishing -------------------------------------------------------------------------- */

static void test_a_commit_gives_an_entry_and_leaves_no_staging(void **state) {
  struct fixture *f = *state;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(model_publish(f->cache, "a/b/1", first, &entry, NULL), HOIST_OK);
  assert_string_equal(cache_entry_model_id(entry), "a/b/1");
  HOIST_AUTO(buf) struct buf data = buf_make(100);
  assert_int_equal(cache_entry_read(entry, "weights.onnx", &data, NULL), HOIST_OK);
  assert_string_equal(buf_str(&data), "one");
  assert_found(f, "a/b/1", first);
  assert_int_equal(path_count(f, STAGING), 0);
  assert_int_equal(path_count(f, "a/b/1"), 4); /* two files, a directory, the manifest */
  assert_true(path_exists(f, "CACHEDIR.TAG"));
}

static void test_modes_are_those_of_the_umask(void **state) {
  struct fixture *f = *state;
  mode_t before = umask(027);
  assert_published(f, "coco/3", first);
  umask(before);
  char path[128];
  struct stat st;
  snprintf(path, sizeof path, "%s/coco/3", f->root);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0750);
  snprintf(path, sizeof path, "%s/coco/3/weights.onnx", f->root);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0640);
}

static void test_a_model_is_replaced_whole(void **state) {
  struct fixture *f = *state;
  assert_published(f, "coco/3", first);
  assert_true(path_write(f, "coco/3/engine.cache", "x", 1));
  assert_published(f, "coco/3", second);
  assert_found(f, "coco/3", second);
  assert_false(path_exists(f, "coco/3/weights.onnx"));
  assert_false(path_exists(f, "coco/3/old"));
  assert_false(path_exists(f, "coco/3/engine.cache"));
}

static void test_files_of_another_program_are_replaced(void **state) {
  struct fixture *f = *state;
  assert_true(path_make_dirs(f, "coco/3"));
  assert_true(path_write(f, "coco/3/weights.onnx", "half a fi", 9));
  assert_published(f, "coco/3", first);
  assert_found(f, "coco/3", first);
}

static void test_what_the_reference_server_cannot_name_gets_its_slug(void **state) {
  struct fixture *f = *state;
  assert_published(f, "Coins/1", first);
  assert_found(f, "Coins/1", first);
  assert_true(path_exists(f, "~Coins-1-4feee23e30fccb2404a13288e65a2cf1/weights.onnx"));
}

/* ---- models inside models ---------------------------------------------------------------- */

static void test_a_model_inside_another_survives_the_other_s_replacement(void **state) {
  struct fixture *f = *state;
  assert_published(f, "a", first);
  assert_published(f, "a/1", first);
  assert_found(f, "a", first);
  assert_true(path_write(f, "a/notes.txt", "mine", 4));
  assert_published(f, "a", second);
  assert_found(f, "a", second);
  assert_found(f, "a/1", first);
  assert_false(path_exists(f, "a/weights.onnx"));
  assert_false(path_exists(f, "a/old"));
  assert_false(path_exists(f, "a/.hoist-retired.json"));
  assert_true(path_exists(f, "a/notes.txt"));
}

static void test_a_model_may_be_published_around_others(void **state) {
  struct fixture *f = *state;
  assert_published(f, "a/1", first);
  assert_true(path_make_dirs(f, "a/2")); /* another program's, so without a manifest */
  assert_true(path_write(f, "a/2/weights.onnx", "x", 1));
  assert_absent(f, "a");
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(model_publish(f->cache, "a", second, &entry, NULL), HOIST_OK);
  HOIST_AUTO(buf) struct buf data = buf_make(100);
  assert_int_equal(cache_entry_read(entry, "new/names.txt", &data, NULL), HOIST_OK);
  assert_found(f, "a", second);
  assert_found(f, "a/1", first);
  assert_true(path_exists(f, "a/2/weights.onnx"));
  assert_int_equal(path_count(f, STAGING), 0);
}

static void test_a_damaged_manifest_around_another_model_is_replaced(void **state) {
  struct fixture *f = *state;
  assert_published(f, "a", first);
  assert_published(f, "a/1", first);
  assert_true(path_write(f, "a/.hoist-manifest.json", "{", 1));
  assert_published(f, "a", second);
  assert_found(f, "a", second);
  assert_found(f, "a/1", first);
}

static void test_models_that_would_share_files_exclude_each_other(void **state) {
  static const struct made_file inner[] = {{"1/weights.onnx", "x"}, {0}};
  static const struct made_file flat[] = {{"1", "x"}, {"m.onnx", "y"}, {0}};
  struct fixture *f = *state;
  struct hoist_error err;
  assert_published(f, "a/1", first);
  assert_published(f, "a", first);
  assert_int_equal(model_publish(f->cache, "a", inner, NULL, &err), HOIST_INVALID);
  assert_message(&err, "1 is the directory of another model");
  assert_int_equal(model_publish(f->cache, "a", flat, NULL, &err), HOIST_INVALID);
  assert_message(&err, "a directory of the name 1 is in the way");
  assert_found(f, "a", first);
  assert_found(f, "a/1", first);

  assert_published(f, "b", inner);
  assert_int_equal(model_publish(f->cache, "b/1", first, NULL, &err), HOIST_INVALID);
  assert_message(&err, "publishing b/1: the model b has files at b/1");
  assert_published(f, "c", flat);
  assert_int_equal(model_publish(f->cache, "c/1", first, NULL, &err), HOIST_INVALID);
  assert_found(f, "b", inner);
  assert_found(f, "c", flat);
  assert_int_equal(path_count(f, STAGING), 0);
}

static void test_a_file_in_the_way_of_the_directory_is_named(void **state) {
  struct fixture *f = *state;
  struct hoist_error err;
  assert_true(path_make_dirs(f, "coco"));
  assert_true(path_write(f, "coco/3", "x", 1));
  assert_int_equal(model_publish(f->cache, "coco/3", first, NULL, &err), HOIST_INVALID);
  assert_message(&err, "/coco/3 is not a directory");
  assert_int_equal(model_publish(f->cache, "coco/3/4", first, NULL, &err), HOIST_INVALID);
  assert_message(&err, "move it away");
  assert_true(path_exists(f, "coco/3"));
  assert_int_equal(path_count(f, STAGING), 0);
}

static void test_a_symbolic_link_in_the_way_is_not_followed(void **state) {
  struct fixture *f = *state;
  char link[128];
  snprintf(link, sizeof link, "%s/coco", f->root);
  assert_int_equal(symlink("/tmp", link), 0);
  struct hoist_error err;
  assert_int_equal(model_publish(f->cache, "coco/3", first, NULL, &err), HOIST_INVALID);
  assert_message(&err, "is not a directory");
}

/* ---- what a commit demands --------------------------------------------------------------- */

static enum hoist_status commit_as(struct fixture *f, const struct made_file *staged,
                                   const struct made_file *listed, struct hoist_error *err) {
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct cache_txn *txn = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(model_stage(lock, staged, &txn, NULL), HOIST_OK);
  assert_int_equal(model_manifest(listed, &m, NULL), HOIST_OK);
  enum hoist_status status = cache_commit(&no_limits, txn, &m, &lock, &entry, err);
  assert_true(status == HOIST_OK ? !lock && entry : lock && !entry);
  return status;
}

static void test_staged_files_and_manifest_must_match_exactly(void **state) {
  static const struct made_file full[] = {{"a.json", "{}"}, {"m.onnx", "abc"}, {0}};
  static const struct {
    struct made_file staged[4];
    const char *message;
  } rows[] = {
      {{{"m.onnx", "abc"}, {0}}, "a.json: in the manifest, but was not staged"},
      {{{"a.json", "{}"}, {"m.onnx", "abc"}, {"x/b", ""}, {0}}, "x/b: was staged, but is not in"},
      {{{"a.json", "{}"}, {"m.onnx", "ab"}, {0}},
       "m.onnx: 2 bytes were staged, the manifest says 3"},
      {{{"a.json", "{}"}, {"m.onnx", "abcd"}, {0}}, "m.onnx: 4 bytes were staged"},
      {{{"a.json", "{}"}, {"m.onnx/x", "abc"}, {0}}, "m.onnx: staged, but not as a regular file"},
      {{{0}}, "a.json: in the manifest, but was not staged"},
  };
  struct fixture *f = *state;
  assert_published(f, "coco/3", first);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hoist_error err;
    assert_int_equal(commit_as(f, rows[i].staged, full, &err), HOIST_CORRUPT);
    assert_message(&err, rows[i].message);
    assert_int_equal(path_count(f, STAGING), 0);
    assert_found(f, "coco/3", first);
  }
  assert_int_equal(commit_as(f, full, full, NULL), HOIST_OK);
  assert_found(f, "coco/3", full);
}

static void test_a_manifest_without_digest_is_refused(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct cache_txn *txn = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(model_stage(lock, first, &txn, NULL), HOIST_OK);
  assert_int_equal(model_manifest(first, &m, NULL), HOIST_OK);
  m.files[1].digest.kind = DIGEST_NONE;
  struct hoist_error err;
  assert_int_not_equal(cache_commit(&no_limits, txn, &m, &lock, &entry, &err), HOIST_OK);
  assert_message(&err, m.files[1].name);
  cache_unlock(HOIST_TAKE(lock));
  assert_absent(f, "coco/3");
}

static void test_a_commit_that_was_called_off_changes_nothing(void **state) {
  struct fixture *f = *state;
  assert_published(f, "coco/3", first);
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct cache_txn *txn = NULL;
  atomic_int cancel = 0;
  const struct call call = {.cancel = &cancel};
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(model_stage(lock, second, &txn, NULL), HOIST_OK);
  assert_int_equal(model_manifest(second, &m, NULL), HOIST_OK);
  cancel = 1;
  assert_int_equal(cache_commit(&call, txn, &m, &lock, &entry, NULL), HOIST_CANCELLED);
  cache_unlock(HOIST_TAKE(lock));
  assert_found(f, "coco/3", first);
  assert_int_equal(path_count(f, STAGING), 0);
}

/* ---- staging ----------------------------------------------------------------------------- */

static void test_staged_names_cannot_leave_the_directory(void **state) {
  static const char *const names[] = {"",        "/etc/x", "../x", "a/../x", "a//b",
                                      "a/./b",   "a/",     "a\\b", "a\nb",   ".hoist-manifest.json",
                                      ".hoist/x"};
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    int fd = -1;
    assert_int_equal(cache_txn_create(txn, names[i], &fd, NULL), HOIST_CORRUPT);
    assert_int_equal(fd, -1);
  }
}

static void test_a_file_is_staged_once(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  HOIST_AUTO(fd) int fd = -1;
  int other = -1;
  struct hoist_error err;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_create(txn, "a/b", &fd, NULL), HOIST_OK);
  assert_int_equal(cache_txn_create(txn, "a/b", &other, &err), HOIST_INVALID);
  assert_message(&err, "a/b was staged before");
  assert_int_equal(cache_txn_create(txn, "a", &other, &err), HOIST_INVALID);
  assert_int_equal(cache_txn_create(txn, "a/b/c", &other, &err), HOIST_CORRUPT);
  assert_message(&err, "a file and a directory of one name");
  assert_int_equal(path_count(f, STAGING), 1);
  cache_discard(HOIST_TAKE(txn));
  assert_int_equal(path_count(f, STAGING), 0);
  cache_discard(NULL);
}

/* Stages the first file of `files` and a journal, and dies. */
static void stage_and_die(struct cache_lock *lock, const char *journal) {
  struct cache_txn *txn = NULL;
  int fd = -1;
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_is_adopted(txn), 0);
  assert_int_equal(cache_txn_create(txn, "weights.onnx", &fd, NULL), HOIST_OK);
  assert_int_equal(fs_write_all(fd, "half", 4, "x", NULL), HOIST_OK);
  close(fd);
  assert_int_equal(cache_txn_journal(txn, &fd, NULL), HOIST_OK);
  assert_int_equal(fs_write_all(fd, journal, strlen(journal), "x", NULL), HOIST_OK);
  close(fd);
  cache_txn_keep(txn);
}

static void test_a_staging_with_a_journal_is_gone_on_with(void **state) {
  struct fixture *f = *state;
  static const struct made_file files[] = {{"weights.onnx", "half and half"}, {NULL, NULL}};
  struct model_id id = id_of("m/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  stage_and_die(lock, "4 bytes");
  struct cache_txn *txn = NULL;
  int fd = -1;
  char text[16] = "";
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_is_adopted(txn), 1);
  assert_int_equal(cache_txn_journal(txn, &fd, NULL), HOIST_OK);
  assert_int_equal(pread(fd, text, sizeof text, 0), 7);
  assert_string_equal(text, "4 bytes");
  close(fd);
  assert_int_equal(cache_txn_create(txn, "weights.onnx", &fd, NULL), HOIST_OK);
  assert_int_equal(pwrite(fd, " and half", 9, 4), 9);
  close(fd);
  HOIST_AUTO(manifest) struct manifest m = {0};
  assert_int_equal(model_manifest(files, &m, NULL), HOIST_OK);
  struct cache_entry *entry = NULL;
  assert_int_equal(cache_commit(&no_limits, txn, &m, &lock, &entry, NULL), HOIST_OK);
  cache_entry_release(entry);
  assert_int_equal(model_check(f->cache, "m/1", files, NULL), HOIST_OK);
  assert_false(path_exists(f, "m/1/.hoist-journal"));
  assert_int_equal(path_count(f, STAGING), 0);
}

/* A commit takes as long as the disk: whoever comes after one that was cut short has everything but that. */
static void test_a_commit_that_is_called_off_may_be_gone_on_with(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("m/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct cache_txn *txn = NULL;
  struct cache_entry *entry = NULL;
  atomic_int cancel = 1;
  const struct call call = {.cancel = &cancel};
  int fd = -1;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(model_manifest(first, &m, NULL), HOIST_OK);
  assert_int_equal(model_stage(lock, first, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_journal(txn, &fd, NULL), HOIST_OK);
  close(fd);
  assert_int_equal(cache_commit(&call, txn, &m, &lock, &entry, NULL), HOIST_CANCELLED);
  assert_int_equal(path_count(f, STAGING), 1);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_is_adopted(txn), 1);
  assert_int_equal(cache_commit(&no_limits, txn, &m, &lock, &entry, NULL), HOIST_OK);
  cache_entry_release(entry);
  assert_found(f, "m/1", first);
  assert_false(path_exists(f, "m/1/.hoist-journal"));
  assert_int_equal(path_count(f, STAGING), 0);
}

static void test_a_staging_may_be_emptied_and_begun_anew(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("m/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  stage_and_die(lock, "x");
  struct cache_txn *txn = NULL;
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_reset(txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_is_adopted(txn), 0);
  struct buf text = buf_make(16);
  assert_int_equal(cache_txn_read(txn, "weights.onnx", &text, NULL), HOIST_NOT_FOUND);
  assert_int_equal(path_count(f, STAGING), 1);
  cache_discard(txn);
  assert_int_equal(path_count(f, STAGING), 0);
}

static void age_journals(const struct fixture *f) {
  char command[256];
  snprintf(command, sizeof command, "touch -d '2 days ago' %s/" STAGING "/*/.hoist-journal",
           f->root);
  FILE *shell = popen(command, "r");
  assert_int_equal(pclose(shell), 0);
}

static void test_a_staging_with_a_journal_is_left_to_its_model_for_a_day(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("m/1"), other = id_of("n/1");
  struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  stage_and_die(lock, "x");
  cache_unlock(lock);
  HOIST_AUTO(cache_lock) struct cache_lock *others = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &other, &others, NULL), HOIST_OK);
  struct cache_txn *txn = NULL;
  assert_int_equal(cache_begin(&no_limits, others, 0, &txn, NULL), HOIST_OK);
  cache_discard(txn);
  assert_int_equal(path_count(f, STAGING), 1);
  age_journals(f);
  assert_int_equal(cache_begin(&no_limits, others, 0, &txn, NULL), HOIST_OK);
  cache_discard(txn);
  assert_int_equal(path_count(f, STAGING), 0);
}

static void test_beginning_removes_what_a_crash_left_of_this_model_alone(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3"), other_id = id_of("coco/33");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL, *other = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL, *other_txn = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(cache_lock(&no_limits, f->cache, &other_id, &other, NULL), HOIST_OK);
  assert_int_equal(model_stage(other, first, &other_txn, NULL), HOIST_OK);
  struct cache_txn *left = NULL; /* whose owner died before it could discard it */
  assert_int_equal(model_stage(lock, first, &left, NULL), HOIST_OK);
  assert_int_equal(path_count(f, STAGING), 2);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(path_count(f, STAGING), 2);
  cache_discard(left);
  assert_int_equal(path_count(f, STAGING), 2);
}

static void test_a_model_larger_than_the_disk_is_refused_with_both_figures(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("coco/3");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  struct hoist_error err;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  uint64_t much = UINT64_C(12) * 1000 * 1000 * 1000 * 1000 * 1000 * 1000 / 10;
  assert_int_equal(cache_begin(&no_limits, lock, much, &txn, &err), HOIST_NO_SPACE);
  assert_message(&err, "coco/3 needs 1.2 EB and the cache /tmp/hoist-cache-test-");
  assert_message(&err, "B free");
  assert_message(&err, "HOIST_CACHE_DIR");
  assert_int_equal(path_count(f, STAGING), 0);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_a_commit_gives_an_entry_and_leaves_no_staging),
      CASE(test_modes_are_those_of_the_umask),
      CASE(test_a_model_is_replaced_whole),
      CASE(test_files_of_another_program_are_replaced),
      CASE(test_what_the_reference_server_cannot_name_gets_its_slug),
      CASE(test_a_model_inside_another_survives_the_other_s_replacement),
      CASE(test_a_model_may_be_published_around_others),
      CASE(test_a_damaged_manifest_around_another_model_is_replaced),
      CASE(test_models_that_would_share_files_exclude_each_other),
      CASE(test_a_file_in_the_way_of_the_directory_is_named),
      CASE(test_a_symbolic_link_in_the_way_is_not_followed),
      CASE(test_staged_files_and_manifest_must_match_exactly),
      CASE(test_a_manifest_without_digest_is_refused),
      CASE(test_a_commit_that_was_called_off_changes_nothing),
      CASE(test_staged_names_cannot_leave_the_directory),
      CASE(test_a_file_is_staged_once),
      CASE(test_a_staging_with_a_journal_is_gone_on_with),
      CASE(test_a_commit_that_is_called_off_may_be_gone_on_with),
      CASE(test_a_staging_may_be_emptied_and_begun_anew),
      CASE(test_a_staging_with_a_journal_is_left_to_its_model_for_a_day),
      CASE(test_beginning_removes_what_a_crash_left_of_this_model_alone),
      CASE(test_a_model_larger_than_the_disk_is_refused_with_both_figures),
  };
  return cmocka_run_group_tests_name("cache_commit", tests, NULL, NULL);
}
