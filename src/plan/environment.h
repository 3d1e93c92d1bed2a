/* SPDX-License-Identifier: Apache-2.0 */
/* The part of artifacts.c that knows environment.json. */
#ifndef HOIST_PLAN_ENVIRONMENT_H
#define HOIST_PLAN_ENVIRONMENT_H

#include <stdbool.h>

#include "artifacts.h"
#include "json_read.h"

/** Fills in what environment.json says: preprocessing, input size, colors, multiclass, and the
 *  classes out of CLASS_MAP where `a` has none yet. On failure `a` may be half-filled:
 *  artifacts_done it.
 *  Errors: CORRUPT · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status environment_read(json_t *environment, struct artifacts *a,
                                                    struct hoist_error *err);

/** The names of an object like {"0": "cat", "1": "dog"} in the order of their numbers; with `dense`
 *  these must be 0, 1, 2, …
 *  @param ret_names  malloc'd, as is each of its `ret_count` strings */
HOIST_MUST_CHECK enum hoist_status environment_read_numbered(const struct json_place *map,
                                                             bool dense, char ***ret_names,
                                                             size_t *ret_count,
                                                             struct hoist_error *err);

#endif
