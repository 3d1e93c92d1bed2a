/* SPDX-License-Identifier: Apache-2.0 */
/* A model's description as JSON. Main thread. */
#include "info_text.h"

static void put_files(struct json *j, const struct hoist_info *info) {
  json_open(j, "files", '[');
  for (size_t i = 0; i < info->file_count; i++) {
    json_open(j, NULL, '{');
    json_text(j, "name", info->files[i].name);
    json_uint(j, "size_bytes", info->files[i].size_bytes);
    json_text(j, "sha256", info->files[i].sha256);
    json_close(j, '}');
  }
  json_close(j, ']');
}

static void put_classes(struct json *j, const struct hoist_info *info) {
  json_open(j, "classes", '[');
  for (size_t i = 0; i < info->class_count; i++) {
    json_open(j, NULL, '{');
    json_text(j, "name", info->classes[i].name);
    if (info->classes[i].color) json_text(j, "color", info->classes[i].color);
    json_close(j, '}');
  }
  json_close(j, ']');
}

static void put_point(struct json *j, const char *key, const double point[2]) {
  json_open(j, key, '[');
  json_number(j, NULL, point[0]);
  json_number(j, NULL, point[1]);
  json_close(j, ']');
}

static void put_preprocessing(struct json *j, const struct hoist_preprocessing *p) {
  if (!p->present) return;
  json_open(j, "preprocessing", '{');
  json_bool(j, "auto_orient", p->auto_orient != 0);
  if (p->static_crop) {
    put_point(j, "crop_min", p->crop_min);
    put_point(j, "crop_max", p->crop_max);
  }
  json_text(j, "contrast", p->contrast_type);
  json_bool(j, "grayscale", p->grayscale != 0);
  json_text(j, "resize_format", p->resize_format);
  json_uint(j, "width", p->width);
  json_uint(j, "height", p->height);
  json_close(j, '}');
}

static void put_class_keypoints(struct json *j, const struct hoist_keypoints *k) {
  json_int(j, "class_id", k->class_id);
  json_open(j, "names", '[');
  for (size_t i = 0; i < k->name_count; i++)
    json_text(j, NULL, k->names[i]);
  json_close(j, ']');
  json_open(j, "ids", '[');
  for (size_t i = 0; i < k->name_count; i++)
    json_int(j, NULL, k->ids[i]);
  json_close(j, ']');
  json_open(j, "edges", '[');
  for (size_t i = 0; i < k->edge_count; i++) {
    json_open(j, NULL, '[');
    json_int(j, NULL, k->edges[i].from);
    json_int(j, NULL, k->edges[i].to);
    json_close(j, ']');
  }
  json_close(j, ']');
}

static void put_keypoints(struct json *j, const struct hoist_info *info) {
  if (info->keypoints_count == 0) return;
  json_open(j, "keypoints", '[');
  for (size_t i = 0; i < info->keypoints_count; i++) {
    json_open(j, NULL, '{');
    put_class_keypoints(j, &info->keypoints[i]);
    json_close(j, '}');
  }
  json_close(j, ']');
}

static void put_tensors(struct json *j, const char *key, const struct hoist_tensor *tensors,
                        size_t count) {
  json_open(j, key, '[');
  for (size_t i = 0; i < count; i++) {
    json_open(j, NULL, '{');
    json_text(j, "name", tensors[i].name);
    json_text(j, "type", tensors[i].type);
    json_open(j, "shape", '[');
    for (size_t d = 0; d < tensors[i].dim_count; d++) {
      if (tensors[i].dims[d] < 0)
        json_text(j, NULL, tensors[i].symbols[d]);
      else
        json_int(j, NULL, tensors[i].dims[d]);
    }
    json_close(j, ']');
    json_close(j, '}');
  }
  json_close(j, ']');
}

void info_json_members(struct cli *cli, const struct hoist_info *info) {
  struct json *j = &cli->json;
  json_text(j, "source", info->source);
  json_text(j, "directory", info->directory);
  json_uint(j, "created_unix_s", info->created_unix_s);
  json_uint(j, "total_bytes", info->total_bytes);
  json_text(j, "weights", info->weights);
  put_files(j, info);
  json_text(j, "task_type", info->task_type);
  json_text(j, "model_type", info->model_type);
  json_text(j, "model_variant", info->model_variant);
  json_bool(j, "multiclass", info->multiclass != 0);
  put_classes(j, info);
  put_preprocessing(j, &info->preprocessing);
  put_keypoints(j, info);
  if (!info->onnxruntime_version) return;
  json_text(j, "onnxruntime_version", info->onnxruntime_version);
  json_text(j, "execution_provider", info->execution_provider);
  json_text(j, "refused_providers", info->refused_providers);
  json_text(j, "graph_cache", info->graph_cache);
  json_text(j, "graph_detail", info->graph_detail);
  json_uint(j, "graph_bytes", info->graph_bytes);
  put_tensors(j, "inputs", info->inputs, info->input_count);
  put_tensors(j, "outputs", info->outputs, info->output_count);
}
