/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the answers of /models/v1/external/…: a model's type, and pages of its packages. Pure; any thread. */
#include <stdlib.h>
#include <string.h>

#include "path_rule.h"
#include "roboflow_package_internal.h"
#include "roboflow_shape.h"
#include "text.h"

#define METADATA_TYPE "external-model-metadata-v1"
#define MAX_DEPENDENCIES_BYTES 1024
#define MAX_PAGE_TOKEN_BYTES 2048

void roboflow_packages_done(struct roboflow_packages *packages) {
  for (size_t i = 0; i < packages->count; i++)
    roboflow_package_done(&packages->items[i]);
  free(packages->items);
  free(packages->task_type);
  free(packages->model_type);
  free(packages->model_variant);
  free(packages->dependencies);
  *packages = (struct roboflow_packages){0};
}

/* ---- what both answers have ------------------------------------------------------------------- */

/* An API that is older than the endpoint answers {"error": …} with status 200. */
static enum hoist_status read_metadata(const struct json_place *root,
                                       struct json_place *ret_metadata, struct hoist_error *err) {
  *ret_metadata = json_read_member(root, "modelMetadata");
  if (!ret_metadata->value && json_read_member(root, "error").value)
    return hoist_fail(err, HOIST_NOT_FOUND, ROBOFLOW_ANSWER " is an error instead of a model");
  return json_read_object(ret_metadata, err);
}

static enum hoist_status replace(const struct json_place *metadata, const char *key, char **text,
                                 struct hoist_error *err) {
  char *copy = NULL;
  struct json_place place = json_read_member(metadata, key);
  enum hoist_status status = json_read_copy(&place, false, &copy, err);
  if (status != HOIST_OK) return status;
  free(*text);
  *text = copy;
  return HOIST_OK;
}

static enum hoist_status read_types(const struct json_place *metadata, char **task_type,
                                    char **model_type, char **model_variant,
                                    struct hoist_error *err) {
  struct json_place architecture = json_read_member(metadata, "modelArchitecture");
  const char *required;
  enum hoist_status status = json_read_string(&architecture, &required, err);
  if (status == HOIST_OK) status = replace(metadata, "taskType", task_type, err);
  if (status == HOIST_OK) status = replace(metadata, "modelArchitecture", model_type, err);
  return status == HOIST_OK ? replace(metadata, "modelVariant", model_variant, err) : status;
}

enum hoist_status roboflow_read_stat(const char *json, size_t size, struct manifest *ret_type,
                                     struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  struct json_place root, metadata;
  enum hoist_status status = roboflow_read_root(json, size, &value, &root, err);
  if (status == HOIST_OK) status = read_metadata(&root, &metadata, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(manifest) struct manifest m = {0};
  status = read_types(&metadata, &m.task_type, &m.model_type, &m.model_variant, err);
  if (status != HOIST_OK) return status;
  *ret_type = m;
  m = (struct manifest){0};
  return HOIST_OK;
}

/* ---- pages ------------------------------------------------------------------------------------ */

static enum hoist_status add_dependency(const struct json_place *place, struct buf *text,
                                        struct hoist_error *err) {
  char shown_name[PATH_SHOWN_SIZE], shown_id[PATH_SHOWN_SIZE];
  struct json_place name = json_read_member(place, "name");
  struct json_place id = json_read_member(place, "modelId");
  const char *name_text = NULL, *id_text = NULL;
  enum hoist_status status = json_read_string(&name, &name_text, err);
  if (status == HOIST_OK) status = json_read_string(&id, &id_text, err);
  if (status != HOIST_OK) return status;
  return buf_printf(text, err, "%s%s: %s", text->size > 0 ? ", " : "",
                    path_shown(name_text, shown_name), path_shown(id_text, shown_id));
}

static enum hoist_status read_dependencies(const struct json_place *metadata,
                                           struct roboflow_packages *packages,
                                           struct hoist_error *err) {
  struct json_place list = json_read_member(metadata, "modelDependencies");
  if (!list.value || packages->dependencies) return HOIST_OK;
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_DEPENDENCIES_BYTES);
  enum hoist_status status = json_read_array(&list, err);
  for (size_t i = 0; status == HOIST_OK && i < json_array_size(list.value); i++) {
    struct json_place item = json_read_item(&list, i);
    status = add_dependency(&item, &text, err);
  }
  if (status != HOIST_OK || text.size == 0) return status;
  packages->dependencies = buf_take(&text);
  return packages->dependencies ? HOIST_OK : hoist_fail_memory(err, ROBOFLOW_ANSWER);
}

static enum hoist_status add_package(const struct json_place *place, int verify_md5,
                                     struct roboflow_packages *packages, struct hoist_error *err) {
  if (packages->count == ROBOFLOW_MAX_PACKAGES)
    return json_read_fail(place, err, "more than %d packages", ROBOFLOW_MAX_PACKAGES);
  struct roboflow_package *items =
      realloc(packages->items, (packages->count + 1) * sizeof *packages->items);
  if (!items) return hoist_fail_memory(err, ROBOFLOW_ANSWER);
  packages->items = items;
  items[packages->count] = (struct roboflow_package){0};
  return roboflow_package_read(place, verify_md5, &items[packages->count++], err);
}

static enum hoist_status add_packages(const struct json_place *metadata, int verify_md5,
                                      struct roboflow_packages *packages, struct hoist_error *err) {
  struct json_place list = json_read_member(metadata, "modelPackages");
  enum hoist_status status = json_read_array(&list, err);
  for (size_t i = 0; status == HOIST_OK && i < json_array_size(list.value); i++) {
    struct json_place item = json_read_item(&list, i);
    status = add_package(&item, verify_md5, packages, err);
  }
  return status;
}

static enum hoist_status check_type(const struct json_place *metadata, struct hoist_error *err) {
  struct json_place place = json_read_member(metadata, "type");
  const char *type = NULL;
  enum hoist_status status = json_read_string(&place, &type, err);
  if (status != HOIST_OK) return status;
  if (strcmp(type, METADATA_TYPE) != 0)
    return json_read_fail(&place, err, "not " METADATA_TYPE ": a newer hoist may know it");
  return HOIST_OK;
}

static enum hoist_status read_next(const struct json_place *metadata, char **ret_next_page,
                                   struct hoist_error *err) {
  struct json_place place = json_read_member(metadata, "nextPage");
  if (json_is_string(place.value) && json_string_length(place.value) > MAX_PAGE_TOKEN_BYTES)
    return json_read_fail(&place, err, "more than %d bytes", MAX_PAGE_TOKEN_BYTES);
  return json_read_copy(&place, false, ret_next_page, err);
}

enum hoist_status roboflow_read_page(const char *json, size_t size, int verify_md5,
                                     struct roboflow_packages *packages, char **ret_next_page,
                                     struct hoist_error *err) {
  HOIST_AUTO(json) json_t *value = NULL;
  struct json_place root, metadata;
  *ret_next_page = NULL;
  enum hoist_status status = roboflow_read_root(json, size, &value, &root, err);
  if (status == HOIST_OK) status = read_metadata(&root, &metadata, err);
  if (status == HOIST_OK) status = check_type(&metadata, err);
  if (status == HOIST_OK)
    status = read_types(&metadata, &packages->task_type, &packages->model_type,
                        &packages->model_variant, err);
  if (status == HOIST_OK) status = read_dependencies(&metadata, packages, err);
  if (status == HOIST_OK) status = add_packages(&metadata, verify_md5, packages, err);
  return status == HOIST_OK ? read_next(&metadata, ret_next_page, err) : status;
}
