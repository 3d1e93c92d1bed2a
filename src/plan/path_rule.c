/* SPDX-License-Identifier: Apache-2.0 */
/* The rule for relative paths from outside. Pure; any thread. */
#include "path_rule.h"

#include <stdbool.h>
#include <string.h>

#include "text.h"

/* The first byte of a character that moves a terminal's cursor or ends a line instead of showing:
 * C0, DEL, and C1, which in UTF-8 is c2 80 to c2 9f. Reads at most one byte further, the NUL. */
static bool is_control(const unsigned char *p) {
  return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

static const char *byte_problem(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if (is_control(p)) return "has a control byte";
    if (*p == '\\') return "has a backslash";
  }
  return NULL;
}

static const char *segment_problem(const char *segment, size_t size) {
  if (size == 0) return "has an empty segment";
  if (size == 1 && segment[0] == '.') return "has a segment \".\"";
  if (size == 2 && memcmp(segment, "..", 2) == 0) return "has a segment \"..\"";
  if (size >= 6 && memcmp(segment, ".hoist", 6) == 0)
    return "has a segment beginning with \".hoist\", which is reserved";
  return NULL;
}

const char *path_problem(const char *text, const struct path_rule *rule) {
  size_t size = strnlen(text, rule->max_bytes + 1);
  if (size == 0) return "is empty";
  if (size > rule->max_bytes) return "is too long";
  if (!utf8_valid(text, size)) return "is not valid UTF-8";
  const char *problem = byte_problem(text);
  if (problem) return problem;
  if (text[0] == '/') return "begins with a slash";
  if (text[size - 1] == '/') return "ends with a slash";
  size_t segments = 0;
  for (const char *segment = text;; segments++) {
    size_t length = strcspn(segment, "/");
    problem = segment_problem(segment, length);
    if (problem) return problem;
    if (segment[length] == '\0') break;
    segment += length + 1;
  }
  if (rule->max_segments != 0 && segments + 1 > rule->max_segments) return "has too many segments";
  return NULL;
}

const char *path_shown(const char *text, char out[PATH_SHOWN_SIZE]) {
  size_t size = strnlen(text, PATH_SHOWN_SIZE);
  bool cut = size >= PATH_SHOWN_SIZE;
  if (cut) size = utf8_prefix(text, size, PATH_SHOWN_SIZE - 4);
  bool valid = utf8_valid(text, size);
  for (size_t i = 0; i < size; i++) {
    const unsigned char *p = (const unsigned char *)text + i;
    bool shown = !is_control(p) && (valid || *p < 0x80);
    out[i] = shown ? text[i] : '?';
  }
  memcpy(out + size, cut ? "..." : "", cut ? 4 : 1);
  return out;
}
