/* SPDX-License-Identifier: Apache-2.0 */
/* Opening sessions. A draft and the comparison of its bytes run side by side; a draft on bytes that turn out
 * wrong is destroyed, and never seen by anybody. */
#include "opening.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "info.h"
#include "metrics.h"
#include "plan.h"
#include "runtime.h"
#include "saver.h"
#include "text.h"

struct opening {
  struct ort *ort;
  struct session_draft *draft;
  struct graph_look look;
  enum hoist_status status; /* of the draft */
  struct hoist_error error;
};

static void opening_free(struct opening *o) {
  if (!o) return;
  session_draft_discard(o->draft);
  graph_look_done(&o->look);
  ort_close(o->ort);
  free(o);
}

void opening_discard(struct operation *op) {
  opening_free(op->opening);
  op->opening = NULL;
}

/* ---- the span ---------------------------------------------------------------------------- */

static void start_span(struct operation *op, struct hoist_span *ret_span, struct call *ret_call) {
  operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_SESSION});
  hoist_span_start(&op->span, "model.session.create", HOIST_SPAN_INTERNAL, ret_span);
  hoist_span_set_string(ret_span, "model.id", op->id.text);
  *ret_call = op->call;
  ret_call->span = ret_span;
}

static void describe_session(struct hoist_span *span, const struct session *session) {
  hoist_span_set_string(span, "onnxruntime.execution_provider", session_provider(session));
  const char *refused = session_refused_providers(session);
  if (*refused) hoist_span_set_string(span, "onnxruntime.refused_providers", refused);
}

static void end_span(struct hoist_span *span, const struct graph_look *look,
                     enum hoist_status status, const struct hoist_error *error) {
  hoist_span_set_string(span, "graph_cache", graph_use_name(look->use));
  if (look->detail[0]) hoist_span_set_string(span, "graph_cache.detail", look->detail);
  if (status != HOIST_OK) hoist_span_record_error(span, error);
  hoist_span_end(span);
}

/* ---- while the bytes are compared -------------------------------------------------------- */

static enum hoist_status make_draft(struct operation *op, const struct call *call,
                                    const struct cache_claim *claim, struct opening *o,
                                    struct hoist_span *span) {
  const struct manifest *m = cache_claim_manifest(claim);
  const char *weights = NULL;
  enum hoist_status status = plan_weights(m, &weights, &o->error);
  if (status == HOIST_OK) status = runtime_open(call, op->hoist, &o->ort, &o->error);
  if (status != HOIST_OK) return status;
  hoist_span_set_string(span, "onnxruntime.version", ort_version(o->ort));
  graph_look_for(call, op->hoist, &op->id, m, o->ort, &o->look);
  status = gate_enter(call, &op->hoist->gate, manifest_total_size(m, NULL), &o->error);
  if (status != HOIST_OK) return status;
  status = session_draft_open(call, o->ort, claim, weights, o->look.graph, &op->hoist->session,
                              &o->draft, &o->error);
  gate_leave(&op->hoist->gate);
  if (status != HOIST_OK) return status;
  graph_look_settle(&o->look, op->hoist, &op->id, session_draft_session(o->draft));
  describe_session(span, session_draft_session(o->draft));
  return HOIST_OK;
}

static void draft(struct operation *op, const struct cache_claim *claim, struct opening *o) {
  struct hoist_span span;
  struct call call;
  start_span(op, &span, &call);
  o->status = make_draft(op, &call, claim, o, &span);
  if (o->status != HOIST_OK) hoist_error_prepend(&o->error, "%s", op->id.text);
  end_span(&span, &o->look, o->status, &o->error);
}

struct checking {
  struct operation *op;
  struct cache_claim *claim;
  enum hoist_status status;
  struct hoist_error error;
};

static void *check(void *user) {
  struct checking *c = user;
  c->status = cache_claim_check(&c->op->call, c->claim, &c->error);
  c->op->checked_unix_ns = clock_realtime_ns();
  return NULL;
}

enum hoist_status opening_begin(struct operation *op, struct cache_claim *claim) {
  struct opening *o = calloc(1, sizeof *o);
  if (!o) return hoist_fail_memory(&op->error, op->id.text);
  struct checking c = {.op = op, .claim = claim};
  pthread_t thread;
  int beside = pthread_create(&thread, NULL, check, &c) == 0;
  if (!beside) check(&c);
  if (beside || c.status == HOIST_OK) draft(op, claim, o);
  if (beside) pthread_join(thread, NULL);
  if (c.status != HOIST_OK) {
    opening_free(o);
    op->error = c.error;
    return c.status;
  }
  op->opening = o;
  return HOIST_OK;
}

