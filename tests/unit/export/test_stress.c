/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once: threads that come and go record, others end their spans, flush, look and fork,
 * and the telemetry is flushed in the middle of it; then the counts add up. Public calls only. What
 * ends it is a number of spans, not a time. Meant for ThreadSanitizer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

#include "otlp_read.h"

enum {
  PLENTY_MS = 60000,
  RECORDERS = 4,      /* threads that record from the beginning to the end */
  SPANS = 3000,       /* of each */
  CROWD = 96,         /* threads that live at the same time, each for a moment */
  CROWDS = 3,         /* one after the other */
  CROWD_SPANS = 20,   /* of each of those */
  HANDED = 500,       /* spans ended by another thread than began them */
  SPANS_PER_TURN = 4, /* see record_turn */
  FORKS = 4,
  SMALL_QUEUE = 64 << 10 /* bytes: spans are dropped */
};

static const struct hoist_instrument turns = {
    .name = "turns", .unit = "{turn}", .description = "", .kind = HOIST_COUNTER};
static const struct hoist_instrument sizes = {
    .name = "sizes", .unit = "By", .description = "", .kind = HOIST_HISTOGRAM};

struct stress {
  struct hoist_telemetry *telemetry;
  int spans;                /* of each recorder */
  atomic_ullong made, seen; /* spans ended, and spans that came out */
  atomic_int recorders_left;
  /* The hand-over: one span at a time, started by one thread, ended by another. */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct hoist_span handed, *parent_of_others;
  int is_handed;
};

static enum hoist_status count_span(void *user, const struct otlp_span *span,
                                    struct hoist_error *err) {
  atomic_fetch_add((atomic_ullong *)user, 1);
  return HOIST_OK;
}

static void on_spans(void *user, const void *data, size_t size) {
  struct stress *s = user;
  if (otlp_each_span(data, size, count_span, &s->seen, NULL) != HOIST_OK) abort();
}

/* Drops are expected; their warnings are not what is tested. */
static void ignore(void *user, const char *line) {
}

