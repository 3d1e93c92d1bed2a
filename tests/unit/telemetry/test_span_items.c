/* SPDX-License-Identifier: Apache-2.0 */
/* Links, arrays, limits, status, names, large spans, scopes: what test_span.c leaves. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recording.h"
#include "wire.h"

static const char TRACEPARENT[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static void start(struct recording *r, struct hoist_span *ret_span) {
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, ret_span);
}

static struct hoist_span_context remote(const char *tracestate) {
  struct hoist_span_context context;
  assert_int_equal(hoist_traceparent_parse(TRACEPARENT, &context), HOIST_OK);
  context.tracestate = tracestate;
  return context;
}

/* The index-th field of that number in a message; false where there is none. */
static bool field(struct otlp_bytes message, uint32_t number, size_t index,
                  struct wire_field *ret_field) {
  struct wire_reader reader = wire_read(message.data, message.size);
  while (wire_next(&reader, ret_field) == WIRE_FIELD)
    if (ret_field->number == number && index-- == 0) return true;
  return false;
}

static struct otlp_bytes bytes_of(const struct wire_field *f) {
  return (struct otlp_bytes){f->data, f->size};
}

static void assert_bytes(const struct wire_field *f, const void *data, size_t size) {
  assert_int_equal(f->size, size);
  assert_memory_equal(f->data, data, size);
}

/* The AnyValue of an attribute (field 9 of a span, 4 of a link, 3 of an event). */
static struct otlp_bytes value_of(struct otlp_bytes message, uint32_t number, const char *key) {
  struct wire_field attr, name, value;
  for (size_t i = 0; field(message, number, i, &attr); i++) {
    assert_true(field(bytes_of(&attr), 1, 0, &name) && field(bytes_of(&attr), 2, 0, &value));
    if (name.size == strlen(key) && memcmp(name.data, key, name.size) == 0) return bytes_of(&value);
  }
  fail_msg("no attribute %s", key);
  return (struct otlp_bytes){0};
}

/* ---- arrays -------------------------------------------------------------------------------------- */

static void test_arrays_of_every_type_come_back(void **state) {
  struct recording *r = recording_start(NULL, 8);
  struct hoist_span span;
  static const char *const strings[] = {"one", "", "longer than the limit", NULL, "\xff"};
  static const int64_t integers[] = {INT64_MIN, 0, 300};
  static const double numbers[] = {0.5, -1e300};
  static const uint8_t booleans[] = {1, 0, 7};
  const struct hoist_attr attrs[] = {
      {"strings", HOIST_ATTR_STRING_ARRAY, 5, {.strings = strings}},
      {"integers", HOIST_ATTR_INT_ARRAY, 3, {.integers = integers}},
      {"numbers", HOIST_ATTR_DOUBLE_ARRAY, 2, {.numbers = numbers}},
      {"booleans", HOIST_ATTR_BOOL_ARRAY, 3, {.booleans = booleans}},
      {"empty", HOIST_ATTR_INT_ARRAY, 0, {.integers = integers}},
      {"unknown", (enum hoist_attr_type)99, 3, {.integers = integers}},
  };
  start(r, &span);
  for (size_t i = 0; i < sizeof attrs / sizeof attrs[0]; i++)
    hoist_span_set_attr(&span, &attrs[i]);
  hoist_span_set_attr(&span, &attrs[1]); /* replaced by itself */
  hoist_span_end(&span);
  recording_read(r);
  const struct otlp_span *s = recording_span(r, "s");
  struct wire_field array, element, value;
  static const char *const kept[] = {"one", "", "longer t", "", "\xef\xbf\xbd"};
  assert_true(field(value_of(s->raw, 9, "strings"), 5, 0, &array));
  for (size_t i = 0; i < 5; i++) {
    assert_true(field(bytes_of(&array), 1, i, &element));
    assert_true(field(bytes_of(&element), 1, 0, &value));
    assert_bytes(&value, kept[i], strlen(kept[i]));
  }
  assert_false(field(bytes_of(&array), 1, 5, &element));
  assert_true(field(value_of(s->raw, 9, "integers"), 5, 0, &array));
  for (size_t i = 0; i < 3; i++) {
    assert_true(field(bytes_of(&array), 1, i, &element));
    assert_true(field(bytes_of(&element), 3, 0, &value));
    assert_true((int64_t)value.value == integers[i]);
  }
  assert_true(field(value_of(s->raw, 9, "numbers"), 5, 0, &array));
  assert_true(field(bytes_of(&array), 1, 1, &element) && field(bytes_of(&element), 4, 0, &value));
  assert_true(wire_as_double(value.value) == -1e300);
  assert_true(field(value_of(s->raw, 9, "booleans"), 5, 0, &array));
  for (size_t i = 0; i < 3; i++) {
    assert_true(field(bytes_of(&array), 1, i, &element) && field(bytes_of(&element), 2, 0, &value));
    assert_int_equal(value.value, booleans[i] != 0);
  }
  assert_true(field(value_of(s->raw, 9, "empty"), 5, 0, &array));
  assert_int_equal(array.size, 0);
  assert_int_equal(s->dropped_attributes, 1);
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count, 5);
  recording_stop(r);
}

