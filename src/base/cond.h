/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables on the monotonic clock: a clock that is set must not hold up a waiter. */
#ifndef HOIST_BASE_COND_H
#define HOIST_BASE_COND_H

#include <pthread.h>

#include "clock.h"

static inline void cond_init(pthread_cond_t *cond) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(cond, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

/** Waits until somebody signals, or `ns` (less than a second) have passed. */
static inline void cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ns) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)ns;
  until.tv_sec += until.tv_nsec / (long)NS_PER_S;
  until.tv_nsec %= (long)NS_PER_S;
  pthread_cond_timedwait(cond, lock, &until);
}

#endif
