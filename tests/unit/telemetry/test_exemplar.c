/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars: which measurements become one, and that they lead to the span they were made in. */
#include "clock.h"
#include "exemplar.h"
#include "reading.h"
#include "series.h"

static const struct hoist_instrument counter = {.name = "count", .kind = HOIST_COUNTER};
static const struct hoist_instrument gauge = {.name = "gauge", .kind = HOIST_GAUGE};
static const double bounds[] = {1, 10};
static const struct hoist_instrument histogram = {
    .name = "size", .kind = HOIST_HISTOGRAM, .bounds = bounds, .bound_count = 2};
static const struct hoist_instrument spread = {.name = "spread",
                                               .kind = HOIST_EXPONENTIAL_HISTOGRAM};

struct fixture {
  struct recording *recording;
  struct hoist_telemetry *telemetry;
  struct hoist_span span;
  struct hoist_span_context context; /* of the span */
  struct buf encoded;
};

static void start(struct fixture *f, const char *sampler) {
  f->recording = recording_start(sampler, 1024);
  f->telemetry = recording_telemetry(f->recording);
  hoist_span_start_root(f->telemetry, "span", HOIST_SPAN_INTERNAL, NULL, &f->span);
  hoist_span_get_context(&f->span, &f->context);
  f->encoded = buf_make(1 << 20);
}

static int set_up(void **state) {
  static struct fixture f;
  start(&f, NULL);
  *state = &f;
  return 0;
}

static int set_up_unsampled(void **state) {
  static struct fixture f;
  start(&f, "always_off");
  *state = &f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  hoist_span_end(&f->span);
  buf_done(&f->encoded);
  recording_stop(f->recording);
  return 0;
}

static void set_filter(struct fixture *f, enum hoist_exemplar_filter filter) {
  f->recording->recorder.metrics.config.exemplar_filter = filter;
  f->recording->recorder.config.metrics.exemplar_filter = filter;
}

static struct wire_field point_of(struct fixture *f, enum hoist_temporality temporality,
                                  const char *name, uint32_t kind) {
  size_t points;
  f->recording->recorder.config.temporality = temporality;
  buf_clear(&f->encoded);
  assert_int_equal(recorder_encode_metrics(&f->recording->recorder, 0, &f->encoded, &points, NULL),
                   HOIST_OK);
  return field(field(metric_in(&f->encoded, name), kind), 1);
}

static void check_span(struct fixture *f, struct wire_field exemplar) {
  assert_memory_equal(field(exemplar, 4).data, f->context.span_id, 8);
  assert_memory_equal(field(exemplar, 5).data, f->context.trace_id, 16);
  uint64_t time = field(exemplar, 2).value, now = clock_realtime_ns();
  assert_true(time <= now && time + 60 * NS_PER_S > now);
}

static void test_a_measurement_in_a_sampled_span_leads_to_it(void **state) {
  static const struct {
    const struct hoist_instrument *instrument;
    const char *name;
    uint32_t data, exemplars;
  } cases[] = {{&counter, "count", 7, 5},
               {&gauge, "gauge", 5, 5},
               {&histogram, "size", 9, 8},
               {&spread, "spread", 10, 11}};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hoist_metric_add_in(&f->span, f->telemetry, cases[i].instrument, 5, NULL, 0);
    struct wire_field point =
        point_of(f, HOIST_TEMPORALITY_CUMULATIVE, cases[i].name, cases[i].data);
    assert_int_equal(count_fields(point, cases[i].exemplars), 1);
    struct wire_field exemplar = field(point, cases[i].exemplars);
    assert_true(number_in(exemplar, 3) == 5);
    check_span(f, exemplar);
  }
}

static void test_the_current_span_is_the_one_where_none_is_named(void **state) {
  struct fixture *f = *state;
  struct hoist_scope scope;
  struct hoist_bound *bound = hoist_metric_bind(f->telemetry, &histogram, NULL, 0);
  hoist_scope_enter(&scope, &f->span);
  hoist_metric_add(f->telemetry, &counter, 1, NULL, 0);
  hoist_bound_add(bound, 5); /* a thread's first takes the long way */
  hoist_bound_add(bound, 50);
  hoist_scope_leave(&scope);
  hoist_bound_add(bound, 0.5);
  check_span(f, field(point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7), 5));
  struct wire_field point = point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "size", 9);
  assert_int_equal(count_fields(point, 8), 2);
  struct wire_field second;
  assert_true(find_field(point, 8, 1, &second));
  assert_true(number_in(field(point, 8), 3) == 5 && number_in(second, 3) == 50);
  check_span(f, second);
}

/* Each offer needs the lock of the metrics. */
static void test_of_very_many_measurements_only_some_are_offered(void **state) {
  struct fixture *f = *state;
  struct hoist_scope scope;
  struct hoist_bound *bound = hoist_metric_bind(f->telemetry, &histogram, NULL, 0);
  const struct series *s = f->recording->recorder.metrics.metrics[0].first;
  hoist_scope_enter(&scope, &f->span);
  for (int i = 0; i < 1600; i++)
    hoist_bound_add(bound, 0.5);
  hoist_bound_add(bound, 50); /* a rare one is */
  hoist_scope_leave(&scope);
  assert_int_equal(s->exemplars->places[0].seen, 16 + 99);
  assert_int_equal(s->exemplars->places[2].seen, 1);
}

