/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, walking and pruning directory trees without following a symbolic link. Owns nothing
 * between calls; a walk holds one descriptor for each level it is in. Any thread. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A new directory is only as durable as its name in the directory above. */
static int make_durable_dir(int dir_fd, const char *name) {
  if (mkdirat(dir_fd, name, 0777) == 0) return fsync(dir_fd);
  int mkdir_errno = errno;
  struct stat st; /* a read-only file system says EROFS even for a directory that is there */
  if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) return 0;
  errno = mkdir_errno;
  return -1;
}

static int open_segment(int dir_fd, const char *path, size_t size, enum tree_parents parents) {
  char name[NAME_MAX + 1];
  if (size >= sizeof name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, path, size);
  name[size] = '\0';
  if (parents == TREE_MAKE_PARENTS && make_durable_dir(dir_fd, name) != 0) return -1;
  return openat(dir_fd, name, DIRECTORY_FLAGS);
}

int tree_open_parent(int dir_fd, const char *path, enum tree_parents parents,
                     const char **ret_leaf) {
  int at = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
  for (const char *slash; at >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
    int next = open_segment(at, path, (size_t)(slash - path), parents);
    int open_errno = errno;
    close(at);
    errno = open_errno;
    at = next;
  }
  if (at >= 0) *ret_leaf = path;
  return at;
}

int tree_open(int dir_fd, const char *path, int flags) {
  const char *leaf;
  HOIST_AUTO(fd) int parent = tree_open_parent(dir_fd, path, TREE_FIND_PARENTS, &leaf);
  if (parent < 0) return -1;
  return openat(parent, leaf, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

void tree_prune(int dir_fd, const char *path) {
  char part[TREE_PATH_SIZE];
  size_t size = strlen(path);
  if (size >= sizeof part) return;
  memcpy(part, path, size + 1);
  while (unlinkat(dir_fd, part, AT_REMOVEDIR) == 0 || errno == ENOENT) {
    char *slash = strrchr(part, '/');
    if (!slash) return;
    *slash = '\0';
  }
}

/* ---- walking ----------------------------------------------------------------------------- */

struct walk {
  enum hoist_status (*visit)(void *user, struct tree_item *item, struct hoist_error *err);
  void *user;
  struct hoist_error *err;
  char path[TREE_PATH_SIZE];
  size_t path_size;
};

static void dir_cleanup(DIR **dir) {
  if (*dir) closedir(*dir);
}

static bool push(struct walk *w, const char *name) {
  int n = snprintf(w->path + w->path_size, sizeof w->path - w->path_size, "%s%s",
                   w->path_size > 0 ? "/" : "", name);
  if (n < 0 || (size_t)n >= sizeof w->path - w->path_size) return false;
  w->path_size += (size_t)n;
  return true;
}

static void pop(struct walk *w, size_t path_size) {
  w->path_size = path_size;
  w->path[path_size] = '\0';
}

static enum hoist_status walk_dir(struct walk *w, int dir_fd, const char *name, int depth);

static enum hoist_status walk_item(struct walk *w, int dir_fd, const char *name, int depth) {
  struct tree_item item = {.path = w->path, .name = name, .dir_fd = dir_fd};
  if (fstatat(dir_fd, name, &item.st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? HOIST_OK : hoist_fail_errno(w->err, errno, "looking at %s", w->path);
  item.event = S_ISDIR(item.st.st_mode) ? TREE_ENTER : TREE_FILE;
  enum hoist_status status = w->visit(w->user, &item, w->err);
  if (status != HOIST_OK || item.event == TREE_FILE || item.skip || depth >= TREE_MAX_DEPTH)
    return status;
  return walk_dir(w, dir_fd, name, depth + 1);
}

static enum hoist_status walk_items(struct walk *w, DIR *dir, int depth) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry)
      return errno == 0 ? HOIST_OK : hoist_fail_errno(w->err, errno, "reading /%s", w->path);
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    size_t path_size = w->path_size;
    if (!push(w, entry->d_name)) continue;
    enum hoist_status status = walk_item(w, dirfd(dir), entry->d_name, depth);
    pop(w, path_size);
    if (status != HOIST_OK) return status;
  }
}

static enum hoist_status walk_dir(struct walk *w, int dir_fd, const char *name, int depth) {
  HOIST_AUTO(fd) int fd = openat(dir_fd, name, DIRECTORY_FLAGS);
  if (fd < 0)
    return errno == ENOENT ? HOIST_OK : hoist_fail_errno(w->err, errno, "opening /%s", w->path);
  HOIST_AUTO(dir) DIR *dir = fdopendir(fd);
  if (!dir) return hoist_fail_errno(w->err, errno, "opening /%s", w->path);
  fd = -1; /* the stream's now */
  enum hoist_status status = walk_items(w, dir, depth);
  if (status != HOIST_OK) return status;
  struct tree_item item = {
      .event = TREE_LEAVE, .path = w->path, .name = name, .dir_fd = dirfd(dir)};
  return w->visit(w->user, &item, w->err);
}

enum hoist_status tree_walk(int dir_fd,
                            enum hoist_status (*visit)(void *user, struct tree_item *item,
                                                       struct hoist_error *err),
                            void *user, struct hoist_error *err) {
  struct walk w = {.visit = visit, .user = user, .err = err};
  return walk_dir(&w, dir_fd, ".", 0);
}
