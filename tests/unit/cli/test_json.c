/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture.h"
#include "json.h"

static void test_objects_and_lists_get_their_commas(void **state) {
  struct capture c;
  capture_begin(&c);
  struct json j = {.out = c.stream};
  json_open(&j, NULL, '{');
  json_text(&j, "a", "x");
  json_open(&j, "list", '[');
  json_int(&j, NULL, -1);
  json_uint(&j, NULL, UINT64_MAX);
  json_open(&j, NULL, '{');
  json_close(&j, '}');
  json_open(&j, NULL, '[');
  json_close(&j, ']');
  json_close(&j, ']');
  json_bool(&j, "b", true);
  json_number(&j, "n", 0.25);
  json_number(&j, "inf", INFINITY);
  json_text(&j, "null", NULL);
  json_close(&j, '}');
  json_end(&j);
  json_open(&j, NULL, '{');
  json_close(&j, '}');
  json_end(&j);
  assert_string_equal(capture_end(&c),
                      "{\"a\":\"x\",\"list\":[-1,18446744073709551615,{},[]],\"b\":true,"
                      "\"n\":0.25,\"inf\":null,\"null\":null}\n{}\n");
  capture_free(&c);
}

static void test_any_text_becomes_well_formed_json(void **state) {
  static const struct {
    const char *text, *json;
  } cases[] = {
      {"", "\"\"\n"},
      {"quote \" and \\", "\"quote \\\" and \\\\\"\n"},
      {"line\nescape\033[2J\177", "\"line\\u000aescape\\u001b[2J\\u007f\"\n"},
      {"模型", "\"模型\"\n"},
      {"bad \xff\xe6\xa8", "\"bad \\ufffd\\ufffd\\ufffd\"\n"},
      {"surrogate \xed\xa0\x80", "\"surrogate \\ufffd\\ufffd\\ufffd\"\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct capture c;
    capture_begin(&c);
    struct json j = {.out = c.stream};
    json_text(&j, NULL, cases[i].text);
    json_end(&j);
    assert_string_equal(capture_end(&c), cases[i].json);
    capture_free(&c);
  }
}

static void test_in_html_nothing_looks_like_a_tag_or_ends_a_line(void **state) {
  static const struct {
    const char *text, *json;
  } cases[] = {
      {"</script><!--", "\"\\u003c/script\\u003e\\u003c!--\"\n"},
      {"&lt;", "\"\\u0026lt;\"\n"},
      {"a\xe2\x80\xa8"
       "b\xe2\x80\xa9"
       "c\xe2\x80\xaa",
       "\"a\\u2028b\\u2029c\xe2\x80\xaa\"\n"},
      {"模型", "\"模型\"\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct capture c;
    capture_begin(&c);
    struct json j = {.out = c.stream, .in_html = true};
    json_text(&j, NULL, cases[i].text);
    json_end(&j);
    assert_string_equal(capture_end(&c), cases[i].json);
    capture_free(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_objects_and_lists_get_their_commas),
      cmocka_unit_test(test_any_text_becomes_well_formed_json),
      cmocka_unit_test(test_in_html_nothing_looks_like_a_tag_or_ends_a_line),
  };
  return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
