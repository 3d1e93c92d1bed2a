/* SPDX-License-Identifier: Apache-2.0 */
/* The public description of a model. Everything it points at lives in one chain of allocations that
 * goes away with it; the parsed metadata is kept and pointed into. Immutable once handed out. */
#include "info.h"

#include <string.h>

#include "artifacts.h"
#include "plan.h"
#include "task.h"

struct block {
  struct block *next;
  max_align_t data[];
};

struct box {
  struct hoist_info info; /* first: hoist_info_free gets its address */
  struct artifacts artifacts;
  struct block *blocks;
};

static void *box_alloc(struct box *box, size_t count, size_t size, struct hoist_error *err) {
  if (size > 0 && count > (SIZE_MAX - sizeof(struct block)) / size) {
    (void)hoist_fail_memory(err, "a model's description");
    return NULL;
  }
  struct block *block = calloc(1, sizeof *block + count * size);
  if (!block) {
    (void)hoist_fail_memory(err, "a model's description");
    return NULL;
  }
  block->next = box->blocks;
  box->blocks = block;
  return block->data;
}

/* A NULL text stays NULL and is no failure, so success is the return value, not the pointer. */
static enum hoist_status box_text(struct box *box, const char *text, const char **ret_text,
                                  struct hoist_error *err) {
  if (!text) {
    *ret_text = NULL;
    return HOIST_OK;
  }
  size_t size = strlen(text) + 1;
  char *copy = box_alloc(box, size, 1, err);
  if (!copy) return HOIST_NO_MEMORY;
  memcpy(copy, text, size);
  *ret_text = copy;
  return HOIST_OK;
}