/* ---- links --------------------------------------------------------------------------------------- */

static void test_links_carry_context_attributes_and_flags(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span, other;
  const struct hoist_attr attr = {.key = "why", .type = HOIST_ATTR_STRING, .value = {"batch"}};
  struct hoist_span_context from_afar = remote("vendor=1"), ours, invalid = {0};
  start(r, &other);
  hoist_span_get_context(&other, &ours);
  start(r, &span);
  hoist_span_add_link(&span, &from_afar, &attr, 1);
  hoist_span_add_link(&span, &ours, NULL, 0);
  hoist_span_add_link(&span, &invalid, NULL, 0); /* says nothing */
  hoist_span_add_link(&span, &invalid, &attr, 1);
  hoist_span_end(&span);
  recording_read(r);
  struct otlp_bytes raw = recording_span(r, "s")->raw;
  struct wire_field link, f;
  assert_true(field(raw, 13, 0, &link));
  assert_true(field(bytes_of(&link), 1, 0, &f));
  assert_bytes(&f, from_afar.trace_id, 16);
  assert_true(field(bytes_of(&link), 2, 0, &f));
  assert_bytes(&f, from_afar.span_id, 8);
  assert_true(field(bytes_of(&link), 3, 0, &f));
  assert_bytes(&f, "vendor=1", 8);
  assert_true(field(bytes_of(&link), 6, 0, &f));
  assert_int_equal(f.value, 0x301);
  assert_true(field(value_of(bytes_of(&link), 4, "why"), 1, 0, &f));
  assert_bytes(&f, "batch", 5);
  assert_true(field(raw, 13, 1, &link));
  assert_true(field(bytes_of(&link), 2, 0, &f));
  assert_bytes(&f, ours.span_id, 8);
  assert_true(field(bytes_of(&link), 6, 0, &f));
  assert_int_equal(f.value, 0x103);
  assert_true(field(raw, 13, 2, &link));
  assert_false(field(raw, 13, 3, &link));
  hoist_span_end(&other);
  recording_stop(r);
}

static void test_a_value_that_is_none_takes_no_other_with_it(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  const struct hoist_attr attrs[] = {
      {.key = "k", .type = HOIST_ATTR_STRING, .value = {"x"}},
      {.key = "k", .type = HOIST_ATTR_STRING, .value = {NULL}},
      {.key = "odd", .type = (enum hoist_attr_type)77},
  };
  struct wire_field event, f;
  size_t free_before = r->recorder.queue.free_count;
  start(r, &span);
  hoist_span_add_event(&span, "event", attrs, 3);
  hoist_span_set_attr(&span, &attrs[2]);
  assert_int_equal(r->recorder.queue.free_count, free_before); /* it did not look for more room */
  hoist_span_end(&span);
  recording_read(r);
  struct otlp_bytes raw = recording_span(r, "s")->raw;
  assert_true(field(raw, 11, 0, &event));
  assert_true(field(value_of(bytes_of(&event), 3, "k"), 1, 0, &f));
  assert_bytes(&f, "x", 1);
  assert_true(field(bytes_of(&event), 4, 0, &f));
  assert_int_equal(f.value, 1);
  assert_int_equal(recording_span(r, "s")->dropped_attributes, 1);
  recording_stop(r);
}

