/* SPDX-License-Identifier: Apache-2.0 */
/* The part of artifacts.c that knows environment.json. */
#ifndef HOIST_PLAN_ENVIRONMENT_H
#define HOIST_PLAN_ENVIRONMENT_H

#include "artifacts.h"
#include "json_read.h"

/** Fills in what environment.json says: preprocessing, input size, colors, multiclass, and the
 *  classes out of CLASS_MAP where `a` has none yet or its task takes them from there. On failure `a` may be half-filled:
 *  artifacts_done it.
 *  Errors: CORRUPT · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status environment_read(json_t *environment, struct artifacts *a,
                                                    struct hoist_error *err);

#endif
