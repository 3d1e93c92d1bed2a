/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration files say, as the AWS CLI understands them (tests/bench/aws_config compares). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws_config.h"
#include "text.h"

static enum hoist_status parse(const char *text, struct aws_ini *ini, struct hoist_error *err) {
  return aws_ini_parse(text, strlen(text), "FILE", ini, err);
}

/* Both files' texts as if they had been read. */
static void make_config(const char *config, const char *credentials,
                        struct aws_config *ret_config) {
  *ret_config = (struct aws_config){0};
  assert_int_equal(parse(config, &ret_config->config, NULL), HOIST_OK);
  assert_int_equal(parse(credentials, &ret_config->credentials, NULL), HOIST_OK);
}

static void expect(const char *found, const char *expected, const char *what) {
  if (!text_equal(found, expected))
    fail_msg("%s: %s instead of %s", what, found ? found : "nothing",
             expected ? expected : "nothing");
}

static void test_values_are_read_as_people_write_them(void **state) {
  (void)state;
  static const struct {
    const char *text, *key, *value;
  } cases[] = {
      {"[default]\nregion = eu-west-1\n", "region", "eu-west-1"},
      {"[default]\nregion=eu-west-1", "region", "eu-west-1"},
      {"[default]\r\nregion = eu-west-1\r\n", "region", "eu-west-1"},
      {"[default]\n  region  =  eu-west-1  \n", "region", "eu-west-1"},
      {"[default]\nregion: eu-west-1\n", "region", "eu-west-1"},
      {"[default]\nREGION = eu-west-1\n", "region", "eu-west-1"},
      {"\xef\xbb\xbf[default]\nregion = eu-west-1\n", "region", "eu-west-1"},
      {"# words\n; more\n\n[default]\n# region = other\nregion = eu-west-1\n", "region",
       "eu-west-1"},
      {"[default]\nregion = a # b\n", "region", "a # b"},
      {"[default]\nk = a=b=c\n", "k", "a=b=c"},
      {"[default]\nk =\n", "k", NULL},
      {"[default]\nk = \"quoted\"\n", "k", "\"quoted\""},
      {"[default]\nk = 1\nk = 2\n", "k", "2"},
      {"[default] words\nk = 1\n", "k", "1"},
      {"[default]\nk = 1\n[other]\nk = 2\n", "k", "1"},
      {"[default]\nk = 1\n[default]\nj = 2\n", "k", "1"},
      {"[profile default]\nk = 1\n", "k", "1"},
      {"[profile  \"default\"]\nk = 1\n", "k", "1"},
      {"[profile 'default']\nk = 1\n", "k", "1"},
      {"[ default ]\nk = 1\n", "k", NULL},
      {"[profile\tdefault]\nk = 1\n", "k", "1"},
      {"[profiledefault]\nk = 1\n", "k", NULL},
      {"[profile default2]\nk = 1\n", "k", NULL},
      {"[default]\nk = a\n  b\n", "k", "a"},
      {"[default]\nk = a\n\n  b\nj = 1\n", "j", "1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(aws_config) struct aws_config config;
    make_config(cases[i].text, "", &config);
    expect(aws_config_get(&config, "default", cases[i].key), cases[i].value, cases[i].text);
  }
}

static void test_nested_keys_belong_to_the_key_above(void **state) {
  (void)state;
  HOIST_AUTO(aws_config) struct aws_config config;
  make_config("[default]\n"
              "s3 =\n"
              "  addressing_style = path\n"
              "\n"
              "  # a comment\n"
              "  max_queue_size = 10\n"
              "region = eu-west-1\n"
              "[profile b]\n"
              "s3=\n"
              "    addressing_style = virtual\n",
              "", &config);
  expect(aws_config_get_sub(&config, "default", "s3", "addressing_style"), "path", "sub");
  expect(aws_config_get_sub(&config, "default", "s3", "max_queue_size"), "10", "second sub");
  expect(aws_config_get_sub(&config, "b", "s3", "addressing_style"), "virtual", "other profile");
  expect(aws_config_get_sub(&config, "default", "s3", "region"), NULL, "not a sub");
  expect(aws_config_get(&config, "default", "addressing_style"), NULL, "not a key");
  expect(aws_config_get(&config, "default", "s3"), NULL, "not a value");
  expect(aws_config_get(&config, "default", "region"), "eu-west-1", "the key after it");
}

static void test_what_is_no_file_of_this_kind_is_refused_with_its_line(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"region = x\n", "FILE, line 1: there is no section"},
      {"[default]\nregion\n", "FILE, line 2: neither a section nor key = value"},
      {"[default]\n= x\n", "FILE, line 2: neither a section nor key = value"},
      {"\n[default\nregion = x\n", "FILE, line 2: a section's name is not ended"},
      {"[]\n", "FILE, line 1: a section's name"},
      {"[default]\ns3 =\n  nonsense\n", "FILE, line 3: below a key without a value"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(aws_ini) struct aws_ini ini = {0};
    struct hoist_error err;
    assert_int_equal(parse(cases[i].text, &ini, &err), HOIST_INVALID);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s", err.message);
  }
  HOIST_AUTO(aws_ini) struct aws_ini ini = {0};
  assert_int_equal(aws_ini_parse("[a]\nk = \0v", 10, "FILE", &ini, NULL), HOIST_INVALID);
}

