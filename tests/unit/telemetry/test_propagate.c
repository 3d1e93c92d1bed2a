/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in and out beyond the W3C suite: forced traces, limits, what must never go out; and setting and
 * getting members of a tracestate. */
#include <stdio.h>

#include "recording.h"
#include "requests.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" TRACE "-00f067aa0ba902b7-01"

/* `size` characters. */
static const char *repeat(char c, size_t size) {
  static char texts[4][1024];
  static int next;
  char *text = texts[next++ % 4];
  assert_true(size < sizeof texts[0]);
  memset(text, c, size);
  text[size] = '\0';
  return text;
}

/* ---- requests ------------------------------------------------------------------------------------ */

static void test_a_request_may_force_its_trace(void **state) {
  static const struct {
    struct header headers[HEADERS_MAX];
    int forced, valid;
  } cases[] = {
      {{{"X-Force-Trace", "true"}}, 1, 0},
      {{{"x-force-trace", "1"}}, 1, 0},
      {{{"X-FORCE-TRACE", "TRUE"}, {"traceparent", PARENT}}, 1, 1},
      {{{"x-force-trace", "true"}, {"traceparent", "00-" TRACE "-nothing-01"}}, 1, 0},
      {{{"x-force-trace", "false"}, {"traceparent", PARENT}}, 0, 1},
      {{{"x-force-trace", "0"}}, 0, 0},
      {{{"x-force-trace", ""}}, 0, 0},
      {{{"x-force-trace", "yes"}}, 0, 0},
      {{{"traceparent", PARENT}}, 0, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_remote_context remote;
    extract(cases[i].headers, &remote);
    assert_int_equal(remote.span.forced, cases[i].forced);
    assert_int_equal(hoist_span_context_is_valid(&remote.span), cases[i].valid);
    assert_int_equal(remote.span.remote, cases[i].valid);
  }
}

static void test_who_forced_a_trace_is_told_its_id(void **state) {
  static const struct {
    const char *sampler;
    int forced, answered;
  } cases[] = {{"always_on", 1, 1}, {"always_on", 0, 0}, {"always_off", 1, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct recording *r = recording_start(cases[i].sampler, 1024);
    struct hoist_span_context remote = {.forced = (uint8_t)cases[i].forced}, context;
    struct hoist_span span;
    struct sent sent = {0};
    assert_int_equal(hoist_traceparent_parse(PARENT, &context), HOIST_OK);
    hoist_span_start_root(recording_telemetry(r), "server", HOIST_SPAN_SERVER, &context, &span);
    hoist_context_answer(&remote, &span, set_header, &sent);
    assert_int_equal(sent.count, cases[i].answered);
    if (cases[i].answered) assert_string_equal(sent_value(&sent, "X-Trace-Id"), TRACE);
    hoist_span_end(&span);
    recording_stop(r);
  }
  struct hoist_span nothing = {0};
  struct hoist_span_context forced = {.forced = 1};
  struct sent sent = {0};
  hoist_context_answer(&forced, &nothing, set_header, &sent);
  hoist_context_answer(NULL, &nothing, set_header, &sent);
  assert_int_equal(sent.count, 0);
}

static void test_an_invalid_context_sends_nothing(void **state) {
  static const char *const state_text = "foo=1";
  const struct hoist_span_context contexts[] = {
      {.flags = 1}, {.trace_id = {1}, .tracestate = state_text}, {.span_id = {1}, .flags = 1}};
  struct sent sent = {0};
  for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
    hoist_context_inject(&contexts[i], set_header, &sent);
  assert_int_equal(sent.count, 0);
}

static void test_what_is_no_tracestate_never_goes_out(void **state) {
  static const char *const cases[] = {"", "foo=1\r\nevil: 1", "foo", "foo=\xc3\xa9"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_span_context context;
    struct sent sent = {0};
    assert_int_equal(hoist_traceparent_parse(PARENT, &context), HOIST_OK);
    context.tracestate = cases[i];
    hoist_context_inject(&context, set_header, &sent);
    assert_string_equal(sent_value(&sent, "traceparent"), PARENT);
    assert_null(sent_value(&sent, "tracestate"));
  }
}

/* A server that does not count its headers. */
static const char *get_forever(void *user, const char *name, size_t index) {
  if (strcmp(name, "traceparent") == 0) return index == 0 ? PARENT : NULL;
  ++*(size_t *)user;
  return strcmp(name, "tracestate") == 0 ? "" : NULL;
}

static void test_endless_headers_come_to_an_end(void **state) {
  struct hoist_remote_context remote;
  size_t calls = 0;
  hoist_context_extract(get_forever, &calls, &remote);
  assert_true(hoist_span_context_is_valid(&remote.span));
  assert_null(remote.span.tracestate);
  assert_in_range(calls, 1, 100);
}

/* ---- tracestate ---------------------------------------------------------------------------------- */

static void parse(const char *text, char out[HOIST_TRACESTATE_SIZE]) {
  assert_int_equal(hoist_tracestate_parse(&text, 1, out), HOIST_OK);
}

static void test_a_long_tracestate_loses_its_long_members_then_its_last_ones(void **state) {
  char text[2048], expected[2048], out[HOIST_TRACESTATE_SIZE];
  /* 512 characters are kept as they are, whatever the members' sizes. */
  snprintf(text, sizeof text, "a=%s,b=%s", repeat('x', 254), repeat('y', 253));
  assert_int_equal(strlen(text), 512);
  parse(text, out);
  assert_string_equal(out, text);
  /* One more: the last one over 128 goes, not the one at the end. */
  snprintf(text, sizeof text, "a=%s,b=%s,c=1", repeat('x', 254), repeat('y', 250));
  assert_int_equal(strlen(text), 513);
  parse(text, out);
  snprintf(expected, sizeof expected, "a=%s,c=1", repeat('x', 254));
  assert_string_equal(out, expected);
  /* Members of 128 are not long: from the end. */
  snprintf(text, sizeof text, "a=%s,b=%s,c=%s,d=%s,e=1", repeat('1', 126), repeat('2', 126),
           repeat('3', 126), repeat('4', 126));
  parse(text, out);
  snprintf(expected, sizeof expected, "a=%s,b=%s,c=%s", repeat('1', 126), repeat('2', 126),
           repeat('3', 126));
  assert_string_equal(out, expected);
}

static void test_the_limits_of_members_are_those_of_the_recommendation(void **state) {
  static const struct {
    size_t key_size, value_size;
    enum hoist_status status;
  } cases[] = {
      {1, 1, HOIST_OK},        {256, 255, HOIST_OK},    {255, 256, HOIST_OK},
      {257, 1, HOIST_INVALID}, {1, 257, HOIST_INVALID}, {0, 1, HOIST_INVALID},
      {1, 0, HOIST_INVALID},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[1024], out[HOIST_TRACESTATE_SIZE], set[HOIST_TRACESTATE_SIZE] = "old=1";
    const char *key = repeat('k', cases[i].key_size), *value = repeat('v', cases[i].value_size);
    const char *header = text;
    snprintf(text, sizeof text, "%s=%s", key, value);
    assert_int_equal(hoist_tracestate_parse(&header, 1, out), cases[i].status);
    assert_string_equal(out, cases[i].status == HOIST_OK ? text : "");
    assert_int_equal(hoist_tracestate_set(set, key, value), cases[i].status);
    if (cases[i].status != HOIST_OK) assert_string_equal(set, "old=1");
  }
  /* Both at their limit do not fit together. */
  char set[HOIST_TRACESTATE_SIZE] = "old=1";
  assert_int_equal(hoist_tracestate_set(set, repeat('k', 256), repeat('v', 256)), HOIST_INVALID);
  assert_string_equal(set, "old=1");
}

static void test_a_member_is_found_by_its_whole_key(void **state) {
  static const char text[] = "ab=1,a=two,a@b= 3";
  char out[8];
  assert_int_equal(hoist_tracestate_get(text, "a", out, sizeof out), 3);
  assert_string_equal(out, "two");
  assert_int_equal(hoist_tracestate_get(text, "a@b", out, sizeof out), 2);
  assert_string_equal(out, " 3");
  assert_int_equal(hoist_tracestate_get(text, "b", out, sizeof out), 0);
  assert_string_equal(out, "");
  assert_int_equal(hoist_tracestate_get(NULL, "a", out, sizeof out), 0);
  assert_int_equal(hoist_tracestate_get(text, "a", out, 3), 3);
  assert_string_equal(out, "tw");
  assert_int_equal(hoist_tracestate_get(text, "a", NULL, 0), 3);
}

static void test_setting_a_member_moves_it_to_the_front(void **state) {
  static const struct {
    const char *before, *key, *value, *after;
  } cases[] = {
      {"", "a", "1", "a=1"},
      {"b=2,c=3", "a", "1", "a=1,b=2,c=3"},
      {"b=2,a=1,c=3", "a", "9", "a=9,b=2,c=3"},
      {"a=1,b=2", "a", NULL, "b=2"},
      {"a=1", "a", NULL, ""},
      {"b=2", "a", NULL, "b=2"},
      {"not a tracestate", "a", "1", "a=1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[HOIST_TRACESTATE_SIZE];
    snprintf(text, sizeof text, "%s", cases[i].before);
    assert_int_equal(hoist_tracestate_set(text, cases[i].key, cases[i].value), HOIST_OK);
    assert_string_equal(text, cases[i].after);
  }
}

static void test_what_is_no_member_cannot_be_set(void **state) {
  static const struct {
    const char *key, *value;
  } cases[] = {{"", "1"},         {"A", "1"},   {"@a", "1"}, {"a b", "1"}, {"a=b", "1"},
               {"a", ""},         {"a", "1,2"}, {"a", "x="}, {"a", "x "},  {"a", "\t"},
               {"a", "\xc3\xa9"}, {"", NULL},   {"A", NULL}, {"a.b", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[HOIST_TRACESTATE_SIZE] = "a=1";
    assert_int_equal(hoist_tracestate_set(text, cases[i].key, cases[i].value), HOIST_INVALID);
    assert_string_equal(text, "a=1");
  }
}

static void test_the_last_member_makes_room_for_a_new_one(void **state) {
  char text[HOIST_TRACESTATE_SIZE] = "", out[8];
  for (int i = 0; i < 33; i++) {
    char key[8];
    snprintf(key, sizeof key, "k%d", i);
    assert_int_equal(hoist_tracestate_set(text, key, "v"), HOIST_OK);
  }
  assert_int_equal(hoist_tracestate_get(text, "k32", out, sizeof out), 1);
  assert_int_equal(hoist_tracestate_get(text, "k1", out, sizeof out), 1);
  assert_int_equal(hoist_tracestate_get(text, "k0", out, sizeof out), 0);
  /* A long one that is set stays; what gives way is the others. */
  char long_text[HOIST_TRACESTATE_SIZE] = "a=1,b=2";
  assert_int_equal(hoist_tracestate_set(long_text, repeat('k', 255), repeat('v', 254)), HOIST_OK);
  assert_int_equal(strlen(long_text), 510);
  assert_int_equal(hoist_tracestate_get(long_text, "a", out, sizeof out), 0);
}

static void test_the_same_members_can_be_taken_apart_and_put_together(void **state) {
  unsigned seed = 1;
  for (int round = 0; round < 500; round++) {
    char text[HOIST_TRACESTATE_SIZE] = "", again[HOIST_TRACESTATE_SIZE];
    for (int i = 0; i < 40; i++) {
      char key[8], value[64];
      seed = seed * 1103515245u + 12345u;
      snprintf(key, sizeof key, "k%u", seed >> 16 & 31);
      snprintf(value, sizeof value, "%.*s!", (int)(seed >> 21 & 31), repeat('~', 40));
      assert_int_equal(hoist_tracestate_set(text, key, value), HOIST_OK);
      char found[64];
      assert_int_equal(hoist_tracestate_get(text, key, found, sizeof found), strlen(value));
      assert_string_equal(found, value);
    }
    parse(text, again);
    assert_string_equal(again, text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_request_may_force_its_trace),
      cmocka_unit_test(test_who_forced_a_trace_is_told_its_id),
      cmocka_unit_test(test_an_invalid_context_sends_nothing),
      cmocka_unit_test(test_what_is_no_tracestate_never_goes_out),
      cmocka_unit_test(test_endless_headers_come_to_an_end),
      cmocka_unit_test(test_a_long_tracestate_loses_its_long_members_then_its_last_ones),
      cmocka_unit_test(test_the_limits_of_members_are_those_of_the_recommendation),
      cmocka_unit_test(test_a_member_is_found_by_its_whole_key),
      cmocka_unit_test(test_setting_a_member_moves_it_to_the_front),
      cmocka_unit_test(test_what_is_no_member_cannot_be_set),
      cmocka_unit_test(test_the_last_member_makes_room_for_a_new_one),
      cmocka_unit_test(test_the_same_members_can_be_taken_apart_and_put_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
