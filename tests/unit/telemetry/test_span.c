/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, recorded and read back. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "recording.h"

/* With a queue too small to lend chunks: spans stay in their own storage. */
static struct recording *recording_start_small(void) {
  struct recorder_config config = recording_config();
  config.queue_bytes = QUEUE_BYTES_MIN;
  config.attribute_value_max = 4096;
  return recording_start_with(&config);
}

static struct hoist_span_context context_of(const struct hoist_span *span) {
  struct hoist_span_context context;
  hoist_span_get_context(span, &context);
  return context;
}

static void test_without_telemetry_nothing_is_touched(void **state) {
  struct hoist_span span, child, before;
  struct hoist_span_context zero = {0}, context;
  memset(&span, 0x5a, sizeof span);
  before = span;
  before.telemetry = NULL;
  hoist_span_start_root(NULL, "root", HOIST_SPAN_INTERNAL, NULL, &span);
  assert_memory_equal(&span, &before, sizeof span);
  hoist_span_start(&span, "child", HOIST_SPAN_INTERNAL, &child);
  assert_null(child.telemetry);
  hoist_span_start(NULL, "child", HOIST_SPAN_INTERNAL, &child);
  assert_null(child.telemetry);
  hoist_span_set_string(&span, "key", "value");
  hoist_span_set_int(NULL, "key", 1);
  hoist_span_add_event(&span, "event", NULL, 0);
  hoist_span_set_error(&span, "type", "text");
  hoist_span_record_error(&span, NULL);
  hoist_span_get_context(&span, &context);
  assert_memory_equal(&context, &zero, sizeof zero);
  hoist_span_get_context(NULL, &context);
  hoist_span_end(&span);
  hoist_span_end(NULL);
  assert_memory_equal(&span, &before, sizeof span);
}

static void test_children_carry_the_trace_and_the_parent(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span root, child;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_SERVER, NULL, &root);
  hoist_span_start(&root, "child", HOIST_SPAN_CLIENT, &child);
  struct hoist_span_context root_context = context_of(&root), child_context = context_of(&child);
  hoist_span_end(&child);
  hoist_span_end(&root);
  hoist_span_end(&root); /* nothing more */
  recording_read(r);
  assert_int_equal(r->count, 2);
  const struct otlp_span *a = recording_span(r, "root"), *b = recording_span(r, "child");
  static const uint8_t none[8];
  assert_memory_equal(a->trace_id, root_context.trace_id, 16);
  assert_memory_equal(a->span_id, root_context.span_id, 8);
  assert_memory_equal(a->parent_id, none, 8);
  assert_int_equal(a->kind, HOIST_SPAN_SERVER);
  assert_memory_equal(b->trace_id, root_context.trace_id, 16);
  assert_memory_equal(b->span_id, child_context.span_id, 8);
  assert_memory_equal(b->parent_id, root_context.span_id, 8);
  assert_int_equal(b->kind, HOIST_SPAN_CLIENT);
  assert_true(a->start_unix_ns <= b->start_unix_ns && b->end_unix_ns <= a->end_unix_ns);
  assert_true(b->start_unix_ns <= b->end_unix_ns);
  assert_int_equal(a->flags, 0x103);
  assert_int_equal(b->flags, 0x103);
  assert_int_equal(root_context.flags, 0x03);
  recording_stop(r);
}

static void test_a_remote_parent_is_continued_and_marked(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span_context remote, invalid = {0};
  struct hoist_span span, child;
  assert_int_equal(
      hoist_traceparent_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &remote),
      HOIST_OK);
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, &remote, &span);
  hoist_span_start(&span, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_end(&child);
  hoist_span_end(&span);
  hoist_span_start_root(recording_telemetry(r), "new", HOIST_SPAN_INTERNAL, &invalid, &span);
  hoist_span_end(&span);
  recording_read(r);
  const struct otlp_span *root = recording_span(r, "root");
  assert_memory_equal(root->trace_id, remote.trace_id, 16);
  assert_memory_equal(root->parent_id, remote.span_id, 8);
  assert_int_equal(root->flags, 0x301); /* the caller did not say its id was random */
  assert_int_equal(recording_span(r, "child")->flags, 0x101);
  assert_int_equal(recording_span(r, "new")->flags, 0x103);
  recording_stop(r);
}

