/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints of the Roboflow API that describe models, and which of them know what kind of id. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_FAMILY_H
#define HOIST_ROBOFLOW_ROBOFLOW_FAMILY_H

#include <stddef.h>

#include "model_id.h"

enum roboflow_family {
  ROBOFLOW_PACKAGES,    /* /models/v1/external/weights: packages to choose from, in pages */
  ROBOFLOW_ORT,         /* /ort/{dataset}/{version} */
  ROBOFLOW_CORE_MODEL,  /* /core_model/{id}: models that are no user's, "clip/ViT-B-16" */
  ROBOFLOW_OWLV2,       /* /owlv2/{dataset}/{version} */
  ROBOFLOW_GET_WEIGHTS, /* /getWeights: ids without a version */
  ROBOFLOW_STAT,        /* /models/v1/external/stat: may this key use it, and what is it */
};

#define ROBOFLOW_MAX_FAMILIES 3

/** Which endpoints to ask for the description of a model, in this order, as long as each says that it does not
 *  have it. Returns how many. */
size_t roboflow_families_of(const struct model_id *id,
                            enum roboflow_family ret_families[ROBOFLOW_MAX_FAMILIES]);

/** What roboflow_api.function says: "get_model_packages", … Static. */
const char *roboflow_function(enum roboflow_family family);
/** The endpoint for people: "/ort", … Static. */
const char *roboflow_endpoint(enum roboflow_family family);

#endif
