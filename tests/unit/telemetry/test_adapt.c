/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter to a host's tracer, against a tracer that writes down its calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

struct host {
  char log[1024];
  int next;
  int refuse; /* span_start returns NULL */
  uint64_t last_time;
};

static void note(struct host *h, const char *what, const char *detail, const void *span) {
  size_t used = strlen(h->log);
  snprintf(h->log + used, sizeof h->log - used, "%s(%s,%d) ", what, detail, (int)(intptr_t)span);
}

static void *span_start(void *user, const char *name, enum hoist_span_kind kind, void *parent,
                        const struct hoist_span_context *remote_parent, uint64_t start_unix_ns) {
  struct host *h = user;
  note(h, remote_parent ? "start-remote" : "start", name, parent);
  h->last_time = start_unix_ns;
  return h->refuse ? NULL : (void *)(intptr_t)++h->next;
}
static void span_set_attr(void *user, void *span, const struct hoist_attr *attr) {
  note(user, "attr", attr->key, span);
}
static void span_add_event(void *user, void *span, const char *name, uint64_t unix_ns,
                           const struct hoist_attr *attrs, size_t attr_count) {
  note(user, "event", name, span);
}
static void span_set_status(void *user, void *span, enum hoist_span_status status,
                            const char *description) {
  note(user, "error", description, span);
}
static void span_get_context(void *user, void *span, struct hoist_span_context *ret_context) {
  ret_context->span_id[0] = (uint8_t)(intptr_t)span;
}
static void span_end(void *user, void *span, uint64_t end_unix_ns) {
  struct host *h = user;
  note(h, "end", "", span);
  h->last_time = end_unix_ns;
}
static void metric_add(void *user, const struct hoist_instrument *instrument, double value,
                       const struct hoist_attr *attrs, size_t attr_count) {
  note(user, "metric", instrument->name, NULL);
}

static struct hoist_tracer table(struct host *h) {
  return (struct hoist_tracer){.size = sizeof(struct hoist_tracer),
                               .user = h,
                               .span_start = span_start,
                               .span_set_attr = span_set_attr,
                               .span_add_event = span_add_event,
                               .span_set_status = span_set_status,
                               .span_get_context = span_get_context,
                               .span_end = span_end,
                               .metric_add = metric_add};
}

static struct hoist_telemetry *adapt(struct host *h) {
  struct hoist_tracer tracer = table(h);
  struct hoist_telemetry *telemetry;
  assert_int_equal(hoist_telemetry_adapt(&tracer, &telemetry, NULL), HOIST_OK);
  return telemetry;
}

static const struct hoist_instrument counter = {.name = "count", .kind = HOIST_COUNTER};

static void test_calls_reach_the_host_with_its_own_spans(void **state) {
  struct host h = {0};
  struct hoist_telemetry *telemetry = adapt(&h);
  struct hoist_span root, child;
  struct hoist_error err = {.status = HOIST_DENIED, .message = "no"};
  hoist_span_start_root(telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &root);
  hoist_span_start_at(&root, "child", HOIST_SPAN_INTERNAL, 123, &child);
  assert_int_equal(h.last_time, 123);
  hoist_span_set_int(&child, "key", 1);
  hoist_span_record_error(&child, &err);
  struct hoist_span_context context;
  hoist_span_get_context(&child, &context);
  assert_int_equal(context.span_id[0], 2);
  hoist_span_end_at(&child, 456);
  assert_int_equal(h.last_time, 456);
  hoist_span_end(&root);
  assert_true(h.last_time > 456);
  hoist_span_end(&root);
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
  assert_string_equal(h.log, "start(root,0) start(child,1) attr(key,2) error(no,2) "
                             "attr(error.type,2) event(exception,2) end(,2) end(,1) "
                             "metric(count,0) ");
  assert_int_equal(hoist_telemetry_flush(telemetry, 0, NULL), HOIST_OK);
  hoist_telemetry_close(telemetry, 0);
}

static void test_a_span_the_host_refuses_is_never_passed_back(void **state) {
  struct host h = {.refuse = 1};
  struct hoist_telemetry *telemetry = adapt(&h);
  struct hoist_span root, child;
  struct hoist_span_context context, zero = {0}, remote = {.trace_id = {1}, .span_id = {1}};
  hoist_span_start_root(telemetry, "root", HOIST_SPAN_INTERNAL, &remote, &root);
  h.refuse = 0;
  hoist_span_start(&root, "child", HOIST_SPAN_INTERNAL, &child);
  hoist_span_set_int(&child, "key", 1);
  hoist_span_set_error(&root, "type", "text");
  hoist_span_add_event(&root, "event", NULL, 0);
  hoist_span_get_context(&root, &context);
  assert_memory_equal(&context, &zero, sizeof zero);
  assert_ptr_equal(child.telemetry, telemetry); /* metrics still find their way */
  hoist_span_end(&child);
  hoist_span_end(&root);
  assert_string_equal(h.log, "start-remote(root,0) ");
  hoist_telemetry_close(telemetry, 0);
}

