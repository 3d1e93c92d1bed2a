/* SPDX-License-Identifier: Apache-2.0 */
/* What a load is, top to bottom: join whoever loads this model already, acquire verified artifacts,
 * create the session, publish the model. Runs on the caller's thread; any number of calls at once. */
#include "access.h"
#include "acquire.h"

#include <stdio.h>

#include "clock.h"
#include "info.h"
#include "metrics.h"
#include "model.h"
#include "opening.h"
#include "runtime.h"
#include "saver.h"

/* A model that does not run on zeros may be a good one: that is only said. */
static void warm_up(struct operation *op, struct hoist_model *model) {
  struct hoist_error problem = {0};
  char message[HOIST_ERROR_MESSAGE_SIZE];
  if (session_warm_up(&op->call, model->session, &problem) == HOIST_OK) return;
  snprintf(message, sizeof message, "the first run was left out: %.400s", problem.message);
  operation_warn(op, message);
}

static void warn_of_providers(struct operation *op, const struct hoist_model *model) {
  const char *refused = session_refused_providers(model->session);
  char message[HOIST_ERROR_MESSAGE_SIZE];
  if (!*refused) return;
  snprintf(message, sizeof message, "runs on %s, not on what was preferred: %.400s",
           session_provider(model->session), refused);
  operation_warn(op, message);
}

static enum hoist_status load_new(struct operation *op, struct hoist_model **ret_model) {
  HOIST_AUTO(model) struct hoist_model *model = calloc(1, sizeof *model);
  if (!model) return hoist_fail_memory(&op->error, op->id.text);
  model->registry = registry_ref(op->hoist->registry);
  model->telemetry = op->hoist->telemetry;
  op->opens_session = 1;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = acquire(op, &entry, &model->info);
  runtime_await(op);
  if (status == HOIST_OK) status = opening_finish(op, entry, model);
  opening_discard(op); /* where the metadata was no good */
  if (status == HOIST_OK) status = call_check(&op->call, op->id.text, &op->error);
  if (status != HOIST_OK) return status;
  warn_of_providers(op, model);
  if (op->hoist->warm_up) warm_up(op, model);
  opening_save_graph(op, &entry, model);
  model->info->cache_hit = op->cache_hit;
  model->info->downloaded_bytes = op->downloaded_bytes;
  model->info->resumed_bytes = op->resumed_bytes;
  model->info->load_time_s = operation_seconds(op);
  *ret_model = HOIST_TAKE(model);
  return HOIST_OK;
}

static enum hoist_status load_shared(struct operation *op, struct hoist_model **ret_model) {
  struct registry *registry = op->hoist->registry;
  enum hoist_status status = access_check(op);
  if (status != HOIST_OK) return status;
  status = registry_join(&op->call, registry, op->id.text, ret_model, &op->error);
  if (status != HOIST_OK) return status;
  hoist_span_set_bool(&op->span, "model.shared", *ret_model != NULL);
  if (*ret_model) {
    op->cache_hit = 1;
    return HOIST_OK;
  }
  status = load_new(op, ret_model);
  registry_finish(registry, op->id.text, status == HOIST_OK ? *ret_model : NULL,
                  status == HOIST_OK ? (*ret_model)->info->total_bytes : 0, &op->error);
  if (status == HOIST_OK)
    metrics_loaded(&op->span, op->hoist->telemetry, op->id.text, (*ret_model)->info->load_time_s);
  return status;
}

static void describe_load(struct operation *op) {
  hoist_span_set_double(&op->span, "model.load_time_seconds", operation_seconds(op));
  hoist_span_set_bool(&op->span, "model.artifacts.cache_hit", op->cache_hit);
  hoist_span_set_int(&op->span, "model.artifacts.downloaded_bytes", (int64_t)op->downloaded_bytes);
}

enum hoist_status hoist_load(struct hoist *hoist, const char *model_id,
                             const struct hoist_call_options *options,
                             struct hoist_model **ret_model, struct hoist_error *err) {
  struct operation op;
  struct hoist_model *model = NULL;
  enum hoist_status status = operation_begin(&op, hoist, "model.load", model_id, options);
  if (status == HOIST_OK) status = load_shared(&op, &model);
  describe_load(&op);
  if (status == HOIST_OK)
    operation_report(&op, (struct hoist_progress){.kind = HOIST_PROGRESS_DONE});
  status = operation_end(&op, status, err);
  if (status == HOIST_OK) *ret_model = model;
  return status;
}

