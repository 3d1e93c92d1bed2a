/* SPDX-License-Identifier: Apache-2.0 */
/* The cache where something is missing: the right to write, room on the disk, memory. The disks are
 * small tmpfs mounts in a mount namespace of a child process. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "fail_alloc.h"
#include "fs.h"

#define NO_NAMESPACE 77 /* exit status of a child that may not mount */

static const struct made_file files[] = {
    {"environment.json", "{}"}, {"sub/weights.onnx", "1"}, {0}};
static const struct made_file others[] = {{"weights.onnx", "22"}, {0}};

/* ---- in a child, which cannot use cmocka's asserts --------------------------------------- */

static int unmet;

static void expect(bool ok, const char *what) {
  if (ok) return;
  unmet = 1;
  fprintf(stderr, "not so: %s\n", what);
}

static void expect_status(enum hoist_status status, enum hoist_status wanted,
                          const struct hoist_error *err, const char *part) {
  if (status == wanted && (status == HOIST_OK || strstr(err->message, part))) return;
  unmet = 1;
  fprintf(stderr, "not %s with \"%s\": %s: %s\n", hoist_status_name(wanted), part,
          hoist_status_name(status), status == HOIST_OK ? "" : err->message);
}

static bool write_proc(const char *path, const char *text) {
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Keeps our mounts to ourselves. Below chroot, "/" is no mount point and there is nothing to set. */
static bool make_private(void) {
  return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL;
}

static bool enter_namespace(void) {
  if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0) return make_private();
  char uid_map[64], gid_map[64];
  snprintf(uid_map, sizeof uid_map, "0 %u 1", geteuid());
  snprintf(gid_map, sizeof gid_map, "0 %u 1", getegid());
  return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_proc("/proc/self/setgroups", "deny") &&
         write_proc("/proc/self/uid_map", uid_map) && write_proc("/proc/self/gid_map", gid_map) &&
         make_private();
}

/* Puts an empty disk over the fixture's root, and a cache on it. */
static bool mount_small_disk(struct fixture *f) {
  struct hoist_error err = {.message = ""};
  if (!enter_namespace() || mount("none", f->root, "tmpfs", 0, "size=256k") != 0) return false;
  cache_close(f->cache);
  f->cache = NULL;
  expect(cache_open(f->root, &f->cache, &err) == HOIST_OK, err.message);
  return f->cache;
}

static void make_read_only(struct fixture *f) {
  cache_close(f->cache);
  f->cache = NULL;
  struct hoist_error err = {.message = ""};
  expect(mount("none", f->root, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) == 0, "remount read-only");
  expect(cache_open(f->root, &f->cache, &err) == HOIST_OK, err.message);
}

static void run_on_small_disk(int (*work)(void *user), void **state) {
  int status = run_in_child(work, *state);
  if (status == NO_NAMESPACE) {
    print_message("# this user may not mount file systems here, not even in a namespace\n");
    skip();
  }
  assert_int_equal(status, 0);
}

/* ---- read-only --------------------------------------------------------------------------- */

static void expect_read_only(struct fixture *f, const char *id) {
  struct hoist_error err;
  const char *const advice = "is read-only: set HOIST_CACHE_DIR or MODEL_CACHE_DIR to a writable";
  expect_status(model_check(f->cache, id, files, &err), HOIST_OK, &err, "");
  expect_status(model_publish(f->cache, id, others, NULL, &err), HOIST_DENIED, &err, advice);
  expect_status(model_publish(f->cache, "new/1", others, NULL, &err), HOIST_DENIED, &err, advice);
  expect_status(model_remove(f->cache, id, NULL, &err), HOIST_DENIED, &err, advice);
  expect_status(model_check(f->cache, "new/1", files, &err), HOIST_NOT_FOUND, &err, "new/1");
  expect_status(model_check(f->cache, id, files, &err), HOIST_OK, &err, "");
}

static int use_read_only(void *user) {
  struct fixture *f = user;
  if (!mount_small_disk(f)) return NO_NAMESPACE;
  expect(model_publish(f->cache, "a/1", files, NULL, NULL) == HOIST_OK, "publish");
  make_read_only(f);
  expect_read_only(f, "a/1");
  char path[128];
  struct cache *missing = NULL;
  struct hoist_error err;
  snprintf(path, sizeof path, "%s/missing", f->root);
  expect_status(cache_open(path, &missing, &err), HOIST_DENIED, &err, path);
  return unmet;
}

static void test_a_read_only_cache_can_be_read_and_says_why_not_written(void **state) {
  run_on_small_disk(use_read_only, state);
}

