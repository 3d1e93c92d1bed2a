/* SPDX-License-Identifier: Apache-2.0 */
/* The hashing of a file whose parts arrive out of order. Digests are computed from front to back, so a
 * thread follows the longest finished prefix and reads back what the others just wrote, which is still
 * in the page cache. When the last byte is there, little is left to hash. */
#ifndef HOIST_FETCH_FRONTIER_H
#define HOIST_FETCH_FRONTIER_H

#include <pthread.h>
#include <stdbool.h>

#include "checksums.h"

struct frontier {
  int fd;                 /* of the file; borrowed */
  const char *name;       /* of the file; borrowed */
  struct checksums *sums; /* borrowed; the thread's own until frontier_finish or _abandon */
  char *buffer;
  pthread_t thread;
  bool has_thread; /* false: there was none to be had; frontier_finish does it all */
  int64_t hashed;  /* the thread's own */
  enum hoist_status status;
  struct hoist_error error;

  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t moved;
  int64_t ready; /* bytes before it are written and stay as they are */
  bool closed;   /* `ready` is the end */
  bool abandoned;
};

/** Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status frontier_start(int fd, const char *name, struct checksums *sums,
                                                  struct frontier **ret_frontier,
                                                  struct hoist_error *err);
/** Bytes before `ready` may be hashed. It never goes back. Threads: any */
void frontier_advance(struct frontier *f, int64_t ready);
/** Waits until everything is hashed. Consumes `f`. Errors: by errno, reading the file */
HOIST_MUST_CHECK enum hoist_status frontier_finish(struct frontier *f, struct hoist_error *err);
/** Stops; the checksums are of no use any more. Consumes `f`; NULL is fine. */
void frontier_abandon(struct frontier *f);

#endif
