/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to GetObjectAttributes: whatever comes in, the parts add up, and the ETag is terminated. */
#include <stdlib.h>
#include <string.h>

#include "s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct s3_parts parts = {0};
  struct s3_attributes a = {.parts = &parts};
  bool ok = s3_attributes_parse(data, size, &a);
  if (!memchr(a.etag, 0, sizeof a.etag) || a.next > S3_MAX_PARTS) abort();
  if (!ok || parts.odd || parts.count == 0) return 0;
  if (parts.count > S3_MAX_PARTS || parts.last <= 0 || parts.last > parts.first) abort();
  if (parts.total != (int64_t)(parts.count - 1) * parts.first + parts.last) abort();
  return 0;
}
