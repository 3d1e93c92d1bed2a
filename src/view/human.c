/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting of quantities. Pure; any thread. */
#include "human.h"

#include <inttypes.h>
#include <stdio.h>

/* Three significant digits; the thresholds are where rounding would add a fourth. */
static void three_digits(char out[HUMAN_SIZE], double value, const char *unit) {
  int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  snprintf(out, HUMAN_SIZE, "%.*f %s", decimals, value, unit);
}

const char *human_duration(char out[HUMAN_SIZE], uint64_t ns, bool unicode) {
  double value = (double)ns;
  uint64_t seconds = (ns + 500000000) / 1000000000;
  if (ns < 100)
    snprintf(out, HUMAN_SIZE, "0 %s", unicode ? "µs" : "us");
  else if (value < 999.5e3)
    three_digits(out, value / 1e3, unicode ? "µs" : "us");
  else if (value < 999.5e6)
    three_digits(out, value / 1e6, "ms");
  else if (value < 59.95e9)
    three_digits(out, value / 1e9, "s");
  else if (seconds < 3600)
    snprintf(out, HUMAN_SIZE, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60, seconds % 60);
  else
    snprintf(out, HUMAN_SIZE, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
  return out;
}

const char *human_bytes(char out[HUMAN_SIZE], uint64_t bytes) {
  static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
  double value = (double)bytes;
  if (bytes < 1000) {
    snprintf(out, HUMAN_SIZE, "%" PRIu64 " B", bytes);
    return out;
  }
  size_t unit = 0;
  for (value /= 1000; value >= 999.5 && unit < 5; unit++)
    value /= 1000;
  three_digits(out, value, units[unit]);
  return out;
}

const char *human_age(char out[HUMAN_SIZE], uint64_t seconds) {
  static const struct {
    uint64_t seconds;
    const char *unit;
  } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    uint64_t n = seconds / units[i].seconds;
    if (n > 0) {
      snprintf(out, HUMAN_SIZE, "%" PRIu64 " %s%s ago", n > 999999 ? 999999 : n, units[i].unit,
               n == 1 ? "" : "s");
      return out;
    }
  }
  snprintf(out, HUMAN_SIZE, "just now");
  return out;
}
