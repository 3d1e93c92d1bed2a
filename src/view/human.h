/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities as people read them: three significant digits and a unit. */
#ifndef HOIST_VIEW_HUMAN_H
#define HOIST_VIEW_HUMAN_H

#include <stdbool.h>
#include <stdint.h>

#define HUMAN_SIZE 24

/** "412 µs", "4.12 ms", "41.2 s", "3m 12s", "2h 05m". Without `unicode`, "us". Returns `out`. */
const char *human_duration(char out[HUMAN_SIZE], uint64_t ns, bool unicode);
/** "512 B", "442 KB", "4.72 MB": decimal units. Returns `out`. */
const char *human_bytes(char out[HUMAN_SIZE], uint64_t bytes);
/** "just now", "12 minutes ago", "3 days ago"; a time to come is "just now". Returns `out`. */
const char *human_age(char out[HUMAN_SIZE], uint64_t seconds);

#endif