static void test_a_root_has_the_callers_time_and_says_whether_its_parent_is_remote(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span_context context = {.trace_id = {1}, .span_id = {2}, .flags = 3};
  struct hoist_span span;
  for (uint8_t remote = 0; remote < 2; remote++) {
    context.remote = remote;
    hoist_span_start_root_at(recording_telemetry(r), remote ? "remote" : "local", HOIST_SPAN_SERVER,
                             &context, 1000, &span);
    hoist_span_end_at(&span, 3000);
  }
  recording_read(r);
  assert_int_equal(recording_span(r, "local")->flags, 0x103);
  assert_int_equal(recording_span(r, "remote")->flags, 0x303);
  assert_memory_equal(recording_span(r, "local")->parent_id, context.span_id, 8);
  assert_int_equal(recording_span(r, "local")->start_unix_ns, 1000);
  recording_stop(r);
}

static void test_an_exception_is_an_event_with_the_callers_attributes(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_attr attrs[] = {
      {.key = "exception.message", .type = HOIST_ATTR_STRING, .value = {.string = "mine"}},
      {.key = "exception.escaped", .type = HOIST_ATTR_BOOL, .value = {.integer = 1}}};
  struct hoist_span span;
  hoist_span_start_root(recording_telemetry(r), "span", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_record_exception(&span, "out_of_range", "theirs", attrs, 2);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "span");
  assert_int_equal(r->event_count, 1);
  recording_open_event(r, 0);
  assert_int_equal(r->attr_count, 3);
  assert_string_equal(recording_attr(r, "exception.type")->text, "out_of_range");
  assert_string_equal(recording_attr(r, "exception.message")->text, "mine");
  recording_stop(r);
}

static void test_an_unsampled_span_is_not_recorded_but_passes_its_context_on(void **state) {
  struct recording *r = recording_start("always_off", 1024);
  struct hoist_span span, child;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, NULL, &span);
  assert_ptr_equal(span.telemetry, recording_telemetry(r));
  hoist_span_set_string(&span, "key", "value");
  hoist_span_add_event(&span, "event", NULL, 0);
  hoist_span_set_error(&span, "type", "text");
  hoist_span_start(&span, "child", HOIST_SPAN_INTERNAL, &child);
  struct hoist_span_context context = context_of(&span), child_context = context_of(&child);
  char text[HOIST_TRACEPARENT_SIZE];
  hoist_traceparent_format(&context, text);
  assert_int_equal(strlen(text), 55);
  assert_int_equal(context.flags, 0x02);
  assert_memory_equal(context.trace_id, child_context.trace_id, 16);
  assert_memory_not_equal(context.span_id, child_context.span_id, 8);
  hoist_span_end(&child);
  hoist_span_end(&span);
  recording_read(r);
  assert_int_equal(r->count, 0);
  recording_stop(r);
}

static void test_values_of_every_type_come_back(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_set_string(&span, "string", "text");
  hoist_span_set_string(&span, "empty", "");
  hoist_span_set_string(&span, "null", NULL);
  hoist_span_set_int(&span, "int", INT64_MIN);
  hoist_span_set_double(&span, "double", 0.125);
  hoist_span_set_bool(&span, "true", 7);
  hoist_span_set_bool(&span, "false", 0);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count, 6);
  assert_string_equal(recording_attr(r, "string")->text, "text");
  assert_string_equal(recording_attr(r, "empty")->text, "");
  assert_null(recording_attr(r, "null"));
  assert_true(recording_attr(r, "int")->integer == INT64_MIN);
  assert_true(recording_attr(r, "double")->number == 0.125);
  assert_int_equal(recording_attr(r, "true")->type, OTLP_BOOL);
  assert_int_equal(recording_attr(r, "true")->integer, 1);
  assert_int_equal(recording_attr(r, "false")->integer, 0);
  assert_int_equal(recording_span(r, "s")->dropped_attributes, 0);
  recording_stop(r);
}

static void test_the_last_value_of_a_key_wins(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  for (int i = 0; i < 5; i++) {
    hoist_span_set_int(&span, "first", i);
    hoist_span_add_event(&span, "between", NULL, 0);
    hoist_span_set_string(&span, "second", i % 2 ? "odd" : "a longer value than the other");
    hoist_span_set_int(&span, "third", 2 * i);
  }
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count, 3);
  assert_int_equal(r->event_count, 5);
  assert_int_equal(recording_attr(r, "first")->integer, 4);
  assert_string_equal(recording_attr(r, "second")->text, "a longer value than the other");
  assert_int_equal(recording_attr(r, "third")->integer, 8);
  recording_stop(r);
}

