/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the two clocks. Any thread. */
#include "clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_monotonic_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_ns(void) {
  return read_clock(CLOCK_REALTIME);
}
