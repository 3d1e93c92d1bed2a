/* SPDX-License-Identifier: Apache-2.0 */
/* The current span of a thread. */
#include <pthread.h>

#include "recording.h"

static void test_no_span_is_current_by_itself(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  assert_null(hoist_span_current());
  hoist_span_start_root(recording_telemetry(r), "one", HOIST_SPAN_INTERNAL, NULL, &span);
  assert_null(hoist_span_current());
  hoist_span_end(&span);
  recording_stop(r);
}

static void test_scopes_nest_and_give_back_what_was_before(void **state) {
  struct hoist_span outer = {0}, inner = {0};
  struct hoist_scope a, b, c;
  hoist_scope_enter(&a, &outer);
  assert_ptr_equal(hoist_span_current(), &outer);
  hoist_scope_enter(&b, &inner);
  assert_ptr_equal(hoist_span_current(), &inner);
  hoist_scope_enter(&c, NULL); /* what is done in here belongs to nobody */
  assert_null(hoist_span_current());
  hoist_scope_leave(&c);
  assert_ptr_equal(hoist_span_current(), &inner);
  hoist_scope_leave(&b);
  assert_ptr_equal(hoist_span_current(), &outer);
  hoist_scope_leave(&a);
  assert_null(hoist_span_current());
}

static void test_the_same_span_may_be_entered_twice(void **state) {
  struct hoist_span span = {0};
  struct hoist_scope a, b;
  hoist_scope_enter(&a, &span);
  hoist_scope_enter(&b, &span);
  hoist_scope_leave(&b);
  assert_ptr_equal(hoist_span_current(), &span);
  hoist_scope_leave(&a);
  assert_null(hoist_span_current());
}

static void *run_thread(void *user) {
  struct hoist_span mine = {0}, *seen_at_start = hoist_span_current();
  struct hoist_scope scope;
  hoist_scope_enter(&scope, &mine);
  bool is_mine = hoist_span_current() == &mine;
  pthread_barrier_wait(user); /* now both threads are in their scopes */
  is_mine = is_mine && hoist_span_current() == &mine;
  pthread_barrier_wait(user);
  hoist_scope_leave(&scope);
  return (void *)(uintptr_t)(is_mine && !seen_at_start && !hoist_span_current());
}

static void test_every_thread_has_its_own(void **state) {
  struct hoist_span span = {0};
  struct hoist_scope scope;
  pthread_barrier_t barrier;
  pthread_t thread;
  void *ok;
  hoist_scope_enter(&scope, &span);
  assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
  assert_int_equal(pthread_create(&thread, NULL, run_thread, &barrier), 0);
  pthread_barrier_wait(&barrier);
  assert_ptr_equal(hoist_span_current(), &span);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, &ok);
  assert_non_null(ok);
  assert_ptr_equal(hoist_span_current(), &span);
  hoist_scope_leave(&scope);
  pthread_barrier_destroy(&barrier);
}

static void test_the_current_span_serves_as_a_parent(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span parent, child;
  struct hoist_scope scope;
  hoist_span_start_root(recording_telemetry(r), "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  hoist_scope_enter(&scope, &parent);
  hoist_span_start(hoist_span_current(), "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_end(&child);
  hoist_scope_leave(&scope);
  hoist_span_start(hoist_span_current(), "nobody's", HOIST_SPAN_INTERNAL, &child);
  assert_null(child.telemetry);
  hoist_span_end(&parent);
  recording_read(r);
  assert_int_equal(r->count, 2);
  assert_memory_equal(recording_span(r, "child")->parent_id, recording_span(r, "parent")->span_id,
                      8);
  recording_stop(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_span_is_current_by_itself),
      cmocka_unit_test(test_scopes_nest_and_give_back_what_was_before),
      cmocka_unit_test(test_the_same_span_may_be_entered_twice),
      cmocka_unit_test(test_every_thread_has_its_own),
      cmocka_unit_test(test_the_current_span_serves_as_a_parent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
