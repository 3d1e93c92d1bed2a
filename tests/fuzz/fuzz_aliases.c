/* SPDX-License-Identifier: Apache-2.0 */
/* A user's file of aliases over the built-in table. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "alias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"a", "clip", "yolov8n-640", "coco/3"};
  struct hoist_error err = {0};
  HOIST_AUTO(alias_table) struct alias_table *table = NULL;
  if (alias_table_parse((const char *)data, size, &table, &err) != HOIST_OK) {
    if (err.status != HOIST_INVALID) abort();
    return 0;
  }
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *end = alias_resolve(table, names[i]);
    if (alias_resolve(table, end) != end) abort(); /* what it leads to is no name */
  }
  return 0;
}
