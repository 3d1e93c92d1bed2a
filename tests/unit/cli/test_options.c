/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

#define MAX_WORDS 16

static const char *const *environment;

static const char *fake_env(const char *name) {
  for (size_t i = 0; environment && environment[i]; i += 2)
    if (strcmp(environment[i], name) == 0) return environment[i + 1];
  return NULL;
}

/* A command line split at spaces, in storage that lives until the next call. */
static enum hoist_status parse(const char *line, struct options *o, struct hoist_error *err) {
  static char text[256];
  static char *argv[MAX_WORDS];
  int argc = 0;
  char *rest = text;
  strncpy(text, line, sizeof text - 1);
  for (char *word; (word = strsep(&rest, " "));)
    argv[argc++] = word;
  argv[argc] = NULL;
  return options_parse(argc, argv, o, err);
}

static void test_options_and_words_stand_in_any_order(void **state) {
  struct options o;
  assert_int_equal(parse("hoist --json load -q a/1 --timeout 1.5 b/2 --no-color", &o, NULL),
                   HOIST_OK);
  assert_true(o.json);
  assert_true(o.quiet);
  assert_true(o.no_color);
  assert_false(o.help);
  assert_int_equal(o.timeout_ms, 1500);
  assert_int_equal(o.word_count, 3);
  assert_string_equal(o.words[0], "load");
  assert_string_equal(o.words[1], "a/1");
  assert_string_equal(o.words[2], "b/2");
}

static void test_conditions_on_spans_are_collected(void **state) {
  struct options o;
  struct hoist_error err;
  assert_int_equal(
      parse("hoist trace f --name GET --attr a=1 --attr b --slower-than 1.5s", &o, NULL), HOIST_OK);
  assert_string_equal(o.filter.name, "GET");
  assert_int_equal(o.filter.attr_count, 2);
  assert_string_equal(o.filter.attrs[1], "b");
  assert_int_equal(o.filter.longer_than_ns, 1500000000);
  assert_string_equal(o.for_traces, "--slower-than");
  assert_int_equal(parse("hoist trace f --slower-than 100", &o, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "--slower-than: '100' is no duration"));
}

static void test_two_dashes_end_the_options(void **state) {
  struct options o;
  assert_int_equal(parse("hoist load -- --json", &o, NULL), HOIST_OK);
  assert_false(o.json);
  assert_int_equal(o.word_count, 2);
  assert_string_equal(o.words[1], "--json");
}

static void test_every_setting_that_is_no_secret_is_an_option(void **state) {
  size_t count;
  const struct setting *settings = settings_table(&count);
  assert_true(count <= OPTIONS_MAX_SETTINGS);
  for (size_t i = 0; i < count; i++) {
    struct options o;
    struct hoist_error err;
    char name[OPTION_NAME_SIZE], line[128];
    options_name(&settings[i], name);
    snprintf(line, sizeof line, "hoist %s=1 ls", name);
    enum hoist_status status = parse(line, &o, &err);
    if (settings[i].secret) {
      assert_int_equal(status, HOIST_INVALID);
      assert_non_null(strstr(err.message, "environment only"));
    } else {
      assert_int_equal(status, HOIST_OK);
      assert_string_equal(o.setting_texts[i], "1");
    }
  }
}

static void test_options_win_over_the_environment_and_that_over_defaults(void **state) {
  static const char *const variables[] = {
      "HOIST_CONNECTIONS", "3", "HOIST_MAX_ATTEMPTS", "2", "OFFLINE_MODE", "1", NULL};
  struct options o;
  struct hoist_config c;
  environment = variables;
  assert_int_equal(parse("hoist --connections 7 --offline=no --ca-file /x ls", &o, NULL), HOIST_OK);
  assert_int_equal(options_configure(&o, fake_env, &c, NULL), HOIST_OK);
  assert_int_equal(c.connections, 7);
  assert_int_equal(c.max_attempts, 2);
  assert_int_equal(c.offline, 0);
  assert_string_equal(c.ca_file, "/x");
  assert_string_equal(c.api_url, "https://api.roboflow.com");
}

static void test_a_switch_needs_no_value_and_an_empty_value_unsets(void **state) {
  struct options o;
  struct hoist_config c;
  environment = NULL;
  assert_int_equal(parse("hoist --offline --api-url= ls", &o, NULL), HOIST_OK);
  assert_int_equal(options_configure(&o, fake_env, &c, NULL), HOIST_OK);
  assert_int_equal(c.offline, 1);
  assert_null(c.api_url);
}

static void test_an_empty_path_is_refused(void **state) {
  struct options o;
  struct hoist_config c;
  struct hoist_error err = {0};
  environment = NULL;
  assert_int_equal(parse("hoist --cache-dir= ls", &o, NULL), HOIST_OK);
  assert_int_equal(options_configure(&o, fake_env, &c, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "--cache-dir"));
}

static void test_the_last_of_two_contradictions_wins(void **state) {
  struct options o;
  assert_int_equal(parse("hoist --waterfall --no-waterfall load", &o, NULL), HOIST_OK);
  assert_int_equal(o.waterfall, CHOICE_NO);
}

static void test_wrong_options_are_named_with_a_way_out(void **state) {
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"hoist ls --cachedir x", "unknown option '--cachedir': did you mean '--cache-dir'?"},
      {"hoist ls --jsno", "did you mean '--json'?"},
      {"hoist ls --bogus", "unknown option '--bogus': see 'hoist help'"},
      {"hoist ls --bogus=secret", "unknown option '--bogus': see"},
      {"hoist ls -x", "unknown option '-x'"},
      {"hoist ls -qx", "unknown option '-x'"},
      {"hoist ls --json=1", "--json takes no value"},
      {"hoist ls --help=1", "--help takes no value"},
      {"hoist ls --cache-dir", "--cache-dir needs a value"},
      {"hoist ls --timeout", "--timeout needs a value"},
      {"hoist ls --timeout soon", "--timeout is 'soon': expected a number of seconds"},
      {"hoist ls --c 1", "'--c' is ambiguous"},
      {"hoist ls --api-key=x", "--api-key: secrets are taken from the environment only"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct options o;
    struct hoist_error err;
    assert_int_equal(parse(cases[i].line, &o, &err), HOIST_INVALID);
    if (!strstr(err.message, cases[i].says))
      fail_msg("%s: '%s' does not say '%s'", cases[i].line, err.message, cases[i].says);
  }
}

static void test_a_wrong_value_of_a_setting_names_the_option(void **state) {
  struct options o;
  struct hoist_config c;
  struct hoist_error err;
  environment = NULL;
  assert_int_equal(parse("hoist --connections 99 ls", &o, NULL), HOIST_OK);
  assert_int_equal(options_configure(&o, fake_env, &c, &err), HOIST_INVALID);
  assert_string_equal(err.message, "--connections is '99': expected a whole number from 1 to 64");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options_and_words_stand_in_any_order),
      cmocka_unit_test(test_conditions_on_spans_are_collected),
      cmocka_unit_test(test_two_dashes_end_the_options),
      cmocka_unit_test(test_every_setting_that_is_no_secret_is_an_option),
      cmocka_unit_test(test_options_win_over_the_environment_and_that_over_defaults),
      cmocka_unit_test(test_a_switch_needs_no_value_and_an_empty_value_unsets),
      cmocka_unit_test(test_an_empty_path_is_refused),
      cmocka_unit_test(test_the_last_of_two_contradictions_wins),
      cmocka_unit_test(test_wrong_options_are_named_with_a_way_out),
      cmocka_unit_test(test_a_wrong_value_of_a_setting_names_the_option),
  };
  return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
