/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning up: hoist_gc, and what a download does by itself where the cache has a bound. Runs on the
 * operation's thread. */
#include "gc.h"

#include <stdio.h>

#include "clock.h"
#include "fs.h"
#include "metrics.h"
#include "text.h"

/* Whom to tell what was removed. */
struct collector {
  struct operation *op;
  const struct hoist_span *span;
  const struct hoist_gc_options *gc; /* NULL: the caller did not ask for a clean-up */
};

/* Nobody asked for it, so nobody knows of it. */
static void tell(struct operation *op, const struct cache_removal *r) {
  char message[HOIST_ERROR_MESSAGE_SIZE], freed[TEXT_BYTES_SIZE];
  snprintf(message, sizeof message, "removed %.300s (%s) from the cache to make room", r->model_id,
           text_bytes(freed, r->size_bytes));
  operation_note(op, message);
}

static void take_removal(void *user, const struct cache_removal *r) {
  const struct collector *c = user;
  int dry_run = c->gc && c->gc->dry_run;
  if (r->model_id && !dry_run) metrics_evicted(c->span, c->op->hoist->telemetry, r->reason);
  if (r->model_id && !c->gc) tell(c->op, r);
  if (!c->gc || !c->gc->removed) return;
  const struct hoist_gc_item item = {.model_id = r->model_id,
                                     .path = r->path,
                                     .reason = r->reason,
                                     .size_bytes = r->size_bytes,
                                     .used_unix_s = r->used_unix_ns / NS_PER_S};
  c->gc->removed(c->gc->user, &item);
}

static void describe(struct hoist_span *span, const struct cache_cleanup *done) {
  hoist_span_set_int(span, "model.gc.removed_models", (int64_t)done->removed_models);
  hoist_span_set_int(span, "model.gc.busy_models", (int64_t)done->busy_models);
  hoist_span_set_int(span, "model.gc.freed_bytes", (int64_t)done->freed_bytes);
  hoist_span_set_int(span, "model.gc.cache_bytes", (int64_t)done->bytes);
}

/* ---- on request -------------------------------------------------------------------------- */

static struct cache_limits limits_of(const struct hoist *hoist, const struct hoist_gc_options *gc) {
  uint64_t configured = hoist->cache_max_bytes > 0 ? hoist->cache_max_bytes : UINT64_MAX;
  return (struct cache_limits){.max_bytes = gc->limit_size ? gc->max_bytes : configured,
                               .max_unused_s = gc->limit_age ? gc->max_age_s : UINT64_MAX,
                               .dry_run = gc->dry_run};
}

static enum hoist_status collect(struct operation *op, const struct hoist_gc_options *gc,
                                 struct cache_cleanup *done) {
  const struct cache_limits limits = limits_of(op->hoist, gc);
  struct cache *cache = op->hoist->cache;
  enum hoist_status status = cache_evict(&op->call, cache, &limits, done, &op->error);
  if (status == HOIST_OK) status = cache_sweep(&op->call, cache, gc->dry_run, done, &op->error);
  describe(&op->span, done);
  if (!gc->dry_run) operation_measure_cache(op);
  return status;
}

enum hoist_status hoist_gc(struct hoist *hoist, const struct hoist_gc_options *gc,
                           const struct hoist_call_options *options,
                           struct hoist_gc_result *ret_result, struct hoist_error *err) {
  static const struct hoist_gc_options defaults = {0};
  if (!gc) gc = &defaults;
  struct operation op;
  struct collector collector = {.op = &op, .span = &op.span, .gc = gc};
  struct cache_cleanup done = {.removed = take_removal, .user = &collector};
  enum hoist_status status = operation_begin_on_cache(&op, hoist, "model.gc", options);
  if (status == HOIST_OK) status = collect(&op, gc, &done);
  status = operation_end(&op, status, err);
  if (status == HOIST_OK && ret_result)
    *ret_result = (struct hoist_gc_result){.removed_models = done.removed_models,
                                           .removed_leftovers = done.removed_leftovers,
                                           .removed_locks = done.removed_locks,
                                           .freed_bytes = done.freed_bytes,
                                           .busy_models = done.busy_models,
                                           .models = done.models,
                                           .models_bytes = done.bytes};
  return status;
}

/* ---- on the side ------------------------------------------------------------------------- */

static enum hoist_status evict(struct operation *op, const struct cache_limits *limits,
                               struct cache_cleanup *done, struct hoist_error *err) {
  struct hoist_span span;
  hoist_span_start(&op->span, "model.gc", HOIST_SPAN_INTERNAL, &span);
  struct collector collector = {.op = op, .span = &span};
  *done = (struct cache_cleanup){.removed = take_removal, .user = &collector};
  enum hoist_status status = cache_evict(&op->call, op->hoist->cache, limits, done, err);
  describe(&span, done);
  if (status != HOIST_OK) hoist_span_record_error(&span, err);
  hoist_span_end(&span);
  return status;
}

void gc_keep_bound(struct operation *op) {
  uint64_t bound = op->hoist->cache_max_bytes;
  if (bound == 0) return;
  const struct cache_limits limits = {
      .max_bytes = bound, .max_unused_s = UINT64_MAX, .spare = &op->id};
  struct cache_cleanup done;
  struct hoist_error error = {0};
  char message[HOIST_ERROR_MESSAGE_SIZE], held[TEXT_BYTES_SIZE], wanted[TEXT_BYTES_SIZE];
  enum hoist_status status = evict(op, &limits, &done, &error);
  if (status == HOIST_OK && done.bytes <= bound) return;
  if (status != HOIST_OK)
    snprintf(message, sizeof message, "the cache's bound on its size is not kept: %.400s",
             error.message);
  else
    snprintf(message, sizeof message,
             "the cache holds %s although its bound is %s: what is left is in use or new",
             text_bytes(held, done.bytes), text_bytes(wanted, bound));
  operation_warn(op, message);
}

void gc_after_graph(const struct call *call, struct hoist *hoist, const struct model_id *id) {
  if (hoist->cache_max_bytes == 0) return;
  const struct cache_limits limits = {
      .max_bytes = hoist->cache_max_bytes, .max_unused_s = UINT64_MAX, .spare = id};
  struct cache_cleanup done = {.removed = NULL};
  enum hoist_status ignored = cache_evict(call, hoist->cache, &limits, &done, NULL);
  (void)ignored; /* the next download says so */
}

int gc_make_room(struct operation *op, uint64_t needed_bytes) {
  if (op->hoist->cache_max_bytes == 0) return 0;
  uint64_t free_bytes = fs_free_bytes(cache_root(op->hoist->cache));
  if (free_bytes == UINT64_MAX) return 0;
  const struct cache_limits limits = {.max_bytes = UINT64_MAX,
                                      .max_unused_s = UINT64_MAX,
                                      .min_free_bytes =
                                          needed_bytes > free_bytes ? needed_bytes : free_bytes + 1,
                                      .spare = &op->id};
  struct cache_cleanup done;
  struct hoist_error error = {0};
  enum hoist_status status = evict(op, &limits, &done, &error);
  if (status != HOIST_OK) operation_warn(op, error.message);
  return done.removed_models > 0;
}
