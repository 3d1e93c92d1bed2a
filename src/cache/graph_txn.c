/* SPDX-License-Identifier: Apache-2.0 */
/* Making saved graphs: in a directory of their own, under a lock that one process per model holds, made
 * durable and renamed into place. What a crash leaves is removed by whoever holds the lock next, by a clean-up, or
 * with the model. One thread per transaction. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "cache_internal.h"
#include "clock.h"
#include "graph_record.h"
#include "text.h"

#define LOCK "lock"
#define OBJECTION_DIR "objection"

struct cache_graph_txn {
  const struct cache *cache; /* borrowed */
  char key[DIGEST_HEX_SIZE];
  char place[CACHE_STATE_PATH_SIZE];   /* of the model's graphs, below the root */
  char staging[CACHE_STATE_PATH_SIZE]; /* below that */
  int place_fd, lock_fd;
};

void cache_graph_discard(struct cache_graph_txn *txn) {
  if (!txn) return;
  if (txn->staging[0] && fs_remove_tree(txn->place_fd, txn->staging, NULL) != HOIST_OK)
    txn->staging[0] = '\0'; /* whoever makes a graph of this model next removes it */
  fd_cleanup(&txn->place_fd);
  cache_unlock_fd(txn->lock_fd);
  free(txn);
}

static enum hoist_status remove_unfinished(void *user, struct tree_item *item,
                                           struct hoist_error *err) {
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  return text_starts_with(item->name, CACHE_UNFINISHED_GRAPH)
             ? fs_remove_tree(item->dir_fd, item->name, err)
             : HOIST_OK;
}

