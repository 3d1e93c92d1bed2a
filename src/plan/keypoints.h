/* SPDX-License-Identifier: Apache-2.0 */
/* The part of artifacts.c that knows keypoints_metadata.json. */
#ifndef HOIST_PLAN_KEYPOINTS_H
#define HOIST_PLAN_KEYPOINTS_H

#include "artifacts.h"
#include "json_read.h"

/** Fills in the keypoints of each class, by class id ascending. On failure `a` may be half-filled:
 *  artifacts_done it.
 *  Errors: CORRUPT · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status keypoints_read(json_t *metadata, struct artifacts *a,
                                                  struct hoist_error *err);
void keypoints_done(struct artifacts_keypoints *keypoints);

#endif