static enum hoist_status pull(struct operation *op, struct hoist_info **ret_info) {
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = access_check(op);
  if (status == HOIST_OK) status = acquire(op, &entry, ret_info);
  if (status != HOIST_OK) return status;
  (*ret_info)->cache_hit = op->cache_hit;
  (*ret_info)->downloaded_bytes = op->downloaded_bytes;
  (*ret_info)->resumed_bytes = op->resumed_bytes;
  (*ret_info)->load_time_s = operation_seconds(op);
  operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_DONE});
  return HOIST_OK;
}

enum hoist_status hoist_pull(struct hoist *hoist, const char *model_id,
                             const struct hoist_call_options *options, struct hoist_info **ret_info,
                             struct hoist_error *err) {
  struct operation op;
  HOIST_AUTO(hoist_info) struct hoist_info *info = NULL;
  enum hoist_status status = operation_begin(&op, hoist, "model.pull", model_id, options);
  if (status == HOIST_OK) status = pull(&op, &info);
  describe_load(&op);
  status = operation_end(&op, status, err);
  if (status == HOIST_OK && ret_info) *ret_info = HOIST_TAKE(info);
  return status;
}

/* Inputs and outputs come from a session; a machine without a runtime can still look at the rest. */
static enum hoist_status inspect(struct operation *op, struct hoist_model *model) {
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = acquire_from_cache(op, &entry, &model->info);
  if (status != HOIST_OK) return status;
  model->info->cache_hit = 1;
  status = opening_finish(op, entry, model);
  if (status == HOIST_UNSUPPORTED && !model->ort) status = HOIST_OK;
  model->info->load_time_s = operation_seconds(op);
  return status;
}

enum hoist_status hoist_inspect(struct hoist *hoist, const char *model_id,
                                const struct hoist_call_options *options,
                                struct hoist_info **ret_info, struct hoist_error *err) {
  struct operation op;
  HOIST_AUTO(model) struct hoist_model *model = calloc(1, sizeof *model);
  enum hoist_status status = operation_begin(&op, hoist, "model.inspect", model_id, options);
  if (status == HOIST_OK && !model) status = hoist_fail_memory(&op.error, op.id.text);
  if (status == HOIST_OK) status = inspect(&op, model);
  status = operation_end(&op, status, err);
  if (status == HOIST_OK) *ret_info = HOIST_TAKE(model->info);
  return status;
}

enum hoist_status hoist_describe(struct hoist *hoist, const char *model_id,
                                 const struct hoist_call_options *options,
                                 struct hoist_info **ret_info, struct hoist_error *err) {
  struct operation op;
  HOIST_AUTO(hoist_info) struct hoist_info *info = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = operation_begin(&op, hoist, "model.describe", model_id, options);
  if (status == HOIST_OK) status = acquire_from_cache(&op, &entry, &info);
  if (status == HOIST_OK) {
    info->cache_hit = 1;
    info->load_time_s = operation_seconds(&op);
  }
  status = operation_end(&op, status, err);
  if (status == HOIST_OK) *ret_info = HOIST_TAKE(info);
  return status;
}

/* No operation: what is waited for has spans of its own, and most of the time there is nothing. */
enum hoist_status hoist_settle(struct hoist *hoist, const struct hoist_call_options *options,
                               void (*report)(void *user, const struct hoist_graph_report *report),
                               void *user, struct hoist_error *err) {
  struct graph_result r;
  struct call call;
  enum hoist_status status = operation_limits(hoist, options, &call, err);
  if (status == HOIST_OK) status = saver_wait(&call, hoist->saver, err);
  if (status != HOIST_OK) return status;
  while (saver_take_result(hoist->saver, &r)) {
    const struct hoist_graph_report news = {
        .model_id = r.model_id,
        .status = r.error.status,
        .message = r.error.status == HOIST_OK ? "saved" : r.error.message,
        .weights_s = (double)r.facts.weights_ns / (double)NS_PER_S,
        .graph_s = (double)r.facts.graph_ns / (double)NS_PER_S,
        .bytes = r.bytes};
    if (report) report(user, &news);
  }
  return HOIST_OK;
}
