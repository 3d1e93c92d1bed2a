/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of an answer, line by line, and what they promise of the bytes. The first byte says which kind of
 * answer it is. */
#include <stdlib.h>
#include <string.h>

#include "s3_promise.h"
#include "s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool keeps_as_header(const char *line, size_t size, struct buf *headers) {
  if (size == 0 || !memchr(line, ':', size) || memchr(line, 0, size)) return true;
  return buf_append(headers, line, size, NULL) == HOIST_OK &&
         buf_append(headers, "\n", 1, NULL) == HOIST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  HOIST_AUTO(http_response)
  struct http_response response = {.status = data[0] & 1 ? 206 : 200,
                                   .headers = buf_make(HTTP_MAX_HEADER_BYTES)};
  const char *at = (const char *)data + 1, *end = (const char *)data + size;
  while (at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    if (!keeps_as_header(at, (size_t)(stop - at), &response.headers)) return 0;
    at = stop + 1;
  }
  struct s3_promise p = s3_promise_read(&response, data[0] & 2);
  if (p.digest.kind > DIGEST_SHA256 || p.parts > S3_MAX_PARTS) abort();
  if (p.parts > 0 && (p.digest.kind == DIGEST_NONE || response.status == 206)) abort();
  if (response.status == 206 && p.digest.kind != DIGEST_NONE && p.digest.kind != DIGEST_MD5)
    abort();
  if (p.digest.kind == DIGEST_MD5 && !(data[0] & 2)) abort();
  return 0;
}
