/* SPDX-License-Identifier: Apache-2.0 */
/* Locks: who keeps whom out, how long, and what ends the waiting. No test relies on how long anything
 * takes: whatever is waited for happens inside the injected sleep. */
#include <hoist/hoist.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache_fixture.h"
#include "cache_internal.h"
#include "clock.h"
#include "fs.h"

#define THREADS 8

static const struct made_file files[] = {{"environment.json", "{}"}, {"weights.onnx", "1"}, {0}};
static const struct made_file others[] = {{"weights.onnx", "22"}, {0}};

static void assert_message(const struct hoist_error *err, const char *part) {
  if (!strstr(err->message, part)) fail_msg("\"%s\" does not say \"%s\"", err->message, part);
}

static struct cache_lock *lock_of(struct fixture *f, const char *id) {
  struct model_id model = id_of(id);
  struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&no_limits, f->cache, &model, &lock, NULL), HOIST_OK);
  return lock;
}

/* ---- a sleep in which things happen ------------------------------------------------------ */

struct waiting {
  int sleeps, event_at; /* in the event_at-th sleep, what is set below happens; nothing: a cancel */
  atomic_int cancel;
  struct cache_lock *unlock;
  struct cache_entry *release;
  pid_t kill;
  uint64_t longest_ns;
};

static void sleep_until_event(void *user, uint64_t ns) {
  struct waiting *w = user;
  if (ns > w->longest_ns) w->longest_ns = ns;
  if (++w->sleeps != w->event_at) return;
  w->cancel = !w->unlock && !w->release && w->kill == 0;
  cache_unlock(HOIST_TAKE(w->unlock));
  cache_entry_release(HOIST_TAKE(w->release));
  if (w->kill == 0) return;
  kill(w->kill, SIGKILL);
  waitpid(w->kill, NULL, 0);
}

static struct call call_of(struct waiting *w) {
  return (struct call){.sleep = sleep_until_event, .sleep_user = w};
}

/* ---- exclusion --------------------------------------------------------------------------- */

static void test_an_exclusive_lock_keeps_readers_out_without_waiting(void **state) {
  struct fixture *f = *state;
  struct hoist_error err;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  struct cache_lock *lock = lock_of(f, "a/1");
  assert_int_equal(model_check(f->cache, "a/1", files, &err), HOIST_UNAVAILABLE);
  assert_message(&err, "a/1 is being changed by another process");
  cache_unlock(lock);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
  cache_unlock(NULL);
}

static void test_models_of_one_version_do_not_share_a_lock(void **state) {
  struct fixture *f = *state;
  static const char *const ids[] = {"a/1", "b/1", "a", "1", "a-1", "a_1", "A/1", "a/1/1"};
  enum { COUNT = sizeof ids / sizeof ids[0] };
  struct cache_lock *locks[COUNT];
  for (size_t i = 0; i < COUNT; i++)
    locks[i] = lock_of(f, ids[i]);
  assert_int_equal(path_count(f, ".hoist/locks"), COUNT);
  for (size_t i = 0; i < COUNT; i++)
    cache_unlock(locks[i]);
}

static int try_in_child(void *user) {
  struct fixture *f = user;
  return (int)model_check(f->cache, "a/1", files, NULL);
}

static void test_a_lock_keeps_other_processes_out(void **state) {
  struct fixture *f = *state;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  struct cache_lock *lock = lock_of(f, "a/1");
  assert_int_equal(run_in_child(try_in_child, f), HOIST_UNAVAILABLE);
  cache_unlock(lock);
  assert_int_equal(run_in_child(try_in_child, f), HOIST_OK);
}

static void test_readers_share_and_keep_removal_and_replacement_away(void **state) {
  struct fixture *f = *state;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(model_publish(f->cache, "a/1", files, &entry, NULL), HOIST_OK);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
  assert_int_equal(run_in_child(try_in_child, f), HOIST_OK);

  struct waiting w = {.event_at = 3};
  struct call call = call_of(&w);
  call.cancel = &w.cancel;
  struct model_id id = id_of("a/1");
  struct hoist_error err;
  assert_int_equal(cache_remove(&call, f->cache, &id, NULL, &err), HOIST_CANCELLED);
  assert_message(&err, "waiting for another process to finish with a/1: cancelled");
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);

  w = (struct waiting){.event_at = 3, .release = HOIST_TAKE(entry)};
  assert_int_equal(cache_remove(&call, f->cache, &id, NULL, NULL), HOIST_OK);
  assert_int_equal(w.sleeps, 3);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_NOT_FOUND);
}

