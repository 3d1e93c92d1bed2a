/* SPDX-License-Identifier: Apache-2.0 */
/* W3C Baggage: names, values and their properties, between a header and memory. The object owns its
 * entries, each in one block. It never holds more than a header may, so formatting cannot fail. Messages
 * name an entry by its number or name, never by its value, which may be confidential. One thread per
 * object. */
#include <hoist/propagation.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "err.h"
#include "text.h"

#define TEXT_MAX (HOIST_BAGGAGE_SIZE - 1)

struct entry {
  const char *value, *properties; /* in `name`, behind the name */
  size_t text_size;               /* in a header */
  char name[];
};

struct hoist_baggage {
  struct entry *entries[HOIST_BAGGAGE_MEMBERS_MAX];
  size_t count;
  size_t text_size; /* of all entries, without the commas between them */
};

HOIST_DEFINE_AUTO(baggage, struct hoist_baggage, hoist_baggage_free)

struct slice {
  const char *text;
  size_t size;
};

/* ---- grammar ------------------------------------------------------------------------------------- */

static struct slice trim(struct slice s) {
  s.text = text_trim(s.text, &s.size);
  return s;
}

/* Takes what is before the next `separator` off `rest`; false when nothing is left. `rest->text` becomes
 * NULL behind the last part. */
static bool next_part(struct slice *rest, char separator, struct slice *ret_part) {
  if (!rest->text) return false;
  const char *end = memchr(rest->text, separator, rest->size);
  *ret_part = *rest;
  if (end) {
    ret_part->size = (size_t)(end - rest->text);
    *rest = (struct slice){end + 1, rest->size - ret_part->size - 1};
  } else {
    *rest = (struct slice){NULL, 0};
  }
  return true;
}

/* RFC 7230, section 3.2.6. */
static bool is_token(struct slice s) {
  for (size_t i = 0; i < s.size; i++) {
    char c = s.text[i];
    bool is_alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!is_alphanumeric && (!c || !strchr("!#$%&'*+-.^_`|~", c))) return false;
  }
  return s.size > 0;
}

static bool is_octet(char c) {
  return c > ' ' && c <= '~' && c != '"' && c != ',' && c != ';' && c != '\\';
}

static bool is_octets(struct slice s) {
  for (size_t i = 0; i < s.size; i++)
    if (!is_octet(s.text[i])) return false;
  return true;
}

static bool is_property(struct slice property) {
  struct slice key;
  (void)next_part(&property, '=', &key);
  return is_token(trim(key)) && is_octets(trim(property));
}

static bool is_properties(struct slice properties) {
  for (struct slice property; next_part(&properties, ';', &property);)
    if (!is_property(property)) return false;
  return true;
}

/* ---- values -------------------------------------------------------------------------------------- */

/* Percent-decodes to `out`, which is as long; false for a malformed value or a NUL in it. */
static bool decode(struct slice s, char *out, size_t *ret_size) {
  size_t size = 0;
  for (size_t i = 0; i < s.size; i++) {
    char c = s.text[i];
    if (!is_octet(c)) return false;
    if (c == '%') {
      if (s.size - i < 3 || !hex_decode(s.text + i + 1, 2, &c, 1) || !c) return false;
      i += 2;
    }
    out[size++] = c;
  }
  *ret_size = size;
  return true;
}

/* As decode, with U+FFFD for what is not UTF-8, and a NUL. A byte that needs the three of U+FFFD took
 * three to encode. */
static bool decode_value(struct slice s, char out[HOIST_BAGGAGE_SIZE]) {
  char raw[TEXT_MAX];
  size_t size;
  if (!decode(s, raw, &size)) return false;
  out[utf8_repair(raw, size, out, TEXT_MAX)] = '\0';
  return true;
}

static bool stays_as_it_is(char c) {
  return is_octet(c) && c != '%';
}

static size_t encoded_size(const char *value) {
  size_t size = 0;
  for (; *value; value++)
    size += stays_as_it_is(*value) ? 1 : 3;
  return size;
}

