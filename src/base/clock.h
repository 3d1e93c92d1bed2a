/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Durations and deadlines use the monotonic clock; only timestamps shown to people or written
 * to traces use the real-time clock. Code that waits takes its sleep from struct call, so tests need
 * no real sleeping. */
#ifndef HOIST_BASE_CLOCK_H
#define HOIST_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

static inline uint64_t clock_read_ns(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_monotonic_ns(void) {
  return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t clock_realtime_ns(void) {
  return clock_read_ns(CLOCK_REALTIME);
}

#endif
