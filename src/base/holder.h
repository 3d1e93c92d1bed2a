/* SPDX-License-Identifier: Apache-2.0 */
/* What a lock file tells of its holder: who it is, and how far it got. It is for people and their patience; nothing
 * else depends on it, so no harm comes from a text that is torn, old or missing. */
#ifndef HOIST_BASE_HOLDER_H
#define HOIST_BASE_HOLDER_H

#include "call.h"

struct holder {
  long pid;                        /* 0: not known, or of another pid namespace or machine */
  uint64_t since_unix_s;           /* 0: not known */
  int64_t bytes_done, bytes_total; /* of the download; total -1: not known */
  unsigned steps;                  /* further signs of life */
};

/* ---- the holder: one thread at a time ---------------------------------------------------------- */

struct holder_note {
  struct holder holder; /* as last told */
  uint64_t told_ns;
};

/** Writes into the lock file who holds it, from now on and until holder_end. On a full disk, or in a file that is only
 *  readable, the holder stays nameless. */
void holder_begin(struct holder_note *note, int fd);
/** Tells how far it is, out of a progress event of its own work: steps always, bytes at most twice a second; events that
 *  say nothing of either are left out. */
void holder_tell(struct holder_note *note, int fd, const struct hoist_progress *event);
void holder_end(int fd);

/* ---- who waits ----------------------------------------------------------------------------------- */

#define HOLDER_DOING_SIZE 320

/** One wait. Zero-initialise but for what is said to be the caller's. */
struct holder_watch {
  const char *what;     /* the caller's: what the lock is of */
  const char *model_id; /* the caller's: of the progress events; may be NULL */
  bool is_silent;       /* the caller's: no progress events */
  struct holder holder;
  uint64_t progressed_ns; /* monotonic: when it was last seen to do something */
  uint64_t reported_ns;
  char doing[HOLDER_DOING_SIZE]; /* "waiting for process 7 to finish with …, at it for 3 s" */
};

/** Looks at the holder, and tells the call's progress: at first, whenever it got further, and every few seconds.
 *  @param patience_ns  with a holder that gets nowhere; 0: no end to it
 *  Errors: UNAVAILABLE patience is at an end */
HOIST_MUST_CHECK enum hoist_status holder_look(struct holder_watch *watch, const struct call *call,
                                               int fd, uint64_t patience_ns,
                                               struct hoist_error *err);

#endif
