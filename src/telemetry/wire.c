/* SPDX-License-Identifier: Apache-2.0 */
/* Reading protobuf's wire format, field by field. Copies nothing; every length is checked against
 * what is left. Pure; any thread. */
#include "wire.h"

bool wire_next_varint(struct wire_reader *reader, uint64_t *ret_value) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
    uint8_t byte = *reader->at++;
    if (shift == 63 && byte > 1) return false;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *ret_value = value;
      return true;
    }
  }
  return false;
}

static bool take(struct wire_reader *reader, size_t size, const uint8_t **ret_data) {
  if ((size_t)(reader->end - reader->at) < size) return false;
  *ret_data = reader->at;
  reader->at += size;
  return true;
}

static bool read_value(struct wire_reader *reader, struct wire_field *field) {
  const uint8_t *raw;
  uint64_t size;
  uint32_t fixed32;
  switch (field->type) {
  case WIRE_VARINT:
    return wire_next_varint(reader, &field->value);
  case WIRE_FIXED64:
    if (!take(reader, sizeof field->value, &raw)) return false;
    memcpy(&field->value, raw, sizeof field->value);
    field->value = wire_le64(field->value);
    return true;
  case WIRE_FIXED32:
    if (!take(reader, sizeof fixed32, &raw)) return false;
    memcpy(&fixed32, raw, sizeof fixed32);
    field->value = wire_le32(fixed32);
    return true;
  case WIRE_BYTES:
    if (!wire_next_varint(reader, &size) || size > (size_t)(reader->end - reader->at)) return false;
    field->size = (size_t)size;
    return take(reader, field->size, &field->data);
  }
  return false;
}

enum wire_result wire_next(struct wire_reader *reader, struct wire_field *ret_field) {
  uint64_t key;
  if (reader->at == reader->end) return WIRE_END;
  if (!wire_next_varint(reader, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
    return WIRE_MALFORMED;
  struct wire_field field = {.number = (uint32_t)(key >> 3), .type = (enum wire_type)(key & 7)};
  if (!read_value(reader, &field)) return WIRE_MALFORMED;
  *ret_field = field;
  return WIRE_FIELD;
}
