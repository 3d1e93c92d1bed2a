/* SPDX-License-Identifier: Apache-2.0 */
/* Reading spans and putting them together. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "breakdown.h"
#include "sample.h"
#include "trace.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct trace_span *find(const struct trace_set *set, const char *name) {
  for (size_t i = 0; i < set->count; i++)
    if (strcmp(set->spans[i].name, name) == 0) return &set->spans[i];
  fail_msg("no span '%s'", name);
  return NULL;
}

static const char *parent_name(const struct trace_set *set, const char *name) {
  const struct trace_span *span = find(set, name);
  return span->parent == TRACE_NONE ? "(root)" : set->spans[span->parent].name;
}

/* ---- reading --------------------------------------------------------------------------------- */

#define SPAN_LINE(members) "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" members "}]}]}]}\n"

static void test_a_span_is_read_with_all_that_a_waterfall_needs(void **state) {
  static const char line[] = SPAN_LINE(
      "\"traceId\":\"4BF92F3577B34DA6A3CE929D0E0E4736\",\"spanId\":\"00f067aa0ba902b7\","
      "\"parentSpanId\":\"\",\"name\":\"GET\",\"kind\":3,\"startTimeUnixNano\":\"1000\","
      "\"endTimeUnixNano\":2500,\"status\":{\"code\":\"STATUS_CODE_ERROR\",\"message\":\"503\"},"
      "\"droppedAttributesCount\":1,\"unknown\":{\"deep\":[1]},\"attributes\":["
      "{\"key\":\"s\",\"value\":{\"stringValue\":\"text\"}},"
      "{\"key\":\"i\",\"value\":{\"intValue\":\"-7\"}},{\"key\":\"n\",\"value\":{\"intValue\":42}},"
      "{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"b\",\"value\":{\"boolValue\":"
      "true}},"
      "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[]}}},"
      "{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"e\",\"value\":{}}]");
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, line, strlen(line), NULL), HOIST_OK);
  assert_int_equal(set.count, 1);
  const struct trace_span *span = &set.spans[0];
  assert_int_equal(span->trace_id[0], 0x4b);
  assert_int_equal(span->span_id[7], 0xb7);
  assert_string_equal(span->name, "GET");
  assert_string_equal(span->message, "503");
  assert_true(span->failed);
  assert_int_equal(span->start_ns, 1000);
  assert_int_equal(span->end_ns, 2500);
  assert_string_equal(trace_attr_string(span, "s"), "text");
  assert_int_equal(trace_attr(span, "i", HOIST_ATTR_INT)->value.integer, -7);
  assert_int_equal(trace_attr_int(span, "i"), -1);
  assert_int_equal(trace_attr_int(span, "n"), 42);
  assert_true(trace_attr(span, "d", HOIST_ATTR_DOUBLE)->value.number > 0.49);
  assert_int_equal(trace_attr(span, "b", HOIST_ATTR_BOOL)->value.integer, 1);
  assert_string_equal(trace_attr_string(span, "e"), "");
  assert_string_equal(trace_attr_string(span, "l"), "[]");
  assert_true(isnan(trace_attr(span, "nan", HOIST_ATTR_DOUBLE)->value.number));
  assert_int_equal(span->attr_count, 8);
  assert_null(trace_attr_string(span, "absent"));
}

static void test_lines_of_other_signals_and_empty_lines_are_skipped(void **state) {
  static const char text[] =
      "\n{\"resourceMetrics\":[]}\n  \r\n{}\n{\"resourceSpans\":[]}\n" SPAN_LINE(
          "\"name\":\"a\"") "{\"resourceLogs\":[]}";
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, text, strlen(text), NULL), HOIST_OK);
  assert_int_equal(set.count, 1);
}