static void test_a_fork_that_inherited_a_lock_does_not_keep_it(void **state) {
  struct fixture *f = *state;
  struct cache_lock *lock = lock_of(f, "a/1");
  int pipe_fds[2];
  assert_int_equal(pipe(pipe_fds), 0);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    close(pipe_fds[1]);
    _exit(read(pipe_fds[0], &c, 1) == 0 ? 0 : 1);
  }
  cache_unlock(lock);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_NOT_FOUND);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- waiting ----------------------------------------------------------------------------- */

static void test_a_waiter_gets_the_lock_when_it_is_released(void **state) {
  struct fixture *f = *state;
  struct waiting w = {.event_at = 12, .unlock = lock_of(f, "a/1")};
  const struct call call = call_of(&w);
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(w.sleeps, 12);
  assert_int_equal(w.longest_ns, 50 * NS_PER_MS);
}

static void test_a_waiter_can_be_cancelled_and_says_whom_it_waited_for(void **state) {
  struct fixture *f = *state;
  struct cache_lock *held = lock_of(f, "a/1");
  struct waiting w = {.event_at = 2};
  struct call call = call_of(&w);
  call.cancel = &w.cancel;
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  struct hoist_error err;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, &err), HOIST_CANCELLED);
  assert_null(lock);
  char whom[64];
  snprintf(whom, sizeof whom, "waiting for process %ld to finish with a/1", (long)getpid());
  assert_message(&err, whom);
  assert_message(&err, ": cancelled");
  cache_unlock(held);
}

static void test_a_waiter_gives_up_at_its_deadline(void **state) {
  struct fixture *f = *state;
  struct cache_lock *held = lock_of(f, "a/1");
  struct waiting w = {0};
  struct call call = call_of(&w);
  call.deadline_ns = 1;
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  struct hoist_error err;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, &err), HOIST_TIMEOUT);
  assert_message(&err, "the deadline passed");
  cache_unlock(held);
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, &err), HOIST_OK); /* no need to wait */
}

/* Locks a/1, says so, and lives until it is killed. */
static pid_t start_holder(struct fixture *f) {
  int pipe_fds[2];
  assert_int_equal(pipe(pipe_fds), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct model_id id = id_of("a/1");
    struct cache_lock *lock = NULL;
    if (cache_lock(&no_limits, f->cache, &id, &lock, NULL) != HOIST_OK) _exit(1);
    if (write(pipe_fds[1], "x", 1) != 1) _exit(1);
    for (;;)
      pause();
  }
  char c;
  close(pipe_fds[1]);
  assert_int_equal(read(pipe_fds[0], &c, 1), 1);
  close(pipe_fds[0]);
  return pid;
}

static void test_a_waiter_gets_the_lock_of_a_process_that_was_killed(void **state) {
  struct fixture *f = *state;
  struct waiting w = {.event_at = 2, .kill = start_holder(f)};
  const struct call call = call_of(&w);
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK);
  assert_int_equal(w.sleeps, 2);
}

/* ---- what the holder tells --------------------------------------------------------------- */

struct watching {
  struct cache_lock *held; /* unlocked after the last step */
  int sleeps, events;
  struct {
    int64_t pid, done, total;
  } seen[16];
};

static void see(void *user, const struct hoist_progress *event) {
  struct watching *w = user;
  assert_int_equal(event->kind, HOIST_PROGRESS_WAIT);
  assert_non_null(event->message);
  assert_in_range(w->events, 0, 15);
  w->seen[w->events].pid = event->waiting_for_pid;
  w->seen[w->events].done = event->total_done;
  w->seen[w->events++].total = event->total_bytes;
}

static void tell_waiters(struct cache_lock *lock, int64_t bytes_done, int64_t bytes_total,
                         int is_step) {
  const struct hoist_progress event = {.kind = is_step ? HOIST_PROGRESS_PLAN : HOIST_PROGRESS_FILE,
                                       .total_done = bytes_done,
                                       .total_bytes = bytes_total};
  cache_lock_tell(lock, &event);
}

static void get_further(void *user, uint64_t ns) {
  struct watching *w = user;
  switch (w->sleeps++) {
  case 2:
    tell_waiters(w->held, 0, 1000, 1);
    break;
  case 4:
    tell_waiters(w->held, 10, 1000, 0); /* so soon after the last time: not written */
    break;
  case 6:
    w->held->note.told_ns -= NS_PER_S;
    tell_waiters(w->held, 400, 1000, 0);
    break;
  case 8:
    tell_waiters(w->held, 1000, 1000, 1);
    break;
  case 10:
    cache_unlock(HOIST_TAKE(w->held));
    break;
  }
}

