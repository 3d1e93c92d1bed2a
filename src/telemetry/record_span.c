/* SPDX-License-Identifier: Apache-2.0 */
/* Recording a span: it is written as an OTLP Span message from the start, into the caller's struct
 * hoist_span, so that ending it is a few bytes more and one copy into the queue; nothing here
 * allocates. The thread that uses the span is the only one that writes to it; starting a child in
 * another thread reads only what start has set. */
#include <string.h>

#include "attr.h"
#include "bound.h"
#include "clock.h"
#include "context.h"
#include "ids.h"
#include "recorder.h"
#include "wire.h"

enum {
  SPAN_TRACE_ID = WIRE_TAG(1, WIRE_BYTES),
  SPAN_SPAN_ID = WIRE_TAG(2, WIRE_BYTES),
  SPAN_PARENT_ID = WIRE_TAG(4, WIRE_BYTES),
  SPAN_NAME = WIRE_TAG(5, WIRE_BYTES),
  SPAN_KIND = WIRE_TAG(6, WIRE_VARINT),
  SPAN_START = WIRE_TAG(7, WIRE_FIXED64),
  SPAN_END = WIRE_TAG(8, WIRE_FIXED64),
  SPAN_ATTRIBUTE = WIRE_TAG(9, WIRE_BYTES),
  SPAN_DROPPED_ATTRIBUTES = WIRE_TAG(10, WIRE_VARINT),
  SPAN_EVENT = WIRE_TAG(11, WIRE_BYTES),
  SPAN_DROPPED_EVENTS = WIRE_TAG(12, WIRE_VARINT),
  SPAN_STATUS = WIRE_TAG(15, WIRE_BYTES),
  STATUS_MESSAGE = WIRE_TAG(2, WIRE_BYTES),
  STATUS_CODE = WIRE_TAG(3, WIRE_VARINT),
  STATUS_CODE_ERROR = 2,
  EVENT_TIME = WIRE_TAG(1, WIRE_FIXED64),
  EVENT_NAME = WIRE_TAG(2, WIRE_BYTES),
  EVENT_ATTRIBUTE = WIRE_TAG(3, WIRE_BYTES),
  SCOPE_SPANS_SPAN = WIRE_TAG(2, WIRE_BYTES),
  HAS_IS_REMOTE = 0x100, /* bits of Span.flags beside the W3C ones */
  IS_REMOTE = 0x200,
};

enum {
  NAME_MAX_BYTES = 255,
  DESCRIPTION_MAX = HOIST_ERROR_MESSAGE_SIZE - 1,
  ATTRS_MAX = 128,
  EVENTS_MAX = 128,
  /* Kept free for what a failure adds: status, error.type and one exception event. */
  ERROR_RESERVE = 1200,
  /* Kept free for what the end adds: time, flags, dropped counts, a status without message. */
  END_RESERVE = 32,
  /* Every message begins with trace id and span id: where they are. */
  TRACE_ID_AT = 2,
  SPAN_ID_AT = 20,
  IDS_SIZE = 28,
};

/* Overlays struct hoist_span behind its first member. */
struct record {
  uint64_t start_unix_ns;
  uint64_t anchor_ns;  /* of the trace: realtime minus monotonic */
  uint64_t keys_seen;  /* a bit per hash of a key set: a clear bit saves the search for it */
  unsigned generation; /* of fork_generation(), at the start */
  unsigned slot;       /* of the queue */
  uint16_t size;       /* of the message so far */
  uint16_t items_at;   /* where attributes, events and status begin in it */
  uint16_t attr_count, event_count, dropped_attrs, dropped_events;
  uint8_t flags;
  uint8_t parent_is_remote;
  uint8_t is_recording, is_error, has_status;
  uint8_t message[];
} __attribute__((may_alias));

#define MESSAGE_MAX                                                                                \
  (sizeof(((struct hoist_span *)NULL)->private_) - offsetof(struct record, message))
_Static_assert(MESSAGE_MAX + 4 <= QUEUE_FRAME_MAX, "a span fits a frame");
_Static_assert(MESSAGE_MAX < 1 << 14, "lengths in a message take at most two bytes");

static inline struct record *record_of(struct hoist_span *span) {
  return (struct record *)span->private_;
}

static inline const struct record *peek(const struct hoist_span *span) {
  return (const struct record *)span->private_;
}

static inline struct recorder *recorder_of(const struct hoist_span *span) {
  return (struct recorder *)span->telemetry;
}

