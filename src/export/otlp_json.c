/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP protobuf to OTLP/JSON, driven by tables of the messages hoist writes. A message is read once per
 * field of its table, so that repeated fields come out as one array wherever they stand. Recursion
 * follows the tables, which are not recursive. Pure; any thread. */
#include "otlp_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "text.h"
#include "wire.h"

enum json_kind {
  JSON_MESSAGE,
  JSON_MESSAGES, /* repeated */
  JSON_TEXT,
  JSON_HEX,
  JSON_NUMBER, /* at most 32 bits: enums, counts, flags */
  JSON_SINT32, /* zigzag */
  JSON_INT64,
  JSON_UINT64,
  JSON_DOUBLE,
  JSON_BOOL,
  JSON_UINT64S, /* packed */
  JSON_DOUBLES, /* packed */
  JSON_VARINTS, /* packed */
};

struct message;

struct field {
  uint32_t number;
  enum json_kind kind;
  const char *name;
  const struct message *message;
};

struct message {
  const struct field *fields;
  size_t count;
};

#define MESSAGE(name, ...)                                                                         \
  static const struct field name##_fields[] = {__VA_ARGS__};                                       \
  static const struct message name = {name##_fields, sizeof name##_fields / sizeof(struct field)}

MESSAGE(element, {1, JSON_TEXT, "stringValue", NULL}, {2, JSON_BOOL, "boolValue", NULL},
        {3, JSON_INT64, "intValue", NULL}, {4, JSON_DOUBLE, "doubleValue", NULL});
MESSAGE(array, {1, JSON_MESSAGES, "values", &element});
MESSAGE(any_value, {1, JSON_TEXT, "stringValue", NULL}, {2, JSON_BOOL, "boolValue", NULL},
        {3, JSON_INT64, "intValue", NULL}, {4, JSON_DOUBLE, "doubleValue", NULL},
        {5, JSON_MESSAGE, "arrayValue", &array});
MESSAGE(key_value, {1, JSON_TEXT, "key", NULL}, {2, JSON_MESSAGE, "value", &any_value});
MESSAGE(resource, {1, JSON_MESSAGES, "attributes", &key_value});
MESSAGE(scope, {1, JSON_TEXT, "name", NULL}, {2, JSON_TEXT, "version", NULL});

MESSAGE(event, {1, JSON_UINT64, "timeUnixNano", NULL}, {2, JSON_TEXT, "name", NULL},
        {3, JSON_MESSAGES, "attributes", &key_value},
        {4, JSON_NUMBER, "droppedAttributesCount", NULL});
MESSAGE(span_link, {1, JSON_HEX, "traceId", NULL}, {2, JSON_HEX, "spanId", NULL},
        {3, JSON_TEXT, "traceState", NULL}, {4, JSON_MESSAGES, "attributes", &key_value},
        {5, JSON_NUMBER, "droppedAttributesCount", NULL}, {6, JSON_NUMBER, "flags", NULL});
MESSAGE(span_status, {2, JSON_TEXT, "message", NULL}, {3, JSON_NUMBER, "code", NULL});
MESSAGE(span, {1, JSON_HEX, "traceId", NULL}, {2, JSON_HEX, "spanId", NULL},
        {3, JSON_TEXT, "traceState", NULL}, {4, JSON_HEX, "parentSpanId", NULL},
        {5, JSON_TEXT, "name", NULL}, {6, JSON_NUMBER, "kind", NULL},
        {7, JSON_UINT64, "startTimeUnixNano", NULL}, {8, JSON_UINT64, "endTimeUnixNano", NULL},
        {9, JSON_MESSAGES, "attributes", &key_value},
        {10, JSON_NUMBER, "droppedAttributesCount", NULL}, {11, JSON_MESSAGES, "events", &event},
        {12, JSON_NUMBER, "droppedEventsCount", NULL}, {13, JSON_MESSAGES, "links", &span_link},
        {14, JSON_NUMBER, "droppedLinksCount", NULL}, {15, JSON_MESSAGE, "status", &span_status},
        {16, JSON_NUMBER, "flags", NULL});
MESSAGE(scope_spans, {1, JSON_MESSAGE, "scope", &scope}, {2, JSON_MESSAGES, "spans", &span});
MESSAGE(resource_spans, {1, JSON_MESSAGE, "resource", &resource},
        {2, JSON_MESSAGES, "scopeSpans", &scope_spans}, {3, JSON_TEXT, "schemaUrl", NULL});
MESSAGE(traces_data, {1, JSON_MESSAGES, "resourceSpans", &resource_spans});

MESSAGE(exemplar, {2, JSON_UINT64, "timeUnixNano", NULL}, {3, JSON_DOUBLE, "asDouble", NULL},
        {4, JSON_HEX, "spanId", NULL}, {5, JSON_HEX, "traceId", NULL});
MESSAGE(number_point, {7, JSON_MESSAGES, "attributes", &key_value},
        {2, JSON_UINT64, "startTimeUnixNano", NULL}, {3, JSON_UINT64, "timeUnixNano", NULL},
        {4, JSON_DOUBLE, "asDouble", NULL}, {5, JSON_MESSAGES, "exemplars", &exemplar});
MESSAGE(histogram_point, {9, JSON_MESSAGES, "attributes", &key_value},
        {2, JSON_UINT64, "startTimeUnixNano", NULL}, {3, JSON_UINT64, "timeUnixNano", NULL},
        {4, JSON_UINT64, "count", NULL}, {5, JSON_DOUBLE, "sum", NULL},
        {6, JSON_UINT64S, "bucketCounts", NULL}, {7, JSON_DOUBLES, "explicitBounds", NULL},
        {8, JSON_MESSAGES, "exemplars", &exemplar}, {11, JSON_DOUBLE, "min", NULL},
        {12, JSON_DOUBLE, "max", NULL});
MESSAGE(exponential_side, {1, JSON_SINT32, "offset", NULL},
        {2, JSON_VARINTS, "bucketCounts", NULL});
MESSAGE(exponential_point, {1, JSON_MESSAGES, "attributes", &key_value},
        {2, JSON_UINT64, "startTimeUnixNano", NULL}, {3, JSON_UINT64, "timeUnixNano", NULL},
        {4, JSON_UINT64, "count", NULL}, {5, JSON_DOUBLE, "sum", NULL},
        {6, JSON_SINT32, "scale", NULL}, {7, JSON_UINT64, "zeroCount", NULL},
        {8, JSON_MESSAGE, "positive", &exponential_side},
        {9, JSON_MESSAGE, "negative", &exponential_side},
        {11, JSON_MESSAGES, "exemplars", &exemplar}, {12, JSON_DOUBLE, "min", NULL},
        {13, JSON_DOUBLE, "max", NULL});
MESSAGE(sum, {1, JSON_MESSAGES, "dataPoints", &number_point},
        {2, JSON_NUMBER, "aggregationTemporality", NULL}, {3, JSON_BOOL, "isMonotonic", NULL});
MESSAGE(histogram, {1, JSON_MESSAGES, "dataPoints", &histogram_point},
        {2, JSON_NUMBER, "aggregationTemporality", NULL});
MESSAGE(exponential, {1, JSON_MESSAGES, "dataPoints", &exponential_point},
        {2, JSON_NUMBER, "aggregationTemporality", NULL});
MESSAGE(gauge, {1, JSON_MESSAGES, "dataPoints", &number_point});
MESSAGE(metric, {1, JSON_TEXT, "name", NULL}, {2, JSON_TEXT, "description", NULL},
        {3, JSON_TEXT, "unit", NULL}, {5, JSON_MESSAGE, "gauge", &gauge},
        {7, JSON_MESSAGE, "sum", &sum}, {9, JSON_MESSAGE, "histogram", &histogram},
        {10, JSON_MESSAGE, "exponentialHistogram", &exponential});
MESSAGE(scope_metrics, {1, JSON_MESSAGE, "scope", &scope}, {2, JSON_MESSAGES, "metrics", &metric});
MESSAGE(resource_metrics, {1, JSON_MESSAGE, "resource", &resource},
        {2, JSON_MESSAGES, "scopeMetrics", &scope_metrics}, {3, JSON_TEXT, "schemaUrl", NULL});
MESSAGE(metrics_data, {1, JSON_MESSAGES, "resourceMetrics", &resource_metrics});

/* The first failure sticks; later output is dropped. */
struct writer {
  struct buf *out;
  struct hoist_error *err;
  enum hoist_status status;
};

static void put(struct writer *w, const char *data, size_t size) {
  if (w->status == HOIST_OK) w->status = buf_append(w->out, data, size, w->err);
}

static void put_str(struct writer *w, const char *text) {
  put(w, text, strlen(text));
}

static void put_text(struct writer *w, const char *text, size_t size) {
  put_str(w, "\"");
  size_t plain = 0; /* start of what needs no escape */
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    char escape[8];
    snprintf(escape, sizeof escape, c >= 0x20 ? "\\%c" : "\\u%04x", c);
    put(w, text + plain, i - plain);
    put_str(w, escape);
    plain = i + 1;
  }
  put(w, text + plain, size - plain);
  put_str(w, "\"");
}

