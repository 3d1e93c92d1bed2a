/* SPDX-License-Identifier: Apache-2.0 */
/* Model ids nest ("a" and "a/1" may both be models), and so do the files of one model (external
 * data in a directory of its own), while an object store knows only keys. What tells them apart is
 * that every model has a weights file or an environment.json at its top. Pure; any thread. */
#include "s3_select.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "text.h"

/* A directory's name relative to the prefix, '/' at the end included; empty: the prefix itself. */
struct directory {
  const char *name;
  size_t size;
};

static size_t directory_size(const char *name) {
  const char *slash = strrchr(name, '/');
  return slash ? (size_t)(slash - name) + 1 : 0;
}

/* A name that the plan will refuse marks nothing: so it gets there and is refused, not passed over.
 */
static bool marks_model(const char *name) {
  if (plan_check_name(name, NULL) != HOIST_OK) return false;
  return text_ends_with(name, ".onnx") || text_ends_with(name, ".ort") ||
         text_equal(name + directory_size(name), "environment.json");
}

static int compare_directories(const void *a, const void *b) {
  const struct directory *x = a, *y = b;
  int order = memcmp(x->name, y->name, x->size < y->size ? x->size : y->size);
  return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

struct models {
  struct directory *directories; /* sorted */
  size_t count;
};

static inline void models_cleanup(struct models *m) {
  free(m->directories);
}

static bool is_model(const struct models *m, const char *name, size_t size) {
  const struct directory wanted = {name, size};
  return m->count > 0 &&
         bsearch(&wanted, m->directories, m->count, sizeof wanted, compare_directories);
}

static enum hoist_status find_models(const struct s3_listing *l, size_t prefix_size,
                                     struct models *ret_models, struct hoist_error *err) {
  ret_models->directories = calloc(l->count ? l->count : 1, sizeof *ret_models->directories);
  if (!ret_models->directories) return hoist_fail_memory(err, "a listing");
  for (size_t i = 0; i < l->count; i++) {
    const char *name = l->objects[i].key + prefix_size;
    if (marks_model(name))
      ret_models->directories[ret_models->count++] = (struct directory){name, directory_size(name)};
  }
  qsort(ret_models->directories, ret_models->count, sizeof *ret_models->directories,
        compare_directories);
  return HOIST_OK;
}

static bool belongs_to_other(const struct models *m, const char *name) {
  for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
    if (is_model(m, name, (size_t)(slash - name) + 1)) return true;
  return false;
}

static enum hoist_status add_file(const struct s3_object *object, const char *name,
                                  struct manifest *m, struct hoist_error *err) {
  struct manifest_file *file = NULL;
  enum hoist_status status = manifest_add(m, name, &file, err);
  if (status != HOIST_OK) return status;
  file->size = object->size;
  file->locator = text_dup(object->key);
  file->etag = text_dup(object->etag);
  if (!file->locator || (object->etag && !file->etag)) return hoist_fail_memory(err, "a manifest");
  return HOIST_OK;
}

static enum hoist_status check_prefix(const struct s3_listing *l, const char *prefix,
                                      struct hoist_error *err) {
  for (size_t i = 0; i < l->count; i++)
    if (!text_starts_with(l->objects[i].key, prefix))
      return hoist_fail(err, HOIST_CORRUPT,
                        "the listing has the key \"%.100s\", which is elsewhere",
                        l->objects[i].key);
  return HOIST_OK;
}

enum hoist_status s3_select(const struct s3_listing *listing, const char *prefix,
                            struct manifest *m, struct hoist_error *err) {
  size_t prefix_size = strlen(prefix);
  HOIST_AUTO(models) struct models models = {0};
  enum hoist_status status = check_prefix(listing, prefix, err);
  if (status == HOIST_OK) status = find_models(listing, prefix_size, &models, err);
  if (status != HOIST_OK) return status;
  if (!is_model(&models, "", 0))
    return hoist_fail(err, HOIST_NOT_FOUND,
                      "no model here (%s); check the bucket, the prefix and the model id",
                      listing->count ? "nothing there ends in .onnx or .ort" : "it is empty");
  for (size_t i = 0; i < listing->count; i++) {
    const struct s3_object *object = &listing->objects[i];
    const char *name = object->key + prefix_size;
    bool marker = object->size == 0 && text_ends_with(object->key, "/");
    if (marker || belongs_to_other(&models, name)) continue;
    status = add_file(object, name, m, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}
