/* SPDX-License-Identifier: Apache-2.0 */
/* Seeding the generator of each thread: ids need to be unique and evenly spread, not secret. The fork
 * counter is process-wide because a fork is; its handler only adds one. */
#include "ids.h"

#include <pthread.h>
#include <unistd.h>

#include "clock.h"

atomic_uint fork_count = 1;

static void forked(void) {
  atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

/* As early as can be: handlers run in the order they were registered in, and a program's own may record. */
__attribute__((constructor)) static void watch(void) {
  (void)pthread_atfork(NULL, NULL, forked);
}

void ids_seed(struct thread_own *own) {
  if (getentropy(own->random, sizeof own->random) != 0) {
    /* A kernel without entropy is next to impossible; ids then are unique in time and place only. */
    own->random[0] = clock_realtime_ns();
    own->random[1] = clock_monotonic_ns();
    own->random[2] = (uint64_t)getpid();
    own->random[3] = (uint64_t)(uintptr_t)own;
  }
  own->random[0] |= 1; /* an all-zero state would stay zero */
  own->generation = fork_generation();
}
