/* SPDX-License-Identifier: Apache-2.0 */
/* One public call from beginning to end: its root span, its call context, its id, its error. Every entry
 * point that works on a model is operation_begin … operation_end. */
#ifndef HOIST_LOADER_OPERATION_H
#define HOIST_LOADER_OPERATION_H

#include <pthread.h>

#include "hoist_internal.h"
#include "model_id.h"

struct opening;

struct operation {
  struct hoist *hoist;
  struct model_id id;
  struct call call; /* its span is `span` */
  struct hoist_span span;
  struct hoist_error error; /* where every step below reports */
  uint64_t started_ns;
  pthread_mutex_t progress_lock; /* one progress event at a time; guards the next three */
  void (*progress)(void *user, const struct hoist_progress *event);
  void *progress_user;
  struct cache_lock *held; /* whose waiters hear of progress, too; NULL: none */
  /* What is wanted */
  enum cache_verification verification;
  int opens_session;        /* 1: so what that needs may be begun meanwhile */
  pthread_t runtime_thread; /* where … */
  int is_opening_runtime;   /* … set: see runtime.h */
  struct opening *opening;  /* a session begun before its model was verified; NULL: none */
  uint64_t checked_unix_ns; /* when the bytes had been compared beside that; 0: they were not */
  /* What is learnt on the way */
  int cache_hit;
  int lookup_counted;
  uint64_t downloaded_bytes, resumed_bytes;
};

/** The id of the model that `name` stands for: what is in the cache under the very name, else what the aliases say.
 *  Errors: INVALID neither is an id */
HOIST_MUST_CHECK enum hoist_status operation_find_id(const struct hoist *hoist, const char *name,
                                                     struct model_id *ret_id,
                                                     struct hoist_error *err);
/** Starts the span and finds the id. Always followed by operation_end. The operation must not move. */
HOIST_MUST_CHECK enum hoist_status operation_begin(struct operation *op, struct hoist *hoist,
                                                   const char *span_name, const char *model_id,
                                                   const struct hoist_call_options *options);
/** As operation_begin, for a call on no model in particular. */
HOIST_MUST_CHECK enum hoist_status operation_begin_on_cache(
    struct operation *op, struct hoist *hoist, const char *span_name,
    const struct hoist_call_options *options);
/** A call context without span and progress, for what is no operation; `options` may be NULL.
 *  Errors: INVALID another process opened the hoist object */
HOIST_MUST_CHECK enum hoist_status operation_limits(const struct hoist *hoist,
                                                    const struct hoist_call_options *options,
                                                    struct call *ret_call, struct hoist_error *err);
/** Seconds since the beginning. */
double operation_seconds(const struct operation *op);
/** From now on those who wait for `lock` hear how far the operation is; NULL: nobody. */
void operation_hold(struct operation *op, struct cache_lock *lock);
/** Tells the progress callback; fills in the model's id. */
void operation_report(struct operation *op, struct hoist_progress event);
/** Says that something is not as it should be although the call goes on: to the progress callback, and
 *  as an event of the root span. */
void operation_warn(struct operation *op, const char *message);
/** Tells whoever watches of something that was done on the way. */
void operation_note(struct operation *op, const char *message);
/** Sets the metric of the cache's size, by a look at every manifest; without telemetry it does not look.
 *  To be called when the cache has changed. */
void operation_measure_cache(const struct operation *op);
/** Ends the span (with the error where status is not OK), hands the error out, returns status. */
HOIST_MUST_CHECK enum hoist_status operation_end(struct operation *op, enum hoist_status status,
                                                 struct hoist_error *err);
#endif
