/* SPDX-License-Identifier: Apache-2.0 */
/* A small table that is searched from end to end: a process uses few models. Owns nothing; any thread. */
#include "access_answers.h"

#include <string.h>

void access_answers_init(struct access_answers *answers) {
  memset(answers->kept, 0, sizeof answers->kept);
  pthread_mutex_init(&answers->lock, NULL);
}

void access_answers_done(struct access_answers *answers) {
  pthread_mutex_destroy(&answers->lock);
}

/* No key holds the NUL that stands between the two. */
enum hoist_status access_who_what(const char *api_key, const char *model_id,
                                  struct digest *ret_who_what, struct hoist_error *err) {
  HOIST_AUTO(hasher) struct hasher *hasher = NULL;
  const char *key = api_key ? api_key : "";
  enum hoist_status status = hasher_new(DIGEST_SHA256, &hasher, err);
  if (status == HOIST_OK) status = hasher_update(hasher, key, strlen(key) + 1, err);
  if (status == HOIST_OK) status = hasher_update(hasher, model_id, strlen(model_id), err);
  return status == HOIST_OK ? hasher_final(hasher, ret_who_what, err) : status;
}

static struct access_answer *find(struct access_answers *answers, const struct digest *who_what,
                                  uint64_t now_ns) {
  for (size_t i = 0; i < ACCESS_MAX_ANSWERS; i++) {
    struct access_answer *answer = &answers->kept[i];
    if (answer->until_ns > now_ns && digest_equal(&answer->who_what, who_what)) return answer;
  }
  return NULL;
}

bool access_answers_find(struct access_answers *answers, const struct digest *who_what,
                         uint64_t now_ns, struct hoist_error *ret_answer) {
  pthread_mutex_lock(&answers->lock);
  const struct access_answer *answer = find(answers, who_what, now_ns);
  if (answer) *ret_answer = answer->error;
  pthread_mutex_unlock(&answers->lock);
  return answer != NULL;
}

static struct access_answer *first_to_go(struct access_answers *answers) {
  struct access_answer *first = &answers->kept[0];
  for (size_t i = 1; i < ACCESS_MAX_ANSWERS; i++)
    if (answers->kept[i].until_ns < first->until_ns) first = &answers->kept[i];
  return first;
}

void access_answers_keep(struct access_answers *answers, const struct digest *who_what,
                         uint64_t now_ns, uint64_t until_ns, const struct hoist_error *answer) {
  pthread_mutex_lock(&answers->lock);
  struct access_answer *place = find(answers, who_what, now_ns);
  if (!place) place = first_to_go(answers);
  *place = (struct access_answer){.who_what = *who_what, .until_ns = until_ns, .error = *answer};
  pthread_mutex_unlock(&answers->lock);
}
