/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on spans, and what is shown when they are met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "filter.h"
#include "sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct sample load[] = {
    {1, 1, 0, "model.load", 0, 400, NULL, STRING_ATTR("model.id", "faces/1")},
    {1, 2, 1, "model.artifacts.download", 0, 240, NULL, INT_ATTR("model.artifacts.files", 3)},
    {1, 3, 2, "GET", 0, 120, NULL,
     INT_ATTR("http.response.status_code", 200) "," STRING_ATTR("url.full", "http://h/?a=b")},
    {1, 4, 2, "GET", 120, 121, "503", INT_ATTR("http.response.status_code", 503)},
    {1, 5, 1, "model.session.create", 240, 400, NULL, BOOL_ATTR("cold", true)},
    {2, 6, 0, "other", 500, 501, NULL,
     "{\"key\":\"x\",\"value\":{\"doubleValue\":0.5}},"
     "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1}]}}},"
     "{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}}"},
};

static const struct {
  const char *name, *slower;
  const char *attrs[3];
  const char *shown; /* ids of the spans; those of context in brackets */
} cases[] = {
    {"GET", NULL, {NULL}, "(1)(2)34"},
    {"get", NULL, {NULL}, "(1)(2)34"},
    {"model.", NULL, {NULL}, "125"},
    {"absent", NULL, {NULL}, ""},
    {"", NULL, {NULL}, "123456"},
    {NULL, "120ms", {NULL}, "125"},
    {NULL, "119.9 ms", {NULL}, "1235"},
    {NULL, "0ns", {NULL}, "123456"},
    {NULL, "2m", {NULL}, ""},
    {NULL, NULL, {"http.response.status_code=503"}, "(1)(2)4"},
    {NULL, NULL, {"http.response.status_code"}, "(1)(2)34"},
    {NULL, NULL, {"http.response.status_code="}, ""},
    {NULL, NULL, {"http.response"}, ""},
    {NULL, NULL, {"url.full=http://h/?a=b"}, "(1)(2)3"},
    {NULL, NULL, {"cold=true"}, "(1)5"},
    {NULL, NULL, {"x=0.5"}, "6"},
    {NULL, NULL, {"l"}, "6"},
    {NULL, NULL, {"l=[1]"}, "6"},
    {NULL, NULL, {"nan=NaN"}, "6"},
    {NULL, NULL, {"model.id=faces/1"}, "1"},
    {NULL, NULL, {"model.id=faces"}, ""},
    {NULL, NULL, {"http.response.status_code=200", "url.full"}, "(1)(2)3"},
    {NULL, NULL, {"http.response.status_code=503", "url.full"}, ""},
    {"GET", "100ms", {"url.full"}, "(1)(2)3"},
};

static void shown_of(const struct trace_set *set, char *out, size_t size) {
  out[0] = '\0';
  for (size_t i = 0; i < set->count; i++) {
    size_t used = strlen(out);
    enum trace_shown shown = set->spans[i].shown;
    if (shown != TRACE_HIDDEN)
      snprintf(out + used, size - used, shown == TRACE_SHOWN ? "%zu" : "(%zu)", i + 1);
  }
}

static void test_spans_that_meet_every_condition_are_shown_with_what_is_above(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, load, COUNT(load));
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct filter filter = {.name = cases[i].name};
    char shown[64];
    for (size_t k = 0; k < COUNT(cases[i].attrs) && cases[i].attrs[k]; k++)
      assert_int_equal(filter_add_attr(&filter, cases[i].attrs[k], NULL), HOIST_OK);
    if (cases[i].slower)
      assert_int_equal(filter_set_slower(&filter, cases[i].slower, NULL), HOIST_OK);
    assert_true(filter_is_set(&filter));
    size_t matches = filter_apply(&filter, &set), expected = 0;
    shown_of(&set, shown, sizeof shown);
    if (strcmp(shown, cases[i].shown) != 0) fail_msg("case %zu: %s", i, shown);
    for (size_t k = 0; k < set.count; k++)
      expected += set.spans[k].shown == TRACE_SHOWN;
    assert_int_equal(matches, expected);
  }
}

