/* SPDX-License-Identifier: Apache-2.0 */
/* keypoints_metadata.json: for each class its keypoints and the lines between them. Pure; any thread. */
#include "keypoints.h"

#include <stdlib.h>

#include "numbered.h"

#define KEYPOINTS "keypoints_metadata.json"

void keypoints_done(struct artifacts_keypoints *keypoints) {
  numbered_done(&keypoints->names);
  free(keypoints->edges);
  *keypoints = (struct artifacts_keypoints){0};
}

static bool is_id(const struct artifacts_keypoints *keypoints, const json_t *value) {
  for (size_t i = 0; i < keypoints->names.count; i++)
    if (json_is_integer(value) && json_integer_value(value) == keypoints->names.numbers[i])
      return true;
  return false;
}

/* {"from": 0, "to": 1} or [0, 1]. Nobody has written down what edges look like, and who reads a model
 * only to run it ignores them: what is no line between two keypoints is left out, and is no failure. */
static void take_edge(struct artifacts_keypoints *keypoints, const json_t *edge) {
  bool is_pair = json_is_array(edge) && json_array_size(edge) == 2;
  const json_t *from = is_pair ? json_array_get(edge, 0) : json_object_get(edge, "from");
  const json_t *to = is_pair ? json_array_get(edge, 1) : json_object_get(edge, "to");
  if (!is_id(keypoints, from) || !is_id(keypoints, to)) return;
  keypoints->edges[keypoints->edge_count++] =
      (struct hoist_keypoint_edge){.from = json_integer_value(from), .to = json_integer_value(to)};
}

static enum hoist_status read_edges(const struct json_place *item, struct artifacts_keypoints *ret,
                                    struct hoist_error *err) {
  struct json_place edges = json_read_member(item, "edges");
  size_t count = json_array_size(edges.value); /* 0 where it is no list */
  if (count > ARTIFACTS_MAX_EDGES)
    return json_read_fail(&edges, err, "more than %d entries", ARTIFACTS_MAX_EDGES);
  ret->edges = calloc(count + 1, sizeof *ret->edges);
  if (!ret->edges) return hoist_fail_memory(err, KEYPOINTS);
  for (size_t i = 0; i < count; i++)
    take_edge(ret, json_array_get(edges.value, i));
  return HOIST_OK;
}

static enum hoist_status read_class(const struct json_place *item, struct artifacts_keypoints *ret,
                                    struct hoist_error *err) {
  enum hoist_status status = json_read_object(item, err);
  if (status != HOIST_OK) return status;
  struct json_place id = json_read_member(item, "object_class_id");
  status = json_read_int(&id, 0, ARTIFACTS_MAX_CLASSES - 1, &ret->class_id, err);
  if (status != HOIST_OK) return status;
  struct json_place points = json_read_member(item, "keypoints");
  status = numbered_read(&points, ARTIFACTS_MAX_KEYPOINTS, &ret->names, err);
  return status == HOIST_OK ? read_edges(item, ret, err) : status;
}

static int compare_classes(const void *a, const void *b) {
  int64_t left = ((const struct artifacts_keypoints *)a)->class_id;
  int64_t right = ((const struct artifacts_keypoints *)b)->class_id;
  return (left > right) - (left < right);
}

enum hoist_status keypoints_read(json_t *metadata, struct artifacts *a, struct hoist_error *err) {
  struct json_place root = json_read_root(metadata, KEYPOINTS);
  enum hoist_status status = json_read_array(&root, err);
  if (status != HOIST_OK) return status;
  a->keypoints = calloc(json_array_size(metadata) + 1, sizeof *a->keypoints);
  if (!a->keypoints) return hoist_fail_memory(err, KEYPOINTS);
  for (size_t i = 0; i < json_array_size(metadata); i++) {
    struct json_place item = json_read_item(&root, i);
    status = read_class(&item, &a->keypoints[a->keypoints_count++], err);
    if (status != HOIST_OK) return status;
  }
  qsort(a->keypoints, a->keypoints_count, sizeof *a->keypoints, compare_classes);
  for (size_t i = 1; i < a->keypoints_count; i++)
    if (a->keypoints[i].class_id == a->keypoints[i - 1].class_id)
      return json_read_fail(&root, err, "two entries are for class %d",
                            (int)a->keypoints[i].class_id);
  return HOIST_OK;
}
