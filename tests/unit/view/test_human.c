/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "human.h"

static void test_durations_have_three_digits_and_a_fitting_unit(void **state) {
  static const struct {
    uint64_t ns;
    const char *text;
  } cases[] = {
      {0, "0 µs"},
      {99, "0 µs"},
      {1234, "1.23 µs"},
      {412000, "412 µs"},
      {999499, "999 µs"},
      {999500, "1.00 ms"},
      {4120000, "4.12 ms"},
      {9994999, "9.99 ms"},
      {9995000, "10.0 ms"},
      {41200000, "41.2 ms"},
      {412000000, "412 ms"},
      {999500000, "1.00 s"},
      {59940000000, "59.9 s"},
      {59950000000, "1m 00s"},
      {192000000000, "3m 12s"},
      {3599499999999, "59m 59s"},
      {3599500000000, "1h 00m"},
      {7500000000000, "2h 05m"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char out[HUMAN_SIZE];
    assert_string_equal(human_duration(out, cases[i].ns, true), cases[i].text);
  }
}

static void test_durations_without_unicode_say_us(void **state) {
  char out[HUMAN_SIZE];
  assert_string_equal(human_duration(out, 412000, false), "412 us");
}

static void test_sizes_are_decimal_with_three_digits(void **state) {
  static const struct {
    uint64_t bytes;
    const char *text;
  } cases[] = {{0, "0 B"},           {999, "999 B"},          {1000, "1.00 KB"},
               {442000, "442 KB"},   {999499, "999 KB"},      {999500, "1.00 MB"},
               {4718592, "4.72 MB"}, {1073741824, "1.07 GB"}, {UINT64_MAX, "18.4 EB"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char out[HUMAN_SIZE];
    assert_string_equal(human_bytes(out, cases[i].bytes), cases[i].text);
  }
}

static void test_ages_are_rounded_down(void **state) {
  static const struct {
    uint64_t seconds;
    const char *text;
  } cases[] = {{0, "just now"},        {59, "just now"},
               {60, "1 minute ago"},   {3599, "59 minutes ago"},
               {7200, "2 hours ago"},  {86400, "1 day ago"},
               {259200, "3 days ago"}, {UINT64_MAX, "999999 days ago"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char out[HUMAN_SIZE];
    assert_string_equal(human_age(out, cases[i].seconds), cases[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_durations_have_three_digits_and_a_fitting_unit),
      cmocka_unit_test(test_durations_without_unicode_say_us),
      cmocka_unit_test(test_sizes_are_decimal_with_three_digits),
      cmocka_unit_test(test_ages_are_rounded_down),
  };
  return cmocka_run_group_tests_name("human", tests, NULL, NULL);
}
