/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of hostile JSON and the errors of the getters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_read.h"

static enum hoist_status parse(const char *text, size_t size, json_t **ret_value,
                               struct hoist_error *err) {
  return json_read_parse(text, size, 1 << 20, "x.json", ret_value, err);
}

static void test_malformed_texts_are_corrupt_and_say_where(void **state) {
  static const struct {
    const char *text;
    size_t size; /* 0: strlen */
    const char *message;
  } cases[] = {
      {"", 0, "x.json: not JSON: it ends too early at line 1, column 0"},
      {"{\"a\":", 0, "it ends too early"},
      {"{\"a\": 1\n", 0, "it ends too early at line 2"},
      {"{\"url\":\"https://h/?X-Amz-Signature=", 0, "it ends too early"},
      {"{} {}", 0, "there is more after its end"},
      {"{\"a\" 1}", 0, "syntax error at line 1, column 6"},
      {"{'a': 1}", 0, "syntax error"},
      {"[NaN]", 0, "syntax error"},
      {"[1,]", 0, "syntax error"},
      {"[\"\xff\"]", 0, "not valid UTF-8"},
      {"[\"a\\u0000b\"]", 0, "a string holds a NUL character"},
      {"{\"a\\u0000b\": 1}", 0, "a key holds a NUL character"},
      {"[1\0]", 4, "holds a NUL byte"},
      {"[1e999]", 0, "a number is too big"},
      {"[99999999999999999999]", 0, "a number is too big"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *value = NULL;
    struct hoist_error err = {0};
    size_t size = cases[i].size ? cases[i].size : strlen(cases[i].text);
    assert_int_equal(parse(cases[i].text, size, &value, &err), HOIST_CORRUPT);
    assert_null(value);
    if (!strstr(err.message, cases[i].message)) fail_msg("case %zu: %s", i, err.message);
    assert_null(strstr(err.message, "Signature"));
  }
}

static void test_ten_thousand_levels_are_refused_and_a_thousand_are_not(void **state) {
  static const struct {
    size_t levels;
    enum hoist_status status;
  } cases[] = {{1000, HOIST_OK}, {10000, HOIST_CORRUPT}, {500000, HOIST_CORRUPT}};
  for (size_t i = 0; i < 3; i++) {
    size_t levels = cases[i].levels;
    char *text = malloc(2 * levels);
    assert_non_null(text);
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    json_t *value = NULL;
    struct hoist_error err = {0};
    assert_int_equal(parse(text, 2 * levels, &value, &err), cases[i].status);
    if (cases[i].status != HOIST_OK) assert_non_null(strstr(err.message, "nested too deep"));
    json_decref(value);
    free(text);
  }
}

static void test_a_text_over_the_cap_is_not_even_parsed(void **state) {
  json_t *value = NULL;
  struct hoist_error err = {0};
  assert_int_equal(json_read_parse("[1, 2]", 6, 5, "x.json", &value, &err), HOIST_CORRUPT);
  assert_string_equal(err.message, "x.json: 6 bytes, more than the 5 allowed");
  assert_int_equal(json_read_parse("[1, 2]", 6, 6, "x.json", &value, &err), HOIST_OK);
  json_decref(value);
}

static void test_errors_name_the_way_to_the_value(void **state) {
  json_t *value = NULL;
  static const char text[] = "{\"a\": {\"b\": [1, {\"c\": \"x\"}]}, \"n\": null}";
  struct hoist_error err = {0};
  assert_int_equal(parse(text, sizeof text - 1, &value, NULL), HOIST_OK);
  struct json_place root = json_read_root(value, "x.json");
  struct json_place a = json_read_member(&root, "a"), b = json_read_member(&a, "b");
  struct json_place item = json_read_item(&b, 1), c = json_read_member(&item, "c");
  struct json_place d = json_read_member(&c, "d");
  int64_t number = 7;
  assert_int_equal(json_read_int(&c, 0, 9, &number, &err), HOIST_CORRUPT);
  assert_string_equal(err.message, "x.json: a.b[1].c: expected a whole number, found a string");
  assert_int_equal(number, 7);
  assert_int_equal(json_read_object(&d, &err), HOIST_CORRUPT);
  assert_string_equal(err.message, "x.json: a.b[1].c.d: expected an object, but it is missing");
  assert_int_equal(json_read_array(&root, &err), HOIST_CORRUPT);
  assert_string_equal(err.message, "x.json: expected a list, found an object");
  struct json_place n = json_read_member(&root, "n");
  assert_int_equal(json_read_array(&n, &err), HOIST_CORRUPT);
  assert_string_equal(err.message, "x.json: n: expected a list, but it is missing");
  json_decref(value);
}

static void test_a_hostile_key_is_shown_shortened_on_one_line(void **state) {
  char key[300];
  struct hoist_error err = {0};
  memset(key, 'k', sizeof key - 1);
  key[sizeof key - 1] = '\0';
  key[1] = '\n';
  json_t *value = json_object();
  assert_int_equal(json_object_set_new(value, key, json_true()), 0);
  struct json_place root = json_read_root(value, "x.json"), place = json_read_member(&root, key);
  const char *text = NULL;
  assert_int_equal(json_read_string(&place, &text, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "x.json: k?kk"));
  assert_non_null(strstr(err.message, "...: expected a string, found a boolean"));
  assert_true(strlen(err.message) < 160);
  json_decref(value);
}

static void test_whole_numbers_come_in_three_spellings(void **state) {
  static const struct {
    const char *text;
    enum hoist_status status;
    int64_t number;
    const char *message;
  } cases[] = {
      {"640", HOIST_OK, 640, NULL},
      {"640.0", HOIST_OK, 640, NULL},
      {"\"640\"", HOIST_OK, 640, NULL},
      {"640.5", HOIST_CORRUPT, 0, "expected a whole number, found a number"},
      {"1e300", HOIST_CORRUPT, 0, "expected a whole number"},
      {"\"-1\"", HOIST_CORRUPT, 0, "expected a whole number, found a string"},
      {"\"9223372036854775808\"", HOIST_CORRUPT, 0, "expected a whole number"},
      {"-1", HOIST_CORRUPT, 0, "x: -1 is not between 0 and 1000"},
      {"1001", HOIST_CORRUPT, 0, "x: 1001 is not between 0 and 1000"},
      {"true", HOIST_CORRUPT, 0, "found a boolean"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *value = NULL;
    struct hoist_error err = {0};
    int64_t number = 0;
    assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &value, NULL), HOIST_OK);
    struct json_place root = json_read_root(value, "x");
    assert_int_equal(json_read_int(&root, 0, 1000, &number, &err), cases[i].status);
    assert_int_equal(number, cases[i].number);
    if (cases[i].message) assert_non_null(strstr(err.message, cases[i].message));
    json_decref(value);
  }
}

