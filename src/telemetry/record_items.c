/* SPDX-License-Identifier: Apache-2.0 */
/* What a running span says: attributes, events, links, status, a new name. Each is a field of the message,
 * appended where it fits, and taken out again where a later one replaces it. Nothing here allocates; the
 * thread that uses the span is the only one that writes to it. */
#include <string.h>

#include "attr.h"
#include "clock.h"
#include "context.h"
#include "record.h"

enum {
  EVENT_TIME = WIRE_TAG(1, WIRE_FIXED64),
  EVENT_NAME = WIRE_TAG(2, WIRE_BYTES),
  EVENT_ATTRIBUTE = WIRE_TAG(3, WIRE_BYTES),
  EVENT_DROPPED_ATTRIBUTES = WIRE_TAG(4, WIRE_VARINT),
  LINK_TRACE_ID = WIRE_TAG(1, WIRE_BYTES),
  LINK_SPAN_ID = WIRE_TAG(2, WIRE_BYTES),
  LINK_TRACE_STATE = WIRE_TAG(3, WIRE_BYTES),
  LINK_ATTRIBUTE = WIRE_TAG(4, WIRE_BYTES),
  LINK_DROPPED_ATTRIBUTES = WIRE_TAG(5, WIRE_VARINT),
  LINK_FLAGS = WIRE_TAG(6, WIRE_FIXED32),
  DESCRIPTION_MAX = HOIST_ERROR_MESSAGE_SIZE - 1,
  HEAD_MAX = 4, /* tag and length of an item */
};

static void count(uint32_t *dropped) {
  if (*dropped < UINT32_MAX) ++*dropped;
}

/* A span inherited through fork must leave its chunk alone: that is the parent process's, and here a free
 * one. */
static bool is_writable(const struct record *r) {
  return record_is_live(r) && (!r->chunk || r->generation == fork_generation());
}

/* ---- items --------------------------------------------------------------------------------------- */

/* A field of the message; written by this file, so it is well-formed. */
struct item {
  uint8_t tag;
  uint8_t *start, *body, *end;
};

static struct item item_at(uint8_t *p) {
  struct item item = {.tag = p[0], .start = p};
  size_t size = 0;
  unsigned shift = 0;
  do
    size |= (size_t)(*++p & 0x7f) << shift;
  while (shift += 7, *p & 0x80);
  item.body = p + 1;
  item.end = item.body + size;
  return item;
}

static void remove_item(struct record *r, struct item item) {
  size_t behind = (size_t)(r->at - item.end);
  memmove(item.start, item.end, behind);
  r->at = item.start + behind;
}

/* The first item that `tag`, and for attributes `key`, belong to; item.start is NULL where there is none. */
static struct item find_item(struct record *r, uint8_t tag, const char *key, size_t key_size) {
  for (uint8_t *p = r->items; p < r->at;) {
    struct item item = item_at(p);
    /* KeyValue.key comes first: tag, length in one byte, text */
    if (item.tag == tag &&
        (!key || (item.body[1] == key_size && memcmp(item.body + 2, key, key_size) == 0)))
      return item;
    p = item.end;
  }
  return (struct item){0};
}

/* ---- attributes ---------------------------------------------------------------------------------- */

/* The bit that stands for a key in keys_seen. */
static inline uint64_t bit_of(const char *key, size_t size) {
  unsigned hash =
      (unsigned)size * 7 + (unsigned char)key[size - 1] + (unsigned char)key[size / 2] * 31u;
  return UINT64_C(1) << (hash & 63);
}

static uint8_t *put_with_more_room(struct recorder *recorder, struct record *r,
                                   const struct hoist_attr *attr, size_t key_size,
                                   size_t text_size) {
  if (!record_move(recorder, r)) return NULL;
  return attr_put_sized(r->at, record_limit(r), SPAN_ATTRIBUTE, attr, key_size, text_size,
                        recorder->config.attribute_value_max);
}

/* Any attribute. The new value is written before the old one goes: where it does not fit, the old one
 * stays. */
static __attribute__((noinline)) void set_any(struct hoist_span *span,
                                              const struct hoist_attr *attr, size_t key_size,
                                              size_t text_size) {
  struct record *r = record_of(span);
  struct recorder *recorder = record_recorder(span);
  struct item earlier = {0};
  uint8_t *end = NULL;
  if (!is_writable(r)) return;
  key_size = attr_has_value(attr) ? attr_check_key(attr->key, key_size) : 0;
  if (key_size > 0 && r->keys_seen & bit_of(attr->key, key_size))
    earlier = find_item(r, SPAN_ATTRIBUTE, attr->key, key_size);
  if (key_size > 0 && (earlier.start || r->attr_count < recorder->config.limits.attributes)) {
    end = attr_put_sized(r->at, record_limit(r), SPAN_ATTRIBUTE, attr, key_size, text_size,
                         recorder->config.attribute_value_max);
    if (!end) {
      end = put_with_more_room(recorder, r, attr, key_size, text_size);
      if (end && earlier.start) earlier = find_item(r, SPAN_ATTRIBUTE, attr->key, key_size);
    }
  }
  if (!end) {
    count(&r->dropped_attrs);
    return;
  }
  r->at = end;
  r->keys_seen |= bit_of(attr->key, key_size);
  if (earlier.start)
    remove_item(r, earlier);
  else
    r->attr_count++;
}

