/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest and its JSON form. Owns every string of a manifest. Pure; any thread, one per
 * manifest. */
#include "manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_read.h"
#include "plan.h"
#include "text.h"
#include "timestamp.h"

#define MANIFEST_VERSION 1
#define DOCUMENT "manifest"

static void file_done(struct manifest_file *f) {
  free(f->name);
  free(f->etag);
  free(f->locator);
  free(f->content);
}

void manifest_done(struct manifest *m) {
  if (!m) return;
  for (size_t i = 0; i < m->file_count; i++)
    file_done(&m->files[i]);
  free(m->files);
  free(m->source);
  free(m->task_type);
  free(m->model_type);
  free(m->model_variant);
  free(m->package_id);
  *m = (struct manifest){0};
}

static enum hoist_status grow(struct manifest *m, struct hoist_error *err) {
  size_t capacity = m->file_capacity == 0 ? 8 : m->file_capacity * 2;
  struct manifest_file *files = reallocarray(m->files, capacity, sizeof *files);
  if (!files) return hoist_fail_memory(err, "a manifest");
  m->files = files;
  m->file_capacity = capacity;
  return HOIST_OK;
}

enum hoist_status manifest_add(struct manifest *m, const char *name,
                               struct manifest_file **ret_file, struct hoist_error *err) {
  if (m->file_count >= MANIFEST_MAX_FILES)
    return hoist_fail(err, HOIST_CORRUPT, "the model has more than %d files", MANIFEST_MAX_FILES);
  if (m->file_count == m->file_capacity) {
    enum hoist_status status = grow(m, err);
    if (status != HOIST_OK) return status;
  }
  char *copy = strdup(name);
  if (!copy) return hoist_fail_memory(err, "a manifest");
  struct manifest_file *file = &m->files[m->file_count++];
  *file = (struct manifest_file){.name = copy, .size = FILE_SIZE_UNKNOWN};
  *ret_file = file;
  return HOIST_OK;
}

const struct manifest_file *manifest_find(const struct manifest *m, const char *name) {
  for (size_t i = 0; i < m->file_count; i++)
    if (strcmp(m->files[i].name, name) == 0) return &m->files[i];
  return NULL;
}

