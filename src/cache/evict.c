/* SPDX-License-Identifier: Apache-2.0 */
/* Making room: the least recently used models go first. One process at a time does so, or each of several
 * would remove enough for all. Each model is looked at again under its own lock, taken without waiting,
 * before it goes. Owns its list of models while it runs. Any thread. */
#include <fcntl.h>
#include <string.h>

#include "cache_internal.h"
#include "clock.h"
#include "text.h"

struct candidate {
  char *id, *path;
  uint64_t size_bytes, used_unix_ns;
};

struct candidates {
  struct candidate *items;
  size_t count, capacity;
  uint64_t bytes;
};

static void candidates_cleanup(struct candidates *c) {
  for (size_t i = 0; i < c->count; i++) {
    free(c->items[i].id);
    free(c->items[i].path);
  }
  free(c->items);
  *c = (struct candidates){0};
}

static enum hoist_status add_candidate(void *user, const struct cache_listing *l,
                                       struct hoist_error *err) {
  struct candidates *c = user;
  if (l->problem) return HOIST_OK;
  if (c->count == c->capacity) {
    size_t capacity = c->capacity == 0 ? 16 : 2 * c->capacity;
    struct candidate *items = realloc(c->items, capacity * sizeof *items);
    if (!items) return hoist_fail_memory(err, "listing the cache");
    c->items = items;
    c->capacity = capacity;
  }
  struct candidate *item = &c->items[c->count++];
  *item = (struct candidate){.id = text_dup(l->model_id),
                             .path = text_dup(l->path),
                             .size_bytes = l->size_bytes + l->graph_bytes,
                             .used_unix_ns = l->used_unix_ns};
  c->bytes += item->size_bytes;
  return item->id && item->path ? HOIST_OK : hoist_fail_memory(err, "listing the cache");
}

/* Least recently used first; of two used at once, the larger one, so that fewer have to go. */
static int compare_use(const void *a, const void *b) {
  const struct candidate *x = a, *y = b;
  if (x->used_unix_ns != y->used_unix_ns) return x->used_unix_ns < y->used_unix_ns ? -1 : 1;
  if (x->size_bytes != y->size_bytes) return x->size_bytes > y->size_bytes ? -1 : 1;
  return strcmp(x->id, y->id);
}

struct eviction {
  const struct call *call;
  struct cache *cache;
  const struct cache_limits *limits;
  struct cache_cleanup *cleanup;
  uint64_t now_unix_ns;
  bool wants_room; /* min_free_bytes is worth trying */
};

/* Why the model has to go, after what went before it; NULL: it may stay, and all that were used later. */
static const char *reason_for(const struct eviction *e, const struct candidate *c) {
  const struct cache_limits *l = e->limits;
  if (l->max_unused_s != UINT64_MAX && e->now_unix_ns >= c->used_unix_ns &&
      (e->now_unix_ns - c->used_unix_ns) / NS_PER_S >= l->max_unused_s)
    return "age";
  if (e->cleanup->bytes > l->max_bytes) return "size";
  return e->wants_room && fs_free_bytes(e->cache->root) < l->min_free_bytes ? "space" : NULL;
}

enum outcome { BUSY, REMOVED, VANISHED };

/* Removes the model, unless somebody holds it, has used it since, or was quicker. */
static enum hoist_status remove_unused(const struct eviction *e, const struct model_id *id,
                                       const struct candidate *c, enum outcome *ret_outcome,
                                       struct hoist_error *err) {
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  enum hoist_status status = cache_lock_try(e->cache, id, &lock, err);
  if (status != HOIST_OK || !lock) return status;
  HOIST_AUTO(fd) int dir = tree_open(e->cache->root_fd, id->path, O_RDONLY | O_DIRECTORY);
  uint64_t used_unix_ns = dir >= 0 ? cache_used_unix_ns(dir) : 0;
  if (used_unix_ns == 0) *ret_outcome = VANISHED;
  if (used_unix_ns != c->used_unix_ns) return HOIST_OK;
  status = cache_remove_locked(e->call, lock, NULL, err);
  if (status != HOIST_OK) return status;
  *ret_outcome = REMOVED;
  int failed = cache_lock_remove_file(e->cache, lock->name);
  return failed == 0 ? HOIST_OK : cache_fail_write(e->cache, failed, "removing a lock file", err);
}

