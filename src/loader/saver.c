/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that saves graphs. It runs at a low priority, holds nothing of the hoist object but its cache, and
 * ends when there is nothing left to do, so a program that has loaded its models has no thread more. */
#include "saver.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "condition.h"

#define NICE 10
#define WAIT_SLICE_MS 20

struct saver {
  struct hoist *hoist; /* borrowed */
  pthread_t thread;
  pthread_mutex_t lock; /* guards everything below */
  pthread_cond_t changed;
  int has_thread; /* to be joined */
  int is_running; /* it has not seen the end of the queue yet */
  int is_closing;
  atomic_int is_called_off; /* what is being saved is to end; any thread */
  struct graph_job *first, **last;
  size_t jobs;
  struct graph_result *results;
  size_t result_count;
};

enum hoist_status saver_new(struct hoist *hoist, struct saver **ret_saver,
                            struct hoist_error *err) {
  struct saver *s = calloc(1, sizeof *s);
  if (!s) return hoist_fail_memory(err, "the saving of graphs");
  s->hoist = hoist;
  s->last = &s->first;
  pthread_mutex_init(&s->lock, NULL);
  condition_init(&s->changed);
  *ret_saver = s;
  return HOIST_OK;
}

/* ---- results ----------------------------------------------------------------------------- */

static void keep_result(struct saver *s, const struct graph_result *result) {
  struct graph_result *copy = malloc(sizeof *copy);
  if (!copy) return; /* news only */
  *copy = *result;
  copy->next = NULL;
  struct graph_result **link = &s->results;
  while (*link)
    link = &(*link)->next;
  *link = copy;
  if (++s->result_count <= SAVER_MAX_RESULTS) return;
  struct graph_result *oldest = s->results;
  s->results = oldest->next;
  s->result_count--;
  free(oldest);
}

void saver_report(struct saver *s, const struct graph_result *result) {
  pthread_mutex_lock(&s->lock);
  keep_result(s, result);
  pthread_mutex_unlock(&s->lock);
}

int saver_take_result(struct saver *s, struct graph_result *ret_result) {
  pthread_mutex_lock(&s->lock);
  struct graph_result *result = s->results;
  if (result) {
    s->results = result->next;
    s->result_count--;
    *ret_result = *result;
  }
  pthread_mutex_unlock(&s->lock);
  free(result);
  return result != NULL;
}

/* ---- the thread -------------------------------------------------------------------------- */

static struct graph_job *take_job(struct saver *s) {
  struct graph_job *job = s->first;
  if (!job || s->is_closing) return NULL;
  s->first = job->next;
  if (!s->first) s->last = &s->first;
  s->jobs--;
  atomic_store(&s->is_called_off, 0); /* which was said of those before it */
  return job;
}

/* On Linux a priority is a thread's; sessions made by it start their threads with the same. */
static void be_quiet(void) {
#ifdef SYS_gettid
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
#endif
}

static void *run(void *user) {
  struct saver *s = user;
  be_quiet();
  pthread_mutex_lock(&s->lock);
  for (struct graph_job *job = take_job(s); job; job = take_job(s)) {
    pthread_mutex_unlock(&s->lock);
    const struct call call = {.telemetry = s->hoist->telemetry, .cancel = &s->is_called_off};
    struct graph_result result;
    graph_save(&call, s->hoist, job, &result);
    graph_job_free(job);
    pthread_mutex_lock(&s->lock);
    keep_result(s, &result);
  }
  s->is_running = 0;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

static int is_queued(const struct saver *s, const struct graph_job *job) {
  for (const struct graph_job *other = s->first; other; other = other->next)
    if (strcmp(other->key, job->key) == 0) return 1;
  return 0;
}

/* Signals are the program's business, and go to its own threads. */
static int create_thread(struct saver *s) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int created = pthread_create(&s->thread, NULL, run, s) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return created;
}

static void start_thread(struct saver *s) {
  if (s->is_running) return;
  if (s->has_thread) pthread_join(s->thread, NULL); /* it has let the lock go for the last time */
  s->is_running = s->has_thread = create_thread(s);
}

void saver_submit(struct saver *s, struct graph_job *job) {
  pthread_mutex_lock(&s->lock);
  int taken = s->jobs < SAVER_MAX_JOBS && !is_queued(s, job);
  if (taken) {
    job->next = NULL;
    *s->last = job;
    s->last = &job->next;
    s->jobs++;
    start_thread(s);
  }
  pthread_mutex_unlock(&s->lock);
  if (!taken) graph_job_free(job);
}

/* Under the lock. */
static void drop_jobs(struct saver *s) {
  while (s->first) {
    struct graph_job *job = s->first;
    s->first = job->next;
    graph_job_free(job);
  }
  s->last = &s->first;
  s->jobs = 0;
}

enum hoist_status saver_wait(const struct call *call, struct saver *s, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  pthread_mutex_lock(&s->lock);
  while (status == HOIST_OK && s->is_running) {
    status = call_check(call, "waiting for graphs to be saved", err);
    if (status == HOIST_OK) condition_wait_ns(&s->changed, &s->lock, WAIT_SLICE_MS * NS_PER_MS);
  }
  if (status == HOIST_CANCELLED) {
    atomic_store(&s->is_called_off, 1);
    drop_jobs(s);
  }
  pthread_mutex_unlock(&s->lock);
  return status;
}

void saver_free(struct saver *s) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->is_closing = 1;
  pthread_mutex_unlock(&s->lock);
  if (s->has_thread) pthread_join(s->thread, NULL);
  drop_jobs(s);
  struct graph_result unread;
  while (saver_take_result(s, &unread)) {
  }
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  free(s);
}
