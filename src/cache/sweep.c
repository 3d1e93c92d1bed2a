/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeping: stagings whose writer is gone, of models and of graphs, models whose removal was cut short, lock files of models that
 * are gone. All are removed under the lock they belong to, taken without waiting. A lock file may be removed
 * whatever its model does next, because who locks a file checks that it still has the name; that the
 * model is not there is only why nobody will miss it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "text.h"

#define LOCK_SUFFIX ".lock"

struct sweep {
  const struct call *call;
  struct cache *cache;
  int dry_run;
  struct cache_cleanup *cleanup;
  char (*names)[CACHE_NAME_SIZE]; /* of the models that are there */
  size_t count, capacity;
};

static void sweep_cleanup(struct sweep *s) {
  free(s->names);
}

static void tell(const struct sweep *s, const char *path, const char *reason, uint64_t size_bytes) {
  const struct cache_removal removal = {.path = path, .reason = reason, .size_bytes = size_bytes};
  if (s->cleanup->removed) s->cleanup->removed(s->cleanup->user, &removal);
}

/* ---- stagings ---------------------------------------------------------------------------- */

static enum hoist_status remove_staging(struct sweep *s, const struct tree_item *item,
                                        const char *name, bool *ret_gone, struct hoist_error *err) {
  if (s->dry_run) {
    *ret_gone = cache_lock_is_free(s->cache, name);
    return HOIST_OK;
  }
  return cache_remove_staging(s->cache, item, name, ret_gone, err);
}

static enum hoist_status sweep_staging(void *user, struct tree_item *item,
                                       struct hoist_error *err) {
  struct sweep *s = user;
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  char name[CACHE_NAME_SIZE], path[CACHE_STATE_PATH_SIZE + NAME_MAX];
  if (!cache_name_before_dot(item->name, name)) return HOIST_OK;
  enum hoist_status status = call_check(s->call, "cleaning up the cache", err);
  if (status != HOIST_OK) return status;
  uint64_t size_bytes = cache_bytes_below(item->dir_fd, item->name);
  bool gone = false;
  status = remove_staging(s, item, name, &gone, err);
  if (!gone) return status;
  s->cleanup->removed_leftovers++;
  s->cleanup->freed_bytes += size_bytes;
  snprintf(path, sizeof path, CACHE_STAGING_DIR "/%s", item->name);
  tell(s, path, "staging", size_bytes);
  return HOIST_OK;
}

/* ---- removals that were cut short -------------------------------------------------------- */

