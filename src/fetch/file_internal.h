/* SPDX-License-Identifier: Apache-2.0 */
/* What answer.c needs of file.c; not for others. */
#ifndef HOIST_FETCH_FILE_INTERNAL_H
#define HOIST_FETCH_FILE_INTERNAL_H

#include "file.h"

/** Lays the file out as one part, which its first request has taken. */
HOIST_MUST_CHECK enum hoist_status file_open_whole(struct file *file, struct hoist_error *err);
/** Lays it out as parts, of which the first request has taken `run`. */
HOIST_MUST_CHECK enum hoist_status file_open_parts(struct file *file, struct run *run,
                                                   struct hoist_error *err);
#endif
