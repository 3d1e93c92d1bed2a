/* SPDX-License-Identifier: Apache-2.0 */
/* The destination as fetch sees it: files are opened in our own directory, and moved to their place when they are
 * complete. Called from the fetch's workers, one per file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "dest_internal.h"
#include "fs.h"
#include "tree.h"

/* A file that was written at the source this short before its copy was made may be written again without its
 * time showing it; such a copy does not pass for unchanged. */
#define RACY_NS (2 * NS_PER_S)

/* Blocks beyond the end of the file: it grows as it is written. Whatever cannot reserve finds out later. */
static enum hoist_status reserve(const struct manifest_file *file, int fd,
                                 struct hoist_error *err) {
  if (file->size <= 0) return HOIST_OK;
  while (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)file->size) != 0) {
    if (errno == EINTR) continue;
    if (errno != ENOSPC && errno != EDQUOT && errno != EFBIG) return HOIST_OK;
    return hoist_fail_errno(err, errno, "reserving room for %s", file->name);
  }
  return HOIST_OK;
}

static int open_new(const struct dest *d, const char *name, enum tree_parents parents,
                    const char **ret_leaf) {
  char path[TREE_PATH_SIZE];
  int size = snprintf(path, sizeof path, DEST_NEW "/%s", name);
  if (size < 0 || (size_t)size >= sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  const char *leaf;
  int parent = tree_open_parent(d->state_fd, path, parents, &leaf);
  if (parent >= 0) *ret_leaf = name + (leaf - path) - sizeof DEST_NEW;
  return parent;
}

static enum hoist_status create(void *user, const struct manifest_file *file, int *ret_fd,
                                struct hoist_error *err) {
  struct dest *d = user;
  const char *leaf;
  HOIST_AUTO(fd) int parent = open_new(d, file->name, TREE_MAKE_PARENTS, &leaf);
  HOIST_AUTO(fd)
  int fd = parent < 0 ? -1 : openat(parent, leaf, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return dest_fail(d, errno, file->name, err);
  enum hoist_status status = reserve(file, fd, err);
  if (status != HOIST_OK) return status;
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

static enum hoist_status set_time(const struct manifest_file *file, uint64_t modified_unix_ns,
                                  int fd, struct hoist_error *err) {
  if (modified_unix_ns == 0 || modified_unix_ns + RACY_NS > clock_realtime_ns()) return HOIST_OK;
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                    {.tv_sec = (time_t)(modified_unix_ns / NS_PER_S),
                                     .tv_nsec = (long)(modified_unix_ns % NS_PER_S)}};
  if (futimens(fd, times) != 0)
    return hoist_fail_errno(err, errno, "setting the time of %s", file->name);
  return HOIST_OK;
}

/* Each fails on a link, or a file, in a directory's place. */
static enum hoist_status publish(const struct dest *d, const char *name, struct hoist_error *err) {
  const char *from_leaf, *to_leaf;
  HOIST_AUTO(fd) int from = open_new(d, name, TREE_FIND_PARENTS, &from_leaf);
  HOIST_AUTO(fd)
  int to = from < 0 ? -1 : tree_open_parent(d->dir_fd, name, TREE_MAKE_PARENTS, &to_leaf);
  if (to < 0 && (errno == ENOTDIR || errno == ELOOP))
    return hoist_fail(err, HOIST_INVALID,
                      "%s/%s: something that is no directory, or a symbolic link, is where one "
                      "has to be: move it away",
                      d->directory, name);
  if (to < 0 || renameat(from, from_leaf, to, to_leaf) != 0) {
    if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST)
      return hoist_fail(err, HOIST_INVALID,
                        "%s/%s: a directory is where the file has to be: move it away",
                        d->directory, name);
    return dest_fail(d, errno, name, err);
  }
  return fs_sync_fd(to, d->directory, err);
}

static enum hoist_status complete(void *user, const struct manifest_file *file, size_t index,
                                  int fd, struct hoist_error *err) {
  struct dest *d = user;
  enum hoist_status status = set_time(file, d->files[index].modified_unix_ns, fd, err);
  if (status == HOIST_OK) status = fs_sync_fd(fd, file->name, err);
  return status == HOIST_OK ? publish(d, file->name, err) : status;
}

static enum hoist_status open_journal(void *user, int *ret_fd, struct hoist_error *err) {
  const struct dest *d = user;
  int fd =
      openat(d->state_fd, DEST_JOURNAL, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return dest_fail(d, errno, "opening a journal", err);
  *ret_fd = fd;
  return HOIST_OK;
}

static bool is_adopted(void *user) {
  return ((const struct dest *)user)->is_adopted;
}

static enum hoist_status reset(void *user, struct hoist_error *err) {
  struct dest *d = user;
  d->is_adopted = false;
  enum hoist_status status = fs_remove_tree(d->state_fd, DEST_NEW, err);
  return status == HOIST_OK ? fs_remove_tree(d->state_fd, DEST_JOURNAL, err) : status;
}

static bool is_there(void *user, size_t index) {
  return ((const struct dest *)user)->files[index].is_there;
}

struct fetch_target dest_target(struct dest *dest, const struct dest_file *files) {
  dest->files = files;
  return (struct fetch_target){.user = dest,
                               .create = create,
                               .complete = complete,
                               .open_journal = open_journal,
                               .is_adopted = is_adopted,
                               .reset = reset,
                               .is_there = is_there};
}
