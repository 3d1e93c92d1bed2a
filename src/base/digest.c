/* SPDX-License-Identifier: Apache-2.0 */
/* Digests over OpenSSL's EVP, and the cyclic redundancy checks beside them. A hasher belongs to one thread at a time. */
#include "digest.h"

#include <openssl/evp.h>
#include <string.h>
#include <zlib.h>

#include "crc.h"
#include "text.h"

static const struct {
  const char *name;
  size_t size;
} kinds[] = {
    [DIGEST_NONE] = {"none", 0},      [DIGEST_CRC32] = {"crc32", 4},
    [DIGEST_CRC32C] = {"crc32c", 4},  [DIGEST_CRC64NVME] = {"crc64nvme", 8},
    [DIGEST_MD5] = {"md5", 16},       [DIGEST_SHA1] = {"sha1", 20},
    [DIGEST_SHA256] = {"sha256", 32},
};

const char *digest_kind_name(enum digest_kind kind) {
  return kinds[kind].name;
}

size_t digest_kind_size(enum digest_kind kind) {
  return kinds[kind].size;
}

bool digest_equal(const struct digest *a, const struct digest *b) {
  return a->kind == b->kind && memcmp(a->bytes, b->bytes, kinds[a->kind].size) == 0;
}

void digest_hex(const struct digest *d, char out[DIGEST_HEX_SIZE]) {
  hex_encode(d->bytes, kinds[d->kind].size, out);
}

bool digest_from_hex(enum digest_kind kind, const char *hex, struct digest *ret_digest) {
  struct digest d = {.kind = kind};
  if (!hex_decode(hex, strlen(hex), d.bytes, kinds[kind].size)) return false;
  *ret_digest = d;
  return true;
}

bool digest_from_base64(enum digest_kind kind, const char *base64, struct digest *ret_digest) {
  size_t size = kinds[kind].size;
  size_t encoded = (size + 2) / 3 * 4;
  unsigned char raw[DIGEST_MAX_BYTES + 4];
  if (strlen(base64) != encoded) return false;
  /* OpenSSL decodes whole groups and counts padding as bytes, so the padding is checked here. */
  size_t padding = (3 - size % 3) % 3;
  for (size_t i = 0; i < encoded; i++)
    if ((base64[i] == '=') != (i >= encoded - padding)) return false;
  int n = EVP_DecodeBlock(raw, (const unsigned char *)base64, (int)encoded);
  if (n < 0 || (size_t)n != size + padding) return false;
  struct digest d = {.kind = kind};
  memcpy(d.bytes, raw, size);
  *ret_digest = d;
  return true;
}

struct hasher {
  enum digest_kind kind;
  EVP_MD_CTX *ctx; /* NULL: `crc` is it */
  uint64_t crc;
};

static bool is_crc(enum digest_kind kind) {
  return kind == DIGEST_CRC32 || kind == DIGEST_CRC32C || kind == DIGEST_CRC64NVME;
}

static enum hoist_status begin_evp(struct hasher *h, struct hoist_error *err) {
  const EVP_MD *md = h->kind == DIGEST_MD5      ? EVP_md5()
                     : h->kind == DIGEST_SHA1   ? EVP_sha1()
                     : h->kind == DIGEST_SHA256 ? EVP_sha256()
                                                : NULL;
  if (!md) return hoist_fail(err, HOIST_INTERNAL, "a digest of kind none cannot be computed");
  h->ctx = EVP_MD_CTX_new();
  if (!h->ctx) return hoist_fail_memory(err, "a digest");
  if (EVP_DigestInit_ex(h->ctx, md, NULL) != 1)
    return hoist_fail(err, HOIST_UNSUPPORTED, "OpenSSL cannot compute %s here",
                      digest_kind_name(h->kind));
  return HOIST_OK;
}

enum hoist_status hasher_new(enum digest_kind kind, struct hasher **ret_hasher,
                             struct hoist_error *err) {
  HOIST_AUTO(hasher) struct hasher *h = calloc(1, sizeof *h);
  if (!h) return hoist_fail_memory(err, "a digest");
  h->kind = kind;
  enum hoist_status status = is_crc(kind) ? HOIST_OK : begin_evp(h, err);
  if (status != HOIST_OK) return status;
  *ret_hasher = HOIST_TAKE(h);
  return HOIST_OK;
}

void hasher_free(struct hasher *h) {
  if (!h) return;
  EVP_MD_CTX_free(h->ctx);
  free(h);
}

static void update_crc(struct hasher *h, const void *data, size_t size) {
  if (size == 0) return; /* zlib takes no bytes at NULL for a wish to begin anew */
  if (h->kind == DIGEST_CRC32)
    h->crc = crc32_z((uLong)h->crc, data, size);
  else if (h->kind == DIGEST_CRC32C)
    h->crc = crc_32c((uint32_t)h->crc, data, size);
  else
    h->crc = crc_64nvme(h->crc, data, size);
}

enum hoist_status hasher_update(struct hasher *h, const void *data, size_t size,
                                struct hoist_error *err) {
  if (!h->ctx) {
    update_crc(h, data, size);
    return HOIST_OK;
  }
  if (EVP_DigestUpdate(h->ctx, data, size) != 1)
    return hoist_fail(err, HOIST_INTERNAL, "OpenSSL failed to digest %zu bytes", size);
  return HOIST_OK;
}

enum hoist_status hasher_final(struct hasher *h, struct digest *ret_digest,
                               struct hoist_error *err) {
  struct digest d = {.kind = h->kind};
  unsigned char raw[EVP_MAX_MD_SIZE];
  if (!h->ctx) {
    size_t bytes = kinds[h->kind].size;
    for (size_t i = 0; i < bytes; i++)
      d.bytes[i] = (uint8_t)(h->crc >> 8 * (bytes - 1 - i));
    *ret_digest = d;
    return HOIST_OK;
  }
  if (EVP_DigestFinal_ex(h->ctx, raw, NULL) != 1)
    return hoist_fail(err, HOIST_INTERNAL, "OpenSSL failed to finish a digest");
  memcpy(d.bytes, raw, kinds[d.kind].size);
  *ret_digest = d;
  return HOIST_OK;
}

enum hoist_status digest_of(enum digest_kind kind, const void *data, size_t size,
                            struct digest *ret_digest, struct hoist_error *err) {
  HOIST_AUTO(hasher) struct hasher *h = NULL;
  enum hoist_status status = hasher_new(kind, &h, err);
  if (status != HOIST_OK) return status;
  status = hasher_update(h, data, size, err);
  if (status != HOIST_OK) return status;
  return hasher_final(h, ret_digest, err);
}
