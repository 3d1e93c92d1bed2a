/* SPDX-License-Identifier: Apache-2.0 */
/* Sections, keys and one level of nesting. What a line is depends on the one before it: one that is indented
 * deeper than the key above it belongs to that key's value. A value that begins on its key's line and goes
 * on below it keeps its lines; one that begins below is a list of keys. Entries point into one copy of the
 * text, in which each piece is ended by a NUL. Pure; any thread. */
#include "aws_ini.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct reader {
  struct aws_ini *ini;
  const char *name;    /* of the file */
  unsigned line;       /* from 1 */
  const char *section; /* NULL: before the first */
  const char *key;     /* whose value may go on; NULL: none */
  size_t indent;       /* of that key */
  struct hoist_error *err;
};

void aws_ini_done(struct aws_ini *ini) {
  free(ini->text);
  free(ini->entries);
  *ini = (struct aws_ini){0};
}

static enum hoist_status fail(const struct reader *r, const char *what) {
  return hoist_fail(r->err, HOIST_INVALID, "%s, line %u: %s", r->name, r->line, what);
}

static enum hoist_status add(struct reader *r, const char *key, const char *sub,
                             const char *value) {
  struct aws_ini *ini = r->ini;
  if (ini->count == ini->capacity) {
    size_t capacity = ini->capacity ? 2 * ini->capacity : 32;
    struct aws_ini_entry *entries = realloc(ini->entries, capacity * sizeof *entries);
    if (!entries) return hoist_fail_memory(r->err, r->name);
    ini->entries = entries;
    ini->capacity = capacity;
  }
  ini->entries[ini->count++] = (struct aws_ini_entry){r->section, key, sub, value};
  return HOIST_OK;
}

/* Splits "key = value" in place. False: there is no key, or nothing that ends it. */
static bool split(char *line, const char *delimiters, char **ret_key, char **ret_value) {
  char *end = strpbrk(line, delimiters);
  if (!end || end == line) return false;
  *end = '\0';
  *ret_key = text_trim_in_place(line);
  *ret_value = text_trim_in_place(end + 1);
  return **ret_key != '\0';
}

static enum hoist_status read_section(struct reader *r, char *line) {
  char *end = strrchr(line, ']');
  if (!end || end == line + 1) return fail(r, "a section's name is not ended by ]");
  *end = '\0';
  r->section = line + 1;
  r->key = NULL;
  return add(r, NULL, NULL, "");
}

static enum hoist_status read_key(struct reader *r, char *line, size_t indent) {
  char *key, *value;
  if (!r->section) return fail(r, "there is no section, such as [default], before it");
  if (!split(line, "=:", &key, &value)) return fail(r, "neither a section nor key = value");
  for (char *p = key; *p; p++)
    *p = (char)tolower((unsigned char)*p);
  r->key = key;
  r->indent = indent;
  return add(r, key, NULL, value);
}

/* Nested where nothing stood on the key's own line; else one more line of the value, which does not
 * count: no setting that is read here has a value of several lines. */
static enum hoist_status read_continuation(struct reader *r, char *line) {
  const struct aws_ini_entry *last = &r->ini->entries[r->ini->count - 1];
  char *sub, *value;
  if (!last->sub && *last->value) return HOIST_OK;
  if (!split(line, "=", &sub, &value))
    return fail(r, "below a key without a value: not key = value");
  return add(r, r->key, sub, value);
}

static enum hoist_status read_line(struct reader *r, char *line) {
  size_t indent = strspn(line, " \t\f\v");
  char *start = text_trim_in_place(line + indent);
  if (!*start || *start == '#' || *start == ';') return HOIST_OK;
  if (r->key && indent > r->indent) return read_continuation(r, start);
  return *start == '[' ? read_section(r, start) : read_key(r, start, indent);
}

static enum hoist_status read_lines(struct reader *r, char *text) {
  char *rest = text_starts_with(text, "\xef\xbb\xbf") ? text + 3 : text;
  while (rest) {
    char *line = strsep(&rest, "\n");
    size_t size = strlen(line);
    if (size > 0 && line[size - 1] == '\r') line[size - 1] = '\0';
    r->line++;
    enum hoist_status status = read_line(r, line);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

enum hoist_status aws_ini_parse(const char *text, size_t size, const char *name,
                                struct aws_ini *ret_ini, struct hoist_error *err) {
  if (size > AWS_INI_MAX_BYTES)
    return hoist_fail(err, HOIST_INVALID, "%s: over %u bytes", name, AWS_INI_MAX_BYTES);
  if (memchr(text, '\0', size))
    return hoist_fail(err, HOIST_INVALID, "%s: not a text: there is a NUL in it", name);
  HOIST_AUTO(aws_ini) struct aws_ini ini = {.text = strndup(text, size)};
  if (!ini.text) return hoist_fail_memory(err, name);
  struct reader r = {.ini = &ini, .name = name, .err = err};
  enum hoist_status status = read_lines(&r, ini.text);
  if (status != HOIST_OK) return status;
  *ret_ini = ini;
  ini = (struct aws_ini){0};
  return HOIST_OK;
}