static void put_hex(struct writer *w, const uint8_t *data, size_t size) {
  char hex[3];
  put_str(w, "\"");
  for (size_t i = 0; i < size; i++) {
    hex_encode(data + i, 1, hex);
    put(w, hex, 2);
  }
  put_str(w, "\"");
}

static void put_double(struct writer *w, double value) {
  char text[TEXT_DOUBLE_SIZE];
  if (!isfinite(value)) {
    put_str(w, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return;
  }
  text_double(value, text);
  put_str(w, text);
}

static void put_number(struct writer *w, enum json_kind kind, uint64_t value) {
  char text[32];
  switch ((int)kind) {
  case JSON_DOUBLE:
    put_double(w, wire_as_double(value));
    return;
  case JSON_BOOL:
    put_str(w, value ? "true" : "false");
    return;
  case JSON_SINT32:
    snprintf(text, sizeof text, "%" PRId64, (int64_t)(value >> 1) ^ -(int64_t)(value & 1));
    break;
  case JSON_INT64:
    snprintf(text, sizeof text, "\"%" PRId64 "\"", (int64_t)value);
    break;
  case JSON_UINT64:
    snprintf(text, sizeof text, "\"%" PRIu64 "\"", value);
    break;
  default:
    snprintf(text, sizeof text, "%" PRIu32, (uint32_t)value);
    break;
  }
  put_str(w, text);
}

static void put_packed(struct writer *w, enum json_kind kind, const uint8_t *data, size_t size) {
  put_str(w, "[");
  for (size_t i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
    uint64_t value;
    memcpy(&value, data + i, sizeof value);
    if (i > 0) put_str(w, ",");
    put_number(w, kind == JSON_DOUBLES ? JSON_DOUBLE : JSON_UINT64, wire_le64(value));
  }
  put_str(w, "]");
}

static void put_varints(struct writer *w, const uint8_t *data, size_t size) {
  struct wire_reader reader = wire_read(data, size);
  uint64_t value;
  const char *separator = "";
  put_str(w, "[");
  while (wire_next_varint(&reader, &value)) {
    put_str(w, separator);
    put_number(w, JSON_UINT64, value);
    separator = ",";
  }
  put_str(w, "]");
}

static void put_message(struct writer *w, const struct message *message, const uint8_t *data,
                        size_t size);

static bool is_of(const struct wire_field *found, const struct field *field) {
  bool is_number = field->kind == JSON_NUMBER || field->kind == JSON_SINT32 ||
                   field->kind == JSON_INT64 || field->kind == JSON_UINT64 ||
                   field->kind == JSON_DOUBLE || field->kind == JSON_BOOL;
  return found->number == field->number && (found->type == WIRE_BYTES) == !is_number;
}

static void put_value(struct writer *w, const struct field *field, const struct wire_field *found) {
  switch (field->kind) {
  case JSON_MESSAGE:
  case JSON_MESSAGES:
    put_message(w, field->message, found->data, found->size);
    break;
  case JSON_TEXT:
    put_text(w, (const char *)found->data, found->size);
    break;
  case JSON_HEX:
    put_hex(w, found->data, found->size);
    break;
  case JSON_UINT64S:
  case JSON_DOUBLES:
    put_packed(w, field->kind, found->data, found->size);
    break;
  case JSON_VARINTS:
    put_varints(w, found->data, found->size);
    break;
  case JSON_NUMBER:
  case JSON_SINT32:
  case JSON_INT64:
  case JSON_UINT64:
  case JSON_DOUBLE:
  case JSON_BOOL:
    put_number(w, field->kind, found->value);
    break;
  }
}

/* Every occurrence of the field. Returns whether there was one. */
static bool put_field(struct writer *w, const struct field *field, const char *separator,
                      const uint8_t *data, size_t size) {
  struct wire_reader reader = wire_read(data, size);
  struct wire_field found;
  enum wire_result result;
  size_t count = 0;
  while ((result = wire_next(&reader, &found)) == WIRE_FIELD) {
    if (!is_of(&found, field)) continue;
    if (count == 0) {
      put_str(w, separator);
      put_text(w, field->name, strlen(field->name));
      put_str(w, field->kind == JSON_MESSAGES ? ":[" : ":");
    } else if (field->kind == JSON_MESSAGES) {
      put_str(w, ",");
    } else {
      continue; /* hoist writes single fields once */
    }
    put_value(w, field, &found);
    count++;
  }
  if (count > 0 && field->kind == JSON_MESSAGES) put_str(w, "]");
  if (result == WIRE_MALFORMED && w->status == HOIST_OK)
    w->status = hoist_fail(w->err, HOIST_CORRUPT, "%s: not OTLP protobuf", field->name);
  return count > 0;
}

static void put_message(struct writer *w, const struct message *message, const uint8_t *data,
                        size_t size) {
  const char *separator = "";
  put_str(w, "{");
  for (size_t i = 0; i < message->count && w->status == HOIST_OK; i++)
    if (put_field(w, &message->fields[i], separator, data, size)) separator = ",";
  put_str(w, "}");
}

enum hoist_status otlp_json_append(const struct batch *batch, struct buf *out,
                                   struct hoist_error *err) {
  struct writer writer = {.out = out, .err = err, .status = HOIST_OK};
  put_message(&writer, batch->signal == SIGNAL_TRACES ? &traces_data : &metrics_data, batch->data,
              batch->size);
  return writer.status;
}
