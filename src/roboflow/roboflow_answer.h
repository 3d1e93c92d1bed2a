/* SPDX-License-Identifier: Apache-2.0 */
/* From the Roboflow API's answers to a manifest. Pure, so that it can be tested and fuzzed without a
 * server. What an answer says is checked for its shape only; names are checked by plan_make. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_ANSWER_H
#define HOIST_ROBOFLOW_ROBOFLOW_ANSWER_H

#include "json_read.h"
#include "manifest.h"
#include "roboflow_shape.h"

#define ROBOFLOW_MAX_ENVIRONMENT_BYTES (4u << 20)

struct roboflow_answer {
  struct manifest manifest; /* without environment.json where that is still to be fetched */
  char *environment_url;    /* where to fetch it from; NULL: the manifest has it */
  json_t *colors;           /* to be merged into it; NULL: none */
};
void roboflow_answer_done(struct roboflow_answer *answer);
static inline void roboflow_answer_cleanup(struct roboflow_answer *answer) {
  roboflow_answer_done(answer);
}

/** Reads the answer of /ort/{dataset}/{version}.
 *  Errors: CORRUPT not JSON or not of the shape: names the place · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status roboflow_read_ort(const char *json, size_t size,
                                                     struct roboflow_answer *ret_answer,
                                                     struct hoist_error *err);
/** Reads the answer of /getWeights, which has its environment inside. Errors likewise. */
HOIST_MUST_CHECK enum hoist_status roboflow_read_weights(const char *json, size_t size,
                                                         struct roboflow_answer *ret_answer,
                                                         struct hoist_error *err);
/** Reads the answer of /core_model/{id}: any number of files, each named like the last segment of its URL's
 *  path. Errors likewise. */
HOIST_MUST_CHECK enum hoist_status roboflow_read_core_model(const char *json, size_t size,
                                                            struct roboflow_answer *ret_answer,
                                                            struct hoist_error *err);
/** Reads the answer of /owlv2/{dataset}/{version}: weights for PyTorch. Errors likewise. */
HOIST_MUST_CHECK enum hoist_status roboflow_read_owlv2(const char *json, size_t size,
                                                       struct roboflow_answer *ret_answer,
                                                       struct hoist_error *err);
/** Adds environment.json to the manifest out of the bytes that environment_url gave. Without colors
 *  they stay as they are.
 *  Errors: CORRUPT not a JSON object · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status roboflow_add_environment(struct roboflow_answer *answer,
                                                            const char *json, size_t size,
                                                            struct hoist_error *err);

#endif
