/* SPDX-License-Identifier: Apache-2.0 */
/* A directory tree as a source: {root}/{model id}/ holds a model's files. Regular files only; of
 * symbolic links, only those to regular files below the root are followed, so that nothing but what
 * its owner put there can come out of it. A file is known by its ETag (inode, size, modification
 * time), so that one replaced or rewritten between describe and the end of fetch is noticed.
 * Immutable after construction; any thread. */
#include "dir_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"
#include "path_rule.h"
#include "text.h"

#define READ_BYTES (64u << 10)
#define MAX_DEPTH 8       /* plan_check_name allows no deeper names */
#define MAX_ENTRIES 65536 /* looked at in one model, whatever they are */

/* One describe under way. */
struct listing {
  const struct call *call;
  const char *root;  /* resolved */
  const char *model; /* the model's directory, resolved: no symbolic link in it */
  struct manifest *m;
  size_t entries;
};

/* ---- describe -------------------------------------------------------------------------------- */

/* Takes `locator`. */
static enum hoist_status add_file(struct listing *l, const char *name, char *locator,
                                  const struct stat *st, struct hoist_error *err) {
  HOIST_AUTO(mem) char *path = locator;
  char etag[DIR_ETAG_SIZE];
  dir_etag(st, etag);
  HOIST_AUTO(mem) char *etag_copy = strdup(etag);
  if (!path || !etag_copy) return hoist_fail_memory(err, "a listing");
  struct manifest_file *file = NULL;
  enum hoist_status status = manifest_add(l->m, name, &file, err);
  if (status != HOIST_OK) return status;
  file->size = st->st_size;
  file->locator = HOIST_TAKE(path);
  file->etag = HOIST_TAKE(etag_copy);
  return HOIST_OK;
}

static enum hoist_status add_link(struct listing *l, const char *name, struct hoist_error *err) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", l->model, name);
  if (!path) return hoist_fail_memory(err, "a listing");
  HOIST_AUTO(mem) char *target = realpath(path, NULL);
  struct stat st;
  if (!target || stat(target, &st) != 0) {
    if (dir_is_missing(errno))
      return hoist_fail(err, HOIST_CORRUPT, "%s: a symbolic link to nothing: remove it", path);
    return hoist_fail_errno(err, errno, "%s: a symbolic link", path);
  }
  if (!dir_is_inside(l->root, target))
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: a symbolic link that leaves %s: put the file itself there", path,
                      l->root);
  if (!S_ISREG(st.st_mode))
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: a symbolic link to something that is not a regular file", path);
  return add_file(l, name, HOIST_TAKE(target), &st, err);
}

static enum hoist_status next_entry(struct listing *l, DIR *dir, const char **ret_name,
                                    struct hoist_error *err) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry && errno != 0) return hoist_fail_errno(err, errno, "listing %s", l->model);
    if (++l->entries > MAX_ENTRIES)
      return hoist_fail(err, HOIST_CORRUPT, "%s: more than %d directory entries", l->model,
                        MAX_ENTRIES);
    if (!entry || entry->d_name[0] != '.') {
      *ret_name = entry ? entry->d_name : NULL;
      return call_check(l->call, "listing a directory", err);
    }
  }
}

static bool marks_model(const char *name) {
  return text_ends_with(name, ".onnx") || text_ends_with(name, ".ort") ||
         text_equal(name, "environment.json");
}

/* Models may nest ("coins" and "coins/1"): what lies in another one's directory is not ours. */
static enum hoist_status is_other_model(struct listing *l, DIR *dir, bool *ret_other,
                                        struct hoist_error *err) {
  const char *name = NULL;
  do {
    enum hoist_status status = next_entry(l, dir, &name, err);
    if (status != HOIST_OK) return status;
    *ret_other = name && marks_model(name);
  } while (name && !*ret_other);
  rewinddir(dir);
  return HOIST_OK;
}

static enum hoist_status list_directory(struct listing *l, int parent, const char *path,
                                        const char *name, int depth, struct hoist_error *err);

