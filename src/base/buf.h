/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer that declares its maximum. Always NUL-terminated past `size`, so text may be
 * read as a C string. */
#ifndef HOIST_BASE_BUF_H
#define HOIST_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "err.h"

struct buf {
  char *data; /* NULL until the first byte */
  size_t size;
  size_t capacity;
  size_t max; /* bytes `size` may reach; more is HOIST_CORRUPT, the caller's cap on hostile input */
};

/** An empty buffer that may hold up to `max` bytes. Allocates nothing. */
static inline struct buf buf_make(size_t max) {
  return (struct buf){.max = max};
}
void buf_done(struct buf *b);
static inline void buf_cleanup(struct buf *b) {
  buf_done(b);
}
/** Forgets the contents, keeps the memory. */
void buf_clear(struct buf *b);

/** Forgets what is behind the first `size` bytes, of which there are at least as many. */
void buf_cut(struct buf *b, size_t size);

/** Errors: CORRUPT over the cap (nothing appended), NO_MEMORY. */
HOIST_MUST_CHECK enum hoist_status buf_append(struct buf *b, const void *data, size_t size,
                                              struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status buf_append_str(struct buf *b, const char *text,
                                                  struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status buf_printf(struct buf *b, struct hoist_error *err,
                                              const char *fmt, ...) PRINTF_LIKE(3, 4);

/** The contents as text; "" when empty. Valid until the next append. */
const char *buf_str(const struct buf *b);
/** Moves the contents out as a malloc'd NUL-terminated string (never NULL unless out of memory). */
char *buf_take(struct buf *b);

#endif