static void test_a_damaged_line_is_named_by_file_and_number(void **state) {
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"{", "not JSON"},
      {"nonsense", "not JSON"},
      {"[]", "an object was expected"},
      {"{\"resourceSpans\":{}}", "resourceSpans"},
      {"{\"resourceSpans\":[1]}", "an object was expected"},
      {"{\"resourceSpans\":[{\"scopeSpans\":3}]}", "scopeSpans"},
      {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":\"x\"}]}]}", "spans"},
      {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[7]}]}]}", "a span is not an object"},
      {SPAN_LINE("\"traceId\":\"12\""), "traceId"},
      {SPAN_LINE("\"traceId\":5"), "traceId"},
      {SPAN_LINE("\"spanId\":\"00f067aa0ba902bz\""), "spanId"},
      {SPAN_LINE("\"parentSpanId\":\"00f067aa0ba902b7aa\""), "parentSpanId"},
      {SPAN_LINE("\"name\":[]"), "name"},
      {SPAN_LINE("\"startTimeUnixNano\":\"-1\""), "startTimeUnixNano"},
      {SPAN_LINE("\"startTimeUnixNano\":-1"), "startTimeUnixNano"},
      {SPAN_LINE("\"endTimeUnixNano\":\"99999999999999999999999\""), "endTimeUnixNano"},
      {SPAN_LINE("\"endTimeUnixNano\":1.5"), "endTimeUnixNano"},
      {SPAN_LINE("\"status\":2"), "status"},
      {SPAN_LINE("\"attributes\":{}"), "attributes"},
      {SPAN_LINE("\"attributes\":[{\"key\":1}]"), "key"},
      {SPAN_LINE("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"x\"}}]"), "attribute"},
      {SPAN_LINE("\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":1}}]"), "attribute"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char text[1024];
    struct hoist_error err;
    HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
    snprintf(text, sizeof text,
             SPAN_LINE("\"name\":\"good\"") "%s\n" SPAN_LINE("\"name\":\"after\""), cases[i].line);
    assert_int_equal(sample_read_text(&set, text, strlen(text), &err), HOIST_CORRUPT);
    assert_memory_equal(err.message, "t.json:2: ", 10);
    if (!strstr(err.message, cases[i].says))
      fail_msg("'%s' does not say '%s'", err.message, cases[i].says);
    assert_int_equal(set.count, 1); /* what stood before is kept */
  }
}

static void test_a_line_cut_off_in_the_middle_is_corrupt(void **state) {
  static const char text[] =
      SPAN_LINE("\"name\":\"good\"") "{\"resourceSpans\":[{\"scopeSpans\":[{";
  struct hoist_error err;
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, text, strlen(text), &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "t.json:2: not JSON"));
  assert_int_equal(set.count, 1);
}

static void test_json_over_several_lines_is_told_apart(void **state) {
  struct hoist_error err;
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, "{\n  \"resourceSpans\": []\n}\n", 27, &err),
                   HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "t.json:1: not JSON: the object is not whole on this line"));
}

static void test_ten_thousand_levels_of_json_are_refused(void **state) {
  enum { LEVELS = 10000 };
  HOIST_AUTO(mem) char *text = malloc(LEVELS);
  struct hoist_error err;
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  memset(text, '[', LEVELS);
  assert_int_equal(sample_read_text(&set, text, LEVELS, &err), HOIST_CORRUPT);
}

static void test_names_and_values_are_kept_but_cut(void **state) {
  static char text[70000];
  static char name[40001];
  memset(name, 'x', sizeof name - 1);
  snprintf(text, sizeof text,
           SPAN_LINE("\"name\":\"\\u001b[2J%s\",\"status\":{\"code\":2,\"message\":\"a\\nb\"},"
                     "\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"\\u202e\"}}]"),
           name);
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, text, strlen(text), NULL), HOIST_OK);
  assert_memory_equal(set.spans[0].name, "\x1b[2Jxxx", 7);
  assert_int_equal(strlen(set.spans[0].name), TRACE_MAX_NAME_BYTES);
  assert_string_equal(set.spans[0].message, "a\nb");
  assert_string_equal(trace_attr_string(&set.spans[0], "k"), "\u202e");
}

/* The same values in both forms: a list, a map in it, bytes, numbers that JSON lacks. */
static const char other_json[] = SPAN_LINE(
    "\"name\":\"a\",\"attributes\":["
    "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\\\"\\n\"},"
    "{\"intValue\":\"-7\"},{\"doubleValue\":0.1},{\"doubleValue\":\"NaN\"},{\"boolValue\":true},{},"
    "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"bytesValue\":\"AAH/\"}}]}}]}}},"
    "{\"key\":\"b\",\"value\":{\"bytesValue\":\"AAH/\"}},"
    "{\"key\":\"m\",\"value\":{\"kvlistValue\":{}}}]");
