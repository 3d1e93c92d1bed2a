/* SPDX-License-Identifier: Apache-2.0 */
/* AnyValue messages as JSON. Recursion goes OTLP_VALUE_MAX_DEPTH deep at most, so no message can
 * exhaust the stack. Pure; any thread. */
#include "otlp_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "wire.h"

_Static_assert(OTLP_NUMBER_SIZE >= TEXT_DOUBLE_SIZE, "a number has room");

void otlp_number_text(double value, char out[OTLP_NUMBER_SIZE]) {
  if (isfinite(value))
    text_double(value, out);
  else
    snprintf(out, OTLP_NUMBER_SIZE, "%s",
             isnan(value) ? "NaN"
             : value > 0  ? "Infinity"
                          : "-Infinity");
}

enum hoist_status otlp_append_number(struct buf *out, double value, struct hoist_error *err) {
  char text[OTLP_NUMBER_SIZE];
  otlp_number_text(value, text);
  const char *quote = isfinite(value) ? "" : "\"";
  return buf_printf(out, err, "%s%s%s", quote, text, quote);
}

enum hoist_status otlp_append_quoted(struct buf *out, struct otlp_bytes text,
                                     struct hoist_error *err) {
  enum hoist_status status = buf_append_str(out, "\"", err);
  size_t plain = 0; /* start of what needs no escape */
  for (size_t i = 0; i < text.size && status == HOIST_OK; i++) {
    unsigned char c = text.data[i];
    if (c >= 0x20 && c != 0x7f && c != '"' && c != '\\') continue;
    status = buf_append(out, text.data + plain, i - plain, err);
    if (status == HOIST_OK)
      status = buf_printf(out, err, c == '"' || c == '\\' ? "\\%c" : "\\u%04x", c);
    plain = i + 1;
  }
  if (status == HOIST_OK && text.size > plain)
    status = buf_append(out, text.data + plain, text.size - plain, err);
  return status == HOIST_OK ? buf_append_str(out, "\"", err) : status;
}

static enum hoist_status append_base64(struct buf *out, struct otlp_bytes bytes,
                                       struct hoist_error *err) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; i < bytes.size && status == HOIST_OK; i += 3) {
    size_t left = bytes.size - i;
    uint32_t word = (uint32_t)bytes.data[i] << 16 |
                    (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                    (left > 2 ? bytes.data[i + 2] : 0u);
    char group[4] = {digits[word >> 18], digits[word >> 12 & 63],
                     left > 1 ? digits[word >> 6 & 63] : '=', left > 2 ? digits[word & 63] : '='};
    status = buf_append(out, group, sizeof group, err);
  }
  return status;
}

static enum hoist_status malformed(struct hoist_error *err) {
  return hoist_fail(err, HOIST_CORRUPT, "the value of an attribute: not OTLP protobuf");
}

static struct otlp_bytes bytes_of(const struct wire_field *field) {
  return (struct otlp_bytes){.data = field->data, .size = field->size};
}

static enum hoist_status append_any(struct buf *out, struct otlp_bytes any, int depth,
                                    struct hoist_error *err);

/* `"key":value` of a KeyValue. */
static enum hoist_status append_member(struct buf *out, struct otlp_bytes key_value, int depth,
                                       struct hoist_error *err) {
  struct wire_reader reader = wire_read(key_value.data, key_value.size);
  struct wire_field field;
  struct otlp_bytes key = {0}, value = {0};
  enum wire_result result;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD) {
    if (field.type != WIRE_BYTES) continue;
    if (field.number == 1) key = bytes_of(&field);
    if (field.number == 2) value = bytes_of(&field);
  }
  if (result != WIRE_END) return malformed(err);
  enum hoist_status status = otlp_append_quoted(out, key, err);
  if (status == HOIST_OK) status = buf_append_str(out, ":", err);
  return status == HOIST_OK ? append_any(out, value, depth, err) : status;
}

/* The `values` of an ArrayValue or a KeyValueList. */
static enum hoist_status append_values(struct buf *out, struct otlp_bytes list, bool is_map,
                                       int depth, struct hoist_error *err) {
  struct wire_reader reader = wire_read(list.data, list.size);
  struct wire_field field;
  enum wire_result result;
  const char *separator = is_map ? "{" : "[";
  enum hoist_status status = HOIST_OK;
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD && status == HOIST_OK) {
    if (field.number != 1 || field.type != WIRE_BYTES) continue;
    status = buf_append_str(out, separator, err);
    separator = ",";
    if (status != HOIST_OK) break;
    status = is_map ? append_member(out, bytes_of(&field), depth, err)
                    : append_any(out, bytes_of(&field), depth, err);
  }
  if (status != HOIST_OK) return status;
  if (result != WIRE_END) return malformed(err);
  if (*separator != ',') status = buf_append_str(out, separator, err);
  return status == HOIST_OK ? buf_append_str(out, is_map ? "}" : "]", err) : status;
}

static enum hoist_status append_bytes(struct buf *out, struct otlp_bytes bytes,
                                      struct hoist_error *err) {
  enum hoist_status status = buf_append_str(out, "\"", err);
  if (status == HOIST_OK) status = append_base64(out, bytes, err);
  return status == HOIST_OK ? buf_append_str(out, "\"", err) : status;
}

static enum hoist_status append_field(struct buf *out, const struct wire_field *field, int depth,
                                      struct hoist_error *err) {
  bool is_bytes = field->type == WIRE_BYTES, is_varint = field->type == WIRE_VARINT;
  if (field->number == 1 && is_bytes) return otlp_append_quoted(out, bytes_of(field), err);
  if (field->number == 2 && is_varint)
    return buf_append_str(out, field->value ? "true" : "false", err);
  if (field->number == 3 && is_varint)
    return buf_printf(out, err, "%" PRId64, (int64_t)field->value);
  if (field->number == 4 && field->type == WIRE_FIXED64)
    return otlp_append_number(out, wire_as_double(field->value), err);
  if ((field->number == 5 || field->number == 6) && is_bytes)
    return append_values(out, bytes_of(field), field->number == 6, depth, err);
  if (field->number == 7 && is_bytes) return append_bytes(out, bytes_of(field), err);
  return buf_append_str(out, "null", err);
}

/* The last field of an AnyValue: as a oneof, it holds one. No field: `ret_field` is one of number 0. */
static bool read_any(struct otlp_bytes any, struct wire_field *ret_field) {
  struct wire_reader reader = wire_read(any.data, any.size);
  struct wire_field field;
  enum wire_result result;
  *ret_field = (struct wire_field){0};
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD)
    *ret_field = field;
  return result == WIRE_END;
}

static enum hoist_status append_any(struct buf *out, struct otlp_bytes any, int depth,
                                    struct hoist_error *err) {
  struct wire_field field;
  if (depth == OTLP_VALUE_MAX_DEPTH) return buf_append_str(out, "null", err);
  if (!read_any(any, &field)) return malformed(err);
  return append_field(out, &field, depth + 1, err);
}

enum hoist_status otlp_append_value(struct buf *out, struct otlp_bytes any,
                                    struct hoist_error *err) {
  struct wire_field field;
  if (!read_any(any, &field)) return malformed(err);
  if (field.number == 7 && field.type == WIRE_BYTES)
    return append_base64(out, bytes_of(&field), err);
  return append_field(out, &field, 1, err);
}
