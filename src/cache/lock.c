/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: flock on descriptors of their own, so they exclude threads as well as processes and end
 * with whoever holds them, kill -9 included; waiting is in wait.c. Whoever holds a lock file exclusively may
 * remove it (hoist gc does), so a lock counts only after its file was seen to be the one that has the
 * name: who locked a removed file starts over with the new one. A cache_lock owns its descriptor and
 * belongs to one thread at a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cache_internal.h"

void cache_lock_path(const char *name, char ret_path[CACHE_STATE_PATH_SIZE]) {
  snprintf(ret_path, CACHE_STATE_PATH_SIZE, CACHE_LOCKS_DIR "/%s.lock", name);
}

int cache_try_flock(int fd, int operation) {
  while (flock(fd, operation | LOCK_NB) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

void cache_unlock_fd(int fd) {
  if (fd < 0) return;
  while (flock(fd, LOCK_UN) != 0 && errno == EINTR) {
  }
  close(fd);
}

/* ---- the lock file ----------------------------------------------------------------------- */

/* Returns -1 and errno. A lock file of another user may only be readable: flock asks for no more.
 */
static int open_lock_file(const struct cache *cache, const char *path) {
  int fd = openat(cache->root_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd >= 0 || (errno != EACCES && errno != EROFS)) return fd;
  int write_errno = errno;
  fd = openat(cache->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) errno = write_errno;
  return fd;
}

static enum hoist_status make_lock_file(struct cache *cache, const char *path, int *ret_fd,
                                        struct hoist_error *err) {
  int fd = open_lock_file(cache, path);
  if (fd < 0 && errno == ENOENT) {
    enum hoist_status status = cache_make_state(cache, err);
    if (status != HOIST_OK) return status;
    fd = open_lock_file(cache, path);
  }
  if (fd < 0) return cache_fail_write(cache, errno, "opening a lock file", err);
  *ret_fd = fd;
  return HOIST_OK;
}

/* Whether the locked file is still the one that others find under the name. */
static bool is_current(const struct cache *cache, const char *path, int fd) {
  struct stat held, there;
  return fstat(fd, &held) == 0 && fstatat(cache->root_fd, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/* ---- a model's lock ---------------------------------------------------------------------- */

static enum hoist_status new_lock(struct cache *cache, const struct model_id *id,
                                  struct cache_lock **ret_lock, struct hoist_error *err) {
  enum hoist_status status = cache_check_id(id, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(cache_lock) struct cache_lock *lock = calloc(1, sizeof *lock);
  if (!lock) return hoist_fail_memory(err, "locking a model");
  *lock = (struct cache_lock){.cache = cache, .id = *id, .fd = -1};
  status = cache_name_of(id, lock->name, err);
  if (status != HOIST_OK) return status;
  *ret_lock = HOIST_TAKE(lock);
  return HOIST_OK;
}

/* Locks the file that has the lock's name just now; it may have lost it meanwhile. */
static enum hoist_status take_file(const struct call *call, struct cache_lock *lock,
                                   const char *path, int *ret_shared, struct hoist_error *err) {
  enum hoist_status status = make_lock_file(lock->cache, path, &lock->fd, err);
  if (status != HOIST_OK || cache_try_flock(lock->fd, LOCK_EX) == 0) return status;
  return cache_wait_for_model(call, lock, ret_shared, err);
}

static enum hoist_status take(const struct call *call, struct cache *cache,
                              const struct model_id *id, int *ret_shared,
                              struct cache_lock **ret_lock, struct hoist_error *err) {
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  enum hoist_status status = new_lock(cache, id, &lock, err);
  if (status != HOIST_OK) return status;
  char path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(lock->name, path);
  do {
    fd_cleanup(&lock->fd);
    status = take_file(call, lock, path, ret_shared, err);
    if (status != HOIST_OK || (ret_shared && *ret_shared)) {
      fd_cleanup(&lock->fd); /* never held: the holder's name stays in the file */
      return status;
    }
  } while (!is_current(cache, path, lock->fd));
  holder_begin(&lock->note, lock->fd);
  *ret_lock = HOIST_TAKE(lock);
  return HOIST_OK;
}

enum hoist_status cache_lock(const struct call *call, struct cache *cache,
                             const struct model_id *id, struct cache_lock **ret_lock,
                             struct hoist_error *err) {
  return take(call, cache, id, NULL, ret_lock, err);
}

enum hoist_status cache_lock_unless_published(const struct call *call, struct cache *cache,
                                              const struct model_id *id,
                                              struct cache_lock **ret_lock,
                                              struct hoist_error *err) {
  int shared = 0;
  struct cache_lock *lock = NULL;
  enum hoist_status status = take(call, cache, id, &shared, &lock, err);
  if (status == HOIST_OK) *ret_lock = lock;
  return status;
}

enum hoist_status cache_lock_name(struct cache *cache, const char *name, int *ret_fd,
                                  struct hoist_error *err) {
  char path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(name, path);
  HOIST_AUTO(fd) int fd = -1;
  do {
    fd_cleanup(&fd);
    enum hoist_status status = make_lock_file(cache, path, &fd, err);
    if (status != HOIST_OK) return status;
    if (cache_locks(cache) == CACHE_LOCKS_DO_NOTHING) {
      *ret_fd = -1;
      return HOIST_OK;
    }
    int failed = cache_try_flock(fd, LOCK_EX);
    if (failed == EWOULDBLOCK) {
      *ret_fd = -1;
      return HOIST_OK;
    }
    if (failed != 0) return hoist_fail_errno(err, failed, "locking %s", path);
  } while (!is_current(cache, path, fd));
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

bool cache_lock_is_free(const struct cache *cache, const char *name) {
  char path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(name, path);
  HOIST_AUTO(fd) int fd = openat(cache->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT;
  return cache_locks(cache) != CACHE_LOCKS_DO_NOTHING && cache_try_flock(fd, LOCK_EX) == 0;
}

int cache_lock_remove_file(const struct cache *cache, const char *name) {
  char path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(name, path);
  return unlinkat(cache->root_fd, path, 0) == 0 || errno == ENOENT ? 0 : errno;
}

enum hoist_status cache_lock_try(struct cache *cache, const struct model_id *id,
                                 struct cache_lock **ret_lock, struct hoist_error *err) {
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  enum hoist_status status = new_lock(cache, id, &lock, err);
  if (status != HOIST_OK) return status;
  status = cache_lock_name(cache, lock->name, &lock->fd, err);
  if (status != HOIST_OK) return status;
  if (lock->fd >= 0) holder_begin(&lock->note, lock->fd);
  *ret_lock = lock->fd >= 0 ? HOIST_TAKE(lock) : NULL;
  return HOIST_OK;
}

void cache_unlock(struct cache_lock *lock) {
  if (!lock) return;
  if (lock->fd >= 0) holder_end(lock->fd);
  cache_unlock_fd(lock->fd);
  free(lock);
}

/* -1 in `ret_fd` for a pre-warmed copy that is read-only here: no hoist can change the model through
 * this mount. One with more rights could elsewhere, but every byte is verified and the open directory
 * stays the same, so the worst is a file that is gone when it is read again. */
static enum hoist_status open_for_readers(struct cache *cache, const char *path, int *ret_fd,
                                          struct hoist_error *err) {
  *ret_fd = openat(cache->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (*ret_fd >= 0) return HOIST_OK;
  struct hoist_error open_err = {.status = HOIST_OK};
  enum hoist_status status = make_lock_file(cache, path, ret_fd, &open_err);
  if (status == HOIST_OK || status == HOIST_DENIED) return HOIST_OK;
  if (err) *err = open_err;
  return status;
}

enum hoist_status cache_lock_shared(struct cache *cache, const struct model_id *id,
                                    const char *name, int *ret_fd, struct hoist_error *err) {
  char path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(name, path);
  HOIST_AUTO(fd) int fd = -1;
  do {
    fd_cleanup(&fd);
    enum hoist_status status = open_for_readers(cache, path, &fd, err);
    if (status != HOIST_OK) return status;
    int failed = fd < 0 ? 0 : cache_try_flock(fd, LOCK_SH);
    if (failed == EWOULDBLOCK)
      return hoist_fail(err, HOIST_UNAVAILABLE,
                        "%.128s is being changed by another process or thread", id->text);
    if (failed != 0) return hoist_fail_errno(err, failed, "locking %.128s", id->text);
  } while (fd >= 0 && !is_current(cache, path, fd));
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

static bool is_still_published(const struct cache_lock *lock, int manifest_fd) {
  struct stat held, there;
  HOIST_AUTO(fd)
  int dir = tree_open(lock->cache->root_fd, lock->id.path, O_RDONLY | O_DIRECTORY);
  return dir >= 0 && fstat(manifest_fd, &held) == 0 &&
         fstatat(dir, CACHE_MANIFEST, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/* flock converts by unlocking and locking again. Somebody may slip in between: then either the
 * shared lock is refused, or it is granted after they have replaced or removed the model, which
 * shows in the manifest being another file. The open manifest keeps its inode number from being
 * used again. */
enum hoist_status cache_lock_downgrade(struct cache_lock **lock, int manifest_fd, int *ret_fd,
                                       struct hoist_error *err) {
  HOIST_AUTO(cache_lock) struct cache_lock *own = HOIST_TAKE(*lock);
  holder_end(own->fd);
  int failed = cache_try_flock(own->fd, LOCK_SH);
  char path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(own->name, path);
  if (failed == 0 && is_current(own->cache, path, own->fd) &&
      is_still_published(own, manifest_fd)) {
    *ret_fd = own->fd;
    own->fd = -1;
    return HOIST_OK;
  }
  fd_cleanup(&own->fd); /* perhaps another's by now, so no more is written to it */
  if (failed != 0 && failed != EWOULDBLOCK)
    return hoist_fail_errno(err, failed, "locking %.128s", own->id.text);
  return hoist_fail(err, HOIST_UNAVAILABLE, "%.128s was changed by another process or thread",
                    own->id.text);
}

static enum hoist_status lock_state(const struct call *call, struct cache *cache, const char *path,
                                    const char *what, int *ret_fd, struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = -1;
  enum hoist_status status = make_lock_file(cache, path, &fd, err);
  if (status != HOIST_OK) return status;
  status = cache_wait_for_file(call, fd, what, err);
  if (status != HOIST_OK) return status;
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

enum hoist_status cache_lock_tree(const struct call *call, struct cache *cache, int *ret_fd,
                                  struct hoist_error *err) {
  return lock_state(call, cache, CACHE_TREE_LOCK, "the cache's directories", ret_fd, err);
}

enum hoist_status cache_lock_evictions(const struct call *call, struct cache *cache, int *ret_fd,
                                       struct hoist_error *err) {
  return lock_state(call, cache, CACHE_EVICT_LOCK, "a clean-up of the cache", ret_fd, err);
}