/* Ids, sampling and flags: what a span has whether it is recorded or not. `parent_id` is NULL for
 * the first span of a trace. */
static inline void identify(struct record *r, const uint8_t *trace_id, const uint8_t *parent_id,
                            uint8_t parent_flags, const struct sampler *sampler) {
  wire_put_head(r->message, SPAN_TRACE_ID, 16);
  wire_put_head(r->message + SPAN_ID_AT - 2, SPAN_SPAN_ID, 8);
  if (parent_id) memcpy(r->message + TRACE_ID_AT, trace_id, 16);
  r->slot = ids_fill(parent_id ? NULL : r->message + TRACE_ID_AT, r->message + SPAN_ID_AT);
  r->is_recording = sampler_decide(sampler, r->message + TRACE_ID_AT, parent_id != NULL,
                                   parent_flags & CONTEXT_SAMPLED);
  r->flags = (uint8_t)((parent_flags & CONTEXT_RANDOM) | (r->is_recording ? CONTEXT_SAMPLED : 0));
}

/* What is known at the start, behind the ids. */
static inline void begin_message(struct record *r, const uint8_t *parent_id, const char *name,
                                 enum hoist_span_kind kind) {
  uint8_t *p = r->message + IDS_SIZE;
  if (parent_id) p = wire_put_bytes(p, SPAN_PARENT_ID, parent_id, 8);
  p = wire_put_number(p, SPAN_KIND, (unsigned)kind);
  p = wire_put_fixed64(p, SPAN_START, r->start_unix_ns);
  p = text_put(p, r->message + MESSAGE_MAX, SPAN_NAME, name ? name : "", NAME_MAX_BYTES);
  r->size = r->items_at = (uint16_t)(p - r->message);
}

static void span_start(struct hoist_telemetry *telemetry, const struct span_start *how,
                       struct hoist_span *ret_span) {
  struct recorder *recorder = (struct recorder *)telemetry;
  struct record *r = record_of(ret_span);
  const struct record *parent = how->parent ? peek(how->parent) : NULL;
  const uint8_t *parent_id = NULL;
  if (parent) {
    parent_id = parent->message + SPAN_ID_AT;
    identify(r, parent->message + TRACE_ID_AT, parent_id, parent->flags, &recorder->config.sampler);
  } else if (how->remote) {
    parent_id = how->remote->span_id;
    identify(r, how->remote->trace_id, parent_id, how->remote->flags, &recorder->config.sampler);
  } else {
    identify(r, NULL, NULL, CONTEXT_RANDOM, &recorder->config.sampler);
  }
  ret_span->telemetry = telemetry;
  if (!r->is_recording) return;
  uint64_t now = clock_monotonic_ns();
  r->anchor_ns =
      parent && parent->is_recording ? parent->anchor_ns : recorder_anchor(recorder, now);
  r->start_unix_ns = how->start_unix_ns ? how->start_unix_ns : now + r->anchor_ns;
  r->keys_seen = 0;
  r->generation = fork_generation();
  r->attr_count = r->event_count = r->dropped_attrs = r->dropped_events = 0;
  r->parent_is_remote = how->remote != NULL;
  r->is_error = r->has_status = 0;
  begin_message(r, parent_id, how->name, how->kind);
}

static inline uint8_t *message_end(struct record *r) {
  return r->message + r->size;
}

/* Where writing must stop: a span that has not failed leaves room for failing. */
static inline const uint8_t *limit_of(const struct record *r) {
  return r->message + MESSAGE_MAX - END_RESERVE - (r->is_error ? 0 : ERROR_RESERVE);
}

/* A field of the message; written by this file, so it is well-formed. */
struct item {
  uint8_t tag;
  uint8_t *start, *body, *end;
};

static struct item item_at(uint8_t *p) {
  struct item item = {.tag = p[0], .start = p};
  size_t size = p[1] & 0x7f;
  item.body = p + 2;
  if (p[1] & 0x80) {
    size |= (size_t)p[2] << 7;
    item.body = p + 3;
  }
  item.end = item.body + size;
  return item;
}

static void remove_item(struct record *r, struct item item) {
  size_t behind = (size_t)(message_end(r) - item.end);
  memmove(item.start, item.end, behind);
  r->size = (uint16_t)(item.start + behind - r->message);
}

