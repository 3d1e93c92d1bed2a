/* SPDX-License-Identifier: Apache-2.0 */
/* An S3 error document: whatever comes in, what comes out is terminated text. */
#include <stdlib.h>
#include <string.h>

#include "s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct s3_error e;
  memset(&e, 'x', sizeof e);
  if (!s3_error_parse(data, size, &e)) return 0;
  if (!e.code[0] || !memchr(e.code, 0, sizeof e.code) || !memchr(e.message, 0, sizeof e.message) ||
      !memchr(e.region, 0, sizeof e.region) || !memchr(e.request_id, 0, sizeof e.request_id) ||
      !memchr(e.host_id, 0, sizeof e.host_id))
    abort();
  return 0;
}
