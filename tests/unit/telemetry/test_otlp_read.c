/* SPDX-License-Identifier: Apache-2.0 */
/* The pull parser on bytes nobody should trust; what it reads of good ones is tested with the spans. */
#include <stdlib.h>
#include <string.h>

#include "recording.h"
#include "wire.h"

static enum hoist_status accept_attr(void *user, const struct otlp_attr *attr,
                                     struct hoist_error *err) {
  return HOIST_OK;
}

static enum hoist_status accept_event(void *user, const struct otlp_event *event,
                                      struct hoist_error *err) {
  return otlp_each_event_attr(event->raw, accept_attr, user, err);
}

static enum hoist_status walk(void *user, const struct otlp_span *span, struct hoist_error *err) {
  ++*(int *)user;
  enum hoist_status status = otlp_each_attr(span->raw, 0, accept_attr, user, err);
  if (status == HOIST_OK) status = otlp_each_attr(span->resource, 1, accept_attr, user, err);
  return status == HOIST_OK ? otlp_each_event(span->raw, accept_event, user, err) : status;
}

#define MALFORMED(what, bytes)                                                                     \
  { what, bytes, sizeof bytes - 1 }

static void test_malformed_bytes_are_corrupt(void **state) {
  static const struct {
    const char *what;
    const char *data;
    size_t size;
  } cases[] = {
      MALFORMED("a tag without its value", "\x0a"),
      MALFORMED("a length over the end", "\x0a\x05\x12"),
      MALFORMED("field number 0", "\x02\x00"),
      MALFORMED("a group", "\x0b"),
      MALFORMED("wire type 6", "\x0e\x00"),
      MALFORMED("an endless varint", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
      MALFORMED("a varint of 65 bits", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
      MALFORMED("a huge length", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
      MALFORMED("a bad ResourceSpans", "\x0a\x01\x12"),
      MALFORMED("a bad ScopeSpans", "\x0a\x03\x12\x01\x12"),
      MALFORMED("a bad Span", "\x0a\x05\x12\x03\x12\x01\x39"),
      MALFORMED("a trace id of 1 byte", "\x0a\x07\x12\x05\x12\x03\x0a\x01\x01"),
      MALFORMED("a bad Status", "\x0a\x07\x12\x05\x12\x03\x7a\x01\x12"),
      MALFORMED("a bad KeyValue", "\x0a\x07\x12\x05\x12\x03\x4a\x01\x12"),
      MALFORMED("a bad AnyValue", "\x0a\x09\x12\x07\x12\x05\x4a\x03\x12\x01\x0a"),
      MALFORMED("a bad Event", "\x0a\x07\x12\x05\x12\x03\x5a\x01\x09"),
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_error err;
    int spans = 0;
    if (otlp_each_span(cases[i].data, cases[i].size, walk, &spans, &err) != HOIST_CORRUPT)
      fail_msg("accepted: %s", cases[i].what);
    assert_non_null(strstr(err.message, "not OTLP protobuf"));
  }
}

static void test_nothing_is_no_spans(void **state) {
  int spans = 0;
  assert_int_equal(otlp_each_span(NULL, 0, walk, &spans, NULL), HOIST_OK);
  assert_int_equal(otlp_each_span("", 0, walk, &spans, NULL), HOIST_OK);
  assert_int_equal(spans, 0);
}

static void test_unknown_fields_and_wrong_types_are_skipped(void **state) {
  static const uint8_t data[] = {0x0a, 22,   0x12, 20,   0x12, 18, /* one span: */
                                 0x28, 0x07,                       /* name as a number */
                                 0x32, 0x01, 0x00,                 /* kind as bytes */
                                 0x9d, 0x06, 1,    2,    3,    4,  /* field 99, fixed32 */
                                 0x0a, 0x00,                       /* an empty trace id */
                                 0x2a, 0x01, 'n',  0x30, 0x03};
  int spans = 0;
  assert_int_equal(otlp_each_span(data, sizeof data, walk, &spans, NULL), HOIST_OK);
  assert_int_equal(spans, 1);
}

static enum hoist_status stop_at_second(void *user, const struct otlp_span *span,
                                        struct hoist_error *err) {
  return ++*(int *)user == 2 ? hoist_fail(err, HOIST_CANCELLED, "enough") : HOIST_OK;
}

static void test_what_the_visitor_returns_ends_the_walk(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  int seen = 0;
  for (int i = 0; i < 3; i++) {
    hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_end(&span);
  }
  recording_read(r);
  assert_int_equal(otlp_each_span(r->data.data, r->data.size, stop_at_second, &seen, NULL),
                   HOIST_CANCELLED);
  assert_int_equal(seen, 2);
  recording_stop(r);
}

/* Every prefix of a good message is either good or corrupt, and is never read past its end (which
 * AddressSanitizer watches: each prefix has memory of its own). */
static void test_a_truncated_message_is_never_read_past_its_end(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  struct hoist_error err = {.status = HOIST_CORRUPT, .message = "weights.onnx: sha256 differs"};
  hoist_span_start_root(recording_telemetry(r), "span", HOIST_SPAN_CLIENT, NULL, &span);
  hoist_span_set_string(&span, "string", "text");
  hoist_span_set_double(&span, "double", 1.5);
  hoist_span_record_error(&span, &err);
  hoist_span_end(&span);
  recording_read(r);
  for (size_t size = 0; size < r->data.size; size++) {
    uint8_t *copy = malloc(size + 1);
    int spans = 0;
    assert_non_null(copy);
    memcpy(copy, r->data.data, size);
    enum hoist_status status = otlp_each_span(copy, size, walk, &spans, NULL);
    assert_true(status == HOIST_CORRUPT || (status == HOIST_OK && size == 0));
    free(copy);
  }
  recording_stop(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_malformed_bytes_are_corrupt),
      cmocka_unit_test(test_nothing_is_no_spans),
      cmocka_unit_test(test_unknown_fields_and_wrong_types_are_skipped),
      cmocka_unit_test(test_what_the_visitor_returns_ends_the_walk),
      cmocka_unit_test(test_a_truncated_message_is_never_read_past_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