/* A new key and a plain value, both short ASCII, in a span that has room: nearly all that is ever set.
 * Returns the byte behind it, or NULL (nothing usable written) where it is not that. */
static inline uint8_t *put_usual(uint8_t *p, const char *key, size_t key_size,
                                 enum hoist_attr_type type, uint64_t value, size_t size) {
  uint8_t *value_at = p + 4 + key_size, *end;
  uint64_t bits = wire_copy_short(p + 4, key, key_size);
  if (type == HOIST_ATTR_STRING) {
    bits |= wire_copy_short(value_at + 4, (const char *)(uintptr_t)value, size);
    end = value_at + 4 + size;
    value_at[2] = ANY_STRING;
    value_at[3] = (uint8_t)size;
  } else if (type == HOIST_ATTR_DOUBLE) {
    end = wire_put_fixed64(value_at + 2, ANY_DOUBLE, value);
  } else {
    end = wire_put_number(value_at + 2, type == HOIST_ATTR_INT ? ANY_INT : ANY_BOOL, value);
  }
  p[0] = SPAN_ATTRIBUTE;
  p[1] = (uint8_t)(end - p - 2);
  p[2] = KEY_VALUE_KEY;
  p[3] = (uint8_t)key_size;
  value_at[0] = KEY_VALUE_VALUE;
  value_at[1] = (uint8_t)(end - value_at - 2);
  return bits & WIRE_HIGH_BITS ? NULL : end;
}

void record_set_attr(struct hoist_span *span, const char *key, size_t key_size,
                     enum hoist_attr_type type, uint64_t value, size_t size) {
  enum { KEY_SHORT = 64, TEXT_SHORT = 48, ROOM = 128 };
  struct record *r = record_of(span);
  const struct recorder_config *config = &record_recorder(span)->config;
  if (!record_is_live(r)) return;
  if (key_size - 1 < KEY_SHORT && size <= TEXT_SHORT && size <= config->attribute_value_max &&
      (unsigned)type - 1 < HOIST_ATTR_BOOL && !r->chunk && record_limit(r) - r->at >= ROOM &&
      r->attr_count < config->limits.attributes && !(r->keys_seen & bit_of(key, key_size))) {
    uint8_t *end = put_usual(r->at, key, key_size, type, value, size);
    if (end) {
      r->at = end;
      r->keys_seen |= bit_of(key, key_size);
      r->attr_count++;
      return;
    }
  }
  const struct hoist_attr attr = attr_of(key, type, value, size);
  set_any(span, &attr, key_size, size);
}

/* The attributes of an event or a link, as many as the limit lets; the last of a key counts. NULL where
 * they do not fit. */
struct attr_list {
  const struct hoist_attr *attrs;
  size_t count;
  uint8_t tag, dropped_tag;
  uint32_t limit;
};

static uint8_t *put_attrs(uint8_t *p, const uint8_t *end, const struct attr_list *list,
                          size_t text_max) {
  uint32_t kept = 0, dropped = 0;
  for (size_t i = 0; p && i < list->count; i++) {
    const struct hoist_attr *attr = &list->attrs[i];
    size_t key_size = attr_key_size(attr->key);
    if (attr_is_null(attr) || !attr->key || attr_is_overridden(list->attrs, list->count, i))
      continue;
    if (key_size == 0 || !attr_has_value(attr) || kept == list->limit) {
      dropped++;
      continue;
    }
    p = attr_put(p, end, list->tag, attr, key_size, text_max);
    kept++;
  }
  if (!p || dropped == 0) return p;
  if (end - p < 1 + 5) return NULL;
  return wire_put_number(p, list->dropped_tag, dropped);
}

/* ---- events and links ---------------------------------------------------------------------------- */

/* Writes the fields of an item to [p, end); NULL where it does not fit. */
typedef uint8_t *put_fields(uint8_t *p, const uint8_t *end, const struct recorder *recorder,
                            const void *what);

static bool append_once(struct record *r, const struct recorder *recorder, uint8_t tag,
                        put_fields *put, const void *what) {
  uint8_t *start = r->at;
  const uint8_t *limit = record_limit(r);
  if (limit - start <= HEAD_MAX) return false;
  uint8_t *end = put(start + HEAD_MAX, limit, recorder, what);
  if (!end) return false;
  size_t size = (size_t)(end - start) - HEAD_MAX;
  uint8_t *body = wire_put_head(start, tag, size);
  memmove(body, start + HEAD_MAX, size); /* the head is shorter than there is room for */
  r->at = body + size;
  return true;
}

