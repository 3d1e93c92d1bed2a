/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder around the spans: its life, its clock, forks, and what it says about itself. Owns
 * the queue and the metrics. Threads: any, but for init, done and the drain. */
#include "recorder.h"

#include "clock.h"

/* How old an anchor may get before a new trace measures again: bounds how long a set clock is
 * missed. */
#define ANCHOR_AGE_MAX_NS NS_PER_S
enum { ANCHOR_TRIES = 3, RESETTING = 0 };

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

enum hoist_status recorder_init(struct recorder *r, const struct recorder_config *config,
                                struct hoist_error *err) {
  *r = (struct recorder){.base = {.spans = &recorder_spans}, .config = *config};
  enum hoist_status status = queue_init(&r->queue, config->queue_bytes, err);
  if (status != HOIST_OK) return status;
  metrics_init(&r->metrics, &config->metrics);
  fork_watch();
  atomic_store(&r->generation, fork_generation());
  measure_anchor(r);
  r->start_unix_ns = recorder_now(r);
  return HOIST_OK;
}

void recorder_done(struct recorder *r) {
  queue_done(&r->queue);
  metrics_done(&r->metrics);
}

bool recorder_take_over(struct recorder *r) {
  unsigned current = fork_generation(), found = atomic_load(&r->generation);
  if (found == RESETTING || found == current ||
      !atomic_compare_exchange_strong(&r->generation, &found, RESETTING))
    return found == current;
  queue_reset_after_fork(&r->queue);
  metrics_reset_after_fork(&r->metrics);
  r->start_unix_ns = recorder_now(r);
  if (r->config.on_fork) r->config.on_fork(r->config.user);
  atomic_store_explicit(&r->generation, current, memory_order_release);
  return true;
}

void recorder_counts(struct recorder *r, struct recorder_counts *ret_counts) {
  struct queue *q = &r->queue;
  uint64_t accepted, refused;
  queue_counts(q, &accepted, &refused);
  pthread_mutex_lock(&q->lock);
  uint64_t full = q->full_count;
  pthread_mutex_unlock(&q->lock);
  *ret_counts = (struct recorder_counts){.started = accepted + refused,
                                         .ended = accepted + refused,
                                         .refused = refused,
                                         .queue_bytes = full * q->chunk_bytes,
                                         .queue_bytes_max = q->chunk_count * q->chunk_bytes};
}

enum hoist_status recorder_encode_metrics(struct recorder *r, unsigned scope, struct buf *out,
                                          size_t *ret_points, struct hoist_error *err) {
  const struct metrics_window window = {.temporality = r->config.temporality,
                                        .start_unix_ns = r->start_unix_ns,
                                        .now_unix_ns = recorder_now(r)};
  return metrics_encode(&r->metrics, scope, &window, out, ret_points, err);
}
