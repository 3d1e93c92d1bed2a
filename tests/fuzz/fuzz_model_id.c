/* SPDX-License-Identifier: Apache-2.0 */
/* Model ids: whatever is accepted has a path that stays below the cache root. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "model_id.h"
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(mem) char *text = strndup((const char *)data, size);
  struct model_id id, again;
  struct hoist_error err;
  if (!text) return 0;
  if (plan_check_name(text, &err) == HOIST_OK && text[0] == '/') abort();
  if (model_id_parse(text, &id, &err) != HOIST_OK) return 0;
  if (strcmp(id.text, text) != 0) abort();
  if (id.path[0] == '~' ? strchr(id.path, '/') != NULL : strcmp(id.path, text) != 0) abort();
  /* A path is a valid id itself: no "..", no leading slash, nothing unprintable in it. */
  if (model_id_parse(id.path, &again, &err) != HOIST_OK) abort();
  (void)model_id_is_versioned(&id);
  return 0;
}
