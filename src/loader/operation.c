/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around every public call. An operation lives on the stack of the thread that called. */
#include "operation.h"

#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "dispatch.h"
#include "metrics.h"

/* Where the caller names no parent, the span it is in. */
static const struct hoist_span *find_parent(const struct hoist *hoist,
                                            const struct hoist_call_options *options) {
  if (options->parent || options->remote_parent) return options->parent;
  const struct hoist_span *current = hoist_span_current();
  return current && telemetry_is_same(current->telemetry, hoist->telemetry) ? current : NULL;
}

static void start_span(struct operation *op, const char *name,
                       const struct hoist_call_options *options) {
  const struct hoist_span *parent = find_parent(op->hoist, options);
  if (parent)
    hoist_span_start_in(op->hoist->telemetry, parent, name, HOIST_SPAN_INTERNAL, &op->span);
  else
    hoist_span_start_root(op->hoist->telemetry, name, HOIST_SPAN_INTERNAL, options->remote_parent,
                          &op->span);
}

static void forward_progress(void *user, const struct hoist_progress *event) {
  struct operation *op = user;
  struct hoist_progress named = *event;
  named.model_id = op->id.text; /* the layers below know no models */
  pthread_mutex_lock(&op->progress_lock);
  if (op->held) cache_lock_tell(op->held, &named);
  if (op->progress) op->progress(op->progress_user, &named);
  pthread_mutex_unlock(&op->progress_lock);
}

void operation_hold(struct operation *op, struct cache_lock *lock) {
  pthread_mutex_lock(&op->progress_lock);
  op->held = lock;
  pthread_mutex_unlock(&op->progress_lock);
}

static void set_limits(struct call *call, const struct hoist_call_options *options,
                       uint64_t started_ns) {
  if (options->timeout_ms > 0) call->deadline_ns = started_ns + options->timeout_ms * NS_PER_MS;
  /* struct hoist_cancel hides one int from C++ and C11 without atomics; it is used as an atomic_int. */
  if (options->cancel) call->cancel = (const atomic_int *)(const void *)&options->cancel->private_;
}

static void make_call(struct operation *op, const struct hoist_call_options *options) {
  op->call = (struct call){.telemetry = op->hoist->telemetry,
                           .span = &op->span,
                           .remote = options->parent ? NULL : options->remote_parent,
                           .baggage = options->baggage};
  set_limits(&op->call, options, op->started_ns);
  op->progress = options->progress;
  op->progress_user = options->progress_user;
  op->call.progress = forward_progress;
  op->call.progress_user = op;
}

static const struct hoist_call_options no_options = {0};

static enum hoist_status check_owner(const struct hoist *hoist, struct hoist_error *err) {
  if (getpid() == hoist->owner) return HOIST_OK;
  return hoist_fail(
      err, HOIST_INVALID,
      "this hoist object was opened by process %ld before a fork: open one in each process",
      (long)hoist->owner);
}

enum hoist_status operation_limits(const struct hoist *hoist,
                                   const struct hoist_call_options *options, struct call *ret_call,
                                   struct hoist_error *err) {
  *ret_call = (struct call){.telemetry = hoist->telemetry};
  set_limits(ret_call, options ? options : &no_options, clock_monotonic_ns());
  return check_owner(hoist, err);
}

enum hoist_status operation_begin_on_cache(struct operation *op, struct hoist *hoist,
                                           const char *span_name,
                                           const struct hoist_call_options *options) {
  if (!options) options = &no_options;
  op->hoist = hoist;
  op->id = (struct model_id){.text = ""};
  op->started_ns = clock_monotonic_ns();
  op->error = (struct hoist_error){0};
  op->held = NULL;
  op->verification = hoist->verification;
  op->opens_session = 0;
  op->is_opening_runtime = 0;
  op->opening = NULL;
  op->checked_unix_ns = 0;
  op->cache_hit = 0;
  op->lookup_counted = 0;
  op->downloaded_bytes = op->resumed_bytes = 0;
  pthread_mutex_init(&op->progress_lock, NULL);
  start_span(op, span_name, options);
  make_call(op, options);
  return check_owner(hoist, &op->error);
}

enum hoist_status operation_find_id(const struct hoist *hoist, const char *name,
                                    struct model_id *ret_id, struct hoist_error *err) {
  struct model_id id;
  enum hoist_status status = model_id_parse(name, &id, err);
  if (status != HOIST_OK) return status;
  const char *target = alias_resolve(hoist->aliases, name);
  if (target != name && !cache_has(hoist->cache, &id)) status = model_id_parse(target, &id, err);
  if (status == HOIST_OK) *ret_id = id;
  return status;
}

enum hoist_status operation_begin(struct operation *op, struct hoist *hoist, const char *span_name,
                                  const char *model_id, const struct hoist_call_options *options) {
  enum hoist_status status = operation_begin_on_cache(op, hoist, span_name, options);
  if (status != HOIST_OK) return status;
  if (!model_id) return hoist_fail(&op->error, HOIST_INVALID, "no model id was given");
  status = operation_find_id(hoist, model_id, &op->id, &op->error);
  if (status != HOIST_OK) return status;
  hoist_span_set_string(&op->span, "model.id", op->id.text);
  if (strcmp(model_id, op->id.text) != 0) hoist_span_set_string(&op->span, "model.alias", model_id);
  return call_check(&op->call, op->id.text, &op->error);
}

double operation_seconds(const struct operation *op) {
  return (double)(clock_monotonic_ns() - op->started_ns) / (double)NS_PER_S;
}

void operation_report(struct operation *op, struct hoist_progress event) {
  event.model_id = op->id.text;
  op->call.progress(op->call.progress_user, &event);
}

void operation_warn(struct operation *op, const char *message) {
  const struct hoist_attr text = {
      .key = "message", .type = HOIST_ATTR_STRING, .value = {.string = message}};
  hoist_span_add_event(&op->span, "hoist.warning", &text, 1);
  operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_WARNING, .message = message});
}

void operation_note(struct operation *op, const char *message) {
  operation_report(op, (struct hoist_progress){.kind = HOIST_PROGRESS_NOTICE, .message = message});
}

static enum hoist_status add_size(void *user, const struct cache_listing *l,
                                  struct hoist_error *err) {
  *(uint64_t *)user += l->size_bytes + l->graph_bytes;
  return HOIST_OK;
}

void operation_measure_cache(const struct operation *op) {
  uint64_t bytes = 0;
  if (op->hoist->telemetry && cache_list(op->hoist->cache, add_size, &bytes, NULL) == HOIST_OK)
    metrics_cache_size(&op->span, op->hoist->telemetry, bytes);
}

enum hoist_status operation_end(struct operation *op, enum hoist_status status,
                                struct hoist_error *err) {
  if (status != HOIST_OK) {
    hoist_span_record_error(&op->span, &op->error);
    metrics_error(&op->span, op->hoist->telemetry, status);
    if (err) *err = op->error;
  }
  hoist_span_end(&op->span);
  pthread_mutex_destroy(&op->progress_lock);
  return status;
}
