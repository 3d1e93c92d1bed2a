/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting lists of pairs, in a copy of the text that the list owns. Reentrant. */
#include "pairs.h"

#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "text.h"

void pairs_done(struct pairs *pairs) {
  free(pairs->text);
  *pairs = (struct pairs){0};
}

static enum hoist_status add(struct pairs *pairs, char *part, struct hoist_error *err) {
  char *equals = strchr(part, '=');
  if (!equals)
    return hoist_fail(err, HOIST_INVALID, "\"%.80s\" is not of the form key=value", part);
  *equals = '\0';
  const char *key = text_trim_in_place(part);
  if (!*key) return hoist_fail(err, HOIST_INVALID, "\"=%.80s\" has no key", equals + 1);
  if (pairs->count == PAIRS_MAX)
    return hoist_fail(err, HOIST_INVALID, "more than %d options", PAIRS_MAX);
  pairs->keys[pairs->count] = key;
  pairs->values[pairs->count++] = text_trim_in_place(equals + 1);
  return HOIST_OK;
}

enum hoist_status pairs_parse(const char *text, size_t size, char separator,
                              struct pairs *ret_pairs, struct hoist_error *err) {
  __attribute__((cleanup(pairs_cleanup))) struct pairs pairs = {.text = strndup(text, size)};
  if (!pairs.text) return hoist_fail_memory(err, "options of a session");
  for (char *part = pairs.text, *next; part; part = next) {
    next = strchr(part, separator);
    if (next) *next++ = '\0';
    part = text_trim_in_place(part);
    enum hoist_status status = *part ? add(&pairs, part, err) : HOIST_OK;
    if (status != HOIST_OK) return status;
  }
  *ret_pairs = pairs;
  pairs.text = NULL;
  return HOIST_OK;
}
