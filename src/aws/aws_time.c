/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets from UTC. Pure; any thread. */
#include "aws_time.h"

#include <stdio.h>
#include <string.h>

#include "timestamp.h"

#define DATE_SIZE 10 /* of "2013-05-24", whose - is no sign */
#define MAX_SIZE 48

static bool is_digits(const char *text, size_t count) {
  return strspn(text, "0123456789") >= count;
}

/* "+01:00", "-0330" */
static bool read_offset(const char *text, int64_t *ret_seconds) {
  if (!is_digits(text + 1, 2)) return false;
  const char *minutes = text + 3 + (text[3] == ':');
  if (!is_digits(minutes, 2) || minutes[2]) return false;
  int hour = 10 * (text[1] - '0') + text[2] - '0',
      minute = 10 * (minutes[0] - '0') + minutes[1] - '0';
  *ret_seconds = (text[0] == '-' ? -1 : 1) * (int64_t)(3600 * hour + 60 * minute);
  return hour < 24 && minute < 60;
}

bool aws_time_parse(const char *text, uint64_t *ret_unix_s) {
  char utc[MAX_SIZE];
  uint64_t unix_s;
  uint32_t ns;
  int64_t offset = 0;
  size_t size = strlen(text);
  if (size < DATE_SIZE || size + 2 > sizeof utc) return false;
  size_t zone = DATE_SIZE + strcspn(text + DATE_SIZE, "+-");
  if (zone < size && !read_offset(text + zone, &offset)) return false;
  snprintf(utc, sizeof utc, "%.*s%s", (int)zone, text, zone < size ? "Z" : "");
  if (!timestamp_parse(utc, &unix_s, &ns) || (int64_t)unix_s < offset) return false;
  *ret_unix_s = (uint64_t)((int64_t)unix_s - offset);
  return true;
}
