/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow API's answer to /models/v1/external/stat. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "roboflow_package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_error err = {0};
  HOIST_AUTO(manifest) struct manifest m = {0};
  enum hoist_status status = roboflow_read_stat((const char *)data, size, &m, &err);
  if (status == HOIST_OK && !m.model_type) abort();
  if (status != HOIST_OK && (err.status != status || m.model_type)) abort();
  return 0;
}
