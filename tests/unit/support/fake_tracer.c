/* SPDX-License-Identifier: Apache-2.0 */
/* The remembering tracer. */
#include "fake_tracer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void attr_text(const struct hoist_attr *attr, char *out, size_t size) {
  switch (attr->type) {
  case HOIST_ATTR_STRING:
    snprintf(out, size, "%s", attr->value.string);
    break;
  case HOIST_ATTR_INT:
    snprintf(out, size, "%lld", (long long)attr->value.integer);
    break;
  case HOIST_ATTR_DOUBLE:
    snprintf(out, size, "%g", attr->value.number);
    break;
  case HOIST_ATTR_BOOL:
    snprintf(out, size, "%s", attr->value.integer ? "true" : "false");
    break;
  case HOIST_ATTR_STRING_ARRAY:
  case HOIST_ATTR_INT_ARRAY:
  case HOIST_ATTR_DOUBLE_ARRAY:
  case HOIST_ATTR_BOOL_ARRAY:
    snprintf(out, size, "[%u]", attr->count);
    break;
  }
}

static void *span_start(void *user, const char *name, enum hoist_span_kind kind, void *parent,
                        const struct hoist_span_context *remote_parent, uint64_t start_unix_ns) {
  struct fake_tracer *t = user;
  (void)kind;
  (void)remote_parent;
  pthread_mutex_lock(&t->lock);
  assert_true(t->span_count < FAKE_MAX_SPANS);
  struct fake_span *span = &t->spans[t->span_count];
  *span = (struct fake_span){.index = t->span_count++,
                             .parent = parent ? ((struct fake_span *)parent)->index : -1,
                             .start_ns = start_unix_ns};
  snprintf(span->name, sizeof span->name, "%s", name);
  pthread_mutex_unlock(&t->lock);
  return span;
}

static void span_set_attr(void *user, void *target, const struct hoist_attr *attr) {
  struct fake_span *span = target;
  (void)user;
  int i = 0;
  while (i < span->attr_count && strcmp(span->attrs[i].key, attr->key) != 0)
    i++;
  assert_true(i < FAKE_MAX_ATTRS);
  if (i == span->attr_count) span->attr_count++;
  snprintf(span->attrs[i].key, sizeof span->attrs[i].key, "%s", attr->key);
  attr_text(attr, span->attrs[i].value, sizeof span->attrs[i].value);
}

static void span_add_event(void *user, void *target, const char *name, uint64_t unix_ns,
                           const struct hoist_attr *attrs, size_t attr_count) {
  struct fake_span *span = target;
  (void)user;
  (void)attrs;
  (void)attr_count;
  span->exception_events += strcmp(name, "exception") == 0;
}

static void span_set_status(void *user, void *target, enum hoist_span_status status,
                            const char *description) {
  struct fake_span *span = target;
  (void)user;
  if (status != HOIST_SPAN_ERROR) return;
  span->errors++;
  snprintf(span->description, sizeof span->description, "%s", description ? description : "");
}

static void span_get_context(void *user, void *target, struct hoist_span_context *ret_context) {
  const struct fake_span *span = target;
  (void)user;
  *ret_context = (struct hoist_span_context){.trace_id = {1}, .flags = 1};
  ret_context->span_id[0] = (uint8_t)(span->index + 1);
}

static void span_end(void *user, void *target, uint64_t end_unix_ns) {
  struct fake_span *span = target;
  (void)user;
  assert_int_equal(span->ended, 0);
  span->ended = 1;
  span->end_ns = end_unix_ns;
}

static void metric_add(void *user, const struct hoist_instrument *instrument, double value,
                       const struct hoist_attr *attrs, size_t attr_count) {
  struct fake_tracer *t = user;
  char text[256] = "";
  for (size_t i = 0; i < attr_count; i++) {
    char one[128];
    attr_text(&attrs[i], one, sizeof one);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s%s=%s", i ? "," : "", attrs[i].key, one);
  }
  pthread_mutex_lock(&t->lock);
  int i = 0;
  while (i < t->metric_count && (strcmp(t->metrics[i].name, instrument->name) != 0 ||
                                 strcmp(t->metrics[i].attrs, text) != 0))
    i++;
  assert_true(i < 64);
  if (i == t->metric_count) {
    t->metric_count++;
    snprintf(t->metrics[i].name, sizeof t->metrics[i].name, "%s", instrument->name);
    snprintf(t->metrics[i].attrs, sizeof t->metrics[i].attrs, "%s", text);
  }
  t->metrics[i].sum += value;
  t->metrics[i].count++;
  pthread_mutex_unlock(&t->lock);
}

struct fake_tracer *fake_tracer_new(void) {
  struct fake_tracer *t = calloc(1, sizeof *t);
  assert_non_null(t);
  pthread_mutex_init(&t->lock, NULL);
  t->table = (struct hoist_tracer){
      .size = sizeof t->table,
      .user = t,
      .span_start = span_start,
      .span_set_attr = span_set_attr,
      .span_add_event = span_add_event,
      .span_set_status = span_set_status,
      .span_get_context = span_get_context,
      .span_end = span_end,
      .metric_add = metric_add,
  };
  assert_int_equal(hoist_telemetry_adapt(&t->table, &t->telemetry, NULL), HOIST_OK);
  return t;
}

void fake_tracer_free(struct fake_tracer *t) {
  hoist_telemetry_close(t->telemetry, 0);
  pthread_mutex_destroy(&t->lock);
  free(t);
}

/* Others may still be starting spans. */
static void lock(const struct fake_tracer *t) {
  pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&t->lock);
}

static void unlock(const struct fake_tracer *t) {
  pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&t->lock);
}

const struct fake_span *fake_span(const struct fake_tracer *t, const char *name, int n) {
  const struct fake_span *found = NULL;
  lock(t);
  for (int i = 0; i < t->span_count && !found; i++)
    if (strcmp(t->spans[i].name, name) == 0 && n-- == 0) found = &t->spans[i];
  unlock(t);
  return found;
}

int fake_span_count(const struct fake_tracer *t, const char *name) {
  int count = 0;
  lock(t);
  for (int i = 0; i < t->span_count; i++)
    count += strcmp(t->spans[i].name, name) == 0;
  unlock(t);
  return count;
}

const char *fake_attr(const struct fake_span *span, const char *key) {
  for (int i = 0; span && i < span->attr_count; i++)
    if (strcmp(span->attrs[i].key, key) == 0) return span->attrs[i].value;
  return NULL;
}

double fake_metric_sum(const struct fake_tracer *t, const char *name, const char *attrs) {
  double sum = 0;
  lock(t);
  for (int i = 0; i < t->metric_count; i++)
    if (strcmp(t->metrics[i].name, name) == 0 && strstr(t->metrics[i].attrs, attrs))
      sum += t->metrics[i].sum;
  unlock(t);
  return sum;
}

void fake_tracer_check(const struct fake_tracer *t, const char *secret) {
  for (int i = 0; i < t->span_count; i++) {
    const struct fake_span *span = &t->spans[i];
    assert_true(span->ended);
    assert_true(span->end_ns >= span->start_ns);
    if (span->parent >= 0) assert_true(span->start_ns >= t->spans[span->parent].start_ns);
    if (!secret) continue;
    assert_null(strstr(span->description, secret));
    for (int j = 0; j < span->attr_count; j++)
      assert_null(strstr(span->attrs[j].value, secret));
  }
}
