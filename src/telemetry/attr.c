/* SPDX-License-Identifier: Apache-2.0 */
/* The unusual side of attributes: texts that are long or not ASCII, and repairing those that are
 * not UTF-8. Pure; any thread. */
#include "attr.h"

#include "text.h"

/* Bytes of the character at the start of `text`, 0 where there is none. */
static size_t character_size(const char *text, size_t size) {
  for (size_t n = 1; n <= 4 && n <= size; n++)
    if (utf8_valid(text, n)) return n;
  return 0;
}

static size_t repair(const char *text, size_t size, char *out, size_t max) {
  static const char replacement[] = "\xef\xbf\xbd";
  size_t used = 0;
  while (size > 0) {
    size_t n = character_size(text, size);
    const char *from = n > 0 ? text : replacement;
    size_t width = n > 0 ? n : sizeof replacement - 1;
    if (used + width > max) break;
    memcpy(out + used, from, width);
    used += width;
    text += n > 0 ? n : 1;
    size -= n > 0 ? n : 1;
  }
  return used;
}

struct text {
  const char *data;
  size_t size;
};

/* Cuts and checks; `scratch` holds the repaired text where repair is needed. */
static struct text clean(const char *text, size_t max, char scratch[ATTR_TEXT_MAX]) {
  if (max > ATTR_TEXT_MAX) max = ATTR_TEXT_MAX;
  size_t size = strnlen(text, max + 1);
  if (size > max) size = utf8_prefix(text, size, max);
  if (utf8_valid(text, size)) return (struct text){text, size};
  return (struct text){scratch, repair(text, size, scratch, max)};
}

uint8_t *text_put_odd(uint8_t *p, const uint8_t *end, uint8_t tag, const char *text, size_t max) {
  char scratch[ATTR_TEXT_MAX];
  struct text t = clean(text, max, scratch);
  if (wire_bytes_size(t.size) > (size_t)(end - p)) return NULL;
  return wire_put_short_bytes(p, tag, t.data, t.size);
}

size_t attr_odd_key_size(const char *key, size_t size) {
  return size <= ATTR_KEY_MAX && utf8_valid(key, size) ? size : 0;
}

uint8_t *attr_put_odd_string(uint8_t *p, const uint8_t *end, uint8_t tag,
                             const struct hoist_attr *attr, size_t key_size, size_t text_max) {
  char scratch[ATTR_TEXT_MAX];
  if (!attr->value.string) return NULL;
  struct text t = clean(attr->value.string, text_max, scratch);
  return attr_put_text(p, end, tag, attr->key, key_size, t.data, t.size);
}

bool attr_is_overridden(const struct hoist_attr *attrs, size_t count, size_t index) {
  for (size_t i = index + 1; i < count; i++)
    if (attrs[i].key && attrs[index].key && strcmp(attrs[i].key, attrs[index].key) == 0)
      return true;
  return false;
}
