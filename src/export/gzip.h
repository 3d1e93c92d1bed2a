/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, one whole stream at a time. */
#ifndef HOIST_EXPORT_GZIP_H
#define HOIST_EXPORT_GZIP_H

#include <stddef.h>

#include "buf.h"
#include "err.h"

/** Appends `data`, compressed. Errors: NO_MEMORY · CORRUPT more than `out` may hold */
HOIST_MUST_CHECK enum hoist_status gzip_append(struct buf *out, const void *data, size_t size,
                                               struct hoist_error *err);
/** Appends what the stream `data` holds; what follows it is ignored.
 *  Errors: CORRUPT it is not gzip, or holds more than `out` may · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status gunzip_append(struct buf *out, const void *data, size_t size,
                                                 struct hoist_error *err);
#endif
