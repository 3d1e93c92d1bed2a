/* SPDX-License-Identifier: Apache-2.0 */
/* The export thread and those who wait for it. The worker sleeps until the batch delay is over, the
 * metric interval is, the queue presses, or somebody flushes or closes. It runs with all signals
 * blocked, so a closed pipe is an error and not the end of the program. Owned by whoever opened it;
 * where close ran out of time while an exporter hangs in the kernel or a resolver, by the worker. */
#include "pipeline.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "condition.h"
#include "prometheus.h"
#include "resource.h"
#include "self.h"

/* What an exporter is granted to notice that time is up, before the worker is left to itself. */
#define CLOSE_GRACE_NS (250 * NS_PER_MS)

static struct pipeline *pipeline_of(struct hoist_telemetry *telemetry) {
  return (struct pipeline *)recorder_of(telemetry);
}

void pipeline_init_locks(struct pipeline *p) {
  pthread_mutex_init(&p->lock, NULL);
  condition_init(&p->to_worker);
  condition_init(&p->to_waiters);
}

void pipeline_free(struct pipeline *p) {
  for (size_t i = 0; i < p->exporter_count; i++)
    exporter_free(p->exporters[i]);
  recorder_done(&p->recorder);
  buf_done(&p->resource);
  for (size_t i = 0; i < RECORDER_SCOPES_MAX; i++)
    buf_done(&p->items[i]);
  buf_done(&p->message);
  buf_done(&p->text);
  free(p->service_name);
  free(p->resource_attributes);
  free(p->metrics_file);
  pthread_cond_destroy(&p->to_worker);
  pthread_cond_destroy(&p->to_waiters);
  pthread_mutex_destroy(&p->lock);
  free(p);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* ---- the worker ---------------------------------------------------------------------------------- */

/* What one round is for. */
struct round {
  uint64_t flushes; /* flushes_wanted when it began */
  bool is_last, with_metrics;
};

static struct round wait_for_work(struct pipeline *p) {
  uint64_t due_ns = clock_monotonic_ns() + p->batch_delay_ms * NS_PER_MS;
  pthread_mutex_lock(&p->lock);
  while (!p->is_stopping && !p->is_pressed && p->flushes_wanted == p->flushes_done &&
         clock_monotonic_ns() < earlier(due_ns, p->metrics_due_ns))
    (void)condition_wait_until(&p->to_worker, &p->lock, earlier(due_ns, p->metrics_due_ns));
  struct round round = {.flushes = p->flushes_wanted, .is_last = p->is_stopping};
  bool is_flush = p->flushes_wanted != p->flushes_done || p->is_stopping;
  p->trouble[0] = '\0';
  p->is_pressed = false;
  pthread_mutex_unlock(&p->lock);
  round.with_metrics = is_flush || clock_monotonic_ns() >= p->metrics_due_ns;
  return round;
}

static void schedule_metrics(struct pipeline *p) {
  p->metrics_due_ns = clock_monotonic_ns() + p->metric_interval_ms * NS_PER_MS;
}

static void report_round(struct pipeline *p, const struct round *round,
                         const struct hoist_error *result) {
  pthread_mutex_lock(&p->lock);
  if (round->flushes != p->flushes_done) p->flush_result = *result;
  p->flushes_done = round->flushes;
  pthread_cond_broadcast(&p->to_waiters);
  pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg) {
  struct pipeline *p = arg;
  schedule_metrics(p);
  for (;;) {
    struct hoist_error result = {.status = HOIST_OK};
    struct round round = wait_for_work(p);
    result.status = pipeline_export(p, round.with_metrics, &result);
    if (round.with_metrics) schedule_metrics(p);
    report_round(p, &round, &result);
    if (round.is_last) break;
  }
  pthread_mutex_lock(&p->lock);
  p->is_running = false;
  bool is_abandoned = p->is_abandoned;
  pthread_cond_broadcast(&p->to_waiters);
  pthread_mutex_unlock(&p->lock);
  if (is_abandoned) pipeline_free(p);
  return NULL;
}

static enum hoist_status make_resource(struct pipeline *p, struct hoist_error *err) {
  struct hoist_error list_error = {0};
  p->resource = buf_make(RESOURCE_MAX);
  enum hoist_status status =
      resource_encode(p->service_name, p->resource_attributes, &p->resource, &list_error, err);
  if (status == HOIST_OK && list_error.status != HOIST_OK)
    pipeline_warn(p, WARN_RESOURCE, "resource attributes ignored: %s", list_error.message);
  return status;
}

enum hoist_status pipeline_start(struct pipeline *p, struct hoist_error *err) {
  sigset_t all, before;
  enum hoist_status status = make_resource(p, err);
  if (status != HOIST_OK) return status;
  for (size_t i = 0; i < RECORDER_SCOPES_MAX; i++)
    p->items[i] = buf_make(PIPELINE_MESSAGE_MAX);
  p->message = buf_make(PIPELINE_MESSAGE_MAX);
  p->text = buf_make(PROMETHEUS_MAX);
  sigfillset(&all);
  pthread_mutex_lock(&p->lock);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failed = pthread_create(&p->worker, NULL, work, p);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  p->is_running = failed == 0;
  pthread_mutex_unlock(&p->lock);
  return failed ? hoist_fail_errno(err, failed, "starting the telemetry export thread") : HOIST_OK;
}

void pipeline_on_pressure(void *user) {
  struct pipeline *p = user;
  pthread_mutex_lock(&p->lock);
  p->is_pressed = true;
  pthread_cond_signal(&p->to_worker);
  pthread_mutex_unlock(&p->lock);
}

void pipeline_on_reset(void *user) {
  struct pipeline *p = user;
  pipeline_init_locks(p);
  p->is_running = p->is_pressed = p->is_stopping = p->is_in_io = false;
  p->flushes_wanted = p->flushes_done = 0;
  p->totals = (struct hoist_telemetry_status){0};
  p->trouble[0] = '\0';
  p->observed = (struct recorder_counts){0};
  p->observed_lost = 0;
  p->refused_seen = 0;
}

/* The parent's worker does not exist here, and its buffers may be half-written: they are left. So is its
 * metrics file, which two processes would take from each other. */
void pipeline_on_fork(void *user) {
  struct pipeline *p = user;
  p->metrics_file = NULL;
  for (size_t i = 0; i < p->exporter_count; i++)
    if (p->exporters[i]->ops->after_fork) p->exporters[i]->ops->after_fork(p->exporters[i]);
  struct hoist_error error;
  if (pipeline_start(p, &error) != HOIST_OK)
    pipeline_warn(p, WARN_TRACES, "nothing is exported from this forked process: %s",
                  error.message);
}

/* ---- those who wait ------------------------------------------------------------------------------ */

static enum hoist_status flush(struct hoist_telemetry *telemetry, uint32_t timeout_ms,
                               struct hoist_error *err) {
  struct pipeline *p = pipeline_of(telemetry);
  uint64_t until_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
  recorder_settle(&p->recorder);
  pthread_mutex_lock(&p->lock);
  if (!p->is_running || pthread_equal(p->worker, pthread_self())) {
    bool is_running = p->is_running;
    pthread_mutex_unlock(&p->lock);
    return is_running ? hoist_fail(err, HOIST_INVALID, "flush was called from the export thread")
                      : hoist_fail(err, HOIST_UNAVAILABLE, "there is no telemetry export thread");
  }
  uint64_t ticket = ++p->flushes_wanted;
  pthread_cond_signal(&p->to_worker);
  while (p->flushes_done < ticket && clock_monotonic_ns() < until_ns)
    (void)condition_wait_until(&p->to_waiters, &p->lock, until_ns);
  bool is_done = p->flushes_done >= ticket;
  struct hoist_error result = p->flush_result;
  char trouble[sizeof p->trouble];
  memcpy(trouble, p->trouble, sizeof trouble);
  pthread_mutex_unlock(&p->lock);
  if (!is_done)
    return hoist_fail(err, HOIST_TIMEOUT, "telemetry was not exported within %u ms%s%s", timeout_ms,
                      trouble[0] ? ": " : "", trouble);
  if (result.status == HOIST_OK) return HOIST_OK;
  if (err) *err = result;
  if (err) err->status = HOIST_UNAVAILABLE;
  return HOIST_UNAVAILABLE;
}

/* Under the lock. True when the worker has ended; false when it hangs in an exporter. */
static bool wait_for_end(struct pipeline *p, uint64_t give_up_ns) {
  while (p->is_running) {
    uint64_t now = clock_monotonic_ns();
    if (now >= give_up_ns && p->is_in_io) return false;
    /* Past that time only the worker itself can end the wait: a callback of the user's is running. */
    (void)condition_wait_until(&p->to_waiters, &p->lock,
                               now < give_up_ns ? give_up_ns : now + NS_PER_S);
  }
  return true;
}

static void stop(struct pipeline *p, uint32_t timeout_ms) {
  uint64_t stop_at_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
  atomic_store(&p->stop_at_ns, stop_at_ns);
  for (size_t i = 0; i < p->exporter_count; i++)
    if (p->exporters[i]->ops->wake) p->exporters[i]->ops->wake(p->exporters[i]);
  pthread_mutex_lock(&p->lock);
  p->is_stopping = true;
  pthread_cond_signal(&p->to_worker);
  pthread_t worker = p->worker;
  /* From a callback of the user's it is the worker that calls: it cannot wait for itself. */
  bool has_ended =
      !pthread_equal(worker, pthread_self()) && wait_for_end(p, stop_at_ns + CLOSE_GRACE_NS);
  p->is_abandoned = !has_ended;
  pthread_mutex_unlock(&p->lock);
  if (has_ended) {
    pthread_join(worker, NULL);
    pipeline_free(p);
  } else {
    pthread_detach(worker);
  }
}

static void close_pipeline(struct hoist_telemetry *telemetry, uint32_t timeout_ms) {
  struct pipeline *p = pipeline_of(telemetry);
  if (telemetry != &p->recorder.scopes[0].base) return; /* a view: it goes with the whole */
  /* In a forked child that recorded nothing there is nothing to flush and no worker to stop, but this
   * starts one: it then stops at once, and everything is freed in one way only. */
  recorder_settle(&p->recorder);
  if (p->is_running)
    stop(p, timeout_ms);
  else
    pipeline_free(p);
}

static uint64_t total_dropped(const struct hoist_telemetry_status *s) {
  return s->dropped.queue_full + s->dropped.export_failed + s->dropped.rejected +
         s->dropped.shutdown + s->dropped.no_memory;
}

static void get_status(const struct hoist_telemetry *telemetry,
                       struct hoist_telemetry_status *ret_status) {
  struct pipeline *p = pipeline_of((struct hoist_telemetry *)(uintptr_t)telemetry);
  struct recorder_counts counts;
  recorder_settle(&p->recorder);
  pthread_mutex_lock(&p->lock);
  *ret_status = p->totals;
  pthread_mutex_unlock(&p->lock);
  recorder_counts(&p->recorder, &counts);
  ret_status->spans_started = counts.started;
  ret_status->spans_ended = counts.ended - counts.refused;
  ret_status->dropped.queue_full = counts.refused;
  ret_status->spans_dropped = total_dropped(ret_status);
  ret_status->queue_bytes = counts.queue_bytes;
  ret_status->queue_bytes_max = counts.queue_bytes_max;
}

static struct hoist_telemetry *view(struct hoist_telemetry *telemetry, const char *name,
                                    const char *version) {
  struct recorder *recorder = recorder_of(telemetry);
  recorder_settle(recorder);
  return &recorder_scope(recorder, name, version)->base;
}

static unsigned get_propagators(const struct hoist_telemetry *telemetry) {
  return ((const struct pipeline *)telemetry->owner)->propagators;
}

/* ---- Prometheus ---------------------------------------------------------------------------------- */

enum hoist_status pipeline_render(struct pipeline *p, struct buf *out, size_t *ret_left_out,
                                  struct hoist_error *err) {
  struct prometheus_scope scopes[RECORDER_SCOPES_MAX];
  unsigned count = atomic_load_explicit(&p->recorder.scope_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++) {
    const struct recorder_scope *scope = &p->recorder.scopes[i];
    scopes[i] = (struct prometheus_scope){scope->name, scope->version ? scope->version : ""};
  }
  const struct prometheus_source source = {.metrics = &p->recorder.metrics,
                                           .scopes = scopes,
                                           .scope_count = count,
                                           .resource = p->resource.data,
                                           .resource_size = p->resource.size};
  self_observe(p);
  return prometheus_render(&source, out, ret_left_out, err);
}

static enum hoist_status prometheus(struct hoist_telemetry *telemetry, char **ret_text,
                                    size_t *ret_size, struct hoist_error *err) {
  struct pipeline *p = pipeline_of(telemetry);
  HOIST_AUTO(buf) struct buf text = buf_make(PROMETHEUS_MAX);
  size_t left_out;
  recorder_settle(&p->recorder);
  pthread_mutex_lock(&p->lock);
  bool is_running = p->is_running;
  pthread_mutex_unlock(&p->lock);
  if (!is_running) return hoist_fail(err, HOIST_UNAVAILABLE, "there is no telemetry export thread");
  enum hoist_status status = pipeline_render(p, &text, &left_out, err);
  if (status != HOIST_OK) return status;
  size_t size = text.size;
  char *taken = buf_take(&text);
  if (!taken) return hoist_fail_memory(err, "the metrics' text");
  *ret_text = taken;
  *ret_size = size;
  return HOIST_OK;
}

const struct lifetime_ops pipeline_lifetime = {.flush = flush,
                                               .close = close_pipeline,
                                               .get_status = get_status,
                                               .scope = view,
                                               .prometheus = prometheus,
                                               .propagators = get_propagators};
