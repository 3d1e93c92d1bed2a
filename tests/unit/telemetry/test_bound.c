/* SPDX-License-Identifier: Apache-2.0 */
/* Bound instruments: what threads add through their own cells comes together in the series. */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reading.h"
#include "thread_slot.h"

static const struct hoist_instrument counter = {.name = "count", .kind = HOIST_COUNTER};
static const struct hoist_instrument level = {.name = "level", .kind = HOIST_UP_DOWN_COUNTER};
static const struct hoist_instrument gauge = {.name = "gauge", .kind = HOIST_GAUGE};
static const double bounds[] = {1, 10};
static const struct hoist_instrument histogram = {
    .name = "size", .kind = HOIST_HISTOGRAM, .bounds = bounds, .bound_count = 2};
static const struct hoist_instrument spread = {.name = "spread",
                                               .kind = HOIST_EXPONENTIAL_HISTOGRAM};

struct fixture {
  struct recording *recording;
  struct hoist_telemetry *telemetry;
  struct buf encoded;
};

static int set_up(void **state) {
  static struct fixture f;
  f.recording = recording_start(NULL, 1024);
  f.telemetry = recording_telemetry(f.recording);
  f.encoded = buf_make(1 << 20);
  *state = &f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  buf_done(&f->encoded);
  recording_stop(f->recording);
  return 0;
}

static void encode(struct fixture *f, enum hoist_temporality temporality) {
  size_t points;
  f->recording->recorder.config.temporality = temporality;
  buf_clear(&f->encoded);
  assert_int_equal(recorder_encode_metrics(&f->recording->recorder, 0, &f->encoded, &points, NULL),
                   HOIST_OK);
}

/* The only point of a metric whose data is in field `kind` (7: sum, 5: gauge, 9 and 10: histograms). */
static struct wire_field point_of(struct fixture *f, const char *name, uint32_t kind) {
  struct wire_field data = field(metric_in(&f->encoded, name), kind);
  assert_int_equal(count_fields(data, 1), 1);
  return field(data, 1);
}

static double total(struct fixture *f, const char *name) {
  encode(f, HOIST_TEMPORALITY_CUMULATIVE);
  return number_in(point_of(f, name, 7), 4);
}

static struct hoist_bound *bind(struct fixture *f, const struct hoist_instrument *instrument) {
  struct hoist_bound *bound = hoist_metric_bind(f->telemetry, instrument, NULL, 0);
  assert_non_null(bound);
  return bound;
}

static void test_bound_and_plain_additions_share_a_series(void **state) {
  struct fixture *f = *state;
  struct hoist_attr attrs[] = {{.key = "a", .type = HOIST_ATTR_STRING, .value = {.string = "1"}},
                               {.key = "b", .type = HOIST_ATTR_INT, .value = {.integer = 2}}};
  struct hoist_attr turned[] = {attrs[1], attrs[0]};
  struct hoist_bound *bound = hoist_metric_bind(f->telemetry, &counter, attrs, 2);
  assert_ptr_equal(hoist_metric_bind(f->telemetry, &counter, turned, 2), bound);
  hoist_bound_add(bound, 2);
  hoist_metric_add(f->telemetry, &counter, 3, turned, 2);
  hoist_bound_add(bound, 5);
  assert_true(total(f, "count") == 10);
  assert_int_equal(count_fields(point_of(f, "count", 7), 7), 2);
}

static void test_what_is_bound_and_never_measured_is_not_there(void **state) {
  struct fixture *f = *state;
  bind(f, &counter);
  encode(f, HOIST_TEMPORALITY_CUMULATIVE);
  assert_int_equal(f->encoded.size, 0);
}

static void test_unusable_values_are_ignored(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *c = bind(f, &counter), *l = bind(f, &level);
  static const double bad[] = {-1, NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < 4; i++)
    hoist_bound_add(c, bad[i]);
  for (size_t i = 1; i < 4; i++)
    hoist_bound_add(l, bad[i]);
  hoist_bound_add(c, 0); /* is a measurement */
  hoist_bound_add(l, -4);
  assert_true(total(f, "count") == 0);
  assert_true(total(f, "level") == -4);
}

static void test_adding_to_nothing_does_nothing(void **state) {
  hoist_bound_add(NULL, 1);
  assert_null(hoist_metric_bind(NULL, &counter, NULL, 0));
}

static void test_a_bound_gauge_is_what_was_set_last(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *g = bind(f, &gauge);
  hoist_bound_add(g, 5);
  hoist_bound_add(g, -2);
  encode(f, HOIST_TEMPORALITY_DELTA);
  assert_true(number_in(point_of(f, "gauge", 5), 4) == -2);
  hoist_metric_add(f->telemetry, &gauge, 8, NULL, 0);
  encode(f, HOIST_TEMPORALITY_CUMULATIVE);
  assert_true(number_in(point_of(f, "gauge", 5), 4) == 8);
  hoist_bound_add(g, 1);
  encode(f, HOIST_TEMPORALITY_DELTA);
  assert_true(number_in(point_of(f, "gauge", 5), 4) == 1);
}

