/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime looks at its switch between two nodes, two weights, two passes over the graph, and one pass over
 * thousands of nodes takes it half a second; before 1.22 it has none. So who calls a creation off does not wait for
 * it: `left` then tells its thread to release everything, session and runtime included. The threads of creations
 * left are joined when another one is, or in session_await_left. */
#include "creation.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "condition.h"
#include "dispatch.h"
#include "text.h"

#define LOOK_NS (10 * NS_PER_MS)

struct creation {
  struct session *session; /* borrowed; owned once it is left */
  struct OrtSessionOptions *options;
  char *path; /* of the model; NULL: its map */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool is_over, is_left;    /* under the lock */
  struct OrtStatus *failed; /* once it is over */
  atomic_bool is_tidy;      /* left, and nothing remains but to join the thread */
  pid_t owner;              /* a forked child has no such thread */
  bool is_joined;           /* somebody is at that; under left_lock */
  struct creation *next;    /* of those left */
};

static pthread_mutex_t left_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left_gone = PTHREAD_COND_INITIALIZER;
static struct creation *left; /* under the lock */

static void creation_free(struct creation *c) {
  if (!c) return;
  pthread_cond_destroy(&c->ended);
  pthread_mutex_destroy(&c->lock);
  free(c->path);
  free(c);
}

static struct creation *creation_new(struct session *s, const struct session_model *model,
                                     struct OrtSessionOptions *options) {
  struct creation *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->session = s;
  c->options = options;
  c->owner = getpid();
  pthread_mutex_init(&c->lock, NULL);
  condition_init(&c->ended);
  c->path = model->path ? text_dup(model->path) : NULL;
  if (!model->path || c->path) return c;
  creation_free(c);
  return NULL;
}

/* ---- those left ------------------------------------------------------------------------------ */

/* Whoever joins one keeps it in the list until then, marked, so that others who wait for all see it. */
static struct creation *find_left(bool all) {
  struct creation *c = left;
  while (c && (c->is_joined || !(all || atomic_load(&c->is_tidy))))
    c = c->next;
  return c;
}

/* Under the lock, which it lets go of meanwhile. */
static void join_one(struct creation *c) {
  c->is_joined = true;
  pthread_mutex_unlock(&left_lock);
  if (c->owner == getpid()) pthread_join(c->thread, NULL);
  pthread_mutex_lock(&left_lock);
  struct creation **link = &left;
  while (*link != c)
    link = &(*link)->next;
  *link = c->next;
  creation_free(c);
  pthread_cond_broadcast(&left_gone);
}

static void keep_left(struct creation *c) {
  pthread_mutex_lock(&left_lock);
  for (struct creation *done = find_left(false); done; done = find_left(false))
    join_one(done);
  c->next = left;
  left = c;
  pthread_mutex_unlock(&left_lock);
}

void session_await_left(void) {
  pthread_mutex_lock(&left_lock);
  while (left) {
    struct creation *c = find_left(true);
    if (c)
      join_one(c);
    else
      pthread_cond_wait(&left_gone, &left_lock);
  }
  pthread_mutex_unlock(&left_lock);
}

unsigned session_count_left(void) {
  unsigned count = 0;
  pthread_mutex_lock(&left_lock);
  for (const struct creation *c = left; c; c = c->next)
    count += !atomic_load(&c->is_tidy) && c->owner == getpid();
  pthread_mutex_unlock(&left_lock);
  return count;
}

static void tidy_up(struct creation *c) {
  const struct ort_api *api = &c->session->ort->library.api;
  if (c->failed) api->ReleaseStatus(c->failed);
  api->ReleaseSessionOptions(c->options);
  session_close(c->session);
  atomic_store(&c->is_tidy, true);
}

/* ---- creating -------------------------------------------------------------------------------- */