static enum hoist_status list_entry(struct listing *l, int dir, const char *entry, const char *name,
                                    int depth, struct hoist_error *err) {
  struct stat st;
  if (fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return hoist_fail_errno(err, errno, "%s/%s", l->model, name);
  if (S_ISREG(st.st_mode)) return add_file(l, name, text_format("%s/%s", l->model, name), &st, err);
  if (S_ISLNK(st.st_mode)) return add_link(l, name, err);
  if (S_ISDIR(st.st_mode)) return list_directory(l, dir, entry, name, depth + 1, err);
  return HOIST_OK; /* sockets, pipes and devices are no artifacts */
}

/* `path` is the directory as seen from `parent`, `name` from the model's ("" for the model's own). */
static enum hoist_status list_directory(struct listing *l, int parent, const char *path,
                                        const char *name, int depth, struct hoist_error *err) {
  if (depth >= MAX_DEPTH)
    return hoist_fail(err, HOIST_CORRUPT, "%s/%s: more than %d directories deep", l->model, name,
                      MAX_DEPTH - 1);
  HOIST_AUTO(fd) int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  HOIST_AUTO(dirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir) return hoist_fail_errno(err, errno, "opening directory %s/%s", l->model, name);
  fd = -1; /* the stream owns it */
  bool other = false;
  enum hoist_status status = depth == 0 ? HOIST_OK : is_other_model(l, dir, &other, err);
  if (status != HOIST_OK || other) return status;
  for (;;) {
    const char *entry = NULL;
    status = next_entry(l, dir, &entry, err);
    if (status != HOIST_OK || !entry) return status;
    HOIST_AUTO(mem) char *child = text_format("%s%s%s", name, *name ? "/" : "", entry);
    if (!child) return hoist_fail_memory(err, "a listing");
    status = list_entry(l, dirfd(dir), entry, child, depth, err);
    if (status != HOIST_OK) return status;
  }
}

enum hoist_status dir_resolve_root(const struct source *source, char **ret_root,
                                   struct hoist_error *err) {
  *ret_root = realpath(source->location, NULL);
  if (*ret_root) return HOIST_OK;
  if (dir_is_missing(errno))
    return hoist_fail(err, HOIST_NOT_FOUND,
                      "%s: no such directory: check the path in HOIST_SOURCES", source->location);
  return hoist_fail_errno(err, errno, "%s", source->location);
}

static enum hoist_status no_such_model(const struct source *source, const struct model_id *id,
                                       const char *why, struct hoist_error *err) {
  char shown[PATH_SHOWN_SIZE];
  return hoist_fail(err, HOIST_NOT_FOUND, "%s: no model \"%s\": %s", source->location,
                    path_shown(id->text, shown), why);
}

static enum hoist_status resolve_model(const struct source *source, const struct model_id *id,
                                       const char *root, char **ret_model,
                                       struct hoist_error *err) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", root, id->text);
  if (!path) return hoist_fail_memory(err, "a path");
  HOIST_AUTO(mem) char *model = realpath(path, NULL);
  struct stat st;
  if (!model || stat(model, &st) != 0)
    return dir_is_missing(errno) ? no_such_model(source, id, "there is no such directory", err)
                                 : hoist_fail_errno(err, errno, "%s", path);
  if (!S_ISDIR(st.st_mode)) return no_such_model(source, id, "it is not a directory", err);
  if (!dir_is_inside(root, model))
    return hoist_fail(err, HOIST_CORRUPT, "%s: a symbolic link that leaves %s", path, root);
  *ret_model = HOIST_TAKE(model);
  return HOIST_OK;
}