static void test_deltas_of_bound_instruments_begin_anew(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *c = bind(f, &counter), *h = bind(f, &histogram), *e = bind(f, &spread);
  for (int round = 1; round <= 3; round++) {
    hoist_bound_add(c, 2);
    hoist_bound_add(h, round * 4);
    hoist_bound_add(e, round);
    hoist_bound_add(e, round);
    encode(f, HOIST_TEMPORALITY_DELTA);
    assert_true(number_in(point_of(f, "count", 7), 4) == 2);
    struct wire_field point = point_of(f, "size", 9);
    assert_int_equal(field(point, 4).value, 1);
    assert_true(number_in(point, 5) == round * 4);
    assert_true(number_in(point, 11) == round * 4 && number_in(point, 12) == round * 4);
    point = point_of(f, "spread", 10);
    assert_int_equal(field(point, 4).value, 2);
    assert_true(number_in(point, 12) == round && number_in(point, 13) == round);
    struct wire_field counts = field(field(point, 8), 2);
    assert_int_equal(counts.size, 1); /* one bucket, however many earlier rounds used */
    assert_int_equal(counts.data[0], 2);
  }
  encode(f, HOIST_TEMPORALITY_DELTA);
  assert_int_equal(f->encoded.size, 0);
  assert_true(total(f, "count") == 6);
  assert_int_equal(field(point_of(f, "spread", 10), 4).value, 6);
}

static void test_a_window_has_only_its_own_minimum_and_maximum(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *h = bind(f, &histogram), *e = bind(f, &spread);
  static const double first[] = {1, 100};
  for (size_t i = 0; i < 2; i++) {
    hoist_bound_add(h, first[i]);
    hoist_bound_add(e, first[i]);
  }
  for (int round = 0; round < 3; round++)
    encode(f, HOIST_TEMPORALITY_DELTA);
  hoist_bound_add(h, 50);
  hoist_bound_add(e, 50);
  encode(f, HOIST_TEMPORALITY_DELTA);
  struct wire_field point = point_of(f, "size", 9);
  assert_true(number_in(point, 11) == 50 && number_in(point, 12) == 50);
  point = point_of(f, "spread", 10);
  assert_true(number_in(point, 12) == 50 && number_in(point, 13) == 50);
}

static void test_small_amounts_count_beside_large_totals(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *c = bind(f, &counter);
  hoist_bound_add(c, 1e18);
  encode(f, HOIST_TEMPORALITY_DELTA);
  for (int round = 0; round < 3; round++) {
    hoist_bound_add(c, 1);
    encode(f, HOIST_TEMPORALITY_DELTA);
    assert_true(number_in(point_of(f, "count", 7), 4) == 1);
  }
}

static void test_sums_beyond_all_numbers_stay_at_the_largest(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *c = bind(f, &counter);
  hoist_bound_add(c, DBL_MAX);
  hoist_bound_add(c, DBL_MAX);
  encode(f, HOIST_TEMPORALITY_DELTA);
  assert_true(number_in(point_of(f, "count", 7), 4) == DBL_MAX);
  hoist_bound_add(c, 1);
  encode(f, HOIST_TEMPORALITY_DELTA);
  assert_true(number_in(point_of(f, "count", 7), 4) == 1);
  hoist_metric_add(f->telemetry, &counter, DBL_MAX, NULL, 0);
  hoist_metric_add(f->telemetry, &counter, DBL_MAX, NULL, 0);
  assert_true(total(f, "count") == DBL_MAX);
}

/* ---- threads ------------------------------------------------------------------------------------- */

enum { ADDS = 20000, THREADS = 4 };

struct job {
  struct hoist_bound *counter, *histogram, *spread;
};

static void *work(void *arg) {
  const struct job *job = arg;
  for (int i = 0; i < ADDS; i++) {
    hoist_bound_add(job->counter, 1);
    hoist_bound_add(job->histogram, i % 20);
    hoist_bound_add(job->spread, i % 20 + 1);
  }
  return NULL;
}

static uint64_t bucket_sum(struct wire_field point) {
  struct wire_field buckets = field(point, 6);
  uint64_t sum = 0, count;
  for (size_t i = 0; i + 8 <= buckets.size; i += 8) {
    memcpy(&count, buckets.data + i, 8);
    sum += wire_le64(count);
  }
  return sum;
}

