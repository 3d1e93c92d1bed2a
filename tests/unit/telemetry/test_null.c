/* SPDX-License-Identifier: Apache-2.0 */
/* NULL where the public calls take a pointer: with telemetry and without, nothing happens. */
#include <stdlib.h>
#include <string.h>

#include "recording.h"

/* What a call is given: a telemetry object and a span of it, or neither. */
struct given {
  struct hoist_telemetry *telemetry;
  struct hoist_span *span;
};

static void attr_is_null(const struct given *g) {
  hoist_span_set_attr(g->span, NULL);
}
static void arrays_are_null(const struct given *g) {
  static const enum hoist_attr_type types[] = {HOIST_ATTR_STRING, HOIST_ATTR_STRING_ARRAY,
                                               HOIST_ATTR_INT_ARRAY, HOIST_ATTR_DOUBLE_ARRAY,
                                               HOIST_ATTR_BOOL_ARRAY};
  static const struct hoist_instrument calls = {.name = "calls", .kind = HOIST_COUNTER};
  struct hoist_span_context other = {.trace_id = {1}, .span_id = {2}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    const struct hoist_attr attr = {.key = "none", .type = types[i], .count = 3};
    hoist_span_set_attr(g->span, &attr);
    hoist_span_add_event(g->span, "event", &attr, 1);
    hoist_span_add_link(g->span, &other, &attr, 1);
    hoist_metric_add(g->telemetry, &calls, 1, &attr, 1);
    hoist_bound_add(hoist_metric_bind(g->telemetry, &calls, &attr, 1), 1);
  }
}
static void items_are_null(const struct given *g) {
  hoist_span_add_event(g->span, NULL, NULL, 2);
  hoist_span_add_event(g->span, "event", NULL, 2);
  hoist_span_add_link(g->span, NULL, NULL, 2);
  hoist_span_set_error(g->span, NULL, NULL);
  hoist_span_record_error(g->span, NULL);
  hoist_span_record_exception(g->span, NULL, NULL, NULL, 3);
  hoist_span_update_name(g->span, NULL);
  hoist_span_set_string(g->span, NULL, NULL);
}
static void context_is_null(const struct given *g) {
  hoist_span_get_context(g->span, NULL);
}
static void instrument_is_null(const struct given *g) {
  hoist_metric_add(g->telemetry, NULL, 1, NULL, 0);
  hoist_metric_add_in(g->span, g->telemetry, NULL, 1, NULL, 0);
  assert_null(hoist_metric_bind(g->telemetry, NULL, NULL, 0));
  static const struct hoist_instrument nameless = {.kind = HOIST_COUNTER};
  hoist_metric_add(g->telemetry, &nameless, 1, NULL, 0);
  assert_null(hoist_metric_bind(g->telemetry, &nameless, NULL, 0));
}
static void status_is_null(const struct given *g) {
  hoist_telemetry_get_status(g->telemetry, NULL);
}
static void text_is_null(const struct given *g) {
  assert_int_equal(hoist_telemetry_prometheus(g->telemetry, NULL, NULL, NULL), HOIST_INVALID);
}
static void scope_is_null(const struct given *g) {
  hoist_scope_enter(NULL, g->span);
  assert_null(hoist_span_current());
  hoist_scope_leave(NULL);
}

static void never(void *user, const char *name, const char *value) {
  fail_msg("%s: %s", name, value);
}

static void propagation_is_null(const struct given *g) {
  struct hoist_remote_context remote;
  struct hoist_span_context context = {.trace_id = {1}, .span_id = {2}};
  char text[HOIST_TRACEPARENT_SIZE] = "?";
  memset(&remote, 0x5a, sizeof remote);
  hoist_context_inject(NULL, never, NULL);
  hoist_context_inject(&context, NULL, NULL);
  hoist_context_answer(NULL, g->span, never, NULL);
  hoist_context_extract(NULL, NULL, NULL);
  hoist_context_extract(NULL, NULL, &remote);
  assert_false(hoist_span_context_is_valid(&remote.span));
  assert_string_equal(remote.tracestate, "");
  assert_false(hoist_span_context_is_valid(NULL));
  hoist_traceparent_format(NULL, text);
  assert_string_equal(text, "");
  assert_int_equal(hoist_traceparent_parse(NULL, &context), HOIST_INVALID);
}

static void baggage_is_null(const struct given *g) {
  char text[HOIST_BAGGAGE_SIZE] = "?";
  struct hoist_baggage *baggage = NULL;
  assert_null(hoist_baggage_get(NULL, "a", NULL));
  assert_null(hoist_baggage_name(NULL, 0));
  assert_int_equal(hoist_baggage_set(NULL, "a", "b", NULL, NULL), HOIST_INVALID);
  hoist_baggage_format(NULL, text);
  assert_string_equal(text, "");
  assert_int_equal(hoist_baggage_parse(NULL, &baggage, NULL), HOIST_OK);
  assert_null(hoist_baggage_name(baggage, 0));
  assert_null(hoist_baggage_get(baggage, NULL, NULL));
  assert_int_equal(hoist_baggage_set(baggage, NULL, "b", NULL, NULL), HOIST_INVALID);
  hoist_baggage_free(baggage);
  hoist_baggage_free(NULL);
}

static void (*const calls_with_null[])(const struct given *g) = {
    attr_is_null, arrays_are_null, items_are_null,      context_is_null, instrument_is_null,
    text_is_null, scope_is_null,   propagation_is_null, baggage_is_null, status_is_null};

static void call_all(const struct given *g) {
  for (size_t i = 0; i < sizeof calls_with_null / sizeof *calls_with_null; i++)
    calls_with_null[i](g);
}

static void test_null_does_nothing_without_telemetry(void **state) {
  struct hoist_span zeroed = {0};
  call_all(&(struct given){NULL, NULL});
  call_all(&(struct given){NULL, &zeroed});
}

static void test_null_does_nothing_with_telemetry(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  hoist_span_start_root(recording_telemetry(r), "span", HOIST_SPAN_INTERNAL, NULL, &span);
  call_all(&(struct given){recording_telemetry(r), &span});
  hoist_span_set_int(&span, "key", 1);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "span");
  assert_int_equal(r->attr_count, 1);
  assert_int_equal(r->recorder.metrics.metric_count, 1); /* nothing of a nameless instrument */
  recording_stop(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_null_does_nothing_without_telemetry),
      cmocka_unit_test(test_null_does_nothing_with_telemetry),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