/* A root, a child under it, one under the span that another thread holds, one that fails. */
static void record_turn(struct stress *s, struct hoist_span *others, int turn) {
  struct hoist_span root, child, foreign, failing;
  struct hoist_attr attr = {.key = "turn", .type = HOIST_ATTR_INT, .value = {.integer = turn}};
  struct hoist_error error = {.status = HOIST_UNAVAILABLE, .message = "as expected"};
  struct hoist_span_context context;
  hoist_span_start_root(s->telemetry, "root", HOIST_SPAN_SERVER, NULL, &root);
  hoist_span_start(&root, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_start(others, "foreign", HOIST_SPAN_CLIENT, &foreign);
  hoist_span_start(&child, "failing", HOIST_SPAN_CLIENT, &failing);
  hoist_span_get_context(&child, &context);
  hoist_span_set_int(&root, "turn", turn);
  hoist_span_set_string(&child, "text", "a value of some length");
  hoist_span_add_event(&child, "event", &attr, 1);
  hoist_span_record_error(&failing, &error);
  hoist_span_end(&failing);
  hoist_span_end(&foreign);
  hoist_span_end(&child);
  hoist_span_end(&root);
  hoist_metric_add(s->telemetry, &turns, 1, &attr, 1);
  hoist_metric_add(s->telemetry, &sizes, turn, NULL, 0);
  atomic_fetch_add(&s->made, SPANS_PER_TURN);
}

static void *recorder(void *user) {
  struct stress *s = user;
  for (int i = 0; i < s->spans / SPANS_PER_TURN; i++)
    record_turn(s, s->parent_of_others, i % 7);
  atomic_fetch_sub(&s->recorders_left, 1);
  return NULL;
}

static void *passer_by(void *user) {
  struct stress *s = user;
  for (int i = 0; i < CROWD_SPANS / SPANS_PER_TURN; i++)
    record_turn(s, s->parent_of_others, i);
  return NULL;
}

static void *crowds(void *user) {
  pthread_t threads[CROWD];
  for (int n = 0; n < CROWDS; n++) {
    for (int i = 0; i < CROWD; i++)
      if (pthread_create(&threads[i], NULL, passer_by, user) != 0) abort();
    for (int i = 0; i < CROWD; i++)
      pthread_join(threads[i], NULL);
  }
  return NULL;
}

/* Waits until the span is there (1) or gone (0). Under the lock. */
static void wait_handed(struct stress *s, int is_handed) {
  while (s->is_handed != is_handed)
    pthread_cond_wait(&s->changed, &s->lock);
}

static void hand(struct stress *s, int is_handed) {
  s->is_handed = is_handed;
  pthread_cond_broadcast(&s->changed);
}

static void *beginner(void *user) {
  struct stress *s = user;
  for (int i = 0; i < HANDED; i++) {
    pthread_mutex_lock(&s->lock);
    wait_handed(s, 0);
    hoist_span_start_root(s->telemetry, "handed", HOIST_SPAN_PRODUCER, NULL, &s->handed);
    hoist_span_set_int(&s->handed, "number", i);
    hand(s, 1);
    pthread_mutex_unlock(&s->lock);
  }
  return NULL;
}

static void *ender(void *user) {
  struct stress *s = user;
  for (int i = 0; i < HANDED; i++) {
    pthread_mutex_lock(&s->lock);
    wait_handed(s, 1);
    hoist_span_set_bool(&s->handed, "taken", 1);
    hoist_span_end(&s->handed);
    atomic_fetch_add(&s->made, 1);
    hand(s, 0);
    pthread_mutex_unlock(&s->lock);
  }
  return NULL;
}

static void *flusher(void *user) {
  struct stress *s = user;
  while (atomic_load(&s->recorders_left) > 0)
    if (hoist_telemetry_flush(s->telemetry, PLENTY_MS, NULL) != HOIST_OK) abort();
  return NULL;
}

/* What is counted never goes back, and never is more than there was. */
static void *looker(void *user) {
  struct stress *s = user;
  struct hoist_telemetry_status before = {0}, now;
  while (atomic_load(&s->recorders_left) > 0) {
    hoist_telemetry_get_status(s->telemetry, &now);
    if (now.spans_exported < before.spans_exported || now.spans_dropped < before.spans_dropped)
      abort();
    if (now.exports_failed != 0 || now.last_error[0]) abort();
    before = now;
  }
  return NULL;
}

static void run(struct stress *s, void *(*const kinds[])(void *), size_t count) {
  pthread_t threads[16];
  for (size_t i = 0; i < count; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, kinds[i], s), 0);
  for (size_t i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
}

static struct stress *opened(uint64_t queue_bytes) {
  struct hoist_telemetry_config config;
  struct hoist_error err;
  struct stress *s = calloc(1, sizeof *s);
  assert_non_null(s);
  hoist_telemetry_config_init(&config);
  config.batch_delay_ms = 10;
  config.queue_bytes = queue_bytes;
  config.on_spans = on_spans;
  config.on_spans_user = s;
  config.on_warning = ignore;
  s->spans = SPANS;
  atomic_store(&s->recorders_left, RECORDERS);
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  if (hoist_telemetry_open(&config, &s->telemetry, &err) != HOIST_OK) fail_msg("%s", err.message);
  return s;
}

static void done(struct stress *s) {
  pthread_mutex_destroy(&s->lock);
  pthread_cond_destroy(&s->changed);
  free(s);
}

/* A span of the main thread is the parent of spans in all others. */
static void run_all(struct stress *s, void *(*const kinds[])(void *), size_t count) {
  struct hoist_span parent;
  hoist_span_start_root(s->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  s->parent_of_others = &parent;
  run(s, kinds, count);
  hoist_span_end(&parent);
  atomic_fetch_add(&s->made, 1);
}

static void *(*const everybody[])(void *) = {recorder, recorder, recorder, recorder, crowds,
                                             beginner, ender,    flusher,  flusher,  looker};
#define EVERYBODY everybody, sizeof everybody / sizeof everybody[0]
#define MADE (RECORDERS * SPANS + CROWDS * CROWD * CROWD_SPANS + HANDED + 1)

static void check_counts(struct stress *s) {
  struct hoist_telemetry_status status;
  assert_int_equal(hoist_telemetry_flush(s->telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_get_status(s->telemetry, &status);
  assert_int_equal(atomic_load(&s->made), MADE);
  assert_int_equal(status.spans_exported + status.spans_dropped, MADE);
  assert_int_equal(status.spans_exported, atomic_load(&s->seen));
}

static void test_with_room_for_all_nothing_is_lost(void **state) {
  struct stress *s = opened(UINT64_C(64) << 20);
  run_all(s, EVERYBODY);
  check_counts(s);
  assert_int_equal(atomic_load(&s->seen), MADE);
  hoist_telemetry_close(s->telemetry, PLENTY_MS);
  assert_int_equal(atomic_load(&s->seen), MADE);
  done(s);
}

static void test_with_little_room_what_is_lost_is_counted(void **state) {
  struct stress *s = opened(SMALL_QUEUE);
  run_all(s, EVERYBODY);
  check_counts(s);
  hoist_telemetry_close(s->telemetry, PLENTY_MS);
  done(s);
}

/* Nobody may record once close is called, but the worker may be anywhere by then, and the queue hold
 * anything: all of it is delivered. */
static void test_a_close_at_any_point_delivers_what_came_before(void **state) {
  uint32_t random = 2463534242; /* the same points in each run */
  for (int round = 0; round < 60; round++) {
    struct stress *s = opened(UINT64_C(4) << 20);
    random ^= random << 13, random ^= random >> 17, random ^= random << 5;
    s->spans = (int)(random % 600);
    run_all(s, everybody, RECORDERS);
    hoist_telemetry_close(s->telemetry, PLENTY_MS);
    assert_int_equal(atomic_load(&s->seen), atomic_load(&s->made));
    done(s);
  }
}

/* ---- forks --------------------------------------------------------------------------------------- */

/* In the child, where cmocka cannot report. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
/* Recording starts a thread, which ThreadSanitizer cannot follow in a forked child, and allocates, which
 * AddressSanitizer's allocator cannot where another thread was inside it at the fork: this one looks. */
static int be_a_child(struct stress *s) {
  struct hoist_span_context context;
  hoist_span_get_context(s->parent_of_others, &context);
  return hoist_span_context_is_valid(&context) ? 0 : 1;
}
#else
/* Only what it records itself is its own. */
static int be_a_child(struct stress *s) {
  struct hoist_telemetry_status status;
  const uint64_t expected = 30;
  atomic_store(&s->seen, 0);
  hoist_span_end(s->parent_of_others); /* the parent process's to report */
  for (int i = 0; i < 10; i++)
    record_turn(s, NULL, i); /* no parent: that span records nothing */
  if (hoist_telemetry_flush(s->telemetry, PLENTY_MS, NULL) != HOIST_OK) return 1;
  hoist_telemetry_get_status(s->telemetry, &status);
  if (atomic_load(&s->seen) != expected) return 2;
  if (status.spans_exported != expected || status.spans_dropped != 0) return 3;
  hoist_telemetry_close(s->telemetry, PLENTY_MS);
  return 0;
}
#endif

static void *forker(void *user) {
  for (int i = 0; i < FORKS; i++) {
    int status;
    pid_t child = fork();
    if (child == 0) _exit(be_a_child(user));
    if (child < 0 || waitpid(child, &status, 0) != child) abort();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "# the child ended with 0x%x\n", (unsigned)status);
      abort();
    }
  }
  return NULL;
}

static void test_forks_in_the_middle_of_it_have_telemetry_of_their_own(void **state) {
  static void *(*const kinds[])(void *) = {recorder, recorder, recorder, recorder,
                                           flusher,  looker,   forker,   forker};
  struct stress *s = opened(UINT64_C(64) << 20);
  run_all(s, kinds, sizeof kinds / sizeof kinds[0]);
  assert_int_equal(hoist_telemetry_flush(s->telemetry, PLENTY_MS, NULL), HOIST_OK);
  assert_int_equal(atomic_load(&s->seen), RECORDERS * SPANS + 1);
  hoist_telemetry_close(s->telemetry, PLENTY_MS);
  done(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_with_room_for_all_nothing_is_lost),
      cmocka_unit_test(test_with_little_room_what_is_lost_is_counted),
      cmocka_unit_test(test_a_close_at_any_point_delivers_what_came_before),
      cmocka_unit_test(test_forks_in_the_middle_of_it_have_telemetry_of_their_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
