/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation, read back from its own encoding. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "metrics.h"
#include "reading.h"

#define START 1000
#define NOW 2000

static const struct hoist_instrument counter = {
    .name = "test.count", .unit = "{thing}", .description = "Things.", .kind = HOIST_COUNTER};
static const struct hoist_instrument gauge = {.name = "test.level", .kind = HOIST_UP_DOWN_COUNTER};
static const double bounds[] = {1, 10};
static const struct hoist_instrument histogram = {
    .name = "test.size", .kind = HOIST_HISTOGRAM, .bounds = bounds, .bound_count = 2};
static const struct hoist_instrument duration = {
    .name = "test.time", .unit = "s", .kind = HOIST_HISTOGRAM};

static void add_in_scope(struct metrics *m, unsigned scope,
                         const struct hoist_instrument *instrument, double value) {
  const struct measurement measurement = {.instrument = instrument, .value = value};
  metrics_add(m, scope, &measurement);
}

static void add(struct metrics *m, const struct hoist_instrument *instrument, double value,
                const struct hoist_attr *attrs, size_t attr_count) {
  const struct measurement measurement = {
      .instrument = instrument, .value = value, .attrs = attrs, .attr_count = attr_count};
  metrics_add(m, 0, &measurement);
}

struct encoded {
  struct buf bytes;
  size_t points;
};

static enum hoist_status try_encode(struct metrics *m, unsigned scope,
                                    enum hoist_temporality temporality, uint64_t now,
                                    struct encoded *e) {
  const struct metrics_window window = {temporality, START, now};
  buf_clear(&e->bytes);
  return metrics_encode(m, scope, &window, &e->bytes, &e->points, NULL);
}

static void encode_delta(struct metrics *m, uint64_t now, struct encoded *e) {
  assert_int_equal(try_encode(m, 0, HOIST_TEMPORALITY_DELTA, now, e), HOIST_OK);
}

static void encode(struct metrics *m, struct encoded *e) {
  assert_int_equal(try_encode(m, 0, HOIST_TEMPORALITY_CUMULATIVE, NOW, e), HOIST_OK);
}

static struct wire_field metric_named(const struct encoded *e, const char *name) {
  return metric_in(&e->bytes, name);
}

/* The point whose attribute `key` has string `value`; the first point where key is NULL. */
static struct wire_field point_with(struct wire_field data, uint32_t attr_field, const char *key,
                                    const char *value) {
  struct wire_field point, attr;
  for (size_t i = 0; find_field(data, 1, i, &point); i++) {
    if (!key) return point;
    for (size_t j = 0; find_field(point, attr_field, j, &attr); j++)
      if (is_text(field(attr, 1), key) && is_text(field(field(attr, 2), 1), value)) return point;
  }
  fail_msg("no point with %s=%s", key ? key : "anything", value ? value : "");
  return point;
}

static void add_with(struct metrics *m, const char *model, double value) {
  struct hoist_attr attr = {
      .key = "model.id", .type = HOIST_ATTR_STRING, .value = {.string = model}};
  add(m, &counter, value, &attr, 1);
}

static int set_up(void **state) {
  static struct metrics m;
  metrics_init(&m, &(struct metrics_config){0});
  *state = &m;
  return 0;
}

static int tear_down(void **state) {
  metrics_done(*state);
  return 0;
}

static void test_a_counter_sums_per_attribute_set(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add_with(*state, "coins/1", 1);
  add_with(*state, "coins/1", 2);
  add_with(*state, "coins/2", 5);
  encode(*state, &e);
  struct wire_field metric = metric_named(&e, "test.count"), sum = field(metric, 7);
  assert_true(is_text(field(metric, 2), "Things."));
  assert_true(is_text(field(metric, 3), "{thing}"));
  assert_int_equal(field(sum, 2).value, 2); /* cumulative */
  assert_int_equal(field(sum, 3).value, 1); /* monotonic */
  struct wire_field point = point_with(sum, 7, "model.id", "coins/1");
  assert_true(number_in(point, 4) == 3);
  assert_int_equal(field(point, 2).value, START);
  assert_int_equal(field(point, 3).value, NOW);
  assert_true(number_in(point_with(sum, 7, "model.id", "coins/2"), 4) == 5);
  assert_int_equal(e.points, 2);
  buf_done(&e.bytes);
}

