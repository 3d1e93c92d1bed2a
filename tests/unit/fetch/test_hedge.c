/* SPDX-License-Identifier: Apache-2.0 */
/* hedge: parts whose connection has become slow, or silent, or breaks for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"
#include "fetch_internal.h"
#include "fetch_world.h"
#include "file_internal.h"

#define PARTS 5
#define SIZE ((size_t)((PARTS - 1) * FILE_PART_BYTES + 12345))
#define STUCK_AT (2 * FILE_PART_BYTES) /* where a request begins that gets nowhere */
#define SLOW_BYTES 50000

static char *pattern;

static int make_pattern(void **state) {
  (void)state;
  pattern = malloc(SIZE + 1);
  for (size_t i = 0; i < SIZE; i++)
    pattern[i] = (char)(1 + (i * 31 + (i >> 10)) % 251);
  pattern[SIZE] = '\0';
  return 0;
}

static int free_pattern(void **state) {
  (void)state;
  free(pattern);
  return 0;
}

static void pause_ms(long ms) {
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* ---- servers ----------------------------------------------------------------------------------- */

static atomic_int first_at_it; /* requests that began at STUCK_AT */

static bool is_stuck(const struct source_request *request) {
  return request->from == STUCK_AT && first_at_it++ == 0;
}

static enum hoist_status well(struct fake_file *f, int n, struct source_request *request,
                              struct hoist_error *err) {
  pause_ms(n == 0 ? 10 : 2);
  return fake_send(f, request, "\"v1\"", err);
}

static enum hoist_status wait_to_be_stopped(const struct call *call, struct hoist_error *err) {
  for (;;) {
    enum hoist_status status = call_check(call, "waiting", err);
    if (status != HOIST_OK) return status;
    pause_ms(1);
  }
}

static enum hoist_status falls_silent(const struct call *call, struct fake_file *f, int n,
                                      struct source_request *request, struct hoist_error *err) {
  return is_stuck(request) ? wait_to_be_stopped(call, err) : well(f, n, request, err);
}

static enum hoist_status falls_silent_half_way(const struct call *call, struct fake_file *f, int n,
                                               struct source_request *request,
                                               struct hoist_error *err) {
  if (!is_stuck(request)) return well(f, n, request, err);
  enum hoist_status status = fake_send_until(f, request, "\"v1\"", STUCK_AT + 3000000, err);
  return status == HOIST_OK ? wait_to_be_stopped(call, err) : status;
}

/* Both requests for the part bring something all the time. */
static enum hoist_status trickles(const struct call *call, struct fake_file *f, int n,
                                  struct source_request *request, struct hoist_error *err) {
  if (!is_stuck(request)) return well(f, n, request, err);
  enum hoist_status status = fake_send_until(f, request, "\"v1\"", STUCK_AT, err);
  while (status == HOIST_OK && request->from < STUCK_AT + FILE_PART_BYTES) {
    status = call_check(call, "trickling", err);
    if (status != HOIST_OK) return status;
    fake_note_sent(f, SLOW_BYTES);
    status = request->sink.write(request->sink.user, f->data + request->from, SLOW_BYTES, err);
    pause_ms(5);
  }
  return status;
}

/* The other one has taken over by then. */
static enum hoist_status breaks_late(const struct call *call, struct fake_file *f, int n,
                                     struct source_request *request, struct hoist_error *err) {
  (void)call;
  if (request->from == STUCK_AT && first_at_it > 0) pause_ms(400);
  if (!is_stuck(request)) return well(f, n, request, err);
  while (first_at_it == 1)
    pause_ms(1);
  pause_ms(20);
  return hoist_fail(err, HOIST_UNAVAILABLE, "the connection is gone for good");
}

static enum hoist_status fails_twice(const struct call *call, struct fake_file *f, int n,
                                     struct source_request *request, struct hoist_error *err) {
  (void)call;
  if (request->from != STUCK_AT) return well(f, n, request, err);
  if (is_stuck(request))
    while (first_at_it == 1)
      pause_ms(1);
  pause_ms(20);
  return hoist_fail(err, HOIST_UNAVAILABLE, "nobody gets this part");
}

static atomic_int begun;         /* requests */
static atomic_int begun_by_half; /* when the first of them had brought half a part */

/* 6 MB/s for each connection, and the first byte at once. */
static enum hoist_status slow_for_each(const struct call *call, struct fake_file *f, int n,
                                       struct source_request *request, struct hoist_error *err) {
  (void)n;
  int mine = begun++;
  enum hoist_status status = fake_send_until(f, request, "\"v1\"", request->from, err);
  while (status == HOIST_OK && request->from < request->to) {
    status = call_check(call, "dripping", err);
    if (status != HOIST_OK) return status;
    int64_t left = request->to - request->from;
    size_t size = left < 65536 ? (size_t)left : 65536;
    fake_note_sent(f, size);
    status = request->sink.write(request->sink.user, f->data + request->from, size, err);
    if (mine == 0 && begun_by_half == 0 && request->from >= FILE_PART_BYTES / 2)
      begun_by_half = (int)begun;
    pause_ms(10);
  }
  return status;
}

/* ---- fetches ----------------------------------------------------------------------------------- */

static struct fake_file *serve(struct world *w, fake_answer *answer) {
  struct fake_file *f = fake_source_add(w->source, "w.onnx", pattern);
  f->answer = answer;
  first_at_it = 0;
  return f;
}

static void assert_fetched(const struct world *w) {
  struct digest wanted;
  struct buf staged = buf_make(SIZE + 1);
  assert_int_equal(digest_of(DIGEST_SHA256, pattern, SIZE, &wanted, NULL), HOIST_OK);
  assert_true(digest_equal(&w->m.files[0].digest, &wanted));
  assert_int_equal(cache_txn_read(w->txn, "w.onnx", &staged, NULL), HOIST_OK);
  assert_int_equal(staged.size, SIZE);
  assert_memory_equal(staged.data, pattern, SIZE);
  buf_done(&staged);
}

static void test_more_connections_are_made_long_before_a_part_is_whole(void **state) {
  struct world *w = *state;
  begun = begun_by_half = 0;
  (void)serve(w, slow_for_each);
  enum hoist_status status = world_fetch_all(w, 4);
  if (status != HOIST_OK) fail_msg("%s", w->err.message);
  assert_fetched(w);
  assert_true(begun_by_half >= 2);
}

static void test_a_part_that_gets_nowhere_is_asked_for_again(void **state) {
  struct world *w = *state;
  static fake_answer *const servers[] = {falls_silent, falls_silent_half_way, trickles,
                                         breaks_late};
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
    struct fake_file *f = serve(w, servers[i]);
    enum hoist_status status = world_fetch_all(w, 4);
    if (status != HOIST_OK) fail_msg("server %zu: %s", i, w->err.message);
    assert_fetched(w);
    /* One more than there are parts, and on a busy machine perhaps another one: its own parts get nowhere, too. */
    assert_in_range(f->requests, PARTS + 1, PARTS + 2);
    assert_int_equal(w->outcome.bytes, f->sent); /* those in vain, too */
    world_forget(w);
  }
}

