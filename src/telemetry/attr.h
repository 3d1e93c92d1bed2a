/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and texts as OTLP bytes. What receivers would reject a whole batch for, text that is
 * not UTF-8, is repaired here. The usual case, short ASCII, is inline: it is most of what recording
 * a span costs. */
#ifndef HOIST_TELEMETRY_ATTR_H
#define HOIST_TELEMETRY_ATTR_H

#include <hoist/telemetry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire.h"

/* Longest attribute key; so its length takes one byte on the wire. */
#define ATTR_KEY_MAX 127
/* Longest text this module ever writes, whatever the configured limit. */
#define ATTR_TEXT_MAX 8192

enum {
  KEY_VALUE_KEY = WIRE_TAG(1, WIRE_BYTES),
  KEY_VALUE_VALUE = WIRE_TAG(2, WIRE_BYTES),
  ANY_STRING = WIRE_TAG(1, WIRE_BYTES),
  ANY_BOOL = WIRE_TAG(2, WIRE_VARINT),
  ANY_INT = WIRE_TAG(3, WIRE_VARINT),
  ANY_DOUBLE = WIRE_TAG(4, WIRE_FIXED64),
  ANY_ARRAY = WIRE_TAG(5, WIRE_BYTES),
  ARRAY_VALUE = WIRE_TAG(1, WIRE_BYTES),
};

/* Words at a time; the last one overlaps the one before. */
static inline bool text_is_ascii(const char *text, size_t size) {
  uint64_t bits = 0, word;
  uint32_t half;
  if (size >= sizeof word) {
    for (size_t i = 0; i + sizeof word < size; i += sizeof word) {
      memcpy(&word, text + i, sizeof word);
      bits |= word;
    }
    memcpy(&word, text + size - sizeof word, sizeof word);
    return ((bits | word) & WIRE_HIGH_BITS) == 0;
  }
  if (size >= sizeof half) {
    memcpy(&half, text, sizeof half);
    bits = half;
    memcpy(&half, text + size - sizeof half, sizeof half);
    return ((bits | half) & WIRE_HIGH_BITS) == 0;
  }
  for (size_t i = 0; i < size; i++)
    bits |= (unsigned char)text[i];
  return (bits & WIRE_HIGH_BITS) == 0;
}

/** text_put for a text that is too long or not ASCII. */
uint8_t *text_put_odd(uint8_t *p, const uint8_t *end, uint8_t tag, const char *text, size_t size,
                      size_t max);

/** Writes the first `max` bytes of a text at most, cut at a character, with U+FFFD for what is not
 *  UTF-8 (then it may be cut further). NULL where it does not fit. */
static inline uint8_t *text_put(uint8_t *p, const uint8_t *end, uint8_t tag, const char *text,
                                size_t max) {
  size_t size = strlen(text);
  if (size > max || !text_is_ascii(text, size)) return text_put_odd(p, end, tag, text, size, max);
  if (wire_bytes_size(size) > (size_t)(end - p)) return NULL;
  return wire_put_short_bytes(p, tag, text, size);
}

/** attr_check_key for keys that are not ASCII or too long. */
size_t attr_odd_key_size(const char *key, size_t size);

/** `size`, the length of a key, or 0 where it cannot be one: empty, too long or not UTF-8. */
static inline size_t attr_check_key(const char *key, size_t size) {
  if (size > ATTR_KEY_MAX || !text_is_ascii(key, size)) return attr_odd_key_size(key, size);
  return size;
}

/** The same for a key whose length is not known; NULL has none. */
static inline size_t attr_key_size(const char *key) {
  return key ? attr_check_key(key, strlen(key)) : 0;
}

/* The KeyValue up to its value: tags, lengths and key. */
static inline uint8_t *attr_put_key(uint8_t *p, const uint8_t *end, uint8_t tag, const char *key,
                                    size_t key_size, size_t value_size) {
  size_t body = wire_bytes_size(key_size) + wire_bytes_size(value_size);
  if (wire_bytes_size(body) > (size_t)(end - p)) return NULL;
  p = wire_put_head(p, tag, body);
  p = wire_put_short_bytes(p, KEY_VALUE_KEY, key, key_size);
  return wire_put_head(p, KEY_VALUE_VALUE, value_size);
}

