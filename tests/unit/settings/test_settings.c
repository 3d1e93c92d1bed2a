/* SPDX-License-Identifier: Apache-2.0 */
/* The settings table and what it drives, with an environment made up for each case. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs.h"
#include "settings.h"
#include "text.h"

static const char *const *environment; /* name, value, …, NULL */

static const char *fake_env(const char *name) {
  for (size_t i = 0; environment && environment[i]; i += 2)
    if (strcmp(environment[i], name) == 0) return environment[i + 1];
  return NULL;
}

static const struct setting *find(const char *name) {
  size_t count;
  const struct setting *all = settings_table(&count);
  for (size_t i = 0; i < count; i++)
    if (strcmp(all[i].name, name) == 0) return &all[i];
  fail_msg("no setting '%s'", name);
  return NULL;
}

static struct hoist_config read_env(const char *const *variables) {
  struct hoist_config config;
  struct hoist_error err;
  hoist_config_init(&config);
  environment = variables;
  assert_int_equal(hoist_config_from_env(&config, fake_env, &err), HOIST_OK);
  return config;
}

static void test_the_defaults_are_those_the_public_header_promises(void **state) {
  struct hoist_config c;
  hoist_config_init(&c);
  assert_int_equal(c.size, sizeof c);
  assert_null(c.cache_dir);
  assert_null(c.sources);
  assert_null(c.api_key);
  assert_null(c.telemetry);
  assert_null(c.region); /* the profile may say */
  assert_string_equal(c.addressing, "auto");
  assert_string_equal(c.api_url, "https://api.roboflow.com");
  assert_int_equal(c.verify_tls, 1);
  assert_int_equal(c.verify_md5, 1);
  assert_int_equal(c.offline, 0);
  assert_int_equal(c.request_timeout_ms, 0);
  assert_int_equal(c.stall_timeout_ms, 30000);
  assert_int_equal(c.max_attempts, 5);
  assert_int_equal(c.connections, 8);
  assert_int_equal(c.lock_timeout_ms, 600000);
  assert_string_equal(c.verification, "stat");
  assert_int_equal(c.intra_op_threads, 0);
  assert_int_equal(c.inter_op_threads, 0);
  assert_int_equal(c.spinning, 1);
  assert_int_equal(c.memory_arena, 1);
  assert_null(c.providers);
  assert_null(c.session_config);
  assert_null(c.custom_ops);
  assert_string_equal(c.graph_cache, "background");
  assert_int_equal(c.warm_up, 0);
  assert_int_equal(c.max_loaded_models, 0);
  assert_int_equal(c.max_loaded_bytes, 0);
}

static void test_the_first_variable_that_is_set_wins(void **state) {
  static const char *const variables[] = {
      "MODEL_CACHE_DIR", "/reference",    "HOIST_CACHE_DIR", "/own", "API_KEY",
      "second",          "AWS_CA_BUNDLE", "/aws.pem",        NULL};
  struct hoist_config c = read_env(variables);
  assert_string_equal(c.cache_dir, "/own");
  assert_string_equal(c.api_key, "second");
  assert_string_equal(c.ca_file, "/aws.pem");
  assert_string_equal(settings_variable(find("cache_dir"), fake_env), "HOIST_CACHE_DIR");
  assert_null(settings_variable(find("bucket"), fake_env));
}

static void test_an_empty_variable_counts_as_unset(void **state) {
  static const char *const variables[] = {"HOIST_CACHE_DIR",
                                          "",
                                          "MODEL_CACHE_DIR",
                                          "/reference",
                                          "HOIST_THREADS",
                                          "",
                                          "API_BASE_URL",
                                          "",
                                          "OFFLINE_MODE",
                                          "",
                                          NULL};
  struct hoist_config c = read_env(variables);
  assert_string_equal(c.cache_dir, "/reference");
  assert_string_equal(c.api_url, "https://api.roboflow.com");
  assert_int_equal(c.offline, 0);
}

static void test_every_setting_can_be_given_by_each_of_its_variables(void **state) {
  size_t count;
  const struct setting *all = settings_table(&count);
  for (size_t i = 0; i < count; i++) {
    for (size_t v = 0; v < SETTING_MAX_ENV && all[i].env[v]; v++) {
      char value[32] = "1";
      if (all[i].type == SETTING_CHOICE)
        snprintf(value, sizeof value, "%.*s", (int)strcspn(all[i].choices, "|"), all[i].choices);
      const char *const variables[] = {all[i].env[v], value, NULL};
      struct hoist_config c = read_env(variables);
      char text[SETTING_TEXT_SIZE];
      assert_true(settings_format(&c, &all[i], text));
      assert_string_equal(settings_variable(&all[i], fake_env), all[i].env[v]);
    }
  }
}