static void test_keys_with_the_same_fingerprint_stay_apart(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  char key[16];
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < 100; i++) {
      snprintf(key, sizeof key, "k%02dx", i);
      hoist_span_set_int(&span, key, 1000 * round + i);
    }
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count, 100);
  assert_int_equal(recording_attr(r, "k00x")->integer, 1000);
  assert_int_equal(recording_attr(r, "k99x")->integer, 1099);
  recording_stop(r);
}

static void test_long_values_are_cut_at_a_character(void **state) {
  struct recording *r = recording_start(NULL, 8);
  struct hoist_span span;
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_set_string(&span, "ascii", "0123456789");
  hoist_span_set_string(&span, "exact", "01234567");
  hoist_span_set_string(&span, "euro", "012345\xe2\x82\xac");
  hoist_span_set_string(&span, "fits", "01234\xe2\x82\xac");
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_string_equal(recording_attr(r, "ascii")->text, "01234567");
  assert_string_equal(recording_attr(r, "exact")->text, "01234567");
  assert_string_equal(recording_attr(r, "euro")->text, "012345");
  assert_string_equal(recording_attr(r, "fits")->text, "01234\xe2\x82\xac");
  recording_stop(r);
}

static void test_text_that_is_not_utf8_is_repaired(void **state) {
  static const struct {
    const char *text, *repaired;
  } cases[] = {
      {"a\xff"
       "b",
       "a\xef\xbf\xbd"
       "b"},
      {"\xc3\xa9\x80", "\xc3\xa9\xef\xbf\xbd"},
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
      {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
      {"end\xe2\x82", "end\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct recording *r = recording_start(NULL, 1024);
    struct hoist_span span;
    hoist_span_start_root(recording_telemetry(r), cases[i].text, HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_set_string(&span, "key", cases[i].text);
    hoist_span_set_string(&span, cases[i].text, "a key must be UTF-8");
    hoist_span_end(&span);
    recording_read(r);
    recording_open_span(r, cases[i].repaired);
    assert_int_equal(r->attr_count, 1);
    assert_string_equal(recording_attr(r, "key")->text, cases[i].repaired);
    assert_int_equal(recording_span(r, cases[i].repaired)->dropped_attributes, 1);
    recording_stop(r);
  }
}

static void test_what_does_not_fit_is_dropped_and_counted(void **state) {
  struct recording *r = recording_start_small();
  struct hoist_span span;
  char value[1025], key[16];
  memset(value, 'v', 1024);
  value[1024] = '\0';
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  for (int i = 0; i < 5; i++) {
    snprintf(key, sizeof key, "key%d", i);
    hoist_span_set_string(&span, key, value);
    hoist_span_add_event(&span, value, NULL, 0);
  }
  hoist_span_set_string(&span, "small", "still fits");
  hoist_span_set_int(&span, "", 1);
  hoist_span_set_int(&span, value, 1);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_non_null(recording_attr(r, "key0"));
  assert_non_null(recording_attr(r, "small"));
  assert_int_equal(recording_span(r, "s")->dropped_attributes + r->attr_count, 8);
  assert_true(r->event_count >= 1 && r->event_count < 5);
  recording_stop(r);
}

static void test_no_more_than_128_attributes_are_kept(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  char key[16];
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  for (int i = 0; i < 130; i++) {
    snprintf(key, sizeof key, "%d", i);
    hoist_span_set_bool(&span, key, 1);
  }
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_int_equal(r->attr_count, 128);
  assert_int_equal(recording_span(r, "s")->dropped_attributes, 2);
  recording_stop(r);
}

static void test_an_error_is_a_status_a_type_and_an_exception(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  struct hoist_error err = {.status = HOIST_NOT_FOUND, .message = "coins/1: no such model"};
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_set_error(&span, "first", "another text, replaced by the next");
  hoist_span_record_error(&span, &err);
  hoist_span_set_string(&span, "later", "attribute");
  hoist_span_end(&span);
  recording_read(r);
  const struct otlp_span *s = recording_span(r, "s");
  assert_int_equal(s->status_code, 2);
  assert_int_equal(s->status_message.size, strlen(err.message));
  assert_memory_equal(s->status_message.data, err.message, strlen(err.message));
  recording_open_span(r, "s");
  assert_string_equal(recording_attr(r, "error.type")->text, "not_found");
  assert_non_null(recording_attr(r, "later"));
  assert_int_equal(r->event_count, 1);
  assert_memory_equal(r->events[0].name.data, "exception", 9);
  assert_true(r->events[0].time_unix_ns >= s->start_unix_ns &&
              r->events[0].time_unix_ns <= s->end_unix_ns);
  recording_open_event(r, 0);
  assert_string_equal(recording_attr(r, "exception.type")->text, "not_found");
  assert_string_equal(recording_attr(r, "exception.message")->text, err.message);
  recording_stop(r);
}

static void test_a_full_span_still_has_room_for_its_failure(void **state) {
  struct recording *r = recording_start_small();
  struct hoist_span span;
  struct hoist_error err = {.status = HOIST_CORRUPT};
  char key[16];
  memset(err.message, 'e', sizeof err.message - 1);
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  for (int i = 0; i < 120; i++) {
    snprintf(key, sizeof key, "key%d", i);
    hoist_span_set_string(&span, key, "a value that takes up some room");
  }
  hoist_span_record_error(&span, &err);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  assert_true(recording_span(r, "s")->dropped_attributes > 0);
  assert_int_equal(recording_span(r, "s")->status_message.size, sizeof err.message - 1);
  assert_string_equal(recording_attr(r, "error.type")->text, "corrupt");
  assert_int_equal(r->event_count, 1);
  recording_stop(r);
}

static void test_an_ok_error_record_changes_nothing(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  struct hoist_error ok = {.status = HOIST_OK};
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_record_error(&span, &ok);
  hoist_span_end(&span);
  recording_read(r);
  assert_int_equal(recording_span(r, "s")->status_code, 0);
  recording_stop(r);
}

static void test_event_attributes_are_unique_too(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  const struct hoist_attr attrs[] = {
      {.key = "a", .type = HOIST_ATTR_INT, .value = {.integer = 1}},
      {.key = "b", .type = HOIST_ATTR_STRING, .value = {.string = NULL}},
      {.key = "a", .type = HOIST_ATTR_INT, .value = {.integer = 2}},
      {.key = NULL, .type = HOIST_ATTR_INT, .value = {.integer = 3}},
  };
  hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_add_event(&span, "event", attrs, 4);
  hoist_span_end(&span);
  recording_read(r);
  recording_open_span(r, "s");
  recording_open_event(r, 0);
  assert_int_equal(r->attr_count, 1);
  assert_int_equal(recording_attr(r, "a")->integer, 2);
  recording_stop(r);
}

static void test_times_of_the_caller_are_kept_and_never_run_backwards(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span root, a, b;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, NULL, &root);
  hoist_span_start_at(&root, "a", HOIST_SPAN_INTERNAL, 1000, &a);
  hoist_span_end_at(&a, 2000);
  hoist_span_start_at(&root, "b", HOIST_SPAN_INTERNAL, 5000, &b);
  hoist_span_end_at(&b, 10);
  hoist_span_end(&root);
  recording_read(r);
  assert_int_equal(recording_span(r, "a")->start_unix_ns, 1000);
  assert_int_equal(recording_span(r, "a")->end_unix_ns, 2000);
  assert_int_equal(recording_span(r, "b")->end_unix_ns, 5000);
  recording_stop(r);
}

/* What is timed before there is a span for it stands where it belongs, whatever the clock was set to. */
static void test_what_is_known_afterwards_is_timed_by_the_clock_of_its_trace(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span root, late, silent;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, NULL, &root);
  uint64_t before = telemetry_now(&root);
  atomic_fetch_sub(&r->recorder.anchor_ns, 3600 * NS_PER_S);
  atomic_store(&r->recorder.anchored_ns, clock_monotonic_ns());
  uint64_t after = telemetry_now(&root);
  assert_true(before <= after && after - before < 3600 * NS_PER_S);
  hoist_span_start_at(&root, "late", HOIST_SPAN_INTERNAL, after, &late);
  hoist_span_end(&late);
  hoist_span_end(&root);
  recording_read(r);
  const struct otlp_span *a = recording_span(r, "root"), *b = recording_span(r, "late");
  assert_true(a->start_unix_ns <= b->start_unix_ns && b->end_unix_ns <= a->end_unix_ns);
  hoist_span_start_root(NULL, "silent", HOIST_SPAN_INTERNAL, NULL, &silent);
  assert_int_equal(telemetry_now(&silent), 0);
  assert_int_equal(telemetry_now(NULL), 0);
  recording_stop(r);
}

/* The clock goes back an hour while the trace runs: as the next anchor shows, a new trace sees it. */
static void test_a_clock_that_is_set_tears_no_trace(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span root, child, later;
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, NULL, &root);
  atomic_fetch_sub(&r->recorder.anchor_ns, 3600 * NS_PER_S);
  atomic_store(&r->recorder.anchored_ns, clock_monotonic_ns());
  hoist_span_start(&root, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_add_event(&child, "event", NULL, 0);
  hoist_span_end(&child);
  hoist_span_end(&root);
  hoist_span_start_root(recording_telemetry(r), "later", HOIST_SPAN_INTERNAL, NULL, &later);
  hoist_span_end(&later);
  recording_read(r);
  recording_open_span(r, "child");
  const struct otlp_span *a = recording_span(r, "root"), *b = recording_span(r, "child");
  assert_true(a->start_unix_ns <= b->start_unix_ns);
  assert_true(b->start_unix_ns <= r->events[0].time_unix_ns);
  assert_true(r->events[0].time_unix_ns <= b->end_unix_ns);
  assert_true(b->end_unix_ns <= a->end_unix_ns);
  assert_true(recording_span(r, "later")->start_unix_ns < a->start_unix_ns);
  recording_stop(r);
}

static void *start_and_end_child(void *arg) {
  struct hoist_span child;
  hoist_span_start(arg, "in another thread", HOIST_SPAN_INTERNAL, &child);
  hoist_span_set_int(&child, "key", 1);
  hoist_span_end(&child);
  return NULL;
}

static void test_a_child_in_another_thread_hangs_under_its_parent(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span root;
  pthread_t threads[4];
  hoist_span_start_root(recording_telemetry(r), "root", HOIST_SPAN_INTERNAL, NULL, &root);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, start_and_end_child, &root), 0);
  hoist_span_set_string(&root, "meanwhile", "written");
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  struct hoist_span_context context = context_of(&root);
  hoist_span_end(&root);
  recording_read(r);
  assert_int_equal(r->count, 5);
  for (size_t i = 0; i < r->count; i++)
    if (r->spans[i].name.size != 4) assert_memory_equal(r->spans[i].parent_id, context.span_id, 8);
  recording_stop(r);
}

