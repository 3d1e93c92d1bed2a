/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration that owns its texts, for who needs it after the call that it was given to. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "settings.h"
#include "text.h"

static const char **find_text(struct hoist_config *config, const struct setting *setting) {
  switch (setting->type) {
  case SETTING_STRING:
  case SETTING_PATH:
  case SETTING_URL:
  case SETTING_CHOICE:
    return (const char **)(void *)((char *)config + setting->offset);
  case SETTING_BOOL:
  case SETTING_SECONDS:
  case SETTING_COUNT:
  case SETTING_BYTES:
    break;
  }
  return NULL;
}

enum hoist_status settings_copy(const struct hoist_config *config, struct hoist_config *ret_copy,
                                struct hoist_error *err) {
  size_t count;
  const struct setting *table = settings_table(&count);
  struct hoist_config copy = *config;
  bool out_of_memory = false;
  for (size_t i = 0; i < count; i++) {
    const char **text = find_text(&copy, &table[i]);
    if (!text || !*text) continue;
    *text = text_dup(*text);
    out_of_memory |= !*text;
  }
  if (out_of_memory) {
    settings_copy_done(&copy);
    return hoist_fail_memory(err, "the configuration");
  }
  *ret_copy = copy;
  return HOIST_OK;
}

void settings_copy_done(struct hoist_config *copy) {
  size_t count;
  const struct setting *table = settings_table(&count);
  for (size_t i = 0; i < count; i++) {
    const char **text = find_text(copy, &table[i]);
    if (!text || !*text) continue;
    char *owned = (char *)(uintptr_t)*text;
    if (table[i].secret) explicit_bzero(owned, strlen(owned));
    free(owned);
    *text = NULL;
  }
}
