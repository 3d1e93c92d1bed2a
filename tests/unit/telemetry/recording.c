/* SPDX-License-Identifier: Apache-2.0 */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

struct recording *recording_start(const char *sampler, uint32_t value_max) {
  struct recording *r = calloc(1, sizeof *r);
  struct recorder_config config = {.queue_bytes = 1 << 20, .attribute_value_max = value_max};
  assert_non_null(r);
  assert_int_equal(sampler_parse(sampler, NULL, &config.sampler, NULL), HOIST_OK);
  assert_int_equal(recorder_init(&r->recorder, &config, NULL), HOIST_OK);
  r->data = buf_make(1 << 20);
  return r;
}

void recording_stop(struct recording *r) {
  recorder_done(&r->recorder);
  buf_done(&r->data);
  free(r);
}

struct hoist_telemetry *recording_telemetry(struct recording *r) {
  return &r->recorder.base;
}

static enum hoist_status keep_span(void *user, const struct otlp_span *span,
                                   struct hoist_error *err) {
  struct recording *r = user;
  assert_true(r->count < RECORDING_SPANS_MAX);
  r->spans[r->count++] = *span;
  return HOIST_OK;
}

void recording_read(struct recording *r) {
  struct queue *queue = &r->recorder.queue;
  HOIST_AUTO(buf) struct buf frames = buf_make(1 << 20);
  for (size_t left = queue_seal(queue); left > 0; left--) {
    struct chunk *chunk = queue_take(queue);
    assert_int_equal(buf_append(&frames, chunk->data, chunk->size, NULL), HOIST_OK);
    queue_release(queue, chunk);
  }
  uint8_t head[32], scope_head[16];
  size_t scope_size = (size_t)(wire_put_head(scope_head, 0x12, frames.size) - scope_head);
  uint8_t *p = wire_put_head(head, 0x0a, scope_size + frames.size);
  p = wire_put_raw(p, scope_head, scope_size);
  assert_int_equal(buf_append(&r->data, head, (size_t)(p - head), NULL), HOIST_OK);
  assert_int_equal(buf_append(&r->data, frames.data, frames.size, NULL), HOIST_OK);
  r->count = 0;
  assert_int_equal(otlp_each_span(r->data.data, r->data.size, keep_span, r, NULL), HOIST_OK);
}

static bool equals(struct otlp_bytes bytes, const char *text) {
  return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

const struct otlp_span *recording_span(const struct recording *r, const char *name) {
  for (size_t i = 0; i < r->count; i++)
    if (equals(r->spans[i].name, name)) return &r->spans[i];
  fail_msg("no span %s", name);
  return NULL;
}

static enum hoist_status keep_attr(void *user, const struct otlp_attr *attr,
                                   struct hoist_error *err) {
  struct recording *r = user;
  assert_true(r->attr_count < RECORDING_ATTRS_MAX);
  struct recorded_attr *to = &r->attrs[r->attr_count++];
  *to =
      (struct recorded_attr){.type = attr->type, .integer = attr->integer, .number = attr->number};
  assert_true(attr->key.size < sizeof to->key && attr->string.size < sizeof to->text);
  memcpy(to->key, attr->key.data, attr->key.size);
  if (attr->string.size) memcpy(to->text, attr->string.data, attr->string.size);
  return HOIST_OK;
}

static enum hoist_status keep_event(void *user, const struct otlp_event *event,
                                    struct hoist_error *err) {
  struct recording *r = user;
  assert_true(r->event_count < RECORDING_ATTRS_MAX);
  r->events[r->event_count++] = *event;
  return HOIST_OK;
}

void recording_open_span(struct recording *r, const char *name) {
  const struct otlp_span *span = recording_span(r, name);
  r->attr_count = r->event_count = 0;
  assert_int_equal(otlp_each_attr(span->raw, 0, keep_attr, r, NULL), HOIST_OK);
  assert_int_equal(otlp_each_event(span->raw, keep_event, r, NULL), HOIST_OK);
}

void recording_open_event(struct recording *r, size_t index) {
  assert_true(index < r->event_count);
  r->attr_count = 0;
  assert_int_equal(otlp_each_event_attr(r->events[index].raw, keep_attr, r, NULL), HOIST_OK);
}

const struct recorded_attr *recording_attr(const struct recording *r, const char *key) {
  const struct recorded_attr *found = NULL;
  for (size_t i = 0; i < r->attr_count; i++)
    if (strcmp(r->attrs[i].key, key) == 0) {
      assert_null(found); /* keys are unique */
      found = &r->attrs[i];
    }
  return found;
}