/* TracesData of one span with the attributes l (without NaN) and b. */
static const uint8_t other_protobuf[] = {
    0x0a, 0x4e, 0x12, 0x4c, 0x12, 0x4a, 0x4a, 0x3c, 0x0a, 0x01, 0x6c, 0x12, 0x37, 0x2a, 0x35, 0x0a,
    0x05, 0x0a, 0x03, 0x61, 0x22, 0x0a, 0x0a, 0x0b, 0x18, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0x01, 0x0a, 0x09, 0x21, 0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f, 0x0a, 0x02,
    0x10, 0x01, 0x0a, 0x00, 0x0a, 0x0e, 0x32, 0x0c, 0x0a, 0x0a, 0x0a, 0x01, 0x6b, 0x12, 0x05, 0x3a,
    0x03, 0x00, 0x01, 0xff, 0x4a, 0x0a, 0x0a, 0x01, 0x62, 0x12, 0x05, 0x3a, 0x03, 0x00, 0x01, 0xff};

static void test_values_that_are_no_scalars_are_kept_as_json_text(void **state) {
  struct hoist_error err;
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, other_json, strlen(other_json), &err), HOIST_OK);
  const struct trace_span *span = &set.spans[0];
  assert_string_equal(trace_attr_string(span, "l"),
                      "[\"a\\\"\\u000a\",-7,0.1,\"NaN\",true,null,{\"k\":\"AAH/\"}]");
  assert_string_equal(trace_attr_string(span, "b"), "AAH/");
  assert_string_equal(trace_attr_string(span, "m"), "{}");
  if (trace_read_otlp(&set, other_protobuf, sizeof other_protobuf, &err) != HOIST_OK)
    fail_msg("%s", err.message);
  span = &set.spans[1];
  assert_string_equal(trace_attr_string(span, "l"),
                      "[\"a\\\"\\u000a\",-7,0.1,true,null,{\"k\":\"AAH/\"}]");
  assert_string_equal(trace_attr_string(span, "b"), "AAH/");
}

static void test_attributes_beyond_the_cap_are_left_out(void **state) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  fputs("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\",\"attributes\":[", out);
  for (int i = 0; i < 500; i++)
    fprintf(out, "%s{\"key\":\"k%d\",\"value\":{\"intValue\":%d}}", i ? "," : "", i, i);
  fputs("]}]}]}]}\n", out);
  fclose(out);
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(sample_read_text(&set, text, size, NULL), HOIST_OK);
  assert_int_equal(set.spans[0].attr_count, TRACE_MAX_ATTRS);
  free(text);
}

/* TracesData { resource_spans { scope_spans { span … } } } by hand. */
static void test_spans_are_read_from_protobuf_too(void **state) {
  static const uint8_t message[] = {
      0x0a, 0x3f, 0x12, 0x3d, 0x12, 0x3b, /* the three envelopes */
      0x0a, 0x10, 1,    2,    3,    4,    5,    6,   7, 8,
      9,    10,   11,   12,   13,   14,   15,   16,        /* trace_id */
      0x12, 0x08, 1,    1,    1,    1,    1,    1,   1, 1, /* span_id */
      0x2a, 0x03, 'G',  'E',  'T',                         /* name */
      0x39, 10,   0,    0,    0,    0,    0,    0,   0,    /* start */
      0x41, 30,   0,    0,    0,    0,    0,    0,   0,    /* end */
      0x4a, 0x06, 0x0a, 0x01, 'k',  0x12, 0x01, 0x00};     /* an attribute, cut short */
  struct hoist_error err;
  uint8_t good[sizeof message];
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  memcpy(good, message, sizeof message);
  assert_int_equal(trace_read_otlp(&set, message, sizeof message - 4, &err), HOIST_CORRUPT);
  good[1] = 0x37, good[3] = 0x35, good[5] = 0x33; /* without the attribute */
  assert_int_equal(trace_read_otlp(&set, good, 6 + 0x33, &err), HOIST_OK);
  assert_int_equal(set.count, 1);
  assert_string_equal(set.spans[0].name, "GET");
  assert_int_equal(set.spans[0].end_ns, 30);
}

