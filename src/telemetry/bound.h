/* SPDX-License-Identifier: Apache-2.0 */
/* Bound instruments: a series that each thread feeds through a cell of its own. */
#ifndef HOIST_TELEMETRY_BOUND_H
#define HOIST_TELEMETRY_BOUND_H

#include "recorder.h"

/** Binds; a key that is bound already gives the same object, which belongs to the recorder. NULL: no room,
 *  no memory (counted). */
struct hoist_bound *bound_get(struct recorder *r, unsigned scope,
                              const struct hoist_instrument *instrument,
                              const struct hoist_attr *attrs, size_t attr_count);

/* For metrics.c: the whole list. */
void bounds_free(struct bound *first);
/** Gives every bound instrument an empty series and empty cells. */
void bounds_reset_after_fork(struct metrics *m);

#endif