static void test_instruments_that_are_alike_are_one_at_any_address(void **state) {
  static const char unit[] = "{thing}";
  const struct hoist_instrument alike = {
      .name = "test.count", .unit = unit, .description = "Things.", .kind = HOIST_COUNTER};
  const struct hoist_attr a = {
      .key = "model.id", .type = HOIST_ATTR_STRING, .value = {.string = "a"}};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add_with(*state, "a", 1);
  add(*state, &alike, 2, &a, 1);
  add(*state, &alike, 4, NULL, 0); /* a new attribute set through the other address */
  add(*state, &counter, 8, NULL, 0);
  encode(*state, &e);
  assert_int_equal(((struct metrics *)*state)->metric_count, 1);
  assert_int_equal(e.points, 2);
  struct wire_field sum = field(metric_named(&e, "test.count"), 7);
  assert_true(number_in(point_with(sum, 7, "model.id", "a"), 4) == 3);
  buf_done(&e.bytes);
}

static void test_instruments_that_differ_in_more_than_the_address_are_two(void **state) {
  const struct hoist_instrument others[] = {
      {.name = "test.count", .unit = "By", .description = "Things.", .kind = HOIST_COUNTER},
      {.name = "test.count", .unit = "{thing}", .kind = HOIST_COUNTER},
      {.name = "test.count", .unit = "{thing}", .description = "Things.", .kind = HOIST_GAUGE},
      {.name = "Things.", .unit = "{thing}", .description = "Things.", .kind = HOIST_COUNTER},
      {.unit = "{thing}", .description = "Things.", .kind = HOIST_COUNTER}};
  struct metrics *m = *state;
  add(m, &counter, 1, NULL, 0);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    add(m, &others[i], 1, NULL, 0);
    assert_int_equal(m->metric_count, i + 2);
  }
  struct measurement elsewhere = {.instrument = &counter, .value = 1};
  metrics_add(m, 1, &elsewhere);
  assert_int_equal(m->metric_count, sizeof others / sizeof *others + 2);
}

static void test_values_go_on_from_one_export_to_the_next(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add_with(*state, "a", 1);
  encode(*state, &e);
  add_with(*state, "a", 1);
  encode(*state, &e);
  assert_true(number_in(point_with(field(metric_named(&e, "test.count"), 7), 7, NULL, NULL), 4) ==
              2);
  buf_done(&e.bytes);
}

static void test_a_gauge_is_its_last_value(void **state) {
  static const struct hoist_instrument level = {.name = "test.gauge", .kind = HOIST_GAUGE};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add(*state, &level, 7, NULL, 0);
  add(*state, &level, -2.5, NULL, 0);
  for (int i = 0; i < 2; i++) { /* and stays it, also where others begin anew */
    encode_delta(*state, NOW, &e);
    struct wire_field data = field(metric_named(&e, "test.gauge"), 5), unused;
    assert_true(number_in(point_with(data, 7, NULL, NULL), 4) == -2.5);
    assert_false(find_field(data, 2, 0, &unused)); /* no temporality */
  }
  buf_done(&e.bytes);
}