/* One span with an event and a link, both with an attribute, dropped counts, a resource, a scope. */
static const uint8_t whole_protobuf[] = {
    0x0a, 0x67, 0x0a, 0x0a, 0x0a, 0x08, 0x0a, 0x01, 0x73, 0x12, 0x03, 0x0a, 0x01, 0x72, 0x12,
    0x59, 0x0a, 0x05, 0x0a, 0x03, 0x6c, 0x69, 0x62, 0x12, 0x50, 0x2a, 0x01, 0x61, 0x30, 0x03,
    0x5a, 0x18, 0x09, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x12, 0x01, 0x65, 0x1a,
    0x08, 0x0a, 0x01, 0x6b, 0x12, 0x03, 0x0a, 0x01, 0x76, 0x20, 0x02, 0x6a, 0x2b, 0x0a, 0x10,
    0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09, 0x09,
    0x09, 0x12, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x1a, 0x03, 0x6c, 0x3d,
    0x31, 0x22, 0x08, 0x0a, 0x01, 0x77, 0x12, 0x03, 0x0a, 0x01, 0x79, 0x60, 0x07, 0x70, 0x06};

static void test_events_links_and_origin_are_read_from_protobuf(void **state) {
  struct hoist_error err;
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  if (trace_read_otlp(&set, whole_protobuf, sizeof whole_protobuf, &err) != HOIST_OK)
    fail_msg("%s", err.message);
  const struct trace_span *span = &set.spans[0];
  assert_int_equal(span->kind, 3);
  assert_int_equal(span->dropped_events, 7);
  assert_int_equal(span->dropped_links, 6);
  assert_string_equal(span->events->text, "e");
  assert_int_equal(span->events->time_ns, 5);
  assert_int_equal(span->events->dropped_attributes, 2);
  assert_string_equal(span->events->attrs[0].value.string, "v");
  assert_string_equal(span->links->text, "l=1");
  assert_int_equal(span->links->span_id[7], 8);
  assert_string_equal(span->links->attrs[0].key, "w");
  assert_string_equal(span->origin->scope_name, "lib");
  assert_string_equal(span->origin->attrs[0].value.string, "r");
}

/* ---- putting together ------------------------------------------------------------------------ */

