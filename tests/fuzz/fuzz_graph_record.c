/* SPDX-License-Identifier: Apache-2.0 */
/* Records of saved graphs: what is read can be written and read again, and names no file elsewhere. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "graph_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(mem) char *text = strndup((const char *)data, size);
  struct graph_record record, again;
  struct hoist_error err;
  if (!text || graph_record_parse(text, strlen(text), &record, &err) != HOIST_OK) return 0;
  for (size_t i = 0; i < record.file_count; i++)
    if (strchr(record.files[i].name, '/') || record.files[i].name[0] == '.') abort();
  HOIST_AUTO(buf) struct buf printed = buf_make(1 << 16);
  if (graph_record_print(&record, &printed, &err) != HOIST_OK) abort();
  if (graph_record_parse(buf_str(&printed), printed.size, &again, &err) != HOIST_OK) abort();
  if (again.file_count != record.file_count) abort();
  return 0;
}
