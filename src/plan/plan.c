/* SPDX-License-Identifier: Apache-2.0 */
/* The gate between what a source says and what is fetched. Pure; any thread, one per manifest. */
#include "plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "path_rule.h"
#include "task.h"
#include "text.h"

#define MAX_NAME_SEGMENTS 8
#define MODEL_TYPE_FILE "model_type.json"
#define MODEL_TYPE_MAX_BYTES (64u << 10)

enum hoist_status plan_check_name(const char *name, struct hoist_error *err) {
  static const struct path_rule rule = {.max_bytes = MANIFEST_FILE_NAME_MAX,
                                        .max_segments = MAX_NAME_SEGMENTS};
  const char *problem = path_problem(name, &rule);
  if (!problem) return HOIST_OK;
  char shown[PATH_SHOWN_SIZE];
  return hoist_fail(err, HOIST_CORRUPT, "file name \"%s\" %s", path_shown(name, shown), problem);
}

/* '/' sorts before every other byte, so that "a" and "a/b" are neighbours whatever lies between
 * them in plain order ("a-b"). */
static int compare_names(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  int left = *a == '/' ? 1 : *a ? (unsigned char)*a + 1 : 0;
  int right = *b == '/' ? 1 : *b ? (unsigned char)*b + 1 : 0;
  return left - right;
}

static int compare_name_pointers(const void *a, const void *b) {
  return compare_names(*(const char *const *)a, *(const char *const *)b);
}

static enum hoist_status check_neighbours(const char *a, const char *b, struct hoist_error *err) {
  char shown[PATH_SHOWN_SIZE];
  size_t size = strlen(a);
  if (strcmp(a, b) == 0)
    return hoist_fail(err, HOIST_CORRUPT, "file name \"%s\" occurs twice", path_shown(a, shown));
  if (strncmp(a, b, size) == 0 && b[size] == '/')
    return hoist_fail(err, HOIST_CORRUPT, "\"%s\" is both a file and a directory of files",
                      path_shown(a, shown));
  return HOIST_OK;
}

enum hoist_status plan_check_names(const char **names, size_t count, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  if (count > 0) qsort(names, count, sizeof *names, compare_name_pointers);
  for (size_t i = 1; status == HOIST_OK && i < count; i++)
    status = check_neighbours(names[i - 1], names[i], err);
  return status;
}

enum hoist_status plan_check_unique(const struct manifest *m, struct hoist_error *err) {
  HOIST_AUTO(mem) const char **names = calloc(m->file_count + 1, sizeof *names);
  if (!names) return hoist_fail_memory(err, "a plan");
  for (size_t i = 0; i < m->file_count; i++)
    names[i] = m->files[i].name;
  return plan_check_names(names, m->file_count, err);
}

static enum hoist_status check_files(const struct manifest *m, struct hoist_error *err) {
  for (size_t i = 0; i < m->file_count; i++) {
    const struct manifest_file *file = &m->files[i];
    enum hoist_status status = plan_check_name(file->name, err);
    if (status != HOIST_OK) return status;
    if (file->size < 0 && file->size != FILE_SIZE_UNKNOWN)
      return hoist_fail(err, HOIST_CORRUPT, "%s: a negative size", file->name);
  }
  return plan_check_unique(m, err);
}

/* ---- the weights ----------------------------------------------------------------------------- */

static bool is_weights(const char *name) {
  return text_ends_with(name, ".onnx") || text_ends_with(name, ".ort");
}

static bool is_well_known(const char *name) {
  return text_equal(name, "weights.onnx") || text_equal(name, "yolov5s_weights.onnx") ||
         text_equal(name, "best.onnx") || text_equal(name, "model.onnx");
}

struct candidates {
  const char *first;
  const char *second;
  size_t count;
};

static struct candidates find_candidates(const struct manifest *m, bool (*accept)(const char *)) {
  struct candidates found = {0};
  for (size_t i = 0; i < m->file_count; i++) {
    const char *name = m->files[i].name;
    if (!accept(name)) continue;
    found.count++;
    if (found.count == 1) found.first = name;
    if (found.count == 2) found.second = name;
  }
  return found;
}

