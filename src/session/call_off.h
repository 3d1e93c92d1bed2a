/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the creation of a session off when its caller does, or has no more time: a thread that looks while
 * the runtime is at work, and throws the runtime's own switch. Not for others. */
#ifndef HOIST_SESSION_CALL_OFF_H
#define HOIST_SESSION_CALL_OFF_H

#include <pthread.h>

#include "ort_internal.h"

struct call_off {
  const struct call *call;
  const struct ort_api *api;
  struct OrtSessionOptions *options;
  pthread_t thread;
  bool looks; /* there is a thread */
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool is_over; /* under the lock */
};

/** Looks from now on. Does nothing where the call cannot be called off, the runtime has no switch, or no thread
 *  can be had: then the creation is waited for. `options` must outlive it. */
void call_off_begin(struct call_off *c, const struct call *call, const struct ort *ort,
                    struct OrtSessionOptions *options);
void call_off_end(struct call_off *c);

#endif