/* Exports while threads record: each copy of a histogram is whole, and nothing is lost or counted twice. */
static void test_threads_lose_nothing_while_deltas_are_taken(void **state) {
  struct fixture *f = *state;
  struct job job = {bind(f, &counter), bind(f, &histogram), bind(f, &spread)};
  pthread_t threads[THREADS];
  uint64_t counted = 0, spread_counted = 0;
  double summed = 0;
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work, &job), 0);
  for (int round = 0; round < 50; round++) {
    if (round == 49)
      for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    encode(f, HOIST_TEMPORALITY_DELTA);
    struct wire_field all = {.data = (const uint8_t *)f->encoded.data, .size = f->encoded.size}, m;
    for (size_t i = 0; find_field(all, 2, i, &m); i++) {
      if (is_text(field(m, 1), "count")) summed += number_in(field(field(m, 7), 1), 4);
      if (is_text(field(m, 1), "spread")) spread_counted += field(field(field(m, 10), 1), 4).value;
      if (!is_text(field(m, 1), "size")) continue;
      struct wire_field point = field(field(m, 9), 1);
      assert_int_equal(bucket_sum(point), field(point, 4).value);
      counted += field(point, 4).value;
    }
  }
  assert_true(summed == (double)ADDS * THREADS);
  assert_int_equal(counted, ADDS * THREADS);
  assert_int_equal(spread_counted, ADDS * THREADS);
}

struct hammer {
  struct hoist_bound *bound;
  atomic_bool stop;
};

static void *hammer(void *arg) {
  struct hammer *job = arg;
  while (!atomic_load_explicit(&job->stop, memory_order_relaxed))
    hoist_bound_add(job->bound, 1.5);
  return NULL;
}

/* The thread never rests for as long as a copy takes, and is read all the same: a fixed number of looks
 * that each see more would not end otherwise. */
static void test_a_thread_that_never_rests_is_read(void **state) {
  struct fixture *f = *state;
  struct hammer job = {.bound = bind(f, &spread)};
  pthread_t thread;
  uint64_t seen = 0;
  assert_int_equal(pthread_create(&thread, NULL, hammer, &job), 0);
  for (int gains = 0; gains < 100;) {
    encode(f, HOIST_TEMPORALITY_CUMULATIVE);
    if (f->encoded.size == 0) continue;
    uint64_t count = field(point_of(f, "spread", 10), 4).value;
    assert_true(count >= seen);
    gains += count > seen;
    seen = count;
  }
  atomic_store(&job.stop, true);
  pthread_join(thread, NULL);
}

static void *add_one_and_end(void *arg) {
  hoist_bound_add(arg, 1);
  return NULL;
}

static void test_threads_that_come_and_go_use_cells_again(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *c = bind(f, &counter);
  for (int i = 0; i < 3 * THREAD_SLOTS; i++) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, add_one_and_end, c), 0);
    pthread_join(thread, NULL);
  }
  assert_true(total(f, "count") == 3 * THREAD_SLOTS);
}

struct crowd {
  struct hoist_bound *bound, *histogram;
  pthread_barrier_t all_there;
};

static void *add_in_a_crowd(void *arg) {
  struct crowd *crowd = arg;
  hoist_bound_add(crowd->bound, 1);
  hoist_bound_add(crowd->histogram, 1);
  pthread_barrier_wait(&crowd->all_there); /* so that every slot is taken */
  hoist_bound_add(crowd->bound, 1);
  return NULL;
}

static void test_more_threads_than_slots_count_all_the_same(void **state) {
  enum { CROWD = THREAD_SLOTS + 8 };
  struct fixture *f = *state;
  struct crowd crowd = {.bound = bind(f, &counter), .histogram = bind(f, &histogram)};
  pthread_t threads[CROWD];
  pthread_barrier_init(&crowd.all_there, NULL, CROWD);
  for (int i = 0; i < CROWD; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, add_in_a_crowd, &crowd), 0);
  for (int i = 0; i < CROWD; i++)
    pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&crowd.all_there);
  assert_true(total(f, "count") == 2 * CROWD);
  assert_int_equal(field(point_of(f, "size", 9), 4).value, CROWD);
}

/* ---- forks --------------------------------------------------------------------------------------- */

static int counts_from_zero(struct fixture *f, const struct job *job, struct hoist_bound *g) {
  hoist_bound_add(job->counter, 7);
  hoist_bound_add(job->histogram, 5);
  hoist_bound_add(g, 3);
  if (hoist_metric_bind(f->telemetry, &counter, NULL, 0) != job->counter) return 2;
  hoist_metric_add(f->telemetry, &counter, 1, NULL, 0);
  if (total(f, "count") != 8) return 3;
  struct wire_field point = point_of(f, "size", 9);
  if (field(point, 4).value != 1 || number_in(point, 11) != 5) return 4;
  return number_in(point_of(f, "gauge", 5), 4) == 3 ? 0 : 5;
}

