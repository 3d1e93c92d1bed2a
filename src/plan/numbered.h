/* SPDX-License-Identifier: Apache-2.0 */
/* Objects whose keys are numbers: {"0": "cat", "1": "dog"}. */
#ifndef HOIST_PLAN_NUMBERED_H
#define HOIST_PLAN_NUMBERED_H

#include "json_read.h"

/** Names in the order of their numbers. A zeroed one is empty. */
struct numbered {
  char **names;
  int64_t *numbers; /* ascending, none twice */
  size_t count;
};

/** @param ret_names  release with numbered_done
 *  Errors: CORRUPT no object, a key that is no number, a number twice, a value that is no string, more than
 *          `max` · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status numbered_read(const struct json_place *map, size_t max,
                                                 struct numbered *ret_names,
                                                 struct hoist_error *err);
/** Errors: CORRUPT the numbers are not 0, 1, 2, …; `map` is where they were read */
HOIST_MUST_CHECK enum hoist_status numbered_check_dense(const struct json_place *map,
                                                        const struct numbered *names,
                                                        struct hoist_error *err);
void numbered_done(struct numbered *names);
static inline void numbered_cleanup(struct numbered *names) {
  numbered_done(names);
}

#endif
