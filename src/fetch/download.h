/* SPDX-License-Identifier: Apache-2.0 */
/* One file on its way into a descriptor: buffered, counted, hashed, and compared at the end. */
#ifndef HOIST_FETCH_DOWNLOAD_H
#define HOIST_FETCH_DOWNLOAD_H

#include "digest.h"
#include "manifest.h"

struct download {
  struct manifest_file *file; /* what was promised; borrowed */
  int fd;                     /* the staged file; borrowed */
  int64_t announced;          /* by the response; FILE_SIZE_UNKNOWN */
  int64_t received;           /* bytes of the present attempt */
  struct digest promised;     /* by the manifest or the response; DIGEST_NONE */
  struct hasher *sha256;
  struct hasher *other; /* where the promise is not a SHA-256; else NULL */
  char *buffer;         /* FETCH_BUFFER_BYTES */
  size_t buffered;
  int disk_failed; /* 1: what went wrong was here, not at the source */
};

/** Prepares to receive `file` into `fd`. Release with download_done. */
HOIST_MUST_CHECK enum hoist_status download_init(struct download *d, struct manifest_file *file,
                                                 int fd, struct hoist_error *err);
void download_done(struct download *d);

/** (Re)starts at offset 0: forgets what an earlier attempt wrote.
 *  Errors: CORRUPT the response announces another size than the manifest, or an absurd one */
HOIST_MUST_CHECK enum hoist_status download_restart(struct download *d, int64_t announced,
                                                    const struct digest *promised,
                                                    struct hoist_error *err);
/** Takes the next bytes. Errors: CORRUPT more than was promised · by errno */
HOIST_MUST_CHECK enum hoist_status download_write(struct download *d, const void *data, size_t size,
                                                  struct hoist_error *err);
/** Flushes and compares; on OK the file's `size` and `digest` (SHA-256) are set.
 *  Errors: CORRUPT shorter than promised, or a digest differs · by errno */
HOIST_MUST_CHECK enum hoist_status download_finish(struct download *d, struct hoist_error *err);

#endif
