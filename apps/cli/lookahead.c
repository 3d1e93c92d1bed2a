/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads, one counter of what is begun and one of what is taken. Owns its threads. */
#include "lookahead.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_THREADS 8

struct lookahead {
  void (*work)(void *user, size_t item);
  void *user;
  size_t count;
  unsigned threads;
  pthread_t ids[MAX_THREADS];
  pthread_mutex_t lock; /* guards everything below */
  pthread_cond_t changed;
  size_t begun, taken;
  bool stopping;
  bool *done; /* of each item */
};

static bool may_begin(const struct lookahead *l) {
  return l->begun < l->count && l->begun < l->taken + l->threads;
}

static void *run(void *user) {
  struct lookahead *l = user;
  pthread_mutex_lock(&l->lock);
  while (!l->stopping && l->begun < l->count) {
    if (!may_begin(l)) {
      pthread_cond_wait(&l->changed, &l->lock);
      continue;
    }
    size_t item = l->begun++;
    pthread_mutex_unlock(&l->lock);
    l->work(l->user, item);
    pthread_mutex_lock(&l->lock);
    l->done[item] = true;
    pthread_cond_broadcast(&l->changed);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

static void free_lookahead(struct lookahead *l) {
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  free(l->done);
  free(l);
}

void lookahead_start(size_t count, unsigned threads, void (*work)(void *user, size_t item),
                     void *user, struct lookahead **ret_lookahead) {
  *ret_lookahead = NULL;
  struct lookahead *l = calloc(1, sizeof *l);
  bool *done = calloc(count ? count : 1, sizeof *done);
  if (!l || !done) {
    free(l);
    free(done);
    return;
  }
  *l = (struct lookahead){.work = work, .user = user, .count = count, .done = done};
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  unsigned wanted = threads < MAX_THREADS ? threads : MAX_THREADS;
  pthread_mutex_lock(&l->lock); /* nobody begins before their number is known */
  while (l->threads < wanted && pthread_create(&l->ids[l->threads], NULL, run, l) == 0)
    l->threads++;
  pthread_mutex_unlock(&l->lock);
  if (l->threads > 0)
    *ret_lookahead = l;
  else
    free_lookahead(l);
}

void lookahead_wait(struct lookahead *l, size_t item) {
  pthread_mutex_lock(&l->lock);
  l->taken = item;
  pthread_cond_broadcast(&l->changed);
  while (!l->done[item])
    pthread_cond_wait(&l->changed, &l->lock);
  pthread_mutex_unlock(&l->lock);
}

size_t lookahead_stop(struct lookahead *l) {
  if (!l) return 0;
  pthread_mutex_lock(&l->lock);
  l->stopping = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->lock);
  for (unsigned i = 0; i < l->threads; i++)
    pthread_join(l->ids[i], NULL);
  size_t begun = l->begun;
  free_lookahead(l);
  return begun;
}
