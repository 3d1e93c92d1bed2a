/* SPDX-License-Identifier: Apache-2.0 */
/* What is computed over the bytes of one file, in one pass: its SHA-256, and whatever else the source
 * promised. One thread at a time. */
#ifndef HOIST_FETCH_CHECKSUMS_H
#define HOIST_FETCH_CHECKSUMS_H

#include "digest.h"

struct checksums {
  struct hasher *sha256;
  struct hasher *other;   /* where the promise is not a SHA-256; else NULL */
  struct digest promised; /* DIGEST_NONE */
};

/** {0} is empty. Begins anew: (again) from the file's first byte. */
HOIST_MUST_CHECK enum hoist_status checksums_restart(struct checksums *c,
                                                     const struct digest *promised,
                                                     struct hoist_error *err);
void checksums_done(struct checksums *c);
HOIST_MUST_CHECK enum hoist_status checksums_update(struct checksums *c, const void *data,
                                                    size_t size, struct hoist_error *err);
/** Errors: CORRUPT the promise is broken; names the file */
HOIST_MUST_CHECK enum hoist_status checksums_finish(struct checksums *c, const char *name,
                                                    struct digest *ret_sha256,
                                                    struct hoist_error *err);

/** The promise worth checking: a SHA-256 beats anything else, the manifest beats the response. */
struct digest checksums_choose(const struct digest *manifest, const struct digest *response);

#endif
