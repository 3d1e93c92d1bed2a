/* SPDX-License-Identifier: Apache-2.0 */
/* Retry-After: no value makes us wait longer than the cap. */
#include <stdlib.h>
#include <string.h>

#include "retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char value[256];
  uint64_t seconds = 0;
  if (size >= sizeof value) size = sizeof value - 1;
  memcpy(value, data, size);
  value[size] = '\0';
  if (retry_after_parse(value, 784111777, &seconds) && seconds > RETRY_AFTER_CAP_S) abort();
  return 0;
}
