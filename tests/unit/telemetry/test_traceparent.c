/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of the W3C trace-context test suite that concern one traceparent value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define VALID "00-" TRACE "-" SPAN "-01"

static void test_what_the_recommendation_accepts_is_parsed(void **state) {
  static const struct {
    const char *text;
    uint8_t flags;
  } cases[] = {
      {VALID, 1},
      {"00-" TRACE "-" SPAN "-00", 0},
      {"00-" TRACE "-" SPAN "-03", 3},
      {"00-" TRACE "-" SPAN "-ff", 3}, /* unknown flags are not passed on */
      {" \t" VALID "\t ", 1},
      {"cc-" TRACE "-" SPAN "-01", 1}, /* a future version */
      {"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", 1},
      {"01-" TRACE "-" SPAN "-01-", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_span_context context;
    assert_int_equal(hoist_traceparent_parse(cases[i].text, &context), HOIST_OK);
    assert_int_equal(context.flags, cases[i].flags);
    assert_int_equal(context.remote, 1);
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.span_id[7], 0xb7);
  }
}

static void test_what_the_recommendation_rejects_is_invalid(void **state) {
  static const char *const cases[] = {
      "",
      "00",
      "00-" TRACE "-" SPAN,
      "00-" TRACE "-" SPAN "-",
      "00-" TRACE "-" SPAN "-1",
      "00-" TRACE "-" SPAN "-011",
      "00-" TRACE "-" SPAN "-01-",
      "00-" TRACE "-" SPAN "-01-what",
      "ff-" TRACE "-" SPAN "-01",
      "cc-" TRACE "-" SPAN "-01.what",
      "cc-" TRACE "-" SPAN "-01x",
      "0-" TRACE "-" SPAN "-01",
      ".0-" TRACE "-" SPAN "-01",
      "0G-" TRACE "-" SPAN "-01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
      "00-" TRACE "-00F067AA0BA902B7-01",
      "CC-" TRACE "-" SPAN "-01",
      "00-" TRACE "-" SPAN "-0A",
      "00-00000000000000000000000000000000-" SPAN "-01",
      "00-" TRACE "-0000000000000000-01",
      "00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01",
      "00-" TRACE "-.0f067aa0ba902b7-01",
      "00-" TRACE "-" SPAN "-.1",
      "00_" TRACE "-" SPAN "-01",
      "00-" TRACE "_" SPAN "-01",
      "00-" TRACE "-" SPAN "_01",
      "\v" VALID,
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_span_context context, before;
    memset(&context, 0x5a, sizeof context);
    before = context;
    if (hoist_traceparent_parse(cases[i], &context) != HOIST_INVALID)
      fail_msg("accepted: %s", cases[i]);
    assert_memory_equal(&context, &before, sizeof context);
  }
  struct hoist_span_context context;
  assert_int_equal(hoist_traceparent_parse(NULL, &context), HOIST_INVALID);
}

static void test_formatting_gives_back_what_was_parsed(void **state) {
  struct hoist_span_context context;
  char out[HOIST_TRACEPARENT_SIZE];
  assert_int_equal(hoist_traceparent_parse(VALID, &context), HOIST_OK);
  hoist_traceparent_format(&context, out);
  assert_string_equal(out, VALID);
}

static void test_an_invalid_context_is_formatted_as_nothing(void **state) {
  struct hoist_span_context context = {.trace_id = {1}};
  char out[HOIST_TRACEPARENT_SIZE] = "x";
  hoist_traceparent_format(&context, out);
  assert_string_equal(out, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_the_recommendation_accepts_is_parsed),
      cmocka_unit_test(test_what_the_recommendation_rejects_is_invalid),
      cmocka_unit_test(test_formatting_gives_back_what_was_parsed),
      cmocka_unit_test(test_an_invalid_context_is_formatted_as_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