/* ---- limits -------------------------------------------------------------------------------------- */

static struct recording *limited(struct hoist_span_limits limits) {
  struct recorder_config config = recording_config();
  config.limits = limits;
  return recording_start_with(&config);
}

static void test_what_is_over_a_limit_is_dropped_and_counted(void **state) {
  struct recording *r = limited((struct hoist_span_limits){2, 3, 1, 2, 1});
  struct hoist_span span;
  struct hoist_span_context context = remote(NULL);
  const struct hoist_attr attrs[] = {{.key = "a", .type = HOIST_ATTR_INT},
                                     {.key = "b", .type = HOIST_ATTR_INT},
                                     {.key = "a", .type = HOIST_ATTR_INT},
                                     {.key = "c", .type = HOIST_ATTR_INT},
                                     {.key = "d", .type = HOIST_ATTR_INT}};
  start(r, &span);
  for (int i = 0; i < 5; i++) {
    hoist_span_set_int(&span, attrs[i].key, i);
    hoist_span_add_event(&span, "event", attrs, 5);
    hoist_span_add_link(&span, &context, attrs, 5);
  }
  hoist_span_set_int(&span, "b", 9); /* a key that is there may be set again */
  hoist_span_end(&span);
  recording_read(r);
  struct otlp_bytes raw = recording_span(r, "s")->raw;
  struct wire_field item, f;
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count, 2);
  assert_int_equal(recording_attr(r, "a")->integer, 2);
  assert_int_equal(recording_attr(r, "b")->integer, 9);
  assert_int_equal(recording_span(r, "s")->dropped_attributes, 2);
  assert_int_equal(r->event_count, 3);
  assert_true(field(raw, 12, 0, &f));
  assert_int_equal(f.value, 2);
  assert_true(field(raw, 11, 2, &item));
  assert_true(field(bytes_of(&item), 3, 1, &f));
  assert_false(field(bytes_of(&item), 3, 2, &f));
  assert_true(field(bytes_of(&item), 4, 0, &f));
  assert_int_equal(f.value, 2); /* of the four keys two were kept */
  assert_true(field(raw, 13, 0, &item));
  assert_false(field(raw, 13, 1, &f));
  assert_true(field(raw, 14, 0, &f));
  assert_int_equal(f.value, 4);
  assert_true(field(bytes_of(&item), 5, 0, &f));
  assert_int_equal(f.value, 3);
  recording_stop(r);
}

static void test_a_limit_of_zero_keeps_nothing(void **state) {
  struct recording *r = limited((struct hoist_span_limits){0});
  struct hoist_span span;
  struct hoist_span_context context = remote(NULL);
  start(r, &span);
  hoist_span_set_int(&span, "a", 1);
  hoist_span_add_event(&span, "event", NULL, 0);
  hoist_span_add_link(&span, &context, NULL, 0);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count + r->event_count, 0);
  assert_int_equal(recording_span(r, "s")->dropped_attributes, 1);
  struct otlp_bytes raw = recording_span(r, "s")->raw;
  struct wire_field f;
  assert_true(field(raw, 12, 0, &f) && f.value == 1); /* dropped events */
  assert_false(field(raw, 13, 0, &f));
  assert_true(field(raw, 14, 0, &f) && f.value == 1); /* dropped links */
  recording_stop(r);
}

/* ---- status and name ----------------------------------------------------------------------------- */