static enum hoist_status open_place(struct cache_graph_txn *txn, struct hoist_error *err) {
  enum hoist_status status = fs_make_dirs(txn->cache->root_fd, txn->place, err);
  if (status != HOIST_OK) return status;
  txn->place_fd = tree_open(txn->cache->root_fd, txn->place, O_RDONLY | O_DIRECTORY);
  if (txn->place_fd < 0) return hoist_fail_errno(err, errno, "opening the place of graphs");
  txn->lock_fd = openat(txn->place_fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (txn->lock_fd < 0) return cache_fail_write(txn->cache, errno, "making a graph", err);
  int failed = cache_try_flock(txn->lock_fd, LOCK_EX);
  if (failed == 0) return tree_walk(txn->place_fd, remove_unfinished, NULL, err);
  return hoist_fail(err, HOIST_UNAVAILABLE, "another process is saving this model's graph");
}

enum hoist_status cache_graph_begin(struct cache *cache, const struct model_id *id, const char *key,
                                    struct cache_graph_txn **ret_txn, struct hoist_error *err) {
  HOIST_AUTO(cache_graph_txn) struct cache_graph_txn *txn = calloc(1, sizeof *txn);
  if (!txn) return hoist_fail_memory(err, "making a graph");
  *txn = (struct cache_graph_txn){.cache = cache, .place_fd = -1, .lock_fd = -1};
  char name[CACHE_NAME_SIZE];
  uint64_t random;
  text_copy(txn->key, sizeof txn->key, key);
  enum hoist_status status = cache_name_of(id, name, err);
  if (status != HOIST_OK) return status;
  snprintf(txn->place, sizeof txn->place, CACHE_GRAPHS_DIR "/%s", name);
  status = open_place(txn, err);
  if (status != HOIST_OK) return status;
  if (getrandom(&random, sizeof random, 0) != sizeof random)
    return hoist_fail_errno(err, errno, "drawing a random number");
  snprintf(txn->staging, sizeof txn->staging, CACHE_UNFINISHED_GRAPH "%016" PRIx64, random);
  if (mkdirat(txn->place_fd, txn->staging, 0777) != 0)
    return cache_fail_write(cache, errno, "making a graph", err);
  *ret_txn = HOIST_TAKE(txn);
  return HOIST_OK;
}

static void staged_path(const struct cache_graph_txn *txn, const char *name,
                        char ret_path[CACHE_STATE_PATH_SIZE]) {
  snprintf(ret_path, CACHE_STATE_PATH_SIZE, "%.100s/%.60s", txn->staging, name);
}

enum hoist_status cache_graph_stage(struct cache_graph_txn *txn, const char *name, char **ret_path,
                                    struct hoist_error *err) {
  char below[CACHE_STATE_PATH_SIZE];
  staged_path(txn, name, below);
  if (mkdirat(txn->place_fd, below, 0777) != 0)
    return cache_fail_write(txn->cache, errno, "making a graph", err);
  char *path = text_format("%s/%s/%s", txn->cache->root, txn->place, below);
  if (!path) return hoist_fail_memory(err, "making a graph");
  *ret_path = path;
  return HOIST_OK;
}

/* ---- what killed savings left ------------------------------------------------------------ */

struct leftovers {
  int dry_run;
  uint64_t bytes;
  size_t count;
};

static enum hoist_status sweep_unfinished(void *user, struct tree_item *item,
                                          struct hoist_error *err) {
  struct leftovers *l = user;
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  if (!text_starts_with(item->name, CACHE_UNFINISHED_GRAPH)) return HOIST_OK;
  uint64_t bytes = cache_bytes_below(item->dir_fd, item->name);
  enum hoist_status status = l->dry_run ? HOIST_OK : fs_remove_tree(item->dir_fd, item->name, err);
  if (status != HOIST_OK) return status;
  l->bytes += bytes;
  l->count++;
  return HOIST_OK;
}

/* Where locks do nothing, holding one does not tell that nobody saves; whoever saves next removes it. */
enum hoist_status cache_graph_sweep(const struct cache *cache, const char *name, int dry_run,
                                    uint64_t *ret_bytes, bool *ret_gone, struct hoist_error *err) {
  struct leftovers l = {.dry_run = dry_run};
  char path[CACHE_STATE_PATH_SIZE];
  snprintf(path, sizeof path, CACHE_GRAPHS_DIR "/%s", name);
  HOIST_AUTO(fd) int place = tree_open(cache->root_fd, path, O_RDONLY | O_DIRECTORY);
  int lock = place < 0 || cache_locks(cache) == CACHE_LOCKS_DO_NOTHING
                 ? -1
                 : openat(place, LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (lock < 0) return HOIST_OK;
  enum hoist_status status = HOIST_OK;
  if (cache_try_flock(lock, LOCK_EX) == 0) status = tree_walk(place, sweep_unfinished, &l, err);
  cache_unlock_fd(lock);
  *ret_bytes = l.bytes;
  *ret_gone = l.count > 0;
  return status;
}

/* ---- committing -------------------------------------------------------------------------- */

struct collecting {
  const struct call *call;
  struct graph_record *record;
};

static enum hoist_status settle_file(const struct call *call, int fd, struct graph_file *file,
                                     struct hoist_error *err) {
  HOIST_AUTO(hasher) struct hasher *hasher = NULL;
  struct stat st;
  enum hoist_status status = fs_sync_fd(fd, file->name, err);
  if (status == HOIST_OK) status = hasher_new(DIGEST_SHA256, &hasher, err);
  if (status != HOIST_OK) return status;
  if (fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", file->name);
  file->identity = identity_of(&st);
  file->settled = identity_is_settled(&file->identity, clock_realtime_ns());
  status = cache_read_through(call, fd, file->name, hasher, NULL, err);
  return status == HOIST_OK ? hasher_final(hasher, &file->digest, err) : status;
}

static enum hoist_status collect(void *user, struct tree_item *item, struct hoist_error *err) {
  const struct collecting *c = user;
  if (item->event != TREE_FILE) return HOIST_OK;
  if (c->record->file_count == GRAPH_MAX_FILES || strlen(item->name) >= GRAPH_FILE_NAME_SIZE)
    return hoist_fail(err, HOIST_UNSUPPORTED, "more files than a graph can have");
  struct graph_file *file = &c->record->files[c->record->file_count++];
  text_copy(file->name, sizeof file->name, item->name);
  HOIST_AUTO(fd) int fd = tree_open(item->dir_fd, item->name, O_RDONLY);
  if (fd < 0) return hoist_fail_errno(err, errno, "%s", item->name);
  return settle_file(c->call, fd, file, err);
}

static enum hoist_status settle(const struct call *call, int dir, struct graph_record *record,
                                struct hoist_error *err) {
  struct collecting c = {.call = call, .record = record};
  enum hoist_status status =
      record->facts.objection[0] ? HOIST_OK : tree_walk(dir, collect, &c, err);
  if (status == HOIST_OK) status = graph_record_write(dir, record, err);
  return status == HOIST_OK ? fs_sync_fd(dir, "a saved graph", err) : status;
}

/* Where a graph of the key is there already, it is damaged or older: else nobody would have made one. */
static enum hoist_status publish(const struct cache_graph_txn *txn, const char *staged,
                                 struct hoist_error *err) {
  enum hoist_status status = fs_remove_tree(txn->place_fd, txn->key, err);
  if (status != HOIST_OK) return status;
  if (renameat(txn->place_fd, staged, txn->place_fd, txn->key) != 0)
    return cache_fail_write(txn->cache, errno, "publishing a graph", err);
  return fs_sync_fd(txn->place_fd, "a saved graph", err);
}

struct oldest {
  const char *spare;
  char name[DIGEST_HEX_SIZE];
  struct timespec made;
  size_t count;
};

static enum hoist_status find_oldest(void *user, struct tree_item *item, struct hoist_error *err) {
  struct oldest *o = user;
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  if (item->event != TREE_ENTER || text_starts_with(item->name, CACHE_UNFINISHED_GRAPH))
    return HOIST_OK;
  o->count++;
  if (strcmp(item->name, o->spare) == 0) return HOIST_OK;
  if (o->name[0] && item->st.st_mtim.tv_sec >= o->made.tv_sec) return HOIST_OK;
  text_copy(o->name, sizeof o->name, item->name);
  o->made = item->st.st_mtim;
  return HOIST_OK;
}

/* Every release of the runtime, and every set of options, leaves one. */
static void trim(const struct cache_graph_txn *txn) {
  for (int round = 0; round < 16; round++) {
    struct oldest o = {.spare = txn->key};
    if (tree_walk(txn->place_fd, find_oldest, &o, NULL) != HOIST_OK ||
        o.count <= CACHE_GRAPHS_PER_MODEL || !o.name[0] ||
        fs_remove_tree(txn->place_fd, o.name, NULL) != HOIST_OK)
      return;
  }
}

enum hoist_status cache_graph_commit(const struct call *call, struct cache_graph_txn *txn,
                                     const char *name, const struct cache_graph_facts *facts,
                                     uint64_t *ret_bytes, struct hoist_error *err) {
  HOIST_AUTO(cache_graph_txn) struct cache_graph_txn *own = txn;
  struct graph_record record = {.facts = *facts};
  char staged[CACHE_STATE_PATH_SIZE];
  staged_path(own, facts->objection[0] ? OBJECTION_DIR : name, staged);
  if (facts->objection[0] && mkdirat(own->place_fd, staged, 0777) != 0)
    return cache_fail_write(own->cache, errno, "making a graph", err);
  HOIST_AUTO(fd) int dir = tree_open(own->place_fd, staged, O_RDONLY | O_DIRECTORY);
  if (dir < 0) return hoist_fail_errno(err, errno, "opening a graph");
  enum hoist_status status = settle(call, dir, &record, err);
  if (status == HOIST_OK) status = publish(own, staged, err);
  if (status != HOIST_OK) return status;
  trim(own);
  *ret_bytes = 0;
  for (size_t i = 0; i < record.file_count; i++)
    *ret_bytes += (uint64_t)record.files[i].identity.size;
  return HOIST_OK;
}
