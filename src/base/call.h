/* SPDX-License-Identifier: Apache-2.0 */
/* The context of one caller's operation: how long it may take, whether it was called off, which span
 * it belongs to and who watches its progress. It is the first parameter of whatever can block. A
 * struct call is small, read-only for callees, and may be shared by several threads; to change one
 * field (another parent span, say) copy it. */
#ifndef HOIST_BASE_CALL_H
#define HOIST_BASE_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct hoist_baggage;
struct hoist_span_context;
struct hoist_telemetry;
struct hoist_span;
struct hoist_progress;

struct call {
  uint64_t deadline_ns;     /* monotonic; 0: none */
  const atomic_int *cancel; /* non-zero: the caller called it off; NULL: cannot be cancelled */
  const atomic_int *stop;   /* as cancel, for work spread over threads: it became needless */
  atomic_int *paused; /* set to 1 when a failed attempt is to be made again; NULL: nobody asks */
  /* Bytes of contents that came for this operation, whatever became of them; NULL: nobody asks. */
  atomic_uint_least64_t *received;
  struct hoist_telemetry *telemetry; /* metrics sink; NULL: none */
  struct hoist_span *span;           /* parent of spans started below; NULL: none */
  /* What came with the caller's own request, for requests made below; NULL: nothing came. */
  const struct hoist_span_context *remote; /* goes on as it is where there is no span to name */
  const struct hoist_baggage *baggage;
  /* Called with each progress event, from whichever thread has news, never concurrently. */
  void (*progress)(void *user, const struct hoist_progress *event);
  void *progress_user;
  /* Sleeps; NULL: really sleep, waking early on cancel or deadline. Tests inject a recorder. */
  void (*sleep)(void *user, uint64_t ns);
  void *sleep_user;
};

/** OK while there is time left and nobody cancelled; else TIMEOUT or CANCELLED with a message that
 *  says what was being done: "downloading weights.onnx: cancelled". */
HOIST_MUST_CHECK enum hoist_status call_check(const struct call *call, const char *doing,
                                              struct hoist_error *err);

/** Whether the work became needless, and nobody called the whole operation off. */
bool call_is_needless(const struct call *call);

/** Takes note of bytes that came. */
static inline void call_note_received(const struct call *call, uint64_t bytes) {
  if (call->received) atomic_fetch_add_explicit(call->received, bytes, memory_order_relaxed);
}

/** Milliseconds until the deadline: at least 1 while any time is left, 0 when it has passed, and
 *  `no_deadline` where there is none. */
uint64_t call_remaining_ms(const struct call *call, uint64_t no_deadline);

/** Sleeps for `ns` or until the deadline or a cancel, in slices of at most 20 ms. Returns call_check's
 *  verdict afterwards. */
HOIST_MUST_CHECK enum hoist_status call_sleep(const struct call *call, uint64_t ns,
                                              const char *doing, struct hoist_error *err);

#endif
