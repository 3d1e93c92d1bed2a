/* SPDX-License-Identifier: Apache-2.0 */
/* Digests in response headers. A malformed one is no promise: it is a server's courtesy, not a
 * contract. Pure; any thread. */
#include "roboflow_promise.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "text.h"

#define HEADER_VALUE_SIZE 256
#define GOOG_HASH "x-goog-hash: "
#define MD5_BASE64_CHARS 24

/* "crc32c=AAAAAA==,md5=…": one header may hold both, or each has one of its own. */
static bool read_goog_list(const char *list, size_t size, struct digest *ret_digest) {
  const char *end = list + size;
  while (list < end) {
    const char *comma = memchr(list, ',', (size_t)(end - list));
    const char *item_end = comma ? comma : end;
    while (list < item_end && *list == ' ')
      list++;
    if (item_end - list == 4 + MD5_BASE64_CHARS && memcmp(list, "md5=", 4) == 0) {
      char base64[MD5_BASE64_CHARS + 1] = "";
      memcpy(base64, list + 4, MD5_BASE64_CHARS);
      return digest_from_base64(DIGEST_MD5, base64, ret_digest);
    }
    list = item_end + 1;
  }
  return false;
}

static bool read_goog_hash(const struct http_response *r, struct digest *ret_digest) {
  char stored[HEADER_VALUE_SIZE];
  /* The hash is of the bytes as stored, which are not those sent where they were compressed. */
  if (http_response_header(r, "x-goog-stored-content-encoding", stored, sizeof stored) &&
      strcasecmp(stored, "identity") != 0)
    return false;
  for (const char *line = buf_str(&r->headers); *line;) {
    size_t size = strcspn(line, "\n");
    if (text_starts_with(line, GOOG_HASH) &&
        read_goog_list(line + strlen(GOOG_HASH), size - strlen(GOOG_HASH), ret_digest))
      return true;
    line += size + (line[size] == '\n');
  }
  return false;
}

/* Of what this response carries, so with a part it is not the file's. */
static bool read_content_md5(const struct http_response *r, struct digest *ret_digest) {
  char value[HEADER_VALUE_SIZE];
  return r->status != 206 && http_response_header(r, "content-md5", value, sizeof value) &&
         digest_from_base64(DIGEST_MD5, value, ret_digest);
}

/* S3 names it by x-amz-request-id. Its ETag is the MD5 of the object unless that was uploaded in parts
 * (the ETag has a "-") or encrypted with a key of its own. */
static bool read_s3_etag(const struct http_response *r, struct digest *ret_digest) {
  char value[HEADER_VALUE_SIZE];
  if (!http_response_header(r, "x-amz-request-id", value, sizeof value)) return false;
  if (http_response_header(r, "x-amz-server-side-encryption", value, sizeof value) &&
      strcmp(value, "AES256") != 0)
    return false;
  if (http_response_header(r, "x-amz-server-side-encryption-customer-algorithm", value,
                           sizeof value))
    return false;
  if (!http_response_header(r, "etag", value, sizeof value)) return false;
  size_t size = strlen(value);
  if (size != 34 || value[0] != '"' || value[33] != '"') return false;
  value[33] = '\0';
  return digest_from_hex(DIGEST_MD5, value + 1, ret_digest);
}

struct digest roboflow_promised_digest(const struct http_response *response) {
  struct digest promised = {.kind = DIGEST_NONE};
  if (!read_goog_hash(response, &promised) && !read_content_md5(response, &promised) &&
      !read_s3_etag(response, &promised))
    promised.kind = DIGEST_NONE;
  return promised;
}
