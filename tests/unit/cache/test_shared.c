/* SPDX-License-Identifier: Apache-2.0 */
/* Files that several models have in common are on the disk once. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "fs.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define SIZE (100 << 10)

static char weights[SIZE + 1];
static const struct made_file model[] = {{"weights.onnx", weights}, {"names.txt", "a\n"}, {0}};

static struct digest promise_of(const char *content) {
  struct digest md5;
  assert_int_equal(digest_of(DIGEST_MD5, content, strlen(content), &md5, NULL), HOIST_OK);
  return md5;
}

/* Publishes `model`, its weights linked where `shares` is set, and put down as what was promised. */
static void publish(struct fixture *f, const char *id, int shares) {
  struct model_id model_id = id_of(id);
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  const struct digest md5 = promise_of(weights);
  assert_int_equal(cache_lock(&no_limits, f->cache, &model_id, &lock, NULL), HOIST_OK);
  assert_int_equal(model_manifest(model, &m, NULL), HOIST_OK);
  m.files[0].promised = md5;
  assert_int_equal(model_stage(lock, shares ? model + 1 : model, &txn, NULL), HOIST_OK);
  if (shares) {
    struct digest sha256;
    int64_t size = 0;
    assert_int_equal(cache_txn_share(&no_limits, txn, "weights.onnx", &md5, &size, &sha256, NULL),
                     HOIST_OK);
    assert_int_equal(size, SIZE);
    assert_true(digest_equal(&sha256, &m.files[0].digest));
  }
  assert_int_equal(cache_commit(&no_limits, HOIST_TAKE(txn), &m, &lock, &entry, NULL), HOIST_OK);
}

static struct stat stat_of(const struct fixture *f, const char *path) {
  char full[256];
  struct stat st;
  snprintf(full, sizeof full, "%s/%s", f->root, path);
  assert_int_equal(stat(full, &st), 0);
  return st;
}

static void test_a_shared_file_is_there_once_and_stays_with_whoever_is_left(void **state) {
  struct fixture *f = *state;
  publish(f, "m/1", 0);
  publish(f, "m/2", 1);
  assert_true(stat_of(f, "m/1/weights.onnx").st_ino == stat_of(f, "m/2/weights.onnx").st_ino);
  assert_int_equal(stat_of(f, "m/1/weights.onnx").st_nlink, 2);
  assert_int_equal(stat_of(f, "m/1/names.txt").st_nlink, 1); /* too small to be worth it */
  assert_int_equal(model_check(f->cache, "m/1", model, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "m/2", model, NULL), HOIST_OK);
  assert_int_equal(model_remove(f->cache, "m/1", NULL, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "m/2", model, NULL), HOIST_OK);
  publish(f, "m/3", 1); /* out of m/2, where the note leads since */
  assert_int_equal(stat_of(f, "m/3/weights.onnx").st_nlink, 2);
}

static enum hoist_status try_to_share(struct fixture *f, const char *content) {
  struct model_id id = id_of("other/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  const struct digest md5 = promise_of(content);
  struct digest sha256;
  int64_t size;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  enum hoist_status status =
      cache_txn_share(&no_limits, txn, "weights.onnx", &md5, &size, &sha256, NULL);
  HOIST_AUTO(buf) struct buf data = buf_make(SIZE + 1);
  if (status != HOIST_OK)
    assert_int_equal(cache_txn_read(txn, "weights.onnx", &data, NULL), HOIST_NOT_FOUND);
  return status;
}

static void test_what_is_not_what_was_promised_is_not_shared(void **state) {
  struct fixture *f = *state;
  assert_int_equal(try_to_share(f, weights), HOIST_NOT_FOUND);
  publish(f, "m/1", 0);
  assert_int_equal(try_to_share(f, weights), HOIST_OK);
  assert_int_equal(try_to_share(f, "something else"), HOIST_NOT_FOUND);
  assert_true(path_write(f, "m/1/weights.onnx", "damaged", 7));
  assert_int_equal(try_to_share(f, weights), HOIST_NOT_FOUND);
  assert_true(path_remove(f, "m/1/weights.onnx"));
  assert_int_equal(try_to_share(f, weights), HOIST_NOT_FOUND);
}

static void test_notes_lead_nowhere_but_to_models(void **state) {
  static const char *const notes[] = {
      "/etc/passwd\n", "../outside\n", ".hoist/tree.lock\n", "m/1/weights.onnx", "m/1\n", "",
      "a\nb\n"};
  struct fixture *f = *state;
  char path[128], hex[DIGEST_HEX_SIZE];
  const struct digest md5 = promise_of(weights);
  publish(f, "m/1", 0);
  digest_hex(&md5, hex);
  snprintf(path, sizeof path, ".hoist/shared/md5-%s", hex);
  assert_true(path_exists(f, path));
  for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
    assert_true(path_write(f, path, notes[i], strlen(notes[i])));
    assert_int_equal(try_to_share(f, weights), HOIST_NOT_FOUND);
  }
}

