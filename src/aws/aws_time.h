/* SPDX-License-Identifier: Apache-2.0 */
/* Times as AWS writes them: ISO 8601. */
#ifndef HOIST_AWS_TIME_H
#define HOIST_AWS_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define AWS_TIME_SIZE 21 /* "2013-05-24T00:00:00Z" */

/** Date and time of day, to the second or finer (which is dropped), with Z or an offset from UTC.
 *  False on anything else, and on a time before 1970. */
bool aws_time_parse(const char *text, uint64_t *ret_unix_s);
/** Returns `out`. */
const char *aws_time_format(uint64_t unix_s, char out[AWS_TIME_SIZE]);

#endif
