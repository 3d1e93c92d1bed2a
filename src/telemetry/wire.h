/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf's wire format: writing into memory that the caller measured before, and reading bytes
 * that are not trusted. Numbers of OTLP's fields stand where they are used. */
#ifndef HOIST_TELEMETRY_WIRE_H
#define HOIST_TELEMETRY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* The tag byte of a field below 16. */
#define WIRE_TAG(field, type) ((uint8_t)((field) << 3 | (type)))

static inline size_t wire_varint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7)
    size++;
  return size;
}

/* Protobuf is little-endian: to and from the machine's order. */
static inline uint64_t wire_le64(uint64_t value) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

static inline uint32_t wire_le32(uint32_t value) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap32(value);
#endif
  return value;
}

/* The writers return the byte after what they wrote. */

static inline uint8_t *wire_put_varint(uint8_t *p, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    *p++ = (uint8_t)(value | 0x80);
  *p++ = (uint8_t)value;
  return p;
}

static inline uint8_t *wire_put_raw(uint8_t *p, const void *data, size_t size) {
  memcpy(p, data, size);
  return p + size;
}

/* wire_put_raw for the few bytes of a key or value: most are shorter than a call of memcpy is long.
 * Two overlapping words cover any length from one word to two. */
static inline uint8_t *wire_put_short(uint8_t *p, const void *data, size_t size) {
  const uint8_t *from = data;
  if (size > 16) {
    memcpy(p, from, size);
  } else if (size >= 8) {
    uint64_t first, last;
    memcpy(&first, from, 8);
    memcpy(&last, from + size - 8, 8);
    memcpy(p, &first, 8);
    memcpy(p + size - 8, &last, 8);
  } else if (size >= 4) {
    uint32_t first, last;
    memcpy(&first, from, 4);
    memcpy(&last, from + size - 4, 4);
    memcpy(p, &first, 4);
    memcpy(p + size - 4, &last, 4);
  } else {
    for (size_t i = 0; i < size; i++)
      p[i] = from[i];
  }
  return p + size;
}

#define WIRE_HIGH_BITS UINT64_C(0x8080808080808080)

/* Copies as wire_put_short does, and returns the bytes or-ed together: no bit of WIRE_HIGH_BITS is set
 * where they are ASCII. */
static inline uint64_t wire_copy_short(uint8_t *p, const char *from, size_t size) {
  uint64_t bits = 0, word;
  uint32_t first, last;
  if (size >= sizeof word) {
    for (size_t i = 0; i + sizeof word < size; i += sizeof word) {
      memcpy(&word, from + i, sizeof word);
      memcpy(p + i, &word, sizeof word);
      bits |= word;
    }
    memcpy(&word, from + size - sizeof word, sizeof word);
    memcpy(p + size - sizeof word, &word, sizeof word);
    return bits | word;
  }
  if (size >= sizeof first) {
    memcpy(&first, from, sizeof first);
    memcpy(&last, from + size - sizeof last, sizeof last);
    memcpy(p, &first, sizeof first);
    memcpy(p + size - sizeof last, &last, sizeof last);
    return first | last;
  }
  for (size_t i = 0; i < size; i++) {
    p[i] = (uint8_t)from[i];
    bits |= p[i];
  }
  return bits;
}

/* Tag and length; the `size` bytes of the field follow. */
static inline uint8_t *wire_put_head(uint8_t *p, uint8_t tag, size_t size) {
  *p++ = tag;
  return wire_put_varint(p, size);
}

static inline uint8_t *wire_put_bytes(uint8_t *p, uint8_t tag, const void *data, size_t size) {
  return wire_put_raw(wire_put_head(p, tag, size), data, size);
}

static inline uint8_t *wire_put_short_bytes(uint8_t *p, uint8_t tag, const void *data,
                                            size_t size) {
  return wire_put_short(wire_put_head(p, tag, size), data, size);
}

static inline uint8_t *wire_put_number(uint8_t *p, uint8_t tag, uint64_t value) {
  *p++ = tag;
  return wire_put_varint(p, value);
}

static inline uint8_t *wire_put_fixed64(uint8_t *p, uint8_t tag, uint64_t value) {
  *p++ = tag;
  value = wire_le64(value);
  return wire_put_raw(p, &value, sizeof value);
}

static inline uint8_t *wire_put_double(uint8_t *p, uint8_t tag, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return wire_put_fixed64(p, tag, bits);
}

/* Bytes of a field with tag (one byte), length and `size` bytes. */
static inline size_t wire_bytes_size(size_t size) {
  return 1 + wire_varint_size(size) + size;
}

struct wire_reader {
  const uint8_t *at, *end;
};

struct wire_field {
  uint32_t number;
  enum wire_type type;
  uint64_t value;      /* VARINT, FIXED64, FIXED32 */
  const uint8_t *data; /* BYTES */
  size_t size;
};

enum wire_result { WIRE_FIELD, WIRE_END, WIRE_MALFORMED };

static inline struct wire_reader wire_read(const void *data, size_t size) {
  const uint8_t *at = data;
  return (struct wire_reader){.at = at, .end = at ? at + size : at};
}

/** The next field. Groups, field number 0 and anything that runs over the end are malformed. */
enum wire_result wire_next(struct wire_reader *reader, struct wire_field *ret_field);
bool wire_next_varint(struct wire_reader *reader, uint64_t *ret_value);

/** The value of a FIXED64 field as a double. */
static inline double wire_as_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
#endif
