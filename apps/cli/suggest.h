/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …?" */
#ifndef HOIST_CLI_SUGGEST_H
#define HOIST_CLI_SUGGEST_H

#include <stddef.h>

/** The word nearest to `text`, if it is near enough for a slip of the fingers; else NULL. */
const char *suggest(const char *text, const char *const *words, size_t count);

#endif
