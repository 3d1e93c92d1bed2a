/* SPDX-License-Identifier: Apache-2.0 */
/* Providers and config entries as people write them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "providers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pairs(const struct pairs *pairs) {
  if (pairs->count > PAIRS_MAX) abort();
  for (size_t i = 0; i < pairs->count; i++)
    if (!pairs->keys[i][0] || !pairs->values[i]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(mem) char *text = strndup((const char *)data, size);
  struct provider_list list = {0};
  struct pairs pairs = {0};
  struct hoist_error err;
  if (!text) return 0;
  if (provider_list_parse(text, &list, &err) == HOIST_OK) {
    for (size_t i = 0; i < list.count; i++) {
      if (!list.items[i].name[0]) abort();
      check_pairs(&list.items[i].options);
    }
    provider_list_done(&list);
  } else if (err.status != HOIST_INVALID && err.status != HOIST_NO_MEMORY) {
    abort();
  }
  if (pairs_parse(text, strlen(text), ',', &pairs, &err) == HOIST_OK) {
    check_pairs(&pairs);
    pairs_done(&pairs);
  }
  const struct session_options options = {.providers = text, .config = text};
  (void)!session_options_check(&options, &err);
  return 0;
}
