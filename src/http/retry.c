/* SPDX-License-Identifier: Apache-2.0 */
/* Backoff. Full jitter, because many machines that lost the same server at the same moment must not
 * come back at the same moment. Any thread. */
#include "retry.h"

#include <curl/curl.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"

bool retry_status(int http_status) {
  return http_status == 408 || http_status == 429 || http_status == 500 || http_status == 502 ||
         http_status == 503 || http_status == 504;
}

uint64_t retry_backoff_ns(uint32_t attempt, uint64_t random) {
  uint64_t limit_ms = RETRY_CAP_MS;
  if (attempt >= 1 && attempt <= 6) limit_ms = (uint64_t)RETRY_BASE_MS << (attempt - 1);
  if (limit_ms > RETRY_CAP_MS) limit_ms = RETRY_CAP_MS;
  return random % (limit_ms * NS_PER_MS + 1);
}

static bool starts_with_letter(const char *value) {
  return (*value >= 'A' && *value <= 'Z') || (*value >= 'a' && *value <= 'z');
}

/* Every form of an HTTP date starts with the day's name; curl would take much else for a date. */
static bool parse_date(const char *value, uint64_t *ret_unix_s) {
  time_t date = starts_with_letter(value) ? curl_getdate(value, NULL) : -1;
  if (date < 0) return false;
  *ret_unix_s = (uint64_t)date;
  return true;
}

bool http_response_date(const struct http_response *r, uint64_t *ret_unix_s) {
  char value[64];
  return http_response_header(r, "date", value, sizeof value) && parse_date(value, ret_unix_s);
}

bool retry_after_parse(const char *value, uint64_t now_unix_s, uint64_t *ret_seconds) {
  uint64_t seconds = 0, date = 0;
  if (!parse_u64(value, &seconds)) {
    if (!parse_date(value, &date)) return false;
    seconds = date > now_unix_s ? date - now_unix_s : 0;
  }
  *ret_seconds = seconds < RETRY_AFTER_CAP_S ? seconds : RETRY_AFTER_CAP_S;
  return true;
}

static uint64_t random_u64(void) {
  uint64_t random = 0;
  if (getentropy(&random, sizeof random) != 0)
    random = clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
  return random;
}

uint64_t retry_delay_ns(const struct http_response *response, uint32_t attempt,
                        bool *ret_is_asked) {
  char value[64];
  uint64_t seconds = 0;
  *ret_is_asked = http_response_header(response, "retry-after", value, sizeof value) &&
                  retry_after_parse(value, clock_realtime_ns() / NS_PER_S, &seconds);
  return *ret_is_asked ? seconds * NS_PER_S : retry_backoff_ns(attempt, random_u64());
}