static int use_read_only_copy(void *user) {
  struct fixture *f = user;
  if (!mount_small_disk(f)) return NO_NAMESPACE;
  expect(model_publish(f->cache, "a/1", files, NULL, NULL) == HOIST_OK, "publish");
  expect(path_remove(f, ".hoist"), "remove the locks");
  make_read_only(f);
  expect_read_only(f, "a/1");
  return unmet;
}

static void test_a_read_only_copy_without_lock_files_can_be_read(void **state) {
  run_on_small_disk(use_read_only_copy, state);
}

/* ---- a full disk ------------------------------------------------------------------------- */

static enum hoist_status write_until_full(int fd, struct hoist_error *err) {
  static const char block[4096];
  enum hoist_status status;
  do
    status = fs_write_all(fd, block, sizeof block, "weights.onnx", err);
  while (status == HOIST_OK);
  return status;
}

static void expect_whole(struct fixture *f) {
  struct hoist_error err;
  expect_status(model_check(f->cache, "a/1", files, &err), HOIST_OK, &err, "");
  expect(path_count(f, ".hoist/staging") == 0, "the staging is empty");
}

static int fill_while_staging(void *user) {
  struct fixture *f = user;
  if (!mount_small_disk(f)) return NO_NAMESPACE;
  expect(model_publish(f->cache, "a/1", files, NULL, NULL) == HOIST_OK, "publish");
  struct model_id id = id_of("a/1");
  struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  struct hoist_error err;
  int fd = -1;
  expect(cache_lock(&no_limits, f->cache, &id, &lock, NULL) == HOIST_OK, "lock");
  expect_status(cache_begin(&no_limits, lock, 300000, &txn, &err), HOIST_NO_SPACE, &err,
                "a/1 needs 300 KB and the cache");
  expect(cache_begin(&no_limits, lock, 200000, &txn, NULL) == HOIST_OK, "begin");
  expect(cache_txn_create(txn, "weights.onnx", &fd, NULL) == HOIST_OK, "create");
  expect_status(write_until_full(fd, &err), HOIST_NO_SPACE, &err, "writing weights.onnx: No space");
  close(fd);
  cache_discard(txn);
  cache_unlock(lock);
  expect_whole(f);
  return unmet;
}

static void test_a_disk_that_fills_up_while_staging_leaves_the_old_model(void **state) {
  run_on_small_disk(fill_while_staging, state);
}

static int reserve_room(void *user) {
  struct fixture *f = user;
  if (!mount_small_disk(f)) return NO_NAMESPACE;
  char names[][2] = {"a", "b", "c"};
  struct manifest_file planned_files[] = {{.name = names[0], .size = 100000},
                                          {.name = names[1], .size = 200000},
                                          {.name = names[2], .size = FILE_SIZE_UNKNOWN}};
  const struct manifest planned = {.files = planned_files, .file_count = 3};
  struct model_id id = id_of("a/1");
  struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  struct hoist_error err;
  struct stat st;
  int a = -1, b = -1, c = -1;
  expect(cache_lock(&no_limits, f->cache, &id, &lock, NULL) == HOIST_OK, "lock");
  expect(cache_begin(&no_limits, lock, 0, &txn, NULL) == HOIST_OK, "begin");
  expect(cache_txn_expect(txn, &planned, NULL) == HOIST_OK, "expect");
  expect(cache_txn_create(txn, "a", &a, NULL) == HOIST_OK, "create a");
  expect(fstat(a, &st) == 0 && st.st_size == 0 && st.st_blocks * 512 >= 100000, "room for a");
  expect_status(cache_txn_create(txn, "b", &b, &err), HOIST_NO_SPACE, &err,
                "reserving 200 KB for b in the cache ");
  expect(b == -1, "no descriptor of b");
  expect(cache_txn_create(txn, "c", &c, NULL) == HOIST_OK, "create c");
  close(a);
  close(c);
  cache_discard(txn);
  expect(path_count(f, ".hoist/staging") == 0, "nothing staged");
  cache_unlock(lock);
  return unmet;
}

static void test_room_for_files_of_known_size_is_reserved_before_they_come(void **state) {
  run_on_small_disk(reserve_room, state);
}

static void fill_disk(struct fixture *f) {
  char path[128];
  snprintf(path, sizeof path, "%s/filler", f->root);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  expect(fd >= 0 && write_until_full(fd, NULL) == HOIST_NO_SPACE, "fill the disk");
}

