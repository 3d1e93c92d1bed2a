/* SPDX-License-Identifier: Apache-2.0 */
/* When a server counts as one that goes on sending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "http.h"
#include "pace.h"

#define LIMIT_MS 1000

static uint64_t at_ms(uint64_t ms) {
  return ms * NS_PER_MS;
}

static uint64_t left_ms(const struct pace *pace, uint64_t now_ms) {
  return pace_left_ms(pace, at_ms(now_ms), LIMIT_MS);
}

static void test_nothing_at_all_uses_up_the_time(void **state) {
  (void)state;
  struct pace pace;
  pace_restart(&pace, at_ms(500));
  assert_int_equal(left_ms(&pace, 500), 1000);
  assert_int_equal(left_ms(&pace, 1400), 100);
  assert_int_equal(left_ms(&pace, 1500), 0);
  assert_int_equal(left_ms(&pace, 9000), 0);
}

static void test_a_byte_now_and_then_is_no_progress(void **state) {
  (void)state;
  struct pace pace;
  pace_restart(&pace, 0);
  for (uint64_t ms = 0; ms < LIMIT_MS; ms += 10)
    pace_note(&pace, 1, at_ms(ms));
  assert_int_equal(left_ms(&pace, 1000), 0);
}

static void test_enough_bytes_begin_a_new_time(void **state) {
  (void)state;
  struct pace pace;
  pace_restart(&pace, 0);
  pace_note(&pace, HTTP_STALL_BYTES - 1, at_ms(100));
  assert_int_equal(left_ms(&pace, 900), 100);
  pace_note(&pace, 1, at_ms(900));
  assert_int_equal(left_ms(&pace, 900), 1000);
  pace_note(&pace, HTTP_STALL_BYTES - 1, at_ms(1000)); /* counted anew */
  assert_int_equal(left_ms(&pace, 1900), 0);
}

static void test_time_in_which_nobody_received_does_not_count(void **state) {
  (void)state;
  struct pace pace;
  pace_restart(&pace, 0);
  pace_pause(&pace, at_ms(5000));
  pace_note(&pace, 1, at_ms(5500));
  assert_int_equal(left_ms(&pace, 5500), 500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_at_all_uses_up_the_time),
      cmocka_unit_test(test_a_byte_now_and_then_is_no_progress),
      cmocka_unit_test(test_enough_bytes_begin_a_new_time),
      cmocka_unit_test(test_time_in_which_nobody_received_does_not_count),
  };
  return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
