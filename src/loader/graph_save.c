/* SPDX-License-Identifier: Apache-2.0 */
/* Making a saved graph. Which form pays, and whether any does, depends on the model, so it is measured: the
 * model as it came against each form, on the machine that will load it. Runs on one thread at a time, the
 * saver's or that of a load, with one thread per session, so that the program's own work is disturbed
 * little. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fs.h"
#include "gc.h"
#include "graphs.h"
#include "memory.h"
#include "text.h"

/* The weights of large models are copied into the layout that kernels want. Saving them in that layout takes
 * twice the disk, which is not worth it for small ones; of large ones every process saves a copy in memory, so
 * there it may also be a little slower, and where it will do nothing else is tried. */
#define PACKED_FROM_BYTES ((uint64_t)16 << 20)
#define PACKED_ONLY_FROM_BYTES ((uint64_t)64 << 20)
#define PACKED_MAY_TAKE_PERCENT 125 /* of the other form's time */
/* The model, its optimised copy, the serialised form, and packed weights, at the worst moment. */
#define MEMORY_FACTOR 4
#define DISK_FACTOR 4
#define SPARE_BYTES ((uint64_t)64 << 20)
#define ROUNDS 3            /* of which the fastest counts … */
#define LONG_NS NS_PER_S    /* … unless one takes so long that noise does not matter */
#define WORTH_IT_PERCENT 90 /* of the time without; closer than that it may be noise */

struct making {
  const struct call *call;
  struct hoist *hoist;
  const struct graph_job *job;
  struct session_options options;
  struct cache_graph_txn *txn;
  char *weights_path;
  uint64_t weights_bytes;
  struct cache_graph_facts facts; /* of the best so far */
  enum graph_form best;
  int has_best;
};

static void making_cleanup(struct making *m) {
  cache_graph_discard(m->txn);
  free(m->weights_path);
}

static enum hoist_status check_room(const struct making *m, struct hoist_error *err) {
  char needed[TEXT_BYTES_SIZE], there[TEXT_BYTES_SIZE];
  uint64_t memory = MEMORY_FACTOR * m->weights_bytes + SPARE_BYTES;
  uint64_t disk = DISK_FACTOR * m->weights_bytes + SPARE_BYTES / 4;
  uint64_t free_memory = memory_available(), free_disk = fs_free_bytes(cache_root(m->hoist->cache));
  if (free_memory < memory)
    return hoist_fail(err, HOIST_NO_MEMORY,
                      "saving the graph takes up to %s of memory, %s are free",
                      text_bytes(needed, memory), text_bytes(there, free_memory));
  if (free_disk < disk)
    return hoist_fail(err, HOIST_NO_SPACE, "saving the graph takes up to %s of disk, %s are free",
                      text_bytes(needed, disk), text_bytes(there, free_disk));
  return HOIST_OK;
}

static enum hoist_status prepare(struct making *m, struct hoist_error *err) {
  const struct graph_job *job = m->job;
  const struct manifest_file *weights =
      manifest_find(cache_entry_manifest(job->entry), job->weights);
  m->weights_bytes = weights ? manifest_total_size(cache_entry_manifest(job->entry), NULL) : 0;
  m->weights_path = text_format("%s/%s", cache_entry_dir(job->entry), job->weights);
  if (!m->weights_path) return hoist_fail_memory(err, "saving a graph");
  enum hoist_status status = check_room(m, err);
  if (status != HOIST_OK) return status;
  return cache_graph_begin(m->hoist->cache, &job->id, job->key, &m->txn, err);
}

/* ---- measuring --------------------------------------------------------------------------- */

/* @param dir  of a graph of that form; NULL: the model as it came */
static enum hoist_status time_once(struct making *m, const char *dir, enum graph_form form,
                                   uint64_t *ret_ns, struct hoist_error *err) {
  struct ort *ort = m->job->ort;
  return dir ? session_time_graph(m->call, ort, dir, form, &m->options, ret_ns, err)
             : session_time_weights(m->call, ort, m->weights_path, &m->options, ret_ns, err);
}

static enum hoist_status measure(struct making *m, const char *dir, enum graph_form form,
                                 uint64_t *ret_ns, struct hoist_error *err) {
  uint64_t best = UINT64_MAX;
  for (int i = 0; i < ROUNDS && (i == 0 || best < LONG_NS); i++) {
    uint64_t ns = 0;
    enum hoist_status status = time_once(m, dir, form, &ns, err);
    if (status != HOIST_OK) return status;
    if (ns < best) best = ns;
  }
  *ret_ns = best;
  return HOIST_OK;
}

/* One form: made, opened, timed. */
static enum hoist_status try_form(struct making *m, enum graph_form form, struct hoist_error *err) {
  HOIST_AUTO(mem) char *dir = NULL;
  uint64_t ns = 0;
  enum hoist_status status = cache_graph_stage(m->txn, graph_form_name(form), &dir, err);
  if (status == HOIST_OK)
    status = session_save_graph(m->call, m->job->ort, m->weights_path, dir, form, &m->options, err);
  if (status == HOIST_OK) status = measure(m, dir, form, &ns, err);
  if (status != HOIST_OK) return status;
  uint64_t allowed =
      m->facts.graph_ns / 100 * (form == GRAPH_PACKED ? PACKED_MAY_TAKE_PERCENT : 100);
  if (m->has_best && ns >= allowed) return HOIST_OK;
  m->has_best = 1;
  m->best = form;
  m->facts.graph_ns = ns;
  text_copy(m->facts.form, sizeof m->facts.form, graph_form_name(form));
  return HOIST_OK;
}