static enum hoist_status dir_describe(const struct call *call, struct source *source,
                                      const struct model_id *id, struct manifest *ret_manifest,
                                      struct hoist_error *err) {
  HOIST_AUTO(mem) char *root = NULL;
  HOIST_AUTO(mem) char *model = NULL;
  enum hoist_status status = dir_resolve_root(source, &root, err);
  if (status != HOIST_OK) return status;
  status = resolve_model(source, id, root, &model, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(manifest) struct manifest m = {.source = strdup(source->name)};
  if (!m.source) return hoist_fail_memory(err, "a listing");
  struct listing l = {.call = call, .root = root, .model = model, .m = &m};
  status = list_directory(&l, AT_FDCWD, model, "", 0, err);
  if (status != HOIST_OK) return status;
  if (m.file_count == 0) return no_such_model(source, id, "its directory has no files", err);
  *ret_manifest = m;
  m = (struct manifest){0};
  return HOIST_OK;
}

/* ---- fetch ----------------------------------------------------------------------------------- */

static enum hoist_status changed(struct source_request *r, struct hoist_error *err) {
  r->trouble = SOURCE_CHANGED;
  return hoist_fail(err, HOIST_UNAVAILABLE,
                    "%s: changed while it was being read: try again when its writer is done",
                    r->file->locator);
}

static enum hoist_status check_unchanged(int fd, struct source_request *r, const char *validator,
                                         struct hoist_error *err) {
  struct stat st;
  char etag[DIR_ETAG_SIZE];
  if (fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", r->file->locator);
  dir_etag(&st, etag);
  return text_equal(etag, validator) ? HOIST_OK : changed(r, err);
}

static enum hoist_status copy_bytes(const struct call *call, int fd, struct source_request *r,
                                    int64_t from, int64_t end, struct hoist_error *err) {
  char chunk[READ_BYTES];
  for (int64_t at = from; at < end;) {
    enum hoist_status status = call_check(call, r->file->name, err);
    if (status != HOIST_OK) return status;
    size_t wanted = end - at < READ_BYTES ? (size_t)(end - at) : (size_t)READ_BYTES;
    ssize_t n = pread(fd, chunk, wanted, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "reading %s", r->file->locator);
    if (n == 0) return changed(r, err);
    at += n;
    call_note_received(call, (uint64_t)n);
    status = r->sink.write(r->sink.user, chunk, (size_t)n, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status dir_fetch(const struct call *call, struct source *source,
                                   const struct model_id *id, struct source_request *r,
                                   struct hoist_error *err) {
  /* O_NONBLOCK: a pipe put in the file's place must not block the open. */
  HOIST_AUTO(fd)
  int fd = open(r->file->locator, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return hoist_fail_errno(err, errno, "%s", r->file->locator);
  struct stat st;
  char etag[DIR_ETAG_SIZE];
  if (fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", r->file->locator);
  dir_etag(&st, etag);
  if (r->validator && !text_equal(etag, r->validator)) return changed(r, err);
  int64_t from = r->whole ? 0 : r->from;
  int64_t end = r->to == SOURCE_TO_END || r->to > st.st_size ? st.st_size : r->to;
  if (!S_ISREG(st.st_mode) || from > end) return changed(r, err);
  const struct source_response response = {
      .offset = from, .length = end - from, .size = st.st_size, .validator = etag};
  enum hoist_status status = r->sink.begin(r->sink.user, &response, err);
  if (status == HOIST_OK) status = copy_bytes(call, fd, r, from, end, err);
  return status == HOIST_OK ? check_unchanged(fd, r, etag, err) : status;
}

/* ---- construction ---------------------------------------------------------------------------- */

static void dir_free(struct source *source) {
  free(source->location);
  free(source);
}

static const struct source_ops dir_ops = {
    .describe = dir_describe, .fetch = dir_fetch, .list = dir_visit, .free = dir_free};

enum hoist_status source_dir_new(const char *root, struct source **ret_source,
                                 struct hoist_error *err) {
  if (!root || !*root)
    return hoist_fail(err, HOIST_INVALID, "source dir: the path of the directory is empty");
  HOIST_AUTO(mem) struct source *source = calloc(1, sizeof *source);
  HOIST_AUTO(mem) char *location = strdup(root);
  if (!source || !location) return hoist_fail_memory(err, "a source");
  *source = (struct source){.ops = &dir_ops, .name = "dir", .location = HOIST_TAKE(location)};
  *ret_source = HOIST_TAKE(source);
  return HOIST_OK;
}
