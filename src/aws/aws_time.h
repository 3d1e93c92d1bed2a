/* SPDX-License-Identifier: Apache-2.0 */
/* Times as AWS's services and the commands that speak for them write them. */
#ifndef HOIST_AWS_TIME_H
#define HOIST_AWS_TIME_H

#include <stdbool.h>
#include <stdint.h>

/** As timestamp_parse, to the second; also with an offset from UTC instead of the Z: "+01:00", "-0330". */
bool aws_time_parse(const char *text, uint64_t *ret_unix_s);

#endif
