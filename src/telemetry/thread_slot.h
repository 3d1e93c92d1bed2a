/* SPDX-License-Identifier: Apache-2.0 */
/* A small number for each thread that records, which no other living thread has: with it, data that is
 * kept per thread needs neither a lock nor an atomic addition. */
#ifndef HOIST_TELEMETRY_THREAD_SLOT_H
#define HOIST_TELEMETRY_THREAD_SLOT_H

#include "thread_local.h"

#define THREAD_SLOTS 64
/* What threads beyond THREAD_SLOTS get: they share, so they lock. */
#define THREAD_SLOT_SHARED THREAD_SLOTS

extern NEAR_THREAD_LOCAL unsigned thread_slot_plus_one; /* thread_slot.c's; 0: not asked for yet */
unsigned thread_slot_claim(void);

/** The calling thread's slot, below THREAD_SLOTS, or THREAD_SLOT_SHARED. It stays the same until the
 *  thread ends; the thread that has it next sees all that was written under it before. */
static inline unsigned thread_slot(void) {
  unsigned slot = thread_slot_plus_one;
  return __builtin_expect(slot > 0, 1) ? slot - 1 : thread_slot_claim();
}
#endif
