/* SPDX-License-Identifier: Apache-2.0 */
/* "key=value;key=value", as options of sessions and providers are written in settings. */
#ifndef HOIST_SESSION_PAIRS_H
#define HOIST_SESSION_PAIRS_H

#include <stddef.h>

#include "err.h"

#define PAIRS_MAX 32

struct pairs {
  char *text; /* malloc'd; the others point into it */
  const char *keys[PAIRS_MAX], *values[PAIRS_MAX];
  size_t count;
};

/** Splits the `size` bytes at `text`; blanks around keys and values do not count. A value may be empty,
 *  a key may not.
 *  Errors: INVALID names the part that is no pair · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status pairs_parse(const char *text, size_t size, char separator,
                                               struct pairs *ret_pairs, struct hoist_error *err);
void pairs_done(struct pairs *pairs);
static inline void pairs_cleanup(struct pairs *pairs) {
  pairs_done(pairs);
}

#endif