static void test_no_condition_is_no_filter(void **state) {
  const struct filter filter = {0};
  assert_false(filter_is_set(&filter));
}

static void test_durations_need_a_number_and_a_unit(void **state) {
  static const struct {
    const char *text;
    uint64_t ns;
  } good[] = {{"100ms", 100000000},  {"1.5s", 1500000000}, {"20us", 20000}, {"20µs", 20000},
              {"2m", 120000000000},  {"7 ns", 7},          {"0s", 0},       {"1 h", 3600000000000},
              {"1m30s", 90000000000}};
  static const char *const bad[] = {"",     "100",  "ms",  "-1s",  " 1s",   "infs", "nans",
                                    "1m30", "1msx", "1s ", "1  s", "1e99s", "+1s"};
  for (size_t i = 0; i < COUNT(good); i++) {
    struct filter filter = {0};
    if (filter_set_slower(&filter, good[i].text, NULL) != HOIST_OK) fail_msg("%s", good[i].text);
    assert_int_equal(filter.longer_than_ns, good[i].ns);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    struct filter filter = {0};
    struct hoist_error err;
    if (filter_set_slower(&filter, bad[i], &err) != HOIST_INVALID) fail_msg("'%s'", bad[i]);
    assert_non_null(strstr(err.message, "is no duration: write 100ms"));
    assert_false(filter_is_set(&filter));
  }
}

static void test_conditions_on_attributes_need_a_key_and_are_counted(void **state) {
  struct filter filter = {0};
  struct hoist_error err;
  assert_int_equal(filter_add_attr(&filter, "", &err), HOIST_INVALID);
  assert_int_equal(filter_add_attr(&filter, "=x", &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "has no key"));
  for (size_t i = 0; i < FILTER_MAX_ATTRS; i++)
    assert_int_equal(filter_add_attr(&filter, "k=v", NULL), HOIST_OK);
  assert_int_equal(filter_add_attr(&filter, "k=v", &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "more than 16"));
}

static void test_the_waterfall_keeps_the_tree_and_counts_what_it_shows(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  const struct filter filter = {.name = "create"};
  sample_read(&set, load, COUNT(load));
  filter_apply(&filter, &set);
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  assert_non_null(strstr(text, "\nmodel.load "));
  assert_non_null(strstr(text, "\n└ model.session.create "));
  assert_null(strstr(text, "GET"));
  assert_null(strstr(text, "model.artifacts.download"));
  assert_null(strstr(text, "other"));
  assert_non_null(strstr(text, "\n… 2 of 5 spans shown\n"));
}

static void test_many_that_match_become_one_line_without_the_others(void **state) {
  struct sample samples[41] = {{1, 1, 0, "root", 0, 200, NULL, NULL}};
  for (int i = 0; i < 40; i++)
    samples[i + 1] = (struct sample){1, i + 2, 1, i % 2 ? "odd" : "even", i, i + 1, NULL, NULL};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  const struct filter filter = {.name = "odd"};
  sample_read(&set, samples, COUNT(samples));
  assert_int_equal(filter_apply(&filter, &set), 20);
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  assert_null(strstr(text, "├ even"));
  assert_non_null(strstr(text, "└ … 12 more"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spans_that_meet_every_condition_are_shown_with_what_is_above),
      cmocka_unit_test(test_no_condition_is_no_filter),
      cmocka_unit_test(test_durations_need_a_number_and_a_unit),
      cmocka_unit_test(test_conditions_on_attributes_need_a_key_and_are_counted),
      cmocka_unit_test(test_the_waterfall_keeps_the_tree_and_counts_what_it_shows),
      cmocka_unit_test(test_many_that_match_become_one_line_without_the_others),
  };
  return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