static void test_values_are_read_by_their_type(void **state) {
  static const struct {
    const char *variable, *value, *setting, *shown;
  } cases[] = {
      {"OFFLINE_MODE", "TRUE", "offline", "true"},
      {"OFFLINE_MODE", "yes", "offline", "true"},
      {"OFFLINE_MODE", "0", "offline", "false"},
      {"ROBOFLOW_API_VERIFY_SSL", "False", "verify_tls", "false"},
      {"MD5_VERIFICATION_ENABLED", "no", "verify_md5", "false"},
      {"HOIST_CONNECTIONS", "64", "connections", "64"},
      {"HOIST_MAX_ATTEMPTS", "1", "max_attempts", "1"},
      {"ROBOFLOW_API_REQUEST_TIMEOUT", "2", "request_timeout", "2 s"},
      {"ROBOFLOW_API_REQUEST_TIMEOUT", "1.5", "request_timeout", "1500 ms"},
      {"ROBOFLOW_API_REQUEST_TIMEOUT", ".25", "request_timeout", "250 ms"},
      {"ROBOFLOW_API_REQUEST_TIMEOUT", "7.", "request_timeout", "7 s"},
      {"ROBOFLOW_API_REQUEST_TIMEOUT", "0.00001", "request_timeout", "1 ms"},
      {"ROBOFLOW_API_REQUEST_TIMEOUT", "4294967.295", "request_timeout", "4294967295 ms"},
      {"HOIST_STALL_TIMEOUT", "0", "stall_timeout", "0 s"},
      {"HOIST_S3_ADDRESSING", "virtual", "addressing", "virtual"},
      {"HOIST_CACHE_MAX_SIZE", "10G", "cache_max_bytes", "10000000000 bytes"},
      {"HOIST_CACHE_MAX_SIZE", "10 gb", "cache_max_bytes", "10000000000 bytes"},
      {"HOIST_CACHE_MAX_SIZE", "1.5GiB", "cache_max_bytes", "1610612736 bytes"},
      {"HOIST_CACHE_MAX_SIZE", "0.001k", "cache_max_bytes", "1 bytes"},
      {"HOIST_CACHE_MAX_SIZE", "512", "cache_max_bytes", "512 bytes"},
      {"HOIST_CACHE_MAX_SIZE", "12345678901234B", "cache_max_bytes", "12345678901234 bytes"},
      {"HOIST_CACHE_MAX_SIZE", "18446T", "cache_max_bytes", "18446000000000000 bytes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const variables[] = {cases[i].variable, cases[i].value, NULL};
    struct hoist_config c = read_env(variables);
    char text[SETTING_TEXT_SIZE];
    assert_true(settings_format(&c, find(cases[i].setting), text));
    assert_string_equal(text, cases[i].shown);
  }
}

static void test_a_value_of_the_wrong_type_is_named_with_what_is_expected(void **state) {
  static const struct {
    const char *variable, *value, *expected;
  } cases[] = {
      {"OFFLINE_MODE", "maybe", "true or false"},
      {"HOIST_CONNECTIONS", "0", "from 1 to 64"},
      {"HOIST_CONNECTIONS", "65", "from 1 to 64"},
      {"HOIST_CONNECTIONS", "8x", "from 1 to 64"},
      {"HOIST_CONNECTIONS", "-1", "from 1 to 64"},
      {"HOIST_MAX_ATTEMPTS", "99999999999999999999", "from 1 to 20"},
      {"HOIST_STALL_TIMEOUT", "30s", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", "-1", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", "inf", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", "1e3", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", ".", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", "1.2.3", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", "4294967.296", "number of seconds"},
      {"HOIST_STALL_TIMEOUT", "99999999999999999999999999", "number of seconds"},
      {"HOIST_S3_ADDRESSING", "pat", "one of auto|path|virtual"},
      {"HOIST_S3_ADDRESSING", "auto|path", "one of auto|path|virtual"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const variables[] = {cases[i].variable, cases[i].value, NULL};
    struct hoist_config c;
    struct hoist_error err;
    hoist_config_init(&c);
    environment = variables;
    assert_int_equal(hoist_config_from_env(&c, fake_env, &err), HOIST_INVALID);
    assert_non_null(strstr(err.message, cases[i].variable));
    assert_non_null(strstr(err.message, cases[i].value));
    assert_non_null(strstr(err.message, cases[i].expected));
  }
}

static void test_an_endless_value_does_not_flood_the_error(void **state) {
  static char value[4096];
  memset(value, 'x', sizeof value - 1);
  struct hoist_config c;
  struct hoist_error err;
  hoist_config_init(&c);
  assert_int_equal(settings_set(&c, find("offline"), value, "--offline", &err), HOIST_INVALID);
  assert_true(strlen(err.message) < 200);
  assert_non_null(strstr(err.message, "expected true or false"));
}

static void test_a_secret_is_shown_as_set_only(void **state) {
  static const char *const variables[] = {"AWS_SECRET_ACCESS_KEY", "hunter2", NULL};
  struct hoist_config c = read_env(variables);
  char text[SETTING_TEXT_SIZE];
  assert_true(settings_format(&c, find("secret_key"), text));
  assert_string_equal(text, "set");
  assert_false(settings_format(&c, find("api_key"), text));
  assert_string_equal(text, "");
}

/* Only a text is never refused, so no error message can quote a secret. */
static void test_secrets_are_texts(void **state) {
  size_t count;
  const struct setting *all = settings_table(&count);
  for (size_t i = 0; i < count; i++)
    if (all[i].secret) assert_int_equal(all[i].type, SETTING_STRING);
}

static void test_urls_are_shown_without_their_secrets(void **state) {
  static const struct {
    const char *url, *shown;
  } cases[] = {
      {"https://minio.example:9000", "https://minio.example:9000"},
      {"https://user:pa@ss@minio.example/a", "https://minio.example/a"},
      {"https://h/p?token=abc", "https://h/p?REDACTED"},
      {"https://h#token", "https://h?REDACTED"},
      {"gateway:8080", "gateway:8080"},
      {"user:secret@gateway", "gateway"},
      {"https://h/a@b", "https://h/a@b"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct hoist_config c;
    char text[SETTING_TEXT_SIZE];
    hoist_config_init(&c);
    c.secure_gateway = cases[i].url;
    assert_true(settings_format(&c, find("secure_gateway"), text));
    assert_string_equal(text, cases[i].shown);
  }
}

static void test_a_zero_that_means_no_limit_is_not_a_value(void **state) {
  struct hoist_config c;
  char text[SETTING_TEXT_SIZE];
  hoist_config_init(&c);
  assert_false(settings_format(&c, find("request_timeout"), text));
  assert_string_equal(text, "");
}

static void test_names_and_variables_are_unique_and_every_setting_is_described(void **state) {
  size_t count;
  const struct setting *all = settings_table(&count);
  for (size_t i = 0; i < count; i++) {
    assert_non_null(all[i].env[0]);
    assert_true(all[i].initial || all[i].fallback);
    assert_true(text_ends_with(all[i].description, "."));
    for (size_t j = 0; j < i; j++) {
      assert_string_not_equal(all[i].name, all[j].name);
      assert_int_not_equal(all[i].offset, all[j].offset);
      assert_string_not_equal(all[i].env[0], all[j].env[0]);
    }
  }
}

static void test_the_cache_directory_follows_xdg(void **state) {
  static const struct {
    const char *xdg, *home, *path; /* path NULL: INVALID */
  } cases[] = {
      {"/xdg", "/home/a", "/xdg/hoist"},
      {NULL, "/home/a", "/home/a/.cache/hoist"},
      {"", "/home/a", "/home/a/.cache/hoist"},
      {"relative", "/home/a", "/home/a/.cache/hoist"},
      {NULL, NULL, NULL},
      {NULL, "relative", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const variables[] = {"XDG_CACHE_HOME", cases[i].xdg, "HOME", cases[i].home, NULL};
    struct hoist_error err;
    HOIST_AUTO(mem) char *path = NULL;
    environment = variables;
    enum hoist_status status = settings_default_cache_dir(fake_env, &path, &err);
    if (cases[i].path) {
      assert_int_equal(status, HOIST_OK);
      assert_string_equal(path, cases[i].path);
    } else {
      assert_int_equal(status, HOIST_INVALID);
      assert_non_null(strstr(err.message, "HOIST_CACHE_DIR"));
      assert_null(path);
    }
  }
}

/* ---- docs/configuration.md ------------------------------------------------------------------- */

static const char *const type_words[] = {"text",          "path",    "URL", NULL,
                                         "true or false", "seconds", NULL,  "bytes"};

static void type_text(const struct setting *s, char *out, size_t size) {
  if (s->type == SETTING_CHOICE) {
    size_t used = 0;
    for (const char *p = s->choices; *p && used < size - 4; p++)
      used += (size_t)snprintf(out + used, size - used, *p == '|' ? ", " : "%c", *p);
  } else if (s->type == SETTING_COUNT) {
    snprintf(out, size, "%u to %u", s->min, s->max);
  } else {
    snprintf(out, size, "%s%s", type_words[s->type], s->secret ? ", secret" : "");
  }
}

static void expected_row(const struct setting *s, char *out, size_t size) {
  char type[64], variables[128] = "", initial[128] = "";
  type_text(s, type, sizeof type);
  for (size_t v = 0; v < SETTING_MAX_ENV && s->env[v]; v++)
    snprintf(variables + strlen(variables), sizeof variables - strlen(variables), "%s`%s`",
             v ? ", " : "", s->env[v]);
  if (s->fallback)
    text_copy(initial, sizeof initial, s->fallback);
  else
    snprintf(initial, sizeof initial, "`%s`", s->initial);
  snprintf(out, size, "| `%s` | %s | %s | %s | %s |\n", s->name, variables, type, initial,
           s->description);
}

static void test_the_documented_table_is_the_table(void **state) {
  HOIST_AUTO(buf) struct buf doc = buf_make(1u << 20);
  struct hoist_error err;
  assert_int_equal(fs_read_file(AT_FDCWD, CONFIGURATION_MD, &doc, &err), HOIST_OK);
  size_t count, documented = 0;
  const struct setting *all = settings_table(&count);
  const char *at = buf_str(&doc);
  for (size_t i = 0; i < count; i++) {
    char row[1024];
    expected_row(&all[i], row, sizeof row);
    const char *found = strstr(at, row);
    if (!found) fail_msg("docs/configuration.md lacks, in this place: %s", row);
    at = found;
  }
  const char *section = strstr(buf_str(&doc), "\n## Settings\n");
  assert_non_null(section);
  const char *end = strstr(section + 1, "\n## ");
  for (const char *p = section; (p = strstr(p, "\n| `")) && (!end || p < end); p++)
    documented++;
  assert_int_equal(documented, count);
}

static void test_a_copy_owns_all_its_texts(void **state) {
  (void)state;
  size_t count;
  const struct setting *table = settings_table(&count);
  struct hoist_config config, copy;
  char text[] = "text";
  hoist_config_init(&config);
  for (size_t i = 0; i < count; i++)
    if (table[i].type == SETTING_STRING || table[i].type == SETTING_PATH ||
        table[i].type == SETTING_URL)
      *(const char **)((char *)&config + table[i].offset) = text;
  assert_int_equal(settings_copy(&config, &copy, NULL), HOIST_OK);
  text[0] = 'n';
  for (size_t i = 0; i < count; i++) {
    const char *of_copy = *(const char **)((char *)&copy + table[i].offset);
    if (table[i].type == SETTING_STRING || table[i].type == SETTING_PATH ||
        table[i].type == SETTING_URL)
      assert_string_equal(of_copy, "text");
  }
  assert_int_equal(copy.connections, config.connections);
  settings_copy_done(&copy);
  assert_null(copy.cache_dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_copy_owns_all_its_texts),
      cmocka_unit_test(test_the_defaults_are_those_the_public_header_promises),
      cmocka_unit_test(test_the_first_variable_that_is_set_wins),
      cmocka_unit_test(test_an_empty_variable_counts_as_unset),
      cmocka_unit_test(test_every_setting_can_be_given_by_each_of_its_variables),
      cmocka_unit_test(test_values_are_read_by_their_type),
      cmocka_unit_test(test_a_value_of_the_wrong_type_is_named_with_what_is_expected),
      cmocka_unit_test(test_an_endless_value_does_not_flood_the_error),
      cmocka_unit_test(test_a_secret_is_shown_as_set_only),
      cmocka_unit_test(test_secrets_are_texts),
      cmocka_unit_test(test_urls_are_shown_without_their_secrets),
      cmocka_unit_test(test_a_zero_that_means_no_limit_is_not_a_value),
      cmocka_unit_test(test_names_and_variables_are_unique_and_every_setting_is_described),
      cmocka_unit_test(test_the_cache_directory_follows_xdg),
      cmocka_unit_test(test_the_documented_table_is_the_table),
  };
  return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
