/* SPDX-License-Identifier: Apache-2.0 */
/* The models in memory, one per id: who asks for a model that is loaded gets the same one, who asks for
 * one that is being loaded waits for it. The registry does not keep models alive; their users do. It is
 * itself reference-counted, because models may outlive the hoist object. Thread-safe. */
#ifndef HOIST_LOADER_REGISTRY_H
#define HOIST_LOADER_REGISTRY_H

#include "call.h"

struct hoist_model;
struct registry;

HOIST_MUST_CHECK enum hoist_status registry_new(struct registry **ret_registry,
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
 *  `failure` to those who waited; where the loader was merely called off, the next of them tries. */
void registry_finish(struct registry *registry, const char *id, struct hoist_model *model,
                     const struct hoist_error *failure);

void registry_ref_model(struct registry *registry, const char *id);
/** Returns 1 when this was the last reference: the caller then destroys the model. */
int registry_unref_model(struct registry *registry, const char *id);

#endif
