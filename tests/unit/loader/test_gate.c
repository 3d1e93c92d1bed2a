/* SPDX-License-Identifier: Apache-2.0 */
/* How many sessions are created at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "gate.h"

#define MODEL_BYTES 1000

static uint64_t memory;
static unsigned others;

static uint64_t memory_there(void) {
  return memory;
}

static unsigned left(void) {
  return others;
}

static struct gate make_gate(void) {
  struct gate gate;
  memory = 100 * MODEL_BYTES;
  others = 0;
  gate_init(&gate);
  gate.capacity = 2;
  gate.available = memory_there;
  gate.left = left;
  return gate;
}

/* Those who wait end at once. */
static enum hoist_status enter(struct gate *gate) {
  const struct call call = {.deadline_ns = 1};
  return gate_enter(&call, gate, MODEL_BYTES, NULL);
}

static void test_no_more_than_the_capacity(void **state) {
  struct gate gate = make_gate();
  assert_int_equal(enter(&gate), HOIST_OK);
  assert_int_equal(enter(&gate), HOIST_OK);
  assert_int_equal(enter(&gate), HOIST_TIMEOUT);
  gate_leave(&gate);
  assert_int_equal(enter(&gate), HOIST_OK);
  gate_done(&gate);
}

static void test_beyond_the_first_as_memory_lasts(void **state) {
  struct gate gate = make_gate();
  memory = GATE_MEMORY_FACTOR * MODEL_BYTES - 1;
  assert_int_equal(enter(&gate), HOIST_OK);
  assert_int_equal(enter(&gate), HOIST_TIMEOUT);
  memory++;
  assert_int_equal(enter(&gate), HOIST_OK);
  gate_done(&gate);
}

static void test_those_left_to_the_runtime_count(void **state) {
  struct gate gate = make_gate();
  others = 2;
  assert_int_equal(enter(&gate), HOIST_TIMEOUT);
  others = 1;
  assert_int_equal(enter(&gate), HOIST_OK);
  assert_int_equal(enter(&gate), HOIST_TIMEOUT);
  others = 0;
  assert_int_equal(enter(&gate), HOIST_OK);
  gate_done(&gate);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_more_than_the_capacity),
      cmocka_unit_test(test_beyond_the_first_as_memory_lasts),
      cmocka_unit_test(test_those_left_to_the_runtime_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
