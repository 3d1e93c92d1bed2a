/* SPDX-License-Identifier: Apache-2.0 */
/* A counter with a bound. Who waits looks again every few milliseconds: memory that others give back says
 * nothing. */
#include "gate.h"

#include <hoist/telemetry.h>
#include <stdbool.h>
#include <unistd.h>

#include "condition.h"
#include "memory.h"
#include "session.h"

#define WAIT_SLICE_MS 10

void gate_init(struct gate *gate) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  *gate = (struct gate){.capacity = processors > 1 ? (unsigned)processors : 1,
                        .available = memory_available,
                        .left = session_count_left};
  pthread_mutex_init(&gate->lock, NULL);
  condition_init(&gate->changed);
}

void gate_done(struct gate *gate) {
  pthread_cond_destroy(&gate->changed);
  pthread_mutex_destroy(&gate->lock);
}

/* One may always go on: without it there would be no end. Creations that were left to themselves end by
 * themselves. */
static bool has_room(const struct gate *gate, uint64_t bytes) {
  unsigned busy = gate->inside + gate->left();
  if (busy == 0) return true;
  return busy < gate->capacity && gate->available() / GATE_MEMORY_FACTOR >= bytes;
}

static enum hoist_status wait_for_room(const struct call *call, struct gate *gate, uint64_t bytes,
                                       struct hoist_error *err) {
  struct hoist_span span;
  struct hoist_error problem = {0};
  enum hoist_status status = HOIST_OK;
  hoist_span_start(call->span, "model.session.wait", HOIST_SPAN_INTERNAL, &span);
  while (status == HOIST_OK && !has_room(gate, bytes)) {
    condition_wait_ns(&gate->changed, &gate->lock, WAIT_SLICE_MS * NS_PER_MS);
    status = call_check(call, "waiting for other sessions to be created", &problem);
  }
  if (status != HOIST_OK) {
    hoist_span_record_error(&span, &problem);
    if (err) *err = problem;
  }
  hoist_span_end(&span);
  return status;
}

enum hoist_status gate_enter(const struct call *call, struct gate *gate, uint64_t bytes,
                             struct hoist_error *err) {
  pthread_mutex_lock(&gate->lock);
  enum hoist_status status =
      has_room(gate, bytes) ? HOIST_OK : wait_for_room(call, gate, bytes, err);
  if (status == HOIST_OK) gate->inside++;
  pthread_mutex_unlock(&gate->lock);
  return status;
}

void gate_leave(struct gate *gate) {
  pthread_mutex_lock(&gate->lock);
  gate->inside--;
  pthread_cond_broadcast(&gate->changed);
  pthread_mutex_unlock(&gate->lock);
}
