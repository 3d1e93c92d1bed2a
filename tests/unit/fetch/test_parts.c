/* SPDX-License-Identifier: Apache-2.0 */
/* fetch of large files: parts in any order, servers that cannot do them, lie, break or change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fetch_world.h"
#include "file.h"

#define SIZE ((size_t)(2 * FILE_PARALLEL_ABOVE_BYTES + 12345)) /* five parts */
#define PARTS 5

static char *pattern, *other; /* two versions of one file */

static int make_patterns(void **state) {
  (void)state;
  pattern = malloc(SIZE + 1);
  other = malloc(SIZE + 1);
  for (size_t i = 0; i < SIZE; i++) {
    pattern[i] = (char)(1 + (i * 31 + (i >> 10)) % 251);
    other[i] = (char)(1 + (i * 17 + (i >> 11)) % 251);
  }
  pattern[SIZE] = other[SIZE] = '\0';
  return 0;
}

static int free_patterns(void **state) {
  (void)state;
  free(pattern);
  free(other);
  return 0;
}

static struct fake_file *add(struct world *w, fake_answer *answer) {
  struct fake_file *f = fake_source_add(w->source, "w.onnx", pattern);
  f->answer = answer;
  return f;
}

static void assert_fetched(const struct world *w, const char *data, size_t size) {
  struct digest wanted;
  assert_int_equal(digest_of(DIGEST_SHA256, data, size, &wanted, NULL), HOIST_OK);
  assert_int_equal(w->m.files[0].size, size);
  assert_true(digest_equal(&w->m.files[0].digest, &wanted));
  struct buf staged = buf_make(SIZE + 1);
  assert_int_equal(cache_txn_read(w->txn, "w.onnx", &staged, NULL), HOIST_OK);
  assert_int_equal(staged.size, size);
  assert_memory_equal(staged.data, data, size);
  buf_done(&staged);
}

/* ---- servers ----------------------------------------------------------------------------------- */

