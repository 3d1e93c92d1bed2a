/* SPDX-License-Identifier: Apache-2.0 */
/* Creations of sessions that are called off while the runtime is at them: with its own switch, and left to
 * themselves where that does not do. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_tracer.h"
#include "runtime.h"
#include "session_internal.h"
#include "text.h"

static const struct call plain_call = {0};
static const struct session_options one_thread = {.intra_op_threads = 1};

/* One that takes the runtime a good while to create a session on, at any speed. Sanitizers slow the runtime's
 * allocations down. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_LAYERS 1000
#else
#define SLOW_LAYERS 3000
#endif
static const char *slow_model(void) {
  struct buf model = buf_make(64 << 20);
  onnx_write_chain(SLOW_LAYERS, 8, &model);
  const char *path = scratch_file("slow.onnx", buf_str(&model), model.size);
  buf_done(&model);
  return path;
}

#define BEGUN_NS (30 * NS_PER_MS)

static void *call_off_soon(void *cancel) {
  const struct timespec t = {.tv_nsec = BEGUN_NS};
  nanosleep(&t, NULL);
  atomic_store((atomic_int *)cancel, 1);
  return NULL;
}

static enum hoist_status create_and_call_off(const char *path, struct session **ret_session,
                                             struct hoist_error *err) {
  pthread_t thread;
  atomic_int cancel = 0;
  const struct call call = {.cancel = &cancel};
  assert_int_equal(pthread_create(&thread, NULL, call_off_soon, &cancel), 0);
  enum hoist_status status =
      session_open_path(&call, test_ort, path, &one_thread, ret_session, err);
  pthread_join(thread, NULL);
  return status;
}

static void test_a_creation_that_has_begun_is_called_off(void **state) {
  struct session *s = NULL;
  struct hoist_error err;
  assert_int_equal(create_and_call_off(slow_model(), &s, &err), HOIST_CANCELLED);
  assert_string_equal(err.message, "creating the session: cancelled");
  assert_null(s);
}

static void test_a_creation_that_has_begun_runs_out_of_time(void **state) {
  const char *path = slow_model();
  const struct call call = {.deadline_ns = clock_monotonic_ns() + BEGUN_NS};
  struct session *s = NULL;
  struct hoist_error err;
  assert_int_equal(session_open_path(&call, test_ort, path, &one_thread, &s, &err), HOIST_TIMEOUT);
  assert_string_equal(err.message, "creating the session: the deadline passed");
  assert_null(s);
}

/* ---- left to itself ---- */

static struct ort_api whole_api;

/* As before 1.22. */
static int take_the_switch_away(void **state) {
  whole_api = test_ort->library.api;
  test_ort->library.api.SessionOptionsSetLoadCancellationFlag = NULL;
  return 0;
}

static int give_the_switch_back(void **state) {
  session_await_left();
  test_ort->library.api = whole_api;
  return 0;
}

static void test_without_a_switch_a_creation_is_left_to_itself(void **state) {
  struct session *s = NULL;
  struct hoist_error err;
  assert_int_equal(create_and_call_off(slow_model(), &s, &err), HOIST_CANCELLED);
  assert_string_equal(err.message, "creating the session: cancelled");
  assert_null(s);
}

static void test_a_creation_left_needs_nothing_of_its_callers(void **state) {
  char *path = text_dup(slow_model());
  struct ort *own = NULL;
  assert_int_equal(ort_open(&plain_call, ort_path(test_ort), &own, NULL), HOIST_OK);
  struct session *s = NULL;
  assert_int_equal(create_and_call_off(path, &s, NULL), HOIST_CANCELLED);
  unlink(path);
  memset(path, 'x', strlen(path));
  free(path);
  ort_close(own);
  session_await_left();
}

static void test_several_creations_are_left_at_once(void **state) {
  const char *path = slow_model();
  struct session *s = NULL;
  for (int i = 0; i < 3; i++)
    assert_int_equal(create_and_call_off(path, &s, NULL), HOIST_CANCELLED);
  assert_int_equal(
      session_open_path(&plain_call, test_ort, blazeface_path(), &one_thread, &s, NULL), HOIST_OK);
  session_close(s);
}

static void test_a_creation_left_writes_no_more_spans(void **state) {
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span span;
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &span);
  const char *path = slow_model();
  const struct call call = {.span = &span, .deadline_ns = clock_monotonic_ns() + BEGUN_NS};
  struct session *s = NULL;
  assert_int_equal(session_open_path(&call, test_ort, path, &one_thread, &s, NULL), HOIST_TIMEOUT);
  hoist_span_end(&span);
  int count = (int)tracer->span_count;
  fake_tracer_check(tracer, NULL);
  session_await_left();
  assert_int_equal(tracer->span_count, count);
  fake_tracer_free(tracer);
}

static void *await_left(void *user) {
  session_await_left();
  *(unsigned *)user = session_count_left();
  return NULL;
}

static void test_all_who_wait_for_those_left_wait_for_each(void **state) {
  const char *path = slow_model();
  struct session *s = NULL;
  for (int i = 0; i < 2; i++)
    assert_int_equal(create_and_call_off(path, &s, NULL), HOIST_CANCELLED);
  assert_in_range(session_count_left(), 1, 2);
  pthread_t threads[2];
  unsigned remaining[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, await_left, &remaining[i]), 0);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(remaining[i], 0);
  }
}

static void test_a_forked_child_waits_for_no_creation_of_its_parent(void **state) {
  struct session *s = NULL;
  assert_int_equal(create_and_call_off(slow_model(), &s, NULL), HOIST_CANCELLED);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    session_await_left();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void test_a_graph_that_is_being_saved_is_waited_for(void **state) {
  pthread_t thread;
  atomic_int cancel = 0;
  const struct call call = {.cancel = &cancel};
  char *path = text_dup(slow_model());
  const char *dir = scratch_path("saved");
  assert_int_equal(mkdir(dir, 0700), 0);
  assert_int_equal(pthread_create(&thread, NULL, call_off_soon, &cancel), 0);
  assert_int_equal(session_save_graph(&call, test_ort, path, dir, GRAPH_MAPPED, &one_thread, NULL),
                   HOIST_OK);
  pthread_join(thread, NULL);
  free(path);
}

#define WITHOUT_SWITCH(test)                                                                       \
  cmocka_unit_test_setup_teardown(test, take_the_switch_away, give_the_switch_back)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_creation_that_has_begun_is_called_off),
      cmocka_unit_test(test_a_creation_that_has_begun_runs_out_of_time),
      WITHOUT_SWITCH(test_without_a_switch_a_creation_is_left_to_itself),
      WITHOUT_SWITCH(test_a_creation_left_needs_nothing_of_its_callers),
      WITHOUT_SWITCH(test_several_creations_are_left_at_once),
      WITHOUT_SWITCH(test_a_creation_left_writes_no_more_spans),
      WITHOUT_SWITCH(test_all_who_wait_for_those_left_wait_for_each),
      WITHOUT_SWITCH(test_a_forked_child_waits_for_no_creation_of_its_parent),
      WITHOUT_SWITCH(test_a_graph_that_is_being_saved_is_waited_for),
  };
  return cmocka_run_group_tests(tests, open_test_runtime, close_test_runtime);
}
