/* SPDX-License-Identifier: Apache-2.0 */
/* Storage of a trace set: spans in one growing array, their texts and attributes in blocks that
 * never move. One thread at a time. */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include "glyph.h"
#include "otlp_value.h"

#define BLOCK_BYTES (64u << 10)

struct trace_block {
  struct trace_block *next;
  size_t used, size;
  _Alignas(max_align_t) char data[];
};

void trace_set_done(struct trace_set *set) {
  for (struct trace_block *block = set->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  free(set->spans);
  free(set->order);
  free(set->traces);
  *set = trace_set_make();
}

static enum hoist_status new_block(struct trace_set *set, size_t needed, struct hoist_error *err) {
  size_t size = needed > BLOCK_BYTES ? needed : BLOCK_BYTES;
  if (size > TRACE_MAX_TEXT_BYTES - set->text_bytes)
    return hoist_fail(err, HOIST_CORRUPT, "more than %u MB of span names and attributes",
                      TRACE_MAX_TEXT_BYTES >> 20);
  struct trace_block *block = malloc(sizeof *block + size);
  if (!block) return hoist_fail_memory(err, "the spans of a trace");
  *block = (struct trace_block){.next = set->blocks, .size = size};
  set->blocks = block;
  set->text_bytes += size;
  return HOIST_OK;
}

/* Storage that lives as long as the set, aligned for any attribute. */
static enum hoist_status take(struct trace_set *set, size_t size, void **ret_storage,
                              struct hoist_error *err) {
  size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
  if (!set->blocks || size > set->blocks->size - set->blocks->used) {
    enum hoist_status status = new_block(set, size, err);
    if (status != HOIST_OK) return status;
  }
  *ret_storage = set->blocks->data + set->blocks->used;
  set->blocks->used += size;
  return HOIST_OK;
}

/* A well-formed copy of at most `max` bytes. What is mended becomes one byte, so the copy is never
 * longer than the original. */
static enum hoist_status copy_text(struct trace_set *set, struct otlp_bytes text, size_t max,
                                   const char **ret_text, struct hoist_error *err) {
  *ret_text = "";
  if (text.size == 0) return HOIST_OK;
  size_t size = text.size < max ? text.size : max;
  void *copy;
  enum hoist_status status = take(set, size + 1, &copy, err);
  if (status != HOIST_OK) return status;
  glyph_repair(copy, size + 1, (const char *)text.data, text.size);
  *ret_text = copy;
  return HOIST_OK;
}

/* A list, a map or bytes, as text. */
static enum hoist_status copy_other(struct trace_set *set, struct otlp_bytes any,
                                    const char **ret_text, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf text = buf_make(TRACE_MAX_FILE_BYTES);
  enum hoist_status status = otlp_append_value(&text, any, err);
  if (status != HOIST_OK) return status;
  struct otlp_bytes bytes = {(const uint8_t *)text.data, text.size};
  return copy_text(set, bytes, TRACE_MAX_VALUE_BYTES, ret_text, err);
}

static enum hoist_status copy_attr(struct trace_set *set, const struct otlp_attr *from,
                                   struct hoist_attr *to, struct hoist_error *err) {
  static const enum hoist_attr_type types[] = {
      [OTLP_EMPTY] = HOIST_ATTR_STRING,  [OTLP_STRING] = HOIST_ATTR_STRING,
      [OTLP_BOOL] = HOIST_ATTR_BOOL,     [OTLP_INT] = HOIST_ATTR_INT,
      [OTLP_DOUBLE] = HOIST_ATTR_DOUBLE, [OTLP_OTHER] = HOIST_ATTR_STRING};
  to->type = types[from->type];
  enum hoist_status status = copy_text(set, from->key, TRACE_MAX_NAME_BYTES, &to->key, err);
  if (status != HOIST_OK) return status;
  if (from->type == OTLP_OTHER) return copy_other(set, from->string, &to->value.string, err);
  if (to->type == HOIST_ATTR_STRING)
    return copy_text(set, from->string, TRACE_MAX_VALUE_BYTES, &to->value.string, err);
  if (to->type == HOIST_ATTR_DOUBLE)
    to->value.number = from->number;
  else
    to->value.integer = from->integer;
  return HOIST_OK;
}

static enum hoist_status copy_attrs(struct trace_set *set, const struct otlp_attr *attrs,
                                    size_t count, const struct hoist_attr **ret_attrs,
                                    size_t *ret_count, struct hoist_error *err) {
  if (count > TRACE_MAX_ATTRS) count = TRACE_MAX_ATTRS;
  void *storage;
  enum hoist_status status = take(set, count * sizeof(struct hoist_attr), &storage, err);
  if (status != HOIST_OK) return status;
  struct hoist_attr *copies = storage;
  for (size_t i = 0; i < count; i++) {
    status = copy_attr(set, &attrs[i], &copies[i], err);
    if (status != HOIST_OK) return status;
  }
  *ret_attrs = copies;
  *ret_count = count;
  return HOIST_OK;
}

static enum hoist_status reserve_span(struct trace_set *set, struct hoist_error *err) {
  if (set->count < set->capacity) return HOIST_OK;
  if (set->count >= TRACE_MAX_SPANS)
    return hoist_fail(err, HOIST_CORRUPT, "more than the %u spans that can be shown at once",
                      TRACE_MAX_SPANS);
  size_t capacity = set->capacity ? set->capacity * 2 : 64;
  struct trace_span *spans = realloc(set->spans, capacity * sizeof *spans);
  if (!spans) return hoist_fail_memory(err, "the spans of a trace");
  set->spans = spans;
  set->capacity = capacity;
  return HOIST_OK;
}

enum hoist_status trace_add(struct trace_set *set, const struct otlp_span *span,
                            const struct otlp_attr *attrs, size_t attr_count,
                            struct hoist_error *err) {
  struct trace_span copy = {.failed = span->status_code == 2,
                            .start_ns = span->start_unix_ns,
                            .end_ns = span->end_unix_ns,
                            .kind = span->kind,
                            .dropped_attributes = span->dropped_attributes,
                            .dropped_events = span->dropped_events,
                            .dropped_links = span->dropped_links,
                            .origin = set->origin,
                            .parent = TRACE_NONE};
  memcpy(copy.trace_id, span->trace_id, sizeof copy.trace_id);
  memcpy(copy.span_id, span->span_id, sizeof copy.span_id);
  memcpy(copy.parent_id, span->parent_id, sizeof copy.parent_id);
  enum hoist_status status = reserve_span(set, err);
  if (status == HOIST_OK)
    status = copy_text(set, span->name, TRACE_MAX_NAME_BYTES, &copy.name, err);
  if (status == HOIST_OK)
    status = copy_text(set, span->status_message, TRACE_MAX_VALUE_BYTES, &copy.message, err);
  if (status == HOIST_OK)
    status = copy_text(set, span->tracestate, TRACE_MAX_VALUE_BYTES, &copy.tracestate, err);
  if (status == HOIST_OK)
    status = copy_attrs(set, attrs, attr_count, &copy.attrs, &copy.attr_count, err);
  if (status != HOIST_OK) return status;
  set->spans[set->count++] = copy;
  return HOIST_OK;
}

/* Appends a copy of `note` to the list that ends at `*end`. */
static enum hoist_status add_note(struct trace_set *set, struct trace_note ***end,
                                  struct trace_note note, struct otlp_bytes text,
                                  const struct otlp_attr *attrs, size_t attr_count,
                                  struct hoist_error *err) {
  void *storage;
  enum hoist_status status = copy_text(set, text, TRACE_MAX_VALUE_BYTES, &note.text, err);
  if (status == HOIST_OK)
    status = copy_attrs(set, attrs, attr_count, &note.attrs, &note.attr_count, err);
  if (status == HOIST_OK) status = take(set, sizeof note, &storage, err);
  if (status != HOIST_OK) return status;
  *(struct trace_note *)storage = note;
  **end = storage;
  *end = &(**end)->next;
  return HOIST_OK;
}

enum hoist_status trace_add_event(struct trace_set *set, const struct otlp_event *event,
                                  const struct otlp_attr *attrs, size_t attr_count,
                                  struct hoist_error *err) {
  struct trace_note note = {.time_ns = event->time_unix_ns,
                            .dropped_attributes = event->dropped_attributes};
  if (!set->spans[set->count - 1].events) set->event_end = &set->spans[set->count - 1].events;
  return add_note(set, &set->event_end, note, event->name, attrs, attr_count, err);
}

enum hoist_status trace_add_link(struct trace_set *set, const struct otlp_link *link,
                                 const struct otlp_attr *attrs, size_t attr_count,
                                 struct hoist_error *err) {
  struct trace_note note = {.dropped_attributes = link->dropped_attributes};
  memcpy(note.trace_id, link->trace_id, sizeof note.trace_id);
  memcpy(note.span_id, link->span_id, sizeof note.span_id);
  if (!set->spans[set->count - 1].links) set->link_end = &set->spans[set->count - 1].links;
  return add_note(set, &set->link_end, note, link->tracestate, attrs, attr_count, err);
}

enum hoist_status trace_set_origin(struct trace_set *set, const struct otlp_scope *scope,
                                   const struct otlp_attr *attrs, size_t attr_count,
                                   struct hoist_error *err) {
  struct trace_origin origin = {.attr_count = 0};
  void *storage;
  enum hoist_status status =
      copy_text(set, scope->name, TRACE_MAX_NAME_BYTES, &origin.scope_name, err);
  if (status == HOIST_OK)
    status = copy_text(set, scope->version, TRACE_MAX_NAME_BYTES, &origin.scope_version, err);
  if (status == HOIST_OK)
    status = copy_attrs(set, attrs, attr_count, &origin.attrs, &origin.attr_count, err);
  if (status == HOIST_OK) status = take(set, sizeof origin, &storage, err);
  if (status != HOIST_OK) return status;
  *(struct trace_origin *)storage = origin;
  set->origin = storage;
  return HOIST_OK;
}

bool trace_is_shown(const struct trace_set *set, const struct trace *trace) {
  for (uint32_t i = 0; i < trace->root_count; i++)
    if (trace_root(set, trace, i)->shown != TRACE_HIDDEN) return true;
  return false;
}

const struct hoist_attr *trace_attr(const struct trace_span *span, const char *key,
                                    enum hoist_attr_type type) {
  for (size_t i = 0; i < span->attr_count; i++)
    if (span->attrs[i].type == type && strcmp(span->attrs[i].key, key) == 0) return &span->attrs[i];
  return NULL;
}

const char *trace_attr_string(const struct trace_span *span, const char *key) {
  const struct hoist_attr *attr = trace_attr(span, key, HOIST_ATTR_STRING);
  return attr ? attr->value.string : NULL;
}

int64_t trace_attr_int(const struct trace_span *span, const char *key) {
  const struct hoist_attr *attr = trace_attr(span, key, HOIST_ATTR_INT);
  return attr && attr->value.integer >= 0 ? attr->value.integer : -1;
}
