/* SPDX-License-Identifier: Apache-2.0 */
/* Two recordings side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diff.h"
#include "glyph.h"
#include "sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_SPANS 8
#define FILE_ATTR(name) STRING_ATTR("artifact.filename", name)

static const struct sample quick[] = {
    {1, 1, 0, "model.load", 0, 400, NULL, STRING_ATTR("model.id", "faces/1")},
    {1, 2, 1, "model.artifacts.download", 0, 240, NULL,
     STRING_ATTR("model.artifacts.source", "s3")},
    {1, 3, 2, "model.artifact.download", 0, 100, NULL, FILE_ATTR("weights.onnx")},
    {1, 4, 3, "S3.GetObject", 0, 99, NULL, NULL},
    {1, 5, 2, "model.artifact.download", 1, 20, NULL, FILE_ATTR("classes.txt")},
    {1, 6, 1, "model.session.create", 240, 400, NULL, NULL},
};
/* The files in another order; the weights slow; a session that is a little slower. */
static const struct sample slow[] = {
    {9, 1, 0, "model.load", 1000, 1712, NULL, STRING_ATTR("model.id", "faces/1")},
    {9, 2, 1, "model.artifacts.download", 1000, 1530, NULL,
     STRING_ATTR("model.artifacts.source", "s3")},
    {9, 5, 2, "model.artifact.download", 1000, 1019, NULL, FILE_ATTR("classes.txt")},
    {9, 3, 2, "model.artifact.download", 1001, 1391, NULL, FILE_ATTR("weights.onnx")},
    {9, 4, 3, "S3.GetObject", 1001, 1390, NULL, NULL},
    {9, 6, 1, "model.session.create", 1530, 1712, NULL, NULL},
};

static char *draw(const struct diff *diff, size_t width, int unicode, int color) {
  const struct term term = {.unicode = unicode, .color = color, .width = width};
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  diff_draw(out, &term, diff, "a.jsonl", "b.jsonl");
  fclose(out);
  return text;
}

static char *compare(const struct sample *a, size_t a_count, const struct sample *b, size_t b_count,
                     size_t width) {
  HOIST_AUTO(trace_set) struct trace_set set_a = trace_set_make(), set_b = trace_set_make();
  HOIST_AUTO(diff) struct diff diff = {0};
  sample_read(&set_a, a, a_count);
  sample_read(&set_b, b, b_count);
  assert_int_equal(diff_build(&set_a, &set_b, &diff, NULL), HOIST_OK);
  return draw(&diff, width, 1, 0);
}

static void test_a_comparison_looks_as_it_should(void **state) {
  HOIST_AUTO(mem) char *text = compare(quick, COUNT(quick), slow, COUNT(slow), 90);
  assert_string_equal(
      text, "A: a.jsonl\n"
            "B: b.jsonl\n"
            "                                                A        B    B - A\n"
            "model.load faces/1                         400 ms   712 ms  +312 ms   ×1.78\n"
            "├ model.artifacts.download s3              240 ms   530 ms  +290 ms   ×2.21\n"
            "│ ├ model.artifact.download weights.onnx   100 ms   390 ms  +290 ms    ×3.9\n"
            "│ │ └ S3.GetObject                        99.0 ms   389 ms  +290 ms   ×3.93 ◀\n"
            "│ └ model.artifact.download classes.txt   19.0 ms  19.0 ms        =\n"
            "└ model.session.create                     160 ms   182 ms +22.0 ms   ×1.14\n"
            "slower by 312 ms: 290 ms in S3.GetObject weights.onnx\n");
}

