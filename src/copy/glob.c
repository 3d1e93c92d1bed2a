/* SPDX-License-Identifier: Apache-2.0 */
/* Matching with one point to go back to: behind the last star, since what an earlier one took need never be
 * reconsidered. */
#include "glob.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The next character, and moves on; a byte that is no character's stands for itself. */
static uint32_t next_character(const char **text) {
  const unsigned char *p = (const unsigned char *)*text;
  size_t more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
  uint32_t value = more == 0 ? p[0] : p[0] & (0x3fu >> more);
  for (size_t i = 1; i <= more; i++) {
    if ((p[i] & 0xc0) != 0x80) {
      more = 0;
      value = p[0];
      break;
    }
    value = value << 6 | (p[i] & 0x3f);
  }
  *text += more + 1;
  return value;
}

/* Where the set that begins behind a '[' ends: at its ']'; NULL: nowhere. A ']' that comes first is one of the
 * set. */
static const char *find_end(const char *set) {
  if (*set == '!') set++;
  return *set ? strchr(set + 1, ']') : NULL;
}

static bool is_in_set(const char *set, const char *end, uint32_t c) {
  bool wanted = *set != '!', found = false;
  if (!wanted) set++;
  while (set < end) {
    uint32_t low = next_character(&set), high = low;
    if (set + 1 < end && *set == '-') {
      set++;
      high = next_character(&set);
    }
    found |= low <= c && c <= high;
  }
  return found == wanted;
}

/* One element of the pattern that is no star, against one character; moves both on. */
static bool take_one(const char **pattern, const char **name) {
  const char *end = **pattern == '[' ? find_end(*pattern + 1) : NULL;
  uint32_t c = next_character(name);
  if (end) {
    const char *set = *pattern + 1;
    *pattern = end + 1;
    return is_in_set(set, end, c);
  }
  uint32_t wanted = next_character(pattern);
  return wanted == '?' || wanted == c;
}

bool glob_matches(const char *pattern, const char *name) {
  const char *after_star = NULL, *retry = NULL;
  while (*name) {
    if (*pattern == '*') {
      after_star = ++pattern;
      retry = name;
    } else if (!*pattern || !take_one(&pattern, &name)) {
      if (!after_star) return false;
      (void)next_character(&retry);
      pattern = after_star;
      name = retry;
    }
  }
  while (*pattern == '*')
    pattern++;
  return !*pattern;
}