static void test_ok_beats_error_beats_unset(void **state) {
  static const struct {
    enum hoist_span_status first, second, kept;
    const char *message;
  } cases[] = {
      {HOIST_SPAN_UNSET, HOIST_SPAN_UNSET, HOIST_SPAN_UNSET, ""},
      {HOIST_SPAN_ERROR, HOIST_SPAN_UNSET, HOIST_SPAN_ERROR, "first"},
      {HOIST_SPAN_ERROR, HOIST_SPAN_ERROR, HOIST_SPAN_ERROR, "second"},
      {HOIST_SPAN_ERROR, HOIST_SPAN_OK, HOIST_SPAN_OK, ""},
      {HOIST_SPAN_OK, HOIST_SPAN_ERROR, HOIST_SPAN_OK, ""},
      {HOIST_SPAN_OK, HOIST_SPAN_OK, HOIST_SPAN_OK, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct recording *r = recording_start(NULL, 1024);
    struct hoist_span span;
    start(r, &span);
    hoist_span_set_status(&span, cases[i].first, "first");
    hoist_span_set_status(&span, cases[i].second, "second");
    hoist_span_end(&span);
    recording_read(r);
    const struct otlp_span *s = recording_span(r, "s");
    assert_int_equal(s->status_code, cases[i].kept);
    assert_int_equal(s->status_message.size, strlen(cases[i].message));
    if (s->status_message.size)
      assert_memory_equal(s->status_message.data, cases[i].message, s->status_message.size);
    recording_stop(r);
  }
}

static void test_a_span_can_be_renamed(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  start(r, &span);
  hoist_span_set_int(&span, "key", 1);
  hoist_span_update_name(&span, "a longer name");
  hoist_span_set_int(&span, "key", 2);
  hoist_span_update_name(&span, "t");
  hoist_span_end(&span);
  recording_read(r);
  assert_int_equal(r->count, 1);
  recording_open_span(r, "t");
  assert_int_equal(r->attr_count, 1);
  assert_int_equal(recording_attr(r, "key")->integer, 2);
  recording_stop(r);
}

static void test_recording_is_from_start_to_end_and_where_sampled(void **state) {
  struct recording *on = recording_start(NULL, 1024), *off = recording_start("always_off", 1024);
  struct hoist_span span;
  start(on, &span);
  assert_true(hoist_span_is_recording(&span));
  hoist_span_end(&span);
  assert_false(hoist_span_is_recording(&span));
  start(off, &span);
  assert_false(hoist_span_is_recording(&span));
  assert_false(hoist_span_is_recording(NULL));
  recording_stop(on);
  recording_stop(off);
}

/* ---- sampling ------------------------------------------------------------------------------------ */

/* Whether a span below no parent, remote ones and local ones is recorded. Sampled always means recorded,
 * also below a parent that is sampled, and ids and the rest of the context go on either way. */
static void test_parent_based_samplers_have_five_branches(void **state) {
  static const struct {
    const char *sampler;
    bool root, under_sampled, under_unsampled;
  } cases[] = {
      {"parentbased_always_on", true, true, false},
      {"parentbased_always_off", false, true, false},
      {"always_on", true, true, true},
      {"always_off", false, false, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int flags = -1; flags <= 1; flags++) {
      struct recording *r = recording_start(cases[i].sampler, 1024);
      struct hoist_span root, child;
      struct hoist_span_context parent = remote(NULL), of_root, of_child;
      parent.flags = (uint8_t)(flags & 1);
      hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL,
                            flags < 0 ? NULL : &parent, &root);
      hoist_span_start(&root, "child", HOIST_SPAN_INTERNAL, &child); /* the parent is a local one */
      bool expected = flags < 0    ? cases[i].root
                      : flags == 1 ? cases[i].under_sampled
                                   : cases[i].under_unsampled;
      hoist_span_get_context(&root, &of_root);
      hoist_span_get_context(&child, &of_child);
      assert_int_equal(hoist_span_is_recording(&root), expected);
      assert_int_equal(of_root.flags & 1, expected);
      assert_int_equal(hoist_span_is_recording(&child),
                       expected ? cases[i].under_sampled : cases[i].under_unsampled);
      assert_int_equal(of_child.flags & 1, hoist_span_is_recording(&child));
      assert_memory_equal(of_child.trace_id, of_root.trace_id, 16);
      if (flags >= 0) assert_memory_equal(of_root.trace_id, parent.trace_id, 16);
      assert_memory_not_equal(of_root.span_id, parent.span_id, 8);
      assert_memory_not_equal(of_child.span_id, of_root.span_id, 8);
      hoist_span_end(&child);
      hoist_span_end(&root);
      recording_stop(r);
    }
}

/* ---- trace state and forced traces --------------------------------------------------------------- */

static void test_the_tracestate_is_exported_and_inherited(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span root, child;
  struct hoist_span_context parent = remote("a=1,b=2"), context;
  struct wire_field f;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, &parent, &root);
  hoist_span_start(&root, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_get_context(&child, &context);
  assert_string_equal(context.tracestate, "a=1,b=2");
  hoist_span_end(&child);
  hoist_span_end(&root);
  recording_read(r);
  for (size_t i = 0; i < r->count; i++) {
    assert_true(field(r->spans[i].raw, 3, 0, &f));
    assert_bytes(&f, "a=1,b=2", 7);
  }
  recording_stop(r);
}

static void test_an_unsampled_span_passes_the_tracestate_on_too(void **state) {
  struct recording *r = recording_start("always_off", 1024);
  struct hoist_span root, child;
  char longest[HOIST_TRACESTATE_SIZE];
  memset(longest, 'x', sizeof longest - 1);
  longest[1] = '=';
  longest[sizeof longest - 1] = '\0';
  struct hoist_span_context parent = remote(longest), context;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, &parent, &root);
  hoist_span_start(&root, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_get_context(&child, &context);
  assert_string_equal(context.tracestate, longest);
  hoist_span_end(&child);
  hoist_span_end(&root);
  recording_stop(r);
}

static void test_a_forced_trace_is_recorded_only_where_that_is_allowed(void **state) {
  for (int allowed = 0; allowed < 2; allowed++)
    for (int has_ids = 0; has_ids < 2; has_ids++) {
      struct recorder_config config = recording_config();
      struct hoist_span span, child;
      struct hoist_span_context request = {0};
      if (has_ids) request = remote(NULL);
      request.flags = 0;
      request.forced = 1;
      config.allow_forced = allowed;
      struct recording *r = recording_start_with(&config);
      hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_SERVER, &request, &span);
      hoist_span_start(&span, "child", HOIST_SPAN_INTERNAL, &child);
      /* without ids it is a trace of our own, which this sampler records anyway */
      bool is_recorded = allowed || !has_ids;
      assert_int_equal(hoist_span_is_recording(&span), is_recorded);
      hoist_span_end(&child);
      hoist_span_end(&span);
      recording_read(r);
      assert_int_equal(r->count, is_recorded ? 2 : 0);
      if (is_recorded)
        assert_int_equal(recording_span(r, "root")->flags & 0x200, has_ids ? 0x200 : 0);
      recording_stop(r);
    }
}

