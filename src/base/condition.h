/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables on the monotonic clock: a clock that is set must not hold up a waiter. */
#ifndef HOIST_BASE_CONDITION_H
#define HOIST_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>

#include "clock.h"

static inline void condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attr);
  pthread_condattr_destroy(&attr);
}

/** Waits until it is signalled, or until then (monotonic). False: the time has come. */
static inline bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                                        uint64_t until_ns) {
  struct timespec t = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                       .tv_nsec = (long)(until_ns % NS_PER_S)};
  return pthread_cond_timedwait(condition, lock, &t) == 0;
}

/** Waits until it is signalled, or for `ns`. */
static inline void condition_wait_ns(pthread_cond_t *condition, pthread_mutex_t *lock,
                                     uint64_t ns) {
  (void)condition_wait_until(condition, lock, clock_monotonic_ns() + ns);
}

#endif
