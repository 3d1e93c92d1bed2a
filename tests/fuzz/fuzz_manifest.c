/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests on disk: whatever is read back can be written, and reads back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct manifest *m, const char *id, uint64_t created) {
  HOIST_AUTO(buf) struct buf json = buf_make(16 * MANIFEST_MAX_JSON_BYTES);
  HOIST_AUTO(manifest) struct manifest again = {0};
  HOIST_AUTO(mem) char *again_id = NULL;
  uint64_t again_created = 0;
  if (manifest_to_json(m, id, created, &json, NULL) != HOIST_OK) abort();
  if (json.size > MANIFEST_MAX_JSON_BYTES) return;
  if (manifest_from_json(json.data, json.size, &again, &again_id, &again_created, NULL) != HOIST_OK)
    abort();
  if (strcmp(id, again_id) != 0 || created != again_created) abort();
  if (m->file_count != again.file_count) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(manifest) struct manifest m = {0};
  HOIST_AUTO(mem) char *id = NULL;
  uint64_t created = 0;
  struct hoist_error err;
  struct model_id model;
  if (manifest_from_json((const char *)data, size, &m, &id, &created, &err) != HOIST_OK) return 0;
  write_and_read(&m, id, created);
  if (model_id_parse("a/1", &model, NULL) != HOIST_OK) abort();
  return plan_make(&model, &m, &err) == HOIST_OK && m.file_count == 0 ? (abort(), 0) : 0;
}
