/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as RFC 3339 writes them in UTC: "2026-11-27T17:50:30.123Z". Pure; any thread. */
#ifndef HOIST_BASE_TIMESTAMP_H
#define HOIST_BASE_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

/** Reads one, with or without up to nine decimals of a second. False on anything else, on other zones than Z,
 *  and on what lies before 1970.
 *  @param ret_ns  of the second, 0..999999999 */
bool timestamp_parse(const char *text, uint64_t *ret_unix_s, uint32_t *ret_ns);

#define TIMESTAMP_SIZE 32
/** "2026-11-27T17:50:30Z"; what lies after the year 9999 is cut to its end. */
const char *timestamp_format(uint64_t unix_s, char out[TIMESTAMP_SIZE]);

#endif
