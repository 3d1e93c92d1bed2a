/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup by attribute: HOIST_AUTO(fd) int dir = fd_none(); closes when the scope is left. */
#ifndef HOIST_BASE_AUTO_H
#define HOIST_BASE_AUTO_H

#include <stdlib.h>

/** Declares that `type##_cleanup(type_of_variable *)` runs when the variable's scope is left. */
#define HOIST_AUTO(kind) __attribute__((cleanup(kind##_cleanup)))

/** Moves a pointer out of an owning variable, leaving NULL behind, so that its cleanup does nothing. */
#define HOIST_TAKE(pointer)                                                                        \
  ({                                                                                               \
    __typeof__(pointer) taken_ = (pointer);                                                        \
    (pointer) = NULL;                                                                              \
    taken_;                                                                                        \
  })

/** Defines `name_cleanup` for `HOIST_AUTO(name) type *x` out of a destructor that accepts NULL. */
#define HOIST_DEFINE_AUTO(name, type, destructor)                                                  \
  static inline void name##_cleanup(type **owner) {                                                \
    destructor(*owner);                                                                            \
  }

static inline void mem_cleanup(void *owner) {
  free(*(void **)owner);
}

#endif