static void test_the_last_line_says_what_happened(void **state) {
  static const struct {
    const char *what;
    struct sample a[MAX_SPANS], b[MAX_SPANS];
    const char *words;
  } cases[] = {
      {"nothing",
       {{1, 1, 0, "r", 0, 400, NULL, NULL}},
       {{1, 1, 0, "r", 0, 402, NULL, NULL}},
       "about the same: 400 ms and 402 ms\n"},
      {"faster",
       {{1, 1, 0, "r", 0, 400, NULL, NULL}, {1, 2, 1, "a", 0, 300, NULL, NULL}},
       {{1, 1, 0, "r", 0, 200, NULL, NULL}, {1, 2, 1, "a", 0, 100, NULL, NULL}},
       "faster by 200 ms: 200 ms in a\n"},
      {"no single part",
       {{1, 1, 0, "r", 0, 300, NULL, NULL},
        {1, 2, 1, "a", 0, 100, NULL, NULL},
        {1, 3, 1, "b", 100, 200, NULL, NULL},
        {1, 4, 1, "c", 200, 300, NULL, NULL}},
       {{1, 1, 0, "r", 0, 600, NULL, NULL},
        {1, 2, 1, "a", 0, 200, NULL, NULL},
        {1, 3, 1, "b", 200, 400, NULL, NULL},
        {1, 4, 1, "c", 400, 600, NULL, NULL}},
       "slower by 300 ms\n"},
      {"something new",
       {{1, 1, 0, "r", 0, 100, NULL, NULL}},
       {{1, 1, 0, "r", 0, 300, NULL, NULL}, {1, 2, 1, "model.cache.lock_wait", 0, 200, NULL, NULL}},
       "slower by 200 ms: 200 ms in model.cache.lock_wait, only in B\n"},
      {"something gone",
       {{1, 1, 0, "r", 0, 300, NULL, NULL}, {1, 2, 1, "wait", 0, 200, NULL, NULL}},
       {{1, 1, 0, "r", 0, 100, NULL, NULL}},
       "faster by 200 ms: 200 ms in wait, only in A\n"},
      {"one part faster, another slower",
       {{1, 1, 0, "r", 0, 300, NULL, NULL},
        {1, 2, 1, "a", 0, 200, NULL, NULL},
        {1, 3, 1, "b", 200, 300, NULL, NULL}},
       {{1, 1, 0, "r", 0, 500, NULL, NULL},
        {1, 2, 1, "a", 0, 100, NULL, NULL},
        {1, 3, 1, "b", 100, 500, NULL, NULL}},
       "slower by 200 ms: 300 ms in b\n"},
      {"other loads",
       {{1, 1, 0, "model.load", 0, 100, NULL, STRING_ATTR("model.id", "a/1")},
        {2, 2, 0, "model.load", 200, 300, NULL, STRING_ATTR("model.id", "b/1")}},
       {{1, 1, 0, "model.load", 0, 300, NULL, STRING_ATTR("model.id", "b/1")}},
       "slower by 100 ms: 200 ms in model.load b/1\n"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    size_t a = 0, b = 0;
    while (a < MAX_SPANS && cases[i].a[a].name)
      a++;
    while (b < MAX_SPANS && cases[i].b[b].name)
      b++;
    HOIST_AUTO(mem) char *text = compare(cases[i].a, a, cases[i].b, b, 100);
    const char *last = strlen(text) > strlen(cases[i].words)
                           ? text + strlen(text) - strlen(cases[i].words) - 1
                           : text;
    if (*last != '\n' || strcmp(last + 1, cases[i].words) != 0)
      fail_msg("%s: %s", cases[i].what, text);
  }
}

static void test_another_source_takes_the_place_of_the_first_and_another_file_does_not(
    void **state) {
  static const struct sample a[] = {
      {1, 1, 0, "r", 0, 100, NULL, NULL},
      {1, 2, 1, "download", 0, 50, NULL, STRING_ATTR("model.artifacts.source", "s3")},
      {1, 3, 1, "file", 50, 60, NULL, FILE_ATTR("a")}};
  static const struct sample b[] = {
      {1, 1, 0, "r", 0, 100, NULL, NULL},
      {1, 2, 1, "download", 0, 50, NULL, STRING_ATTR("model.artifacts.source", "roboflow_api")},
      {1, 3, 1, "file", 50, 60, NULL, FILE_ATTR("b")}};
  HOIST_AUTO(mem) char *text = compare(a, COUNT(a), b, COUNT(b), 100);
  assert_non_null(strstr(text, "├ download roboflow_api  50.0 ms  50.0 ms        =\n"));
  assert_non_null(strstr(text, "├ file a                 10.0 ms        - -10.0 ms\n"));
  assert_non_null(strstr(text, "└ file b                       -  10.0 ms +10.0 ms\n"));
}

static void test_of_many_siblings_those_that_differ_most_are_shown(void **state) {
  struct sample a[101] = {{1, 1, 0, "root", 0, 200, NULL, NULL}}, b[101];
  for (int i = 0; i < 100; i++)
    a[i + 1] = (struct sample){1, i + 2, 1, "GET", i, i + 1, NULL, NULL};
  memcpy(b, a, sizeof a);
  b[0].end_ms = 260;
  b[78].end_ms += 60;
  HOIST_AUTO(trace_set) struct trace_set set_a = trace_set_make(), set_b = trace_set_make();
  HOIST_AUTO(diff) struct diff diff = {0};
  sample_read(&set_a, a, COUNT(a));
  sample_read(&set_b, b, COUNT(b));
  assert_int_equal(diff_build(&set_a, &set_b, &diff, NULL), HOIST_OK);
  assert_int_equal(diff.count, 1 + DIFF_KEPT_SIBLINGS + 1);
  assert_int_equal(diff.rows[diff.count - 1].more, 100 - DIFF_KEPT_SIBLINGS);
  assert_non_null(diff.culprit);
  assert_int_equal(diff_of(diff.culprit), 60000000);
}

static void test_a_very_deep_trace_is_cut(void **state) {
  enum { DEPTH = 3000 };
  static struct sample samples[DEPTH];
  for (int i = 0; i < DEPTH; i++)
    samples[i] = (struct sample){1, i + 1, i, "level", 0, 10, NULL, NULL};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  HOIST_AUTO(diff) struct diff diff = {0};
  sample_read(&set, samples, DEPTH);
  assert_int_equal(diff_build(&set, &set, &diff, NULL), HOIST_OK);
  assert_int_equal(diff.count, DIFF_MAX_ROWS);
  assert_null(diff.culprit);
}

static void test_no_row_is_wider_than_the_terminal(void **state) {
  for (size_t width = 60; width <= 200; width += 7) {
    HOIST_AUTO(mem) char *text = compare(quick, COUNT(quick), slow, COUNT(slow), width);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
      if (glyph_columns(line) >= width) fail_msg("width %zu: %s", width, line);
  }
}

static void test_differences_have_room_whatever_the_times_say(void **state) {
  assert_int_equal(diff_between(0, UINT64_MAX), INT64_MAX);
  assert_int_equal(diff_between(UINT64_MAX, 0), -INT64_MAX);
  assert_int_equal(diff_between(7, 5), -2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_comparison_looks_as_it_should),
      cmocka_unit_test(test_the_last_line_says_what_happened),
      cmocka_unit_test(test_another_source_takes_the_place_of_the_first_and_another_file_does_not),
      cmocka_unit_test(test_of_many_siblings_those_that_differ_most_are_shown),
      cmocka_unit_test(test_a_very_deep_trace_is_cut),
      cmocka_unit_test(test_no_row_is_wider_than_the_terminal),
      cmocka_unit_test(test_differences_have_room_whatever_the_times_say),
  };
  return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
