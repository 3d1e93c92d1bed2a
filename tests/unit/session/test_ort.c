/* SPDX-License-Identifier: Apache-2.0 */
/* Finding, opening and sharing the runtime. The program is linked with dlopen and dlerror wrapped,
 * so that a test can decide what the machine seems to have. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_tracer.h"
#include "runtime.h"

#define NO_SUCH_FILE ": cannot open shared object file: No such file or directory"

/* What the machine seems to have; all NULL: what it really has. */
static struct {
  bool nothing;         /* no library at all, but for … */
  const char *name;     /* … this one, */
  const char *stand_in; /* which is really this file; NULL: one that does not load */
  char tried[4096];     /* names asked for, each followed by a blank */
  char error[512];
} machine;

void *__real_dlopen(const char *name, int flags);
char *__real_dlerror(void);
void *__wrap_dlopen(const char *name, int flags);
char *__wrap_dlerror(void);

void *__wrap_dlopen(const char *name, int flags) {
  if (!machine.nothing) return __real_dlopen(name, flags);
  size_t used = strlen(machine.tried);
  snprintf(machine.tried + used, sizeof machine.tried - used, "%s ", name);
  bool here = machine.name && strcmp(name, machine.name) == 0;
  if (here && machine.stand_in) return __real_dlopen(machine.stand_in, flags);
  snprintf(machine.error, sizeof machine.error, "%s%s", name,
           here ? ": undefined symbol: onnx_something" : NO_SUCH_FILE);
  return NULL;
}

char *__wrap_dlerror(void) {
  return machine.nothing ? machine.error : __real_dlerror();
}

static int forget_machine(void **state) {
  memset(&machine, 0, sizeof machine);
  return 0;
}

static const struct call plain_call = {0};

static const char *fake_library(const char *file) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", getenv("HOIST_TEST_LIBRARIES"), file);
  return path;
}

static void assert_unusable(const char *path, const char *part1, const char *part2) {
  struct ort *ort = NULL;
  struct hoist_error err = {0};
  assert_int_equal(ort_open(&plain_call, path, &ort, &err), HOIST_UNSUPPORTED);
  assert_null(ort);
  assert_int_equal(err.status, HOIST_UNSUPPORTED);
  if (!strstr(err.message, part1) || !strstr(err.message, part2) ||
      !strstr(err.message, "HOIST_ONNXRUNTIME"))
    fail_msg("%s", err.message);
}

static void test_the_runtime_opens_and_tells_its_version_and_path(void **state) {
  struct ort *ort = open_runtime(&plain_call);
  unsigned major, minor, patch;
  assert_int_equal(sscanf(ort_version(ort), "%u.%u.%u", &major, &minor, &patch), 3);
  assert_int_equal(major, 1);
  assert_int_equal(ort_path(ort)[0], '/');
  assert_int_equal(access(ort_path(ort), R_OK), 0);
  ort_close(ort);
}

static void test_all_who_open_a_library_share_it_however_they_spell_it(void **state) {
  struct ort *first = open_runtime(&plain_call), *second = open_runtime(&plain_call), *third = NULL;
  assert_int_equal(ort_open(&plain_call, ort_path(first), &third, NULL), HOIST_OK);
  assert_ptr_equal(first, second);
  assert_ptr_equal(first, third);
  ort_close(first);
  ort_close(second);
  assert_non_null(ort_version(third));
  ort_close(third);
}

static void test_the_runtime_opens_again_after_its_last_user_closed_it(void **state) {
  for (int i = 0; i < 3; i++)
    ort_close(open_runtime(&plain_call));
}

static void test_an_empty_path_means_the_search(void **state) {
  machine.nothing = true;
  assert_unusable("", "tried libonnxruntime.so.1.", "");
  assert_unusable(NULL, "tried libonnxruntime.so.1.", "");
}

static void test_closing_null_does_nothing(void **state) {
  ort_close(NULL);
}

static void test_the_first_opening_is_two_spans_and_later_ones_are_none(void **state) {
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span root;
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &root);
  struct call call = {.span = &root};
  struct ort *first = open_runtime(&call), *second = open_runtime(&call);
  hoist_span_end(&root);
  fake_tracer_check(tracer, NULL);
  assert_int_equal(tracer->span_count, 3);
  assert_string_equal(tracer->spans[1].name, "ort.dlopen");
  assert_string_equal(tracer->spans[2].name, "ort.create_env");
  assert_int_equal(tracer->spans[1].parent, 0);
  assert_int_equal(tracer->spans[2].parent, 0);
  assert_true(tracer->spans[2].start_ns >= tracer->spans[1].end_ns);
  ort_close(first);
  ort_close(second);
  fake_tracer_free(tracer);
}