static void test_a_forced_trace_without_ids_begins_anew(void **state) {
  struct recorder_config config = recording_config();
  struct hoist_span_context request = {.forced = 1};
  struct hoist_span span;
  assert_int_equal(sampler_parse("always_off", NULL, &config.sampler, NULL), HOIST_OK);
  config.allow_forced = true;
  struct recording *r = recording_start_with(&config);
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_SERVER, &request, &span);
  hoist_span_end(&span);
  recording_read(r);
  static const uint8_t none[8];
  assert_int_equal(recording_span(r, "root")->flags, 0x103);
  assert_memory_equal(recording_span(r, "root")->parent_id, none, 8);
  recording_stop(r);
}

/* ---- spans that outgrow their storage ------------------------------------------------------------ */

enum { LARGE_ATTRS = 100 };

static void fill(struct hoist_span *span) {
  char key[16], value[101];
  memset(value, 'v', 100);
  value[100] = '\0';
  for (int i = 0; i < LARGE_ATTRS; i++) {
    snprintf(key, sizeof key, "key%d", i);
    hoist_span_set_string(span, key, value);
  }
}

static void test_a_large_span_moves_to_the_queue_and_loses_nothing(void **state) {
  struct recording *r = recording_start(NULL, 8192);
  struct hoist_span span, child;
  char text[6001];
  memset(text, 't', 6000);
  text[6000] = '\0';
  struct hoist_span_context parent = remote("a=1");
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, &parent, &span);
  hoist_span_set_string(&span, "key7", "short, replaced in the chunk");
  fill(&span);
  hoist_span_start(&span, "child", HOIST_SPAN_INTERNAL, &child); /* of a span that has moved */
  hoist_span_end(&child);
  hoist_span_add_event(&span, "event", NULL, 0);
  hoist_span_set_error(&span, "type", "description");
  hoist_span_update_name(&span, "renamed");
  hoist_span_end(&span);
  start(r, &span);
  hoist_span_set_string(&span, "text", text); /* does not fit at once */
  hoist_span_end(&span);
  recording_read(r);
  assert_int_equal(r->count, 3);
  recording_open_span(r, "renamed");
  assert_int_equal(r->attr_count, LARGE_ATTRS + 1);
  assert_int_equal(strlen(recording_attr(r, "key7")->text), 100);
  assert_int_equal(strlen(recording_attr(r, "key99")->text), 100);
  assert_int_equal(r->event_count, 1);
  const struct otlp_span *s = recording_span(r, "renamed");
  assert_int_equal(s->dropped_attributes, 0);
  assert_int_equal(s->status_code, 2);
  assert_memory_equal(recording_span(r, "child")->parent_id, s->span_id, 8);
  assert_memory_equal(s->trace_id, parent.trace_id, 16);
  recording_open_span(r, "s");
  assert_string_equal(recording_attr(r, "text")->text, text);
  recording_stop(r);
}

