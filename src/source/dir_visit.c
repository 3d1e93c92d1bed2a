/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over a whole directory tree, each directory in the order of its names. Holds one descriptor and the
 * names of one directory for each level it is in. Symbolic links are followed as for a model: to regular files
 * below the root. One walk per call; any thread. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "dir_internal.h"
#include "fs.h"
#include "text.h"

#define MAX_LEVELS 64
#define MAX_NAMES 1000000u /* of one directory */

struct walk {
  const struct call *call;
  const char *root; /* resolved */
  const struct source_visit *visit;
};

struct names {
  char **items;
  size_t count, capacity;
};

static inline void names_cleanup(struct names *n) {
  while (n->count > 0)
    free(n->items[--n->count]);
  free(n->items);
}

bool dir_is_inside(const char *root, const char *path) {
  size_t size = strlen(root);
  if (strcmp(root, "/") == 0) return true;
  return strncmp(path, root, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

bool dir_is_missing(int sys_errno) {
  return sys_errno == ENOENT || sys_errno == ENOTDIR || sys_errno == ENAMETOOLONG;
}

void dir_etag(const struct stat *st, char out[DIR_ETAG_SIZE]) {
  snprintf(out, DIR_ETAG_SIZE, "\"%jx-%jx-%jx.%09lx\"", (uintmax_t)st->st_ino,
           (uintmax_t)st->st_size, (uintmax_t)st->st_mtim.tv_sec,
           (unsigned long)st->st_mtim.tv_nsec);
}

/* ---- one file ---------------------------------------------------------------------------------- */

static enum hoist_status tell(const struct walk *w, const char *path, const char *name,
                              const struct stat *st, struct hoist_error *err) {
  char etag[DIR_ETAG_SIZE];
  dir_etag(st, etag);
  bool has_time = st->st_mtim.tv_sec > 0;
  const struct source_object object = {
      .name = name,
      .locator = path,
      .etag = etag,
      .size = st->st_size,
      .modified_unix_ns =
          has_time ? (uint64_t)st->st_mtim.tv_sec * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec : 0};
  return w->visit->object(w->visit->user, &object, err);
}

/* What is no use as an artifact is passed over where only models are looked for. */
static enum hoist_status refuse(const struct walk *w, const char *path, const char *problem,
                                struct hoist_error *err) {
  if (!w->visit->everything) return HOIST_OK;
  return hoist_fail(err, HOIST_CORRUPT, "%s: %s", path, problem);
}

static enum hoist_status tell_link(const struct walk *w, const char *path, const char *name,
                                   struct hoist_error *err) {
  HOIST_AUTO(mem) char *target = realpath(path, NULL);
  struct stat st;
  if (!target || stat(target, &st) != 0)
    return dir_is_missing(errno) || errno == ELOOP
               ? refuse(w, path, "a symbolic link to nothing: remove it", err)
               : hoist_fail_errno(err, errno, "%s: a symbolic link", path);
  if (!dir_is_inside(w->root, target))
    return refuse(w, path, "a symbolic link that leaves the source: put the file itself there",
                  err);
  if (!S_ISREG(st.st_mode))
    return refuse(w, path, "a symbolic link to something that is not a regular file", err);
  return tell(w, target, name, &st, err);
}

/* ---- one directory ----------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum hoist_status add_name(struct names *n, const char *name, const char *path,
                                  struct hoist_error *err) {
  if (n->count == MAX_NAMES)
    return hoist_fail(err, HOIST_CORRUPT, "%s: more than %u entries", path, MAX_NAMES);
  if (n->count == n->capacity) {
    size_t capacity = n->capacity ? 2 * n->capacity : 64;
    char **items = realloc(n->items, capacity * sizeof *items);
    if (!items) return hoist_fail_memory(err, "a listing");
    n->items = items;
    n->capacity = capacity;
  }
  n->items[n->count] = strdup(name);
  if (!n->items[n->count]) return hoist_fail_memory(err, "a listing");
  n->count++;
  return HOIST_OK;
}

static bool is_wanted(const struct walk *w, const char *name) {
  if (name[0] != '.') return true;
  return w->visit->everything && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum hoist_status read_names(const struct walk *w, DIR *dir, const char *path,
                                    struct names *ret_names, struct hoist_error *err) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry && errno != 0) return hoist_fail_errno(err, errno, "listing %s", path);
    if (!entry) break;
    enum hoist_status status =
        is_wanted(w, entry->d_name) ? add_name(ret_names, entry->d_name, path, err) : HOIST_OK;
    if (status != HOIST_OK) return status;
  }
  if (ret_names->count > 0)
    qsort(ret_names->items, ret_names->count, sizeof *ret_names->items, compare_texts);
  return HOIST_OK;
}

static enum hoist_status walk_directory(const struct walk *w, int parent, const char *entry,
                                        const char *path, const char *name, int level,
                                        struct hoist_error *err);

static enum hoist_status walk_entry(const struct walk *w, int dir, const char *entry,
                                    const char *path, const char *name, int level,
                                    struct hoist_error *err) {
  struct stat st;
  enum hoist_status status = call_check(w->call, "listing a directory", err);
  if (status != HOIST_OK) return status;
  if (fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? HOIST_OK : hoist_fail_errno(err, errno, "%s", path);
  if (S_ISREG(st.st_mode)) return tell(w, path, name, &st, err);
  if (S_ISLNK(st.st_mode)) return tell_link(w, path, name, err);
  if (S_ISDIR(st.st_mode)) return walk_directory(w, dir, entry, path, name, level + 1, err);
  return HOIST_OK; /* sockets, pipes and devices are no files to be had */
}

static enum hoist_status open_directory(int parent, const char *entry, const char *path,
                                        DIR **ret_dir, struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = openat(parent, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir) return hoist_fail_errno(err, errno, "opening directory %s", path);
  fd = -1; /* the stream owns it */
  *ret_dir = dir;
  return HOIST_OK;
}

/* `name` is the path as the visitor is to see it; "" for where the walk begins. */
static enum hoist_status walk_directory(const struct walk *w, int parent, const char *entry,
                                        const char *path, const char *name, int level,
                                        struct hoist_error *err) {
  HOIST_AUTO(dirp) DIR *dir = NULL;
  HOIST_AUTO(names) struct names names = {0};
  if (level == MAX_LEVELS)
    return refuse(w, path, "directories nest too deep: more than 64 levels", err);
  enum hoist_status status = open_directory(parent, entry, path, &dir, err);
  if (status == HOIST_OK) status = read_names(w, dir, path, &names, err);
  for (size_t i = 0; i < names.count && status == HOIST_OK; i++) {
    HOIST_AUTO(mem) char *child = text_format("%s/%s", path, names.items[i]);
    HOIST_AUTO(mem) char *shown = text_format("%s%s%s", name, *name ? "/" : "", names.items[i]);
    if (!child || !shown) return hoist_fail_memory(err, "a listing");
    status = walk_entry(w, dirfd(dir), names.items[i], child, shown, level, err);
  }
  return status;
}

/* ---- the call ---------------------------------------------------------------------------------- */

static enum hoist_status not_there(const char *path, struct hoist_error *err) {
  if (dir_is_missing(errno))
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: there is no such file or directory", path);
  return hoist_fail_errno(err, errno, "%s", path);
}

static enum hoist_status visit_one(const struct walk *w, const char *path,
                                   struct hoist_error *err) {
  struct stat st;
  const char *slash = strrchr(path, '/');
  if (lstat(path, &st) != 0) return not_there(path, err);
  if (S_ISLNK(st.st_mode)) return tell_link(w, path, slash + 1, err);
  if (S_ISREG(st.st_mode)) return tell(w, path, slash + 1, &st, err);
  return hoist_fail(err, HOIST_NOT_FOUND, "%s: not a regular file", path);
}

enum hoist_status dir_visit(const struct call *call, struct source *source,
                            const struct source_visit *visit, struct hoist_error *err) {
  HOIST_AUTO(mem) char *root = NULL;
  enum hoist_status status = dir_resolve_root(source, &root, err);
  if (status != HOIST_OK) return status;
  const struct walk w = {.call = call, .root = root, .visit = visit};
  HOIST_AUTO(mem)
  char *path = text_format("%s%s%s", root, *visit->below ? "/" : "", visit->below);
  if (!path) return hoist_fail_memory(err, "a listing");
  if (*visit->below && !text_ends_with(path, "/")) return visit_one(&w, path, err);
  if (*visit->below) path[strlen(path) - 1] = '\0';
  HOIST_AUTO(mem) char *resolved = realpath(path, NULL);
  if (!resolved) return not_there(path, err);
  if (!dir_is_inside(root, resolved))
    return hoist_fail(err, HOIST_CORRUPT, "%s: a symbolic link that leaves %s", path, root);
  return walk_directory(&w, AT_FDCWD, resolved, resolved, "", 0, err);
}
