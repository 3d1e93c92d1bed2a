/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up source and a real cache transaction, for the tests of fetch. */
#ifndef HOIST_TESTS_FETCH_WORLD_H
#define HOIST_TESTS_FETCH_WORLD_H

#include <hoist/hoist.h>

#include "fake_source.h"
#include "fake_tracer.h"
#include "fetch.h"

struct world {
  char root[64];
  struct fake_tracer *tracer;
  struct hoist_span root_span;
  struct cache *cache;
  struct cache_lock *lock;
  struct cache_txn *txn;
  struct fake_source *source;
  struct model_id id;
  struct manifest m;
  struct call call;
  struct hoist_error err;
  struct fetch_outcome outcome;
};

int world_set_up(void **state);
int world_tear_down(void **state);
/** Describes and fetches; into w->m, w->outcome and w->err. */
enum hoist_status world_fetch_all(struct world *w, unsigned connections);
/** Forgets the files, and stages anew. */
void world_forget(struct world *w);

#endif
