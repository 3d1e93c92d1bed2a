/* SPDX-License-Identifier: Apache-2.0 */
/* The one rule for relative paths that come from outside, shared by model ids and file names, and
 * how such a text is shown in an error. */
#ifndef HOIST_PLAN_PATH_RULE_H
#define HOIST_PLAN_PATH_RULE_H

#include <stddef.h>

struct path_rule {
  size_t max_bytes;
  size_t max_segments; /* 0: any number */
};

/** What makes `text` unsafe as a '/'-separated path below a directory of ours, as the end of a
 *  sentence ("has an empty segment"), static storage; NULL when it is safe: well-formed UTF-8
 *  without control bytes (C0, DEL, C1) or backslash, not absolute, no segment that is empty, "." or
 *  "..", none that begins with ".hoist" (our own files). */
const char *path_problem(const char *text, const struct path_rule *rule);

#define PATH_SHOWN_SIZE 72

/** Copies the beginning of `text` for an error message: cut with "..." at a character boundary,
 *  bytes that are not printable UTF-8 as '?'. Returns `out`. */
const char *path_shown(const char *text, char out[PATH_SHOWN_SIZE]);

#endif
