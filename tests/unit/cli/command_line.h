/* SPDX-License-Identifier: Apache-2.0 */
/* Whole command lines run in this process, against the stand-in for the library. */
#ifndef HOIST_TESTS_CLI_COMMAND_LINE_H
#define HOIST_TESTS_CLI_COMMAND_LINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "capture.h"
#include "cli.h"
#include "fake_hoist.h"
#include "text.h"

#define MAX_WORDS 16

static const char *const *environment;

static inline const char *fake_env(const char *name) {
  for (size_t i = 0; environment && environment[i]; i += 2)
    if (strcmp(environment[i], name) == 0) return environment[i + 1];
  return NULL;
}

/* One run of the command; freed at the end of the test. */
struct run {
  struct capture out, err;
  int code;
};

static struct run run;

static inline int reset(void **state) {
  fake_hoist_reset();
  environment = NULL;
  run = (struct run){0};
  return 0;
}

static inline int free_run(void **state) {
  capture_free(&run.out);
  capture_free(&run.err);
  assert_int_equal(fake_hoist.opened, fake_hoist.closed);
  assert_int_equal(fake_hoist.models_held, 0);
  return 0;
}

/* Runs a command line, split at spaces. */
static inline void run_line(const char *line) {
  char text[512], *argv[MAX_WORDS], *rest = text;
  int argc = 0;
  assert_true(text_copy(text, sizeof text, line));
  for (char *word; (word = strsep(&rest, " "));)
    argv[argc++] = word;
  argv[argc] = NULL;
  capture_free(&run.out);
  capture_free(&run.err);
  capture_begin(&run.out);
  capture_begin(&run.err);
  run.code = cli_run(argc, argv, run.out.stream, run.err.stream, fake_env);
  capture_end(&run.out);
  capture_end(&run.err);
}

static inline void assert_says(const struct capture *c, const char *text) {
  if (!strstr(c->text, text)) fail_msg("'%s' is not in: %s", text, c->text);
}

/* The JSON object on line `number` (from 0; negative: from the end) of standard output. */
static inline json_t *json_line(int number) {
  int lines = 0;
  for (const char *p = run.out.text; *p; p++)
    lines += *p == '\n';
  const char *line = run.out.text;
  for (int i = 0; i < (number < 0 ? lines + number : number); i++)
    line = strchr(line, '\n') + 1;
  json_error_t error;
  json_t *json = json_loadb(line, strcspn(line, "\n"), 0, &error);
  if (!json) fail_msg("%s: %s", error.text, line);
  return json;
}

static inline const char *text_at(const json_t *json, const char *key) {
  const char *text = json_string_value(json_object_get(json, key));
  return text ? text : "(none)";
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, reset, free_run)

#endif