void hoist_info_free(struct hoist_info *info) {
  if (!info) return;
  struct box *box = (struct box *)(void *)info;
  for (struct block *block = box->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  artifacts_done(&box->artifacts);
  free(box);
}

static enum hoist_status add_file(struct box *box, struct hoist_file *file,
                                  const struct manifest_file *from, struct hoist_error *err) {
  file->size_bytes = (uint64_t)from->size;
  digest_hex(&from->digest, file->sha256);
  return box_text(box, from->name, &file->name, err);
}

static enum hoist_status add_files(struct box *box, const struct manifest *m,
                                   struct hoist_error *err) {
  struct hoist_file *files = box_alloc(box, m->file_count, sizeof *files, err);
  if (!files) return HOIST_NO_MEMORY;
  for (size_t i = 0; i < m->file_count; i++) {
    enum hoist_status status = add_file(box, &files[i], &m->files[i], err);
    if (status != HOIST_OK) return status;
  }
  box->info.files = files;
  box->info.file_count = m->file_count;
  box->info.total_bytes = manifest_total_size(m, NULL);
  return HOIST_OK;
}

static enum hoist_status add_origin(struct box *box, const struct cache_entry *entry,
                                    struct hoist_error *err) {
  const struct manifest *m = cache_entry_manifest(entry);
  const char *weights = NULL;
  enum hoist_status status = plan_weights(m, &weights, err);
  if (status == HOIST_UNSUPPORTED) status = HOIST_OK; /* a bundle: all but a session can be had */
  if (status == HOIST_OK) status = box_text(box, weights, &box->info.weights, err);
  if (status == HOIST_OK)
    status = box_text(box, cache_entry_model_id(entry), &box->info.model_id, err);
  if (status == HOIST_OK) status = box_text(box, cache_entry_dir(entry), &box->info.directory, err);
  if (status == HOIST_OK) status = box_text(box, m->source, &box->info.source, err);
  if (status == HOIST_OK) status = add_files(box, m, err);
  box->info.created_unix_s = cache_entry_created_unix_s(entry);
  return status;
}

static enum hoist_status add_classes(struct box *box, struct hoist_error *err) {
  const struct artifacts *a = &box->artifacts;
  struct hoist_class *classes = box_alloc(box, a->class_count, sizeof *classes, err);
  if (!classes) return HOIST_NO_MEMORY;
  for (size_t i = 0; i < a->class_count; i++)
    classes[i] = (struct hoist_class){.name = a->classes[i],
                                      .color = artifacts_class_color(a, a->classes[i])};
  box->info.classes = classes;
  box->info.class_count = a->class_count;
  return HOIST_OK;
}

static enum hoist_status add_keypoints(struct box *box, struct hoist_error *err) {
  const struct artifacts *a = &box->artifacts;
  struct hoist_keypoints *keypoints = box_alloc(box, a->keypoints_count, sizeof *keypoints, err);
  if (!keypoints) return HOIST_NO_MEMORY;
  for (size_t i = 0; i < a->keypoints_count; i++) {
    const struct artifacts_keypoints *from = &a->keypoints[i];
    keypoints[i] = (struct hoist_keypoints){
        .class_id = from->class_id,
        .names = (const char *const *)from->names.names,
        .ids = from->names.numbers,
        .name_count = from->names.count,
        .edges = from->edges,
        .edge_count = from->edge_count,
    };
  }
  box->info.keypoints = keypoints;
  box->info.keypoints_count = a->keypoints_count;
  return HOIST_OK;
}

static void add_preprocessing(struct box *box) {
  const struct artifacts *a = &box->artifacts;
  const struct artifacts_preprocessing *p = &a->preprocessing;
  box->info.preprocessing = (struct hoist_preprocessing){
      .present = a->has_preprocessing,
      .auto_orient = p->auto_orient,
      .static_crop = p->has_static_crop,
      .crop_min = {p->static_crop.x_min, p->static_crop.y_min},
      .crop_max = {p->static_crop.x_max, p->static_crop.y_max},
      .contrast = p->contrast,
      .contrast_type = p->contrast_type,
      .grayscale = p->grayscale,
      .resize = p->resize,
      .resize_format = p->resize_format,
      .width = (uint32_t)a->input_width,
      .height = (uint32_t)a->input_height,
  };
}

static enum hoist_status read_from_entry(void *user, const char *name, struct buf *ret_data,
                                         struct hoist_error *err) {
  return cache_entry_read(user, name, ret_data, err);
}

static enum hoist_status add_artifacts(struct box *box, const struct cache_entry *entry,
                                       struct hoist_error *err) {
  const struct artifacts_reader reader = {.user = (void *)(uintptr_t)entry,
                                          .read = read_from_entry};
  enum hoist_status status = artifacts_parse(&reader, &box->artifacts, err);
  if (status == HOIST_OK)
    status = task_check_files(box->artifacts.task_type, cache_entry_manifest(entry), err);
  if (status != HOIST_OK) return status;
  box->info.task_type = box->artifacts.task_type;
  box->info.model_type = box->artifacts.model_type;
  box->info.model_variant = box->artifacts.model_variant;
  box->info.multiclass = box->artifacts.multiclass;
  box->info.environment_json = box->artifacts.environment_json;
  box->info.keypoints_json = box->artifacts.keypoints_json;
  add_preprocessing(box);
  status = add_classes(box, err);
  return status == HOIST_OK ? add_keypoints(box, err) : status;
}

enum hoist_status info_new(const struct cache_entry *entry, struct hoist_info **ret_info,
                           struct hoist_error *err) {
  struct box *box = calloc(1, sizeof *box);
  if (!box) return hoist_fail_memory(err, "a model's description");
  HOIST_AUTO(hoist_info) struct hoist_info *info = &box->info;
  enum hoist_status status = add_origin(box, entry, err);
  if (status == HOIST_OK) status = add_artifacts(box, entry, err);
  if (status != HOIST_OK) return status;
  *ret_info = HOIST_TAKE(info);
  return HOIST_OK;
}

static enum hoist_status add_tensor(struct box *box, struct hoist_tensor *tensor,
                                    const struct tensor_info *from, struct hoist_error *err) {
  enum hoist_status status = box_text(box, from->name, &tensor->name, err);
  tensor->type = from->type;
  tensor->dim_count = from->dim_count < HOIST_MAX_DIMS ? from->dim_count : HOIST_MAX_DIMS;
  for (size_t i = 0; status == HOIST_OK && i < tensor->dim_count; i++) {
    tensor->dims[i] = from->dims[i];
    status = box_text(box, from->symbols[i], &tensor->symbols[i], err);
  }
  return status;
}

static enum hoist_status add_tensors(struct box *box, const struct tensor_info *from, size_t count,
                                     const struct hoist_tensor **ret_tensors, size_t *ret_count,
                                     struct hoist_error *err) {
  struct hoist_tensor *tensors = box_alloc(box, count, sizeof *tensors, err);
  if (!tensors) return HOIST_NO_MEMORY;
  for (size_t i = 0; i < count; i++) {
    enum hoist_status status = add_tensor(box, &tensors[i], &from[i], err);
    if (status != HOIST_OK) return status;
  }
  *ret_tensors = tensors;
  *ret_count = count;
  return HOIST_OK;
}

enum hoist_status info_add_session(struct hoist_info *info, const struct ort *ort,
                                   const struct session *session, const struct graph_look *look,
                                   uint64_t graph_bytes, struct hoist_error *err) {
  struct box *box = (struct box *)(void *)info;
  size_t input_count = 0, output_count = 0;
  const struct tensor_info *inputs = session_inputs(session, &input_count);
  const struct tensor_info *outputs = session_outputs(session, &output_count);
  enum hoist_status status =
      add_tensors(box, inputs, input_count, &info->inputs, &info->input_count, err);
  if (status == HOIST_OK)
    status = add_tensors(box, outputs, output_count, &info->outputs, &info->output_count, err);
  if (status == HOIST_OK) status = box_text(box, ort_version(ort), &info->onnxruntime_version, err);
  if (status == HOIST_OK)
    status = box_text(box, session_provider(session), &info->execution_provider, err);
  const char *refused = session_refused_providers(session);
  if (status == HOIST_OK && *refused)
    status = box_text(box, refused, &info->refused_providers, err);
  if (status == HOIST_OK && look->detail[0])
    status = box_text(box, look->detail, &info->graph_detail, err);
  info->graph_cache = graph_use_name(look->use);
  info->graph_bytes = graph_bytes;
  return status;
}
