/* SPDX-License-Identifier: Apache-2.0 */
/* What describing a model in a directory tree and listing the tree share; not for others. */
#ifndef HOIST_SOURCE_DIR_INTERNAL_H
#define HOIST_SOURCE_DIR_INTERNAL_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "source.h"

#define DIR_ETAG_SIZE 64

static inline void dirp_cleanup(DIR **dir) {
  if (*dir) closedir(*dir);
}

/** Whether a resolved path is the root or below it. */
bool dir_is_inside(const char *root, const char *path);
/** Whether an errno says that there is no such file. */
bool dir_is_missing(int sys_errno);
/** Inode, size and modification time, in quotes. */
void dir_etag(const struct stat *st, char out[DIR_ETAG_SIZE]);
/** The root without symbolic links; malloc'd. Errors: NOT_FOUND · by errno */
HOIST_MUST_CHECK enum hoist_status dir_resolve_root(const struct source *source, char **ret_root,
                                                    struct hoist_error *err);

/** source_ops.list. */
HOIST_MUST_CHECK enum hoist_status dir_visit(const struct call *call, struct source *source,
                                             const struct source_visit *visit,
                                             struct hoist_error *err);

#endif
