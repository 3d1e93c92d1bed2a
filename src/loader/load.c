/* SPDX-License-Identifier: Apache-2.0 */
/* What a load is, top to bottom: join whoever loads this model already, acquire verified artifacts,
 * create the session, publish the model. Runs on the caller's thread; any number of calls at once. */
#include "acquire.h"
#include "info.h"
#include "metrics.h"
#include "model.h"

static enum hoist_status open_session(struct operation *op, const struct call *call,
                                      const struct cache_entry *entry, struct hoist_model *model,
                                      struct hoist_span *span) {
  struct hoist_error *err = &op->error;
  enum hoist_status status = ort_open(call, op->hoist->onnxruntime, &model->ort, err);
  if (status != HOIST_OK) return status;
  hoist_span_set_string(span, "onnxruntime.version", ort_version(model->ort));
  const struct session_options options = {.intra_op_threads = (int)op->hoist->intra_op_threads};
  status =
      session_open(call, model->ort, entry, model->info->weights, &options, &model->session, err);
  if (status != HOIST_OK) return status;
  hoist_span_set_string(span, "onnxruntime.execution_provider", session_provider(model->session));
  return info_add_session(model->info, model->ort, model->session, err);
}

static enum hoist_status create_session(struct operation *op, const struct cache_entry *entry,
                                        struct hoist_model *model) {
  operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_SESSION});
  struct hoist_span span;
  hoist_span_start(&op->span, "model.session.create", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "model.id", op->id.text);
  hoist_span_set_string(&span, "graph_cache", "off");
  struct call call = op->call;
  call.span = &span;
  enum hoist_status status = open_session(op, &call, entry, model, &span);
  if (status != HOIST_OK) {
    hoist_error_prepend(&op->error, "%s", op->id.text);
    hoist_span_record_error(&span, &op->error);
  }
  hoist_span_end(&span);
  return status;
}

static enum hoist_status load_new(struct operation *op, struct hoist_model **ret_model) {
  HOIST_AUTO(model) struct hoist_model *model = calloc(1, sizeof *model);
  if (!model) return hoist_fail_memory(&op->error, op->id.text);
  model->registry = registry_ref(op->hoist->registry);
  model->telemetry = op->hoist->telemetry;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = acquire(op, &entry, &model->info);
  if (status == HOIST_OK) status = create_session(op, entry, model);
  if (status == HOIST_OK) status = call_check(&op->call, op->id.text, &op->error);
  if (status != HOIST_OK) return status;
  model->info->cache_hit = op->cache_hit;
  model->info->downloaded_bytes = op->downloaded_bytes;
  model->info->load_time_s = operation_seconds(op);
  *ret_model = HOIST_TAKE(model);
  return HOIST_OK;
}

static enum hoist_status load_shared(struct operation *op, struct hoist_model **ret_model) {
  struct registry *registry = op->hoist->registry;
  enum hoist_status status = registry_join(&op->call, registry, op->id.text, ret_model, &op->error);
  if (status != HOIST_OK) return status;
  hoist_span_set_bool(&op->span, "model.shared", *ret_model != NULL);
  if (*ret_model) {
    op->cache_hit = 1;
    return HOIST_OK;
  }
  status = load_new(op, ret_model);
  registry_finish(registry, op->id.text, status == HOIST_OK ? *ret_model : NULL, &op->error);
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
  enum hoist_status status = acquire(op, &entry, ret_info);
  if (status != HOIST_OK) return status;
  (*ret_info)->cache_hit = op->cache_hit;
  (*ret_info)->downloaded_bytes = op->downloaded_bytes;
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
  status = create_session(op, entry, model);
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
