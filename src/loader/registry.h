/* SPDX-License-Identifier: Apache-2.0 */
/* The models in memory, one per id: who asks for a model that is loaded gets the same one, who asks for
 * one that is being loaded waits for it. A model that nobody uses any more goes, or, where the registry has
 * bounds, stays until it is the least recently used of those that have to go for the bounds' sake. The
 * registry is itself reference-counted, because models may outlive the hoist object. Thread-safe. */
#ifndef HOIST_LOADER_REGISTRY_H
#define HOIST_LOADER_REGISTRY_H

#include "call.h"

struct hoist_model;
struct registry;

/** Of all loaded models, in use or not. Both 0: a model goes with its last user. */
struct registry_bounds {
  uint32_t max_models; /* 0: any number */
  uint64_t max_bytes;  /* 0: any size */
};

/** @param destroy  destroys a model that is gone from the registry; called without its lock */
HOIST_MUST_CHECK enum hoist_status registry_new(const struct registry_bounds *bounds,
                                                void (*destroy)(struct hoist_model *model),
                                                struct registry **ret_registry,
                                                struct hoist_error *err);
struct registry *registry_ref(struct registry *registry);
void registry_unref(struct registry *registry); /* NULL is fine */

/** Joins the load of `id`. On OK either *ret_model is a model with a reference for the caller, or it is
 *  NULL and the caller is now the one who loads: it must call registry_finish, whatever happens.
 *  Where it has to wait there is a span model.cache.lock_wait.
 *  Errors: TIMEOUT, CANCELLED while another thread loads · whatever that thread's load failed with, but
 *          for its own deadline or cancel · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status registry_join(const struct call *call, struct registry *registry,
                                                 const char *id, struct hoist_model **ret_model,
                                                 struct hoist_error *err);
/** Ends the caller's load: publishes `model` (whose first reference is the caller's), or with NULL hands
 *  `failure` to those who waited; where the loader was merely called off, the next of them tries.
 *  @param bytes  what the model counts as */
void registry_finish(struct registry *registry, const char *id, struct hoist_model *model,
                     uint64_t bytes, const struct hoist_error *failure);

void registry_ref_model(struct registry *registry, const struct hoist_model *model);
/** Destroys the model where this was its last reference and it is not kept. */
void registry_unref_model(struct registry *registry, const struct hoist_model *model);
/** From now on `id` is not loaded: its model goes with its last user. */
void registry_forget(struct registry *registry, const char *id);
/** Nothing is kept any more: models that nobody uses are destroyed now, others with their last user. */
void registry_close(struct registry *registry);

#endif