static void test_outside_of_spans_there_are_none(void **state) {
  struct fixture *f = *state;
  hoist_metric_add(f->telemetry, &counter, 1, NULL, 0);
  hoist_metric_add_in(NULL, f->telemetry, &counter, 1, NULL, 0);
  assert_int_equal(count_fields(point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7), 5), 0);
}

static void test_an_unsampled_span_makes_none(void **state) {
  struct fixture *f = *state;
  hoist_metric_add_in(&f->span, f->telemetry, &counter, 1, NULL, 0);
  assert_int_equal(count_fields(point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7), 5), 0);
}

static void test_always_on_takes_all_and_always_off_none(void **state) {
  struct fixture *f = *state;
  set_filter(f, HOIST_EXEMPLARS_OFF);
  hoist_metric_add_in(&f->span, f->telemetry, &counter, 1, NULL, 0);
  assert_int_equal(count_fields(point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7), 5), 0);
  set_filter(f, HOIST_EXEMPLARS_ALL);
  hoist_metric_add(f->telemetry, &counter, 2, NULL, 0);
  hoist_bound_add(hoist_metric_bind(f->telemetry, &histogram, NULL, 0), 3);
  struct wire_field exemplar = field(point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7), 5);
  assert_true(number_in(exemplar, 3) == 2);
  assert_int_equal(count_fields(exemplar, 4), 0); /* no span */
  assert_int_equal(count_fields(exemplar, 5), 0);
  exemplar = field(point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "size", 9), 8);
  assert_true(number_in(exemplar, 3) == 3);
}

static void test_deltas_carry_their_own_exemplars(void **state) {
  struct fixture *f = *state;
  hoist_metric_add_in(&f->span, f->telemetry, &histogram, 5, NULL, 0);
  assert_int_equal(count_fields(point_of(f, HOIST_TEMPORALITY_DELTA, "size", 9), 8), 1);
  hoist_metric_add(f->telemetry, &histogram, 5, NULL, 0);
  assert_int_equal(count_fields(point_of(f, HOIST_TEMPORALITY_DELTA, "size", 9), 8), 0);
}

static void test_an_export_lets_the_next_measurement_in(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 1000; i++)
    hoist_metric_add_in(&f->span, f->telemetry, &counter, 1, NULL, 0);
  struct wire_field point = point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7);
  assert_int_equal(count_fields(point, 5), 1);
  hoist_metric_add_in(&f->span, f->telemetry, &counter, 77, NULL, 0);
  point = point_of(f, HOIST_TEMPORALITY_CUMULATIVE, "count", 7);
  assert_true(number_in(field(point, 5), 3) == 77);
}

/* Each of many is chosen about as often: chi-squared over ten classes, far from what chance would do. */
static void test_reservoirs_choose_with_equal_chances(void **state) {
  enum { ROUNDS = 4000, OFFERS = 100, CLASSES = 10 };
  static const struct shape shapes[] = {
      {.kind = SHAPE_SUM},
      {.kind = SHAPE_EXPONENTIAL},
      {.kind = SHAPE_BUCKETS, .bounds = bounds, .bound_count = 2}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    struct reservoir *r = reservoir_new(&shapes[s]);
    assert_non_null(r);
    r->random = 4711; /* the same numbers every time */
    uint64_t chosen[CLASSES] = {0}, total = 0;
    for (int round = 0; round < ROUNDS; round++) {
      for (int i = 0; i < OFFERS; i++) /* all in the last bucket */
        reservoir_offer(r, &shapes[s], 100 + i, &(struct exemplar){0});
      for (size_t i = 0; i < r->size; i++)
        if (r->places[i].exemplar.unix_ns) {
          chosen[((int)r->places[i].exemplar.value - 100) / (OFFERS / CLASSES)]++;
          total++;
        }
      reservoir_begin(r, true);
    }
    double expected = (double)total / CLASSES, chi = 0;
    for (int i = 0; i < CLASSES; i++)
      chi += ((double)chosen[i] - expected) * ((double)chosen[i] - expected) / expected;
    assert_true(chi < 30); /* 9 degrees of freedom: p = 0.0004 */
    assert_int_equal(total, ROUNDS * (s == 1 ? EXEMPLARS_EXPONENTIAL : 1));
    free(r);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_a_measurement_in_a_sampled_span_leads_to_it),
      TEST(test_the_current_span_is_the_one_where_none_is_named),
      TEST(test_of_very_many_measurements_only_some_are_offered),
      TEST(test_outside_of_spans_there_are_none),
      cmocka_unit_test_setup_teardown(test_an_unsampled_span_makes_none, set_up_unsampled,
                                      tear_down),
      TEST(test_always_on_takes_all_and_always_off_none),
      TEST(test_deltas_carry_their_own_exemplars),
      TEST(test_an_export_lets_the_next_measurement_in),
      cmocka_unit_test(test_reservoirs_choose_with_equal_chances),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
