/* SPDX-License-Identifier: Apache-2.0 */
/* Which slots are taken is one word of bits. A thread takes the lowest free one when it first records and
 * gives it back as it ends. In a forked child only the forking thread lives on, so only its slot stays
 * taken. */
#include "thread_slot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

_Static_assert(THREAD_SLOTS == 64, "a bit for each");

NEAR_THREAD_LOCAL unsigned thread_slot_plus_one;
static _Atomic uint64_t taken;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static int has_key;

static uint64_t bit_of(unsigned slot) {
  return UINT64_C(1) << slot;
}

static void give_back(void *slot_plus_one) {
  unsigned slot = (unsigned)(uintptr_t)slot_plus_one - 1;
  thread_slot_plus_one = 0;
  atomic_fetch_and_explicit(&taken, ~bit_of(slot), memory_order_release);
}

static void forked(void) {
  unsigned slot = thread_slot_plus_one - 1;
  atomic_store(&taken, slot < THREAD_SLOTS ? bit_of(slot) : 0);
}

static void prepare(void) {
  has_key =
      pthread_key_create(&at_thread_end, give_back) == 0 && pthread_atfork(NULL, NULL, forked) == 0;
}

static unsigned take_lowest(void) {
  uint64_t seen = atomic_load_explicit(&taken, memory_order_relaxed);
  while (~seen) {
    unsigned slot = (unsigned)__builtin_ctzll(~seen);
    if (atomic_compare_exchange_weak_explicit(&taken, &seen, seen | bit_of(slot),
                                              memory_order_acquire, memory_order_relaxed))
      return slot;
  }
  return THREAD_SLOT_SHARED;
}

unsigned thread_slot_claim(void) {
  pthread_once(&once, prepare);
  unsigned slot = has_key ? take_lowest() : THREAD_SLOT_SHARED;
  /* Not remembered where it could not be given back: asked for again, a slot may be free by then. */
  if (slot == THREAD_SLOT_SHARED) return slot;
  void *value = (void *)(uintptr_t)(slot + 1); /* NOLINT(performance-no-int-to-ptr) */
  if (pthread_setspecific(at_thread_end, value) != 0) {
    atomic_fetch_and_explicit(&taken, ~bit_of(slot), memory_order_release);
    return THREAD_SLOT_SHARED;
  }
  thread_slot_plus_one = slot + 1;
  return slot;
}
