/* SPDX-License-Identifier: Apache-2.0 */
/* A span while it runs: an OTLP Span message that grows in the caller's struct hoist_span, or, when it
 * gets larger than that, in a chunk of the queue. What start sets is not changed afterwards, so children
 * may be started from other threads; all else belongs to the thread that uses the span.
 * Between record_span.c (its life) and record_items.c (what it says). */
#ifndef HOIST_TELEMETRY_RECORD_H
#define HOIST_TELEMETRY_RECORD_H

#include "dispatch.h"
#include "recorder.h"
#include "wire.h"

enum {
  SPAN_TRACE_ID = WIRE_TAG(1, WIRE_BYTES),
  SPAN_SPAN_ID = WIRE_TAG(2, WIRE_BYTES),
  SPAN_TRACE_STATE = WIRE_TAG(3, WIRE_BYTES),
  SPAN_PARENT_ID = WIRE_TAG(4, WIRE_BYTES),
  SPAN_NAME = WIRE_TAG(5, WIRE_BYTES),
  SPAN_KIND = WIRE_TAG(6, WIRE_VARINT),
  SPAN_START = WIRE_TAG(7, WIRE_FIXED64),
  SPAN_END = WIRE_TAG(8, WIRE_FIXED64),
  SPAN_ATTRIBUTE = WIRE_TAG(9, WIRE_BYTES),
  SPAN_DROPPED_ATTRIBUTES = WIRE_TAG(10, WIRE_VARINT),
  SPAN_EVENT = WIRE_TAG(11, WIRE_BYTES),
  SPAN_DROPPED_EVENTS = WIRE_TAG(12, WIRE_VARINT),
  SPAN_LINK = WIRE_TAG(13, WIRE_BYTES),
  SPAN_DROPPED_LINKS = WIRE_TAG(14, WIRE_VARINT),
  SPAN_STATUS = WIRE_TAG(15, WIRE_BYTES),
  STATUS_MESSAGE = WIRE_TAG(2, WIRE_BYTES),
  STATUS_CODE = WIRE_TAG(3, WIRE_VARINT),
  HAS_IS_REMOTE = 0x100, /* bits of Span.flags and Link.flags beside the W3C ones */
  IS_REMOTE = 0x200,
};

enum {
  RECORD_NAME_MAX = 255,
  /* Kept free for what the end adds: time, flags, dropped counts, a status without message. */
  RECORD_END_RESERVE = 40,
  /* Kept free for what a failure adds: status, error.type and one exception event. */
  RECORD_ERROR_RESERVE = 1200,
  /* Every message begins with trace id and span id: where they are. */
  TRACE_ID_AT = 2,
  SPAN_ID_AT = 20,
  IDS_SIZE = 28,
};

/* Overlays struct hoist_span behind its first member. */
struct record {
  const struct record *self; /* where it was started, if it records; a copy points into that one */
  uint8_t *at;               /* behind the message so far */
  uint8_t *items;            /* where name, attributes, events, links and status begin in it */
  uint8_t *room_end;         /* behind the room for the message, less RECORD_END_RESERVE */
  struct chunk *chunk; /* of the queue, which the message has moved to; NULL: it is in `message` */
  uint64_t start_unix_ns;
  uint64_t anchor_ns;  /* of the trace: realtime minus monotonic */
  uint64_t keys_seen;  /* a bit per hash of a key set: a clear bit saves the search for it */
  unsigned generation; /* of fork_generation(), at the start */
  uint32_t dropped_attrs, dropped_events, dropped_links;
  uint16_t attr_count, event_count, link_count;
  uint16_t tracestate_size; /* 0: none; else it stands, terminated, at the end of the struct */
  uint8_t flags;
  uint8_t scope;
  uint8_t parent_is_remote;
  uint8_t is_recording;
  uint8_t status; /* enum hoist_span_status */
  uint8_t has_status_item;
  uint8_t has_failed; /* was Error once: what was kept free for that may be used */
  uint8_t message[];  /* stays readable from its beginning to `items` when the message moves */
} __attribute__((may_alias));

#define RECORD_MESSAGE_MAX                                                                         \
  (sizeof(((struct hoist_span *)NULL)->private_) - offsetof(struct record, message))

static inline struct record *record_of(struct hoist_span *span) {
  return (struct record *)span->private_;
}

static inline const struct record *record_peek(const struct hoist_span *span) {
  return (const struct record *)span->private_;
}

static inline struct recorder *record_recorder(const struct hoist_span *span) {
  return recorder_of(span->telemetry);
}

static inline uint8_t *record_inline_end(struct record *r) {
  return r->message + RECORD_MESSAGE_MAX - (r->tracestate_size ? r->tracestate_size + 1u : 0u);
}

/* Whether it may be written to: it records, and is no copy of a span. */
static inline bool record_is_live(const struct record *r) {
  return r->self == r;
}

/* "" for none. */
static inline const char *record_tracestate(const struct record *r) {
  return r->tracestate_size ? (const char *)r->message + RECORD_MESSAGE_MAX - r->tracestate_size - 1
                            : "";
}

/* Where attributes, events and links must stop: a span that has not failed leaves room for failing. */
static inline const uint8_t *record_limit(const struct record *r) {
  return r->room_end - (r->has_failed ? 0 : RECORD_ERROR_RESERVE);
}

/** Moves the message to a chunk of the queue. False where that is not possible: there is none to spare,
 *  or it is in one already. */
bool record_move(struct recorder *recorder, struct record *r);

/* span_ops of record_items.c */
void record_set_attr(struct hoist_span *span, const char *key, size_t key_size,
                     enum hoist_attr_type type, uint64_t value, size_t size);
void record_add_event(struct hoist_span *span, const struct span_event *event);
void record_add_link(struct hoist_span *span, const struct span_link *link);
void record_set_status(struct hoist_span *span, enum hoist_span_status status,
                       const char *description);
void record_update_name(struct hoist_span *span, const char *name);

#endif
