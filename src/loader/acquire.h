/* SPDX-License-Identifier: Apache-2.0 */
/* From a model id to verified artifacts: the cache, else one download into it. */
#ifndef HOIST_LOADER_ACQUIRE_H
#define HOIST_LOADER_ACQUIRE_H

#include "operation.h"

/** Looks only into the cache. Span model.artifacts.load where there is something to load.
 *  Errors (in op->error): NOT_FOUND · CORRUPT · UNAVAILABLE another process is changing it */
HOIST_MUST_CHECK enum hoist_status acquire_from_cache(struct operation *op,
                                                      struct cache_entry **ret_entry,
                                                      struct hoist_info **ret_info);

/** acquire_from_cache, else downloads from the sources in order, once for any number of threads and
 *  processes. Errors (in op->error): see hoist_load */
HOIST_MUST_CHECK enum hoist_status acquire(struct operation *op, struct cache_entry **ret_entry,
                                           struct hoist_info **ret_info);
#endif
