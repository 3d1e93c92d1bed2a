/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential buckets against a naive model: the values themselves, compared with the bounds as the
 * specification defines them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exponential.h"

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* Any positive finite number, subnormal ones too, with exponents equally likely. */
static double random_magnitude(uint64_t *state) {
  uint64_t bits;
  double value;
  do {
    bits = next_random(state) & INT64_MAX;
    memcpy(&value, &bits, sizeof value);
  } while (!isfinite(value) || value == 0);
  return value;
}

static void test_powers_of_two_close_the_bucket_below_at_every_scale(void **state) {
  for (int exponent = -1074; exponent <= 1023; exponent++) {
    double power = ldexp(1, exponent);
    for (int scale = -10; scale <= EXPONENTIAL_SCALE_MAX; scale++) {
      /* power is (2^exponent): the upper bound of bucket exponent * 2^scale - 1 */
      int64_t upper = scale >= 0 ? (int64_t)exponent * (1 << scale) : exponent;
      int64_t expected = scale >= 0 ? upper - 1 : (upper - 1) >> -scale;
      assert_int_equal(exponential_index(power, scale), expected);
      /* ldexp is exact, so the neighbours are in the buckets beside it (subnormal ones are coarse) */
      if (exponent < -1022 || scale < 0) continue;
      assert_true(exponential_index(nextafter(power, INFINITY), scale) == upper);
      assert_true(exponential_index(nextafter(power, 0), scale) == upper - 1);
    }
  }
}