static void test_what_both_requests_fail_with_is_a_failure(void **state) {
  struct world *w = *state;
  serve(w, fails_twice);
  assert_int_equal(world_fetch_all(w, 4), HOIST_UNAVAILABLE);
  assert_string_equal(w->err.message, "nobody gets this part");
}

static void test_progress_counts_bytes_once(void **state) {
  struct world *w = *state;
  serve(w, trickles);
  assert_int_equal(world_fetch_all(w, 4), HOIST_OK);
  assert_true(w->outcome.bytes > SIZE);
  assert_string_equal(fake_attr(fake_span(w->tracer, "model.artifact.download", 0), "file.size"),
                      "33566777");
}

static enum hoist_status one_falls_silent(const struct call *call, struct fake_file *f, int n,
                                          struct source_request *request, struct hoist_error *err) {
  pause_ms(5);
  if (strcmp(f->name, "c") != 0 || n > 0) return fake_send(f, request, NULL, err);
  enum hoist_status status = fake_send_until(f, request, NULL, 4, err);
  return status == HOIST_OK ? wait_to_be_stopped(call, err) : status;
}

static void test_a_small_file_that_gets_nowhere_begins_again(void **state) {
  struct world *w = *state;
  static const char *const names[] = {"a", "b", "c", "d"};
  struct digest wanted;
  for (size_t i = 0; i < 4; i++)
    fake_source_add(w->source, names[i], "0123456789")->answer = one_falls_silent;
  assert_int_equal(world_fetch_all(w, 2), HOIST_OK);
  assert_int_equal(w->source->files[2].requests, 2);
  assert_int_equal(w->outcome.bytes, 44);
  assert_int_equal(digest_of(DIGEST_SHA256, "0123456789", 10, &wanted, NULL), HOIST_OK);
  for (size_t i = 0; i < 4; i++)
    assert_true(digest_equal(&w->m.files[i].digest, &wanted));
}