static char *encode(const char *value, char *p) {
  static const char digits[] = "0123456789ABCDEF";
  for (; *value; value++) {
    unsigned char c = (unsigned char)*value;
    if (stays_as_it_is(*value)) {
      *p++ = *value;
    } else {
      *p++ = '%';
      *p++ = digits[c >> 4];
      *p++ = digits[c & 15];
    }
  }
  return p;
}

/* ---- entries ------------------------------------------------------------------------------------- */

/* Index of the entry with that name; baggage->count when there is none. */
static size_t find(const struct hoist_baggage *baggage, struct slice name) {
  size_t i = 0;
  while (i < baggage->count && (strncmp(baggage->entries[i]->name, name.text, name.size) != 0 ||
                                baggage->entries[i]->name[name.size]))
    i++;
  return i;
}

static void remove_at(struct hoist_baggage *baggage, size_t index) {
  baggage->text_size -= baggage->entries[index]->text_size;
  free(baggage->entries[index]);
  baggage->count--;
  memmove(baggage->entries + index, baggage->entries + index + 1,
          (baggage->count - index) * sizeof(struct entry *));
}

static struct entry *entry_new(struct slice name, const char *value, struct slice properties) {
  size_t value_size = strlen(value);
  struct entry *entry =
      calloc(1, sizeof *entry + name.size + 1 + value_size + 1 + properties.size + 1);
  if (!entry) return NULL;
  char *value_at = entry->name + name.size + 1, *properties_at = value_at + value_size + 1;
  memcpy(entry->name, name.text, name.size);
  memcpy(value_at, value, value_size);
  if (properties.size > 0) memcpy(properties_at, properties.text, properties.size);
  entry->value = value_at;
  entry->properties = properties_at;
  entry->text_size = name.size + 1 + encoded_size(value);
  if (properties.size > 0) entry->text_size += 1 + properties.size;
  return entry;
}

/* What was checked, if there is room. `properties` is trimmed. */
static enum hoist_status put(struct hoist_baggage *baggage, struct slice name, const char *value,
                             struct slice properties, struct hoist_error *err) {
  HOIST_AUTO(mem) struct entry *entry = entry_new(name, value, properties);
  if (!entry) return hoist_fail_memory(err, "baggage");
  size_t at = find(baggage, name), count = baggage->count;
  size_t text_size = baggage->text_size + entry->text_size;
  if (at < count)
    text_size -= baggage->entries[at]->text_size;
  else
    count++;
  if (count > HOIST_BAGGAGE_MEMBERS_MAX || text_size + count - 1 > TEXT_MAX)
    return hoist_fail(err, HOIST_INVALID, "more than %d entries or %d bytes",
                      HOIST_BAGGAGE_MEMBERS_MAX, TEXT_MAX);
  if (at < baggage->count) free(baggage->entries[at]);
  baggage->entries[at] = HOIST_TAKE(entry);
  baggage->count = count;
  baggage->text_size = text_size;
  return HOIST_OK;
}

static enum hoist_status read_member(struct hoist_baggage *baggage, struct slice member,
                                     struct hoist_error *err) {
  char value[HOIST_BAGGAGE_SIZE];
  struct slice name = {0}, encoded, properties = member;
  (void)next_part(&properties, ';', &member);
  bool has_properties = properties.text != NULL;
  encoded = member;
  (void)next_part(&encoded, '=', &name);
  name = trim(name);
  properties = trim(properties);
  if (!is_token(name))
    return hoist_fail(err, HOIST_INVALID, "the name is empty or has characters a token may not");
  if (!encoded.text) return hoist_fail(err, HOIST_INVALID, "there is no '='");
  if (!decode_value(trim(encoded), value))
    return hoist_fail(err, HOIST_INVALID,
                      "the value has a character that must be percent-encoded, or a bad %%-escape");
  if (has_properties && !is_properties(properties))
    return hoist_fail(err, HOIST_INVALID, "the properties are malformed");
  return put(baggage, name, value, properties, err);
}