static void test_a_failed_opening_is_a_span_with_the_error(void **state) {
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span root;
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &root);
  struct call call = {.span = &root};
  struct ort *ort = NULL;
  assert_int_equal(ort_open(&call, "/nowhere/lib.so", &ort, NULL), HOIST_UNSUPPORTED);
  hoist_span_end(&root);
  const struct fake_span *span = fake_span(tracer, "ort.dlopen", 0);
  assert_non_null(span);
  assert_int_equal(span->exception_events, 1);
  assert_string_equal(fake_attr(span, "error.type"), "unsupported");
  assert_non_null(strstr(span->description, "/nowhere/lib.so"));
  assert_null(fake_span(tracer, "ort.create_env", 0));
  fake_tracer_free(tracer);
}

static void test_a_missing_library_is_unsupported_and_says_what_to_do(void **state) {
  assert_unusable("/nowhere/libonnxruntime.so", "/nowhere/libonnxruntime.so: cannot open",
                  "of 1.17 or later");
}

static void test_a_file_that_is_no_library_is_unsupported(void **state) {
  assert_unusable(scratch_file("notes.txt", "hello", 5), "notes.txt", "");
  assert_unusable("/tmp", "/tmp", "");
}

static void test_a_library_that_is_not_onnx_runtime_is_unsupported(void **state) {
  assert_unusable("libz.so.1", "libz.so.1 is not ONNX Runtime", "OrtGetApiBase");
}

static void test_a_runtime_of_an_unusable_version_is_unsupported(void **state) {
  static const struct {
    const char *file, *message;
  } cases[] = {
      {"libfake_ort_old.so", "is ONNX Runtime 1.16.3, hoist works with 1.17 and later"},
      {"libfake_ort_next.so", "is ONNX Runtime 2.0.0, hoist works with 1.17 and later 1.x"},
      {"libfake_ort_odd.so", "is ONNX Runtime nightly, hoist works with"},
      {"libfake_ort_empty.so", "ONNX Runtime 1.30.0, has no interface 22"},
      {"libfake_ort_oldest.so", "ONNX Runtime 1.17.0, has no interface 17"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_unusable(fake_library(cases[i].file), cases[i].file, cases[i].message);
}

static void test_the_search_goes_from_the_newest_soname_to_the_plain_name(void **state) {
  machine.nothing = true;
  assert_unusable(NULL, "tried libonnxruntime.so.1.30 down to .so.1.17, libonnxruntime.so.1, ",
                  "install libonnxruntime");
  const char *newest = strstr(machine.tried, "libonnxruntime.so.1.30 "),
             *debian = strstr(machine.tried, "libonnxruntime.so.1.21 "),
             *oldest = strstr(machine.tried, "libonnxruntime.so.1.17 "),
             *official = strstr(machine.tried, "libonnxruntime.so.1 "),
             *plain = strstr(machine.tried, " libonnxruntime.so ");
  assert_ptr_equal(newest, machine.tried);
  assert_true(newest < debian && debian < oldest && oldest < official && official < plain);
}

static void test_the_search_takes_a_library_under_the_last_name_too(void **state) {
  char path[512];
  struct ort *real = open_runtime(&plain_call), *found = NULL;
  snprintf(path, sizeof path, "%s", ort_path(real));
  machine.nothing = true;
  machine.name = "libonnxruntime.so";
  machine.stand_in = path;
  assert_int_equal(ort_open(&plain_call, NULL, &found, NULL), HOIST_OK);
  assert_ptr_equal(found, real);
  ort_close(found);
  ort_close(real);
}

static void test_a_failed_search_tells_of_the_library_it_could_not_use(void **state) {
  machine.nothing = true;
  machine.name = "libonnxruntime.so.1.21";
  assert_unusable(NULL, "libonnxruntime.so.1.21: undefined symbol: onnx_something", "tried");
  machine.name = "libonnxruntime.so.1";
  machine.stand_in = fake_library("libfake_ort_old.so");
  assert_unusable(NULL, "libonnxruntime.so.1 is ONNX Runtime 1.16.3", "tried");
}

static void *open_in_thread(void *arg) {
  return open_runtime(&plain_call);
}

static void test_threads_that_open_at_once_get_the_same_runtime(void **state) {
  pthread_t threads[4];
  void *opened[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, NULL), 0);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], &opened[i]);
  for (int i = 0; i < 4; i++) {
    assert_ptr_equal(opened[i], opened[0]);
    ort_close(opened[i]);
  }
}