static void test_a_span_larger_than_a_chunk_drops_and_counts(void **state) {
  struct recording *r = recording_start(NULL, 8192);
  struct hoist_span span;
  char key[16], value[8193];
  memset(value, 'v', 8192);
  value[8192] = '\0';
  start(r, &span);
  for (int i = 0; i < 10; i++) {
    snprintf(key, sizeof key, "key%d", i);
    hoist_span_set_string(&span, key, value);
  }
  hoist_span_set_error(&span, "type", "still has its room");
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_non_null(recording_attr(r, "key0"));
  assert_string_equal(recording_attr(r, "error.type")->text, "type");
  assert_int_equal(recording_span(r, "s")->dropped_attributes + r->attr_count, 11);
  assert_int_equal(recording_span(r, "s")->status_message.size, 18);
  recording_stop(r);
}

static void test_chunks_come_back_after_large_spans(void **state) {
  struct recording *r = recording_start(NULL, 8192);
  struct queue *queue = &r->recorder.queue;
  struct hoist_span span;
  char text[4001];
  memset(text, 't', 4000);
  text[4000] = '\0';
  start(r, &span); /* this thread holds a chunk from here on */
  hoist_span_end(&span);
  recording_read(r);
  size_t free_before = queue->free_count;
  for (int i = 0; i < 150; i++) {
    start(r, &span);
    hoist_span_set_string(&span, "text", text);
    if (i % 3 == 0) fill(&span); /* too much to be copied */
    hoist_span_end(&span);
    if (i % 50 == 49) recording_read(r);
  }
  struct queue_counts counts;
  queue_get_counts(queue, &counts);
  assert_int_equal(counts.accepted, 151);
  assert_int_equal(queue->free_count, free_before);
  recording_stop(r);
}