static void pause_ms(long ms) {
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static enum hoist_status good(const struct call *call, struct fake_file *f, int n,
                              struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  return fake_send(f, request, "\"v1\"", err);
}

/* A server far away; the earlier a part, the later it comes. */
static enum hoist_status backwards(const struct call *call, struct fake_file *f, int n,
                                   struct source_request *request, struct hoist_error *err) {
  (void)call;
  pause_ms(n == 0 ? 10 : 40 - 8 * n);
  return fake_send(f, request, "\"v1\"", err);
}

static enum hoist_status without_ranges(const struct call *call, struct fake_file *f, int n,
                                        struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  return fake_send_whole(f, request, f->size, NULL, err);
}

/* The connection breaks twice; each attempt begins anew. */
static enum hoist_status breaks_without_ranges(const struct call *call, struct fake_file *f, int n,
                                               struct source_request *request,
                                               struct hoist_error *err) {
  (void)call, (void)n;
  enum hoist_status status = fake_send_whole(f, request, 3000000, NULL, err);
  if (status == HOIST_OK) status = fake_send_whole(f, request, f->size - 1, NULL, err);
  return status == HOIST_OK ? fake_send_whole(f, request, f->size, NULL, err) : status;
}

/* Breaks too, but goes on where it was. */
static enum hoist_status breaks(const struct call *call, struct fake_file *f, int n,
                                struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  int64_t to = request->to, half = (request->from + to) / 2;
  const struct source_response response = {.offset = request->from,
                                           .length = to - request->from,
                                           .size = (int64_t)f->size,
                                           .validator = "\"v1\""};
  if (to == SOURCE_TO_END || to > (int64_t)f->size) return fake_send(f, request, "\"v1\"", err);
  enum hoist_status status = request->sink.begin(request->sink.user, &response, err);
  fake_note_sent(f, (size_t)(half - request->from));
  if (status == HOIST_OK)
    status = request->sink.write(request->sink.user, f->data + request->from,
                                 (size_t)(half - request->from), err);
  if (status != HOIST_OK) return status;
  assert_int_equal(request->from, half);
  return fake_send(f, request, "\"v1\"", err);
}

static enum hoist_status lies(struct fake_file *f, struct source_request *request,
                              struct hoist_error *err) {
  (void)f;
  request->trouble = SOURCE_BAD_RANGE;
  return hoist_fail(err, HOIST_CORRUPT, "w.onnx: asked for one range, got another");
}

static enum hoist_status lies_about_part_2(const struct call *call, struct fake_file *f, int n,
                                           struct source_request *request,
                                           struct hoist_error *err) {
  (void)call, (void)n;
  if (request->from == 2 * FILE_PART_BYTES) return lies(f, request, err);
  return fake_send(f, request, "\"v1\"", err);
}

static enum hoist_status always_lies(const struct call *call, struct fake_file *f, int n,
                                     struct source_request *request, struct hoist_error *err) {
  (void)call, (void)n;
  return lies(f, request, err);
}

static enum hoist_status forgets_ranges(const struct call *call, struct fake_file *f, int n,
                                        struct source_request *request, struct hoist_error *err) {
  (void)call;
  if (n == 2) return fake_send_whole(f, request, f->size, "\"v1\"", err);
  return fake_send(f, request, "\"v1\"", err);
}

static enum hoist_status sends_half_of_part_1(const struct call *call, struct fake_file *f, int n,
                                              struct source_request *request,
                                              struct hoist_error *err) {
  (void)call, (void)n;
  if (request->from != FILE_PART_BYTES) return fake_send(f, request, "\"v1\"", err);
  const struct source_response response = {
      .offset = request->from, .length = FILE_PART_BYTES, .size = (int64_t)f->size};
  enum hoist_status status = request->sink.begin(request->sink.user, &response, err);
  return status == HOIST_OK
             ? request->sink.write(request->sink.user, f->data + request->from, 1000, err)
             : status;
}

static enum hoist_status sends_too_much(const struct call *call, struct fake_file *f, int n,
                                        struct source_request *request, struct hoist_error *err) {
  enum hoist_status status = good(call, f, n, request, err);
  if (status != HOIST_OK || request->whole) return status;
  return request->sink.write(request->sink.user, "more", 4, err);
}

static enum hoist_status changes_once(const struct call *call, struct fake_file *f, int n,
                                      struct source_request *request, struct hoist_error *err) {
  (void)call;
  struct fake_file now = {.data = other, .size = f->size};
  if (n < 2) return fake_send(f, request, "\"v1\"", err);
  if (request->validator && strcmp(request->validator, "\"v2\"") != 0) {
    request->trouble = SOURCE_CHANGED;
    return hoist_fail(err, HOIST_UNAVAILABLE, "HTTP status 412");
  }
  return fake_send(&now, request, "\"v2\"", err);
}

/* Ignores what version is asked for: the versions of the answers tell. */
static enum hoist_status changes_always(const struct call *call, struct fake_file *f, int n,
                                        struct source_request *request, struct hoist_error *err) {
  char version[16];
  (void)call;
  snprintf(version, sizeof version, "\"v%d\"", n);
  return fake_send(f, request, version, err);
}

/* One range brings the bytes of something else. */
static enum hoist_status mixes_up_a_range(const struct call *call, struct fake_file *f, int n,
                                          struct source_request *request, struct hoist_error *err) {
  (void)call;
  struct fake_file wrong = {.data = other, .size = f->size};
  return fake_send(n == 1 ? &wrong : f, request, "\"v1\"", err);
}

static enum hoist_status is_wrong_each_time(const struct call *call, struct fake_file *f, int n,
                                            struct source_request *request,
                                            struct hoist_error *err) {
  (void)call;
  struct fake_file wrong = {.data = other, .size = f->size};
  return fake_send(n == 1 || request->whole ? &wrong : f, request, "\"v1\"", err);
}

static enum hoist_status grows(const struct call *call, struct fake_file *f, int n,
                               struct source_request *request, struct hoist_error *err) {
  (void)call;
  if (n == 2) f->size--; /* no version, but another size */
  return fake_send(f, request, NULL, err);
}

static enum hoist_status waits(const struct call *call, struct fake_file *f, int n,
                               struct source_request *request, struct hoist_error *err) {
  if (n == 1) return hoist_fail(err, HOIST_DENIED, "w.onnx: not for you");
  if (n == 0) return fake_send(f, request, "\"v1\"", err);
  for (;;) {
    enum hoist_status status = call_check(call, "waiting", err);
    if (status != HOIST_OK) return status;
    pause_ms(1);
  }
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void test_parts_arrive_in_any_order(void **state) {
  struct world *w = *state;
  struct fake_file *f = add(w, backwards);
  assert_int_equal(digest_of(DIGEST_MD5, pattern, SIZE, &f->in_response, NULL), HOIST_OK);
  assert_int_equal(world_fetch_all(w, 8), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_true(f->requests >=
              PARTS); /* on a busy machine parts may look slow, and be asked for again */
  assert_int_equal(w->outcome.bytes, f->sent);
  assert_true(w->source->most_in_flight > 1);
  assert_int_equal(fake_span_count(w->tracer, "model.artifact.download"), 1);
}

static void test_large_files_share_the_connections(void **state) {
  struct world *w = *state;
  add(w, backwards);
  fake_source_add(w->source, "v.onnx", pattern)->answer = backwards;
  assert_int_equal(world_fetch_all(w, 3), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_in_range(w->source->most_in_flight, 2, 3);
}

static void test_one_connection_is_enough(void **state) {
  struct world *w = *state;
  const struct fake_file *f = add(w, good);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_int_equal(w->source->most_in_flight, 1);
  assert_int_equal(f->sent, SIZE);
}

static void test_an_unknown_size_is_learnt_from_the_first_part(void **state) {
  struct world *w = *state;
  static const size_t sizes[] = {0,
                                 1,
                                 FILE_PART_BYTES,
                                 FILE_PART_BYTES + 1,
                                 FILE_PARALLEL_ABOVE_BYTES,
                                 FILE_PARALLEL_ABOVE_BYTES + 1,
                                 SIZE};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct fake_file *f = add(w, good);
    f->size = sizes[i];
    f->listed_size = FILE_SIZE_UNKNOWN;
    assert_int_equal(world_fetch_all(w, 4), HOIST_OK);
    assert_fetched(w, pattern, sizes[i]);
    assert_int_equal(f->sent, sizes[i]);
    world_forget(w);
  }
}

static void test_a_server_without_ranges_sends_one_stream(void **state) {
  struct world *w = *state;
  const struct fake_file *f = add(w, without_ranges);
  assert_int_equal(world_fetch_all(w, 4), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_int_equal(f->requests, 1);
}

static void test_broken_connections_cost_what_the_server_cannot_repeat(void **state) {
  struct world *w = *state;
  const struct fake_file *f = add(w, breaks);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_int_equal(f->sent, SIZE);
  world_forget(w);
  f = add(w, breaks_without_ranges);
  assert_int_equal(world_fetch_all(w, 4), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_int_equal(w->outcome.bytes, f->sent);
}

static void test_a_server_that_lies_about_ranges_is_asked_without(void **state) {
  struct world *w = *state;
  static fake_answer *const servers[] = {lies_about_part_2, forgets_ranges, sends_half_of_part_1,
                                         sends_too_much};
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
    add(w, servers[i]);
    enum hoist_status status = world_fetch_all(w, 3);
    if (status != HOIST_OK) fail_msg("server %zu: %s", i, w->err.message);
    assert_fetched(w, pattern, SIZE);
    world_forget(w);
  }
}

static void test_one_that_goes_on_lying_is_corrupt(void **state) {
  struct world *w = *state;
  const struct fake_file *f = add(w, always_lies);
  assert_int_equal(world_fetch_all(w, 3), HOIST_CORRUPT);
  assert_int_equal(f->requests, 2);
  assert_int_equal(fake_span(w->tracer, "model.artifact.download", 0)->errors, 1);
}

static void test_a_file_that_changes_once_is_fetched_anew(void **state) {
  struct world *w = *state;
  add(w, changes_once);
  assert_int_equal(world_fetch_all(w, 3), HOIST_OK);
  assert_fetched(w, other, SIZE);
  assert_string_equal(w->m.files[0].etag, "\"v2\"");
}

static void test_one_that_changes_twice_is_corrupt(void **state) {
  struct world *w = *state;
  add(w, changes_always);
  assert_int_equal(world_fetch_all(w, 1), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "w.onnx: changed twice"));
}

static void test_another_size_is_another_version(void **state) {
  struct world *w = *state;
  add(w, grows);
  assert_int_equal(world_fetch_all(w, 1), HOIST_OK);
  assert_fetched(w, pattern, SIZE - 1);
}

static void test_a_failed_part_stops_the_others(void **state) {
  struct world *w = *state;
  add(w, waits);
  assert_int_equal(world_fetch_all(w, 4), HOIST_DENIED);
  assert_string_equal(w->err.message, "w.onnx: not for you");
  assert_string_equal(fake_attr(fake_span(w->tracer, "model.artifact.download", 0), "error.type"),
                      "denied");
}

static void test_a_broken_promise_over_parts_is_corrupt(void **state) {
  struct world *w = *state;
  struct fake_file *f = add(w, good);
  f->promised = (struct digest){.kind = DIGEST_SHA256};
  assert_int_equal(world_fetch_all(w, 4), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, "the source promised"));
  assert_non_null(strstr(w->err.message, ", both times it was fetched"));
  assert_int_equal(w->outcome.bytes, f->sent);
}

static void test_bytes_that_came_wrong_once_are_fetched_once_more_in_one_piece(void **state) {
  struct world *w = *state;
  struct fake_file *f = add(w, mixes_up_a_range);
  assert_int_equal(digest_of(DIGEST_MD5, pattern, SIZE, &f->promised, NULL), HOIST_OK);
  assert_int_equal(world_fetch_all(w, 4), HOIST_OK);
  assert_fetched(w, pattern, SIZE);
  assert_int_equal(w->outcome.files, 1);
  assert_true(w->outcome.bytes >= 2 * SIZE);
  assert_int_equal(fake_span_count(w->tracer, "model.artifact.download"), 1);
}

static void test_bytes_that_come_wrong_each_time_are_corrupt(void **state) {
  struct world *w = *state;
  struct fake_file *f = add(w, is_wrong_each_time);
  assert_int_equal(digest_of(DIGEST_MD5, pattern, SIZE, &f->promised, NULL), HOIST_OK);
  assert_int_equal(world_fetch_all(w, 4), HOIST_CORRUPT);
  assert_non_null(strstr(w->err.message, ", and something else the other time it was fetched"));
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
  const struct CMUnitTest tests[] = {
      T(test_parts_arrive_in_any_order),
      T(test_large_files_share_the_connections),
      T(test_one_connection_is_enough),
      T(test_an_unknown_size_is_learnt_from_the_first_part),
      T(test_a_server_without_ranges_sends_one_stream),
      T(test_broken_connections_cost_what_the_server_cannot_repeat),
      T(test_a_server_that_lies_about_ranges_is_asked_without),
      T(test_one_that_goes_on_lying_is_corrupt),
      T(test_a_file_that_changes_once_is_fetched_anew),
      T(test_one_that_changes_twice_is_corrupt),
      T(test_another_size_is_another_version),
      T(test_a_failed_part_stops_the_others),
      T(test_a_broken_promise_over_parts_is_corrupt),
      T(test_bytes_that_came_wrong_once_are_fetched_once_more_in_one_piece),
      T(test_bytes_that_come_wrong_each_time_are_corrupt),
  };
  return cmocka_run_group_tests_name("parts", tests, make_patterns, free_patterns);
}
