/* SPDX-License-Identifier: Apache-2.0 */
/* describe → plan → stage → fetch → commit, for each source of the chain until one delivers. */
#include "download_model.h"

#include <inttypes.h>
#include <string.h>

#include "artifacts.h"
#include "fetch.h"
#include "gc.h"
#include "metrics.h"
#include "plan.h"
#include "task.h"

/* One source being tried. */
struct attempt {
  struct operation *op;
  struct source *source;
  struct call call; /* parent: `span` */
  struct hoist_span span;
  struct manifest manifest;
  struct fetch_outcome fetched;
  int local; /* 1: what failed is this machine, so no other source is asked */
};

static void report_plan(const struct attempt *a) {
  int complete = 0;
  uint64_t total = manifest_total_size(&a->manifest, &complete);
  operation_report(a->op, (struct hoist_progress){
                              .kind = HOIST_PROGRESS_PLAN,
                              .source = a->source->name,
                              .file_count = a->manifest.file_count,
                              .total_bytes = complete ? (int64_t)total : -1,
                          });
}

static enum hoist_status describe(struct attempt *a) {
  struct hoist_error *err = &a->op->error;
  operation_report(a->op, (struct hoist_progress){.kind = HOIST_PROGRESS_SOURCE,
                                                  .source = a->source->name,
                                                  .message = a->source->location});
  enum hoist_status status =
      a->source->ops->describe(&a->call, a->source, &a->op->id, &a->manifest, err);
  if (status == HOIST_OK) status = plan_make(&a->op->id, &a->manifest, err);
  if (status == HOIST_OK) report_plan(a);
  return status;
}

static enum hoist_status read_staged(void *user, const char *name, struct buf *ret_data,
                                     struct hoist_error *err) {
  return cache_txn_read(user, name, ret_data, err);
}

/* A package that nobody can read is as useless as a damaged one, and another source may have a better:
 * so its metadata is parsed before it is published, not only when it is loaded. What the task is may only be
 * known then (model_type.json in a bucket), and with it which files there must be. */
static enum hoist_status check_metadata(const struct attempt *a, struct cache_txn *txn,
                                        struct hoist_error *err) {
  HOIST_AUTO(artifacts) struct artifacts artifacts = {0};
  const struct artifacts_reader reader = {.user = txn, .read = read_staged};
  enum hoist_status status = artifacts_parse(&reader, &artifacts, err);
  return status == HOIST_OK ? task_check_files(artifacts.task_type, &a->manifest, err) : status;
}

static enum hoist_status transfer_once(struct attempt *a, struct cache_lock **lock,
                                       struct cache_entry **ret_entry) {
  struct hoist_error *err = &a->op->error;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  enum hoist_status status =
      cache_begin(&a->call, *lock, manifest_total_size(&a->manifest, NULL), &txn, err);
  if (status == HOIST_OK) status = cache_txn_expect(txn, &a->manifest, err);
  a->local = status != HOIST_OK;
  if (status != HOIST_OK) return status;
  status = fetch_model(&a->call, a->source, &a->op->id, &a->manifest, txn,
                       a->op->hoist->connections, &a->fetched, err);
  a->local = a->fetched.disk_failed;
  if (a->fetched.keep) cache_txn_keep(HOIST_TAKE(txn));
  if (status == HOIST_OK) status = check_metadata(a, txn, err);
  if (status != HOIST_OK) return status;
  operation_report(a->op, (struct hoist_progress){
                              .kind = HOIST_PROGRESS_COMMIT,
                              .source = a->source->name,
                              .file_count = a->manifest.file_count,
                              .files_done = a->manifest.file_count,
                              .total_done = (int64_t)manifest_total_size(&a->manifest, NULL),
                              .total_bytes = (int64_t)manifest_total_size(&a->manifest, NULL),
                          });
  operation_hold(a->op, NULL); /* the commit consumes the lock */
  status = cache_commit(&a->call, HOIST_TAKE(txn), &a->manifest, lock, ret_entry, err);
  /* Published, but gone again or locked by a neighbour before we could hold it: not a failure. */
  if (status == HOIST_UNAVAILABLE && !*lock) return HOIST_OK;
  a->local = status != HOIST_OK;
  return status;
}

/* A full disk is the cache's own business where it may remove what nobody uses. */
static enum hoist_status transfer(struct attempt *a, struct cache_lock **lock,
                                  struct cache_entry **ret_entry) {
  enum hoist_status status = transfer_once(a, lock, ret_entry);
  while (status == HOIST_NO_SPACE && *lock &&
         gc_make_room(a->op, manifest_total_size(&a->manifest, NULL))) {
    uint64_t in_vain = a->fetched.bytes;
    a->fetched = (struct fetch_outcome){0};
    operation_hold(a->op, *lock); /* a commit that failed let go */
    status = transfer_once(a, lock, ret_entry);
    a->fetched.bytes += in_vain;
  }
  return status;
}