static void test_a_formatted_text_keeps_to_the_cap(void **state) {
  json_t *value = json_pack("{s:[i,i]}", "a", 1, 2);
  HOIST_AUTO(buf) struct buf text = buf_make(17), small = buf_make(16);
  assert_int_equal(json_format(value, 0, &text, NULL), HOIST_OK);
  assert_string_equal(buf_str(&text), "{\"a\": [1, 2]}\n");
  buf_clear(&text);
  assert_int_equal(buf_append_str(&small, "xyz", NULL), HOIST_OK);
  assert_int_equal(json_format(value, 0, &small, NULL), HOIST_CORRUPT);
  assert_string_equal(buf_str(&small), "xyz");
  json_decref(value);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_malformed_texts_are_corrupt_and_say_where),
      cmocka_unit_test(test_ten_thousand_levels_are_refused_and_a_thousand_are_not),
      cmocka_unit_test(test_a_text_over_the_cap_is_not_even_parsed),
      cmocka_unit_test(test_errors_name_the_way_to_the_value),
      cmocka_unit_test(test_a_hostile_key_is_shown_shortened_on_one_line),
      cmocka_unit_test(test_whole_numbers_come_in_three_spellings),
      cmocka_unit_test(test_a_formatted_text_keeps_to_the_cap),
  };
  return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
