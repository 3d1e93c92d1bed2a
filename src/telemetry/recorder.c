/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder around the spans: its life, its clock, forks, and what it says about itself. Owns
 * the queue and the metrics. Threads: any, but for init, done and the drain. */
#include "recorder.h"

#include <sched.h>
#include <stdlib.h>

#include "attr.h"
#include "clock.h"
#include "text.h"

/* How old an anchor may get before a new trace measures again: bounds how long a set clock is
 * missed. */
#define ANCHOR_AGE_MAX_NS NS_PER_S
enum { ANCHOR_TRIES = 3 };

/* The realtime clock read between two reads of the monotonic one; the tightest of a few. */
static void measure_anchor(struct recorder *r) {
  uint64_t best_gap = UINT64_MAX, anchor = 0, anchored = 0;
  for (int i = 0; i < ANCHOR_TRIES; i++) {
    uint64_t before = clock_monotonic_ns(), real = clock_realtime_ns();
    uint64_t gap = clock_monotonic_ns() - before;
    if (gap >= best_gap) continue;
    best_gap = gap;
    anchored = before;
    anchor = real - (before + gap / 2);
  }
  atomic_store_explicit(&r->anchor_ns, anchor, memory_order_relaxed);
  atomic_store_explicit(&r->anchored_ns, anchored, memory_order_relaxed);
}

uint64_t recorder_anchor(struct recorder *r, uint64_t monotonic_ns) {
  uint64_t anchored = atomic_load_explicit(&r->anchored_ns, memory_order_relaxed);
  /* Signed: another thread may have anchored after this one read its clock. */
  if ((int64_t)(monotonic_ns - anchored) > (int64_t)ANCHOR_AGE_MAX_NS) measure_anchor(r);
  return atomic_load_explicit(&r->anchor_ns, memory_order_relaxed);
}

uint64_t recorder_now(struct recorder *r) {
  uint64_t now = clock_monotonic_ns();
  return now + recorder_anchor(r, now);
}

/* ---- scopes -------------------------------------------------------------------------------------- */

/* Takes nothing where memory is short. */
static bool add_scope(struct recorder *r, const struct lifetime_ops *lifetime, const char *name,
                      const char *version) {
  unsigned index = atomic_load(&r->scope_count);
  struct recorder_scope scope = {.base = {&recorder_spans, lifetime, r},
                                 .index = (uint8_t)index,
                                 .name = text_dup(name),
                                 .version = text_dup(version)};
  if (!scope.name || (version && !scope.version)) {
    free(scope.name);
    free(scope.version);
    return false;
  }
  r->scopes[index] = scope;
  atomic_store_explicit(&r->scope_count, index + 1, memory_order_release);
  return true;
}

static struct recorder_scope *find_scope(struct recorder *r, const char *name,
                                         const char *version) {
  unsigned count = atomic_load_explicit(&r->scope_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++)
    if (text_equal(r->scopes[i].name, name) &&
        (version ? text_equal(r->scopes[i].version, version) : !r->scopes[i].version))
      return &r->scopes[i];
  return NULL;
}

struct recorder_scope *recorder_scope(struct recorder *r, const char *name, const char *version) {
  if (!name) name = "";
  pthread_mutex_lock(&r->scopes_lock);
  struct recorder_scope *scope = find_scope(r, name, version);
  unsigned count = atomic_load(&r->scope_count);
  if (!scope)
    scope = count < RECORDER_SCOPES_MAX && add_scope(r, r->scopes[0].base.lifetime, name, version)
                ? &r->scopes[count]
                : &r->scopes[0];
  pthread_mutex_unlock(&r->scopes_lock);
  return scope;
}

/* ---- life ---------------------------------------------------------------------------------------- */

enum hoist_status recorder_init(struct recorder *r, const struct recorder_config *config,
                                const struct lifetime_ops *lifetime, struct hoist_error *err) {
  *r = (struct recorder){.config = *config};
  bool is_own = config->scope_name != NULL;
  pthread_mutex_init(&r->scopes_lock, NULL);
  if (!add_scope(r, lifetime, is_own ? config->scope_name : "hoist",
                 is_own ? config->scope_version : HOIST_VERSION))
    return hoist_fail_memory(err, "telemetry");
  r->config.scope_name = r->config.scope_version = NULL; /* were borrowed */
  if (r->config.attribute_value_max > ATTR_TEXT_MAX) r->config.attribute_value_max = ATTR_TEXT_MAX;
  enum hoist_status status =
      queue_init(&r->queue, config->queue_bytes, config->on_pressure, config->user, err);
  if (status != HOIST_OK) {
    recorder_done(r);
    return status;
  }
  metrics_init(&r->metrics, &config->metrics);
  atomic_store(&r->generation, fork_generation());
  atomic_store(&r->resetting, fork_generation());
  measure_anchor(r);
  r->start_unix_ns = recorder_now(r);
  return HOIST_OK;
}

void recorder_done(struct recorder *r) {
  unsigned count = atomic_load(&r->scope_count);
  for (unsigned i = 0; i < count; i++) {
    free(r->scopes[i].name);
    free(r->scopes[i].version);
  }
  atomic_store(&r->scope_count, 0);
  queue_done(&r->queue);
  metrics_done(&r->metrics);
}

void recorder_take_over(struct recorder *r) {
  unsigned current = fork_generation(), claimed = atomic_load(&r->resetting);
  if (claimed == current || !atomic_compare_exchange_strong(&r->resetting, &claimed, current)) {
    /* Another thread of this process is at it, for microseconds. One that a further fork has left behind
     * in the parent claimed another number. */
    while (atomic_load_explicit(&r->generation, memory_order_acquire) != current)
      sched_yield();
    return;
  }
  pthread_mutex_init(&r->scopes_lock, NULL);
  queue_reset_after_fork(&r->queue);
  metrics_reset_after_fork(&r->metrics);
  r->start_unix_ns = recorder_now(r);
  if (r->config.on_reset) r->config.on_reset(r->config.user);
  atomic_store_explicit(&r->generation, current, memory_order_release);
  if (r->config.on_fork) r->config.on_fork(r->config.user);
}

void recorder_counts(struct recorder *r, struct recorder_counts *ret_counts) {
  struct queue_counts counts;
  queue_get_counts(&r->queue, &counts);
  uint64_t ended = counts.accepted + counts.refused;
  if (ended > counts.started) ended = counts.started; /* a span and its copy both did */
  *ret_counts = (struct recorder_counts){.started = counts.started,
                                         .ended = ended,
                                         .refused = counts.refused,
                                         .queue_bytes = counts.bytes,
                                         .queue_bytes_max = counts.bytes_max};
}

enum hoist_status recorder_encode_metrics(struct recorder *r, unsigned scope, struct buf *out,
                                          size_t *ret_points, struct hoist_error *err) {
  const struct metrics_window window = {.temporality = r->config.temporality,
                                        .start_unix_ns = r->start_unix_ns,
                                        .now_unix_ns = recorder_now(r)};
  return metrics_encode(&r->metrics, scope, &window, out, ret_points, err);
}