static int commit_on_full_disk(void *user) {
  struct fixture *f = user;
  if (!mount_small_disk(f)) return NO_NAMESPACE;
  expect(model_publish(f->cache, "a/1", files, NULL, NULL) == HOIST_OK, "publish");
  struct model_id id = id_of("a/1");
  struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  struct cache_entry *entry = NULL;
  struct manifest m = {0};
  struct hoist_error err;
  expect(cache_lock(&no_limits, f->cache, &id, &lock, NULL) == HOIST_OK, "lock");
  expect(model_stage(lock, others, &txn, NULL) == HOIST_OK, "stage");
  expect(model_manifest(others, &m, NULL) == HOIST_OK, "manifest");
  fill_disk(f);
  expect_status(cache_commit(&no_limits, txn, &m, &lock, &entry, &err), HOIST_NO_SPACE, &err,
                ".hoist-manifest.json");
  manifest_done(&m);
  cache_unlock(lock);
  expect_whole(f);
  expect(path_remove(f, "filler"), "make room");
  expect(model_publish(f->cache, "a/1", others, NULL, NULL) == HOIST_OK, "publish again");
  return unmet;
}

static void test_a_disk_that_is_full_at_the_commit_leaves_the_old_model(void **state) {
  run_on_small_disk(commit_on_full_disk, state);
}

static int publish_within_file_limit(void *user) {
  struct fixture *f = user;
  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit few = {.rlim_cur = 100, .rlim_max = 100};
  expect(setrlimit(RLIMIT_FSIZE, &few) == 0, "limit");
  struct hoist_error err;
  expect_status(model_publish(f->cache, "a/1", others, NULL, &err), HOIST_NO_SPACE, &err,
                "writing .hoist-manifest.json: File too large");
  expect_whole(f);
  return unmet;
}

static void test_a_file_size_limit_is_no_space(void **state) {
  struct fixture *f = *state;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  assert_int_equal(run_in_child(publish_within_file_limit, f), 0);
}

/* ---- memory ------------------------------------------------------------------------------ */

static enum hoist_status ignore_listing(void *user, const struct cache_listing *l,
                                        struct hoist_error *err) {
  return HOIST_OK;
}

static enum hoist_status live_through(struct fixture *f, struct hoist_error *err) {
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = model_publish(f->cache, "a/1", files, NULL, err);
  if (status == HOIST_OK) status = model_publish(f->cache, "a", others, &entry, err);
  cache_entry_release(HOIST_TAKE(entry));
  if (status == HOIST_OK) status = model_publish(f->cache, "a/1", others, NULL, err);
  if (status == HOIST_OK) status = model_check(f->cache, "a/1", others, err);
  if (status == HOIST_OK) status = cache_list(f->cache, ignore_listing, NULL, err);
  if (status == HOIST_OK) status = model_remove(f->cache, "a", NULL, err);
  return status;
}

static void check_whole_or_nothing(struct fixture *f) {
  struct hoist_error err = {.message = ""};
  enum hoist_status a = model_check(f->cache, "a", others, &err);
  enum hoist_status first = model_check(f->cache, "a/1", files, &err);
  if (a != HOIST_OK) assert_int_equal(a, HOIST_NOT_FOUND);
  if (first == HOIST_CORRUPT) first = model_check(f->cache, "a/1", others, &err);
  if (first != HOIST_OK) assert_int_equal(first, HOIST_NOT_FOUND);
  assert_true(path_count(f, ".hoist/staging") <= 0);
}

static void test_any_allocation_may_fail_and_nothing_is_half_done(void **state) {
  struct fixture *f = *state;
  long n = 0, notes = 0;
  for (bool failed = true; failed; n++) {
    struct hoist_error err = {.message = ""};
    fail_alloc_at(n + 1);
    enum hoist_status status = live_through(f, &err);
    failed = fail_alloc_happened();
    fail_alloc_at(0);
    /* Without memory for the note of a model's identities there is none, and the model is as good. */
    bool is_note = failed && status == HOIST_OK && ++notes <= 8;
    if (!is_note && status != (failed ? HOIST_NO_MEMORY : HOIST_OK))
      fail_msg("allocation %ld: %s: %s", n + 1, hoist_status_name(status), err.message);
    if (failed && !is_note) assert_non_null(strstr(err.message, "out of memory"));
    check_whole_or_nothing(f);
    assert_true(path_remove(f, "a"));
  }
  assert_true(n > 30);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_a_read_only_cache_can_be_read_and_says_why_not_written),
      CASE(test_a_read_only_copy_without_lock_files_can_be_read),
      CASE(test_room_for_files_of_known_size_is_reserved_before_they_come),
      CASE(test_a_disk_that_fills_up_while_staging_leaves_the_old_model),
      CASE(test_a_disk_that_is_full_at_the_commit_leaves_the_old_model),
      CASE(test_a_file_size_limit_is_no_space),
      CASE(test_any_allocation_may_fail_and_nothing_is_half_done),
  };
  return cmocka_run_group_tests_name("cache_scarcity", tests, NULL, NULL);
}
