/* SPDX-License-Identifier: Apache-2.0 */
/* Archives: tar, alone or compressed with gzip, and zip. What is in one takes its place in the directory: regular
 * files and directories, under the same rules as files that are copied; anything else is refused. */
#ifndef HOIST_COPY_UNPACK_H
#define HOIST_COPY_UNPACK_H

#include "dest.h"

#define UNPACK_MAX_FILES 1000000u
#define UNPACK_MAX_BYTES (INT64_C(1) << 40) /* of all of them together */

struct unpacked {
  size_t files;
  uint64_t bytes;
};

/** Whether a file of that name is an archive, also one that hoist cannot unpack. */
bool unpack_is_archive(const char *name);

/** Unpacks the file `name` of the directory into it, each file whole, then removes it.
 *  @param ret_unpacked  set in any case, to what was done by then
 *  Errors: CORRUPT not such an archive, damaged, cut short, or with a name that cannot be · UNSUPPORTED
 *          compressed otherwise, encrypted, or with links or devices in it · NO_SPACE … by errno */
HOIST_MUST_CHECK enum hoist_status unpack_archive(const struct call *call, struct dest *dest,
                                                  const char *name, struct unpacked *ret_unpacked,
                                                  struct hoist_error *err);
#endif