static void *end_span(void *arg) {
  hoist_span_set_int(arg, "key", 2);
  hoist_span_end(arg);
  return NULL;
}

static void test_a_span_may_end_in_another_thread(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span span;
  pthread_t thread;
  hoist_span_start_root(recording_telemetry(r), "handed over", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_set_int(&span, "key", 1);
  assert_int_equal(pthread_create(&thread, NULL, end_span, &span), 0);
  pthread_join(thread, NULL);
  hoist_span_end(&span); /* it has ended */
  recording_read(r);
  assert_int_equal(r->count, 1);
  recording_open_span(r, "handed over");
  assert_int_equal(recording_attr(r, "key")->integer, 2);
  recording_stop(r);
}

/* Runs in the child, where cmocka's assertions cannot report. */
static int child_records_only_its_own(struct recording *r, struct hoist_span *inherited) {
  struct hoist_span span;
  if (hoist_span_is_recording(inherited)) return 3;
  hoist_span_start(inherited, "child's", HOIST_SPAN_INTERNAL, &span);
  struct hoist_span_context mine = context_of(&span), parents = context_of(inherited);
  hoist_span_end(&span);
  hoist_span_end(inherited); /* the parent process reports it */
  struct queue *queue = &r->recorder.queue;
  struct queue_counts counts;
  queue_get_counts(queue, &counts);
  if (counts.accepted != 1 || counts.started != 1) return 1;
  return memcmp(mine.trace_id, parents.trace_id, 16) == 0 ? 0 : 2;
}

static void test_a_forked_child_drops_what_it_inherited(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span open, ended;
  hoist_span_start_root(recording_telemetry(r), "open", HOIST_SPAN_INTERNAL, NULL, &open);
  hoist_span_start(&open, "ended", HOIST_SPAN_INTERNAL, &ended);
  hoist_span_end(&ended);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(child_records_only_its_own(r, &open));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  hoist_span_end(&open);
  recording_read(r);
  assert_int_equal(r->count, 2);
  recording_stop(r);
}

/* A child whose other threads were in the middle of things when it was forked. */
static int grandchild_records(struct recording *r) {
  struct hoist_span span;
  struct queue_counts counts;
  /* as if a thread of this process had begun to take over, and was not there any more after the next fork */
  atomic_store(&r->recorder.resetting, fork_generation());
  pid_t grandchild = fork();
  if (grandchild < 0) return 3;
  if (grandchild > 0) {
    int status;
    return waitpid(grandchild, &status, 0) == grandchild && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                              : 4;
  }
  hoist_span_start_root(recording_telemetry(r), "span", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_end(&span);
  queue_get_counts(&r->recorder.queue, &counts);
  _exit(counts.started == 1 && counts.accepted == 1 ? 0 : 1);
}

static void test_a_fork_within_a_take_over_is_taken_over_again(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(grandchild_records(r));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  recording_stop(r);
}

#ifndef __SANITIZE_THREAD__
enum { CHILD_THREADS = 4, CHILD_SPANS = 2000 };

static void *record_some(void *arg) {
  for (int i = 0; i < CHILD_SPANS; i++) {
    struct hoist_span span;
    hoist_span_start_root(arg, "span", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_span_end(&span);
  }
  return NULL;
}

static int all_threads_count(struct recording *r) {
  pthread_t threads[CHILD_THREADS];
  struct queue_counts counts;
  for (int i = 0; i < CHILD_THREADS; i++)
    if (pthread_create(&threads[i], NULL, record_some, recording_telemetry(r)) != 0) return 2;
  for (int i = 0; i < CHILD_THREADS; i++)
    pthread_join(threads[i], NULL);
  queue_get_counts(&r->recorder.queue, &counts);
  uint64_t made = CHILD_THREADS * CHILD_SPANS;
  return counts.started == made && counts.accepted + counts.refused == made ? 0 : 1;
}

static void test_no_thread_of_a_child_loses_spans_to_the_take_over(void **state) {
  for (int i = 0; i < 10; i++) {
    struct recording *r = recording_start(NULL, 1024);
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(all_threads_count(r));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    recording_stop(r);
  }
}
#endif

static void test_a_value_is_never_over_8_kib_however_large_the_queue(void **state) {
  static const char *const ends[] = {"", "\xc3\xa9"};
  for (int large = 0; large < 2; large++)
    for (int i = 0; i < 2; i++) {
      struct recorder_config config = recording_config();
      config.queue_bytes = large ? UINT64_C(64) << 20 : UINT64_C(4) << 20;
      config.attribute_value_max = UINT32_MAX;
      struct recording *r = recording_start_with(&config);
      struct hoist_span span;
      char text[20000];
      memset(text, 't', sizeof text);
      memcpy(text + sizeof text - 3, ends[i], strlen(ends[i]) + 1);
      hoist_span_start_root(recording_telemetry(r), "s", HOIST_SPAN_INTERNAL, NULL, &span);
      hoist_span_set_string(&span, "long", text);
      hoist_span_end(&span);
      recording_read(r);
      recording_open_span(r, "s");
      assert_int_equal(strlen(recording_attr(r, "long")->text), 8192);
      recording_stop(r);
    }
}

static void test_a_copied_span_is_dropped_and_harms_no_other(void **state) {
  for (int is_large = 0; is_large < 2; is_large++) {
    struct recorder_config config = recording_config();
    if (is_large) config.queue_bytes = UINT64_C(64) << 20;
    struct recording *r = recording_start_with(&config);
    struct hoist_span span, copy, child;
    struct recorder_counts counts;
    char text[1000] = {0};
    memset(text, 't', sizeof text - 1);
    hoist_span_start_root(recording_telemetry(r), "original", HOIST_SPAN_INTERNAL, NULL, &span);
    for (int i = 0; i < 8; i++) { /* where it can it moves to the queue */
      char key[] = {'k', (char)('0' + i), 0};
      hoist_span_set_string(&span, key, text);
    }
    memcpy(&copy, &span, sizeof copy);
    assert_true(hoist_span_is_recording(&span));
    assert_false(hoist_span_is_recording(&copy));
    hoist_span_set_int(&copy, "lost", 1);
    hoist_span_set_string(&copy, "k0", "changed");
    hoist_span_add_event(&copy, "event", NULL, 0);
    hoist_span_set_error(&copy, "type", "text");
    hoist_span_update_name(&copy, "renamed");
    hoist_span_start(&copy, "child", HOIST_SPAN_INTERNAL, &child);
    hoist_span_end(&child);
    hoist_span_end(&copy);
    recorder_counts(&r->recorder, &counts);
    assert_int_equal(counts.refused, 1);
    hoist_span_end(&span);
    recorder_counts(&r->recorder, &counts);
    assert_int_equal(counts.started, 2);
    assert_int_equal(counts.ended, 2); /* never more than began */
    recording_read(r);
    assert_int_equal(r->count, 2);
    recording_open_span(r, "original");
    assert_null(recording_attr(r, "lost"));
    assert_int_equal(r->event_count, 0);
    assert_memory_equal(recording_span(r, "child")->trace_id,
                        recording_span(r, "original")->trace_id, 16);
    recording_stop(r);
  }
}

static void test_a_moved_span_is_lost_alone(void **state) {
  struct recording *r = recording_start(NULL, 1024);
  struct hoist_span spans[3], moved;
  struct recorder_counts counts;
  const char *const names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++)
    hoist_span_start_root(recording_telemetry(r), names[i], HOIST_SPAN_INTERNAL, NULL, &spans[i]);
  memcpy(&moved, &spans[1], sizeof moved);
  memset(&spans[1], 0x5a, sizeof spans[1]); /* its storage is gone */
  hoist_span_set_string(&moved, "key", "value");
  hoist_span_end(&spans[0]);
  hoist_span_end(&moved);
  hoist_span_end(&spans[2]);
  recorder_counts(&r->recorder, &counts);
  assert_int_equal(counts.ended, 3);
  assert_int_equal(counts.refused, 1);
  recording_read(r);
  assert_int_equal(r->count, 2);
  recording_stop(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_without_telemetry_nothing_is_touched),
      cmocka_unit_test(test_children_carry_the_trace_and_the_parent),
      cmocka_unit_test(test_a_remote_parent_is_continued_and_marked),
      cmocka_unit_test(test_a_root_has_the_callers_time_and_says_whether_its_parent_is_remote),
      cmocka_unit_test(test_an_exception_is_an_event_with_the_callers_attributes),
      cmocka_unit_test(test_an_unsampled_span_is_not_recorded_but_passes_its_context_on),
      cmocka_unit_test(test_values_of_every_type_come_back),
      cmocka_unit_test(test_the_last_value_of_a_key_wins),
      cmocka_unit_test(test_keys_with_the_same_fingerprint_stay_apart),
      cmocka_unit_test(test_long_values_are_cut_at_a_character),
      cmocka_unit_test(test_text_that_is_not_utf8_is_repaired),
      cmocka_unit_test(test_what_does_not_fit_is_dropped_and_counted),
      cmocka_unit_test(test_no_more_than_128_attributes_are_kept),
      cmocka_unit_test(test_an_error_is_a_status_a_type_and_an_exception),
      cmocka_unit_test(test_a_full_span_still_has_room_for_its_failure),
      cmocka_unit_test(test_an_ok_error_record_changes_nothing),
      cmocka_unit_test(test_event_attributes_are_unique_too),
      cmocka_unit_test(test_times_of_the_caller_are_kept_and_never_run_backwards),
      cmocka_unit_test(test_what_is_known_afterwards_is_timed_by_the_clock_of_its_trace),
      cmocka_unit_test(test_a_clock_that_is_set_tears_no_trace),
      cmocka_unit_test(test_a_child_in_another_thread_hangs_under_its_parent),
      cmocka_unit_test(test_a_span_may_end_in_another_thread),
      cmocka_unit_test(test_a_forked_child_drops_what_it_inherited),
      cmocka_unit_test(test_a_fork_within_a_take_over_is_taken_over_again),
#ifndef __SANITIZE_THREAD__
      cmocka_unit_test(test_no_thread_of_a_child_loses_spans_to_the_take_over),
#endif
      cmocka_unit_test(test_a_copied_span_is_dropped_and_harms_no_other),
      cmocka_unit_test(test_a_moved_span_is_lost_alone),
      cmocka_unit_test(test_a_value_is_never_over_8_kib_however_large_the_queue),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