static void test_deltas_begin_anew_with_each_export(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  for (int round = 0; round < 3; round++) {
    add_with(*state, "a", 3);
    add(*state, &histogram, 5, NULL, 0);
    add(*state, &gauge, 1, NULL, 0);
    encode_delta(*state, NOW + (uint64_t)round, &e);
    assert_int_equal(e.points, 3);
    struct wire_field sum = field(metric_named(&e, "test.count"), 7);
    struct wire_field point = point_with(sum, 7, NULL, NULL);
    assert_int_equal(field(sum, 2).value, 1); /* delta */
    assert_true(number_in(point, 4) == 3);
    assert_int_equal(field(point, 2).value, round ? NOW + (uint64_t)round - 1 : START);
    assert_int_equal(field(point, 3).value, NOW + (uint64_t)round);
    struct wire_field data = field(metric_named(&e, "test.size"), 9);
    point = point_with(data, 9, NULL, NULL);
    assert_int_equal(field(data, 2).value, 1);
    assert_int_equal(field(point, 4).value, 1);
    assert_memory_equal(field(point, 6).data, "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16);
    assert_true(number_in(point, 11) == 5);
    /* levels do not begin anew */
    struct wire_field level = field(metric_named(&e, "test.level"), 7);
    assert_int_equal(field(level, 2).value, 2);
    assert_true(number_in(point_with(level, 7, NULL, NULL), 4) == round + 1);
    assert_int_equal(field(point_with(level, 7, NULL, NULL), 2).value, START);
  }
  encode_delta(*state, NOW + 9, &e); /* nothing but the level */
  assert_int_equal(e.points, 1);
  add_with(*state, "a", 4);
  encode_delta(*state, NOW + 10, &e);
  assert_int_equal(e.points, 2);
  assert_true(number_in(point_with(field(metric_named(&e, "test.count"), 7), 7, NULL, NULL), 4) ==
              4);
  buf_done(&e.bytes);
}

static void test_a_delta_that_could_not_be_encoded_is_not_lost(void **state) {
  struct encoded small = {.bytes = buf_make(10)}, e = {.bytes = buf_make(1 << 20)};
  add_with(*state, "a", 3);
  assert_int_equal(try_encode(*state, 0, HOIST_TEMPORALITY_DELTA, NOW, &small), HOIST_CORRUPT);
  encode_delta(*state, NOW + 1, &e);
  struct wire_field point = point_with(field(metric_named(&e, "test.count"), 7), 7, NULL, NULL);
  assert_true(number_in(point, 4) == 3);
  assert_int_equal(field(point, 2).value, START);
  buf_done(&small.bytes);
  buf_done(&e.bytes);
}

/* Sums up test.count's deltas of one call; their points must begin where the ones before ended. */
static double delta_sum(const struct encoded *e, const char *name, uint64_t start) {
  struct wire_field all = {.data = (const uint8_t *)e->bytes.data, .size = e->bytes.size}, metric;
  for (size_t i = 0; find_field(all, 2, i, &metric); i++)
    if (is_text(field(metric, 1), name)) {
      struct wire_field point = point_with(field(metric, 7), 7, NULL, NULL);
      assert_int_equal(field(point, 2).value, start);
      return number_in(point, 4);
    }
  return 0;
}

static void test_what_does_not_fit_comes_with_the_next_call_and_nothing_is_lost(void **state) {
  static const struct hoist_instrument all[] = {{.name = "a", .kind = HOIST_COUNTER},
                                                {.name = "b", .kind = HOIST_COUNTER},
                                                {.name = "c", .kind = HOIST_COUNTER},
                                                {.name = "d", .kind = HOIST_COUNTER}};
  struct encoded e = {.bytes = buf_make(90)}; /* two metrics of about forty bytes */
  double sums[4] = {0};
  uint64_t now = NOW, starts[4] = {START, START, START, START};
  for (int round = 0; round < 3; round++) {
    size_t points = 0, calls = 0;
    for (int i = 0; i < 4; i++)
      add(*state, &all[i], 1, NULL, 0);
    do {
      encode_delta(*state, ++now, &e);
      for (int i = 0; i < 4; i++) {
        double sum = delta_sum(&e, all[i].name, starts[i]);
        if (sum > 0) starts[i] = now;
        sums[i] += sum;
      }
      add(*state, &all[0], 1, NULL, 0); /* meanwhile */
      points += e.points;
      calls++;
    } while (metrics_has_more(*state, 0));
    assert_int_equal(calls, 2);
    assert_int_equal(points, 4);
  }
  assert_true(sums[0] == 7); /* what was measured behind the last call of a round is to come */
  for (int i = 1; i < 4; i++)
    assert_true(sums[i] == 3);
  buf_done(&e.bytes);
}

static void test_of_many_attributes_the_same_stay_in_any_order(void **state) {
  enum { MANY = METRICS_ATTRS_MAX + 4 };
  static char keys[MANY][4];
  struct hoist_attr up[MANY], down[MANY];
  struct encoded e = {.bytes = buf_make(1 << 20)};
  for (int i = 0; i < MANY; i++) {
    snprintf(keys[i], sizeof keys[i], "%02d", i);
    up[i] = (struct hoist_attr){.key = keys[i], .type = HOIST_ATTR_BOOL};
    down[MANY - 1 - i] = up[i];
  }
  add(*state, &counter, 1, up, MANY);
  add(*state, &counter, 2, down, MANY);
  add(*state, &counter, 4, up, METRICS_ATTRS_MAX);
  encode(*state, &e);
  assert_int_equal(e.points, 1);
  struct wire_field point = field(field(metric_named(&e, "test.count"), 7), 1), last;
  assert_true(number_in(point, 4) == 7);
  assert_int_equal(count_fields(point, 7), METRICS_ATTRS_MAX);
  assert_true(find_field(point, 7, METRICS_ATTRS_MAX - 1, &last));
  assert_true(is_text(field(last, 1), "15"));
  assert_int_equal(metrics_take_left_off(*state), 8);
  assert_int_equal(metrics_take_left_off(*state), 0);
  buf_done(&e.bytes);
}

static void test_an_attribute_that_is_too_large_is_left_off_and_counted(void **state) {
  static char text[METRICS_ATTR_BYTES_MAX + 1];
  memset(text, 'x', sizeof text - 1);
  const struct hoist_attr attrs[] = {
      {.key = "a", .type = HOIST_ATTR_STRING, .value = {.string = text}},
      {.key = "b", .type = HOIST_ATTR_STRING, .value = {.string = "small"}}};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add(*state, &counter, 1, attrs, 2);
  encode(*state, &e);
  struct wire_field point = point_with(field(metric_named(&e, "test.count"), 7), 7, "b", "small");
  assert_int_equal(count_fields(point, 7), 1);
  assert_int_equal(metrics_take_left_off(*state), 1);
  buf_done(&e.bytes);
}

static void test_an_up_down_counter_falls_and_a_counter_does_not(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add(*state, &gauge, 2, NULL, 0);
  add(*state, &gauge, -3, NULL, 0);
  add(*state, &counter, 2, NULL, 0);
  add(*state, &counter, -3, NULL, 0);
  add(*state, &counter, NAN, NULL, 0);
  add(*state, &counter, INFINITY, NULL, 0);
  encode(*state, &e);
  struct wire_field sum = field(metric_named(&e, "test.level"), 7), unused;
  assert_true(number_in(field(sum, 1), 4) == -1);
  assert_false(find_field(sum, 3, 0, &unused));
  assert_true(number_in(field(field(metric_named(&e, "test.count"), 7), 1), 4) == 2);
  buf_done(&e.bytes);
}

static uint64_t bucket(struct wire_field point, size_t index) {
  struct wire_field buckets = field(point, 6);
  uint64_t count;
  assert_true(8 * (index + 1) <= buckets.size);
  memcpy(&count, buckets.data + 8 * index, sizeof count);
  return wire_le64(count);
}

static void test_histogram_bounds_are_inclusive_above(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  static const double values[] = {-1, 0.5, 1, 1.5, 10, 10.5, 1e9};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    add(*state, &histogram, values[i], NULL, 0);
  encode(*state, &e);
  struct wire_field data = field(metric_named(&e, "test.size"), 9), point = field(data, 1);
  assert_int_equal(field(data, 2).value, 2);
  assert_int_equal(field(point, 4).value, 7);
  assert_int_equal(field(point, 6).size, 8 * 3);
  assert_int_equal(bucket(point, 0), 3);
  assert_int_equal(bucket(point, 1), 2);
  assert_int_equal(bucket(point, 2), 2);
  assert_true(number_in(point, 11) == -1);
  assert_true(number_in(point, 12) == 1e9);
  assert_true(number_in(point, 5) == -1 + 0.5 + 1 + 1.5 + 10 + 10.5 + 1e9);
  buf_done(&e.bytes);
}

static void assert_bounds(struct wire_field point, const double *expected, size_t count) {
  struct wire_field edges = field(point, 7);
  assert_int_equal(edges.size, count * sizeof *expected);
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    memcpy(&bits, edges.data + i * sizeof bits, sizeof bits);
    assert_true(wire_as_double(wire_le64(bits)) == expected[i]);
  }
}

