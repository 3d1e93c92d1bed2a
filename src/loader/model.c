/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded models: their references and accessors. Immutable once registered, so any thread may read. */
#include "model.h"

#include "hoist_internal.h"
#include "metrics.h"
#include "operation.h"

void model_free(struct hoist_model *model) {
  if (!model) return;
  session_close(model->session);
  graph_look_done(&model->look);
  ort_close(model->ort);
  hoist_info_free(model->info);
  registry_unref(model->registry);
  free(model);
}

void model_unload(struct hoist_model *model) {
  metrics_unloaded(model->telemetry, model->info->model_id);
  model_free(model);
}

struct hoist_model *hoist_model_ref(struct hoist_model *model) {
  registry_ref_model(model->registry, model);
  return model;
}

void hoist_model_unref(struct hoist_model *model) {
  if (model) registry_unref_model(model->registry, model);
}

void hoist_unload(struct hoist *hoist, const char *model_id) {
  struct model_id id;
  if (operation_find_id(hoist, model_id, &id, NULL) == HOIST_OK)
    registry_forget(hoist->registry, id.text);
}

const struct hoist_info *hoist_model_info(const struct hoist_model *model) {
  return model->info;
}

const void *hoist_model_ort_api(const struct hoist_model *model) {
  return session_ort_api(model->session);
}

void *hoist_model_ort_env(const struct hoist_model *model) {
  return session_ort_env(model->session);
}

void *hoist_model_ort_session(const struct hoist_model *model) {
  return session_ort_session(model->session);
}