static inline uint8_t *attr_put_text(uint8_t *p, const uint8_t *end, uint8_t tag, const char *key,
                                     size_t key_size, const char *text, size_t size) {
  p = attr_put_key(p, end, tag, key, key_size, wire_bytes_size(size));
  return p ? wire_put_short_bytes(p, ANY_STRING, text, size) : NULL;
}

/** attr_put for what is not a short, plain value: arrays, and texts that are long or not ASCII. */
uint8_t *attr_put_odd(uint8_t *p, const uint8_t *end, uint8_t tag, const struct hoist_attr *attr,
                      size_t key_size, size_t text_size, size_t text_max);

/** Writes `attr` as a KeyValue field with tag `tag` to [p, end). Texts are cut to `text_max` bytes.
 *  Returns the byte after it, or NULL (nothing usable written) where it does not fit or the value
 *  is a NULL string.
 *  @param key_size   attr_check_key's, not 0
 *  @param text_size  strlen of a string; unused for others */
static inline uint8_t *attr_put_sized(uint8_t *p, const uint8_t *end, uint8_t tag,
                                      const struct hoist_attr *attr, size_t key_size,
                                      size_t text_size, size_t text_max) {
  uint64_t integer = (uint64_t)attr->value.integer;
  if (attr->type == HOIST_ATTR_STRING) {
    if (text_size > text_max || !text_is_ascii(attr->value.string, text_size))
      return attr_put_odd(p, end, tag, attr, key_size, text_size, text_max);
    return attr_put_text(p, end, tag, attr->key, key_size, attr->value.string, text_size);
  }
  if (attr->type == HOIST_ATTR_INT) {
    p = attr_put_key(p, end, tag, attr->key, key_size, 1 + wire_varint_size(integer));
    return p ? wire_put_number(p, ANY_INT, integer) : NULL;
  }
  if (attr->type == HOIST_ATTR_BOOL) {
    p = attr_put_key(p, end, tag, attr->key, key_size, 2);
    return p ? wire_put_number(p, ANY_BOOL, integer != 0) : NULL;
  }
  if (attr->type == HOIST_ATTR_DOUBLE) {
    p = attr_put_key(p, end, tag, attr->key, key_size, 9);
    return p ? wire_put_double(p, ANY_DOUBLE, attr->value.number) : NULL;
  }
  return attr_put_odd(p, end, tag, attr, key_size, text_size, text_max);
}

/** The same where the length of a string is not known. */
static inline uint8_t *attr_put(uint8_t *p, const uint8_t *end, uint8_t tag,
                                const struct hoist_attr *attr, size_t key_size, size_t text_max) {
  bool is_text = attr->type == HOIST_ATTR_STRING;
  if (is_text && !attr->value.string) return NULL;
  return attr_put_sized(p, end, tag, attr, key_size, is_text ? strlen(attr->value.string) : 0,
                        text_max);
}

/** Whether it is a string or an array with elements, and NULL. */
static inline bool attr_is_null(const struct hoist_attr *attr) {
  bool is_pointer =
      attr->type == HOIST_ATTR_STRING || (attr->type >= HOIST_ATTR_STRING_ARRAY && attr->count > 0);
  return is_pointer && !attr->value.string;
}

/** Whether there is a value: of a type we know, and not NULL. */
static inline bool attr_has_value(const struct hoist_attr *attr) {
  return attr->type >= HOIST_ATTR_STRING && attr->type <= HOIST_ATTR_BOOL_ARRAY &&
         !attr_is_null(attr);
}

/** Whether a later element of the list with a value has the same key, so that this one does not count. */
bool attr_is_overridden(const struct hoist_attr *attrs, size_t count, size_t index);

#endif
