/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime looks at its switch between two nodes, two initializers, two transformers of a graph. What it
 * says then is of no interest; whoever called it off knows why. */
#include "call_off.h"

#include "condition.h"

#define LOOK_NS (20 * NS_PER_MS)

static void *look(void *user) {
  struct call_off *c = user;
  struct OrtStatus *failed = NULL;
  pthread_mutex_lock(&c->lock);
  while (!c->is_over && call_check(c->call, "", NULL) == HOIST_OK)
    condition_wait_ns(&c->ended, &c->lock, LOOK_NS);
  if (!c->is_over) failed = c->api->SessionOptionsSetLoadCancellationFlag(c->options, true);
  pthread_mutex_unlock(&c->lock);
  if (failed) c->api->ReleaseStatus(failed);
  return NULL;
}

void call_off_begin(struct call_off *c, const struct call *call, const struct ort *ort,
                    struct OrtSessionOptions *options) {
  *c = (struct call_off){.call = call, .api = &ort->library.api, .options = options};
  bool may_end_early = call->cancel || call->stop || call->deadline_ns != 0;
  if (!may_end_early || !c->api->SessionOptionsSetLoadCancellationFlag) return;
  pthread_mutex_init(&c->lock, NULL);
  condition_init(&c->ended);
  c->looks = pthread_create(&c->thread, NULL, look, c) == 0;
  if (c->looks) return;
  pthread_cond_destroy(&c->ended);
  pthread_mutex_destroy(&c->lock);
}

void call_off_end(struct call_off *c) {
  if (!c->looks) return;
  pthread_mutex_lock(&c->lock);
  c->is_over = true;
  pthread_cond_signal(&c->ended);
  pthread_mutex_unlock(&c->lock);
  pthread_join(c->thread, NULL);
  pthread_cond_destroy(&c->ended);
  pthread_mutex_destroy(&c->lock);
}