static bool has_key(struct item item, const char *key, size_t key_size) {
  /* KeyValue.key comes first: tag, length in one byte, text */
  return item.tag == SPAN_ATTRIBUTE && item.body[1] == key_size &&
         memcmp(item.body + 2, key, key_size) == 0;
}

static void remove_key(struct record *r, const char *key, size_t key_size) {
  for (uint8_t *p = r->message + r->items_at; p < message_end(r);) {
    struct item item = item_at(p);
    if (has_key(item, key, key_size)) {
      remove_item(r, item);
      r->attr_count--;
      return;
    }
    p = item.end;
  }
}

static inline void forget_earlier(struct record *r, const char *key, size_t size) {
  unsigned hash =
      (unsigned)size * 7 + (unsigned char)key[size - 1] + (unsigned char)key[size / 2] * 31u;
  uint64_t bit = UINT64_C(1) << (hash & 63);
  if (r->keys_seen & bit) remove_key(r, key, size);
  r->keys_seen |= bit;
}

static void count(uint16_t *dropped) {
  if (*dropped < UINT16_MAX) ++*dropped;
}

static void set_attr(struct hoist_span *span, const struct hoist_attr *attr, size_t size,
                     size_t text_size) {
  struct record *r = record_of(span);
  uint8_t *end = NULL;
  if (!r->is_recording) return;
  size_t key_size = attr_key_size(attr->key);
  if (key_size > 0) forget_earlier(r, attr->key, key_size);
  if (key_size > 0 && r->attr_count < ATTRS_MAX)
    end = attr_put(message_end(r), limit_of(r), SPAN_ATTRIBUTE, attr, key_size,
                   recorder_of(span)->config.attribute_value_max);
  if (!end) {
    count(&r->dropped_attrs);
    return;
  }
  r->size = (uint16_t)(end - r->message);
  r->attr_count++;
}

/* The event's fields to [p, end); NULL where it does not fit. An event is kept whole or not at all.
 */
static uint8_t *put_event(uint8_t *p, const uint8_t *end, uint64_t unix_ns, const char *name,
                          const struct hoist_attr *attrs, size_t attr_count, size_t text_max) {
  if ((size_t)(end - p) < 1 + sizeof unix_ns) return NULL;
  p = wire_put_fixed64(p, EVENT_TIME, unix_ns);
  p = text_put(p, end, EVENT_NAME, name, NAME_MAX_BYTES);
  for (size_t i = 0; p && i < attr_count; i++) {
    size_t key_size = attr_key_size(attrs[i].key);
    bool is_null = attrs[i].type == HOIST_ATTR_STRING && !attrs[i].value.string;
    if (key_size > 0 && !is_null && !attr_is_overridden(attrs, attr_count, i))
      p = attr_put(p, end, EVENT_ATTRIBUTE, &attrs[i], key_size, text_max);
  }
  return p;
}

static void add_event(struct hoist_span *span, const struct span_event *event) {
  const char *name = event->name;
  const struct hoist_attr *attrs = event->attrs;
  size_t attr_count = event->attr_count;
  enum { HEAD_MAX = 3 };
  struct record *r = record_of(span);
  if (!r->is_recording) return;
  uint8_t *start = message_end(r), *end = NULL;
  const uint8_t *limit = limit_of(r);
  if (r->event_count < EVENTS_MAX && attr_count <= ATTRS_MAX && limit - start > HEAD_MAX)
    end = put_event(start + HEAD_MAX, limit, clock_monotonic_ns() + r->anchor_ns, name, attrs,
                    attr_count, recorder_of(span)->config.attribute_value_max);
  if (!end) {
    count(&r->dropped_events);
    return;
  }
  size_t size = (size_t)(end - start) - HEAD_MAX;
  uint8_t *body = wire_put_head(start, SPAN_EVENT, size);
  memmove(body, start + HEAD_MAX, size); /* a short event's head is a byte shorter */
  r->size = (uint16_t)(body + size - r->message);
  r->event_count++;
}

static void remove_status(struct record *r) {
  for (uint8_t *p = r->message + r->items_at; r->has_status && p < message_end(r);) {
    struct item item = item_at(p);
    if (item.tag == SPAN_STATUS) {
      remove_item(r, item);
      r->has_status = 0;
    }
    p = item.end;
  }
}