static bool has_file(int dir_fd, const char *name) {
  struct stat st;
  return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* With both manifests it is a publication that was cut short, after the model was there. */
static bool is_left_over(int dir_fd) {
  return has_file(dir_fd, CACHE_RETIRED) && !has_file(dir_fd, CACHE_MANIFEST);
}

static enum hoist_status finish_removal(struct sweep *s, const struct model_id *id,
                                        uint64_t *size_bytes, bool *ret_gone,
                                        struct hoist_error *err) {
  char name[CACHE_NAME_SIZE];
  enum hoist_status status = cache_name_of(id, name, err);
  if (status != HOIST_OK) return status;
  if (s->dry_run) {
    *ret_gone = cache_lock_is_free(s->cache, name);
    return HOIST_OK;
  }
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  status = cache_lock_try(s->cache, id, &lock, err);
  if (status != HOIST_OK || !lock) return status;
  HOIST_AUTO(fd) int dir = tree_open(s->cache->root_fd, id->path, O_RDONLY | O_DIRECTORY);
  if (dir < 0 || !is_left_over(dir)) return HOIST_OK;
  status = cache_remove_locked(s->call, lock, size_bytes, err);
  *ret_gone = status == HOIST_OK;
  return status;
}

/* What cannot be read, or lies elsewhere than its id says, is left to people. */
static enum hoist_status sweep_model(void *user, struct tree_item *item, struct hoist_error *err) {
  struct sweep *s = user;
  if (item->event != TREE_ENTER) return HOIST_OK;
  HOIST_AUTO(fd) int dir = tree_open(item->dir_fd, item->name, O_RDONLY | O_DIRECTORY);
  item->skip = dir < 0 || strcmp(item->path, CACHE_STATE_DIR) == 0;
  if (item->skip || !is_left_over(dir)) return HOIST_OK;
  HOIST_AUTO(cache_record) struct cache_record r = {0};
  struct model_id id;
  if (cache_record_read(dir, CACHE_RETIRED, &r, NULL, NULL) != HOIST_OK ||
      model_id_parse(r.model_id, &id, NULL) != HOIST_OK || strcmp(id.path, item->path) != 0)
    return HOIST_OK;
  enum hoist_status status = call_check(s->call, "cleaning up the cache", err);
  uint64_t size_bytes = manifest_total_size(&r.manifest, NULL);
  bool gone = false;
  if (status == HOIST_OK) status = finish_removal(s, &id, &size_bytes, &gone, err);
  if (!gone) return status;
  s->cleanup->removed_leftovers++;
  s->cleanup->freed_bytes += size_bytes;
  tell(s, id.path, "removal", size_bytes);
  return HOIST_OK;
}

/* ---- lock files -------------------------------------------------------------------------- */

static enum hoist_status add_name(void *user, const struct cache_listing *l,
                                  struct hoist_error *err) {
  struct sweep *s = user;
  struct model_id id;
  if (l->problem) return HOIST_OK; /* nobody can lock what has no id */
  if (s->count == s->capacity) {
    size_t capacity = s->capacity == 0 ? 16 : 2 * s->capacity;
    char(*names)[CACHE_NAME_SIZE] = realloc(s->names, capacity * sizeof *names);
    if (!names) return hoist_fail_memory(err, "listing the cache");
    s->names = names;
    s->capacity = capacity;
  }
  enum hoist_status status = model_id_parse(l->model_id, &id, err);
  return status == HOIST_OK ? cache_name_of(&id, s->names[s->count++], err) : status;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(a, b);
}

static bool has_model(const struct sweep *s, const char *name) {
  return s->count > 0 && bsearch(name, s->names, s->count, sizeof *s->names, compare_names);
}

static enum hoist_status remove_lock(struct sweep *s, const char *name, bool *ret_gone,
                                     struct hoist_error *err) {
  if (s->dry_run) {
    *ret_gone = cache_lock_is_free(s->cache, name);
    return HOIST_OK;
  }
  int lock_fd = -1;
  enum hoist_status status = cache_lock_name(s->cache, name, &lock_fd, err);
  if (status != HOIST_OK || lock_fd < 0) return status;
  int failed = cache_lock_remove_file(s->cache, name);
  cache_unlock_fd(lock_fd);
  *ret_gone = failed == 0;
  return failed == 0 ? HOIST_OK : cache_fail_write(s->cache, failed, "removing a lock file", err);
}

static enum hoist_status sweep_lock(void *user, struct tree_item *item, struct hoist_error *err) {
  struct sweep *s = user;
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  char name[CACHE_NAME_SIZE], path[CACHE_STATE_PATH_SIZE];
  if (!text_ends_with(item->name, LOCK_SUFFIX) || !cache_name_before_dot(item->name, name) ||
      has_model(s, name))
    return HOIST_OK;
  bool gone = false;
  enum hoist_status status = call_check(s->call, "cleaning up the cache", err);
  if (status == HOIST_OK) status = remove_lock(s, name, &gone, err);
  if (!gone) return status;
  s->cleanup->removed_locks++;
  cache_lock_path(name, path);
  tell(s, path, "lock", 0);
  return HOIST_OK;
}

/* ---- what was derived from models that are gone, and what killed savings of graphs left ------------------------------------------------- */

static enum hoist_status remove_derived(struct sweep *s, const char *name, uint64_t *size_bytes,
                                        bool *ret_gone, struct hoist_error *err) {
  *size_bytes = cache_derived_bytes(s->cache, name);
  if (s->dry_run) {
    *ret_gone = cache_lock_is_free(s->cache, name);
    return HOIST_OK;
  }
  int lock_fd = -1;
  enum hoist_status status = cache_lock_name(s->cache, name, &lock_fd, err);
  if (status != HOIST_OK || lock_fd < 0) return status;
  *size_bytes = cache_remove_derived(s->cache, name);
  *ret_gone = true;
  cache_unlock_fd(lock_fd);
  return HOIST_OK;
}

static enum hoist_status sweep_derived(void *user, struct tree_item *item,
                                       struct hoist_error *err) {
  struct sweep *s = user;
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  char path[CACHE_STATE_PATH_SIZE];
  if (strlen(item->name) >= CACHE_NAME_SIZE) return HOIST_OK;
  enum hoist_status status = call_check(s->call, "cleaning up the cache", err);
  uint64_t size_bytes = 0;
  bool gone = false, is_graph = item->event == TREE_ENTER, stays = has_model(s, item->name);
  if (status != HOIST_OK || (stays && !is_graph)) return status;
  status = stays ? cache_graph_sweep(s->cache, item->name, s->dry_run, &size_bytes, &gone, err)
                 : remove_derived(s, item->name, &size_bytes, &gone, err);
  if (!gone || !is_graph) return status;
  s->cleanup->removed_leftovers++;
  s->cleanup->freed_bytes += size_bytes;
  if (stays) s->cleanup->bytes -= size_bytes < s->cleanup->bytes ? size_bytes : s->cleanup->bytes;
  snprintf(path, sizeof path, CACHE_GRAPHS_DIR "/%.120s%s", item->name,
           stays ? "/" CACHE_UNFINISHED_GRAPH "*" : "");
  tell(s, path, stays ? "saving" : "graph", size_bytes);
  return HOIST_OK;
}

/* ---- notes about files that are gone ------------------------------------------------------------- */

static enum hoist_status sweep_shared(void *user, struct tree_item *item, struct hoist_error *err) {
  struct sweep *s = user;
  char path[CACHE_STATE_PATH_SIZE];
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  if (strlen(item->name) >= CACHE_NAME_SIZE) return HOIST_OK;
  snprintf(path, sizeof path, CACHE_SHARED_DIR "/%.95s", item->name);
  if (!s->dry_run && cache_shared_leads_nowhere(s->cache, path))
    (void)unlinkat(item->dir_fd, item->name, 0);
  return call_check(s->call, "cleaning up the cache", err);
}

/* ---- all of it -------------------------------------------------------------------------------- */

static enum hoist_status sweep_dir(struct sweep *s, const char *path,
                                   enum hoist_status (*visit)(void *user, struct tree_item *item,
                                                              struct hoist_error *err),
                                   struct hoist_error *err) {
  HOIST_AUTO(fd) int dir = tree_open(s->cache->root_fd, path, O_RDONLY | O_DIRECTORY);
  if (dir < 0 && errno == ENOENT) return HOIST_OK;
  if (dir < 0) return hoist_fail_errno(err, errno, "opening %s of %s", path, s->cache->root);
  return tree_walk(dir, visit, s, err);
}

enum hoist_status cache_sweep(const struct call *call, struct cache *cache, int dry_run,
                              struct cache_cleanup *cleanup, struct hoist_error *err) {
  __attribute__((cleanup(sweep_cleanup))) struct sweep s = {
      .call = call, .cache = cache, .dry_run = dry_run, .cleanup = cleanup};
  enum hoist_status status = sweep_dir(&s, CACHE_STAGING_DIR, sweep_staging, err);
  if (status == HOIST_OK) status = tree_walk(cache->root_fd, sweep_model, &s, err);
  if (status == HOIST_OK) status = cache_list(cache, add_name, &s, err);
  if (status != HOIST_OK) return status;
  if (s.count > 0) qsort(s.names, s.count, sizeof *s.names, compare_names);
  status = sweep_dir(&s, CACHE_GRAPHS_DIR, sweep_derived, err);
  if (status == HOIST_OK) status = sweep_dir(&s, CACHE_VERIFIED_DIR, sweep_derived, err);
  if (status == HOIST_OK) status = sweep_dir(&s, CACHE_SHARED_DIR, sweep_shared, err);
  return status == HOIST_OK ? sweep_dir(&s, CACHE_LOCKS_DIR, sweep_lock, err) : status;
}
