/* SPDX-License-Identifier: Apache-2.0 */
/* What is computed over the bytes of one file, in one pass: its SHA-256, and whatever else the source
 * promised. One thread at a time. */
#ifndef HOIST_FETCH_CHECKSUMS_H
#define HOIST_FETCH_CHECKSUMS_H

#include "digest.h"

/** What a source says of a file's bytes. */
struct promise {
  struct digest digest; /* DIGEST_NONE: nothing */
  int64_t part_bytes; /* 0: it is one of the whole file. Else of the digests of its parts, one after
                           another, which are this long but for the last */
};

struct checksums {
  struct hasher *sha256;
  struct hasher *other; /* where the promise is not a SHA-256 of the whole file; else NULL */
  struct hasher *part;  /* of the part that is going on; NULL: the promise is of the whole file */
  int64_t part_left;    /* bytes that are missing to its end */
  struct promise promise;
};

/** {0} is empty. Begins anew: (again) from the file's first byte. */
HOIST_MUST_CHECK enum hoist_status checksums_restart(struct checksums *c,
                                                     const struct promise *promise,
                                                     struct hoist_error *err);
void checksums_done(struct checksums *c);
HOIST_MUST_CHECK enum hoist_status checksums_update(struct checksums *c, const void *data,
                                                    size_t size, struct hoist_error *err);
/** Errors: CORRUPT the promise is broken; names the file */
HOIST_MUST_CHECK enum hoist_status checksums_finish(struct checksums *c, const char *name,
                                                    struct digest *ret_sha256,
                                                    struct hoist_error *err);

/** The promise worth checking: what tells files apart better wins, else the manifest's. */
struct promise checksums_choose(const struct digest *manifest, const struct promise *response);

#endif