static void start_attempt(struct attempt *a) {
  hoist_span_start(&a->op->span, "model.artifacts.download", HOIST_SPAN_INTERNAL, &a->span);
  hoist_span_set_string(&a->span, "model.id", a->op->id.text);
  hoist_span_set_string(&a->span, "model.artifacts.source", a->source->name);
  a->call = a->op->call;
  a->call.span = &a->span;
}

static void end_attempt(struct attempt *a, enum hoist_status status) {
  hoist_span_set_int(&a->span, "model.artifacts.files", (int64_t)a->manifest.file_count);
  hoist_span_set_int(&a->span, "model.artifacts.bytes", (int64_t)a->fetched.bytes);
  hoist_span_set_int(&a->span, "model.artifacts.resumed_bytes", (int64_t)a->fetched.resumed_bytes);
  if (a->fetched.shared_bytes > 0)
    hoist_span_set_int(&a->span, "model.artifacts.shared_bytes", (int64_t)a->fetched.shared_bytes);
  if (status != HOIST_OK) hoist_span_record_error(&a->span, &a->op->error);
  metrics_artifact_bytes(&a->span, a->op->hoist->telemetry, a->source->name,
                         hoist_status_name(status), a->fetched.bytes);
  hoist_span_end(&a->span);
  manifest_done(&a->manifest);
}

/* @param ret_final  1: another source would not help */
static enum hoist_status try_source(struct operation *op, struct source *source,
                                    struct cache_lock **lock, struct cache_entry **ret_entry,
                                    int *ret_final) {
  struct attempt a = {.op = op, .source = source};
  start_attempt(&a);
  operation_hold(op, *lock);
  enum hoist_status status = describe(&a);
  if (status == HOIST_OK) status = transfer(&a, lock, ret_entry);
  operation_hold(op, NULL);
  if (status == HOIST_OK) {
    op->downloaded_bytes += a.fetched.bytes;
    op->resumed_bytes += a.fetched.resumed_bytes;
  }
  /* Something of this machine that is missing is not a model that is missing. */
  if (a.local && status == HOIST_NOT_FOUND) status = op->error.status = HOIST_UNAVAILABLE;
  end_attempt(&a, status);
  *ret_final = a.local || !chain_falls_through(status);
  return status;
}

/* The verdict over all sources: the last failure that was not a plain "not here". */
static void remember(struct hoist_error *verdict, const struct hoist_error *failure) {
  if (verdict->status != HOIST_OK && failure->status == HOIST_NOT_FOUND) return;
  *verdict = *failure;
}

static enum hoist_status give_up(struct operation *op, const struct hoist_error *verdict,
                                 const struct buf *story) {
  size_t tried = op->hoist->chain.count;
  if (tried == 1) {
    op->error = *verdict;
    if (verdict->status == HOIST_CORRUPT)
      hoist_error_advise(
          &op->error,
          "nothing was kept: try again, and check the model's files where they come from");
    hoist_error_prepend(&op->error, "%s", op->hoist->chain.sources[0]->name);
  } else {
    enum hoist_status status = verdict->status;
    int http_status = verdict->http_status, sys_errno = verdict->sys_errno;
    (void)hoist_fail(&op->error, status, "none of the %zu sources could deliver it: %s", tried,
                     buf_str(story));
    op->error.http_status = http_status;
    op->error.sys_errno = sys_errno;
  }
  hoist_error_prepend(&op->error, "%s", op->id.text);
  return op->error.status;
}

static enum hoist_status tell(struct operation *op, const struct source *source, int is_last,
                              struct buf *story) {
  if (!is_last)
    operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_FALLTHROUGH,
                                                 .source = source->name,
                                                 .message = op->error.message});
  char text[sizeof op->error.message];
  memcpy(text, op->error.message, sizeof text);
  return buf_printf(story, &op->error, "%s%s: %s", story->size > 0 ? "; " : "", source->name, text);
}

enum hoist_status download_model(struct operation *op, struct cache_lock **lock,
                                 struct cache_entry **ret_entry) {
  const struct chain *chain = &op->hoist->chain;
  if (chain->count == 0)
    return hoist_fail(&op->error, HOIST_INVALID,
                      "%s is not in the cache and no source is configured: set INFER_BUCKET, "
                      "ROBOFLOW_API_KEY or HOIST_SOURCES",
                      op->id.text);
  HOIST_AUTO(buf) struct buf story = buf_make(CHAIN_MAX_SOURCES * sizeof op->error.message);
  struct hoist_error verdict = {0};
  for (size_t i = 0; i < chain->count; i++) {
    struct source *source = chain->sources[i];
    int is_final = 0;
    enum hoist_status status = try_source(op, source, lock, ret_entry, &is_final);
    if (status == HOIST_OK) return HOIST_OK;
    if (is_final) {
      hoist_error_prepend(&op->error, "%s: %s", op->id.text, source->name);
      return status;
    }
    remember(&verdict, &op->error);
    status = tell(op, source, i + 1 == chain->count, &story);
    if (status != HOIST_OK) return status;
  }
  return give_up(op, &verdict, &story);
}