/* ---- on a verified model ----------------------------------------------------------------- */

static enum hoist_status make_session(struct operation *op, const struct call *call,
                                      const struct cache_entry *entry, struct hoist_model *model,
                                      struct hoist_span *span) {
  struct hoist_error *err = &op->error;
  const char *weights = NULL;
  enum hoist_status status = plan_weights(cache_entry_manifest(entry), &weights, err);
  if (status == HOIST_OK) status = runtime_open(call, op->hoist, &model->ort, err);
  if (status != HOIST_OK) return status;
  hoist_span_set_string(span, "onnxruntime.version", ort_version(model->ort));
  graph_look_for(call, op->hoist, &op->id, cache_entry_manifest(entry), model->ort, &model->look);
  status = gate_enter(call, &op->hoist->gate, model->info->total_bytes, err);
  if (status != HOIST_OK) return status;
  status = session_open(call, model->ort, entry, weights, model->look.graph, &op->hoist->session,
                        &model->session, err);
  gate_leave(&op->hoist->gate);
  if (status != HOIST_OK) return status;
  graph_look_settle(&model->look, op->hoist, &op->id, model->session);
  describe_session(span, model->session);
  return HOIST_OK;
}

static enum hoist_status open_verified(struct operation *op, const struct cache_entry *entry,
                                       struct hoist_model *model) {
  struct hoist_span span;
  struct call call;
  start_span(op, &span, &call);
  enum hoist_status status = make_session(op, &call, entry, model, &span);
  if (status != HOIST_OK) hoist_error_prepend(&op->error, "%s", op->id.text);
  end_span(&span, &model->look, status, &op->error);
  return status;
}

static enum hoist_status confirm(struct operation *op, const struct cache_entry *entry,
                                 struct hoist_model *model) {
  struct opening *o = op->opening;
  enum hoist_status status = o->status;
  if (status != HOIST_OK)
    op->error = o->error;
  else
    status = session_confirm(HOIST_TAKE(o->draft), entry, &model->session, &op->error);
  model->ort = HOIST_TAKE(o->ort);
  model->look = o->look;
  o->look.graph = NULL;
  opening_discard(op);
  return status;
}

enum hoist_status opening_finish(struct operation *op, const struct cache_entry *entry,
                                 struct hoist_model *model) {
  enum hoist_status status =
      op->opening ? confirm(op, entry, model) : open_verified(op, entry, model);
  graph_look_done(&model->look); /* the session has what it needs of it */
  if (status != HOIST_OK) return status;
  if (op->hoist->graphs != GRAPHS_OFF)
    metrics_graph_lookup(&op->span, op->hoist->telemetry, graph_use_name(model->look.use));
  return info_add_session(model->info, model->ort, model->session, &model->look,
                          cache_graph_bytes(op->hoist->cache, &op->id), &op->error);
}

/* ---- afterwards -------------------------------------------------------------------------- */

static struct graph_job *new_job(const struct operation *op, struct cache_entry **entry,
                                 const struct hoist_model *model) {
  struct graph_job *job = calloc(1, sizeof *job);
  char *weights = text_dup(model->info->weights);
  if (!job || !weights) {
    free(job);
    free(weights);
    return NULL; /* the next load tries again */
  }
  *job = (struct graph_job){.id = op->id, .weights = weights, .ort = ort_ref(model->ort)};
  memcpy(job->key, model->look.key, sizeof job->key);
  job->entry = HOIST_TAKE(*entry);
  hoist_span_get_context(&op->span, &job->load);
  return job;
}

void opening_save_graph(struct operation *op, struct cache_entry **entry,
                        const struct hoist_model *model) {
  struct hoist *hoist = op->hoist;
  struct graph_job *job = model->look.wants_saving ? new_job(op, entry, model) : NULL;
  if (!job) return;
  if (hoist->graphs == GRAPHS_IN_BACKGROUND) {
    saver_submit(hoist->saver, job);
    return;
  }
  struct graph_result result;
  graph_save(&op->call, hoist, job, &result);
  graph_job_free(job);
  saver_report(hoist->saver, &result);
}