static void test_durations_have_bounds_up_to_ten_minutes(void **state) {
  static const double expected[] = {.005, .01, .025, .05, .075, .1, .25, .5,  .75, 1,
                                    2.5,  5,   7.5,  10,  30,   60, 120, 300, 600};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add(*state, &duration, 0.3, NULL, 0);
  encode(*state, &e);
  struct wire_field point = field(field(metric_named(&e, "test.time"), 9), 1);
  assert_bounds(point, expected, sizeof expected / sizeof *expected);
  assert_int_equal(bucket(point, 7), 1); /* (0.25, 0.5] */
  buf_done(&e.bytes);
}

static void test_what_is_not_in_seconds_has_the_bounds_of_the_specification(void **state) {
  static const double expected[] = {0,   5,   10,   25,   50,   75,   100,  250,
                                    500, 750, 1000, 2500, 5000, 7500, 10000};
  static const struct hoist_instrument others[] = {
      {.name = "test.unitless", .kind = HOIST_HISTOGRAM},
      {.name = "test.ms", .unit = "ms", .kind = HOIST_HISTOGRAM}};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    add(*state, &others[i], 5, NULL, 0);
  encode(*state, &e);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct wire_field point = field(field(metric_named(&e, others[i].name), 9), 1);
    assert_bounds(point, expected, sizeof expected / sizeof *expected);
    assert_int_equal(bucket(point, 1), 1); /* (0, 5] */
  }
  buf_done(&e.bytes);
}

