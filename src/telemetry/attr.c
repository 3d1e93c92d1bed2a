/* SPDX-License-Identifier: Apache-2.0 */
/* The unusual side of attributes: arrays, texts that are long or not ASCII, and repairing those that are
 * not UTF-8. Pure; any thread. */
#include "attr.h"

#include "text.h"

struct text {
  const char *data;
  size_t size;
};

/* Cuts and checks; `scratch` holds the repaired text where repair is needed. */
static struct text clean(const char *text, size_t size, size_t max, char scratch[ATTR_TEXT_MAX]) {
  if (max > ATTR_TEXT_MAX) max = ATTR_TEXT_MAX;
  if (size > max) size = utf8_prefix(text, size, max);
  if (utf8_valid(text, size)) return (struct text){text, size};
  return (struct text){scratch, utf8_repair(text, size, scratch, max)};
}

uint8_t *text_put_odd(uint8_t *p, const uint8_t *end, uint8_t tag, const char *text, size_t size,
                      size_t max) {
  char scratch[ATTR_TEXT_MAX];
  struct text t = clean(text, size, max, scratch);
  if (wire_bytes_size(t.size) > (size_t)(end - p)) return NULL;
  return wire_put_short_bytes(p, tag, t.data, t.size);
}

size_t attr_odd_key_size(const char *key, size_t size) {
  return size <= ATTR_KEY_MAX && utf8_valid(key, size) ? size : 0;
}

/* The index-th element as an AnyValue, written to [p, end) with its tag ARRAY_VALUE. */
static uint8_t *put_element(uint8_t *p, const uint8_t *end, const struct hoist_attr *attr,
                            size_t index, size_t text_max) {
  enum { HEAD_MAX = 4, NUMBER_MAX = 16 };
  if ((size_t)(end - p) < HEAD_MAX + NUMBER_MAX) return NULL;
  uint8_t *value = p + HEAD_MAX, *after = NULL;
  if (attr->type == HOIST_ATTR_STRING_ARRAY) {
    const char *text = attr->value.strings[index];
    after = text_put(value, end, ANY_STRING, text ? text : "", text_max);
  } else if (attr->type == HOIST_ATTR_INT_ARRAY) {
    after = wire_put_number(value, ANY_INT, (uint64_t)attr->value.integers[index]);
  } else if (attr->type == HOIST_ATTR_DOUBLE_ARRAY) {
    after = wire_put_double(value, ANY_DOUBLE, attr->value.numbers[index]);
  } else if (attr->type == HOIST_ATTR_BOOL_ARRAY) {
    after = wire_put_number(value, ANY_BOOL, attr->value.booleans[index] != 0);
  }
  if (!after) return NULL;
  size_t size = (size_t)(after - value);
  uint8_t *body = wire_put_head(p, ARRAY_VALUE, size);
  memmove(body, value, size); /* the head is shorter than there is room for */
  return body + size;
}

/* An array whole or not at all. Its elements are written behind where they will be, as their lengths are
 * known only then. */
static uint8_t *put_array(uint8_t *p, const uint8_t *end, uint8_t tag,
                          const struct hoist_attr *attr, size_t key_size, size_t text_max) {
  size_t heads_max = key_size + 24;
  if ((size_t)(end - p) < heads_max) return NULL;
  uint8_t *elements = p + heads_max, *after = elements;
  for (size_t i = 0; after && i < attr->count; i++)
    after = put_element(after, end, attr, i, text_max);
  if (!after) return NULL;
  size_t size = (size_t)(after - elements);
  p = attr_put_key(p, end, tag, attr->key, key_size, wire_bytes_size(size));
  if (!p) return NULL;
  p = wire_put_head(p, ANY_ARRAY, size);
  memmove(p, elements, size);
  return p + size;
}

uint8_t *attr_put_odd(uint8_t *p, const uint8_t *end, uint8_t tag, const struct hoist_attr *attr,
                      size_t key_size, size_t text_size, size_t text_max) {
  char scratch[ATTR_TEXT_MAX];
  if (!attr_has_value(attr)) return NULL;
  if (attr->type != HOIST_ATTR_STRING) return put_array(p, end, tag, attr, key_size, text_max);
  struct text t = clean(attr->value.string, text_size, text_max, scratch);
  return attr_put_text(p, end, tag, attr->key, key_size, t.data, t.size);
}

bool attr_is_overridden(const struct hoist_attr *attrs, size_t count, size_t index) {
  for (size_t i = index + 1; i < count; i++)
    if (attrs[i].key && attrs[index].key && attr_has_value(&attrs[i]) &&
        strcmp(attrs[i].key, attrs[index].key) == 0)
      return true;
  return false;
}