static struct OrtStatus *create(struct session *s, const char *path,
                                const struct OrtSessionOptions *options) {
  const struct ort_api *api = &s->ort->library.api;
  uint64_t started = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
  struct OrtStatus *failed =
      path ? api->CreateSession(s->ort->env, path, options, &s->handle)
           : api->CreateSessionFromArray(s->ort->env, s->map, s->map_size, options, &s->handle);
  s->creation_cpu_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - started;
  return failed;
}

static void *create_in_thread(void *user) {
  struct creation *c = user;
  struct OrtStatus *failed = create(c->session, c->path, c->options);
  pthread_mutex_lock(&c->lock);
  c->failed = failed;
  c->is_over = true;
  bool is_left = c->is_left;
  pthread_cond_signal(&c->ended);
  pthread_mutex_unlock(&c->lock);
  if (is_left) tidy_up(c);
  return NULL;
}

/* Under the lock, as the others that wait. */
static void throw_switch(struct creation *c) {
  const struct ort_api *api = &c->session->ort->library.api;
  if (!api->SessionOptionsSetLoadCancellationFlag) return;
  struct OrtStatus *failed = api->SessionOptionsSetLoadCancellationFlag(c->options, true);
  if (failed) api->ReleaseStatus(failed);
}

static void wait_until_over(struct creation *c, uint64_t until_ns) {
  while (!c->is_over && clock_monotonic_ns() < until_ns)
    (void)condition_wait_until(&c->ended, &c->lock, until_ns);
}

static enum hoist_status wait_while_wanted(const struct call *call, struct creation *c,
                                           struct hoist_error *err) {
  while (!c->is_over) {
    enum hoist_status status = call_check(call, SESSION_CREATING, err);
    if (status != HOIST_OK) return status;
    condition_wait_ns(&c->ended, &c->lock, LOOK_NS);
  }
  return HOIST_OK;
}

static void stop_listening(const struct call *call, struct session *s) {
  if (s->listens) phases_end(&s->phases, call->span);
}

/* What is written into the cache must not be written behind its back. */
static enum hoist_status watch(const struct call *call, struct creation *c, bool must_wait,
                               struct hoist_error *err) {
  struct hoist_error why;
  pthread_mutex_lock(&c->lock);
  enum hoist_status status = wait_while_wanted(call, c, &why);
  if (status != HOIST_OK) {
    throw_switch(c);
    wait_until_over(c,
                    must_wait ? UINT64_MAX : clock_monotonic_ns() + CREATION_GRACE_MS * NS_PER_MS);
  }
  stop_listening(call, c->session);
  c->is_left = !c->is_over;
  bool is_left = c->is_left;
  pthread_mutex_unlock(&c->lock);
  if (!is_left) return HOIST_OK;
  if (err) *err = why;
  return status;
}

static enum hoist_status run_in_thread(const struct call *call, struct creation *c, bool must_wait,
                                       struct OrtStatus **ret_failed, struct hoist_error *err) {
  enum hoist_status status = watch(call, c, must_wait, err);
  if (status != HOIST_OK) {
    keep_left(c);
    return status;
  }
  pthread_join(c->thread, NULL);
  c->session->ort->library.api.ReleaseSessionOptions(c->options);
  *ret_failed = c->failed;
  creation_free(c);
  return HOIST_OK;
}

enum hoist_status creation_run(const struct call *call, struct session *s,
                               const struct session_model *model, struct OrtSessionOptions *options,
                               struct OrtStatus **ret_failed, struct hoist_error *err) {
  bool may_end_early = call->cancel || call->stop || call->deadline_ns != 0;
  struct creation *c = may_end_early ? creation_new(s, model, options) : NULL;
  if (c && pthread_create(&c->thread, NULL, create_in_thread, c) == 0)
    return run_in_thread(call, c, model->save_dir != NULL, ret_failed, err);
  creation_free(c); /* without a thread it is waited for */
  *ret_failed = create(s, model->path, options);
  stop_listening(call, s);
  s->ort->library.api.ReleaseSessionOptions(options);
  return HOIST_OK;
}