static enum hoist_status choose_weights(const struct manifest *m, const char **ret_name,
                                        struct hoist_error *err) {
  struct candidates all = find_candidates(m, is_weights);
  if (all.count == 0)
    return hoist_fail(err, HOIST_CORRUPT,
                      "no weights file: none of the %zu files is a *.onnx or *.ort", m->file_count);
  const char *expected = task_weights_name(m->task_type, m->model_type);
  if (m->model_type && manifest_find(m, expected)) {
    *ret_name = manifest_find(m, expected)->name;
    return HOIST_OK;
  }
  struct candidates known = find_candidates(m, is_well_known);
  if (all.count > 1 && known.count != 1) {
    const struct candidates *two = known.count > 1 ? &known : &all;
    return hoist_fail(err, HOIST_CORRUPT,
                      "%zu weights files, among them %s and %s: keep one, or name one weights.onnx",
                      all.count, two->first, two->second);
  }
  *ret_name = all.count == 1 ? all.first : known.first;
  return HOIST_OK;
}

enum hoist_status plan_weights(const struct manifest *m, const char **ret_name,
                               struct hoist_error *err) {
  struct hoist_error failure;
  enum hoist_status status = choose_weights(m, ret_name, &failure);
  if (status == HOIST_OK) return status;
  if (m->is_bundle && status == HOIST_CORRUPT)
    return hoist_fail(
        err, HOIST_UNSUPPORTED,
        "a bundle of %zu files for other programs, with no one ONNX model among them: "
        "hoist pull brings it into the cache, but there is no session to open",
        m->file_count);
  if (err) *err = failure;
  return status;
}

/* ---- model_type.json ------------------------------------------------------------------------- */

static enum hoist_status add_model_type(const struct model_id *id, struct manifest *m,
                                        struct hoist_error *err) {
  if ((!m->task_type && !m->model_type) || manifest_find(m, MODEL_TYPE_FILE)) return HOIST_OK;
  HOIST_AUTO(json) json_t *object = json_object();
  if (!json_put_text(object, "project_task_type", m->task_type) ||
      !json_put_text(object, "model_type", m->model_type) ||
      !json_put_text(object, "model_id", id->text) ||
      !json_put_text(object, "model_variant", m->model_variant))
    return hoist_fail_memory(err, MODEL_TYPE_FILE);
  HOIST_AUTO(buf) struct buf text = buf_make(MODEL_TYPE_MAX_BYTES);
  enum hoist_status status = json_format(object, 0, &text, err);
  if (status != HOIST_OK) return status;
  struct manifest_file *file = NULL;
  status = manifest_add(m, MODEL_TYPE_FILE, &file, err);
  if (status != HOIST_OK) return status;
  file->size = (int64_t)text.size;
  file->content = buf_take(&text);
  return HOIST_OK;
}

/* ---- the order ------------------------------------------------------------------------------- */

static bool is_metadata(const char *name) {
  return text_ends_with(name, ".json") || text_ends_with(name, ".txt");
}

static int compare_files(const void *a, const void *b) {
  const struct manifest_file *left = a, *right = b;
  int rank = is_metadata(right->name) - is_metadata(left->name);
  return rank != 0 ? rank : strcmp(left->name, right->name);
}

enum hoist_status plan_make(const struct model_id *id, struct manifest *m,
                            struct hoist_error *err) {
  enum hoist_status status = check_files(m, err);
  if (status != HOIST_OK) return status;
  const char *weights = NULL;
  status = m->is_bundle ? HOIST_OK : plan_weights(m, &weights, err);
  if (status != HOIST_OK) return status;
  status = task_check_files(m->task_type, m, err);
  if (status != HOIST_OK) return status;
  status = add_model_type(id, m, err);
  if (status != HOIST_OK) return status;
  qsort(m->files, m->file_count, sizeof *m->files, compare_files);
  return HOIST_OK;
}