static void test_a_table_without_a_required_function_is_invalid(void **state) {
  struct host h = {0};
  struct hoist_telemetry *telemetry = NULL;
  struct hoist_error err;
  for (int missing = 0; missing < 8; missing++) {
    struct hoist_tracer t = table(&h);
    if (missing == 0) t.span_start = NULL;
    if (missing == 1) t.span_set_attr = NULL;
    if (missing == 2) t.span_add_event = NULL;
    if (missing == 3) t.span_set_status = NULL;
    if (missing == 4) t.span_get_context = NULL;
    if (missing == 5) t.span_end = NULL;
    if (missing == 6) t.size = 0;
    if (missing == 7) t.size = sizeof t + 8;
    assert_int_equal(hoist_telemetry_adapt(&t, &telemetry, &err), HOIST_INVALID);
    assert_null(telemetry);
  }
}

static void test_a_host_need_not_take_metrics(void **state) {
  struct host h = {0};
  struct hoist_tracer t = table(&h);
  struct hoist_telemetry *telemetry;
  struct hoist_telemetry_status status;
  t.size = offsetof(struct hoist_tracer, metric_add);
  assert_int_equal(hoist_telemetry_adapt(&t, &telemetry, NULL), HOIST_OK);
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.spans_ended, 0);
  assert_string_equal(h.log, "");
  hoist_telemetry_close(telemetry, 0);
}

/* What reached the host: the last measurement's attributes, as text. */
static char seen[256];

static void note_attrs(void *user, const struct hoist_instrument *instrument, double value,
                       const struct hoist_attr *attrs, size_t attr_count) {
  int used = snprintf(seen, sizeof seen, "%s %g", instrument->name, value);
  for (size_t i = 0; i < attr_count; i++) {
    const struct hoist_attr *a = &attrs[i];
    char *out = seen + used;
    size_t room = sizeof seen - (size_t)used;
    if (a->type == HOIST_ATTR_STRING)
      used += snprintf(out, room, " %s=%s", a->key, a->value.string);
    else if (a->type == HOIST_ATTR_STRING_ARRAY)
      used += snprintf(out, room, " %s=%s,%s", a->key, a->value.strings[0],
                       a->value.strings[1] ? a->value.strings[1] : "NULL");
    else if (a->type == HOIST_ATTR_INT_ARRAY)
      used += snprintf(out, room, " %s=%d,%d", a->key, (int)a->value.integers[0],
                       (int)a->value.integers[1]);
    else
      used += snprintf(out, room, " %s=%d", a->key, (int)a->value.integer);
  }
}

static void test_a_bound_instrument_keeps_its_attributes(void **state) {
  struct host h = {0};
  struct hoist_tracer t = table(&h);
  struct hoist_telemetry *telemetry;
  t.metric_add = note_attrs;
  assert_int_equal(hoist_telemetry_adapt(&t, &telemetry, NULL), HOIST_OK);
  char key[] = "key", text[] = "text";
  const char *texts[] = {text, NULL};
  int64_t numbers[] = {3, 4};
  struct hoist_attr attrs[] = {
      {.key = key, .type = HOIST_ATTR_STRING, .value = {.string = text}},
      {.key = "n", .type = HOIST_ATTR_INT, .value = {.integer = 7}},
      {.key = "texts", .type = HOIST_ATTR_STRING_ARRAY, .count = 2, .value = {.strings = texts}},
      {.key = "numbers", .type = HOIST_ATTR_INT_ARRAY, .count = 2, .value = {.integers = numbers}}};
  struct hoist_bound *bound = hoist_metric_bind(telemetry, &counter, attrs, 4);
  struct hoist_bound *plain = hoist_metric_bind(telemetry, &counter, NULL, 0);
  memset(key, 'x', 3); /* all of it was copied */
  memset(text, 'x', 4);
  memset(numbers, 0, sizeof numbers);
  memset(attrs, 0, sizeof attrs);
  texts[0] = NULL;
  hoist_bound_add(bound, 2.5);
  assert_string_equal(seen, "count 2.5 key=text n=7 texts=text,NULL numbers=3,4");
  hoist_bound_add(plain, 1);
  assert_string_equal(seen, "count 1");
  hoist_telemetry_close(telemetry, 0);
}

static void test_a_host_without_metrics_binds_nothing(void **state) {
  struct host h = {0};
  struct hoist_tracer t = table(&h);
  struct hoist_telemetry *telemetry;
  char *text;
  size_t size;
  t.metric_add = NULL;
  assert_int_equal(hoist_telemetry_adapt(&t, &telemetry, NULL), HOIST_OK);
  assert_null(hoist_metric_bind(telemetry, &counter, NULL, 0));
  assert_int_equal(hoist_telemetry_prometheus(telemetry, &text, &size, NULL), HOIST_UNSUPPORTED);
  hoist_telemetry_close(telemetry, 0);
}

static void test_no_telemetry_is_fine_everywhere(void **state) {
  struct hoist_telemetry_status status;
  hoist_metric_add(NULL, &counter, 1, NULL, 0);
  assert_int_equal(hoist_telemetry_flush(NULL, 0, NULL), HOIST_OK);
  hoist_telemetry_get_status(NULL, &status);
  assert_string_equal(status.last_error, "");
  hoist_telemetry_close(NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_calls_reach_the_host_with_its_own_spans),
      cmocka_unit_test(test_a_span_the_host_refuses_is_never_passed_back),
      cmocka_unit_test(test_a_table_without_a_required_function_is_invalid),
      cmocka_unit_test(test_a_host_need_not_take_metrics),
      cmocka_unit_test(test_a_bound_instrument_keeps_its_attributes),
      cmocka_unit_test(test_a_host_without_metrics_binds_nothing),
      cmocka_unit_test(test_no_telemetry_is_fine_everywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
