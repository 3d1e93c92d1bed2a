/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts: kill -9 does not lose what was written, a power cut loses what was not fsynced. So this
 * keeps a list of the files and directories changed since their last fsync and looks at it whenever
 * something becomes visible, goes away, or is reported as done. Locks, the names in the staging and the
 * notes of files' identities may be lost and are not looked at. */
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
#include "wrapped.h"

#define MAX_DIRTY 64

static const struct made_file old_files[] = {
    {"environment.json", "{}"}, {"old/names.txt", "a\n"}, {"weights.onnx", "old weights"}, {0}};
static const struct made_file new_files[] = {
    {"environment.json", "{1}"}, {"new/names.txt", "b\n"}, {"weights.onnx", "new weights!"}, {0}};

/* ---- what a power cut would lose --------------------------------------------------------- */

static ino_t dirty[MAX_DIRTY];
static size_t dirty_count;
static ino_t volatile_dirs[3];

static bool is_volatile(ino_t inode) {
  for (size_t i = 0; i < 3; i++)
    if (volatile_dirs[i] == inode) return true;
  return false;
}

static void clean(ino_t inode) {
  for (size_t i = 0; i < dirty_count; i++)
    if (dirty[i] == inode) dirty[i--] = dirty[--dirty_count];
}

static void soil(ino_t inode) {
  clean(inode);
  if (is_volatile(inode)) return;
  assert_true(dirty_count < MAX_DIRTY);
  dirty[dirty_count++] = inode;
}

static bool is_dirty(ino_t inode) {
  for (size_t i = 0; i < dirty_count; i++)
    if (dirty[i] == inode) return true;
  return false;
}

static ino_t inode_of(int dir_fd, const char *path) {
  struct stat st;
  return fstatat(dir_fd, path, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static ino_t parent_of(int dir_fd, const char *path) {
  char parent[256];
  const char *slash = strrchr(path, '/');
  snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 0, path);
  return inode_of(dir_fd, parent);
}

/* ---- the hooks --------------------------------------------------------------------------- */

static int publications, removals;

static bool may_be_lost(const char *path) {
  return strstr(path, ".lock") != NULL || strstr(path, ".hoist/verified") != NULL;
}

static void on_write(int fd) {
  char link[64], path[512] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) < 0 || !may_be_lost(path)) soil(inode_of(fd, ""));
}

static void on_sync(int fd) {
  clean(inode_of(fd, ""));
}

/* An empty directory is durable when its name is. */
static void on_make(int dir_fd, const char *path) {
  struct stat st;
  if (may_be_lost(path)) return;
  soil(parent_of(dir_fd, path));
  if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)) soil(st.st_ino);
}

static bool ends_with(const char *text, const char *end) {
  size_t size = strlen(text), end_size = strlen(end);
  return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* A whole directory leaves the staging, or a manifest becomes visible. */
static void on_renaming(int from_fd, const char *from, int to_fd, const char *to) {
  bool publishes = strncmp(from, ".hoist/staging/", 15) == 0 || ends_with(to, "-manifest.json");
  if (!publishes) return;
  if (dirty_count != 0) fail_msg("%s becomes visible before it is durable", to);
  publications++;
}

/* The old name goes when the new one comes, in one transaction of the file system. */
static void on_renamed(int from_fd, const char *from, int to_fd, const char *to) {
  soil(parent_of(to_fd, to));
}

/* Files of a model go only after it is durable that it is no model any more. */
static void on_remove(int dir_fd, const char *path) {
  if (strstr(path, "weights.onnx") == NULL) return;
  if (is_dirty(parent_of(dir_fd, path))) fail_msg("%s is removed too early", path);
  removals++;
}

/* ---- the tests --------------------------------------------------------------------------- */

static int setup(void **state) {
  static struct fixture f;
  *state = &f;
  return fixture_init(&f) ? 0 : -1;
}

static int teardown(void **state) {
  wrapped_hooks = (struct wrapped_hooks){0};
  wrapped_no_exchange = 0;
  fixture_done(*state);
  return 0;
}

static void watch(struct fixture *f) {
  static const char *const dirs[] = {".hoist", ".hoist/locks", ".hoist/staging"};
  int root = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; i < 3; i++)
    volatile_dirs[i] = inode_of(root, dirs[i]);
  close(root);
  dirty_count = 0;
  publications = removals = 0;
  wrapped_hooks = (struct wrapped_hooks){.wrote = on_write,
                                         .made = on_make,
                                         .renaming = on_renaming,
                                         .renamed = on_renamed,
                                         .removing = on_remove,
                                         .synced = on_sync};
}

static void publish(struct fixture *f, const char *id, const struct made_file *files) {
  assert_int_equal(model_publish(f->cache, id, files, NULL, NULL), HOIST_OK);
}

/* The old tree of a replaced model is removed last; its directory may be lost in any state. */
static void test_a_publication_is_durable_before_and_after_it_is_visible(void **state) {
  struct fixture *f = *state;
  publish(f, "other", old_files); /* makes the cache's own directories */
  watch(f);
  publish(f, "a/b/1", old_files);
  assert_int_equal(dirty_count, 0);
  assert_int_equal(publications, 1);
  publish(f, "a/b/1", new_files);
  assert_int_equal(dirty_count, 0);
  assert_int_equal(publications, 2);
}

static void test_a_publication_around_another_model_is_durable_in_order(void **state) {
  struct fixture *f = *state;
  publish(f, "a", old_files);
  publish(f, "a/1", old_files);
  watch(f);
  publish(f, "a", new_files);
  assert_int_equal(dirty_count, 0);
  assert_int_equal(publications, 1);
}

static void test_a_removal_hides_the_model_durably_first(void **state) {
  struct fixture *f = *state;
  publish(f, "a", old_files);
  watch(f);
  assert_int_equal(model_remove(f->cache, "a", NULL, NULL), HOIST_OK);
  assert_int_equal(removals, 1);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(test_a_publication_is_durable_before_and_after_it_is_visible),
      CASE(test_a_publication_around_another_model_is_durable_in_order),
      CASE(test_a_removal_hides_the_model_durably_first),
  };
  return cmocka_run_group_tests_name("sync_order", tests, NULL, NULL);
}