static void test_attribute_sets_are_equal_in_any_order_and_the_last_value_wins(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  struct hoist_attr one[] = {{.key = "a", .type = HOIST_ATTR_STRING, .value = {.string = "1"}},
                             {.key = "b", .type = HOIST_ATTR_INT, .value = {.integer = 2}}};
  struct hoist_attr two[] = {{.key = "b", .type = HOIST_ATTR_INT, .value = {.integer = 9}},
                             {.key = "b", .type = HOIST_ATTR_INT, .value = {.integer = 2}},
                             {.key = "a", .type = HOIST_ATTR_STRING, .value = {.string = "1"}}};
  add(*state, &counter, 1, one, 2);
  add(*state, &counter, 1, two, 3);
  encode(*state, &e);
  assert_int_equal(e.points, 1);
  buf_done(&e.bytes);
}

static void test_beyond_the_cap_values_go_to_the_overflow_point(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  char id[16];
  for (int i = 0; i < METRICS_POINTS_MAX + 500; i++) {
    snprintf(id, sizeof id, "%d", i);
    add_with(*state, id, 1);
  }
  add_with(*state, "0", 1); /* known ones still count by themselves */
  encode(*state, &e);
  assert_int_equal(e.points, METRICS_POINTS_MAX);
  struct wire_field sum = field(metric_named(&e, "test.count"), 7), point;
  assert_true(find_field(sum, 1, METRICS_POINTS_MAX - 1, &point));
  struct wire_field attr = field(point, 7);
  assert_true(is_text(field(attr, 1), "otel.metric.overflow"));
  assert_int_equal(field(field(attr, 2), 2).value, 1);
  assert_true(number_in(point, 4) == 501);
  assert_true(number_in(point_with(sum, 7, "model.id", "0"), 4) == 2);
  buf_done(&e.bytes);
}

static void test_nothing_measured_is_nothing_encoded(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20), .points = 7};
  encode(*state, &e);
  assert_int_equal(e.points, 0);
  assert_int_equal(e.bytes.size, 0);
}

static void test_too_much_for_the_buffer_is_an_error(void **state) {
  struct encoded small = {.bytes = buf_make(16), .points = 7};
  add_with(*state, "a", 1);
  assert_int_equal(try_encode(*state, 0, HOIST_TEMPORALITY_CUMULATIVE, NOW, &small), HOIST_CORRUPT);
  assert_int_equal(small.points, 7);
  buf_done(&small.bytes);
}