static void test_a_waiter_sees_how_far_the_holder_is(void **state) {
  struct fixture *f = *state;
  struct watching w = {.held = lock_of(f, "a/1")};
  const struct call call = {
      .sleep = get_further, .sleep_user = &w, .progress = see, .progress_user = &w};
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK);
  static const int64_t expected[][2] = {{0, -1}, {0, 1000}, {400, 1000}, {1000, 1000}};
  assert_int_equal(w.events, 4); /* only what is new is told */
  for (int i = 0; i < 4; i++) {
    assert_int_equal(w.seen[i].pid, getpid());
    assert_int_equal(w.seen[i].done, expected[i][0]);
    assert_int_equal(w.seen[i].total, expected[i][1]);
  }
}

/* Each sleep is 100 ms of the patience; in the first ones the holder gets further. */
struct impatience {
  struct cache_lock *held;
  int sleeps, steps;
};

static void sleep_really(void *user, uint64_t ns) {
  struct impatience *w = user;
  usleep(10000);
  if (w->sleeps++ < w->steps) tell_waiters(w->held, w->sleeps, 1000, 1);
}

static void test_patience_is_counted_from_the_last_progress(void **state) {
  struct fixture *f = *state;
  struct impatience w = {.held = lock_of(f, "a/1"), .steps = 30};
  const struct call call = {.sleep = sleep_really, .sleep_user = &w};
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  struct hoist_error err;
  cache_set_patience(f->cache, 100 * NS_PER_MS);
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, &err), HOIST_UNAVAILABLE);
  assert_true(w.sleeps > w.steps); /* 300 ms of a holder at work were no reason to give up */
  assert_message(&err, "to finish with a/1, at it for ");
  assert_message(&err, "without progress for 1");
  assert_message(&err, "raise MODEL_LOCK_ACQUIRE_TIMEOUT");
  cache_unlock(w.held);
}

static void test_damaged_texts_in_a_lock_file_are_only_not_believed(void **state) {
  static const char *const texts[] = {"", "x", "-4 1", "99999999999999999999 1", "0 0 0 0 0"};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct waiting w = {.event_at = 2};
    struct call call = call_of(&w);
    call.cancel = &w.cancel;
    struct cache_lock *held = lock_of(f, "a/1");
    assert_int_equal(ftruncate(held->fd, 0), 0);
    assert_int_equal(pwrite(held->fd, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
    struct model_id id = id_of("a/1");
    HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
    struct hoist_error err;
    assert_int_equal(cache_lock(&call, f->cache, &id, &lock, &err), HOIST_CANCELLED);
    assert_message(&err, "waiting for another process to finish with a/1");
    cache_unlock(held);
  }
}

/* ---- the tree lock ----------------------------------------------------------------------- */

static void test_publishing_waits_for_who_is_changing_directories(void **state) {
  struct fixture *f = *state;
  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  char path[128];
  snprintf(path, sizeof path, "%s/.hoist/tree.lock", f->root);
  FILE *tree = fopen(path, "r");
  assert_non_null(tree);
  assert_int_equal(flock(fileno(tree), LOCK_EX | LOCK_NB), 0);

  HOIST_AUTO(cache_lock) struct cache_lock *lock = lock_of(f, "a/1");
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct cache_txn *txn = NULL;
  assert_int_equal(model_stage(lock, others, &txn, NULL), HOIST_OK);
  assert_int_equal(model_manifest(others, &m, NULL), HOIST_OK);
  struct waiting w = {.event_at = 2};
  struct call call = call_of(&w);
  call.cancel = &w.cancel;
  assert_int_equal(cache_commit(&call, txn, &m, &lock, &entry, NULL), HOIST_CANCELLED);
  fclose(tree);
  cache_unlock(HOIST_TAKE(lock));
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
}

/* ---- from exclusive to shared ------------------------------------------------------------ */

static void test_looking_under_the_lock_keeps_it_unless_there_is_a_hit(void **state) {
  struct fixture *f = *state;
  HOIST_AUTO(cache_lock) struct cache_lock *lock = lock_of(f, "a/1");
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  assert_int_equal(cache_find_locked(&no_limits, &lock, &entry, NULL), HOIST_NOT_FOUND);
  assert_non_null(lock);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_UNAVAILABLE);
  cache_unlock(HOIST_TAKE(lock));

  assert_int_equal(model_publish(f->cache, "a/1", files, NULL, NULL), HOIST_OK);
  lock = lock_of(f, "a/1");
  assert_int_equal(cache_find_locked(&no_limits, &lock, &entry, NULL), HOIST_OK);
  assert_null(lock);
  assert_int_equal(model_check(f->cache, "a/1", files, NULL), HOIST_OK);
}

