/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "timestamp.h"

static void test_a_time_is_read_to_the_ns(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t s;
    uint32_t ns;
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0, 0},
      {"2009-10-12T17:50:30.000Z", 1255369830, 0},
      {"2009-10-12T17:50:30.123Z", 1255369830, 123000000},
      {"2009-10-12T17:50:30.123456789Z", 1255369830, 123456789},
      {"2024-02-29T23:59:59.9Z", 1709251199, 900000000},
      {"9999-12-31T23:59:59Z", 253402300799, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t s = 1;
    uint32_t ns = 1;
    assert_true(timestamp_parse(cases[i].text, &s, &ns));
    assert_true(s == cases[i].s && ns == cases[i].ns);
  }
}

static void test_what_is_no_time_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {
      "",
      "2009-10-12",
      "2009-10-12T17:50:30",
      "2009-10-12T17:50:30.Z",
      "2009-10-12T17:50:30.1234567890Z",
      "2009-10-12T17:50:30+01:00",
      "2009-10-12 17:50:30Z",
      "2009-13-12T17:50:30Z",
      "2009-10-32T17:50:30Z",
      "2009-10-12T24:50:30Z",
      "2009-10-12T17:5x:30Z",
      "1969-12-31T23:59:59Z",
      "2009-10-12T17:50:30Z ",
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t s = 77;
    uint32_t ns = 77;
    if (timestamp_parse(cases[i], &s, &ns)) fail_msg("\"%s\" was taken", cases[i]);
    assert_true(s == 77 && ns == 77);
  }
}

static void test_a_time_is_written(void **state) {
  (void)state;
  char text[TIMESTAMP_SIZE];
  assert_string_equal(timestamp_format(1255369830, text), "2009-10-12T17:50:30Z");
  assert_string_equal(timestamp_format(UINT64_MAX, text), "9999-12-31T23:59:59Z");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_time_is_read_to_the_ns),
      cmocka_unit_test(test_what_is_no_time_is_refused),
      cmocka_unit_test(test_a_time_is_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
