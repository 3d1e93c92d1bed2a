/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a staged model in its place. Usually one rename: of the new directory, or of new and old
 * against each other. Only where the place also holds other models ("a", with "a/1" inside) the
 * files are moved one by one, the manifest last, so that a reader still sees all or nothing. Works
 * under the model's exclusive lock and the tree lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "text.h"

static int take_fd(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}

static enum hoist_status fail_publish(const struct cache_txn *txn, int sys_errno,
                                      struct hoist_error *err) {
  char doing[160];
  snprintf(doing, sizeof doing, "publishing %.128s", txn->lock->id.text);
  return cache_fail_write(txn->cache, sys_errno, doing, err);
}

/* ---- by renaming the directory ----------------------------------------------------------- */

#ifndef RENAME_EXCHANGE
static int exchange(int a_dir, const char *a, int b_dir, const char *b) {
  errno = ENOSYS;
  return -1;
}
#else
static int exchange(int a_dir, const char *a, int b_dir, const char *b) {
  return renameat2(a_dir, a, b_dir, b, RENAME_EXCHANGE);
}
#endif

/* For file systems that cannot exchange: a crash in between leaves no model, and the old one in
 * staging. */
static int replace_in_two_steps(int root_fd, const char *staged, int parent, const char *leaf) {
  char aside[CACHE_STATE_PATH_SIZE + sizeof ".old"];
  snprintf(aside, sizeof aside, "%s.old", staged);
  if (renameat(parent, leaf, root_fd, aside) != 0) return -1;
  if (renameat(root_fd, staged, parent, leaf) == 0)
    return renameat(root_fd, aside, root_fd, staged);
  int rename_errno = errno;
  if (renameat(root_fd, aside, parent, leaf) == 0) errno = rename_errno;
  return -1;
}

/* Afterwards the transaction's path is the old model, for cache_discard to remove. */
static int replace(const struct cache_txn *txn, int parent, const char *leaf) {
  int root_fd = txn->cache->root_fd;
  if (exchange(root_fd, txn->path, parent, leaf) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return -1;
  return replace_in_two_steps(root_fd, txn->path, parent, leaf);
}

/* ---- file by file ------------------------------------------------------------------------ */

/* What would stop the moving of a file half-way is found before anything is touched. */
static enum hoist_status check_place(int target, const char *name, struct hoist_error *err) {
  char part[MANIFEST_FILE_NAME_MAX + 1];
  for (size_t i = 1; i <= strlen(name); i++) {
    if (name[i] != '/' && name[i] != '\0') continue;
    struct stat st;
    snprintf(part, sizeof part, "%.*s", (int)i, name);
    if (fstatat(target, part, &st, AT_SYMLINK_NOFOLLOW) != 0)
      return errno == ENOENT ? HOIST_OK : hoist_fail_errno(err, errno, "looking at %s", part);
    bool is_last = name[i] == '\0';
    if (S_ISDIR(st.st_mode) == is_last)
      return hoist_fail(err, HOIST_INVALID, "a %s of the name %s is in the way: move it away",
                        is_last ? "directory" : "file", part);
    if (!is_last && cache_record_exists(target, part))
      return hoist_fail(err, HOIST_INVALID, "%s is the directory of another model", part);
  }
  return HOIST_OK;
}

/* Returns errno. */
static int move_file(int from_dir, int to_dir, const char *name) {
  const char *leaf;
  HOIST_AUTO(fd) int parent = tree_open_parent(to_dir, name, TREE_MAKE_PARENTS, &leaf);
  if (parent < 0 || renameat(from_dir, name, parent, leaf) != 0) return errno;
  bool is_nested = leaf != name;
  return is_nested && fsync(parent) != 0 ? errno : 0;
}

/* Returns errno. */
static int move_files(const struct cache_txn *txn, int target, const struct manifest *old,
                      const struct manifest *m) {
  int failed = cache_retire(target);
  uint64_t freed = 0;
  if (failed == 0) failed = cache_remove_files(target, old, m, &freed);
  if (failed == 0) cache_remove_dirs(target, old);
  for (size_t i = 0; failed == 0 && i < m->file_count; i++)
    failed = move_file(txn->dir_fd, target, m->files[i].name);
  if (failed == 0 && fsync(target) != 0) failed = errno;
  if (failed == 0) failed = move_file(txn->dir_fd, target, CACHE_MANIFEST);
  if (failed != 0) return failed;
  if (unlinkat(target, CACHE_RETIRED, 0) != 0 && errno != ENOENT) return errno;
  return fsync(target) != 0 ? errno : 0;
}

static enum hoist_status publish_in_place(const struct cache_txn *txn, int target,
                                          const struct manifest *old, const struct manifest *m,
                                          struct hoist_error *err) {
  for (size_t i = 0; i < m->file_count; i++) {
    enum hoist_status status = check_place(target, m->files[i].name, err);
    if (status != HOIST_OK) {
      hoist_error_prepend(err, "publishing %.128s in %s", txn->lock->id.text, txn->cache->root);
      return status;
    }
  }
  int failed = move_files(txn, target, old, m);
  return failed == 0 ? HOIST_OK : fail_publish(txn, failed, err);
}

/* ---- choosing ---------------------------------------------------------------------------- */

struct inside {
  const struct manifest *own;
  bool has_others;
};

static enum hoist_status look_for_others(void *user, struct tree_item *item,
                                         struct hoist_error *err) {
  struct inside *inside = user;
  if (item->event != TREE_ENTER) return HOIST_OK;
  if (!cache_record_has_dir(inside->own, item->path) ||
      cache_record_exists(item->dir_fd, item->name))
    inside->has_others = true;
  item->skip = inside->has_others;
  return HOIST_OK;
}

/* Returns the published directory in `ret_dir_fd`, for which the staging's descriptor is good where
 * the directory itself was renamed. */
static enum hoist_status publish_over(struct cache_txn *txn, int parent, const char *leaf,
                                      int *target, const struct manifest *m, int *ret_dir_fd,
                                      struct hoist_error *err) {
  HOIST_AUTO(cache_record) struct cache_record old = {0};
  bool known;
  enum hoist_status status = cache_record_read_any(*target, &old, &known, err);
  if (status != HOIST_OK) return status;
  struct inside inside = {.own = &old.manifest};
  status = tree_walk(*target, look_for_others, &inside, err);
  if (status != HOIST_OK) return status;
  if (!inside.has_others) {
    if (replace(txn, parent, leaf) != 0) return fail_publish(txn, errno, err);
    *ret_dir_fd = take_fd(&txn->dir_fd);
    return HOIST_OK;
  }
  status = publish_in_place(txn, *target, &old.manifest, m, err);
  if (status != HOIST_OK) return status;
  *ret_dir_fd = take_fd(target);
  return HOIST_OK;
}

/* A model must not live where another one has files: either would be damaged by the other's change.
 */
static enum hoist_status check_ancestors(const struct cache_txn *txn, struct hoist_error *err) {
  const char *path = txn->lock->id.path;
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    char above[MODEL_ID_MAX + 1];
    snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
    HOIST_AUTO(fd) int dir = tree_open(txn->cache->root_fd, above, O_RDONLY | O_DIRECTORY);
    if (dir < 0) return HOIST_OK; /* making the parents tells what is wrong with it, if anything */
    HOIST_AUTO(cache_record) struct cache_record r = {0};
    bool known;
    enum hoist_status status = cache_record_read_any(dir, &r, &known, err);
    if (status != HOIST_OK) return status;
    if (cache_record_has_dir(&r.manifest, slash + 1) || manifest_find(&r.manifest, slash + 1))
      return hoist_fail(
          err, HOIST_INVALID,
          "publishing %.128s: the model %.128s has files at %s: remove one of the two",
          txn->lock->id.text, r.model_id, path);
  }
  return HOIST_OK;
}

