/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, checking and showing settings, driven by the table; with it the two configuration calls
 * of the public API. Owns nothing: texts in a config are borrowed from whoever gave them.
 * Reentrant. */
#include "settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "err.h"
#include "text.h"

static const char *process_env(const char *name) {
  return getenv(name);
}

static const char *lookup(settings_get_env get_env, const char *name) {
  const char *value = (get_env ? get_env : process_env)(name);
  return value && *value ? value : NULL;
}

static void *member(struct hoist_config *config, const struct setting *setting) {
  return (char *)config + setting->offset;
}

static const void *const_member(const struct hoist_config *config, const struct setting *setting) {
  return (const char *)config + setting->offset;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool parse_bool(const char *text, int *ret_value) {
  static const char *const words[] = {"false", "true", "0", "1", "no", "yes"};
  for (int i = 0; i < 6; i++) {
    if (strcasecmp(text, words[i]) == 0) {
      *ret_value = i % 2;
      return true;
    }
  }
  return false;
}

static bool parse_count(const char *text, uint32_t min, uint32_t max, uint32_t *ret_value) {
  uint64_t value;
  if (!parse_u64(text, &value) || value < min || value > max) return false;
  *ret_value = (uint32_t)value;
  return true;
}

/* Not strtod, which follows the host program's locale and takes "inf". What is not zero never
 * becomes zero, because zero means "no limit": a rest below a millisecond counts as one. */
static bool parse_seconds(const char *text, uint32_t *ret_ms) {
  uint64_t ms = 0;
  size_t whole = strspn(text, "0123456789");
  const char *decimals = text + whole + (text[whole] == '.');
  size_t decimal_count = strspn(decimals, "0123456789");
  if (whole + decimal_count == 0 || decimals[decimal_count]) return false;
  for (size_t i = 0; i < whole && ms <= UINT32_MAX; i++)
    ms = ms * 10 + (uint64_t)(text[i] - '0');
  for (size_t i = 0; i < 3 && ms <= UINT32_MAX; i++)
    ms = ms * 10 + (i < decimal_count ? (uint64_t)(decimals[i] - '0') : 0);
  if (decimal_count > 3 && strspn(decimals + 3, "0") < decimal_count - 3) ms++;
  if (ms > UINT32_MAX) return false;
  *ret_ms = (uint32_t)ms;
  return true;
}

/* A power of 1000, or, with an "i", of 1024; 0: no unit of ours. */
static uint64_t parse_unit(const char *text) {
  static const char letters[] = "KMGT";
  if (!*text || strcasecmp(text, "B") == 0) return 1;
  const char *letter = memchr(letters, *text & ~0x20, sizeof letters - 1);
  bool binary = letter && (text[1] == 'i' || text[1] == 'I');
  const char *rest = text + 1 + binary;
  if (!letter || (strcasecmp(rest, "B") != 0 && (*rest || binary))) return 0;
  uint64_t unit = 1;
  for (const char *p = letters; p <= letter; p++)
    unit *= binary ? 1024 : 1000;
  return unit;
}

/* Three decimals, because who wants more writes bytes. */
bool settings_parse_bytes(const char *text, uint64_t *ret_bytes) {
  size_t whole = strspn(text, "0123456789");
  const char *decimals = text + whole + (text[whole] == '.');
  size_t decimal_count = strspn(decimals, "0123456789");
  const char *end = decimals + decimal_count;
  uint64_t unit = parse_unit(end + strspn(end, " ")), thousandths = 0;
  if (whole == 0 || (text[whole] == '.' && decimal_count == 0) || decimal_count > 3 || unit == 0)
    return false;
  for (size_t i = 0; i < whole + 3; i++) {
    char digit = i < whole ? text[i] : i - whole < decimal_count ? decimals[i - whole] : '0';
    if (__builtin_mul_overflow(thousandths, 10, &thousandths) ||
        __builtin_add_overflow(thousandths, (uint64_t)(digit - '0'), &thousandths))
      return false;
  }
  uint64_t bytes;
  if (__builtin_mul_overflow(thousandths / 1000, unit, &bytes) ||
      __builtin_add_overflow(bytes, thousandths % 1000 * unit / 1000, &bytes))
    return false;
  *ret_bytes = bytes;
  return true;
}

static bool is_choice(const char *choices, const char *text) {
  size_t size = strlen(text);
  for (const char *p = choices; *p;) {
    size_t word = strcspn(p, "|");
    if (word == size && memcmp(p, text, size) == 0) return true;
    p += word + (p[word] == '|');
  }
  return false;
}

static bool store(const struct setting *setting, const char *text, void *target) {
  switch (setting->type) {
  case SETTING_STRING:
  case SETTING_PATH:
  case SETTING_URL:
    *(const char **)target = *text ? text : NULL;
    return true;
  case SETTING_CHOICE:
    if (!is_choice(setting->choices, text)) return false;
    *(const char **)target = text;
    return true;
  case SETTING_BOOL:
    return parse_bool(text, target);
  case SETTING_SECONDS:
    return parse_seconds(text, target);
  case SETTING_COUNT:
    return parse_count(text, setting->min, setting->max, target);
  case SETTING_BYTES:
    return settings_parse_bytes(text, target);
  }
  return false;
}

static const char *expected(const struct setting *setting, char *out, size_t size) {
  switch (setting->type) {
  case SETTING_STRING:
  case SETTING_PATH:
  case SETTING_URL:
    return "a text";
  case SETTING_CHOICE:
    snprintf(out, size, "one of %s", setting->choices);
    return out;
  case SETTING_BOOL:
    return "true or false (also 1, 0, yes, no)";
  case SETTING_SECONDS:
    return "a number of seconds, such as 30 or 0.5";
  case SETTING_COUNT:
    snprintf(out, size, "a whole number from %u to %u", setting->min, setting->max);
    return out;
  case SETTING_BYTES:
    return "a number of bytes, such as 10G, 500M or 1.5GiB";
  }
  return "something else";
}

enum hoist_status settings_set(struct hoist_config *config, const struct setting *setting,
                               const char *text, const char *origin, struct hoist_error *err) {
  if (store(setting, text, member(config, setting))) return HOIST_OK;
  char words[64];
  return hoist_fail(err, HOIST_INVALID, "%s is '%.80s': expected %s", origin, text,
                    expected(setting, words, sizeof words));
}

const char *settings_variable(const struct setting *setting, settings_get_env get_env) {
  for (size_t i = 0; i < SETTING_MAX_ENV && setting->env[i]; i++)
    if (lookup(get_env, setting->env[i])) return setting->env[i];
  return NULL;
}

/* ---- showing --------------------------------------------------------------------------------- */

/* People put passwords into URLs, and tokens into their queries. */
void settings_show_url(const char *url, char *out, size_t size) {
  const char *scheme_end = strstr(url, "://");
  const char *authority = scheme_end ? scheme_end + 3 : url, *host = authority;
  const char *path = authority + strcspn(authority, "/?#");
  for (const char *p = authority; p < path; p++)
    if (*p == '@') host = p + 1;
  const char *query = path + strcspn(path, "?#");
  snprintf(out, size, "%.*s%.*s%s", (int)(authority - url), url, (int)(query - host), host,
           *query ? "?REDACTED" : "");
}

static void format_text(const struct setting *setting, const char *text, char *out, size_t size) {
  if (setting->secret)
    text_copy(out, size, "set");
  else if (setting->type == SETTING_URL)
    settings_show_url(text, out, size);
  else
    text_copy(out, size, text);
}

/* Zero where it stands for "not set". */
static bool is_absent(const struct setting *setting, uint64_t number) {
  return number == 0 && setting->fallback;
}

bool settings_format(const struct hoist_config *config, const struct setting *setting,
                     char out[SETTING_TEXT_SIZE]) {
  const void *value = const_member(config, setting);
  out[0] = '\0';
  switch (setting->type) {
  case SETTING_STRING:
  case SETTING_PATH:
  case SETTING_URL:
  case SETTING_CHOICE: {
    const char *text = *(const char *const *)value;
    if (!text || !*text) return false;
    format_text(setting, text, out, SETTING_TEXT_SIZE);
    return true;
  }
  case SETTING_BOOL:
    text_copy(out, SETTING_TEXT_SIZE, *(const int *)value ? "true" : "false");
    return true;
  case SETTING_SECONDS:
  case SETTING_COUNT: {
    uint32_t number = *(const uint32_t *)value;
    if (is_absent(setting, number)) return false;
    if (setting->type == SETTING_COUNT)
      snprintf(out, SETTING_TEXT_SIZE, "%u", number);
    else if (number % 1000 == 0)
      snprintf(out, SETTING_TEXT_SIZE, "%u s", number / 1000);
    else
      snprintf(out, SETTING_TEXT_SIZE, "%u ms", number);
    return true;
  }
  case SETTING_BYTES: {
    uint64_t bytes = *(const uint64_t *)value;
    if (is_absent(setting, bytes)) return false;
    snprintf(out, SETTING_TEXT_SIZE, "%" PRIu64 " bytes", bytes);
    return true;
  }
  }
  return false;
}

/* ---- the public calls ------------------------------------------------------------------------ */

void hoist_config_init(struct hoist_config *config) {
  memset(config, 0, sizeof *config);
  config->size = sizeof *config;
  size_t count;
  const struct setting *all = settings_table(&count);
  for (size_t i = 0; i < count; i++)
    if (all[i].initial) store(&all[i], all[i].initial, member(config, &all[i]));
}

enum hoist_status hoist_config_from_env(struct hoist_config *config, settings_get_env get_env,
                                        struct hoist_error *err) {
  size_t count;
  const struct setting *all = settings_table(&count);
  for (size_t i = 0; i < count; i++) {
    const char *name = settings_variable(&all[i], get_env);
    if (!name) continue;
    enum hoist_status status = settings_set(config, &all[i], lookup(get_env, name), name, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

enum hoist_status settings_default_cache_dir(settings_get_env get_env, char **ret_path,
                                             struct hoist_error *err) {
  const char *base = lookup(get_env, "XDG_CACHE_HOME"), *below = "";
  if (!base || base[0] != '/') {
    base = lookup(get_env, "HOME");
    below = "/.cache";
  }
  if (!base || base[0] != '/')
    return hoist_fail(
        err, HOIST_INVALID,
        "no cache directory: neither XDG_CACHE_HOME nor HOME is an absolute path; set "
        "HOIST_CACHE_DIR");
  char *path = text_format("%s%s/hoist", base, below);
  if (!path) return hoist_fail_memory(err, "the cache directory's name");
  *ret_path = path;
  return HOIST_OK;
}
