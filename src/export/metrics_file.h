/* SPDX-License-Identifier: Apache-2.0 */
/* The file of metrics as Prometheus text. */
#ifndef HOIST_EXPORT_METRICS_FILE_H
#define HOIST_EXPORT_METRICS_FILE_H

#include "buf.h"
#include "err.h"

/** Replaces `path` by a file with this text; who reads it sees the one or the other, whole.
 *  Errors: INVALID something that is no regular file stands there · by errno */
HOIST_MUST_CHECK enum hoist_status metrics_file_write(const char *path, const struct buf *text,
                                                      struct hoist_error *err);
#endif
