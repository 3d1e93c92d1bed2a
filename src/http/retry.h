/* SPDX-License-Identifier: Apache-2.0 */
/* When to try again, and after how long. */
#ifndef HOIST_HTTP_RETRY_H
#define HOIST_HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"

#define RETRY_BASE_MS 100
#define RETRY_CAP_MS 5000
#define RETRY_AFTER_CAP_S 60

bool retry_status(int http_status);

/** Full jitter: `random` spread over 0 … min(RETRY_CAP_MS, RETRY_BASE_MS · 2^(attempt-1)), where
 *  `attempt` is the number of attempts made, from 1. */
uint64_t retry_backoff_ns(uint32_t attempt, uint64_t random);

/** The wait that a Retry-After value (seconds or an HTTP date) asks for, at most RETRY_AFTER_CAP_S.
 *  False when it is neither. */
bool retry_after_parse(const char *value, uint64_t now_unix_s, uint64_t *ret_seconds);

/** The wait before the next attempt: what the response asks for, else backoff.
 *  @param ret_is_asked  whether it is what the response asks for */
uint64_t retry_delay_ns(const struct http_response *response, uint32_t attempt, bool *ret_is_asked);

#endif