static int is_worth_it(const struct making *m) {
  return m->has_best && m->facts.graph_ns <= m->facts.weights_ns / 100 * WORTH_IT_PERCENT;
}

/* What will be the same next time is put down, so that it is not tried at every load; what may not, such as
 * a full disk, is not. */
static int is_final(enum hoist_status status) {
  return status == HOIST_OK || status == HOIST_UNSUPPORTED || status == HOIST_CORRUPT;
}

/* A form that a model cannot be saved in is no failure while there is another. */
static enum hoist_status try_forms(struct making *m, struct hoist_error *err) {
  struct hoist_error problem = {0};
  enum hoist_status status = measure(m, NULL, GRAPH_MAPPED, &m->facts.weights_ns, err);
  if (status != HOIST_OK) return status;
  int is_large = m->weights_bytes >= PACKED_ONLY_FROM_BYTES;
  if (is_large) status = try_form(m, GRAPH_PACKED, &problem);
  if (is_final(status) && !(is_large && is_worth_it(m)))
    status = try_form(m, GRAPH_MAPPED, &problem);
  if (is_final(status) && !is_large && m->weights_bytes >= PACKED_FROM_BYTES)
    status = try_form(m, GRAPH_PACKED, &problem);
  if (m->has_best && is_final(status)) return HOIST_OK;
  if (err) *err = problem;
  return status;
}

/* ---- the verdict ------------------------------------------------------------------------- */

/* The runtime wrote by name while the files' names could be given to others: what it read must still be what
 * was verified, as for any session. */
static enum hoist_status finish(struct making *m, enum hoist_status made, uint64_t *ret_bytes,
                                struct hoist_error *problem) {
  if (!is_final(made)) return made;
  enum hoist_status status = cache_entry_check_unchanged(m->job->entry, problem);
  if (status != HOIST_OK) return status;
  m->facts.created_unix_s = clock_realtime_ns() / NS_PER_S;
  if (made != HOIST_OK)
    snprintf(m->facts.objection, sizeof m->facts.objection, "%.250s", problem->message);
  else if (!is_worth_it(m))
    snprintf(m->facts.objection, sizeof m->facts.objection,
             "a saved graph opens in %.1f ms, the model itself in %.1f: not worth it",
             (double)m->facts.graph_ns / 1e6, (double)m->facts.weights_ns / 1e6);
  status = cache_graph_commit(m->call, HOIST_TAKE(m->txn), graph_form_name(m->best), &m->facts,
                              ret_bytes, problem);
  if (status == HOIST_OK) gc_after_graph(m->call, m->hoist, &m->job->id);
  if (status == HOIST_OK && m->facts.objection[0])
    return hoist_fail(problem, HOIST_UNSUPPORTED, "%s", m->facts.objection);
  return status;
}

static enum hoist_status save(struct making *m, uint64_t *ret_bytes, struct hoist_error *err) {
  enum hoist_status status = prepare(m, err);
  if (status != HOIST_OK) return status;
  return finish(m, try_forms(m, err), ret_bytes, err);
}

static void start_span(const struct call *call, struct hoist *hoist, const struct graph_job *job,
                       struct hoist_span *ret_span) {
  static const char name[] = "model.graph_cache.save";
  if (call->span)
    hoist_span_start(call->span, name, HOIST_SPAN_INTERNAL, ret_span);
  else
    hoist_span_start_root(hoist->telemetry, name, HOIST_SPAN_INTERNAL, NULL, ret_span);
  if (!call->span && hoist_span_context_is_valid(&job->load))
    hoist_span_add_link(ret_span, &job->load, NULL, 0);
  hoist_span_set_string(ret_span, "model.id", job->id.text);
}

static void describe(struct hoist_span *span, const struct graph_result *r) {
  hoist_span_set_string(span, "graph_cache.form", r->facts.form);
  hoist_span_set_double(span, "graph_cache.weights_seconds", (double)r->facts.weights_ns / 1e9);
  hoist_span_set_double(span, "graph_cache.graph_seconds", (double)r->facts.graph_ns / 1e9);
  hoist_span_set_int(span, "graph_cache.bytes", (int64_t)r->bytes);
  if (r->facts.objection[0]) hoist_span_set_string(span, "graph_cache.detail", r->facts.objection);
}

/* Threads of one session must not crowd out those of the program; the form does not depend on their
 * number. */
static struct session_options quiet_options(const struct hoist *hoist) {
  struct session_options options = hoist->session;
  options.intra_op_threads = options.inter_op_threads = 1;
  return options;
}

void graph_save(const struct call *call, struct hoist *hoist, const struct graph_job *job,
                struct graph_result *ret_result) {
  *ret_result = (struct graph_result){.next = NULL};
  struct hoist_span span;
  start_span(call, hoist, job, &span);
  struct call own = *call;
  own.span = NULL; /* the many sessions made here would drown the trace */
  __attribute__((cleanup(making_cleanup))) struct making m = {
      .call = &own, .hoist = hoist, .job = job, .options = quiet_options(hoist)};
  enum hoist_status status = save(&m, &ret_result->bytes, &ret_result->error);
  text_copy(ret_result->model_id, sizeof ret_result->model_id, job->id.text);
  ret_result->facts = m.facts;
  if (status == HOIST_OK) ret_result->error = (struct hoist_error){0};
  describe(&span, ret_result);
  if (status != HOIST_OK && !m.facts.objection[0])
    hoist_span_record_error(&span, &ret_result->error);
  hoist_span_end(&span);
}

void graph_job_free(struct graph_job *job) {
  if (!job) return;
  free(job->weights);
  cache_entry_release(job->entry);
  ort_close(job->ort);
  free(job);
}
