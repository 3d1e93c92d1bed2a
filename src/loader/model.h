/* SPDX-License-Identifier: Apache-2.0 */
/* A loaded model: a session, what is known about it, and where it is registered. */
#ifndef HOIST_LOADER_MODEL_H
#define HOIST_LOADER_MODEL_H

#include <hoist/hoist.h>

#include "registry.h"
#include "session.h"

struct hoist_model {
  struct registry *registry;
  struct hoist_telemetry *telemetry;
  struct ort *ort;
  struct session *session;
  struct hoist_info *info;
};

/** Destroys a model whose references are gone, or a half-built one. NULL is fine. */
void model_free(struct hoist_model *model);
HOIST_DEFINE_AUTO(model, struct hoist_model, model_free)

#endif