static int child_leaves_moved_spans_alone(struct recording *r, struct hoist_span *moved) {
  struct hoist_span span;
  struct queue_counts counts;
  hoist_span_start(moved, "child's", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(moved, "late", "must not be written");
  hoist_span_add_event(moved, "late", NULL, 0);
  hoist_span_end(&span);
  hoist_span_end(moved);
  queue_get_counts(&r->recorder.queue, &counts);
  return counts.accepted == 1 && counts.bytes < 300 ? 0 : 1;
}

static void test_a_forked_child_leaves_a_moved_span_to_its_parent(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  int status;
  start(r, &span);
  fill(&span);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(child_leaves_moved_spans_alone(r, &span));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  hoist_span_end(&span);
  recording_read(r);
  assert_int_equal(r->count, 1);
  recording_stop(r);
}

/* ---- scopes and counts --------------------------------------------------------------------------- */

static void test_scopes_are_views_with_names_of_their_own(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct recorder_scope *a = recorder_scope(&r->recorder, "library", "1.0");
  struct hoist_span root, child;
  assert_ptr_equal(recorder_scope(&r->recorder, "library", "1.0"), a);
  assert_ptr_not_equal(recorder_scope(&r->recorder, "library", "2.0"), a);
  assert_ptr_not_equal(recorder_scope(&r->recorder, "library", NULL), a);
  assert_ptr_equal(recorder_scope(&r->recorder, "hoist", HOIST_VERSION), &r->recorder.scopes[0]);
  start(r, &root);
  hoist_span_start_in(&a->base, &root, "of the library", HOIST_SPAN_INTERNAL, &child);
  hoist_span_end(&child);
  hoist_span_end(&root);
  recording_read(r);
  assert_memory_equal(r->spans[0].name.data, "of the library", 14);
  assert_int_equal(r->frame_scopes[0], a->index);
  assert_int_equal(r->frame_scopes[1], 0);
  assert_memory_equal(r->spans[0].parent_id, r->spans[1].span_id, 8);
  assert_int_equal(r->spans[0].flags, 0x103);
  recording_stop(r);
}

static void test_a_parent_of_another_telemetry_is_a_remote_one(void **state) {
  struct recording *ours = recording_start(NULL, 1024), *theirs = recording_start(NULL, 1024);
  struct hoist_span parent, child, none = {0};
  start(theirs, &parent);
  hoist_span_start_in(recording_telemetry(ours), &parent, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_end(&child);
  hoist_span_start_in(recording_telemetry(ours), &none, "root", HOIST_SPAN_INTERNAL, &child);
  hoist_span_end(&child);
  hoist_span_start_in(NULL, &parent, "nothing", HOIST_SPAN_INTERNAL, &child);
  assert_null(child.telemetry);
  hoist_span_end(&parent);
  recording_read(ours);
  recording_read(theirs);
  assert_int_equal(ours->count, 2);
  assert_memory_equal(recording_span(ours, "child")->parent_id, theirs->spans[0].span_id, 8);
  assert_memory_not_equal(recording_span(ours, "root")->trace_id, theirs->spans[0].trace_id, 16);
  recording_stop(ours);
  recording_stop(theirs);
}

static void test_beyond_the_last_scope_is_the_first(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  char name[16];
  for (int i = 1; i < RECORDER_SCOPES_MAX; i++) {
    snprintf(name, sizeof name, "scope%d", i);
    assert_int_equal(recorder_scope(&r->recorder, name, NULL)->index, i);
  }
  assert_int_equal(recorder_scope(&r->recorder, "one more", NULL)->index, 0);
  assert_int_equal(recorder_scope(&r->recorder, "scope3", NULL)->index, 3);
  recording_stop(r);
}

static void test_started_and_ended_spans_are_counted(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span spans[3];
  struct queue_counts counts;
  for (int i = 0; i < 3; i++)
    start(r, &spans[i]);
  hoist_span_end(&spans[0]);
  queue_get_counts(&r->recorder.queue, &counts);
  assert_int_equal(counts.started, 3);
  assert_int_equal(counts.accepted, 1);
  hoist_span_end(&spans[1]);
  hoist_span_end(&spans[2]);
  recording_stop(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arrays_of_every_type_come_back),
      cmocka_unit_test(test_links_carry_context_attributes_and_flags),
      cmocka_unit_test(test_a_value_that_is_none_takes_no_other_with_it),
      cmocka_unit_test(test_what_is_over_a_limit_is_dropped_and_counted),
      cmocka_unit_test(test_a_limit_of_zero_keeps_nothing),
      cmocka_unit_test(test_ok_beats_error_beats_unset),
      cmocka_unit_test(test_a_span_can_be_renamed),
      cmocka_unit_test(test_recording_is_from_start_to_end_and_where_sampled),
      cmocka_unit_test(test_parent_based_samplers_have_five_branches),
      cmocka_unit_test(test_the_tracestate_is_exported_and_inherited),
      cmocka_unit_test(test_an_unsampled_span_passes_the_tracestate_on_too),
      cmocka_unit_test(test_a_forced_trace_is_recorded_only_where_that_is_allowed),
      cmocka_unit_test(test_a_forced_trace_without_ids_begins_anew),
      cmocka_unit_test(test_a_large_span_moves_to_the_queue_and_loses_nothing),
      cmocka_unit_test(test_a_span_larger_than_a_chunk_drops_and_counts),
      cmocka_unit_test(test_chunks_come_back_after_large_spans),
      cmocka_unit_test(test_a_forked_child_leaves_a_moved_span_to_its_parent),
      cmocka_unit_test(test_scopes_are_views_with_names_of_their_own),
      cmocka_unit_test(test_a_parent_of_another_telemetry_is_a_remote_one),
      cmocka_unit_test(test_beyond_the_last_scope_is_the_first),
      cmocka_unit_test(test_started_and_ended_spans_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
