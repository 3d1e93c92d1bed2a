/* SPDX-License-Identifier: Apache-2.0 */
/* One model from the first source that can deliver it into the cache. */
#ifndef HOIST_LOADER_DOWNLOAD_MODEL_H
#define HOIST_LOADER_DOWNLOAD_MODEL_H

#include "operation.h"

/** Asks the sources in order; each one tried is a span model.artifacts.download. Consumes *lock on OK.
 *  @param ret_entry  on OK: the published model, or NULL where another process replaced or removed it
 *                    in the instant after it was published: look again
 *  Errors (in op->error): see hoist_load; the message names every source that was tried */
HOIST_MUST_CHECK enum hoist_status download_model(struct operation *op, struct cache_lock **lock,
                                                  struct cache_entry **ret_entry);
#endif
