/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to "may this key use this model?", kept for a while. What they are found by is a hash, so that no
 * key lies about in memory longer than its requests. Thread-safe. */
#ifndef HOIST_LOADER_ACCESS_ANSWERS_H
#define HOIST_LOADER_ACCESS_ANSWERS_H

#include <pthread.h>
#include <stdbool.h>

#include "digest.h"

#define ACCESS_MAX_ANSWERS 256

struct access_answer {
  struct digest who_what;   /* access_who_what */
  uint64_t until_ns;        /* monotonic; 0: there is none here */
  struct hoist_error error; /* status OK: allowed */
};

struct access_answers {
  pthread_mutex_t lock; /* guards the rest */
  struct access_answer kept[ACCESS_MAX_ANSWERS];
};

void access_answers_init(struct access_answers *answers);
void access_answers_done(struct access_answers *answers);

/** The hash that stands for a key (NULL: none) and a model. Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status access_who_what(const char *api_key, const char *model_id,
                                                   struct digest *ret_who_what,
                                                   struct hoist_error *err);
/** Whether there is an answer that still counts. */
bool access_answers_find(struct access_answers *answers, const struct digest *who_what,
                         uint64_t now_ns, struct hoist_error *ret_answer);
/** Keeps an answer until `until_ns`; where there is no room the one that would go first goes. */
void access_answers_keep(struct access_answers *answers, const struct digest *who_what,
                         uint64_t now_ns, uint64_t until_ns, const struct hoist_error *answer);

#endif
