/* SPDX-License-Identifier: Apache-2.0 */
/* Random ids, and noticing that the process was forked. */
#ifndef HOIST_TELEMETRY_IDS_H
#define HOIST_TELEMETRY_IDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern atomic_uint fork_count; /* ids.c's; starts at 1 */
/** Differs from what it was in the parent process. Never 0. */
static inline unsigned fork_generation(void) {
  return atomic_load_explicit(&fork_count, memory_order_relaxed);
}
/** Starts counting; to be called before the first fork that matters. */
void fork_watch(void);

/* xoshiro256** 1.0 by Blackman and Vigna, one per thread, seeded by the kernel. */
struct ids_generator {
  uint64_t state[4];
  unsigned generation; /* of fork_generation() when it was seeded; 0: not yet */
};
extern _Thread_local struct ids_generator ids_generator __attribute__((visibility("hidden")));
void ids_seed(struct ids_generator *g);

static inline uint64_t ids_rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

/* A random word that is not zero. */
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
static inline void ids_fill(uint8_t trace_id[16], uint8_t span_id[8]) {
  struct ids_generator *g = &ids_generator;
  if (__builtin_expect(g->generation != fork_generation(), 0)) ids_seed(g);
  uint64_t words[3];
  if (trace_id) {
    words[0] = ids_next(g->state);
    words[1] = ids_next(g->state);
    memcpy(trace_id, words, 16);
  }
  words[2] = ids_next(g->state);
  memcpy(span_id, &words[2], 8);
}
#endif
