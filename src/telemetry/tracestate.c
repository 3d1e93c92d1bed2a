/* SPDX-License-Identifier: Apache-2.0 */
/* The tracestate header of W3C Trace Context (level 2): a list of members, each "key=value". It is taken
 * apart into slices of the caller's text, changed as a list, and written out again. Pure; any thread. */
#include <hoist/propagation.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

enum {
  KEY_MAX = 256,
  VALUE_MAX = 256,
  MEMBERS_MAX = 32,
  LONG_MEMBER = 128, /* longer ones go first where the whole is too long */
  TEXT_MAX = HOIST_TRACESTATE_SIZE - 1
};

struct member {
  const char *text; /* not terminated */
  size_t size, key_size;
};

struct list {
  struct member members[MEMBERS_MAX];
  size_t count;
};

/* ---- grammar ------------------------------------------------------------------------------------- */

static bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_key(const char *text, size_t size) {
  if (size == 0 || size > KEY_MAX || !is_alphanumeric(text[0])) return false;
  for (size_t i = 1; i < size; i++)
    if (!is_alphanumeric(text[i]) && (!text[i] || !strchr("_-*/@", text[i]))) return false;
  return true;
}

/* Spaces belong to a value, but not at its end. */
static bool is_value(const char *text, size_t size) {
  if (size == 0 || size > VALUE_MAX || text[size - 1] == ' ') return false;
  for (size_t i = 0; i < size; i++)
    if (text[i] < ' ' || text[i] > '~' || text[i] == ',' || text[i] == '=') return false;
  return true;
}

static bool read_member(const char *text, size_t size, struct member *ret_member) {
  const char *equals = memchr(text, '=', size);
  if (!equals) return false;
  size_t key_size = (size_t)(equals - text);
  if (!is_key(text, key_size) || !is_value(equals + 1, size - key_size - 1)) return false;
  *ret_member = (struct member){.text = text, .size = size, .key_size = key_size};
  return true;
}

/* ---- the list ------------------------------------------------------------------------------------ */

/* Index of the member with that key; list->count when there is none. */
static size_t find(const struct list *list, const char *key, size_t key_size) {
  size_t i = 0;
  while (i < list->count && (list->members[i].key_size != key_size ||
                             memcmp(list->members[i].text, key, key_size) != 0))
    i++;
  return i;
}

static void remove_at(struct list *list, size_t index) {
  list->count--;
  memmove(list->members + index, list->members + index + 1,
          (list->count - index) * sizeof *list->members);
}

/* One header line. `seen` counts the members, also those that are there twice. */
static bool add_line(struct list *list, const char *line, size_t *seen) {
  for (;; line++) {
    size_t end = strcspn(line, ","), size = end;
    const char *text = text_trim(line, &size);
    struct member member;
    if (size > 0) {
      if (++*seen > MEMBERS_MAX || !read_member(text, size, &member)) return false;
      if (find(list, member.text, member.key_size) == list->count)
        list->members[list->count++] = member;
    }
    line += end;
    if (!*line) return true;
  }
}

static size_t text_size(const struct list *list) {
  size_t size = list->count > 0 ? list->count - 1 : 0;
  for (size_t i = 0; i < list->count; i++)
    size += list->members[i].size;
  return size;
}

/* Drops members until the text fits, but for the first `keep` ones. */
static void shorten(struct list *list, size_t keep) {
  while (text_size(list) > TEXT_MAX) {
    size_t victim = list->count - 1, i = list->count;
    while (i > keep && list->members[i - 1].size <= LONG_MEMBER)
      i--;
    if (i > keep) victim = i - 1;
    remove_at(list, victim);
  }
}

static void write_list(const struct list *list, char out[HOIST_TRACESTATE_SIZE]) {
  char *p = out;
  for (size_t i = 0; i < list->count; i++) {
    if (i > 0) *p++ = ',';
    memcpy(p, list->members[i].text, list->members[i].size);
    p += list->members[i].size;
  }
  *p = '\0';
}

/* ---- public -------------------------------------------------------------------------------------- */

enum hoist_status hoist_tracestate_parse(const char *const *headers, size_t count,
                                         char out[HOIST_TRACESTATE_SIZE]) {
  struct list list = {.count = 0};
  size_t seen = 0;
  out[0] = '\0';
  for (size_t i = 0; i < count; i++)
    if (!add_line(&list, headers[i], &seen)) return HOIST_INVALID;
  shorten(&list, 0);
  write_list(&list, out);
  return HOIST_OK;
}

size_t hoist_tracestate_get(const char *tracestate, const char *key, char *out, size_t size) {
  struct list list = {.count = 0};
  size_t seen = 0, key_size = strlen(key);
  if (size > 0) out[0] = '\0';
  if (!tracestate || !add_line(&list, tracestate, &seen)) return 0;
  size_t at = find(&list, key, key_size);
  if (at == list.count) return 0;
  struct member member = list.members[at];
  size_t value_size = member.size - key_size - 1;
  if (size > 0) snprintf(out, size, "%.*s", (int)value_size, member.text + key_size + 1);
  return value_size;
}

enum hoist_status hoist_tracestate_set(char tracestate[HOIST_TRACESTATE_SIZE], const char *key,
                                       const char *value) {
  char text[HOIST_TRACESTATE_SIZE], own[HOIST_TRACESTATE_SIZE];
  struct list list = {.count = 0};
  struct member member;
  size_t seen = 0, key_size = strlen(key), keep = value ? 1 : 0;
  if (value) {
    int size = snprintf(own, sizeof own, "%s=%s", key, value);
    if (size < 0 || size > TEXT_MAX || !read_member(own, (size_t)size, &member))
      return HOIST_INVALID;
  } else if (!is_key(key, key_size)) {
    return HOIST_INVALID;
  }
  text_copy(text, sizeof text, tracestate);
  if (!add_line(&list, text, &seen)) list.count = 0; /* it would not be passed on either */
  size_t at = find(&list, key, key_size);
  if (at < list.count) remove_at(&list, at);
  if (value) {
    if (list.count == MEMBERS_MAX) list.count--;
    memmove(list.members + 1, list.members, list.count * sizeof *list.members);
    list.members[0] = member;
    list.count++;
  }
  shorten(&list, keep);
  write_list(&list, tracestate);
  return HOIST_OK;
}
