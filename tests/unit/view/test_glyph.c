/* SPDX-License-Identifier: Apache-2.0 */
/* Text made safe and measured for terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "glyph.h"
#include "text.h"

static void test_what_could_steer_a_terminal_becomes_question_marks(void **state) {
  static const struct {
    const char *text, *clean;
  } cases[] = {
      {"plain", "plain"},
      {"", ""},
      {"\033[2J\033]0;title\007", "?[2J?]0;title?"},
      {"two\nlines\ttab\r", "two?lines?tab?"},
      {"del\177", "del?"},
      {"c1 \xc2\x9b"
       "31m",
       "c1 ?31m"},                             /* U+009B, the one-byte CSI */
      {"bidi \xe2\x80\xae", "bidi ?"},         /* U+202E */
      {"zero\xe2\x80\x8bwidth", "zero?width"}, /* U+200B */
      {"bom \xef\xbb\xbf", "bom ?"},
      {"stray \xff\xfe", "stray ??"},
      {"overlong \xc0\xaf", "overlong ??"},
      {"surrogate \xed\xa0\x80", "surrogate ???"},
      {"cut \xe6\xa8", "cut ??"},
      {"too big \xf4\x90\x80\x80", "too big ????"},
      {"模型-é-🚀", "模型-é-🚀"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char clean[64];
    glyph_clean(clean, sizeof clean, cases[i].text, strlen(cases[i].text));
    assert_string_equal(clean, cases[i].clean);
  }
}

static void test_cleaning_cuts_at_characters_and_always_terminates(void **state) {
  char small[6], one[1];
  assert_int_equal(glyph_clean(small, sizeof small, "ab模型", strlen("ab模型")), 5);
  assert_string_equal(small, "ab模");
  assert_int_equal(glyph_clean(small, sizeof small, "abc模", strlen("abc模")), 3);
  assert_string_equal(small, "abc");
  assert_int_equal(glyph_clean(one, sizeof one, "x", 1), 0);
  assert_string_equal(one, "");
}

static void test_a_nul_inside_does_not_end_the_text(void **state) {
  char clean[8];
  assert_int_equal(glyph_clean(clean, sizeof clean, "a\0b", 3), 3);
  assert_string_equal(clean, "a?b");
}

static void test_columns_are_counted_as_a_terminal_does(void **state) {
  static const struct {
    const char *text;
    size_t columns;
  } cases[] = {{"", 0},   {"abc", 3},  {"é", 1}, {"e\xcc\x81", 1}, {"模型", 4},
               {"ｆ", 2}, {"한국", 4}, {"🚀", 2}, {"│█·…", 4},      {"\xff", 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(glyph_columns(cases[i].text), cases[i].columns);
}

static void test_a_text_is_cut_to_columns_with_an_ellipsis(void **state) {
  static const struct {
    const char *text;
    size_t columns;
    bool unicode;
    const char *fitted;
    size_t taken;
  } cases[] = {
      {"weights.onnx", 20, true, "weights.onnx", 12},
      {"weights.onnx", 12, true, "weights.onnx", 12},
      {"weights.onnx", 11, true, "weights.on…", 11},
      {"weights.onnx", 11, false, "weights.on~", 11},
      {"weights.onnx", 1, true, "…", 1},
      {"weights.onnx", 0, true, "", 0},
      {"模型权重", 8, true, "模型权重", 8},
      {"模型权重", 7, true, "模型权…", 7},
      {"模型权重", 6, true, "模型…", 5}, /* a wide character does not fit into one column */
      {"模型", 8, false, "??", 2},
      {"a\033b", 8, true, "a?b", 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char fitted[GLYPH_FIT_SIZE(20)];
    assert_int_equal(
        glyph_fit(fitted, sizeof fitted, cases[i].text, cases[i].columns, cases[i].unicode),
        cases[i].taken);
    assert_string_equal(fitted, cases[i].fitted);
  }
}

/* Combining marks take no column, so only the storage can stop them. */
static void test_endless_combining_marks_stay_within_the_storage(void **state) {
  char text[8192] = "a", fitted[GLYPH_FIT_SIZE(4)];
  for (size_t i = 1; i + 2 < sizeof text; i += 2)
    memcpy(text + i, "\xcc\x81", 3);
  assert_int_equal(glyph_fit(fitted, sizeof fitted, text, 4, true), 2);
  assert_true(strlen(fitted) < sizeof fitted);
  assert_true(utf8_valid(fitted, strlen(fitted)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_could_steer_a_terminal_becomes_question_marks),
      cmocka_unit_test(test_cleaning_cuts_at_characters_and_always_terminates),
      cmocka_unit_test(test_a_nul_inside_does_not_end_the_text),
      cmocka_unit_test(test_columns_are_counted_as_a_terminal_does),
      cmocka_unit_test(test_a_text_is_cut_to_columns_with_an_ellipsis),
      cmocka_unit_test(test_endless_combining_marks_stay_within_the_storage),
  };
  return cmocka_run_group_tests_name("glyph", tests, NULL, NULL);
}