static void test_the_smallest_and_the_largest_numbers_have_buckets(void **state) {
  const struct {
    double value;
    int64_t scale, index;
  } cases[] = {
      {0x1p-1074, 0, -1075},
      {0x1.8p-1073, 0, -1073},
      {DBL_MIN, 0, -1023},
      {DBL_MAX, 0, 1023},
      {DBL_MAX, -10, 0},
      {0x1p-1074, -10, -2},
      {1, 0, -1},
      {1, -10, -1},
      {DBL_MAX, 20, (INT64_C(1024) << 20) - 1},
      {0x1p-1074, 20, -(INT64_C(1074) << 20) - 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(exponential_index(cases[i].value, cases[i].scale), cases[i].index);
}

static void test_any_value_lies_within_the_bounds_of_its_bucket(void **state) {
  uint64_t random = 12345;
  for (int i = 0; i < 20000; i++) {
    double value = random_magnitude(&random);
    int scale = (int)(next_random(&random) % 31) - 10;
    int64_t index = exponential_index(value, scale);
    long double lower = exp2l(ldexpl((long double)index, -scale));
    long double upper = exp2l(ldexpl((long double)index + 1, -scale));
    /* as near as a double tells */
    assert_true(lower * (1 - 4e-16L) <= (long double)value);
    assert_true((long double)value <= upper * (1 + 4e-16L));
  }
}

static void test_a_coarser_index_is_the_finer_one_shifted(void **state) {
  uint64_t random = 99;
  for (int i = 0; i < 20000; i++) {
    double value = random_magnitude(&random);
    int64_t finest = exponential_index(value, EXPONENTIAL_SCALE_MAX);
    for (int scale = -10; scale < EXPONENTIAL_SCALE_MAX; scale += 3)
      assert_int_equal(exponential_index(value, scale), finest >> (EXPONENTIAL_SCALE_MAX - scale));
  }
}

/* ---- whole histograms against a list of values ---------------------------------------------------- */

enum { VALUES_MAX = 3000 };

static void check_side(const struct exponential_side *side, int64_t scale, const double *values,
                       size_t count, int sign) {
  uint64_t expected[EXPONENTIAL_BUCKETS_MAX] = {0}, total = 0;
  for (size_t i = 0; i < count; i++) {
    if (values[i] * sign <= 0) continue;
    int64_t at = exponential_index(fabs(values[i]), scale) - side->first;
    assert_in_range(at, 0, (int64_t)side->used - 1);
    expected[at]++;
    total++;
  }
  assert_true(side->used <= EXPONENTIAL_BUCKETS_MAX);
  if (total == 0) {
    assert_int_equal(side->used, 0);
    return;
  }
  assert_memory_equal(side->counts, expected, side->used * sizeof expected[0]);
  assert_true(side->counts[0] > 0 && side->counts[side->used - 1] > 0);
}

/* Whether one scale finer would need too many buckets, as the ideal scale must. */
static bool is_full_at(const double *values, size_t count, int sign, int64_t scale) {
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (size_t i = 0; i < count; i++) {
    if (values[i] * sign <= 0) continue;
    int64_t index = exponential_index(fabs(values[i]), scale);
    if (index < low) low = index;
    if (index > high) high = index;
  }
  return low <= high && high - low >= EXPONENTIAL_BUCKETS_MAX;
}

static void check(const struct exponential *h, const double *values, size_t count) {
  uint64_t zeros = 0;
  for (size_t i = 0; i < count; i++)
    zeros += values[i] == 0;
  assert_int_equal(h->zero_count, zeros);
  check_side(&h->positive, h->scale, values, count, 1);
  check_side(&h->negative, h->scale, values, count, -1);
  if (h->scale < EXPONENTIAL_SCALE_MAX)
    assert_true(is_full_at(values, count, 1, h->scale + 1) ||
                is_full_at(values, count, -1, h->scale + 1));
}

/* Values around 1 spread over about 2^±`spread`. */
static size_t make_values(uint64_t *random, double spread, double *values) {
  size_t count = next_random(random) % VALUES_MAX;
  for (size_t i = 0; i < count; i++) {
    double exponent = ((double)(next_random(random) % 20001) / 10000 - 1) * spread;
    values[i] = next_random(random) % 50 == 0 ? 0 : exp2(exponent);
    if (next_random(random) % 3 == 0) values[i] = -values[i];
  }
  return count;
}

static const double spreads[] = {1e-7, 1e-3, 0.1, 1, 8, 60, 300, 1000};

static void test_recording_keeps_the_finest_scale_that_fits(void **state) {
  static double values[VALUES_MAX];
  static struct exponential h;
  uint64_t random = 7;
  for (size_t i = 0; i < 8 * sizeof spreads / sizeof *spreads; i++) {
    size_t count = make_values(&random, spreads[i / 8], values);
    exponential_clear(&h);
    for (size_t j = 0; j < count; j++)
      exponential_record(&h, values[j]);
    check(&h, values, count);
  }
}

static void test_extremes_together_still_fit(void **state) {
  static const double values[] = {DBL_MAX, 0x1p-1074, -DBL_MAX, -0x1p-1074, 1, 0, -0.0, DBL_MIN};
  static struct exponential h;
  exponential_clear(&h);
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    exponential_record(&h, values[i]);
  check(&h, values, sizeof values / sizeof *values);
  assert_int_equal(h.scale, -4);
}

static void test_merging_is_as_recording_all_of_it(void **state) {
  static double values[2 * VALUES_MAX];
  static struct exponential a, b;
  uint64_t random = 21;
  for (size_t i = 0; i < 64; i++) {
    size_t first = make_values(&random, spreads[i % 8], values);
    size_t second = make_values(&random, spreads[i / 8], values + first);
    exponential_clear(&a);
    exponential_clear(&b);
    for (size_t j = 0; j < first; j++)
      exponential_record(&a, values[j]);
    for (size_t j = first; j < first + second; j++)
      exponential_record(&b, values[j]);
    exponential_merge(&a, &b);
    check(&a, values, first + second);
  }
}

static void test_what_came_since_an_earlier_copy_can_be_told(void **state) {
  static double values[2 * VALUES_MAX];
  static struct exponential h, earlier, since;
  uint64_t random = 22;
  for (size_t i = 0; i < 64; i++) {
    size_t first = make_values(&random, spreads[i % 8], values);
    size_t second = make_values(&random, spreads[i / 8], values + first);
    exponential_clear(&h);
    for (size_t j = 0; j < first; j++)
      exponential_record(&h, values[j]);
    earlier = h;
    for (size_t j = first; j < first + second; j++)
      exponential_record(&h, values[j]);
    exponential_subtract(&h, &earlier);
    exponential_clear(&since);
    exponential_merge(&since, &h);
    uint64_t zeros = 0;
    for (size_t j = first; j < first + second; j++)
      zeros += values[j] == 0;
    assert_int_equal(since.zero_count, zeros);
    check_side(&since.positive, since.scale, values + first, second, 1);
    check_side(&since.negative, since.scale, values + first, second, -1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_powers_of_two_close_the_bucket_below_at_every_scale),
      cmocka_unit_test(test_the_smallest_and_the_largest_numbers_have_buckets),
      cmocka_unit_test(test_any_value_lies_within_the_bounds_of_its_bucket),
      cmocka_unit_test(test_a_coarser_index_is_the_finer_one_shifted),
      cmocka_unit_test(test_recording_keeps_the_finest_scale_that_fits),
      cmocka_unit_test(test_extremes_together_still_fit),
      cmocka_unit_test(test_merging_is_as_recording_all_of_it),
      cmocka_unit_test(test_what_came_since_an_earlier_copy_can_be_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
