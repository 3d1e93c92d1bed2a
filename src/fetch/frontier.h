/* SPDX-License-Identifier: Apache-2.0 */
/* The hashing of a file while it arrives. Digests are computed from front to back, so a thread follows the
 * longest finished prefix: from memory where the block that ends it was handed over, else by reading back
 * what was just written and is still in the page cache. When the last byte is there, little is left. */
#ifndef HOIST_FETCH_FRONTIER_H
#define HOIST_FETCH_FRONTIER_H

#include <pthread.h>
#include <stdbool.h>

#include "block.h"
#include "call.h"
#include "checksums.h"

struct frontier {
  int fd;                  /* of the file; borrowed */
  const char *name;        /* of the file; borrowed */
  struct checksums *sums;  /* borrowed; the thread's own until frontier_finish or _abandon */
  struct block_pool *pool; /* borrowed */
  struct block *buffer;    /* to read back into; NULL: never needed yet */
  pthread_t thread;
  bool has_thread; /* false: there was none to be had; frontier_finish does it all */
  int64_t hashed;  /* the thread's own */
  enum hoist_status status;
  struct hoist_error error;

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t moved;
  int64_t ready;              /* bytes before it are written and stay as they are */
  struct block *first, *last; /* handed over, in order, all before `ready` and not hashed yet */
  bool closed;                /* `ready` is the end */
  bool abandoned;
  bool ended; /* the thread hashes no more */
};

/** @param pool  where blocks come from and go to; outlives the frontier
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status frontier_start(int fd, const char *name, struct checksums *sums,
                                                  struct block_pool *pool,
                                                  struct frontier **ret_frontier,
                                                  struct hoist_error *err);
/** Hands over a block that is written, where it follows on what is ready; then it is ready, too, and
 *  goes back to the pool by itself. False: it does not; it stays the caller's. Threads: any */
bool frontier_offer(struct frontier *f, struct block *block);
/** Bytes before `ready` may be hashed. It never goes back. Threads: any */
void frontier_advance(struct frontier *f, int64_t ready);
/** Waits until everything is hashed. Consumes `f`. Errors: by errno, reading the file · NO_MEMORY ·
 *  CANCELLED · TIMEOUT */
HOIST_MUST_CHECK enum hoist_status frontier_finish(const struct call *call, struct frontier *f,
                                                   struct hoist_error *err);
/** Stops; the checksums are of no use any more. Consumes `f`; NULL is fine. */
void frontier_abandon(struct frontier *f);

#endif
