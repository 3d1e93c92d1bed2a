/* SPDX-License-Identifier: Apache-2.0 */
/* Random ids, and noticing that the process was forked. */
#ifndef HOIST_TELEMETRY_IDS_H
#define HOIST_TELEMETRY_IDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "thread_slot.h"

extern atomic_uint fork_count; /* ids.c's; starts at 1 */
/** Differs from what it was in the parent process. Never 0. */
static inline unsigned fork_generation(void) {
  return atomic_load_explicit(&fork_count, memory_order_relaxed);
}
/** Seeds a thread's generator by the kernel. */
void ids_seed(struct thread_own *own);

static inline uint64_t ids_rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

/* A random word that is not zero: xoshiro256** 1.0 by Blackman and Vigna. */
static inline uint64_t ids_next(uint64_t s[4]) {
  uint64_t result;
  do {
    result = ids_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = ids_rotate(s[3], 45);
  } while (result == 0);
  return result;
}

/** Fills in random, never all-zero ids from this thread's generator, which is seeded anew in a forked
 *  child. `trace_id` may be NULL. */
static inline void ids_fill(struct thread_own *own, uint8_t trace_id[16], uint8_t span_id[8]) {
  if (__builtin_expect(own->generation != fork_generation(), 0)) ids_seed(own);
  uint64_t word;
  if (trace_id) {
    word = ids_next(own->random);
    memcpy(trace_id, &word, sizeof word);
    word = ids_next(own->random);
    memcpy(trace_id + sizeof word, &word, sizeof word);
  }
  word = ids_next(own->random);
  memcpy(span_id, &word, sizeof word);
}
#endif