/* The session that keeps Debian 13's build quiet, on whatever runtime is here. */
static struct {
  struct ort_api real;
  int sessions;
  bool failed, stderr_was_null;
} quiet;

static struct OrtStatus *spy_on_session(const struct OrtEnv *env, const void *data, size_t size,
                                        const struct OrtSessionOptions *options,
                                        struct OrtSession **ret_session) {
  struct stat to, null;
  assert_int_equal(fstat(STDERR_FILENO, &to), 0);
  assert_int_equal(stat("/dev/null", &null), 0);
  quiet.sessions++;
  quiet.stderr_was_null = to.st_rdev == null.st_rdev && to.st_ino == null.st_ino;
  struct OrtStatus *status =
      quiet.real.CreateSessionFromArray(env, data, size, options, ret_session);
  quiet.failed = status != NULL;
  return status;
}

static void test_the_noisy_build_gets_a_first_session_with_stderr_turned_away(void **state) {
  struct ort *ort = open_runtime(&plain_call);
  struct ort copy = *ort;
  quiet.real = ort->library.api;
  copy.library.api.CreateSessionFromArray = spy_on_session;
  struct stat before, after;
  assert_int_equal(fstat(STDERR_FILENO, &before), 0);

  copy.library.version = (char[]){"1.30.0"};
  copy.library.path = (char[]){"/usr/lib/x86_64-linux-gnu/libonnxruntime.so.1.30.0"};
  ort_quiet_first_session(&copy);
  copy.library.version = (char[]){"1.21.0"};
  copy.library.path = (char[]){"/opt/libonnxruntime.so.1.21.0"};
  ort_quiet_first_session(&copy);
  assert_int_equal(quiet.sessions, 0);

  copy.library.path = (char[]){"/usr/lib/x86_64-linux-gnu/libonnxruntime.so.1.21.0"};
  bool noisy_here =
      strncmp(ort_version(ort), "1.21.", 5) == 0 && strncmp(ort_path(ort), "/usr/lib/", 9) == 0;
  ort_quiet_first_session(&copy);
  ort_quiet_first_session(&copy);
  assert_int_equal(quiet.sessions, noisy_here ? 0 : 1); /* once per process */
  assert_false(quiet.failed);
  assert_true(noisy_here || quiet.stderr_was_null);
  assert_int_equal(fstat(STDERR_FILENO, &after), 0);
  assert_true(before.st_dev == after.st_dev && before.st_ino == after.st_ino);
  ort_close(ort);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_first_opening_is_two_spans_and_later_ones_are_none),
      cmocka_unit_test(test_the_runtime_opens_and_tells_its_version_and_path),
      cmocka_unit_test(test_all_who_open_a_library_share_it_however_they_spell_it),
      cmocka_unit_test(test_the_runtime_opens_again_after_its_last_user_closed_it),
      cmocka_unit_test(test_threads_that_open_at_once_get_the_same_runtime),
      cmocka_unit_test_teardown(test_an_empty_path_means_the_search, forget_machine),
      cmocka_unit_test(test_closing_null_does_nothing),
      cmocka_unit_test(test_a_failed_opening_is_a_span_with_the_error),
      cmocka_unit_test(test_a_missing_library_is_unsupported_and_says_what_to_do),
      cmocka_unit_test(test_a_file_that_is_no_library_is_unsupported),
      cmocka_unit_test(test_a_library_that_is_not_onnx_runtime_is_unsupported),
      cmocka_unit_test(test_a_runtime_of_an_unusable_version_is_unsupported),
      cmocka_unit_test_teardown(test_the_search_goes_from_the_newest_soname_to_the_plain_name,
                                forget_machine),
      cmocka_unit_test_teardown(test_the_search_takes_a_library_under_the_last_name_too,
                                forget_machine),
      cmocka_unit_test_teardown(test_a_failed_search_tells_of_the_library_it_could_not_use,
                                forget_machine),
      cmocka_unit_test(test_the_noisy_build_gets_a_first_session_with_stderr_turned_away),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
