/* SPDX-License-Identifier: Apache-2.0 */
/* ramp: simulated paths, simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "ramp.h"

#define START (5 * NS_PER_S)
#define RTT (20 * NS_PER_MS)

/* Bytes per second of a path on which each connection has its own limit, and all have one together. */
struct path {
  int64_t each, together;
};

static unsigned after_seconds(struct ramp *r, const struct path *path, unsigned seconds) {
  uint64_t now = r->since_ns;
  int64_t bytes = r->bytes;
  for (unsigned tick = 0; tick < 100 * seconds; tick++) {
    int64_t rate = path->each * r->target;
    if (rate > path->together) rate = path->together;
    now += 10 * NS_PER_MS;
    bytes += rate / 100;
    (void)ramp_note(r, bytes, now);
  }
  return r->target;
}

static void test_connections_are_added_while_they_pay(void **state) {
  (void)state;
  static const struct {
    struct path path;
    unsigned max, least, most;
  } cases[] = {
      {{100000000, INT64_MAX}, 8, 8, 8},   /* each is limited: all there may be */
      {{100000000, INT64_MAX}, 1, 1, 1},   /* never more than allowed */
      {{100000000, 400000000}, 16, 4, 4},  /* four fill the path */
      {{1000000000, 1000000000}, 8, 2, 2}, /* one does: no more than at the start */
      {{0, 0}, 8, 2, 2},                   /* nothing comes */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ramp r;
    ramp_start(&r, cases[i].max, RTT, START);
    assert_in_range(after_seconds(&r, &cases[i].path, 2), cases[i].least, cases[i].most);
  }
}

static void test_the_limit_is_reached_within_a_second(void **state) {
  (void)state;
  struct ramp r;
  const struct path path = {100000000, INT64_MAX};
  ramp_start(&r, 64, RTT, START);
  assert_int_equal(after_seconds(&r, &path, 1), 64);
}

static void test_a_path_that_widens_is_noticed(void **state) {
  (void)state;
  struct ramp r;
  const struct path narrow = {100000000, 200000000}, wide = {100000000, INT64_MAX};
  ramp_start(&r, 8, RTT, START);
  assert_int_equal(after_seconds(&r, &narrow, 2), 2);
  assert_int_equal(after_seconds(&r, &wide, 4), 8);
}

static void test_slow_answers_are_given_time(void **state) {
  (void)state;
  struct ramp r;
  ramp_start(&r, 8, 300 * NS_PER_MS, START);
  assert_false(ramp_note(&r, 1000000, START + NS_PER_S));
  assert_true(ramp_note(&r, 1000000, START + 1300 * NS_PER_MS));
  ramp_start(&r, 8, 300 * NS_PER_S, START); /* but not for ever */
  assert_true(ramp_note(&r, 1000000, START + 2 * NS_PER_S));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_connections_are_added_while_they_pay),
      cmocka_unit_test(test_the_limit_is_reached_within_a_second),
      cmocka_unit_test(test_a_path_that_widens_is_noticed),
      cmocka_unit_test(test_slow_answers_are_given_time),
  };
  return cmocka_run_group_tests_name("ramp", tests, NULL, NULL);
}
