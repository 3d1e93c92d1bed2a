/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that were there already. */
#ifndef HOIST_TELEMETRY_TEXT_SET_H
#define HOIST_TELEMETRY_TEXT_SET_H

#include <stdbool.h>

#include "buf.h"

struct text_place; /* where a text is */

/* Zeroed but for `texts`, which says how much there may be: empty. */
struct text_set {
  struct buf texts; /* one behind the other */
  struct text_place *places;
  size_t count, capacity; /* a power of two, or 0 */
};

void text_set_done(struct text_set *set);
/** Forgets all texts, keeps the memory. */
void text_set_clear(struct text_set *set);

/** Takes in what has been appended to `texts` since it had `size` bytes; takes it off again where that
 *  was there already.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status text_set_add(struct text_set *set, size_t size,
                                                bool *ret_is_new);

#endif
