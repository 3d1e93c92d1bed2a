/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables on the monotonic clock: a clock that is set must not hold up a waiter. */
#ifndef HOIST_BASE_CONDITION_H
#define HOIST_BASE_CONDITION_H

#include <pthread.h>

#include "clock.h"

static inline void condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attr);
  pthread_condattr_destroy(&attr);
}

/** Until it is signalled, or until then (monotonic). */
static inline void condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                                        uint64_t until_ns) {
  struct timespec t = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                       .tv_nsec = (long)(until_ns % NS_PER_S)};
  pthread_cond_timedwait(condition, lock, &t);
}

#endif
