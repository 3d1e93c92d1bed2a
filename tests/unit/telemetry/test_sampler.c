/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "numeric_locale.h"
#include "sampler.h"

static struct sampler parsed(const char *name, const char *arg) {
  struct sampler sampler;
  assert_int_equal(sampler_parse(name, arg, &sampler, NULL), HOIST_OK);
  return sampler;
}

static void test_every_sampler_decides_for_roots_and_children(void **state) {
  static const uint8_t id[16] = {[15] = 1}; /* the lowest of ids: any ratio above 0 takes it */
  static const struct {
    const char *name, *arg;
    bool root, under_sampled, under_unsampled;
  } cases[] = {
      {NULL, NULL, true, true, false},
      {"always_on", NULL, true, true, true},
      {"always_off", NULL, false, false, false},
      {"traceidratio", "0.5", true, true, true},
      {"traceidratio", "0", false, false, false},
      {"parentbased_always_on", NULL, true, true, false},
      {"parentbased_always_off", NULL, false, true, false},
      {"parentbased_traceidratio", "0", false, true, false},
      {"parentbased_traceidratio", NULL, true, true, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct sampler s = parsed(cases[i].name, cases[i].arg);
    assert_int_equal(sampler_decide(&s, id, false, false), cases[i].root);
    assert_int_equal(sampler_decide(&s, id, true, true), cases[i].under_sampled);
    assert_int_equal(sampler_decide(&s, id, true, false), cases[i].under_unsampled);
  }
}

static void test_the_ratio_compares_the_low_63_bits_shifted_by_one(void **state) {
  struct sampler half = parsed("traceidratio", "0.5"), all = parsed("traceidratio", "1"),
                 by_default = parsed("traceidratio", NULL);
  static const struct {
    uint8_t id[16];
    bool sampled;
  } cases[] = {
      {{[0] = 0xff, [8] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
      {{[8] = 0x80}, false}, /* exactly 2^62 after the shift */
      {{[8] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(sampler_decide(&half, cases[i].id, false, false), cases[i].sampled);
    assert_true(sampler_decide(&all, cases[i].id, false, false));
    assert_true(sampler_decide(&by_default, cases[i].id, false, false));
  }
}

static void test_an_unknown_name_or_a_bad_ratio_is_invalid(void **state) {
  static const struct {
    const char *name, *arg;
  } cases[] = {{"sometimes", NULL},        {"", NULL},
               {"always on", NULL},        {"traceidratio", "1.1"},
               {"traceidratio", "-0.1"},   {"traceidratio", "nan"},
               {"traceidratio", "half"},   {"parentbased_traceidratio", "0.5x"},
               {"traceidratio", ""},       {"parentbased_jaeger_remote", NULL},
               {"traceidratio", "0x1p-1"}, {"traceidratio", " 0.5"},
               {"traceidratio", "0,5"},    {"traceidratio", "inf"},
               {"traceidratio", "."}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct sampler sampler;
    struct hoist_error err;
    assert_int_equal(sampler_parse(cases[i].name, cases[i].arg, &sampler, &err), HOIST_INVALID);
    assert_non_null(strstr(err.message, "sampler"));
  }
}

/* In a locale whose decimal separator is not a point, if there is one. */
static void test_the_ratio_is_read_alike_in_any_locale(void **state) {
  uint64_t expected = parsed("traceidratio", "0.001").threshold;
  numeric_locale_begin();
  uint64_t threshold = parsed("traceidratio", "0.001").threshold;
  setlocale(LC_NUMERIC, "C");
  assert_int_equal(threshold, expected);
  assert_true(expected == (uint64_t)(0.001 * 0x1p63));
  assert_int_equal(parsed("traceidratio", "1e-3").threshold, expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_sampler_decides_for_roots_and_children),
      cmocka_unit_test(test_the_ratio_compares_the_low_63_bits_shifted_by_one),
      cmocka_unit_test(test_the_ratio_is_read_alike_in_any_locale),
      cmocka_unit_test(test_an_unknown_name_or_a_bad_ratio_is_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
