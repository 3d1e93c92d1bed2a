/* SPDX-License-Identifier: Apache-2.0 */
/* Saved graphs of models. A graph is a directory with files and a record of them, whole or not there: it is
 * made in a directory of its own and renamed. Looking one up is as for models: known by the files'
 * identities, else compared byte by byte. A graph that is found owns descriptors of its files, so removal
 * does not matter to it. Any thread. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache_internal.h"
#include "clock.h"
#include "graph_record.h"
#include "text.h"

struct cache_graph {
  char *dir; /* absolute */
  struct graph_record record;
  int fds[GRAPH_MAX_FILES];
};

static void path_of(const char *name, const char *key, char ret_path[CACHE_STATE_PATH_SIZE]) {
  snprintf(ret_path, CACHE_STATE_PATH_SIZE, CACHE_GRAPHS_DIR "/%s/%s", name, key);
}

void cache_graph_release(struct cache_graph *graph) {
  if (!graph) return;
  for (size_t i = 0; i < GRAPH_MAX_FILES; i++)
    fd_cleanup(&graph->fds[i]);
  free(graph->dir);
  free(graph);
}

static enum hoist_status new_graph(const struct cache *cache, const char *path,
                                   struct cache_graph **ret_graph, struct hoist_error *err) {
  HOIST_AUTO(cache_graph) struct cache_graph *graph = calloc(1, sizeof *graph);
  if (!graph) return hoist_fail_memory(err, "a saved graph");
  for (size_t i = 0; i < GRAPH_MAX_FILES; i++)
    graph->fds[i] = -1;
  graph->dir = text_format("%s/%s", cache->root, path);
  if (!graph->dir) return hoist_fail_memory(err, "a saved graph");
  *ret_graph = HOIST_TAKE(graph);
  return HOIST_OK;
}

/* ---- verification ------------------------------------------------------------------------ */

static enum hoist_status compare(const struct call *call, int fd, const struct graph_file *file,
                                 struct hoist_error *err) {
  HOIST_AUTO(hasher) struct hasher *hasher = NULL;
  struct digest found;
  enum hoist_status status = hasher_new(DIGEST_SHA256, &hasher, err);
  if (status == HOIST_OK) status = cache_read_through(call, fd, file->name, hasher, NULL, err);
  if (status == HOIST_OK) status = hasher_final(hasher, &found, err);
  if (status == HOIST_OK && !digest_equal(&found, &file->digest))
    status = hoist_fail(err, HOIST_CORRUPT, "%s: its sha256 is not that of its record", file->name);
  return status;
}

/* @param ret_compared  set where its bytes were read: its identity is another than recorded */
static enum hoist_status verify(const struct call *call, int dir_fd,
                                enum cache_verification verification, struct graph_file *file,
                                int *fd, bool *ret_compared, struct hoist_error *err) {
  struct file_identity now = {0};
  enum hoist_status status =
      cache_open_listed(dir_fd, file->name, (int64_t)file->identity.size, fd, &now, err);
  if (status != HOIST_OK) return status;
  bool is_known = file->settled && identity_is_same(&now, &file->identity);
  if (is_known && verification == CACHE_VERIFY_STAT) return HOIST_OK;
  uint64_t seen = clock_realtime_ns();
  status = compare(call, *fd, file, err);
  file->identity = now;
  file->settled = identity_is_settled(&now, seen);
  *ret_compared |= !is_known && file->settled;
  return status;
}

static enum hoist_status load(const struct call *call, int dir_fd,
                              enum cache_verification verification, struct cache_graph *graph,
                              struct hoist_error *err) {
  bool compared = false;
  for (size_t i = 0; i < graph->record.file_count; i++) {
    enum hoist_status status =
        verify(call, dir_fd, verification, &graph->record.files[i], &graph->fds[i], &compared, err);
    if (status != HOIST_OK) return status;
  }
  if (compared) graph_record_rewrite(dir_fd, &graph->record);
  return HOIST_OK;
}