static void test_after_a_fork_bound_instruments_go_on_from_zero(void **state) {
  struct fixture *f = *state;
  struct job job = {bind(f, &counter), bind(f, &histogram), NULL};
  struct hoist_bound *g = bind(f, &gauge);
  hoist_bound_add(job.counter, 100);
  hoist_bound_add(job.histogram, 1);
  hoist_bound_add(g, 9);
  pid_t child = fork();
  if (child == 0) _exit(counts_from_zero(f, &job, g));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  hoist_bound_add(job.counter, 1); /* the parent goes on as it was */
  assert_true(total(f, "count") == 101);
}

static void test_instruments_that_are_alike_bind_to_one_series(void **state) {
  struct fixture *f = *state;
  struct hoist_instrument alike = counter;
  struct hoist_bound *bound = bind(f, &counter);
  assert_ptr_equal(bind(f, &alike), bound);
  hoist_bound_add(bound, 1);
  hoist_metric_add(f->telemetry, &alike, 2, NULL, 0);
  assert_true(total(f, "count") == 3);
}

static void test_beyond_the_instruments_there_is_room_for_nothing_is_bound(void **state) {
  static struct hoist_instrument many[METRICS_INSTRUMENTS_MAX + 1];
  static char names[METRICS_INSTRUMENTS_MAX + 1][8];
  struct fixture *f = *state;
  for (int i = 0; i <= METRICS_INSTRUMENTS_MAX; i++) {
    snprintf(names[i], sizeof names[i], "c%d", i);
    many[i] = counter;
    many[i].name = names[i];
    if (i < METRICS_INSTRUMENTS_MAX) bind(f, &many[i]);
  }
  assert_null(hoist_metric_bind(f->telemetry, &many[METRICS_INSTRUMENTS_MAX], NULL, 0));
  assert_int_equal(metrics_lost(&f->recording->recorder.metrics), 1);
}

/* In the child the series are made anew, and there is again room for others. */
static int overflow_goes_on(struct fixture *f, struct hoist_bound *overflow) {
  const struct hoist_attr more = {.key = "more", .type = HOIST_ATTR_INT, .value = {.integer = 1}};
  hoist_bound_add(overflow, 2);
  hoist_metric_add(f->telemetry, &counter, 3, &more, 1);
  return total(f, "count") == 5 ? 0 : 1;
}

static void test_beyond_the_attribute_sets_all_share_one_bound(void **state) {
  struct fixture *f = *state;
  struct hoist_bound *last = NULL;
  for (int i = 0; i < METRICS_POINTS_MAX + 10; i++) {
    const struct hoist_attr id = {.key = "id", .type = HOIST_ATTR_INT, .value = {.integer = i}};
    struct hoist_bound *b = hoist_metric_bind(f->telemetry, &counter, &id, 1);
    assert_non_null(b);
    assert_int_equal(b == last, i > METRICS_POINTS_MAX - 1);
    assert_ptr_equal(hoist_metric_bind(f->telemetry, &counter, &id, 1), b);
    hoist_bound_add(b, 1);
    last = b;
  }
  const struct hoist_attr overflow = {
      .key = "otel.metric.overflow", .type = HOIST_ATTR_BOOL, .value = {.integer = 1}};
  assert_ptr_equal(hoist_metric_bind(f->telemetry, &counter, &overflow, 1), last);
  pid_t child = fork();
  if (child == 0) _exit(overflow_goes_on(f, last));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_bound_and_plain_additions_share_a_series),
      TEST(test_what_is_bound_and_never_measured_is_not_there),
      TEST(test_unusable_values_are_ignored),
      TEST(test_adding_to_nothing_does_nothing),
      TEST(test_a_bound_gauge_is_what_was_set_last),
      TEST(test_deltas_of_bound_instruments_begin_anew),
      TEST(test_a_window_has_only_its_own_minimum_and_maximum),
      TEST(test_small_amounts_count_beside_large_totals),
      TEST(test_sums_beyond_all_numbers_stay_at_the_largest),
      TEST(test_threads_lose_nothing_while_deltas_are_taken),
      TEST(test_a_thread_that_never_rests_is_read),
      TEST(test_threads_that_come_and_go_use_cells_again),
      TEST(test_more_threads_than_slots_count_all_the_same),
      TEST(test_after_a_fork_bound_instruments_go_on_from_zero),
      TEST(test_beyond_the_attribute_sets_all_share_one_bound),
      TEST(test_instruments_that_are_alike_bind_to_one_series),
      TEST(test_beyond_the_instruments_there_is_room_for_nothing_is_bound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
