/* SPDX-License-Identifier: Apache-2.0 */
/* A small number for each thread that records, which no other living thread has: with it, data that is
 * kept per thread needs neither a lock nor an atomic addition. */
#ifndef HOIST_TELEMETRY_THREAD_SLOT_H
#define HOIST_TELEMETRY_THREAD_SLOT_H

#include <stdint.h>

#include "thread_local.h"

#define THREAD_SLOTS 64
/* What threads beyond THREAD_SLOTS get: they share, so they lock. */
#define THREAD_SLOT_SHARED THREAD_SLOTS

/* What each thread has of its own, in one place: from a shared library every look at thread-local storage
 * costs a call. */
struct thread_own {
  uint64_t random[4];     /* state of the id generator (ids.h) */
  unsigned generation;    /* of fork_generation() when that was seeded; 0: not yet */
  unsigned slot_plus_one; /* 0: not asked for yet */
};
extern NEAR_THREAD_LOCAL struct thread_own thread_own;

/** The calling thread's. Looked up once, where compilers would rather look it up again than keep it. */
static inline struct thread_own *thread_own_get(void) {
  struct thread_own *own = &thread_own;
  __asm__("" : "+r"(own));
  return own;
}

unsigned thread_slot_claim(void);

/** The calling thread's slot, below THREAD_SLOTS, or THREAD_SLOT_SHARED. It stays the same until the
 *  thread ends; the thread that has it next sees all that was written under it before. */
static inline unsigned thread_slot_of(const struct thread_own *own) {
  unsigned slot = own->slot_plus_one;
  return __builtin_expect(slot > 0, 1) ? slot - 1 : thread_slot_claim();
}

static inline unsigned thread_slot(void) {
  return thread_slot_of(thread_own_get());
}
#endif
