/* SPDX-License-Identifier: Apache-2.0 */
/* ISO 8601 and back. Pure; any thread. */
#include "aws_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Exactly `digits` of them. False: there are not so many, or the number is not within its bounds. */
static bool read_number(const char **at, int digits, int min, int max, int *ret_number) {
  int number = 0;
  for (int i = 0; i < digits; i++, ++*at) {
    if (**at < '0' || **at > '9') return false;
    number = 10 * number + (**at - '0');
  }
  *ret_number = number;
  return number >= min && number <= max;
}

static bool read_char(const char **at, const char *any_of) {
  if (!**at || !strchr(any_of, **at)) return false;
  ++*at;
  return true;
}

static bool read_fraction(const char **at) {
  if (!read_char(at, ".,")) return true;
  size_t digits = strspn(*at, "0123456789");
  *at += digits;
  return digits > 0;
}

/* "Z", "+01:00", "-0330", "+01" */
static bool read_zone(const char **at, int *ret_seconds) {
  int hours = 0, minutes = 0;
  *ret_seconds = 0;
  if (read_char(at, "Zz")) return true;
  int sign = **at == '-' ? -1 : 1;
  if (!read_char(at, "+-") || !read_number(at, 2, 0, 23, &hours)) return false;
  bool has_minutes = read_char(at, ":") || **at;
  if (has_minutes && !read_number(at, 2, 0, 59, &minutes)) return false;
  *ret_seconds = sign * (3600 * hours + 60 * minutes);
  return true;
}

bool aws_time_parse(const char *text, uint64_t *ret_unix_s) {
  const char *at = text;
  struct tm t = {0};
  int year, month, zone;
  bool ok = read_number(&at, 4, 1970, 9999, &year) && read_char(&at, "-") &&
            read_number(&at, 2, 1, 12, &month) && read_char(&at, "-") &&
            read_number(&at, 2, 1, 31, &t.tm_mday) && read_char(&at, "Tt ") &&
            read_number(&at, 2, 0, 23, &t.tm_hour) && read_char(&at, ":") &&
            read_number(&at, 2, 0, 59, &t.tm_min) && read_char(&at, ":") &&
            read_number(&at, 2, 0, 59, &t.tm_sec) && read_fraction(&at) && read_zone(&at, &zone);
  if (!ok || *at) return false;
  t.tm_year = year - 1900;
  t.tm_mon = month - 1;
  time_t seconds = timegm(&t) - zone;
  if (t.tm_mon != month - 1 || seconds < 0) return false; /* the 30th of February is in March */
  *ret_unix_s = (uint64_t)seconds;
  return true;
}

const char *aws_time_format(uint64_t unix_s, char out[AWS_TIME_SIZE]) {
  time_t when = (time_t)unix_s;
  struct tm utc;
  if (!gmtime_r(&when, &utc) || strftime(out, AWS_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
    out[0] = '\0';
  return out;
}