static void test_errors_never_show_a_line(void **state) {
  (void)state;
  HOIST_AUTO(aws_ini) struct aws_ini ini = {0};
  struct hoist_error err;
  assert_int_equal(parse("[default]\naws_secret_access_key s3cr3t\n", &ini, &err), HOIST_INVALID);
  assert_null(strstr(err.message, "s3cr3t"));
}

static void test_a_file_has_a_bound(void **state) {
  (void)state;
  HOIST_AUTO(aws_ini) struct aws_ini ini = {0};
  HOIST_AUTO(mem) char *text = malloc(AWS_INI_MAX_BYTES + 1);
  memset(text, '\n', AWS_INI_MAX_BYTES + 1);
  assert_int_equal(aws_ini_parse(text, AWS_INI_MAX_BYTES + 1, "FILE", &ini, NULL), HOIST_INVALID);
  assert_int_equal(aws_ini_parse(text, AWS_INI_MAX_BYTES, "FILE", &ini, NULL), HOIST_OK);
  assert_int_equal(ini.count, 0);
}

static void test_the_credentials_file_names_profiles_plainly_and_wins(void **state) {
  (void)state;
  HOIST_AUTO(aws_config) struct aws_config config;
  make_config("[default]\naws_access_key_id = A\nregion = r1\n[profile b]\nregion = r2\n"
              "[c]\nregion = r3\n",
              "[default]\naws_access_key_id = B\n[b]\naws_access_key_id = C\n[profile d]\nk = 1\n",
              &config);
  expect(aws_config_get(&config, "default", "aws_access_key_id"), "B", "both");
  expect(aws_config_get(&config, "default", "region"), "r1", "the rest of it");
  expect(aws_config_get(&config, "b", "aws_access_key_id"), "C", "credentials alone");
  expect(aws_config_get(&config, "b", "region"), "r2", "config alone");
  assert_true(aws_config_has(&config, "default"));
  assert_true(aws_config_has(&config, "b"));
  assert_false(aws_config_has(&config, "c"));
  assert_false(aws_config_has(&config, "d"));
  assert_false(aws_config_has(&config, ""));
}

static void test_a_key_of_the_credentials_file_hides_the_others_even_an_empty_one(void **state) {
  (void)state;
  HOIST_AUTO(aws_config) struct aws_config config;
  make_config("[default]\nregion = r1\ns3 =\n  addressing_style = path\n",
              "[default]\nregion =\ns3 =\n", &config);
  expect(aws_config_get(&config, "default", "region"), NULL, "a key");
  expect(aws_config_get_sub(&config, "default", "s3", "addressing_style"), NULL, "a nested key");
}

