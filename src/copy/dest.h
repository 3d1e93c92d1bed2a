/* SPDX-License-Identifier: Apache-2.0 */
/* The directory that files are copied to. Each file is written in a directory of our own inside it, on the same
 * file system, and gets its name only when it is whole, verified and durable. What an interrupted copy left there is
 * gone on with. One copy at a time per directory, across processes (flock). Names never lead out of it, nor
 * through a symbolic link.
 *
 *   DIRECTORY/.hoist-copy/lock      held while there is a copy
 *   DIRECTORY/.hoist-copy/journal   what is finished of large files
 *   DIRECTORY/.hoist-copy/new/…     files being written
 */
#ifndef HOIST_COPY_DEST_H
#define HOIST_COPY_DEST_H

#include <stdbool.h>

#include "call.h"
#include "fetch.h"

struct dest;

/** Makes the directory where there is none, and waits until no other copy is under way in it, telling the call's
 *  progress how far that one is.
 *  @param patience_ns  with a copy that gets nowhere; 0: no end to it
 *  Errors: TIMEOUT, CANCELLED by the call · UNAVAILABLE patience is at an end · DENIED, NO_SPACE, … by errno, naming the directory */
HOIST_MUST_CHECK enum hoist_status dest_open(const struct call *call, const char *directory,
                                             uint64_t patience_ns, struct dest **ret_dest,
                                             struct hoist_error *err);
/** Tells those who wait for the directory how far the copy is, out of its progress. One thread at a time. */
void dest_tell(struct dest *dest, const struct hoist_progress *event);
/** Removes what is not finished, unless `keep`: then the next copy goes on from there. NULL is fine. */
void dest_close(struct dest *dest, bool keep);
static inline void dest_cleanup(struct dest **owner) {
  dest_close(*owner, false);
}

/** A safe name below the directory: as for a model's files, but up to 1024 bytes and 64 segments.
 *  Errors: CORRUPT, naming it and what is wrong */
HOIST_MUST_CHECK enum hoist_status dest_check_name(const char *name, struct hoist_error *err);
/** Errors: CORRUPT two names that cannot both be there: the same, one that is also a directory of the other, or,
 *  where the file system does not tell capitals from small letters, two that differ in nothing else */
HOIST_MUST_CHECK enum hoist_status dest_check_names(const struct dest *dest, const char **names,
                                                    size_t count, struct hoist_error *err);

/** Whether the file is there with this size and this time of modification: that which a copy of it got. */
bool dest_has(const struct dest *dest, const char *name, int64_t size, uint64_t modified_unix_ns);

/** Errors: NO_SPACE there is less room than that, beside what is there of it already */
HOIST_MUST_CHECK enum hoist_status dest_check_space(const struct dest *dest, uint64_t bytes,
                                                    struct hoist_error *err);

/** What dest_target needs to know of a file. */
struct dest_file {
  uint64_t modified_unix_ns; /* given to the copy; 0: none */
  bool is_there;             /* already: it is not fetched */
};
/** Where fetch_files puts the files of a manifest.
 *  @param files  one for each of the manifest's, in its order; borrowed for as long as the target is used */
struct fetch_target dest_target(struct dest *dest, const struct dest_file *files);

#endif