static enum hoist_status find(const struct call *call, struct cache *cache, const char *path,
                              enum cache_verification verification, struct cache_graph **ret_graph,
                              struct cache_graph_facts *ret_facts, struct hoist_error *err) {
  HOIST_AUTO(fd) int dir = tree_open(cache->root_fd, path, O_RDONLY | O_DIRECTORY);
  if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
    return hoist_fail(err, HOIST_NOT_FOUND, "no graph was saved");
  if (dir < 0) return hoist_fail_errno(err, errno, "opening a saved graph");
  HOIST_AUTO(cache_graph) struct cache_graph *graph = NULL;
  enum hoist_status status = new_graph(cache, path, &graph, err);
  if (status == HOIST_OK) status = graph_record_read(dir, &graph->record, err);
  if (status != HOIST_OK) return status;
  if (ret_facts) *ret_facts = graph->record.facts;
  if (graph->record.facts.objection[0])
    return hoist_fail(err, HOIST_UNSUPPORTED, "%s", graph->record.facts.objection);
  status = load(call, dir, verification, graph, err);
  if (status != HOIST_OK) return status;
  *ret_graph = HOIST_TAKE(graph);
  return HOIST_OK;
}

enum hoist_status cache_graph_find(const struct call *call, struct cache *cache,
                                   const struct model_id *id, const char *key,
                                   enum cache_verification verification,
                                   struct cache_graph **ret_graph,
                                   struct cache_graph_facts *ret_facts, struct hoist_error *err) {
  char name[CACHE_NAME_SIZE], path[CACHE_STATE_PATH_SIZE];
  enum hoist_status status = cache_name_of(id, name, err);
  if (status != HOIST_OK) return status;
  path_of(name, key, path);
  status = find(call, cache, path, verification, ret_graph, ret_facts, err);
  if (status == HOIST_CORRUPT) hoist_error_prepend(err, "saved graph");
  return status;
}

/* ---- use --------------------------------------------------------------------------------- */

static size_t index_of(const struct cache_graph *graph, const char *name) {
  size_t i = 0;
  while (i < graph->record.file_count && strcmp(graph->record.files[i].name, name) != 0)
    i++;
  return i;
}

const char *cache_graph_dir(const struct cache_graph *graph) {
  return graph->dir;
}

int cache_graph_has(const struct cache_graph *graph, const char *name) {
  return index_of(graph, name) < graph->record.file_count;
}

uint64_t cache_graph_size(const struct cache_graph *graph) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < graph->record.file_count; i++)
    bytes += (uint64_t)graph->record.files[i].identity.size;
  return bytes;
}

enum hoist_status cache_graph_map(const struct cache_graph *graph, const char *name, void **ret_map,
                                  size_t *ret_size, struct hoist_error *err) {
  size_t i = index_of(graph, name);
  if (i == graph->record.file_count || graph->record.files[i].identity.size == 0)
    return hoist_fail(err, HOIST_CORRUPT, "%s: there is nothing to map", name);
  size_t size = (size_t)graph->record.files[i].identity.size;
  void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, graph->fds[i], 0);
  if (map == MAP_FAILED) return hoist_fail_errno(err, errno, "mapping %s", name);
  *ret_map = map;
  *ret_size = size;
  return HOIST_OK;
}

enum hoist_status cache_graph_check_unchanged(const struct cache_graph *graph,
                                              struct hoist_error *err) {
  for (size_t i = 0; i < graph->record.file_count; i++) {
    const struct graph_file *file = &graph->record.files[i];
    HOIST_AUTO(mem) char *path = text_format("%s/%s", graph->dir, file->name);
    if (!path) return hoist_fail_memory(err, "a saved graph");
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    struct file_identity now = is_there ? identity_of(&st) : (struct file_identity){0};
    if (!is_there || !identity_is_same(&now, &file->identity))
      return hoist_fail(err, HOIST_CORRUPT, "%s was changed while it was opened", file->name);
  }
  return HOIST_OK;
}

void cache_graph_remove(struct cache *cache, const struct model_id *id, const char *key) {
  char name[CACHE_NAME_SIZE], path[CACHE_STATE_PATH_SIZE];
  if (cache_name_of(id, name, NULL) != HOIST_OK) return;
  path_of(name, key, path);
  enum hoist_status ignored = fs_remove_tree(cache->root_fd, path, NULL);
  (void)ignored; /* a cache that may only be read: it is refused again */
}

uint64_t cache_graph_bytes(const struct cache *cache, const struct model_id *id) {
  char name[CACHE_NAME_SIZE];
  return cache_name_of(id, name, NULL) == HOIST_OK ? cache_derived_bytes(cache, name) : 0;
}