static void test_an_empty_profile_is_there(void **state) {
  (void)state;
  HOIST_AUTO(aws_config) struct aws_config config;
  make_config("[profile a]\n", "[b]\n", &config);
  assert_true(aws_config_has(&config, "a"));
  assert_true(aws_config_has(&config, "b"));
}

static void test_endpoints_come_from_the_services_section_first(void **state) {
  (void)state;
  HOIST_AUTO(aws_config) struct aws_config config;
  make_config("[default]\nendpoint_url = http://all\nservices = mine\n"
              "[services mine]\ns3 =\n  endpoint_url = http://s3\n"
              "[profile plain]\nendpoint_url = http://plain\n[profile none]\nservices = nobodys\n",
              "", &config);
  expect(aws_config_endpoint(&config, "default", "s3"), "http://s3", "its own");
  expect(aws_config_endpoint(&config, "default", "sts"), "http://all", "of all");
  expect(aws_config_endpoint(&config, "plain", "s3"), "http://plain", "without services");
  expect(aws_config_endpoint(&config, "none", "s3"), NULL, "services that are not there");
}

/* ---- files ------------------------------------------------------------------------------------ */

struct home {
  char dir[32];
};

static void put(const struct home *home, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "%s/%s", home->dir, name);
  FILE *file = fopen(path, "w");
  fputs(text, file);
  fclose(file);
}

static void home_cleanup(struct home *home) {
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", home->dir);
  assert_int_equal(system(command), 0);
}

static void home_init(struct home *home) {
  strcpy(home->dir, "/tmp/hoist-aws-XXXXXX");
  assert_non_null(mkdtemp(home->dir));
  setenv("HOME", home->dir, 1);
}

static void test_files_are_looked_for_at_home(void **state) {
  (void)state;
  HOIST_AUTO(home) struct home home;
  HOIST_AUTO(aws_config) struct aws_config none = {0};
  HOIST_AUTO(aws_config) struct aws_config config = {0};
  char dir[64];
  home_init(&home);
  assert_int_equal(aws_config_read(NULL, NULL, &none, NULL), HOIST_OK);
  assert_false(aws_config_has(&none, "default"));
  snprintf(dir, sizeof dir, "mkdir %s/.aws", home.dir);
  assert_int_equal(system(dir), 0);
  put(&home, ".aws/config", "[default]\nregion = a\n");
  put(&home, "mine", "[default]\naws_access_key_id = b\n");
  assert_int_equal(aws_config_read(NULL, "~/mine", &config, NULL), HOIST_OK);
  expect(aws_config_get(&config, "default", "region"), "a", "config");
  expect(aws_config_get(&config, "default", "aws_access_key_id"), "b", "credentials");
}

static void test_a_broken_file_is_named(void **state) {
  (void)state;
  HOIST_AUTO(home) struct home home;
  HOIST_AUTO(aws_config) struct aws_config config = {0};
  struct hoist_error err;
  home_init(&home);
  put(&home, "broken", "nonsense\n");
  assert_int_equal(aws_config_read("~/broken", NULL, &config, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "/broken, line 1: "));
  assert_int_equal(aws_config_read("~/", NULL, &config, &err), HOIST_UNAVAILABLE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values_are_read_as_people_write_them),
      cmocka_unit_test(test_nested_keys_belong_to_the_key_above),
      cmocka_unit_test(test_what_is_no_file_of_this_kind_is_refused_with_its_line),
      cmocka_unit_test(test_errors_never_show_a_line),
      cmocka_unit_test(test_a_file_has_a_bound),
      cmocka_unit_test(test_the_credentials_file_names_profiles_plainly_and_wins),
      cmocka_unit_test(test_a_key_of_the_credentials_file_hides_the_others_even_an_empty_one),
      cmocka_unit_test(test_an_empty_profile_is_there),
      cmocka_unit_test(test_endpoints_come_from_the_services_section_first),
      cmocka_unit_test(test_files_are_looked_for_at_home),
      cmocka_unit_test(test_a_broken_file_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
