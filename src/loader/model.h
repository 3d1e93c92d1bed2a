/* SPDX-License-Identifier: Apache-2.0 */
/* A loaded model: a session, what is known about it, and where it is registered. */
#ifndef HOIST_LOADER_MODEL_H
#define HOIST_LOADER_MODEL_H

#include <hoist/hoist.h>

#include "graphs.h"
#include "registry.h"
#include "session.h"

struct hoist_model {
  struct registry *registry;
  struct hoist_telemetry *telemetry;
  struct ort *ort;
  struct session *session;
  struct graph_look look; /* what the session runs on */
  struct hoist_info *info;
};

/** model_free for one that was loaded, and counted as such: the registry's way to destroy. */
void model_unload(struct hoist_model *model);
/** Destroys a model whose references are gone, or a half-built one. NULL is fine. */
void model_free(struct hoist_model *model);
HOIST_DEFINE_AUTO(model, struct hoist_model, model_free)

#endif