/* An item whole or not at all. */
static bool append(struct recorder *recorder, struct record *r, uint8_t tag, put_fields *put,
                   const void *what) {
  return append_once(r, recorder, tag, put, what) ||
         (record_move(recorder, r) && append_once(r, recorder, tag, put, what));
}

static uint8_t *put_event(uint8_t *p, const uint8_t *end, const struct recorder *recorder,
                          const void *what) {
  const struct span_event *event = what;
  const struct attr_list attrs = {event->attrs, event->attr_count, EVENT_ATTRIBUTE,
                                  EVENT_DROPPED_ATTRIBUTES,
                                  recorder->config.limits.event_attributes};
  if ((size_t)(end - p) < 1 + sizeof event->unix_ns) return NULL;
  p = wire_put_fixed64(p, EVENT_TIME, event->unix_ns);
  p = text_put(p, end, EVENT_NAME, event->name, RECORD_NAME_MAX);
  return p ? put_attrs(p, end, &attrs, recorder->config.attribute_value_max) : NULL;
}

void record_add_event(struct hoist_span *span, const struct span_event *event) {
  struct record *r = record_of(span);
  struct recorder *recorder = record_recorder(span);
  if (!is_writable(r)) return;
  struct span_event timed = *event;
  if (timed.unix_ns == 0) timed.unix_ns = clock_monotonic_ns() + r->anchor_ns;
  if (r->event_count < recorder->config.limits.events &&
      append(recorder, r, SPAN_EVENT, put_event, &timed))
    r->event_count++;
  else
    count(&r->dropped_events);
}

static uint8_t *put_link(uint8_t *p, const uint8_t *end, const struct recorder *recorder,
                         const void *what) {
  enum { FIXED_SIZE = 18 + 10 + 5 };
  const struct span_link *link = what;
  const struct hoist_span_context *context = link->context;
  const struct attr_list attrs = {link->attrs, link->attr_count, LINK_ATTRIBUTE,
                                  LINK_DROPPED_ATTRIBUTES, recorder->config.limits.link_attributes};
  if (end - p < FIXED_SIZE) return NULL;
  p = wire_put_bytes(p, LINK_TRACE_ID, context->trace_id, sizeof context->trace_id);
  p = wire_put_bytes(p, LINK_SPAN_ID, context->span_id, sizeof context->span_id);
  uint32_t flags = wire_le32((context->flags & CONTEXT_FLAGS) | HAS_IS_REMOTE |
                             (context->remote ? IS_REMOTE : 0u));
  *p++ = LINK_FLAGS;
  p = wire_put_raw(p, &flags, sizeof flags);
  if (context->tracestate && *context->tracestate)
    p = text_put(p, end, LINK_TRACE_STATE, context->tracestate, HOIST_TRACESTATE_SIZE - 1);
  return p ? put_attrs(p, end, &attrs, recorder->config.attribute_value_max) : NULL;
}

void record_add_link(struct hoist_span *span, const struct span_link *link) {
  struct record *r = record_of(span);
  struct recorder *recorder = record_recorder(span);
  if (!is_writable(r)) return;
  if (r->link_count < recorder->config.limits.links &&
      append(recorder, r, SPAN_LINK, put_link, link))
    r->link_count++;
  else
    count(&r->dropped_links);
}

/* ---- status and name ----------------------------------------------------------------------------- */

/* To the room kept free for it; where even that is used up, the bare code is written at the end. */
static void put_status(struct record *r, enum hoist_span_status code, const char *description) {
  uint8_t status[DESCRIPTION_MAX + 8], *p = status;
  if (*description)
    p = text_put(p, status + sizeof status, STATUS_MESSAGE, description, DESCRIPTION_MAX);
  size_t size = (size_t)(wire_put_number(p, STATUS_CODE, code) - status);
  if (wire_bytes_size(size) > (size_t)(record_limit(r) - r->at)) return;
  r->at = wire_put_bytes(r->at, SPAN_STATUS, status, size);
  r->has_status_item = 1;
}

void record_set_status(struct hoist_span *span, enum hoist_span_status status,
                       const char *description) {
  struct record *r = record_of(span);
  if (!is_writable(r) || r->status == HOIST_SPAN_OK) return;
  if (r->has_status_item) remove_item(r, find_item(r, SPAN_STATUS, NULL, 0));
  r->has_status_item = 0;
  r->status = (uint8_t)status;
  r->has_failed |= status == HOIST_SPAN_ERROR;
  put_status(r, status, description);
}

void record_update_name(struct hoist_span *span, const char *name) {
  struct record *r = record_of(span);
  if (!is_writable(r)) return;
  uint8_t *end = text_put(r->at, record_limit(r), SPAN_NAME, name, RECORD_NAME_MAX);
  if (!end && record_move(record_recorder(span), r))
    end = text_put(r->at, record_limit(r), SPAN_NAME, name, RECORD_NAME_MAX);
  if (!end) return; /* it keeps the one it has */
  r->at = end;
  remove_item(r, find_item(r, SPAN_NAME, NULL, 0));
}
