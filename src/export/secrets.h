/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that must never be shown: the values of the configured headers. A receiver's error message may
 * repeat them. */
#ifndef HOIST_EXPORT_SECRETS_H
#define HOIST_EXPORT_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define SECRETS_MAX 64

struct secrets {
  char *values[SECRETS_MAX];
  size_t count;
};

/** Errors: INVALID more than SECRETS_MAX · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status secrets_add(struct secrets *s, const char *value,
                                               struct hoist_error *err);
void secrets_done(struct secrets *s);

/** Overwrites every occurrence in `text` with '*', also of a value without its scheme ("Bearer ").
 *  Control bytes become '?'. */
void secrets_hide(const struct secrets *s, char *text);

/** The same for the beginning of a value at the end of `text`, which was cut there. */
void secrets_hide_cut(const struct secrets *s, char *text);

/** Whether a value, or what follows its scheme, is so short that hiding it would blot out ordinary words:
 *  then secrets_hide leaves it, and a text that may repeat it must not be shown at all. */
bool secrets_has_short(const struct secrets *s);

#endif
