/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of one file. Where what was promised is made of the digests of its parts, one hasher takes the
 * bytes of the part at hand, and the other one the digests of those before it. */
#include "checksums.h"

struct promise checksums_choose(const struct digest *manifest, const struct promise *response) {
  if (manifest->kind == DIGEST_NONE || response->digest.kind > manifest->kind) return *response;
  return (struct promise){.digest = *manifest};
}

void checksums_done(struct checksums *c) {
  hasher_free(c->sha256);
  hasher_free(c->other);
  hasher_free(c->part);
  *c = (struct checksums){0};
}

static enum hoist_status begin_part(struct checksums *c, struct hoist_error *err) {
  c->part_left = c->promise.part_bytes;
  return hasher_new(c->promise.digest.kind, &c->part, err);
}

enum hoist_status checksums_restart(struct checksums *c, const struct promise *promise,
                                    struct hoist_error *err) {
  const struct promise kept = *promise; /* it may be our own */
  checksums_done(c);
  c->promise = kept;
  enum digest_kind kind = kept.digest.kind;
  enum hoist_status status = hasher_new(DIGEST_SHA256, &c->sha256, err);
  if (status != HOIST_OK || kind == DIGEST_NONE) return status;
  if (kind == DIGEST_SHA256 && kept.part_bytes == 0) return HOIST_OK;
  status = hasher_new(kind, &c->other, err);
  return status == HOIST_OK && kept.part_bytes > 0 ? begin_part(c, err) : status;
}

static enum hoist_status end_part(struct checksums *c, struct hoist_error *err) {
  struct digest digest;
  enum hoist_status status = hasher_final(c->part, &digest, err);
  hasher_free(HOIST_TAKE(c->part));
  if (status != HOIST_OK) return status;
  return hasher_update(c->other, digest.bytes, digest_kind_size(digest.kind), err);
}

static enum hoist_status update_parts(struct checksums *c, const char *data, size_t size,
                                      struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  while (size > 0 && status == HOIST_OK) {
    if (c->part_left == 0) status = end_part(c, err);
    if (status == HOIST_OK && c->part_left == 0) status = begin_part(c, err);
    if (status != HOIST_OK) return status;
    size_t n = (uint64_t)c->part_left < size ? (size_t)c->part_left : size;
    status = hasher_update(c->part, data, n, err);
    c->part_left -= (int64_t)n;
    data += n;
    size -= n;
  }
  return status;
}

enum hoist_status checksums_update(struct checksums *c, const void *data, size_t size,
                                   struct hoist_error *err) {
  enum hoist_status status = hasher_update(c->sha256, data, size, err);
  if (status != HOIST_OK || !c->other) return status;
  return c->part ? update_parts(c, data, size, err) : hasher_update(c->other, data, size, err);
}

static enum hoist_status check_promise(const struct promise *promise, const struct digest *actual,
                                       const char *name, struct hoist_error *err) {
  if (digest_equal(actual, &promise->digest)) return HOIST_OK;
  char got[DIGEST_HEX_SIZE], wanted[DIGEST_HEX_SIZE];
  digest_hex(actual, got);
  digest_hex(&promise->digest, wanted);
  return hoist_fail(err, HOIST_CORRUPT, "%s: %s%s is %s, the source promised %s", name,
                    promise->part_bytes > 0 ? "the composite " : "", digest_kind_name(actual->kind),
                    got, wanted);
}

enum hoist_status checksums_finish(struct checksums *c, const char *name, struct digest *ret_sha256,
                                   struct hoist_error *err) {
  struct digest sha256, other;
  enum hoist_status status = hasher_final(c->sha256, &sha256, err);
  if (status == HOIST_OK && c->part) status = end_part(c, err);
  if (status == HOIST_OK && c->other) status = hasher_final(c->other, &other, err);
  if (status == HOIST_OK && c->promise.digest.kind != DIGEST_NONE)
    status = check_promise(&c->promise, c->other ? &other : &sha256, name, err);
  if (status == HOIST_OK) *ret_sha256 = sha256;
  return status;
}
