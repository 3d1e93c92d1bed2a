/* SPDX-License-Identifier: Apache-2.0 */
/* Files: descriptors that close themselves, whole reads with a cap, durable writes, removal of trees.
 * All descriptors are opened O_CLOEXEC. EINTR and short reads or writes are handled here. */
#ifndef HOIST_BASE_FS_H
#define HOIST_BASE_FS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "auto.h"
#include "buf.h"
#include "err.h"

/* HOIST_AUTO(fd) int fd = -1; */
void fd_cleanup(int *fd);

/** Appends the whole file to `ret_data`, whose `max` is the cap. `dir_fd` may be AT_FDCWD.
 *  Errors: by errno (hoist_fail_errno); CORRUPT over the cap. */
HOIST_MUST_CHECK enum hoist_status fs_read_file(int dir_fd, const char *path, struct buf *ret_data,
                                                struct hoist_error *err);

/** Writes all of `data` at the descriptor's position. `what` names the file in the error. */
HOIST_MUST_CHECK enum hoist_status fs_write_all(int fd, const void *data, size_t size,
                                                const char *what, struct hoist_error *err);

/** fsync of a descriptor, and of a directory by path. */
HOIST_MUST_CHECK enum hoist_status fs_sync_fd(int fd, const char *what, struct hoist_error *err);

/** Creates `path` and its missing parents (mode 0777 less umask) below dir_fd. */
HOIST_MUST_CHECK enum hoist_status fs_make_dirs(int dir_fd, const char *path,
                                                struct hoist_error *err);

/** Removes a file or a whole tree below dir_fd without following symbolic links. A path that is not
 *  there is success. */
HOIST_MUST_CHECK enum hoist_status fs_remove_tree(int dir_fd, const char *path,
                                                  struct hoist_error *err);

/** Bytes free to this user on the file system of `path`; UINT64_MAX when unknown. */
uint64_t fs_free_bytes(const char *path);

#endif