/* ---- many at once ------------------------------------------------------------------------ */

struct crowd {
  struct fixture *f;
  atomic_int commits, failures;
};

/* What the loader does: look, lock, look again, fetch. */
static enum hoist_status get_model(struct crowd *crowd, const struct model_id *id,
                                   struct cache_entry **ret_entry) {
  enum hoist_status status = cache_find(&no_limits, crowd->f->cache, id, ret_entry, NULL);
  if (status != HOIST_NOT_FOUND && status != HOIST_UNAVAILABLE) return status;
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  status = cache_lock(&no_limits, crowd->f->cache, id, &lock, NULL);
  if (status == HOIST_OK) status = cache_find_locked(&no_limits, &lock, ret_entry, NULL);
  if (status != HOIST_NOT_FOUND) return status;
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  status = model_stage(lock, files, &txn, NULL);
  if (status == HOIST_OK) status = model_manifest(files, &m, NULL);
  if (status == HOIST_OK)
    status = cache_commit(&no_limits, HOIST_TAKE(txn), &m, &lock, ret_entry, NULL);
  crowd->commits++;
  return status;
}

static void *get_until_found(void *user) {
  struct crowd *crowd = user;
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status;
  do
    status = get_model(crowd, &id, &entry);
  while (status == HOIST_UNAVAILABLE);
  if (status != HOIST_OK || cache_entry_manifest(entry)->file_count != 2) crowd->failures++;
  return NULL;
}

static void test_of_eight_threads_one_commits_and_seven_find(void **state) {
  struct crowd crowd = {.f = *state};
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, get_until_found, &crowd), 0);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(crowd.failures, 0);
  assert_int_equal(crowd.commits, 1);
}

static int get_in_child(void *user) {
  struct crowd crowd = {.f = user};
  get_until_found(&crowd);
  return crowd.failures ? 99 : crowd.commits;
}

static void test_of_eight_processes_one_commits_and_seven_find(void **state) {
  int commits = 0;
  pid_t pids[THREADS];
  for (int i = 0; i < THREADS; i++) {
    pids[i] = fork();
    if (pids[i] == 0) _exit(get_in_child(*state));
    assert_true(pids[i] > 0);
  }
  for (int i = 0; i < THREADS; i++) {
    int how;
    assert_int_equal(waitpid(pids[i], &how, 0), pids[i]);
    assert_true(WIFEXITED(how));
    commits += WEXITSTATUS(how);
  }
  assert_int_equal(commits, 1);
}

struct neighbours {
  struct fixture *f;
  const char *id;
  atomic_int *failures;
};

/* Parents, children and pruning of empty directories get in each other's way unless it is prevented. */
static void *publish_and_remove(void *user) {
  struct neighbours *n = user;
  for (int i = 0; i < 20; i++) {
    if (model_publish(n->f->cache, n->id, i % 2 ? files : others, NULL, NULL) != HOIST_OK ||
        model_check(n->f->cache, n->id, i % 2 ? files : others, NULL) != HOIST_OK ||
        (i % 3 == 0 && model_remove(n->f->cache, n->id, NULL, NULL) != HOIST_OK))
      (*n->failures)++;
  }
  return NULL;
}

