/* SPDX-License-Identifier: Apache-2.0 */
/* Hiding secrets in texts from outside. Pure but for its own memory; one thread. */
#include "secrets.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { SHORTEST = 4 }; /* shorter values would blot out ordinary words */

enum hoist_status secrets_add(struct secrets *s, const char *value, struct hoist_error *err) {
  if (s->count == SECRETS_MAX)
    return hoist_fail(err, HOIST_INVALID, "more than %d headers", SECRETS_MAX);
  char *copy = text_dup(value);
  if (!copy) return hoist_fail_memory(err, "a header");
  s->values[s->count++] = copy;
  return HOIST_OK;
}

void secrets_done(struct secrets *s) {
  for (size_t i = 0; i < s->count; i++)
    free(s->values[i]);
  s->count = 0;
}

static void hide(char *text, const char *secret) {
  size_t size = strlen(secret);
  if (size < SHORTEST) return;
  for (char *at = text; (at = strstr(at, secret)) != NULL; at += size)
    memset(at, '*', size);
}

/* The longest beginning of the secret that ends the text. */
static void hide_end(char *text, const char *secret) {
  size_t text_size = strlen(text), size = strlen(secret);
  if (size > text_size) size = text_size;
  for (; size >= SHORTEST; size--)
    if (memcmp(text + text_size - size, secret, size) == 0) {
      memset(text + text_size - size, '*', size);
      return;
    }
}

static bool is_short(const char *secret) {
  return *secret && strlen(secret) < SHORTEST;
}

bool secrets_has_short(const struct secrets *s) {
  for (size_t i = 0; i < s->count; i++) {
    const char *scheme_end = strrchr(s->values[i], ' ');
    if (is_short(s->values[i]) || (scheme_end && is_short(scheme_end + 1))) return true;
  }
  return false;
}

void secrets_hide(const struct secrets *s, char *text) {
  for (size_t i = 0; i < s->count; i++) {
    const char *scheme_end = strrchr(s->values[i], ' ');
    hide(text, s->values[i]);
    if (scheme_end) hide(text, scheme_end + 1);
  }
  for (char *p = text; *p; p++)
    if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
}

void secrets_hide_cut(const struct secrets *s, char *text) {
  for (size_t i = 0; i < s->count; i++) {
    const char *scheme_end = strrchr(s->values[i], ' ');
    hide_end(text, s->values[i]);
    if (scheme_end) hide_end(text, scheme_end + 1);
  }
}
