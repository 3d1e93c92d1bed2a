/* SPDX-License-Identifier: Apache-2.0 */
/* Pull parsing of OTLP traces. Walks the nesting resource → scope → span without recursion over
 * input, so no message can exhaust the stack; fields it does not know are skipped. Pure; any
 * thread. */
#include "otlp_read.h"

#include <string.h>

#include "wire.h"

typedef enum hoist_status span_visitor(void *user, const struct otlp_span *span,
                                       struct hoist_error *err);
typedef enum hoist_status attr_visitor(void *user, const struct otlp_attr *attr,
                                       struct hoist_error *err);

static enum hoist_status malformed(struct hoist_error *err, const char *what) {
  return hoist_fail(err, HOIST_CORRUPT,
                    "%s: not OTLP protobuf of traces (metrics and logs hold no spans)", what);
}

static struct otlp_bytes bytes_of(const struct wire_field *field) {
  return (struct otlp_bytes){.data = field->data, .size = field->size};
}

static struct wire_reader reader_of(struct otlp_bytes bytes) {
  return wire_read(bytes.data, bytes.size);
}

static bool is_message(const struct wire_field *field, uint32_t number) {
  return field->number == number && field->type == WIRE_BYTES;
}

/* The last occurrence of message `number` in `parent`, as protobuf has it for single fields. */
static bool find_message(struct otlp_bytes parent, uint32_t number, struct otlp_bytes *ret_found) {
  struct wire_reader reader = reader_of(parent);
  struct wire_field field;
  enum wire_result result;
  *ret_found = (struct otlp_bytes){0};
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD)
    if (is_message(&field, number)) *ret_found = bytes_of(&field);
  return result == WIRE_END;
}

static bool copy_id(const struct wire_field *field, uint8_t *id, size_t size) {
  if (field->size == 0) return true; /* absent, spelled out */
  if (field->size != size) return false;
  memcpy(id, field->data, size);
  return true;
}

static bool read_status(struct otlp_span *span, struct otlp_bytes status) {
  struct wire_reader reader = reader_of(status);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (is_message(&field, 2))
      span->status_message = bytes_of(&field);
    else if (field.number == 3 && field.type == WIRE_VARINT)
      span->status_code = (int)(uint32_t)field.value;
  }
  return result == WIRE_END;
}

static bool read_bytes_field(struct otlp_span *span, const struct wire_field *field) {
  switch (field->number) {
  case 1:
    return copy_id(field, span->trace_id, sizeof span->trace_id);
  case 2:
    return copy_id(field, span->span_id, sizeof span->span_id);
  case 3:
    span->tracestate = bytes_of(field);
    return true;
  case 4:
    return copy_id(field, span->parent_id, sizeof span->parent_id);
  case 5:
    span->name = bytes_of(field);
    return true;
  case 15:
    return read_status(span, bytes_of(field));
  default:
    return true;
  }
}

static void read_number_field(struct otlp_span *span, const struct wire_field *field) {
  if (field->number == 6 && field->type == WIRE_VARINT)
    span->kind = (int)(uint32_t)field->value;
  else if (field->number == 7 && field->type == WIRE_FIXED64)
    span->start_unix_ns = field->value;
  else if (field->number == 8 && field->type == WIRE_FIXED64)
    span->end_unix_ns = field->value;
  else if (field->number == 10 && field->type == WIRE_VARINT)
    span->dropped_attributes = (uint32_t)field->value;
  else if (field->number == 12 && field->type == WIRE_VARINT)
    span->dropped_events = (uint32_t)field->value;
  else if (field->number == 14 && field->type == WIRE_VARINT)
    span->dropped_links = (uint32_t)field->value;
  else if (field->number == 16 && field->type == WIRE_FIXED32)
    span->flags = (uint32_t)field->value;
}

static bool read_span(struct otlp_span *span) {
  struct wire_reader reader = reader_of(span->raw);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (field.type != WIRE_BYTES)
      read_number_field(span, &field);
    else if (!read_bytes_field(span, &field))
      return false;
  }
  return result == WIRE_END;
}

