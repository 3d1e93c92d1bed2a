/* SPDX-License-Identifier: Apache-2.0 */
/* Listing: one walk finds every manifest, then the visitor gets them in the order of their ids.
 * Takes no lock: each manifest is read whole or not at all. Owns the rows while it runs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "text.h"

#define MAX_MODELS 65536

struct row {
  char *path; /* absolute */
  const char *relative;
  char *problem; /* NULL: fine */
  struct cache_record record;
  uint64_t used_unix_ns;
};

struct rows {
  const struct cache *cache;
  struct row *items;
  size_t count, capacity;
};

static void row_done(struct row *r) {
  free(r->path);
  free(r->problem);
  cache_record_done(&r->record);
}

static void rows_cleanup(struct rows *rows) {
  for (size_t i = 0; i < rows->count; i++)
    row_done(&rows->items[i]);
  free(rows->items);
}

static enum hoist_status add_row(struct rows *rows, const char *relative, struct row **ret_row,
                                 struct hoist_error *err) {
  if (rows->count == MAX_MODELS)
    return hoist_fail(err, HOIST_UNSUPPORTED, "the cache %s holds more than %d models",
                      rows->cache->root, MAX_MODELS);
  if (rows->count == rows->capacity) {
    size_t capacity = rows->capacity == 0 ? 16 : 2 * rows->capacity;
    struct row *items = realloc(rows->items, capacity * sizeof *items);
    if (!items) return hoist_fail_memory(err, "listing the cache");
    rows->items = items;
    rows->capacity = capacity;
  }
  char *path = text_format("%s/%s", rows->cache->root, relative);
  if (!path) return hoist_fail_memory(err, "listing the cache");
  struct row *row = &rows->items[rows->count++];
  *row = (struct row){.path = path, .relative = path + strlen(rows->cache->root) + 1};
  *ret_row = row;
  return HOIST_OK;
}

/* A manifest that is damaged, or was copied here from another model's directory, is a problem to
 * show and not a failure to list. */
static enum hoist_status describe_problem(struct row *row, const char *text,
                                          struct hoist_error *err) {
  cache_record_done(&row->record);
  row->problem = text_dup(text);
  return row->problem ? HOIST_OK : hoist_fail_memory(err, "listing the cache");
}

static enum hoist_status read_row(struct rows *rows, int dir_fd, const char *relative,
                                  struct hoist_error *err) {
  struct cache_record record = {0};
  struct hoist_error problem = {.status = HOIST_OK};
  enum hoist_status status = cache_record_read(dir_fd, CACHE_MANIFEST, &record, NULL, &problem);
  if (status == HOIST_NOT_FOUND) return HOIST_OK; /* no model, or removed since the walk saw it */
  if (status == HOIST_NO_MEMORY) return hoist_fail_memory(err, "listing the cache");
  struct row *row = NULL;
  enum hoist_status added = add_row(rows, relative, &row, err);
  if (added != HOIST_OK) {
    cache_record_done(&record);
    return added;
  }
  row->record = record;
  row->used_unix_ns = cache_used_unix_ns(dir_fd);
  if (status != HOIST_OK) return describe_problem(row, problem.message, err);
  struct model_id id;
  if (model_id_parse(record.model_id, &id, &problem) != HOIST_OK)
    return describe_problem(row, problem.message, err);
  if (strcmp(id.path, relative) != 0)
    return describe_problem(row, "the manifest is the one of another model", err);
  return HOIST_OK;
}

static enum hoist_status visit_item(void *user, struct tree_item *item, struct hoist_error *err) {
  struct rows *rows = user;
  if (item->event != TREE_ENTER) return HOIST_OK;
  HOIST_AUTO(fd) int dir = tree_open(item->dir_fd, item->name, O_RDONLY | O_DIRECTORY);
  /* A directory this user may not read holds no model this user could load. */
  item->skip = dir < 0 || strcmp(item->path, CACHE_STATE_DIR) == 0;
  return item->skip ? HOIST_OK : read_row(rows, dir, item->path, err);
}

static const char *row_id(const struct row *row) {
  return row->record.model_id ? row->record.model_id : row->relative;
}

static int compare_rows(const void *a, const void *b) {
  return strcmp(row_id(a), row_id(b));
}

static uint64_t graph_bytes(const struct cache *cache, const struct row *row) {
  struct model_id id;
  bool has_id = row->record.model_id && model_id_parse(row->record.model_id, &id, NULL) == HOIST_OK;
  return has_id ? cache_graph_bytes(cache, &id) : 0;
}

enum hoist_status cache_list(struct cache *cache,
                             enum hoist_status (*visit)(void *user, const struct cache_listing *l,
                                                        struct hoist_error *err),
                             void *user, struct hoist_error *err) {
  __attribute__((cleanup(rows_cleanup))) struct rows rows = {.cache = cache};
  enum hoist_status status = tree_walk(cache->root_fd, visit_item, &rows, err);
  if (status != HOIST_OK) return status;
  if (rows.count > 0) qsort(rows.items, rows.count, sizeof *rows.items, compare_rows);
  for (size_t i = 0; i < rows.count; i++) {
    const struct row *row = &rows.items[i];
    struct cache_listing listing = {.model_id = row_id(row),
                                    .path = row->path,
                                    .manifest = &row->record.manifest,
                                    .size_bytes = manifest_total_size(&row->record.manifest, NULL),
                                    .graph_bytes = graph_bytes(cache, row),
                                    .created_unix_s = row->record.created_unix_s,
                                    .used_unix_ns = row->used_unix_ns,
                                    .problem = row->problem};
    status = visit(user, &listing, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}
