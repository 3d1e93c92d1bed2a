/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of key-value lists. Works on a copy of the text, decoded in place. Pure; any thread. */
#include "keyvalue.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "auto.h"
#include "text.h"

/* In place. Control bytes are refused in either form: they could smuggle in further headers. */
static bool decode(char *text) {
  char *out = text;
  for (; *text; text++) {
    uint8_t byte = (uint8_t)*text;
    if (byte == '%') {
      if (!hex_decode(text + 1, strnlen(text + 1, 2), &byte, 1)) return false;
      text += 2;
    }
    if (byte < 0x20 || byte == 0x7f) return false;
    *out++ = (char)byte;
  }
  *out = '\0';
  return true;
}

enum hoist_status keyvalue_each(const char *text,
                                enum hoist_status (*visit)(void *user, const char *key,
                                                           const char *value,
                                                           struct hoist_error *err),
                                void *user, struct hoist_error *err) {
  if (strnlen(text, KEYVALUE_TEXT_MAX + 1) > KEYVALUE_TEXT_MAX)
    return hoist_fail(err, HOIST_INVALID, "the list is longer than %u bytes", KEYVALUE_TEXT_MAX);
  HOIST_AUTO(mem) char *copy = text_dup(text);
  if (!copy) return hoist_fail_memory(err, "a list of key=value");
  int number = 0;
  for (char *entry, *rest = copy; (entry = strsep(&rest, ",")) != NULL;) {
    number++;
    entry = text_trim_in_place(entry);
    if (!*entry) continue;
    char *value = strchr(entry, '=');
    if (!value) return hoist_fail(err, HOIST_INVALID, "entry %d of the list has no '='", number);
    *value++ = '\0';
    char *key = text_trim_in_place(entry);
    value = text_trim_in_place(value);
    if (!*key || !decode(key) || !decode(value))
      return hoist_fail(err, HOIST_INVALID,
                        "entry %d of the list has an empty key, a bad %%-escape or a control byte",
                        number);
    enum hoist_status status = visit(user, key, value, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}
