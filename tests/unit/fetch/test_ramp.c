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

#define NEAR (NS_PER_MS / 5)

/* Bytes per second of a path on which each connection has its own limit, and all have one together; and
 * what part of their time connections wait there: less than all of it where this machine is the slower. */
struct path {
  int64_t each, together;
  double waiting;
};

static unsigned after_ms(struct ramp *r, const struct path *path, unsigned ms) {
  uint64_t now = r->since_ns, waited = r->waited_ns;
  int64_t bytes = r->bytes;
  for (unsigned tick = 0; tick < ms / 10; tick++) {
    int64_t rate = path->each * r->target;
    if (rate > path->together) rate = path->together;
    now += 10 * NS_PER_MS;
    waited += (uint64_t)(path->waiting * r->target * 10.0 * (double)NS_PER_MS);
    bytes += rate / 100;
    (void)ramp_note(r, bytes, waited, now);
  }
  return r->target;
}

static void test_connections_are_added_while_they_pay(void **state) {
  (void)state;
  static const struct {
    struct path path;
    uint64_t first_byte_ns;
    unsigned max, least, most;
  } cases[] = {
      {{100000000, INT64_MAX, 1}, NEAR, 8, 8, 8},    /* each is limited: all there may be */
      {{100000000, INT64_MAX, 1}, NEAR, 1, 1, 1},    /* never more than allowed */
      {{100000000, 400000000, 1}, NEAR, 16, 4, 4},   /* four fill the path */
      {{1000000000, 1000000000, 1}, NEAR, 8, 1, 1},  /* one does: no more than at the start */
      {{1000000000, INT64_MAX, 0.3}, NEAR, 8, 1, 1}, /* one is as much as this machine can take */
      {{0, 0, 1}, NEAR, 8, 1, 1},                    /* nothing comes */
      {{100000000, INT64_MAX, 1}, RTT, 16, 16, 16},  /* from afar, too */
      {{100000000, 800000000, 1}, RTT, 64, 8, 8},    /* eight fill the path */
      {{1000000000, INT64_MAX, 0.3}, RTT, 64, 8, 8}, /* afar, and too much for this machine */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct ramp r;
    ramp_start(&r, cases[i].max, cases[i].first_byte_ns, START);
    unsigned target = after_ms(&r, &cases[i].path, 1000);
    if (target < cases[i].least || target > cases[i].most) fail_msg("case %zu: %u", i, target);
  }
}

static void test_the_limit_is_reached_within_half_a_second(void **state) {
  (void)state;
  struct ramp r;
  const struct path path = {100000000, INT64_MAX, 1};
  ramp_start(&r, 64, NEAR, START);
  assert_int_equal(after_ms(&r, &path, 500), 64);
}

/* Where a round trip is long, waiting to find out costs more than connections do. */
static void test_a_far_server_gets_many_at_once(void **state) {
  (void)state;
  struct ramp r;
  ramp_start(&r, 64, RTT, START);
  assert_int_equal(r.target, 8);
  ramp_start(&r, 4, RTT, START);
  assert_int_equal(r.target, 4);
}

static void test_a_path_that_widens_is_noticed(void **state) {
  (void)state;
  struct ramp r;
  const struct path narrow = {100000000, 200000000, 1}, wide = {100000000, INT64_MAX, 1};
  ramp_start(&r, 8, NEAR, START);
  assert_int_equal(after_ms(&r, &narrow, 1000), 2);
  assert_int_equal(after_ms(&r, &wide, 4000), 8);
}

static void test_slow_answers_are_given_time(void **state) {
  (void)state;
  struct ramp r;
  ramp_start(&r, 64, 300 * NS_PER_MS, START);
  assert_false(ramp_note(&r, 1000000, 8 * NS_PER_S, START + NS_PER_S));
  assert_true(ramp_note(&r, 1000000, 16 * NS_PER_S, START + 1300 * NS_PER_MS));
  ramp_start(&r, 64, 300 * NS_PER_S, START); /* but not for ever */
  assert_true(ramp_note(&r, 1000000, 16 * NS_PER_S, START + 2 * NS_PER_S));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_connections_are_added_while_they_pay),
      cmocka_unit_test(test_the_limit_is_reached_within_half_a_second),
      cmocka_unit_test(test_a_far_server_gets_many_at_once),
      cmocka_unit_test(test_a_path_that_widens_is_noticed),
      cmocka_unit_test(test_slow_answers_are_given_time),
  };
  return cmocka_run_group_tests_name("ramp", tests, NULL, NULL);
}