static void set_status(struct hoist_span *span, enum hoist_span_status code,
                       const char *description) {
  uint8_t status[DESCRIPTION_MAX + 8], *p = status;
  struct record *r = record_of(span);
  if (!r->is_recording) return;
  remove_status(r);
  r->is_error = 1;
  if (*description)
    p = text_put(p, status + sizeof status, STATUS_MESSAGE, description, DESCRIPTION_MAX);
  size_t size = (size_t)(wire_put_number(p, STATUS_CODE, STATUS_CODE_ERROR) - status);
  if (wire_bytes_size(size) > (size_t)(limit_of(r) - message_end(r)))
    return; /* the bare code is written at the end */
  p = wire_put_bytes(message_end(r), SPAN_STATUS, status, size);
  r->size = (uint16_t)(p - r->message);
  r->has_status = 1;
}

static void get_context(const struct hoist_span *span, struct hoist_span_context *ret_context) {
  const struct record *r = peek(span);
  memcpy(ret_context->trace_id, r->message + TRACE_ID_AT, sizeof ret_context->trace_id);
  memcpy(ret_context->span_id, r->message + SPAN_ID_AT, sizeof ret_context->span_id);
  ret_context->flags = r->flags;
  ret_context->remote = 0;
}

static inline void end_message(struct record *r, uint64_t end_unix_ns) {
  uint8_t *p = wire_put_fixed64(message_end(r), SPAN_END, end_unix_ns);
  if (r->dropped_attrs) p = wire_put_number(p, SPAN_DROPPED_ATTRIBUTES, r->dropped_attrs);
  if (r->dropped_events) p = wire_put_number(p, SPAN_DROPPED_EVENTS, r->dropped_events);
  if (r->is_error && !r->has_status) {
    p = wire_put_head(p, SPAN_STATUS, 2);
    p = wire_put_number(p, STATUS_CODE, STATUS_CODE_ERROR);
  }
  uint32_t flags =
      wire_le32(r->flags | HAS_IS_REMOTE | (r->parent_is_remote ? (uint32_t)IS_REMOTE : 0));
  p = wire_put_varint(p, 16 << 3 | WIRE_FIXED32);
  p = wire_put_raw(p, &flags, sizeof flags);
  r->size = (uint16_t)(p - r->message);
}

static inline void enqueue(struct recorder *recorder, const struct record *r) {
  struct shard *shard;
  uint8_t *frame = queue_reserve(&recorder->queue, r->slot, wire_bytes_size(r->size), &shard);
  if (frame) wire_put_bytes(frame, SCOPE_SPANS_SPAN, r->message, r->size);
  if (queue_commit(shard) && recorder->config.on_pressure)
    recorder->config.on_pressure(recorder->config.user);
}

static void span_end(struct hoist_span *span, uint64_t end_unix_ns) {
  struct record *r = record_of(span);
  struct recorder *recorder = recorder_of(span);
  if (!r->is_recording) return;
  if (end_unix_ns == 0) end_unix_ns = clock_monotonic_ns() + r->anchor_ns;
  if (end_unix_ns < r->start_unix_ns) end_unix_ns = r->start_unix_ns;
  /* A span that began before a fork is the parent process's to report. */
  if (!recorder_is_ours(recorder) || r->generation != fork_generation()) return;
  end_message(r, end_unix_ns);
  enqueue(recorder, r);
}

static void add_link(struct hoist_span *span, const struct span_link *link) {
}

static void update_name(struct hoist_span *span, const char *name) {
}

static int is_recording(const struct hoist_span *span) {
  return peek(span)->is_recording;
}

static void metric_add(struct hoist_telemetry *telemetry, const struct measurement *m) {
  struct recorder *recorder = (struct recorder *)telemetry;
  if (recorder_is_ours(recorder)) metrics_add(&recorder->metrics, 0, m);
}

static struct hoist_bound *bind_metric(struct hoist_telemetry *telemetry,
                                       const struct hoist_instrument *instrument,
                                       const struct hoist_attr *attrs, size_t attr_count) {
  struct recorder *recorder = (struct recorder *)telemetry;
  return recorder_is_ours(recorder) ? bound_get(recorder, 0, instrument, attrs, attr_count) : NULL;
}

const struct span_ops recorder_spans = {
    .start = span_start,
    .set_attr = set_attr,
    .add_event = add_event,
    .add_link = add_link,
    .set_status = set_status,
    .update_name = update_name,
    .is_recording = is_recording,
    .get_context = get_context,
    .end = span_end,
    .metric_add = metric_add,
    .bind = bind_metric,
};
