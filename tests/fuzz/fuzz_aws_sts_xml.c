/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of STS, read both ways: what is taken has all its parts, an error is terminated text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
  struct aws_sts_error error;
  memset(&error, 'x', sizeof error);
  const char *text = (const char *)data;
  if (aws_sts_read(text, size, "who", &c, NULL) == HOIST_OK &&
      (!*c->access_key || !*c->secret_key || !c->session_token))
    abort();
  if (aws_sts_read_error(text, size, &error) &&
      (!error.code[0] || !memchr(error.code, 0, sizeof error.code) ||
       !memchr(error.message, 0, sizeof error.message)))
    abort();
  return 0;
}