/* ---- choosing ---------------------------------------------------------------------------------- */

struct race {
  struct fetch fetch;
  struct file file;
  struct manifest_file m;
};

/* Eight parts, two of which a request is at that has three more to go; parts take 100 ms. */
static int set_up_race(void **state) {
  struct race *r = calloc(1, sizeof *r);
  struct run run = {0, 4};
  r->m = (struct manifest_file){.name = (char *)(uintptr_t) "w.onnx", .size = 8 * FILE_PART_BYTES};
  block_pool_init(&r->fetch.pool, 1);
  assert_int_equal(file_init(&r->file, &r->m, 2, &r->fetch.pool, NULL), HOIST_OK);
  assert_int_equal(file_open_parts(&r->file, &run, NULL), HOIST_OK);
  r->file.phase = FILE_OPEN;
  r->file.requests = 1;
  r->fetch.connections = 2;
  r->fetch.slot_count = 2;
  r->fetch.large_requests = 1;
  r->fetch.parts = (struct tempo){.count = 10, .took_ns = 1000 * NS_PER_MS};
  r->fetch.slots[0].file = &r->file;
  r->fetch.slots[0].run = (struct run){1, 4};
  *state = r;
  return 0;
}

static int tear_down_race(void **state) {
  struct race *r = *state;
  file_done(&r->file);
  block_pool_done(&r->fetch.pool);
  free(r);
  return 0;
}

static void test_only_what_is_far_slower_is_asked_for_again(void **state) {
  struct race *r = *state;
  struct slot *idle = &r->fetch.slots[1];
  assert_false(hedge_find(&r->fetch, idle, 300 * NS_PER_MS));
  assert_true(hedge_find(&r->fetch, idle, 600 * NS_PER_MS));
  assert_ptr_equal(idle->file, &r->file);
  assert_int_equal(idle->run.part, 1);
  assert_int_equal(idle->run.end, 2);
}

static void test_what_a_slow_request_has_not_begun_is_anybody_s(void **state) {
  struct race *r = *state;
  struct run run;
  assert_true(hedge_find(&r->fetch, &r->fetch.slots[1], NS_PER_S));
  assert_int_equal(r->fetch.slots[0].run.end, 2);
  assert_true(file_retake(&r->file, &run));
  assert_int_equal(run.part, 2);
}

static void test_a_part_is_asked_for_twice_and_no_more(void **state) {
  struct race *r = *state;
  struct slot third = {0};
  assert_true(hedge_find(&r->fetch, &r->fetch.slots[1], NS_PER_S));
  assert_false(hedge_find(&r->fetch, &third, 10 * NS_PER_S));
}

/* Its server may have asked for it. */
static void test_one_that_waits_for_its_next_attempt_is_left_alone(void **state) {
  struct race *r = *state;
  atomic_store(&r->fetch.slots[0].paused, 1);
  assert_false(hedge_find(&r->fetch, &r->fetch.slots[1], 10 * NS_PER_S));
}