static void test_neighbours_that_come_and_go_do_not_harm_each_other(void **state) {
  static const char *const ids[] = {"a", "a/1", "a/1/x", "a/2"};
  enum { COUNT = sizeof ids / sizeof ids[0] };
  struct neighbours n[COUNT];
  pthread_t threads[COUNT];
  atomic_int failures = 0;
  for (int i = 0; i < COUNT; i++) {
    n[i] = (struct neighbours){.f = *state, .id = ids[i], .failures = &failures};
    assert_int_equal(pthread_create(&threads[i], NULL, publish_and_remove, &n[i]), 0);
  }
  for (int i = 0; i < COUNT; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(failures, 0);
}

/* ---- spans ------------------------------------------------------------------------------- */

struct notes {
  char text[512];
};

static void note(void *user, const char *what, const char *value) {
  struct notes *n = user;
  size_t used = strlen(n->text);
  snprintf(n->text + used, sizeof n->text - used, "%s%s|", what, value);
}

static void *note_start(void *user, const char *name, enum hoist_span_kind kind, void *parent,
                        const struct hoist_span_context *remote, uint64_t start_unix_ns) {
  note(user, parent ? "+" : "root:", name);
  return user;
}

static void note_attr(void *user, void *span, const struct hoist_attr *attr) {
  if (attr->type == HOIST_ATTR_STRING && strcmp(attr->key, "model.id") == 0)
    note(user, "id:", attr->value.string);
}

static void note_event(void *user, void *span, const char *name, uint64_t unix_ns,
                       const struct hoist_attr *attrs, size_t attr_count) {
  note(user, "event:", name);
}

static void note_status(void *user, void *span, enum hoist_span_status status,
                        const char *description) {
  note(user, "error", "");
}

static void no_context(void *user, void *span, struct hoist_span_context *ret_context) {
  *ret_context = (struct hoist_span_context){.flags = 1};
}

static void note_end(void *user, void *span, uint64_t end_unix_ns) {
  note(user, "end", "");
}

static void test_there_is_a_span_where_it_waits_and_where_it_commits(void **state) {
  struct fixture *f = *state;
  struct notes notes = {.text = ""};
  const struct hoist_tracer tracer = {.size = sizeof tracer,
                                      .user = &notes,
                                      .span_start = note_start,
                                      .span_set_attr = note_attr,
                                      .span_add_event = note_event,
                                      .span_set_status = note_status,
                                      .span_get_context = no_context,
                                      .span_end = note_end};
  struct hoist_telemetry *telemetry = NULL;
  assert_int_equal(hoist_telemetry_adapt(&tracer, &telemetry, NULL), HOIST_OK);
  struct hoist_span root;
  hoist_span_start_root(telemetry, "load", HOIST_SPAN_INTERNAL, NULL, &root);

  struct waiting w = {.event_at = 1, .unlock = lock_of(f, "a/1")};
  struct call call = call_of(&w);
  call.span = &root;
  struct model_id id = id_of("a/1");
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct cache_txn *txn = NULL;
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK);
  cache_unlock(HOIST_TAKE(lock));
  assert_int_equal(cache_lock(&call, f->cache, &id, &lock, NULL), HOIST_OK); /* free: no span */
  assert_int_equal(model_manifest(files, &m, NULL), HOIST_OK);
  assert_int_equal(model_stage(lock, others, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_commit(&call, txn, &m, &lock, &entry, NULL), HOIST_CORRUPT);
  assert_int_equal(model_stage(lock, files, &txn, NULL), HOIST_OK);
  assert_int_equal(cache_commit(&call, txn, &m, &lock, &entry, NULL), HOIST_OK);
  hoist_span_end(&root);
  hoist_telemetry_close(telemetry, 0);
  assert_string_equal(notes.text, "root:load|+model.cache.lock_wait|id:a/1|end|"
                                  "+model.artifacts.commit|id:a/1|error|event:exception|end|"
                                  "+model.artifacts.commit|id:a/1|end|end|");
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_an_exclusive_lock_keeps_readers_out_without_waiting),
      CASE(test_models_of_one_version_do_not_share_a_lock),
      CASE(test_a_lock_keeps_other_processes_out),
      CASE(test_readers_share_and_keep_removal_and_replacement_away),
      CASE(test_a_fork_that_inherited_a_lock_does_not_keep_it),
      CASE(test_a_waiter_gets_the_lock_when_it_is_released),
      CASE(test_a_waiter_can_be_cancelled_and_says_whom_it_waited_for),
      CASE(test_a_waiter_gives_up_at_its_deadline),
      CASE(test_a_waiter_gets_the_lock_of_a_process_that_was_killed),
      CASE(test_a_waiter_sees_how_far_the_holder_is),
      CASE(test_patience_is_counted_from_the_last_progress),
      CASE(test_damaged_texts_in_a_lock_file_are_only_not_believed),
      CASE(test_publishing_waits_for_who_is_changing_directories),
      CASE(test_looking_under_the_lock_keeps_it_unless_there_is_a_hit),
      CASE(test_of_eight_threads_one_commits_and_seven_find),
      CASE(test_of_eight_processes_one_commits_and_seven_find),
      CASE(test_neighbours_that_come_and_go_do_not_harm_each_other),
      CASE(test_there_is_a_span_where_it_waits_and_where_it_commits),
  };
  return cmocka_run_group_tests_name("cache_lock", tests, NULL, NULL);
}
