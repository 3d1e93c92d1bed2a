/* SPDX-License-Identifier: Apache-2.0 */
/* When a server counts as one that goes on sending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "http.h"
#include "stall.h"

#define LIMIT_MS 1000

static uint64_t at_ms(uint64_t ms) {
  return ms * NS_PER_MS;
}

static uint64_t left_ms(const struct stall *stall, uint64_t now_ms) {
  return stall_left_ms(stall, at_ms(now_ms), LIMIT_MS);
}

static void test_nothing_at_all_uses_up_the_time(void **state) {
  (void)state;
  struct stall stall;
  stall_restart(&stall, at_ms(500));
  assert_int_equal(left_ms(&stall, 500), 1000);
  assert_int_equal(left_ms(&stall, 1400), 100);
  assert_int_equal(left_ms(&stall, 1500), 0);
  assert_int_equal(left_ms(&stall, 9000), 0);
}

static void test_a_byte_now_and_then_is_no_progress(void **state) {
  (void)state;
  struct stall stall;
  stall_restart(&stall, 0);
  for (uint64_t ms = 0; ms < LIMIT_MS; ms += 10)
    stall_note(&stall, 1, at_ms(ms));
  assert_int_equal(left_ms(&stall, 1000), 0);
}

static void test_enough_bytes_begin_a_new_time(void **state) {
  (void)state;
  struct stall stall;
  stall_restart(&stall, 0);
  stall_note(&stall, HTTP_STALL_BYTES - 1, at_ms(100));
  assert_int_equal(left_ms(&stall, 900), 100);
  stall_note(&stall, 1, at_ms(900));
  assert_int_equal(left_ms(&stall, 900), 1000);
  stall_note(&stall, HTTP_STALL_BYTES - 1, at_ms(1000)); /* counted anew */
  assert_int_equal(left_ms(&stall, 1900), 0);
}

static void test_time_in_which_nobody_received_does_not_count(void **state) {
  (void)state;
  struct stall stall;
  stall_restart(&stall, 0);
  stall_pause(&stall, at_ms(5000));
  stall_note(&stall, 1, at_ms(5500));
  assert_int_equal(left_ms(&stall, 5500), 500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_at_all_uses_up_the_time),
      cmocka_unit_test(test_a_byte_now_and_then_is_no_progress),
      cmocka_unit_test(test_enough_bytes_begin_a_new_time),
      cmocka_unit_test(test_time_in_which_nobody_received_does_not_count),
  };
  return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
