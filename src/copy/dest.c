/* SPDX-License-Identifier: Apache-2.0 */
/* The directory, its lock, and the room in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "dest_internal.h"
#include "fs.h"
#include "path_rule.h"
#include "plan.h"
#include "text.h"
#include "tree.h"

#define MAX_NAME_BYTES 1024 /* S3's own limit */
#define MAX_NAME_SEGMENTS TREE_MAX_DEPTH
#define LOCK_LOOK_NS (100 * NS_PER_MS)
#define MAX_SHOWN_DIRECTORY 120

enum hoist_status dest_fail(const struct dest *d, int sys_errno, const char *doing,
                            struct hoist_error *err) {
  return hoist_fail_errno(err, sys_errno, "%s: %s", d->directory, doing);
}

/* ---- opening ----------------------------------------------------------------------------------- */

/* Bytes of the longest path above it, or itself, that is there. */
static size_t existing_bytes(const char *directory) {
  HOIST_AUTO(mem) char *path = text_dup(directory);
  struct stat st;
  while (path && *path && stat(path, &st) != 0) {
    char *slash = strrchr(path, '/');
    *(slash ? slash : path) = '\0';
  }
  return path ? strlen(path) : strlen(directory);
}

/* What was made for a copy that came to nothing, as far as it is empty. */
static void remove_made(struct dest *d) {
  char *path = d->directory;
  while (strlen(path) > d->existing_bytes && rmdir(path) == 0) {
    char *slash = strrchr(path, '/');
    *(slash ? slash : path) = '\0';
  }
}

