/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint knows which id. Pure; any thread. */
#include "roboflow_family.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* First segments of the ids of core models, as the reference server has them. */
static const char *const core_models[] = {
    "clip",
    "depth-anything-v2",
    "depth-anything-v3",
    "doctr",
    "doctr_det",
    "doctr_rec",
    "easy_ocr",
    "gaze",
    "grounding_dino",
    "moondream2",
    "owlv2",
    "perception_encoder",
    "pp_ocr",
    "sam",
    "sam2",
    "sam3",
    "sam3-3d-objects",
    "smolvlm2",
    "trocr",
    "yolo_world",
};

static const struct {
  const char *function;
  const char *endpoint;
} names[] = {
    [ROBOFLOW_PACKAGES] = {"get_model_packages", "/models/v1/external/weights"},
    [ROBOFLOW_ORT] = {"get_model_data", "/ort"},
    [ROBOFLOW_CORE_MODEL] = {"get_core_model", "/core_model"},
    [ROBOFLOW_OWLV2] = {"get_owlv2_model", "/owlv2"},
    [ROBOFLOW_GET_WEIGHTS] = {"get_weights", "/getWeights"},
    [ROBOFLOW_STAT] = {"get_model_metadata", "/models/v1/external/stat"},
};

const char *roboflow_function(enum roboflow_family family) {
  return names[family].function;
}

const char *roboflow_endpoint(enum roboflow_family family) {
  return names[family].endpoint;
}

static bool is_core_model(const struct model_id *id) {
  const char *slash = strchr(id->text, '/');
  size_t size = slash ? (size_t)(slash - id->text) : strlen(id->text);
  if (slash && strchr(slash + 1, '/')) return false;
  for (size_t i = 0; i < sizeof core_models / sizeof core_models[0]; i++)
    if (strlen(core_models[i]) == size && strncasecmp(id->text, core_models[i], size) == 0)
      return true;
  return false;
}

size_t roboflow_families_of(const struct model_id *id,
                            enum roboflow_family ret_families[ROBOFLOW_MAX_FAMILIES]) {
  size_t count = 0;
  ret_families[count++] = ROBOFLOW_PACKAGES;
  if (is_core_model(id)) {
    ret_families[count++] = ROBOFLOW_CORE_MODEL;
  } else if (model_id_is_versioned(id)) {
    ret_families[count++] = ROBOFLOW_ORT;
    ret_families[count++] = ROBOFLOW_OWLV2;
  } else {
    ret_families[count++] = ROBOFLOW_GET_WEIGHTS;
  }
  return count;
}
