/* SPDX-License-Identifier: Apache-2.0 */
/* The phases inside the creation of a session, read out of the runtime's own log and written as
 * spans afterwards. */
#ifndef HOIST_SESSION_PHASES_H
#define HOIST_SESSION_PHASES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <hoist/telemetry.h>

/** What the log lets us see. An unset one is 0. */
enum phase_mark {
  MARK_CREATE,          /* we called the runtime */
  MARK_INITIALIZE,      /* the model is parsed, the session sets itself up */
  MARK_FIRST_OPTIMIZER, /* the first optimizer of the graph reported */
  MARK_LAST_OPTIMIZER,
  MARK_PLAN, /* kernels are looked up, memory is planned */
  MARK_WEIGHTS,
  MARK_WEIGHTS_DONE,
  MARK_DONE, /* ready */
  MARK_COUNT
};

/** Must not move, and must live as long as the session that logs to it. */
struct phases {
  pthread_mutex_t lock; /* the runtime may log from threads of its own */
  bool listening;
  uint64_t at[MARK_COUNT]; /* monotonic ns */
  uint64_t start_unix_ns;  /* the time of MARK_CREATE */
  uint64_t (*now)(void);   /* monotonic ns */
};

/** Starts listening: MARK_CREATE is now.
 *  @param start_unix_ns  the present time, the anchor of the spans' times
 *  @param now            the monotonic clock */
void phases_begin(struct phases *phases, uint64_t start_unix_ns, uint64_t (*now)(void));

/** An ort_log_fn; `param` is the struct phases. Safe from any thread; outside begin … end it
 * returns at once. */
void phases_log(void *param, unsigned severity, const char *category, const char *log_id,
                const char *location, const char *message);

/** Stops listening and writes a span under `parent` for every phase both of whose ends were seen.
 */
void phases_end(struct phases *phases, const struct hoist_span *parent);

#endif