static enum hoist_status open_directory(struct dest *d, struct hoist_error *err) {
  d->existing_bytes = existing_bytes(d->directory);
  enum hoist_status status = fs_make_dirs(AT_FDCWD, d->directory, err);
  if (status != HOIST_OK) return status;
  d->dir_fd = open(d->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return d->dir_fd >= 0 ? HOIST_OK : dest_fail(d, errno, "opening the directory", err);
}

static enum hoist_status open_state(struct dest *d, struct hoist_error *err) {
  fd_cleanup(&d->state_fd);
  fd_cleanup(&d->lock_fd);
  if (mkdirat(d->dir_fd, DEST_STATE, 0777) != 0 && errno != EEXIST)
    return dest_fail(d, errno, "making " DEST_STATE " in it", err);
  d->state_fd = tree_open(d->dir_fd, DEST_STATE, O_RDONLY | O_DIRECTORY);
  if (d->state_fd < 0) return dest_fail(d, errno, "opening " DEST_STATE, err);
  d->lock_fd = openat(d->state_fd, DEST_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  return d->lock_fd >= 0 || errno == ENOENT
             ? HOIST_OK
             : dest_fail(d, errno, "making " DEST_STATE "/" DEST_LOCK, err);
}

/* Whoever ends a copy removes the directory that the lock is in: one that was waited for may be gone. */
static bool is_current(const struct dest *d) {
  struct stat held, found;
  return fstat(d->lock_fd, &held) == 0 &&
         fstatat(d->dir_fd, DEST_STATE "/" DEST_LOCK, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == found.st_ino && held.st_dev == found.st_dev;
}

static enum hoist_status wait_a_moment(const struct call *call, const struct dest *d,
                                       struct holder_watch *watch, uint64_t patience_ns,
                                       struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  if (d->lock_fd >= 0) status = holder_look(watch, call, d->lock_fd, patience_ns, err);
  return status == HOIST_OK ? call_sleep(call, LOCK_LOOK_NS, watch->doing, err) : status;
}

static enum hoist_status take_lock(const struct call *call, struct dest *d, uint64_t patience_ns,
                                   struct hoist_error *err) {
  char what[MAX_SHOWN_DIRECTORY + 32];
  snprintf(what, sizeof what, "a copy into %.*s", MAX_SHOWN_DIRECTORY, d->directory);
  struct holder_watch watch = {.what = what,
                               .doing = "waiting for another copy into the directory"};
  for (;;) {
    enum hoist_status status = open_state(d, err);
    if (status != HOIST_OK) return status;
    if (d->lock_fd >= 0 && flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0) {
      if (is_current(d)) return HOIST_OK;
    } else if (d->lock_fd >= 0 && errno != EWOULDBLOCK && errno != EINTR) {
      return dest_fail(d, errno, "locking " DEST_STATE "/" DEST_LOCK, err);
    } else {
      status = wait_a_moment(call, d, &watch, patience_ns, err);
      if (status != HOIST_OK) return status;
    }
  }
}

/* Whether "A" and "a" are one name here. What cannot be found out is taken for no. */
static bool folds_case(const struct dest *d) {
  struct stat lower, upper;
  return fstatat(d->state_fd, DEST_LOCK, &lower, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstatat(d->state_fd, DEST_LOCK_IN_CAPITALS, &upper, AT_SYMLINK_NOFOLLOW) == 0 &&
         lower.st_ino == upper.st_ino;
}

enum hoist_status dest_open(const struct call *call, const char *directory, uint64_t patience_ns,
                            struct dest **ret_dest, struct hoist_error *err) {
  HOIST_AUTO(dest) struct dest *d = calloc(1, sizeof *d);
  if (!d) return hoist_fail_memory(err, "a copy");
  *d = (struct dest){.dir_fd = -1, .state_fd = -1, .lock_fd = -1, .directory = text_dup(directory)};
  if (!d->directory) return hoist_fail_memory(err, "a copy");
  enum hoist_status status = open_directory(d, err);
  if (status == HOIST_OK) status = take_lock(call, d, patience_ns, err);
  if (status != HOIST_OK) return status;
  struct stat st;
  d->is_locked = true;
  holder_begin(&d->note, d->lock_fd);
  d->folds_case = folds_case(d);
  d->is_adopted = fstatat(d->state_fd, DEST_JOURNAL, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!d->is_adopted) status = fs_remove_tree(d->state_fd, DEST_NEW, err);
  if (status != HOIST_OK) return status;
  *ret_dest = HOIST_TAKE(d);
  return HOIST_OK;
}

void dest_tell(struct dest *d, const struct hoist_progress *event) {
  holder_tell(&d->note, d->lock_fd, event);
}

void dest_close(struct dest *d, bool keep) {
  if (!d) return;
  /* What cannot be removed now is removed or gone on with by the next copy. */
  if (d->is_locked && !keep && fs_remove_tree(d->dir_fd, DEST_STATE, NULL) != HOIST_OK) keep = true;
  if (d->is_locked) holder_end(d->lock_fd);
  fd_cleanup(&d->lock_fd);
  fd_cleanup(&d->state_fd);
  fd_cleanup(&d->dir_fd);
  if (!keep) remove_made(d);
  free(d->directory);
  free(d);
}

/* ---- names ------------------------------------------------------------------------------------- */

enum hoist_status dest_check_name(const char *name, struct hoist_error *err) {
  static const struct path_rule rule = {.max_bytes = MAX_NAME_BYTES,
                                        .max_segments = MAX_NAME_SEGMENTS};
  const char *problem = path_problem(name, &rule);
  if (!problem) return HOIST_OK;
  char shown[PATH_SHOWN_SIZE];
  return hoist_fail(err, HOIST_CORRUPT,
                    "file name \"%s\" %s: leave it out with --exclude, or rename it at the source",
                    path_shown(name, shown), problem);
}

/* ASCII only: what else a file system folds is its own business, and is noticed by nobody but it. */
static int compare_folded(const void *a, const void *b) {
  return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static enum hoist_status check_case(const struct dest *d, const char **names, size_t count,
                                    struct hoist_error *err) {
  char one[PATH_SHOWN_SIZE], two[PATH_SHOWN_SIZE];
  qsort(names, count, sizeof *names, compare_folded);
  for (size_t i = 1; i < count; i++)
    if (strcasecmp(names[i - 1], names[i]) == 0)
      return hoist_fail(
          err, HOIST_CORRUPT,
          "\"%s\" and \"%s\" are one name to the file system of %s: leave one out with "
          "--exclude",
          path_shown(names[i - 1], one), path_shown(names[i], two), d->directory);
  return HOIST_OK;
}

enum hoist_status dest_check_names(const struct dest *d, const char **names, size_t count,
                                   struct hoist_error *err) {
  enum hoist_status status = plan_check_names(names, count, err);
  if (status != HOIST_OK || !d->folds_case || count == 0) return status;
  return check_case(d, names, count, err);
}

/* ---- what is there ----------------------------------------------------------------------------- */

bool dest_has(const struct dest *d, const char *name, int64_t size, uint64_t modified_unix_ns) {
  const char *leaf;
  struct stat st;
  if (modified_unix_ns == 0 || size == FILE_SIZE_UNKNOWN) return false;
  HOIST_AUTO(fd) int parent = tree_open_parent(d->dir_fd, name, TREE_FIND_PARENTS, &leaf);
  if (parent < 0 || fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return S_ISREG(st.st_mode) && st.st_size == size &&
         (uint64_t)st.st_mtim.tv_sec == modified_unix_ns / NS_PER_S &&
         (uint64_t)st.st_mtim.tv_nsec == modified_unix_ns % NS_PER_S;
}

static enum hoist_status add_blocks(void *user, struct tree_item *item, struct hoist_error *err) {
  uint64_t *bytes = user;
  (void)err;
  if (item->event == TREE_FILE) *bytes += (uint64_t)item->st.st_blocks * 512;
  return HOIST_OK;
}

enum hoist_status dest_check_space(const struct dest *d, uint64_t bytes, struct hoist_error *err) {
  uint64_t staged = 0, available = fs_free_bytes(d->directory);
  if (d->is_adopted && tree_walk(d->state_fd, add_blocks, &staged, NULL) != HOIST_OK) staged = 0;
  bytes -= staged < bytes ? staged : bytes;
  if (bytes <= available) return HOIST_OK;
  char needed[TEXT_BYTES_SIZE], there[TEXT_BYTES_SIZE];
  return hoist_fail(err, HOIST_NO_SPACE,
                    "%s are to be copied and %s has %s free: make room, or leave files out with "
                    "--exclude",
                    text_bytes(needed, bytes), d->directory, text_bytes(there, available));
}