static void test_a_link_made_meanwhile_is_no_change_of_the_file(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("m/1");
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  publish(f, "m/1", 0);
  assert_int_equal(cache_find(&no_limits, f->cache, &id, &entry, NULL), HOIST_OK);
  publish(f, "m/2", 1);
  assert_int_equal(cache_entry_check_unchanged(entry, NULL), HOIST_OK);
  assert_int_equal(model_remove(f->cache, "m/2", NULL, NULL), HOIST_OK);
  assert_int_equal(cache_entry_check_unchanged(entry, NULL), HOIST_OK);
  char changed[SIZE];
  memset(changed, 'y', sizeof changed);
  assert_true(path_write(f, "m/1/weights.onnx", changed, sizeof changed));
  assert_int_equal(cache_entry_check_unchanged(entry, NULL), HOIST_CORRUPT);
}

/* A download that was killed after it had linked to a model's file is gone on with, and writes that file anew. */
static void test_a_linked_file_is_never_written_to(void **state) {
  struct fixture *f = *state;
  struct model_id id = id_of("m/2");
  const struct digest md5 = promise_of(weights);
  struct digest sha256;
  int64_t size;
  publish(f, "m/1", 0);
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  int fd = -1;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_share(&no_limits, txn, "weights.onnx", &md5, &size, &sha256, NULL),
                   HOIST_OK);
  assert_int_equal(cache_txn_journal(txn, &fd, NULL), HOIST_OK);
  close(fd);
  cache_txn_keep(txn);
  assert_int_equal(cache_begin(&no_limits, lock, 0, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_txn_is_adopted(txn), 1);
  assert_int_equal(cache_txn_create(txn, "weights.onnx", &fd, NULL), HOIST_OK);
  assert_int_equal(fs_write_all(fd, "other", 5, "weights.onnx", NULL), HOIST_OK);
  close(fd);
  cache_discard(txn);
  assert_int_equal(model_check(f->cache, "m/1", model, NULL), HOIST_OK);
}

static void test_notes_about_files_that_are_gone_are_swept(void **state) {
  struct fixture *f = *state;
  struct cache_cleanup done = {0};
  publish(f, "m/1", 0);
  assert_int_equal(cache_sweep(&no_limits, f->cache, 0, &done, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/shared"), 1);
  assert_int_equal(model_remove(f->cache, "m/1", NULL, NULL), HOIST_OK);
  assert_int_equal(cache_sweep(&no_limits, f->cache, 1, &done, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/shared"), 1);
  assert_int_equal(cache_sweep(&no_limits, f->cache, 0, &done, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/shared"), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_a_shared_file_is_there_once_and_stays_with_whoever_is_left),
      CASE(test_what_is_not_what_was_promised_is_not_shared),
      CASE(test_notes_lead_nowhere_but_to_models),
      CASE(test_a_link_made_meanwhile_is_no_change_of_the_file),
      CASE(test_a_linked_file_is_never_written_to),
      CASE(test_notes_about_files_that_are_gone_are_swept),
  };
  memset(weights, 'x', SIZE);
  return cmocka_run_group_tests_name("cache_shared", tests, NULL, NULL);
}
