/* SPDX-License-Identifier: Apache-2.0 */
/* How many sessions are created at once, those counted that were left to the runtime: no more than there are
 * processors, and beyond the first only as memory lasts. Thread-safe. */
#ifndef HOIST_LOADER_GATE_H
#define HOIST_LOADER_GATE_H

#include <pthread.h>

#include "call.h"

struct gate {
  pthread_mutex_t lock; /* guards the rest */
  pthread_cond_t changed;
  unsigned inside, capacity;
  uint64_t (*available)(void); /* bytes of memory; memory_available but in tests */
  unsigned (*left)(void);      /* creations beyond those inside; session_count_left but in tests */
};

void gate_init(struct gate *gate);
void gate_done(struct gate *gate);
/** Waits for a place, in a span model.session.wait where that takes any time.
 *  @param bytes  of the model's files; a session is taken to need GATE_MEMORY_FACTOR times that
 *  Errors: CANCELLED, TIMEOUT */
HOIST_MUST_CHECK enum hoist_status gate_enter(const struct call *call, struct gate *gate,
                                              uint64_t bytes, struct hoist_error *err);
void gate_leave(struct gate *gate);
#define GATE_MEMORY_FACTOR 3

#endif
