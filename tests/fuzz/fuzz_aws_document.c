/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in JSON; the first byte says of which kind. What is taken has its keys, and what is refused
 * shows nothing that could be one, but for the words of who has none to give. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
  struct hoist_error err;
  enum aws_document_kind kind = data[0] == 'p' ? AWS_DOCUMENT_PROCESS : AWS_DOCUMENT_METADATA;
  enum hoist_status status =
      aws_document_read(kind, (const char *)data + 1, size - 1, "who", &c, &err);
  if (status != HOIST_OK) {
    if (c || (status != HOIST_DENIED && strstr(err.message, "s3cr3t"))) abort();
    return 0;
  }
  if (!*c->access_key || !*c->secret_key) abort();
  if (kind == AWS_DOCUMENT_METADATA && !c->session_token) abort();
  return 0;
}
