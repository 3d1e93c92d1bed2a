/* SPDX-License-Identifier: Apache-2.0 */
/* credential_process: how its command is split, and what becomes of it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws_search.h"
#include "clock.h"

#define SECRET "s3cr3t-never-shown"

static void test_commands_are_split_as_a_shell_does(void **state) {
  (void)state;
  static const struct {
    const char *command;
    const char *words[5];
  } cases[] = {
      {"a", {"a"}},
      {"  a\tb  c ", {"a", "b", "c"}},
      {"\"a b\" 'c d'", {"a b", "c d"}},
      {"a\"b c\"d'e f'g", {"ab cde fg"}},
      {"a \"\" ''", {"a", "", ""}},
      {"a\\ b \\\"c", {"a b", "\"c"}},
      {"\"a\\\"b\\\\c\\d\"", {"a\"b\\c\\d"}},
      {"'a\\b\"c'", {"a\\b\"c"}},
      {"echo $HOME `id` $(id) ; rm", {"echo", "$HOME", "`id`", "$(id)", ";"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(aws_words) struct aws_words words = {0};
    assert_int_equal(aws_words_split(cases[i].command, &words, NULL), HOIST_OK);
    for (size_t k = 0; k < 5 && cases[i].words[k]; k++)
      assert_string_equal(words.words[k], cases[i].words[k]);
  }
}

static void test_what_is_no_command_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {"", "  ", "a 'b", "a \"b", "a \\"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(aws_words) struct aws_words words = {0};
    assert_int_equal(aws_words_split(cases[i], &words, NULL), HOIST_INVALID);
    assert_null(words.words);
  }
}

static enum hoist_status run(const char *command, const struct aws_credentials **c,
                             struct hoist_error *err) {
  const struct call call = {0};
  return aws_run_process(&call, command, c, err);
}

static void test_a_command_prints_credentials(void **state) {
  (void)state;
  HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
  struct hoist_error err;
  enum hoist_status status =
      run("sh -c 'read line; echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"A$line\\\",'"
          "'\\\"SecretAccessKey\\\":\\\"B\\\"}\"; echo words >&2'",
          &c, &err);
  if (status != HOIST_OK) fail_msg("%s", err.message);
  assert_string_equal(c->access_key, "A");
  assert_string_equal(c->provider, "credential_process");
}

static void test_failures_of_commands_are_told_without_their_words(void **state) {
  (void)state;
  static const struct {
    const char *command;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {"/nowhere/hoist-no-such-program x", HOIST_DENIED,
       "cannot run /nowhere/hoist-no-such-program"},
      {"sh -c 'echo " SECRET " >&2; echo " SECRET "; exit 3'", HOIST_DENIED,
       "failed (exit status 3); run it by hand"},
      {"sh -c 'kill -9 $$'", HOIST_DENIED, "failed (signal 9)"},
      {"echo " SECRET, HOIST_CORRUPT, "not a JSON object"},
      {"true", HOIST_CORRUPT, "not a JSON object"},
      {"head -c 300000 /dev/zero", HOIST_CORRUPT, "credential_process"},
      {"'", HOIST_INVALID, "a quote"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct aws_credentials *c = NULL;
    struct hoist_error err;
    enum hoist_status status = run(cases[i].command, &c, &err);
    if (status != cases[i].status || !strstr(err.message, cases[i].message))
      fail_msg("%s: %s", cases[i].command, status == HOIST_OK ? "fine" : err.message);
    assert_null(strstr(err.message, SECRET));
    assert_null(c);
  }
}

/* Fails unless the process that wrote its number there has gone. */
static void assert_gone(const char *path) {
  int pid = 0;
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%d", &pid), 1);
  fclose(file);
  assert_int_equal(kill(pid, 0), -1);
}

static void test_a_command_is_ended_when_the_call_is(void **state) {
  (void)state;
  char dir[] = "/tmp/hoist-process-XXXXXX", command[128], path[64];
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/pid", dir);
  snprintf(command, sizeof command, "sh -c 'echo $$ > %s; exec sleep 100'", path);
  const struct aws_credentials *c = NULL;
  struct hoist_error err;
  uint64_t began = clock_monotonic_ns();
  const struct call call = {.deadline_ns = began + 300 * NS_PER_MS};
  assert_int_equal(aws_run_process(&call, command, &c, &err), HOIST_TIMEOUT);
  assert_true(clock_monotonic_ns() - began < 5 * NS_PER_S);
  assert_non_null(strstr(err.message, "waiting for credential_process"));
  assert_gone(path);
  unlink(path);
  rmdir(dir);
}

/* It closes its output, and does not end. */
static void test_a_command_that_lingers_is_ended_too(void **state) {
  (void)state;
  const struct aws_credentials *c = NULL;
  const struct call call = {.deadline_ns = clock_monotonic_ns() + 300 * NS_PER_MS};
  assert_int_equal(aws_run_process(&call, "sh -c 'exec sleep 100 >&-'", &c, NULL), HOIST_TIMEOUT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_commands_are_split_as_a_shell_does),
      cmocka_unit_test(test_what_is_no_command_is_refused),
      cmocka_unit_test(test_a_command_prints_credentials),
      cmocka_unit_test(test_failures_of_commands_are_told_without_their_words),
      cmocka_unit_test(test_a_command_is_ended_when_the_call_is),
      cmocka_unit_test(test_a_command_that_lingers_is_ended_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
