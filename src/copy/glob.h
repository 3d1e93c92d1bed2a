/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns for file names, as the AWS CLI and Python have them. Pure; any thread. */
#ifndef HOIST_COPY_GLOB_H
#define HOIST_COPY_GLOB_H

#include <stdbool.h>

/** Whether all of `name` is as the pattern says: `*` any text, of several directories too; `?` one character;
 *  `[abc]`, `[a-z]`, `[!a]` one out of a set; everything else is itself, a `[` that nothing closes, too. Characters
 *  are those of UTF-8. Takes time in proportion to the product of the lengths, at most. */
bool glob_matches(const char *pattern, const char *name);

#endif
