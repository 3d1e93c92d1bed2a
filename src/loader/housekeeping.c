/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that look after the cache: verify, remove, list. */
#include "acquire.h"
#include "clock.h"
#include "info.h"

enum hoist_status hoist_verify(struct hoist *hoist, const char *model_id,
                               const struct hoist_call_options *options, uint64_t *ret_bytes,
                               struct hoist_error *err) {
  struct operation op;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(hoist_info) struct hoist_info *info = NULL;
  enum hoist_status status = operation_begin(&op, hoist, "model.verify", model_id, options);
  op.verification = CACHE_VERIFY_SHA256;
  if (status == HOIST_OK) status = acquire_from_cache(&op, &entry, &info);
  status = operation_end(&op, status, err);
  if (status == HOIST_OK && ret_bytes) *ret_bytes = info->total_bytes;
  return status;
}

enum hoist_status hoist_remove(struct hoist *hoist, const char *model_id,
                               const struct hoist_call_options *options, uint64_t *ret_freed_bytes,
                               struct hoist_error *err) {
  struct operation op;
  uint64_t freed = 0;
  enum hoist_status status = operation_begin(&op, hoist, "model.remove", model_id, options);
  if (status == HOIST_OK) status = cache_remove(&op.call, hoist->cache, &op.id, &freed, &op.error);
  if (status == HOIST_OK) operation_measure_cache(&op);
  status = operation_end(&op, status, err);
  if (status == HOIST_OK && ret_freed_bytes) *ret_freed_bytes = freed;
  return status;
}

struct lister {
  int (*visit)(void *user, const struct hoist_list_item *item);
  void *user;
  int stopped;
};

static enum hoist_status list_one(void *user, const struct cache_listing *l,
                                  struct hoist_error *err) {
  struct lister *lister = user;
  const struct hoist_list_item item = {
      .model_id = l->model_id,
      .directory = l->path,
      .source = l->manifest->source,
      .size_bytes = l->size_bytes,
      .graph_bytes = l->graph_bytes,
      .file_count = l->manifest->file_count,
      .created_unix_s = l->created_unix_s,
      .used_unix_s = l->used_unix_ns / NS_PER_S,
      .problem = l->problem,
  };
  lister->stopped = lister->visit(lister->user, &item) != 0;
  return lister->stopped ? hoist_fail(err, HOIST_CANCELLED, "stopped by the visitor") : HOIST_OK;
}

enum hoist_status hoist_list(struct hoist *hoist,
                             int (*visit)(void *user, const struct hoist_list_item *item),
                             void *user, struct hoist_error *err) {
  struct lister lister = {.visit = visit, .user = user};
  struct hoist_error error = {0};
  enum hoist_status status = cache_list(hoist->cache, list_one, &lister, &error);
  if (status == HOIST_OK || lister.stopped) return HOIST_OK;
  if (err) *err = error;
  return status;
}
