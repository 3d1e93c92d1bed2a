/* SPDX-License-Identifier: Apache-2.0 */
/* A page of an S3 listing in pieces, as a network might deliver it, then what is selected from it.
 */
#include <stdlib.h>

#include "s3_select.h"
#include "s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct s3_listing *l) {
  if (l->count > l->max) abort();
  for (size_t i = 0; i < l->count; i++)
    if (!l->objects[i].key || l->objects[i].size < 0) abort();
  HOIST_AUTO(manifest) struct manifest m = {0};
  if (s3_select(l, "m/", &m, NULL) == HOIST_OK && m.file_count > l->count) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 64};
  HOIST_AUTO(s3_page) struct s3_page *page = NULL;
  if (s3_page_new(&l, &page, NULL) != HOIST_OK) return 0;
  size_t step = size > 0 ? 1 + data[size - 1] % 64u : 1;
  for (size_t at = 0; at < size; at += step) {
    size_t n = size - at < step ? size - at : step;
    if (s3_page_feed(page, data + at, n, NULL) != HOIST_OK) return 0;
  }
  if (s3_page_finish(page, NULL) == HOIST_OK) check(&l);
  return 0;
}