static void test_children_follow_their_parents_by_start(void **state) {
  static const struct sample samples[] = {
      {1, 3, 1, "late", 5, 6, NULL, NULL},
      {1, 1, 0, "root", 0, 10, NULL, NULL},
      {1, 2, 1, "early", 1, 2, NULL, NULL},
      {1, 4, 2, "grandchild", 1, 2, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  assert_int_equal(set.trace_count, 1);
  assert_int_equal(set.traces[0].span_count, 4);
  const struct trace_span *root = trace_root(&set, &set.traces[0], 0);
  assert_string_equal(root->name, "root");
  assert_int_equal(root->child_count, 2);
  assert_string_equal(trace_child(&set, root, 0)->name, "early");
  assert_string_equal(trace_child(&set, root, 1)->name, "late");
  assert_string_equal(parent_name(&set, "grandchild"), "early");
}

static void test_walking_a_trace_visits_every_span_in_tree_order(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "a", 0, 10, NULL, NULL},  {1, 2, 1, "b", 1, 2, NULL, NULL},
      {1, 3, 2, "c", 1, 2, NULL, NULL},   {1, 4, 1, "d", 3, 4, NULL, NULL},
      {1, 5, 0, "e", 11, 12, NULL, NULL}, {2, 6, 0, "other", 0, 1, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  char walked[16] = "";
  sample_read(&set, samples, COUNT(samples));
  const struct trace *trace = &set.traces[0];
  if (strcmp(trace_root(&set, trace, 0)->name, "other") == 0) trace = &set.traces[1];
  for (const struct trace_span *s = trace_root(&set, trace, 0); s; s = trace_next(&set, trace, s))
    strncat(walked, s->name, sizeof walked - strlen(walked) - 1);
  assert_string_equal(walked, "abcde");
}

static void test_a_span_whose_parent_is_missing_is_a_root(void **state) {
  static const struct sample samples[] = {{1, 1, 99, "orphan", 0, 1, NULL, NULL},
                                          {2, 2, 1, "in another trace", 0, 1, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  assert_int_equal(set.trace_count, 2);
  assert_string_equal(parent_name(&set, "orphan"), "(root)");
  assert_string_equal(parent_name(&set, "in another trace"), "(root)");
}

static void test_parents_that_go_round_in_circles_are_cut_open(void **state) {
  static const struct sample samples[] = {
      {1, 1, 1, "its own parent", 0, 1, NULL, NULL},
      {1, 2, 3, "a", 0, 1, NULL, NULL},
      {1, 3, 4, "b", 0, 1, NULL, NULL},
      {1, 4, 2, "c", 0, 1, NULL, NULL},
      {1, 5, 3, "hangs on the circle", 0, 1, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  assert_int_equal(set.traces[0].root_count, 2);
  assert_string_equal(parent_name(&set, "its own parent"), "(root)");
  assert_string_equal(parent_name(&set, "hangs on the circle"), "b");
  size_t visited = 0;
  const struct trace_span *s = trace_root(&set, &set.traces[0], 0);
  for (; s; s = trace_next(&set, &set.traces[0], s))
    visited++;
  assert_int_equal(visited, COUNT(samples));
}

static void test_two_spans_with_one_id_are_both_kept(void **state) {
  static const struct sample samples[] = {{1, 1, 0, "first", 0, 1, NULL, NULL},
                                          {1, 1, 0, "second", 2, 3, NULL, NULL},
                                          {1, 2, 1, "child", 0, 1, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  assert_int_equal(set.traces[0].root_count, 2);
  assert_string_equal(parent_name(&set, "child"), "first");
}

static void test_times_that_are_missing_or_skewed_are_mended(void **state) {
  static const struct sample samples[] = {{1, 1, 0, "root", 5, 10, NULL, NULL},
                                          {1, 2, 1, "unfinished", 6, -1, NULL, NULL},
                                          {1, 3, 1, "backwards", 8, 7, NULL, NULL},
                                          {1, 4, 1, "skewed", 2, 20, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  assert_int_equal(set.traces[0].start_ns, SAMPLE_START_NS + 2000000);
  assert_int_equal(set.traces[0].end_ns, SAMPLE_START_NS + 20000000);
  assert_true(find(&set, "unfinished")->unfinished);
  assert_int_equal(find(&set, "unfinished")->end_ns, set.traces[0].end_ns);
  assert_false(find(&set, "backwards")->unfinished);
  assert_int_equal(trace_duration(find(&set, "backwards")), 0);
}

static void test_a_chain_of_a_hundred_thousand_spans_is_linked(void **state) {
  enum { SPANS = 100000 };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  for (uint32_t i = 1; i <= SPANS; i++) {
    struct otlp_span span = {.start_unix_ns = i, .end_unix_ns = i + 1};
    memcpy(span.span_id, &i, sizeof i);
    uint32_t parent = i - 1;
    memcpy(span.parent_id, &parent, sizeof parent);
    assert_int_equal(trace_add(&set, &span, NULL, 0, NULL), HOIST_OK);
  }
  assert_int_equal(trace_link(&set, NULL), HOIST_OK);
  assert_int_equal(set.traces[0].root_count, 1);
  size_t visited = 0;
  const struct trace_span *s = trace_root(&set, &set.traces[0], 0);
  for (; s; s = trace_next(&set, &set.traces[0], s))
    visited++;
  assert_int_equal(visited, SPANS);
}

static void test_an_empty_set_is_linked_to_nothing(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  assert_int_equal(trace_link(&set, NULL), HOIST_OK);
  assert_int_equal(set.trace_count, 0);
}

/* ---- shares ---------------------------------------------------------------------------------- */

static void test_shares_add_up_to_the_whole_even_where_children_overlap(void **state) {
  static const struct sample samples[] = {
      {1, 1, 0, "model.load", 0, 100, NULL, STRING_ATTR("model.id", "faces/1")},
      {1, 2, 1, "model.artifacts.download", 0, 60, NULL,
       STRING_ATTR("model.artifacts.source", "s3") "," INT_ATTR("model.artifacts.bytes", 442000)},
      {1, 3, 1, "model.session.create", 50, 90, NULL, NULL},
      {1, 4, 1, "inside the download", 10, 20, NULL, NULL},
      {1, 5, 1, "after the end", 95, 500, NULL, NULL},
  };
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  struct breakdown b = breakdown_of(&set, find(&set, "model.load"));
  uint64_t sum = 0;
  for (size_t i = 0; i < b.count; i++)
    sum += b.phases[i].ns;
  assert_int_equal(sum, 100000000);
  assert_int_equal(b.phases[0].kind, PHASE_DOWNLOAD);
  assert_int_equal(b.phases[0].ns, 50000000);
  assert_int_equal(b.phases[0].bytes, 442000);
  assert_string_equal(b.phases[0].source, "s3");
  assert_int_equal(b.phases[1].kind, PHASE_SESSION);
  assert_int_equal(b.phases[1].ns, 40000000);
}

static void test_of_parallel_children_the_one_that_ends_last_is_waited_for(void **state) {
  for (int first = 0; first < 2; first++) {
    const struct sample samples[] = {
        {1, 1, 0, "root", 0, 20, NULL, NULL},
        {1, 2, 1, "pack", first ? 0.1 : 0, 20, NULL, NULL},
        {1, 3, 1, "charge", first ? 0 : 0.1, 10, NULL, NULL},
    };
    HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
    sample_read(&set, samples, COUNT(samples));
    struct breakdown b = breakdown_of(&set, find(&set, "root"));
    assert_string_equal(b.phases[0].name, "pack");
    assert_true(b.phases[0].ns >= 19900000);
    assert_true(find(&set, "charge")->charged_ns <= 100000);
  }
}

static void test_more_phases_than_fit_end_up_in_the_rest(void **state) {
  struct sample samples[41] = {{1, 1, 0, "root", 0, 40, NULL, NULL}};
  char names[40][8];
  for (int i = 0; i < 40; i++) {
    snprintf(names[i], sizeof names[i], "s%d", i);
    samples[i + 1] = (struct sample){1, i + 2, 1, names[i], i, i + 1, NULL, NULL};
  }
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, samples, COUNT(samples));
  struct breakdown b = breakdown_of(&set, find(&set, "root"));
  assert_int_equal(b.count, BREAKDOWN_MAX_PHASES);
  assert_int_equal(b.phases[0].kind, PHASE_REST);
  assert_int_equal(b.phases[0].ns, 29000000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_span_is_read_with_all_that_a_waterfall_needs),
      cmocka_unit_test(test_lines_of_other_signals_and_empty_lines_are_skipped),
      cmocka_unit_test(test_a_damaged_line_is_named_by_file_and_number),
      cmocka_unit_test(test_a_line_cut_off_in_the_middle_is_corrupt),
      cmocka_unit_test(test_json_over_several_lines_is_told_apart),
      cmocka_unit_test(test_ten_thousand_levels_of_json_are_refused),
      cmocka_unit_test(test_names_and_values_are_kept_but_cut),
      cmocka_unit_test(test_values_that_are_no_scalars_are_kept_as_json_text),
      cmocka_unit_test(test_attributes_beyond_the_cap_are_left_out),
      cmocka_unit_test(test_spans_are_read_from_protobuf_too),
      cmocka_unit_test(test_events_links_and_origin_are_read_from_protobuf),
      cmocka_unit_test(test_children_follow_their_parents_by_start),
      cmocka_unit_test(test_walking_a_trace_visits_every_span_in_tree_order),
      cmocka_unit_test(test_a_span_whose_parent_is_missing_is_a_root),
      cmocka_unit_test(test_parents_that_go_round_in_circles_are_cut_open),
      cmocka_unit_test(test_two_spans_with_one_id_are_both_kept),
      cmocka_unit_test(test_times_that_are_missing_or_skewed_are_mended),
      cmocka_unit_test(test_a_chain_of_a_hundred_thousand_spans_is_linked),
      cmocka_unit_test(test_an_empty_set_is_linked_to_nothing),
      cmocka_unit_test(test_shares_add_up_to_the_whole_even_where_children_overlap),
      cmocka_unit_test(test_of_parallel_children_the_one_that_ends_last_is_waited_for),
      cmocka_unit_test(test_more_phases_than_fit_end_up_in_the_rest),
  };
  return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
