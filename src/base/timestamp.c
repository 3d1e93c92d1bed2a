/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 in UTC, without the C library's parsers, which follow the locale. */
#include "timestamp.h"

#include <string.h>
#include <time.h>

#include "clock.h"

#define WHOLE_SECONDS_SIZE 19 /* of "2026-11-27T17:50:30" */
#define MAX_DECIMALS 9
#define MAX_UNIX_S UINT64_C(253402300799) /* 9999-12-31T23:59:59Z: years have four digits */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool two_digits(const char *text, int max, int *ret_value) {
  if (!is_digit(text[0]) || !is_digit(text[1])) return false;
  *ret_value = 10 * (text[0] - '0') + (text[1] - '0');
  return *ret_value <= max;
}

static bool has_shape(const char *text) {
  static const char shape[] = "....-..-..T..:..:..";
  if (strnlen(text, WHOLE_SECONDS_SIZE) < WHOLE_SECONDS_SIZE) return false;
  for (size_t i = 0; shape[i]; i++)
    if (shape[i] != '.' && shape[i] != text[i]) return false;
  return true;
}

static bool parse_seconds(const char *text, time_t *ret_unix_s) {
  int century, year;
  struct tm utc = {0};
  if (!has_shape(text) || !two_digits(text, 99, &century) || !two_digits(text + 2, 99, &year) ||
      !two_digits(text + 5, 12, &utc.tm_mon) || !two_digits(text + 8, 31, &utc.tm_mday) ||
      !two_digits(text + 11, 23, &utc.tm_hour) || !two_digits(text + 14, 59, &utc.tm_min) ||
      !two_digits(text + 17, 60, &utc.tm_sec))
    return false;
  utc.tm_year = century * 100 + year - 1900;
  utc.tm_mon -= 1;
  *ret_unix_s = timegm(&utc);
  return *ret_unix_s >= 0;
}

/* ".123" or nothing; `*text` is moved behind it. */
static bool parse_decimals(const char **text, uint32_t *ret_ns) {
  uint32_t ns = 0, unit = NS_PER_S;
  int count = 0;
  const char *p = *text;
  if (*p == '.') {
    for (p++; is_digit(*p) && count < MAX_DECIMALS; p++, count++) {
      unit /= 10;
      ns += unit * (uint32_t)(*p - '0');
    }
    if (count == 0) return false;
  }
  *text = p;
  *ret_ns = ns;
  return true;
}

bool timestamp_parse(const char *text, uint64_t *ret_unix_s, uint32_t *ret_ns) {
  time_t seconds;
  uint32_t ns;
  if (!parse_seconds(text, &seconds)) return false;
  const char *rest = text + WHOLE_SECONDS_SIZE;
  if (!parse_decimals(&rest, &ns) || strcmp(rest, "Z") != 0) return false;
  *ret_unix_s = (uint64_t)seconds;
  *ret_ns = ns;
  return true;
}

const char *timestamp_format(uint64_t unix_s, char out[TIMESTAMP_SIZE]) {
  time_t when = (time_t)(unix_s < MAX_UNIX_S ? unix_s : MAX_UNIX_S);
  struct tm utc;
  gmtime_r(&when, &utc);
  strftime(out, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return out;
}
