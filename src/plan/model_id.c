/* SPDX-License-Identifier: Apache-2.0 */
/* Model ids: validation, and the cache path that the reference server uses for the same id, so that
 * a cache filled by one is a warm cache for the other. Pure; any thread. */
#include "model_id.h"

#include <blake2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "path_rule.h"
#include "text.h"

#define SEGMENT_MAX 255 /* bytes of one directory name */
#define SLUG_MAX 48
#define SLUG_DIGEST_BYTES 16

static const char raw_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._ -";
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool equals(const char *text, size_t size, const char *word) {
  return strlen(word) == size && memcmp(text, word, size) == 0;
}

/* The names that Windows keeps for devices, whatever their extension. Raw segments are lower-case.
 */
static bool is_device_name(const char *segment, size_t size) {
  static const char *const names[] = {"aux", "con", "nul", "prn"};
  size_t stem = strcspn(segment, "./");
  if (stem > size) stem = size;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (equals(segment, stem, names[i])) return true;
  return stem == 4 && (memcmp(segment, "com", 3) == 0 || memcmp(segment, "lpt", 3) == 0) &&
         segment[3] >= '1' && segment[3] <= '9';
}

static bool is_raw_segment(const char *segment, size_t size) {
  char last = segment[size - 1];
  return size <= SEGMENT_MAX && strspn(segment, raw_chars) >= size && last != ' ' && last != '.' &&
         !is_device_name(segment, size);
}

/* Directories that the reference server keeps beside the models. */
static bool is_reserved(const char *segment, size_t size) {
  static const char *const names[] = {
      "_file_locks",  "auto-resolution-cache",  "hf_home",      "huggingface", "lora-bases",
      "models-cache", "owl-v2-serialized-data", "shared-blobs", "usage.db",    "workflow"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (equals(segment, size, names[i])) return true;
  return false;
}

/* [A-Za-z0-9_-]{1,48}-[0-9a-f]{8}: what the reference's second model library names its directories.
 */
static bool looks_like_slug(const char *segment, size_t size) {
  if (size < 1 + 9 || size > SLUG_MAX + 9) return false;
  const char *dash = segment + size - 9;
  return strspn(segment, ALNUM "_-") >= size && *dash == '-' &&
         strspn(dash + 1, "0123456789abcdef") >= 8;
}

/* '~' needs no test of its own: no raw segment holds one, so slugs and raw paths never meet. */
static bool is_raw_path(const char *id) {
  size_t first = strcspn(id, "/");
  if (is_reserved(id, first) || looks_like_slug(id, first)) return false;
  for (const char *segment = id;;) {
    size_t size = strcspn(segment, "/");
    if (!is_raw_segment(segment, size)) return false;
    if (segment[size] == '\0') return true;
    segment += size + 1;
  }
}

/* The contract replaces runs of bytes outside [A-Za-z0-9_-] by '-', then runs of two or more of '_'
 * and '-' by '-'. In one pass: whatever is not a letter or digit becomes one '-', save a lone '_'.
 * The result is never empty, as the id is not. */
static void make_slug(const char *id, char slug[SLUG_MAX + 1]) {
  size_t used = 0;
  while (*id && used < SLUG_MAX) {
    size_t run = strcspn(id, ALNUM);
    slug[used++] = run == 0 || (run == 1 && *id == '_') ? *id : '-';
    id += run == 0 ? 1 : run;
  }
  slug[used] = '\0';
}

static enum hoist_status make_path(struct model_id *id, struct hoist_error *err) {
  size_t size = strlen(id->text);
  if (is_raw_path(id->text)) {
    memcpy(id->path, id->text, size + 1);
    return HOIST_OK;
  }
  uint8_t digest[SLUG_DIGEST_BYTES];
  if (blake2s(digest, id->text, NULL, sizeof digest, size, 0) != 0)
    return hoist_fail(err, HOIST_INTERNAL, "model id: BLAKE2s failed");
  char slug[SLUG_MAX + 1], hex[2 * SLUG_DIGEST_BYTES + 1];
  make_slug(id->text, slug);
  hex_encode(digest, sizeof digest, hex);
  snprintf(id->path, sizeof id->path, "~%s-%s", slug, hex);
  return HOIST_OK;
}

enum hoist_status model_id_parse(const char *text, struct model_id *ret_id,
                                 struct hoist_error *err) {
  static const struct path_rule rule = {.max_bytes = MODEL_ID_MAX};
  const char *problem = path_problem(text, &rule);
  if (problem) {
    char shown[PATH_SHOWN_SIZE];
    return hoist_fail(err, HOIST_INVALID,
                      "model id \"%s\" %s: expected something like \"dataset/1\", at most %d bytes",
                      path_shown(text, shown), problem, MODEL_ID_MAX);
  }
  struct model_id id = {.text = ""};
  memcpy(id.text, text, strlen(text));
  enum hoist_status status = make_path(&id, err);
  if (status != HOIST_OK) return status;
  *ret_id = id;
  return HOIST_OK;
}

int model_id_is_versioned(const struct model_id *id) {
  const char *slash = strchr(id->text, '/');
  if (!slash) return 0;
  size_t digits = strspn(slash + 1, "0123456789");
  return digits > 0 && slash[1 + digits] == '\0';
}