static void test_totals_and_deltas_can_be_read_of_the_same(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  for (int round = 1; round <= 3; round++) {
    add_with(*state, "a", 2);
    add(*state, &histogram, round, NULL, 0);
    encode(*state, &e);
    assert_true(number_in(field(field(metric_named(&e, "test.count"), 7), 1), 4) == 2 * round);
    encode_delta(*state, NOW + (uint64_t)round, &e);
    assert_true(number_in(field(field(metric_named(&e, "test.count"), 7), 1), 4) == 2);
    struct wire_field point = field(field(metric_named(&e, "test.size"), 9), 1);
    assert_true(number_in(point, 11) == round && number_in(point, 12) == round); /* of the delta */
    encode(*state, &e); /* what was exported as a delta still belongs to the total */
    point = field(field(metric_named(&e, "test.size"), 9), 1);
    assert_int_equal(field(point, 4).value, (uint64_t)round);
    assert_true(number_in(point, 11) == 1 && number_in(point, 12) == round);
    assert_int_equal(field(point, 2).value, START);
  }
  buf_done(&e.bytes);
}

static void test_scopes_have_series_of_their_own(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add_in_scope(*state, 0, &counter, 1);
  add_in_scope(*state, 3, &counter, 5);
  add_in_scope(*state, 3, &gauge, 7);
  encode(*state, &e);
  assert_int_equal(e.points, 1);
  assert_true(number_in(field(field(metric_named(&e, "test.count"), 7), 1), 4) == 1);
  assert_int_equal(try_encode(*state, 3, HOIST_TEMPORALITY_DELTA, NOW, &e), HOIST_OK);
  assert_int_equal(e.points, 2);
  assert_true(number_in(field(field(metric_named(&e, "test.count"), 7), 1), 4) == 5);
  encode_delta(*state, NOW + 1, &e); /* the other scope's deltas begin where they began before */
  assert_int_equal(field(field(field(metric_named(&e, "test.count"), 7), 1), 2).value, START);
  assert_int_equal(try_encode(*state, 1, HOIST_TEMPORALITY_CUMULATIVE, NOW, &e), HOIST_OK);
  assert_int_equal(e.points, 0);
  buf_done(&e.bytes);
}

