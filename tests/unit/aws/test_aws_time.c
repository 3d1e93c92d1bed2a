/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aws_time.h"

static void test_times_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t unix_s;
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2013-05-24T00:00:00Z", 1369353600},
      {"2013-05-24T00:00:00.123456Z", 1369353600},
      {"2013-05-24T01:30:00+01:30", 1369353600},
      {"2013-05-23T20:30:00-0330", 1369353600},
      {"2012-02-29T12:00:00+00:00", 1330516800},
      {"9999-12-31T23:59:59Z", 253402300799},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t unix_s = 1;
    if (!aws_time_parse(cases[i].text, &unix_s)) fail_msg("%s is not read", cases[i].text);
    assert_int_equal(unix_s, cases[i].unix_s);
  }
}

static void test_what_is_no_time_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {"",
                                      "now",
                                      "2013-05-24",
                                      "2013-05-24T00:00Z",
                                      "2013-05-24T00:00:00",
                                      "2013-05-24T00:00:00Zulu",
                                      "2013-05-24T24:00:00Z",
                                      "2013-05-24T00:60:00Z",
                                      "2013-13-24T00:00:00Z",
                                      "2013-05-24T02:00:00+02",
                                      "2013-05-24T02:00:00Z+02:00",
                                      "1969-12-31T23:59:59Z",
                                      "1970-01-01T00:00:00+01:00",
                                      "2013-05-24T00:00:00.Z",
                                      "2013-05-24T00:00:00+1",
                                      "2013-05-24T00:00:00+01:",
                                      "2013-05-24T00:00:00+01:99",
                                      "20130524T000000Z",
                                      "+013-05-24T00:00:00Z"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t unix_s = 1;
    if (aws_time_parse(cases[i], &unix_s)) fail_msg("\"%s\" is taken for a time", cases[i]);
    assert_int_equal(unix_s, 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times_are_read),
      cmocka_unit_test(test_what_is_no_time_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
