/* SPDX-License-Identifier: Apache-2.0 */
/* A file system whose locks do nothing: flock is replaced at link time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "fs.h"

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

static enum { REAL, NOTHING, REFUSED } behaviour;

int __wrap_flock(int fd, int operation) {
  if (behaviour == REAL) return __real_flock(fd, operation);
  if (behaviour == NOTHING) return 0;
  errno = ENOLCK;
  return -1;
}

static const struct made_file files[] = {{"weights.onnx", "1"}, {0}};

static int setup(void **state) {
  behaviour = REAL;
  return fixture_set_up(state);
}

static void reopen(struct fixture *f) {
  cache_close(f->cache);
  assert_int_equal(cache_open(f->root, &f->cache, NULL), HOIST_OK);
}

static void test_it_is_known_as_soon_as_a_lock_was_taken_or_an_old_cache_is_opened(void **state) {
  struct fixture *f = *state;
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_UNKNOWN); /* nothing is written by looking */
  assert_false(path_exists(f, ".hoist"));
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_WORK);
  reopen(f);
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_WORK);
}

static void test_locks_that_do_nothing_are_noticed(void **state) {
  struct fixture *f = *state;
  behaviour = NOTHING;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_DO_NOTHING);
  reopen(f);
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_DO_NOTHING);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
}

static void test_a_neighbour_who_tries_at_the_same_time_does_not_mislead(void **state) {
  struct fixture *f = *state;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  char path[128];
  snprintf(path, sizeof path, "%s/.hoist/lock-check", f->root);
  FILE *neighbour = fopen(path, "r");
  assert_non_null(neighbour);
  assert_int_equal(__real_flock(fileno(neighbour), LOCK_EX | LOCK_NB), 0);
  reopen(f);
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_WORK);
  fclose(neighbour);
}

/* Whoever cannot tell who holds what must take it that somebody does. */
static void test_without_locks_nothing_is_cleaned_up(void **state) {
  struct fixture *f = *state;
  behaviour = NOTHING;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  const struct cache_limits limits = {.max_bytes = 0, .max_unused_s = UINT64_MAX};
  struct cache_cleanup done = {.models = 0};
  assert_true(path_make_dirs(f, ".hoist/staging/b-1.0"));
  assert_int_equal(cache_evict(&no_limits, f->cache, &limits, &done, NULL), HOIST_OK);
  assert_int_equal(cache_sweep(&no_limits, f->cache, 0, &done, NULL), HOIST_OK);
  assert_int_equal(done.removed_models + done.removed_leftovers + done.removed_locks, 0);
  assert_int_equal(done.busy_models, 1);
  assert_true(path_exists(f, ".hoist/staging/b-1.0"));
  assert_int_equal(model_publish(f->cache, "c/1", files, NULL, NULL), HOIST_OK);
  assert_true(path_exists(f, ".hoist/staging/b-1.0")); /* neither does a download sweep it */
}

/* Two processes download one model at the same time; what one of them crashed with a day ago is nobody's. */
static void test_without_locks_downloads_leave_each_other_alone(void **state) {
  struct fixture *f = *state;
  behaviour = NOTHING;
  assert_int_equal(model_publish(f->cache, "b/1", files, NULL, NULL), HOIST_OK);
  const struct model_id id = id_of("a/1");
  struct cache_lock *one = NULL, *other = NULL;
  struct cache_txn *first = NULL, *second = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &one, NULL), HOIST_OK);
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &other, NULL), HOIST_OK);
  assert_int_equal(model_stage(one, files, &first, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/staging"), 1);
  assert_int_equal(model_stage(other, files, &second, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/staging"), 2);
  struct manifest m = {0};
  struct cache_entry *entry = NULL;
  assert_int_equal(model_manifest(files, &m, NULL), HOIST_OK);
  assert_int_equal(cache_commit(&no_limits, first, &m, &one, &entry, NULL), HOIST_OK);
  cache_entry_release(entry);
  assert_int_equal(cache_commit(&no_limits, second, &m, &other, &entry, NULL), HOIST_OK);
  cache_entry_release(entry);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/staging"), 0);
  manifest_done(&m);
}

static void test_without_locks_what_is_old_is_swept(void **state) {
  struct fixture *f = *state;
  behaviour = NOTHING;
  const struct model_id id = id_of("a/1");
  struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  char command[256];
  assert_int_equal(cache_lock(&no_limits, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(model_stage(lock, files, &txn, NULL), HOIST_OK);
  cache_txn_keep(txn);
  snprintf(command, sizeof command, "find %s/.hoist/staging -exec touch -d '25 hours ago' {} +",
           f->root);
  FILE *aged = popen(command, "r");
  assert_int_equal(pclose(aged), 0);
  assert_int_equal(model_stage(lock, files, &txn, NULL), HOIST_OK);
  assert_int_equal(path_count(f, ".hoist/staging"), 1);
  cache_discard(txn);
  cache_unlock(lock);
}

static void test_locks_that_are_refused_fail_with_the_cause(void **state) {
  struct fixture *f = *state;
  struct hoist_error err;
  behaviour = REFUSED;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, &err), HOIST_UNAVAILABLE);
  assert_int_equal(err.sys_errno, ENOLCK);
  assert_int_equal(cache_locks(f->cache), CACHE_LOCKS_UNKNOWN);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_it_is_known_as_soon_as_a_lock_was_taken_or_an_old_cache_is_opened),
      CASE(test_locks_that_do_nothing_are_noticed),
      CASE(test_a_neighbour_who_tries_at_the_same_time_does_not_mislead),
      CASE(test_without_locks_nothing_is_cleaned_up),
      CASE(test_without_locks_downloads_leave_each_other_alone),
      CASE(test_without_locks_what_is_old_is_swept),
      CASE(test_locks_that_are_refused_fail_with_the_cause),
  };
  return cmocka_run_group_tests_name("cache_lock_check", tests, NULL, NULL);
}
