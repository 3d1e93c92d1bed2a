/* SPDX-License-Identifier: Apache-2.0 */
/* When the next attempt comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "clock.h"
#include "retry.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static void test_only_passing_troubles_are_retried(void **state) {
  (void)state;
  static const int retried[] = {408, 429, 500, 502, 503, 504};
  static const int final[] = {0, 200, 206, 301, 400, 401, 403, 404, 409, 412, 416, 423, 501, 505};
  for (size_t i = 0; i < sizeof retried / sizeof *retried; i++)
    assert_true(retry_status(retried[i]));
  for (size_t i = 0; i < sizeof final / sizeof *final; i++)
    assert_false(retry_status(final[i]));
}

static void test_backoff_doubles_up_to_its_cap_with_full_jitter(void **state) {
  (void)state;
  static const struct {
    uint32_t attempt;
    uint64_t limit_ms;
  } cases[] = {{1, 100}, {2, 200}, {3, 400}, {6, 3200}, {7, 5000}, {64, 5000}, {UINT32_MAX, 5000}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t limit = cases[i].limit_ms * NS_PER_MS;
    assert_int_equal(retry_backoff_ns(cases[i].attempt, 0), 0);
    assert_int_equal(retry_backoff_ns(cases[i].attempt, limit), limit);
    assert_int_equal(retry_backoff_ns(cases[i].attempt, limit + 1), 0);
    assert_true(retry_backoff_ns(cases[i].attempt, UINT64_MAX) <= limit);
  }
}

static void test_retry_after_is_seconds_or_a_date(void **state) {
  (void)state;
  static const struct {
    const char *value;
    int ok;
    uint64_t seconds;
  } cases[] = {
      {"0", 1, 0},
      {"7", 1, 7},
      {"60", 1, 60},
      {"61", 1, 60},
      {"18446744073709551615", 1, 60},
      {"Sun, 06 Nov 1994 08:49:40 GMT", 1, 3},
      {"Sunday, 06-Nov-94 08:49:40 GMT", 1, 3},
      {"Sun Nov  6 08:49:40 1994", 1, 3},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 1, 0},
      {"Sat, 05 Nov 1994 08:49:37 GMT", 1, 0},
      {"Mon, 07 Nov 1994 08:49:37 GMT", 1, 60},
      {"", 0, 0},
      {"-1", 0, 0},
      {"1.5", 0, 0},
      {"soon", 0, 0},
      {"10 Nov 1994", 0, 0},
      {"99999999999999999999999", 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t seconds = 4711;
    assert_int_equal(retry_after_parse(cases[i].value, NOW, &seconds), cases[i].ok);
    assert_int_equal(seconds, cases[i].ok ? cases[i].seconds : 4711);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_only_passing_troubles_are_retried),
      cmocka_unit_test(test_backoff_doubles_up_to_its_cap_with_full_jitter),
      cmocka_unit_test(test_retry_after_is_seconds_or_a_date),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
