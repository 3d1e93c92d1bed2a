/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping the cache within its bounds while models are brought into it. Both are best effort: a bound
 * that cannot be kept is a warning. Without a configured bound they do nothing. */
#ifndef HOIST_LOADER_GC_H
#define HOIST_LOADER_GC_H

#include "operation.h"

/** After a publication: removes the least recently used models, but never the operation's own, until
 *  the configured bound is kept. Span model.gc below the operation's. */
void gc_keep_bound(struct operation *op);
/** Before NO_SPACE is reported: the same until `needed_bytes`, and more than before, are free on the
 *  disk; nothing is removed where that could not be reached. Returns 1 where something was removed, so
 *  that trying again makes sense. */
int gc_make_room(struct operation *op, uint64_t needed_bytes);

/** Keeps the cache's bound after a graph of the model was saved, if there is one: others go, as after a
 *  download. Best effort. */
void gc_after_graph(const struct call *call, struct hoist *hoist, const struct model_id *id);

#endif
