/* SPDX-License-Identifier: Apache-2.0 */
/* What is derived from a model and goes with it: saved graphs, and the note of its files' identities. Best
 * effort throughout, because none of it is needed. Any thread. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache_internal.h"

static enum hoist_status add_size(void *user, struct tree_item *item, struct hoist_error *err) {
  if (item->event == TREE_FILE) *(uint64_t *)user += (uint64_t)item->st.st_size;
  return HOIST_OK;
}

uint64_t cache_bytes_below(int dir_fd, const char *path) {
  uint64_t bytes = 0;
  HOIST_AUTO(fd) int dir = tree_open(dir_fd, path, O_RDONLY | O_DIRECTORY);
  return dir >= 0 && tree_walk(dir, add_size, &bytes, NULL) == HOIST_OK ? bytes : 0;
}

uint64_t cache_derived_bytes(const struct cache *cache, const char *name) {
  char path[CACHE_STATE_PATH_SIZE];
  snprintf(path, sizeof path, CACHE_GRAPHS_DIR "/%s", name);
  return cache_bytes_below(cache->root_fd, path);
}

uint64_t cache_remove_derived(const struct cache *cache, const char *name) {
  char path[CACHE_STATE_PATH_SIZE];
  snprintf(path, sizeof path, CACHE_VERIFIED_DIR "/%s", name);
  struct stat st;
  if (fstatat(cache->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
    unlinkat(cache->root_fd, path, 0);
  uint64_t bytes = cache_derived_bytes(cache, name);
  snprintf(path, sizeof path, CACHE_GRAPHS_DIR "/%s", name);
  if (fstatat(cache->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return fs_remove_tree(cache->root_fd, path, NULL) == HOIST_OK ? bytes : 0;
}