/* Protobuf's sint32. */
static int64_t unzigzag(uint64_t value) {
  return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* The nth count of an encoded side. */
static uint64_t side_count(struct wire_field side, size_t nth) {
  struct wire_field packed = field(side, 2);
  struct wire_reader reader = wire_read(packed.data, packed.size);
  uint64_t count = 0;
  for (size_t i = 0; i <= nth; i++)
    assert_true(wire_next_varint(&reader, &count));
  return count;
}

static void test_an_exponential_histogram_is_encoded_with_scale_offset_and_counts(void **state) {
  static const struct hoist_instrument spread = {.name = "test.spread",
                                                 .kind = HOIST_EXPONENTIAL_HISTOGRAM};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  struct hoist_attr attr = {.key = "a", .type = HOIST_ATTR_STRING, .value = {.string = "b"}};
  static const double values[] = {0, 1, 0x1p100, 0x1p-100, -4, -4, 3};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    add(*state, &spread, values[i], &attr, 1);
  encode(*state, &e);
  struct wire_field data = field(metric_named(&e, "test.spread"), 10);
  assert_int_equal(field(data, 2).value, 2);
  struct wire_field point = point_with(data, 1, "a", "b"), side;
  assert_int_equal(field(point, 4).value, 7);
  assert_true(number_in(point, 5) == 0x1p100 + 3 + 1 - 8);
  /* exponents -101 to 99 make 201 buckets at scale 0, 101 at scale -1 */
  assert_int_equal(unzigzag(field(point, 6).value), -1);
  assert_int_equal(field(point, 7).value, 1);
  side = field(point, 8);
  assert_int_equal(unzigzag(field(side, 1).value), -101 >> 1);
  assert_int_equal(side_count(side, 0), 1);   /* 2^-100 */
  assert_int_equal(side_count(side, 50), 1);  /* 1, in (1/4, 1] */
  assert_int_equal(side_count(side, 51), 1);  /* 3, in (1, 4] */
  assert_int_equal(side_count(side, 100), 1); /* 2^100 */
  side = field(point, 9);
  assert_int_equal(unzigzag(field(side, 1).value), 0); /* (1, 4] */
  assert_int_equal(side_count(side, 0), 2);
  assert_true(number_in(point, 12) == -4 && number_in(point, 13) == 0x1p100);
  buf_done(&e.bytes);
}

static void test_histograms_are_exponential_where_that_is_asked_for(void **state) {
  struct metrics m;
  struct encoded e = {.bytes = buf_make(1 << 20)};
  metrics_init(&m, &(struct metrics_config){.exponential_histograms = true});
  add(&m, &duration, 0.3, NULL, 0);
  add(&m, &counter, 1, NULL, 0);
  encode_delta(&m, NOW, &e);
  struct wire_field data = field(metric_named(&e, "test.time"), 10);
  assert_int_equal(field(data, 2).value, 1); /* delta */
  assert_int_equal(unzigzag(field(field(data, 1), 6).value), 20);
  add(&m, &duration, 1e9, NULL, 0);
  encode_delta(&m, NOW, &e); /* one value again, so as fine as it gets */
  point_with(field(metric_named(&e, "test.time"), 10), 1, NULL, NULL);
  assert_int_equal(unzigzag(field(field(field(metric_named(&e, "test.time"), 10), 1), 6).value),
                   20);
  encode(&m, &e); /* while the total holds both */
  assert_int_equal(field(field(field(metric_named(&e, "test.time"), 10), 1), 4).value, 2);
  metrics_done(&m);
  buf_done(&e.bytes);
}

static void test_a_histogram_may_have_no_bounds(void **state) {
  static const double none[1];
  static const struct hoist_instrument one_bucket = {
      .name = "test.one", .kind = HOIST_HISTOGRAM, .bounds = none, .bound_count = 0};
  struct encoded e = {.bytes = buf_make(1 << 20)};
  add(*state, &one_bucket, 5, NULL, 0);
  encode(*state, &e);
  struct wire_field point = field(field(metric_named(&e, "test.one"), 9), 1), unused;
  assert_int_equal(field(point, 6).size, 8);
  assert_int_equal(bucket(point, 0), 1);
  assert_false(find_field(point, 7, 0, &unused));
  buf_done(&e.bytes);
}

static void *add_many(void *arg) {
  for (int i = 0; i < 10000; i++)
    add_with(arg, i % 2 ? "odd" : "even", 1);
  return NULL;
}

static void test_threads_lose_no_value(void **state) {
  struct encoded e = {.bytes = buf_make(1 << 20)};
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, add_many, *state), 0);
  encode(*state, &e);
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  encode(*state, &e);
  struct wire_field sum = field(metric_named(&e, "test.count"), 7);
  assert_true(number_in(point_with(sum, 7, "model.id", "odd"), 4) == 15000);
  buf_done(&e.bytes);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_a_counter_sums_per_attribute_set),
      TEST(test_instruments_that_are_alike_are_one_at_any_address),
      TEST(test_instruments_that_differ_in_more_than_the_address_are_two),
      TEST(test_values_go_on_from_one_export_to_the_next),
      TEST(test_a_gauge_is_its_last_value),
      TEST(test_deltas_begin_anew_with_each_export),
      TEST(test_a_delta_that_could_not_be_encoded_is_not_lost),
      TEST(test_what_does_not_fit_comes_with_the_next_call_and_nothing_is_lost),
      TEST(test_of_many_attributes_the_same_stay_in_any_order),
      TEST(test_an_attribute_that_is_too_large_is_left_off_and_counted),
      TEST(test_an_up_down_counter_falls_and_a_counter_does_not),
      TEST(test_histogram_bounds_are_inclusive_above),
      TEST(test_durations_have_bounds_up_to_ten_minutes),
      TEST(test_what_is_not_in_seconds_has_the_bounds_of_the_specification),
      TEST(test_attribute_sets_are_equal_in_any_order_and_the_last_value_wins),
      TEST(test_beyond_the_cap_values_go_to_the_overflow_point),
      TEST(test_nothing_measured_is_nothing_encoded),
      TEST(test_too_much_for_the_buffer_is_an_error),
      TEST(test_threads_lose_no_value),
      TEST(test_totals_and_deltas_can_be_read_of_the_same),
      TEST(test_scopes_have_series_of_their_own),
      TEST(test_an_exponential_histogram_is_encoded_with_scale_offset_and_counts),
      TEST(test_histograms_are_exponential_where_that_is_asked_for),
      TEST(test_a_histogram_may_have_no_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
