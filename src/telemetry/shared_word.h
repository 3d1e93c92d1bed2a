/* SPDX-License-Identifier: Apache-2.0 */
/* Words that one thread at a time writes while others may read them. Every write is a release and every
 * read an acquire, so a counter that is written before and after a group of them tells whether the
 * group was read whole. Plain moves on x86-64, and never a locked instruction. */
#ifndef HOIST_TELEMETRY_SHARED_WORD_H
#define HOIST_TELEMETRY_SHARED_WORD_H

#include <stdint.h>

static inline void word_put(uint64_t *word, uint64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t word_get(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void word_put_signed(int64_t *word, int64_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void word_put_double(double *word, double value) {
  __atomic_store(word, &value, __ATOMIC_RELEASE);
}

static inline double word_get_double(const double *word) {
  double value;
  __atomic_load(word, &value, __ATOMIC_ACQUIRE);
  return value;
}
#endif