static enum hoist_status publish(struct cache_txn *txn, const struct manifest *m, int *ret_dir_fd,
                                 struct hoist_error *err) {
  enum hoist_status status = check_ancestors(txn, err);
  if (status != HOIST_OK) return status;
  const char *path = txn->lock->id.path, *leaf;
  int root_fd = txn->cache->root_fd;
  HOIST_AUTO(fd) int parent = tree_open_parent(root_fd, path, TREE_MAKE_PARENTS, &leaf);
  HOIST_AUTO(fd) int target = parent < 0 ? -1 : tree_open(parent, leaf, O_RDONLY | O_DIRECTORY);
  bool is_new = parent >= 0 && target < 0 && errno == ENOENT;
  if (target < 0 && !is_new && (errno == ENOTDIR || errno == ELOOP))
    return hoist_fail(err, HOIST_INVALID,
                      "publishing %.128s: a part of %s/%s is not a directory: move it away",
                      txn->lock->id.text, txn->cache->root, path);
  if (target < 0 && !is_new) return fail_publish(txn, errno, err);
  if (!is_new) {
    status = publish_over(txn, parent, leaf, &target, m, ret_dir_fd, err);
    if (status != HOIST_OK) return status;
  } else {
    if (renameat(root_fd, txn->path, parent, leaf) != 0) return fail_publish(txn, errno, err);
    *ret_dir_fd = take_fd(&txn->dir_fd);
  }
  return fs_sync_fd(parent, "the published model", err);
}

/* At the last moment: what is killed before is gone on with, what is killed after is published. */
static enum hoist_status drop_journal(const struct cache_txn *txn, struct hoist_error *err) {
  if (unlinkat(txn->dir_fd, CACHE_JOURNAL, 0) == 0 || errno == ENOENT) return HOIST_OK;
  return cache_fail_write(txn->cache, errno, "removing a journal", err);
}

enum hoist_status cache_publish(const struct call *call, struct cache_txn *txn,
                                const struct manifest *m, int *ret_dir_fd,
                                struct hoist_error *err) {
  int tree_lock;
  enum hoist_status status = cache_lock_tree(call, txn->cache, &tree_lock, err);
  if (status != HOIST_OK) return status;
  status = drop_journal(txn, err);
  if (status == HOIST_OK) status = publish(txn, m, ret_dir_fd, err);
  if (status != HOIST_OK) tree_prune(txn->cache->root_fd, txn->lock->id.path);
  cache_unlock_fd(tree_lock);
  return status;
}
