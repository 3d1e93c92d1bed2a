/* SPDX-License-Identifier: Apache-2.0 */
/* Ids from a xoshiro256** generator per thread: ids need to be unique and evenly spread, not
 * secret. The fork counter is process-wide because a fork is; its handler only adds one. */
#include "ids.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"

atomic_uint fork_count = 1;
static atomic_uint threads_seen;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

struct generator {
  uint64_t state[4];
  unsigned generation; /* 0: not seeded yet */
  unsigned thread;
};
static _Thread_local struct generator this_thread;

static void forked(void) {
  atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void watch(void) {
  (void)pthread_atfork(NULL, NULL, forked);
}

void fork_watch(void) {
  (void)pthread_once(&watch_once, watch);
}

static void seed(struct generator *g) {
  fork_watch();
  if (getentropy(g->state, sizeof g->state) != 0) {
    /* A kernel without entropy is next to impossible; ids then are unique in time and place only.
     */
    g->state[0] = clock_realtime_ns();
    g->state[1] = clock_monotonic_ns();
    g->state[2] = (uint64_t)getpid();
    g->state[3] = (uint64_t)(uintptr_t)g;
  }
  g->state[0] |= 1; /* an all-zero state would stay zero */
  if (g->generation == 0)
    g->thread = atomic_fetch_add_explicit(&threads_seen, 1, memory_order_relaxed);
  g->generation = fork_generation();
}

static inline uint64_t rotate_left(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

/* xoshiro256** 1.0 by Blackman and Vigna. */
static inline uint64_t next(uint64_t s[4]) {
  uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

static inline void put_nonzero(uint64_t s[4], uint8_t out[8]) {
  uint64_t id;
  do
    id = next(s);
  while (id == 0);
  memcpy(out, &id, sizeof id);
}

unsigned ids_fill(uint8_t *trace_id, uint8_t span_id[8]) {
  struct generator *g = &this_thread;
  if (g->generation != fork_generation()) seed(g);
  if (trace_id) {
    put_nonzero(g->state, trace_id);
    put_nonzero(g->state, trace_id + 8);
  }
  put_nonzero(g->state, span_id);
  return g->thread;
}
