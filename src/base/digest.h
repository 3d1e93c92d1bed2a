/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and checksums: one-shot and incremental. A digest names its algorithm, so a comparison can
 * never mix them up. */
#ifndef HOIST_BASE_DIGEST_H
#define HOIST_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "err.h"

/* In this order: the later, the better it tells two files apart. */
enum digest_kind {
  DIGEST_NONE,
  DIGEST_CRC32,     /* the checks are kept as their big-endian bytes */
  DIGEST_CRC32C,    /* Castagnoli */
  DIGEST_CRC64NVME, /* what S3 adds to every object that comes without a checksum */
  DIGEST_MD5,
  DIGEST_SHA1,
  DIGEST_SHA256
};
#define DIGEST_MAX_BYTES 32
#define DIGEST_HEX_SIZE (2 * DIGEST_MAX_BYTES + 1)

struct digest {
  enum digest_kind kind; /* DIGEST_NONE: nothing is known */
  uint8_t bytes[DIGEST_MAX_BYTES];
};

const char *digest_kind_name(enum digest_kind kind); /* "none", "crc32", "md5", "sha256", … */
size_t digest_kind_size(enum digest_kind kind);
bool digest_equal(const struct digest *a, const struct digest *b);
/** Writes lower-case hex and NUL. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX_SIZE]);
/** From hex of exactly the kind's length. */
bool digest_from_hex(enum digest_kind kind, const char *hex, struct digest *ret_digest);
/** From standard base64 of exactly the kind's length. */
bool digest_from_base64(enum digest_kind kind, const char *base64, struct digest *ret_digest);

/* One running computation. `new` fails only when out of memory or when the algorithm is disabled. */
struct hasher;
HOIST_MUST_CHECK enum hoist_status hasher_new(enum digest_kind kind, struct hasher **ret_hasher,
                                              struct hoist_error *err);
void hasher_free(struct hasher *h);
HOIST_DEFINE_AUTO(hasher, struct hasher, hasher_free)
HOIST_MUST_CHECK enum hoist_status hasher_update(struct hasher *h, const void *data, size_t size,
                                                 struct hoist_error *err);
/** Ends the computation; the hasher can only be freed afterwards. */
HOIST_MUST_CHECK enum hoist_status hasher_final(struct hasher *h, struct digest *ret_digest,
                                                struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status digest_of(enum digest_kind kind, const void *data, size_t size,
                                             struct digest *ret_digest, struct hoist_error *err);
#endif