static enum hoist_status each_in_scope(struct otlp_bytes scope_spans, struct otlp_bytes resource,
                                       span_visitor *visit, void *user, struct hoist_error *err) {
  struct otlp_bytes scope;
  if (!find_message(scope_spans, 1, &scope)) return malformed(err, "ScopeSpans");
  struct wire_reader reader = reader_of(scope_spans);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD) {
    if (!is_message(&field, 2)) continue;
    struct otlp_span span = {.raw = bytes_of(&field), .resource = resource, .scope = scope};
    if (!read_span(&span)) return malformed(err, "Span");
    enum hoist_status status = visit(user, &span, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status each_in_resource(struct otlp_bytes resource_spans, span_visitor *visit,
                                          void *user, struct hoist_error *err) {
  struct otlp_bytes resource;
  if (!find_message(resource_spans, 1, &resource)) return malformed(err, "ResourceSpans");
  struct wire_reader reader = reader_of(resource_spans);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD) {
    if (!is_message(&field, 2)) continue;
    enum hoist_status status = each_in_scope(bytes_of(&field), resource, visit, user, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

enum hoist_status otlp_each_span(const void *traces_data, size_t size, span_visitor *visit,
                                 void *user, struct hoist_error *err) {
  struct wire_reader reader = wire_read(traces_data, size);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (!is_message(&field, 1)) continue;
    enum hoist_status status = each_in_resource(bytes_of(&field), visit, user, err);
    if (status != HOIST_OK) return status;
  }
  return result == WIRE_END ? HOIST_OK : malformed(err, "TracesData");
}

static void read_any_field(struct otlp_attr *attr, const struct wire_field *field) {
  if (is_message(field, 1)) {
    attr->type = OTLP_STRING;
    attr->string = bytes_of(field);
  } else if (field->number == 2 && field->type == WIRE_VARINT) {
    attr->type = OTLP_BOOL;
    attr->integer = field->value != 0;
  } else if (field->number == 3 && field->type == WIRE_VARINT) {
    attr->type = OTLP_INT;
    attr->integer = (int64_t)field->value;
  } else if (field->number == 4 && field->type == WIRE_FIXED64) {
    attr->type = OTLP_DOUBLE;
    attr->number = wire_as_double(field->value);
  } else {
    attr->type = OTLP_OTHER;
  }
}

static bool read_any(struct otlp_attr *attr, struct otlp_bytes any) {
  struct wire_reader reader = reader_of(any);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD)
    read_any_field(attr, &field);
  if (attr->type == OTLP_OTHER) attr->string = any;
  return result == WIRE_END;
}

static bool read_key_value(struct otlp_attr *attr, struct otlp_bytes key_value) {
  struct wire_reader reader = reader_of(key_value);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (is_message(&field, 1))
      attr->key = bytes_of(&field);
    else if (is_message(&field, 2) && !read_any(attr, bytes_of(&field)))
      return false;
  }
  return result == WIRE_END;
}

static enum hoist_status each_key_value(struct otlp_bytes message, uint32_t number,
                                        attr_visitor *visit, void *user, struct hoist_error *err) {
  struct wire_reader reader = reader_of(message);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (!is_message(&field, number)) continue;
    struct otlp_attr attr = {0};
    if (!read_key_value(&attr, bytes_of(&field))) return malformed(err, "KeyValue");
    enum hoist_status status = visit(user, &attr, err);
    if (status != HOIST_OK) return status;
  }
  return result == WIRE_END ? HOIST_OK : malformed(err, "attributes");
}

enum hoist_status otlp_each_attr(struct otlp_bytes message, int is_resource, attr_visitor *visit,
                                 void *user, struct hoist_error *err) {
  return each_key_value(message, is_resource ? 1 : 9, visit, user, err);
}

enum hoist_status otlp_each_event_attr(struct otlp_bytes event_raw, attr_visitor *visit, void *user,
                                       struct hoist_error *err) {
  return each_key_value(event_raw, 3, visit, user, err);
}

static bool read_event(struct otlp_event *event) {
  struct wire_reader reader = reader_of(event->raw);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (field.number == 1 && field.type == WIRE_FIXED64)
      event->time_unix_ns = field.value;
    else if (is_message(&field, 2))
      event->name = bytes_of(&field);
    else if (field.number == 4 && field.type == WIRE_VARINT)
      event->dropped_attributes = (uint32_t)field.value;
  }
  return result == WIRE_END;
}

enum hoist_status otlp_each_event(struct otlp_bytes span_raw,
                                  enum hoist_status (*visit)(void *user,
                                                             const struct otlp_event *event,
                                                             struct hoist_error *err),
                                  void *user, struct hoist_error *err) {
  struct wire_reader reader = reader_of(span_raw);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (!is_message(&field, 11)) continue;
    struct otlp_event event = {.raw = bytes_of(&field)};
    if (!read_event(&event)) return malformed(err, "Event");
    enum hoist_status status = visit(user, &event, err);
    if (status != HOIST_OK) return status;
  }
  return result == WIRE_END ? HOIST_OK : malformed(err, "Span");
}

enum hoist_status otlp_each_link_attr(struct otlp_bytes link_raw, attr_visitor *visit, void *user,
                                      struct hoist_error *err) {
  return each_key_value(link_raw, 4, visit, user, err);
}

static bool read_link(struct otlp_link *link) {
  struct wire_reader reader = reader_of(link->raw);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (is_message(&field, 1) && !copy_id(&field, link->trace_id, sizeof link->trace_id))
      return false;
    if (is_message(&field, 2) && !copy_id(&field, link->span_id, sizeof link->span_id))
      return false;
    if (is_message(&field, 3)) link->tracestate = bytes_of(&field);
    if (field.number == 5 && field.type == WIRE_VARINT)
      link->dropped_attributes = (uint32_t)field.value;
  }
  return result == WIRE_END;
}

enum hoist_status otlp_each_link(struct otlp_bytes span_raw,
                                 enum hoist_status (*visit)(void *user,
                                                            const struct otlp_link *link,
                                                            struct hoist_error *err),
                                 void *user, struct hoist_error *err) {
  struct wire_reader reader = reader_of(span_raw);
  struct wire_field field;
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (!is_message(&field, 13)) continue;
    struct otlp_link link = {.raw = bytes_of(&field)};
    if (!read_link(&link)) return malformed(err, "Link");
    enum hoist_status status = visit(user, &link, err);
    if (status != HOIST_OK) return status;
  }
  return result == WIRE_END ? HOIST_OK : malformed(err, "Span");
}

enum hoist_status otlp_read_scope(struct otlp_bytes message, struct otlp_scope *ret_scope,
                                  struct hoist_error *err) {
  struct otlp_scope scope;
  if (!find_message(message, 1, &scope.name) || !find_message(message, 2, &scope.version))
    return malformed(err, "InstrumentationScope");
  *ret_scope = scope;
  return HOIST_OK;
}