/* ---- public -------------------------------------------------------------------------------------- */

enum hoist_status hoist_baggage_new(struct hoist_baggage **ret_baggage, struct hoist_error *err) {
  struct hoist_baggage *baggage = calloc(1, sizeof *baggage);
  if (!baggage) return hoist_fail_memory(err, "baggage");
  *ret_baggage = baggage;
  return HOIST_OK;
}

enum hoist_status hoist_baggage_parse(const char *header, struct hoist_baggage **ret_baggage,
                                      struct hoist_error *err) {
  HOIST_AUTO(baggage) struct hoist_baggage *baggage = NULL;
  struct slice rest = {header, header ? strnlen(header, HOIST_BAGGAGE_SIZE) : 0}, member;
  if (rest.size > TEXT_MAX)
    return hoist_fail(err, HOIST_INVALID, "baggage: more than %d bytes", TEXT_MAX);
  enum hoist_status status = hoist_baggage_new(&baggage, err);
  for (size_t number = 1; status == HOIST_OK && next_part(&rest, ',', &member); number++) {
    member = trim(member);
    if (member.size > 0) status = read_member(baggage, member, err);
    if (status == HOIST_INVALID) hoist_error_prepend(err, "baggage entry %zu", number);
  }
  if (status == HOIST_OK) *ret_baggage = HOIST_TAKE(baggage);
  return status;
}

const char *hoist_baggage_get(const struct hoist_baggage *baggage, const char *name,
                              const char **ret_properties) {
  if (!baggage || !name) return NULL;
  size_t at = find(baggage, (struct slice){name, strlen(name)});
  if (at == baggage->count) return NULL;
  if (ret_properties) *ret_properties = baggage->entries[at]->properties;
  return baggage->entries[at]->value;
}

enum hoist_status hoist_baggage_set(struct hoist_baggage *baggage, const char *name,
                                    const char *value, const char *properties,
                                    struct hoist_error *err) {
  struct slice key = {name, name ? strlen(name) : 0};
  struct slice metadata = {properties, properties ? strlen(properties) : 0};
  if (!baggage) return hoist_fail(err, HOIST_INVALID, "baggage: there is none to set it in");
  metadata = trim(metadata);
  if (!is_token(key))
    return hoist_fail(err, HOIST_INVALID,
                      "baggage: the name \"%.40s\" is empty or has characters a token may not",
                      name ? name : "");
  if (!value) {
    size_t at = find(baggage, key);
    if (at < baggage->count) remove_at(baggage, at);
    return HOIST_OK;
  }
  if (!utf8_valid(value, strlen(value)))
    return hoist_fail(err, HOIST_INVALID, "baggage: the value of %.40s is not UTF-8", name);
  if (metadata.size > 0 && !is_properties(metadata))
    return hoist_fail(err, HOIST_INVALID, "baggage: the properties of %.40s are malformed", name);
  enum hoist_status status = put(baggage, key, value, metadata, err);
  if (status == HOIST_INVALID) hoist_error_prepend(err, "baggage: %.40s", name);
  return status;
}

const char *hoist_baggage_name(const struct hoist_baggage *baggage, size_t index) {
  return baggage && index < baggage->count ? baggage->entries[index]->name : NULL;
}

void hoist_baggage_format(const struct hoist_baggage *baggage, char out[HOIST_BAGGAGE_SIZE]) {
  char *p = out;
  for (size_t i = 0; baggage && i < baggage->count; i++) {
    const struct entry *entry = baggage->entries[i];
    if (i > 0) *p++ = ',';
    p = stpcpy(p, entry->name);
    *p++ = '=';
    p = encode(entry->value, p);
    if (*entry->properties) {
      *p++ = ';';
      p = stpcpy(p, entry->properties);
    }
  }
  *p = '\0';
}

void hoist_baggage_free(struct hoist_baggage *baggage) {
  if (!baggage) return;
  while (baggage->count > 0)
    free(baggage->entries[--baggage->count]);
  free(baggage);
}