static void test_nothing_is_asked_for_again_beyond_the_connections(void **state) {
  struct race *r = *state;
  r->fetch.large_requests = 2;
  assert_false(hedge_find(&r->fetch, &r->fetch.slots[1], NS_PER_S));
}

static void test_while_no_part_has_arrived_nobody_knows_what_is_slow(void **state) {
  struct race *r = *state;
  r->fetch.parts = (struct tempo){0};
  assert_false(hedge_find(&r->fetch, &r->fetch.slots[1], NS_PER_S));
}

static void test_who_is_second_stops(void **state) {
  struct race *r = *state;
  assert_true(hedge_find(&r->fetch, &r->fetch.slots[1], NS_PER_S));
  assert_true(hedge_has_twin(&r->fetch, &r->fetch.slots[0]));
  hedge_part_done(&r->fetch, &r->fetch.slots[1], NS_PER_S);
  assert_int_equal(atomic_load(&r->fetch.slots[0].stop), 1);
  assert_int_equal(atomic_load(&r->fetch.slots[1].stop), 0);
}

static void test_a_small_file_that_comes_slowly_is_left_alone(void **state) {
  struct race *r = *state;
  struct slot *slot = &r->fetch.slots[0];
  struct manifest_file small = {.name = r->m.name, .size = 100};
  struct file file;
  assert_int_equal(file_init(&file, &small, 2, &r->fetch.pool, NULL), HOIST_OK);
  file.requests = 1;
  slot->file = &file;
  slot->heard_ns = 99 * NS_PER_S;
  r->fetch.small_files = (struct tempo){.count = 10, .took_ns = 1000 * NS_PER_MS};
  hedge_small_file(&r->fetch, 100 * NS_PER_S);
  assert_false(file.restart);
  file_done(&file);
}

static void test_one_that_begins_again_is_not_hurried_a_second_time(void **state) {
  struct race *r = *state;
  struct slot *slot = &r->fetch.slots[0];
  struct manifest_file small = {.name = r->m.name, .size = 100};
  struct file file;
  assert_int_equal(file_init(&file, &small, 2, &r->fetch.pool, NULL), HOIST_OK);
  file.requests = 1;
  slot->file = &file;
  r->fetch.small_files = (struct tempo){.count = 10, .took_ns = 1000 * NS_PER_MS};
  hedge_small_file(&r->fetch, 2 * NS_PER_S);
  assert_false(file.restart);
  hedge_small_file(&r->fetch, 3 * NS_PER_S);
  assert_true(file.restart);
  assert_int_equal(atomic_load(&slot->stop), 1);
  file.restart = false; /* it began again */
  hedge_small_file(&r->fetch, 9 * NS_PER_S);
  assert_false(file.restart);
  file_done(&file);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
#define R(name) cmocka_unit_test_setup_teardown(name, set_up_race, tear_down_race)
  const struct CMUnitTest tests[] = {
      T(test_more_connections_are_made_long_before_a_part_is_whole),
      T(test_a_part_that_gets_nowhere_is_asked_for_again),
      T(test_what_both_requests_fail_with_is_a_failure),
      T(test_progress_counts_bytes_once),
      R(test_only_what_is_far_slower_is_asked_for_again),
      R(test_what_a_slow_request_has_not_begun_is_anybody_s),
      R(test_a_part_is_asked_for_twice_and_no_more),
      R(test_one_that_waits_for_its_next_attempt_is_left_alone),
      R(test_nothing_is_asked_for_again_beyond_the_connections),
      R(test_while_no_part_has_arrived_nobody_knows_what_is_slow),
      R(test_who_is_second_stops),
      T(test_a_small_file_that_gets_nowhere_begins_again),
      R(test_a_small_file_that_comes_slowly_is_left_alone),
      R(test_one_that_begins_again_is_not_hurried_a_second_time),
  };
  return cmocka_run_group_tests_name("hedge", tests, make_pattern, free_pattern);
}