uint64_t manifest_total_size(const struct manifest *m, int *ret_complete) {
  uint64_t total = 0;
  int complete = 1;
  for (size_t i = 0; i < m->file_count; i++) {
    int64_t size = m->files[i].size;
    if (size < 0)
      complete = 0;
    else if (__builtin_add_overflow(total, (uint64_t)size, &total))
      total = UINT64_MAX;
  }
  if (ret_complete) *ret_complete = complete;
  return total;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Takes `value`; NULL, as jansson's constructors give when out of memory, is a failure. */
static bool set(json_t *object, const char *key, json_t *value) {
  return json_object_set_new_nocheck(object, key, value) == 0;
}

static enum hoist_status file_to_json(const struct manifest_file *file, json_t *files,
                                      struct hoist_error *err) {
  if (file->size < 0 || file->digest.kind != DIGEST_SHA256)
    return hoist_fail(err, HOIST_INTERNAL, DOCUMENT ": %s has no size or no SHA-256", file->name);
  char hex[DIGEST_HEX_SIZE];
  digest_hex(&file->digest, hex);
  json_t *object = json_object();
  if (json_array_append_new(files, object) != 0) return hoist_fail_memory(err, DOCUMENT);
  /* An ETag is a header's bytes: one that JSON cannot hold is left out, as nothing depends on it.
   */
  const char *etag = file->etag && utf8_valid(file->etag, strlen(file->etag)) ? file->etag : NULL;
  if (!json_put_text(object, "name", file->name) ||
      !set(object, "size", json_integer(file->size)) || !json_put_text(object, "sha256", hex) ||
      !json_put_text(object, "etag", etag))
    return hoist_fail_memory(err, DOCUMENT);
  return HOIST_OK;
}

enum hoist_status manifest_to_json(const struct manifest *m, const char *model_id,
                                   uint64_t created_unix_s, struct buf *ret_json,
                                   struct hoist_error *err) {
  char created[TIMESTAMP_SIZE];
  timestamp_format(created_unix_s, created);
  HOIST_AUTO(json) json_t *root = json_object();
  json_t *files = json_array();
  if (!set(root, "version", json_integer(MANIFEST_VERSION)) ||
      !json_put_text(root, "model_id", model_id) || !json_put_text(root, "source", m->source) ||
      !json_put_text(root, "created", created) || !json_put_text(root, "task_type", m->task_type) ||
      !json_put_text(root, "model_type", m->model_type) ||
      !json_put_text(root, "model_variant", m->model_variant) ||
      !json_put_text(root, "package_id", m->package_id) ||
      (m->is_bundle && !set(root, "bundle", json_true()))) {
    json_decref(files);
    return hoist_fail_memory(err, DOCUMENT);
  }
  if (!set(root, "files", files)) return hoist_fail_memory(err, DOCUMENT);
  for (size_t i = 0; i < m->file_count; i++) {
    enum hoist_status status = file_to_json(&m->files[i], files, err);
    if (status != HOIST_OK) return status;
  }
  return json_format(root, JSON_INDENT(2), ret_json, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum hoist_status read_time(const struct json_place *root, uint64_t *ret_unix_s,
                                   struct hoist_error *err) {
  struct json_place place = json_read_member(root, "created");
  const char *text = NULL;
  enum hoist_status status = json_read_string(&place, &text, err);
  if (status != HOIST_OK) return status;
  uint32_t ns;
  if (!timestamp_parse(text, ret_unix_s, &ns)) return json_read_fail(&place, err, "not a UTC time");
  return HOIST_OK;
}

static enum hoist_status read_version(const struct json_place *root, struct hoist_error *err) {
  struct json_place place = json_read_member(root, "version");
  int64_t version = 0;
  enum hoist_status status = json_read_int(&place, 0, INT64_MAX, &version, err);
  if (status != HOIST_OK) return status;
  if (version != MANIFEST_VERSION)
    return json_read_fail(&place, err,
                          "%" PRId64 " is unknown to this hoist, which reads version %d", version,
                          MANIFEST_VERSION);
  return HOIST_OK;
}

static enum hoist_status read_digest(const struct json_place *file, struct digest *ret_digest,
                                     struct hoist_error *err) {
  struct json_place place = json_read_member(file, "sha256");
  const char *hex = NULL;
  enum hoist_status status = json_read_string(&place, &hex, err);
  if (status != HOIST_OK) return status;
  if (!digest_from_hex(DIGEST_SHA256, hex, ret_digest))
    return json_read_fail(&place, err, "not 64 hexadecimal digits");
  return HOIST_OK;
}

static enum hoist_status read_file(const struct json_place *place, struct manifest *m,
                                   struct hoist_error *err) {
  struct json_place name_place = json_read_member(place, "name");
  struct json_place size_place = json_read_member(place, "size");
  struct json_place etag_place = json_read_member(place, "etag");
  const char *name = NULL;
  enum hoist_status status = json_read_string(&name_place, &name, err);
  if (status != HOIST_OK) return status;
  status = plan_check_name(name, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, DOCUMENT);
    return status;
  }
  struct manifest_file *file = NULL;
  status = manifest_add(m, name, &file, err);
  if (status != HOIST_OK) return status;
  status = json_read_int(&size_place, 0, INT64_MAX, &file->size, err);
  if (status != HOIST_OK) return status;
  status = read_digest(place, &file->digest, err);
  if (status != HOIST_OK) return status;
  return json_read_copy(&etag_place, false, &file->etag, err);
}

static enum hoist_status read_files(const struct json_place *root, struct manifest *m,
                                    struct hoist_error *err) {
  struct json_place files = json_read_member(root, "files");
  enum hoist_status status = json_read_array(&files, err);
  for (size_t i = 0; status == HOIST_OK && i < json_array_size(files.value); i++) {
    struct json_place file = json_read_item(&files, i);
    status = json_read_object(&file, err);
    if (status == HOIST_OK) status = read_file(&file, m, err);
  }
  return status;
}

static enum hoist_status read_texts(const struct json_place *root, struct manifest *m,
                                    struct hoist_error *err) {
  const struct {
    const char *key;
    char **ret_text;
  } texts[] = {{"source", &m->source},
               {"task_type", &m->task_type},
               {"model_type", &m->model_type},
               {"model_variant", &m->model_variant},
               {"package_id", &m->package_id}};
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; status == HOIST_OK && i < sizeof texts / sizeof texts[0]; i++) {
    struct json_place place = json_read_member(root, texts[i].key);
    status = json_read_copy(&place, false, texts[i].ret_text, err);
  }
  return status;
}

static enum hoist_status read_bundle(const struct json_place *root, struct manifest *m,
                                     struct hoist_error *err) {
  struct json_place place = json_read_member(root, "bundle");
  bool is_bundle = false;
  if (!place.value) return HOIST_OK;
  enum hoist_status status = json_read_bool(&place, &is_bundle, err);
  m->is_bundle = is_bundle;
  return status;
}

enum hoist_status manifest_from_json(const char *json, size_t size, struct manifest *ret_manifest,
                                     char **ret_model_id, uint64_t *ret_created_unix_s,
                                     struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status =
      json_read_parse(json, size, MANIFEST_MAX_JSON_BYTES, DOCUMENT, &value, err);
  if (status != HOIST_OK) return status;
  struct json_place root = json_read_root(value, DOCUMENT);
  status = json_read_object(&root, err);
  if (status != HOIST_OK) return status;
  status = read_version(&root, err);
  if (status != HOIST_OK) return status;
  uint64_t created = 0;
  status = read_time(&root, &created, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(manifest) struct manifest m = {0};
  status = read_texts(&root, &m, err);
  if (status == HOIST_OK) status = read_bundle(&root, &m, err);
  if (status != HOIST_OK) return status;
  status = read_files(&root, &m, err);
  if (status != HOIST_OK) return status;
  status = plan_check_unique(&m, err);
  if (status != HOIST_OK) return status;
  struct json_place id = json_read_member(&root, "model_id");
  status = json_read_copy(&id, true, ret_model_id, err);
  if (status != HOIST_OK) return status;
  *ret_manifest = m;
  m = (struct manifest){0};
  *ret_created_unix_s = created;
  return HOIST_OK;
}
