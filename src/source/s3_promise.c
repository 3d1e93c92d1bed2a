/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the headers that vouch for an object. Pure; any thread. */
#include "s3_promise.h"

#include <string.h>

#include "s3_xml.h"
#include "text.h"

#define MAX_VALUE 96 /* the longest is a SHA-256 in base64 with the number of its parts */

/* The best first. */
static const struct {
  const char *header;
  enum digest_kind kind;
} checksums[] = {
    {"x-amz-checksum-sha256", DIGEST_SHA256},       {"x-amz-checksum-sha1", DIGEST_SHA1},
    {"x-amz-checksum-crc64nvme", DIGEST_CRC64NVME}, {"x-amz-checksum-crc32c", DIGEST_CRC32C},
    {"x-amz-checksum-crc32", DIGEST_CRC32},
};

/* "…-12": the checksum of twelve parts' checksums. Cuts that off. False: what follows is no number of parts. */
static bool take_parts(char *value, uint32_t *ret_parts) {
  char *dash = strchr(value, '-');
  uint64_t parts = 0;
  *ret_parts = 0;
  if (!dash) return true;
  if (!parse_u64(dash + 1, &parts) || parts == 0 || parts > S3_MAX_PARTS) return false;
  *dash = '\0';
  *ret_parts = (uint32_t)parts;
  return true;
}

/* A composite of one part without the number would be taken for the whole object's. */
static bool is_composite(const struct http_response *response) {
  char type[32];
  return http_response_header(response, "x-amz-checksum-type", type, sizeof type) &&
         strcmp(type, "COMPOSITE") == 0;
}

static bool read_checksum(const struct http_response *response, struct s3_promise *ret_promise) {
  char value[MAX_VALUE];
  struct s3_promise p;
  for (size_t i = 0; i < sizeof checksums / sizeof *checksums; i++) {
    if (!http_response_header(response, checksums[i].header, value, sizeof value)) continue;
    if (!take_parts(value, &p.parts) || (p.parts == 0 && is_composite(response))) continue;
    if (!digest_from_base64(checksums[i].kind, value, &p.digest)) continue;
    *ret_promise = p;
    return true;
  }
  return false;
}

static bool is_encrypted_so_that_its_etag_is_none(const struct http_response *response) {
  char text[64];
  return http_response_header(response, "x-amz-server-side-encryption-customer-algorithm", text,
                              sizeof text) ||
         (http_response_header(response, "x-amz-server-side-encryption", text, sizeof text) &&
          text_starts_with(text, "aws:kms"));
}

/* That of a multipart upload, "…-3", does not decode. */
struct digest s3_etag_digest(const struct http_response *response, bool use_etag) {
  char text[64];
  struct digest digest = {.kind = DIGEST_NONE};
  if (!use_etag || is_encrypted_so_that_its_etag_is_none(response)) return digest;
  if (!http_response_header(response, "etag", text, sizeof text) || text[0] != '"' ||
      !text_ends_with(text, "\""))
    return digest;
  text[strlen(text) - 1] = '\0';
  (void)digest_from_hex(DIGEST_MD5, text + 1, &digest);
  return digest;
}

struct s3_promise s3_promise_read(const struct http_response *response, bool use_etag) {
  struct s3_promise p = {.digest = {.kind = DIGEST_NONE}};
  bool found = response->status != 206 && read_checksum(response, &p);
  if (!found) p.digest = s3_etag_digest(response, use_etag);
  return p;
}
