/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a model: first it becomes invisible, durably, by its manifest being renamed; then its
 * own files go, and the directories that are empty then. What a crash leaves is found by the
 * retired manifest, by the next removal or publication. Works under the model's exclusive lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"

int cache_retire(int dir_fd) {
  if (renameat(dir_fd, CACHE_MANIFEST, dir_fd, CACHE_RETIRED) != 0)
    return errno == ENOENT ? 0 : errno;
  return fsync(dir_fd) != 0 ? errno : 0;
}

/* Returns errno. A name that is a directory by now is not the model's any more. */
static int remove_file(int dir_fd, const char *name, uint64_t *freed) {
  struct stat st;
  if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
  if (S_ISDIR(st.st_mode)) return 0;
  if (unlinkat(dir_fd, name, 0) != 0) return errno == ENOENT ? 0 : errno;
  *freed += (uint64_t)st.st_size;
  return 0;
}

int cache_remove_files(int dir_fd, const struct manifest *m, const struct manifest *keep,
                       uint64_t *freed) {
  for (size_t i = 0; i < m->file_count; i++) {
    const char *name = m->files[i].name, *leaf;
    if (keep && manifest_find(keep, name)) continue;
    HOIST_AUTO(fd) int parent = tree_open_parent(dir_fd, name, TREE_FIND_PARENTS, &leaf);
    int failed = parent >= 0 ? remove_file(parent, leaf, freed) : errno;
    if (failed != 0 && failed != ENOENT && failed != ENOTDIR) return failed;
  }
  return 0;
}

void cache_remove_dirs(int dir_fd, const struct manifest *m) {
  for (size_t i = 0; i < m->file_count; i++) {
    const char *name = m->files[i].name, *slash = strrchr(name, '/');
    if (!slash) continue;
    char path[MANIFEST_FILE_NAME_MAX + 1];
    size_t size = (size_t)(slash - name);
    memcpy(path, name, size);
    path[size] = '\0';
    tree_prune(dir_fd, path);
  }
}

/* @param user  uint64_t: bytes freed */
static enum hoist_status remove_loose(void *user, struct tree_item *item, struct hoist_error *err) {
  item->skip = true;
  if (item->event != TREE_FILE || strcmp(item->name, CACHE_RETIRED) == 0) return HOIST_OK;
  int failed = remove_file(item->dir_fd, item->name, user);
  return failed == 0 ? HOIST_OK : hoist_fail_errno(err, failed, "removing %s", item->name);
}

/* Without a readable manifest nobody knows which files are the model's: those that lie in its
 * directory itself are, and sub-directories may be other models. */
static enum hoist_status remove_content(const struct cache *cache, int dir_fd,
                                        const struct cache_record *r, bool known, uint64_t *freed,
                                        struct hoist_error *err) {
  if (!known) return tree_walk(dir_fd, remove_loose, freed, err);
  int failed = cache_remove_files(dir_fd, &r->manifest, NULL, freed);
  return failed == 0 ? HOIST_OK : cache_fail_write(cache, failed, "removing a file", err);
}

static enum hoist_status remove_dirs(const struct call *call, struct cache *cache,
                                     const struct model_id *id, int dir_fd,
                                     const struct manifest *m, uint64_t *freed,
                                     struct hoist_error *err) {
  int tree_lock;
  enum hoist_status status = cache_lock_tree(call, cache, &tree_lock, err);
  if (status != HOIST_OK) return status;
  cache_remove_dirs(dir_fd, m);
  int failed = remove_file(dir_fd, CACHE_RETIRED, freed);
  tree_prune(cache->root_fd, id->path);
  cache_unlock_fd(tree_lock);
  return failed == 0 ? HOIST_OK : cache_fail_write(cache, failed, "removing a file", err);
}

static bool has_entry(int dir_fd, const char *name) {
  struct stat st;
  return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum hoist_status remove_model(const struct call *call, struct cache *cache,
                                      const struct model_id *id, uint64_t *freed,
                                      struct hoist_error *err) {
  HOIST_AUTO(fd) int dir = tree_open(cache->root_fd, id->path, O_RDONLY | O_DIRECTORY);
  if (dir < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
    return cache_fail_absent(cache, id, err);
  if (dir < 0) return cache_fail_write(cache, errno, "removing a model", err);
  bool present = has_entry(dir, CACHE_MANIFEST) || has_entry(dir, CACHE_RETIRED);
  HOIST_AUTO(cache_record) struct cache_record r = {0};
  bool known;
  enum hoist_status status = cache_record_read_any(dir, &r, &known, err);
  if (status != HOIST_OK) return status;
  if (present) {
    int failed = cache_retire(dir);
    if (failed != 0) return cache_fail_write(cache, failed, "removing a model", err);
    status = remove_content(cache, dir, &r, known, freed, err);
    if (status != HOIST_OK) return status;
  }
  /* Also where there is no model: a removal cut short at its very end leaves an empty directory. */
  status = remove_dirs(call, cache, id, dir, &r.manifest, freed, err);
  return status == HOIST_OK && !present ? cache_fail_absent(cache, id, err) : status;
}

enum hoist_status cache_remove_locked(const struct call *call, const struct cache_lock *lock,
                                      uint64_t *ret_freed_bytes, struct hoist_error *err) {
  enum hoist_status status = cache_clean_staging(lock->cache, lock->name, err);
  if (status != HOIST_OK) return status;
  uint64_t freed = cache_remove_derived(lock->cache, lock->name);
  status = remove_model(call, lock->cache, &lock->id, &freed, err);
  if (status != HOIST_OK) return status;
  if (ret_freed_bytes) *ret_freed_bytes = freed;
  return HOIST_OK;
}

enum hoist_status cache_remove(const struct call *call, struct cache *cache,
                               const struct model_id *id, uint64_t *ret_freed_bytes,
                               struct hoist_error *err) {
  enum hoist_status status = cache_check_id(id, err);
  if (status != HOIST_OK) return status;
  char name[CACHE_NAME_SIZE];
  status = cache_name_of(id, name, err);
  if (status != HOIST_OK) return status;
  if (cache_is_absent(cache, id, name)) return cache_fail_absent(cache, id, err);
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  status = cache_lock(call, cache, id, &lock, err);
  if (status != HOIST_OK) return status;
  return cache_remove_locked(call, lock, ret_freed_bytes, err);
}
