/* SPDX-License-Identifier: Apache-2.0 */
/* Random ids, and noticing that the process was forked. */
#ifndef HOIST_TELEMETRY_IDS_H
#define HOIST_TELEMETRY_IDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** Fills in random, never all-zero ids from this thread's generator, which is seeded by the kernel
 *  and seeded anew in a forked child. Returns a small number that stays the same for this thread.
 */
unsigned ids_fill(uint8_t *trace_id /* 16 bytes, or NULL */, uint8_t span_id[8]);

extern atomic_uint fork_count; /* ids.c's; starts at 1 */
/** Differs from what it was in the parent process. Never 0. */
static inline unsigned fork_generation(void) {
  return atomic_load_explicit(&fork_count, memory_order_relaxed);
}
/** Starts counting; to be called before the first fork that matters. */
void fork_watch(void);

#endif
