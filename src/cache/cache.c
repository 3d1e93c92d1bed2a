/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a cache root, and what everything below it is named. Owns the root's descriptor, through
 * which all other files of the cache reach the disk. hoist's own directories are made only when
 * something is to be written, so a read-only root can be opened and read. Any thread. */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "text.h"

#define NAME_READABLE_BYTES 48 /* of an id, in the names of its lock and staging */
#define NAME_DIGEST_BYTES 16

enum hoist_status cache_open(const char *root, struct cache **ret_cache, struct hoist_error *err) {
  if (!root || !*root)
    return hoist_fail(err, HOIST_INVALID,
                      "the cache directory is empty: set HOIST_CACHE_DIR or MODEL_CACHE_DIR");
  enum hoist_status status = fs_make_dirs(AT_FDCWD, root, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err,
                        "the cache %s cannot be made (HOIST_CACHE_DIR or MODEL_CACHE_DIR "
                        "names another place)",
                        root);
    /* Not a model that is missing but a setting that is wrong. */
    if (status == HOIST_NOT_FOUND && err) err->status = HOIST_INVALID;
    return status == HOIST_NOT_FOUND ? HOIST_INVALID : status;
  }
  HOIST_AUTO(cache) struct cache *cache = calloc(1, sizeof *cache);
  if (!cache) return hoist_fail_memory(err, "opening the cache");
  cache->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cache->root_fd < 0 && errno == ENOTDIR)
    return hoist_fail(err, HOIST_INVALID, "the cache %s is not a directory", root);
  if (cache->root_fd < 0) return hoist_fail_errno(err, errno, "opening the cache %s", root);
  cache->root = realpath(root, NULL);
  if (!cache->root) return hoist_fail_errno(err, errno, "opening the cache %s", root);
  cache_check_locks(cache);
  *ret_cache = HOIST_TAKE(cache);
  return HOIST_OK;
}

void cache_set_patience(struct cache *cache, uint64_t patience_ns) {
  cache->patience_ns = patience_ns;
}

void cache_close(struct cache *cache) {
  if (!cache) return;
  fd_cleanup(&cache->root_fd);
  free(cache->root);
  free(cache);
}

const char *cache_root(const struct cache *cache) {
  return cache->root;
}

enum hoist_status cache_check_id(const struct model_id *id, struct hoist_error *err) {
  int depth = 0;
  for (const char *segment = id->path; segment; depth++) {
    if (text_starts_with(segment, CACHE_STATE_DIR))
      return hoist_fail(err, HOIST_INVALID,
                        "model id \"%.128s\": names that begin with %s are the cache's own",
                        id->text, CACHE_STATE_DIR);
    const char *slash = strchr(segment, '/');
    segment = slash ? slash + 1 : NULL;
  }
  if (depth > TREE_MAX_DEPTH)
    return hoist_fail(err, HOIST_INVALID, "model id \"%.128s\" has more than %d segments", id->text,
                      TREE_MAX_DEPTH);
  return HOIST_OK;
}

enum hoist_status cache_name_of(const struct model_id *id, char ret_name[CACHE_NAME_SIZE],
                                struct hoist_error *err) {
  struct digest digest;
  enum hoist_status status = digest_of(DIGEST_SHA256, id->text, strlen(id->text), &digest, err);
  if (status != HOIST_OK) return status;
  char hex[2 * NAME_DIGEST_BYTES + 1];
  hex_encode(digest.bytes, NAME_DIGEST_BYTES, hex);
  snprintf(ret_name, CACHE_NAME_SIZE, "%.*s-%s", NAME_READABLE_BYTES, id->text, hex);
  for (char *p = ret_name; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p)) *p = '-';
  return HOIST_OK;
}

/* Tells backup programs that everything here can be fetched again (bford.info/cachedir). Only
 * advice, so failing to write it is no failure. */
static void write_tag(const struct cache *cache) {
  static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                            "# This directory holds models that hoist downloaded.\n";
  HOIST_AUTO(fd)
  int fd = openat(cache->root_fd, "CACHEDIR.TAG",
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd >= 0 && fs_write_all(fd, tag, sizeof tag - 1, "CACHEDIR.TAG", NULL) != HOIST_OK)
    unlinkat(cache->root_fd, "CACHEDIR.TAG", 0);
}

enum hoist_status cache_make_state(struct cache *cache, struct hoist_error *err) {
  static const char *const dirs[] = {CACHE_STATE_DIR, CACHE_LOCKS_DIR, CACHE_STAGING_DIR};
  for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
    struct stat st;
    if (mkdirat(cache->root_fd, dirs[i], 0777) == 0 || errno == EEXIST) continue;
    int mkdir_errno = errno; /* a read-only file system says EROFS even for what is there */
    if (fstatat(cache->root_fd, dirs[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
      return cache_fail_write(cache, mkdir_errno, "making a directory", err);
  }
  write_tag(cache);
  cache_check_locks(cache);
  return HOIST_OK;
}

enum hoist_status cache_fail_write(const struct cache *cache, int sys_errno, const char *doing,
                                   struct hoist_error *err) {
  if (sys_errno != EROFS && sys_errno != EACCES && sys_errno != EPERM)
    return hoist_fail_errno(err, sys_errno, "%s in the cache %s", doing, cache->root);
  enum hoist_status status =
      hoist_fail(err, HOIST_DENIED,
                 "%s: the cache %s is %s: set HOIST_CACHE_DIR or MODEL_CACHE_DIR to a writable "
                 "directory",
                 doing, cache->root, sys_errno == EROFS ? "read-only" : "read-only for this user");
  if (err) err->sys_errno = sys_errno;
  return status;
}

static bool exists(const struct cache *cache, const char *path) {
  struct stat st;
  return fstatat(cache->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool cache_is_absent(const struct cache *cache, const struct model_id *id, const char *name) {
  char lock_path[CACHE_STATE_PATH_SIZE];
  cache_lock_path(name, lock_path);
  return !exists(cache, id->path) && !exists(cache, lock_path);
}

enum hoist_status cache_fail_absent(const struct cache *cache, const struct model_id *id,
                                    struct hoist_error *err) {
  return hoist_fail(err, HOIST_NOT_FOUND, "%.128s is not in the cache %s", id->text, cache->root);
}
