/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of one file. */
#include "checksums.h"

struct digest checksums_choose(const struct digest *manifest, const struct digest *response) {
  if (response->kind == DIGEST_NONE) return *manifest;
  if (manifest->kind == DIGEST_NONE || response->kind > manifest->kind) return *response;
  return *manifest;
}

void checksums_done(struct checksums *c) {
  hasher_free(c->sha256);
  hasher_free(c->other);
  *c = (struct checksums){0};
}

enum hoist_status checksums_restart(struct checksums *c, const struct digest *promised,
                                    struct hoist_error *err) {
  const struct digest kept = *promised; /* it may be our own */
  checksums_done(c);
  c->promised = kept;
  enum hoist_status status = hasher_new(DIGEST_SHA256, &c->sha256, err);
  if (status != HOIST_OK) return status;
  if (kept.kind == DIGEST_NONE || kept.kind == DIGEST_SHA256) return HOIST_OK;
  return hasher_new(kept.kind, &c->other, err);
}

enum hoist_status checksums_update(struct checksums *c, const void *data, size_t size,
                                   struct hoist_error *err) {
  enum hoist_status status = hasher_update(c->sha256, data, size, err);
  return status == HOIST_OK && c->other ? hasher_update(c->other, data, size, err) : status;
}

static enum hoist_status check_promise(const struct digest *promised, const struct digest *actual,
                                       const char *name, struct hoist_error *err) {
  if (digest_equal(actual, promised)) return HOIST_OK;
  char got[DIGEST_HEX_SIZE], wanted[DIGEST_HEX_SIZE];
  digest_hex(actual, got);
  digest_hex(promised, wanted);
  return hoist_fail(err, HOIST_CORRUPT, "%s: %s is %s, the source promised %s", name,
                    digest_kind_name(actual->kind), got, wanted);
}

enum hoist_status checksums_finish(struct checksums *c, const char *name, struct digest *ret_sha256,
                                   struct hoist_error *err) {
  struct digest sha256, other;
  enum hoist_status status = hasher_final(c->sha256, &sha256, err);
  if (status == HOIST_OK && c->other) status = hasher_final(c->other, &other, err);
  if (status == HOIST_OK && c->promised.kind != DIGEST_NONE)
    status = check_promise(&c->promised, c->other ? &other : &sha256, name, err);
  if (status == HOIST_OK) *ret_sha256 = sha256;
  return status;
}