static enum hoist_status would_go(const struct eviction *e, const struct model_id *id,
                                  enum outcome *ret_outcome, struct hoist_error *err) {
  char name[CACHE_NAME_SIZE];
  enum hoist_status status = cache_name_of(id, name, err);
  if (status == HOIST_OK && cache_lock_is_free(e->cache, name)) *ret_outcome = REMOVED;
  return status;
}

static void note(struct eviction *e, const struct candidate *c, const char *reason,
                 enum outcome outcome) {
  struct cache_cleanup *done = e->cleanup;
  if (outcome == BUSY) {
    done->busy_models++;
    return;
  }
  done->models--;
  done->bytes -= c->size_bytes;
  if (outcome == VANISHED) return;
  done->removed_models++;
  done->freed_bytes += c->size_bytes;
  const struct cache_removal removal = {.model_id = c->id,
                                        .path = c->path + strlen(e->cache->root) + 1,
                                        .reason = reason,
                                        .size_bytes = c->size_bytes,
                                        .used_unix_ns = c->used_unix_ns};
  if (done->removed) done->removed(done->user, &removal);
}

static enum hoist_status evict_one(struct eviction *e, const struct candidate *c,
                                   const char *reason, struct hoist_error *err) {
  struct model_id id;
  enum hoist_status status = call_check(e->call, "cleaning up the cache", err);
  if (status == HOIST_OK) status = model_id_parse(c->id, &id, err);
  if (status != HOIST_OK) return status;
  if (e->limits->spare && strcmp(id.path, e->limits->spare->path) == 0) return HOIST_OK;
  enum outcome outcome = BUSY;
  status = e->limits->dry_run ? would_go(e, &id, &outcome, err)
                              : remove_unused(e, &id, c, &outcome, err);
  if (status == HOIST_OK || outcome == REMOVED) note(e, c, reason, outcome);
  return status;
}

static enum hoist_status look(struct eviction *e, struct candidates *c, struct hoist_error *err) {
  candidates_cleanup(c);
  enum hoist_status status = cache_list(e->cache, add_candidate, c, err);
  if (status != HOIST_OK) return status;
  if (c->count > 0) qsort(c->items, c->count, sizeof *c->items, compare_use);
  e->cleanup->models = c->count;
  e->cleanup->bytes = c->bytes;
  uint64_t wanted = e->limits->min_free_bytes;
  e->wants_room =
      wanted > 0 && (wanted <= c->bytes || fs_free_bytes(e->cache->root) >= wanted - c->bytes);
  return HOIST_OK;
}

static enum hoist_status evict(struct eviction *e, const struct candidates *c,
                               struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; i < c->count && status == HOIST_OK; i++) {
    const char *reason = reason_for(e, &c->items[i]);
    if (!reason) break;
    status = evict_one(e, &c->items[i], reason, err);
  }
  return status;
}

enum hoist_status cache_evict(const struct call *call, struct cache *cache,
                              const struct cache_limits *limits, struct cache_cleanup *cleanup,
                              struct hoist_error *err) {
  __attribute__((cleanup(candidates_cleanup))) struct candidates c = {0};
  struct eviction e = {.call = call,
                       .cache = cache,
                       .limits = limits,
                       .cleanup = cleanup,
                       .now_unix_ns = clock_realtime_ns()};
  enum hoist_status status = look(&e, &c, err);
  if (status != HOIST_OK || c.count == 0 || !reason_for(&e, &c.items[0])) return status;
  if (limits->dry_run) return evict(&e, &c, err);
  int lock_fd = -1;
  status = cache_lock_evictions(call, cache, &lock_fd, err);
  if (status != HOIST_OK) return status;
  status = look(&e, &c, err); /* whoever was at it before us may have done enough */
  if (status == HOIST_OK) status = evict(&e, &c, err);
  cache_unlock_fd(lock_fd);
  return status;
}
