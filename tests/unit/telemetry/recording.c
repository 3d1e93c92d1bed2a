/* SPDX-License-Identifier: Apache-2.0 */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

struct recorder_config recording_config(void) {
  struct recorder_config config = {
      .queue_bytes = 4 << 20, .attribute_value_max = 1024, .limits = {128, 128, 128, 128, 128}};
  assert_int_equal(sampler_parse(NULL, NULL, &config.sampler, NULL), HOIST_OK);
  return config;
}

struct recording *recording_start_with(const struct recorder_config *config) {
  static const struct lifetime_ops none;
  struct recording *r = calloc(1, sizeof *r);
  assert_non_null(r);
  assert_int_equal(recorder_init(&r->recorder, config, &none, NULL), HOIST_OK);
  r->data = buf_make(4 << 20);
  return r;
}

struct recording *recording_start(const char *sampler, uint32_t value_max) {
  struct recorder_config config = recording_config();
  config.attribute_value_max = value_max;
  assert_int_equal(sampler_parse(sampler, NULL, &config.sampler, NULL), HOIST_OK);
  return recording_start_with(&config);
}

void recording_stop(struct recording *r) {
  recorder_done(&r->recorder);
  buf_done(&r->data);
  free(r);
}

struct hoist_telemetry *recording_telemetry(struct recording *r) {
  return &r->recorder.scopes[0].base;
}

static enum hoist_status keep_span(void *user, const struct otlp_span *span,
                                   struct hoist_error *err) {
  struct recording *r = user;
  assert_true(r->count < RECORDING_SPANS_MAX);
  r->spans[r->count++] = *span;
  return HOIST_OK;
}

/* Frames come with the number of their scope in front, which the message has not. */
static void append_frames(struct recording *r, struct queue_piece piece, struct buf *out) {
  struct wire_field field;
  for (size_t at = 0; at < piece.size;) {
    const uint8_t *frame = piece.data + at + 1;
    struct wire_reader reader = wire_read(frame, piece.size - at - 1);
    assert_int_equal(wire_next(&reader, &field), WIRE_FIELD);
    size_t size = (size_t)(reader.at - frame);
    assert_true(r->frame_count < RECORDING_SPANS_MAX);
    r->frame_scopes[r->frame_count++] = piece.data[at];
    assert_int_equal(buf_append(out, frame, size, NULL), HOIST_OK);
    at += 1 + size;
  }
}

void recording_read(struct recording *r) {
  struct queue *queue = &r->recorder.queue;
  struct queue_round round;
  struct queue_piece piece;
  HOIST_AUTO(buf) struct buf frames = buf_make(4 << 20);
  r->frame_count = 0;
  queue_begin(queue, &round);
  while (queue_next(queue, &round, &piece))
    append_frames(r, piece, &frames);
  uint8_t head[32], scope_head[16];
  size_t scope_size = (size_t)(wire_put_head(scope_head, 0x12, frames.size) - scope_head);
  uint8_t *p = wire_put_head(head, 0x0a, scope_size + frames.size);
  p = wire_put_raw(p, scope_head, scope_size);
  buf_clear(&r->data);
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
