/* SPDX-License-Identifier: Apache-2.0 */
/* The making of a model's session within an operation: on a verified model, or, to save time, on one that is
 * being verified meanwhile. */
#ifndef HOIST_LOADER_OPENING_H
#define HOIST_LOADER_OPENING_H

#include "graphs.h"
#include "model.h"
#include "operation.h"

/** A session begun on a claim. Belongs to one operation. */
struct opening;

/** Creates a draft on the claim, in a span model.session.create, while another thread compares the claim's
 *  bytes. Whatever came of either, the operation remembers it (op->opening), for opening_finish.
 *  Errors (in op->error): those of the comparison */
HOIST_MUST_CHECK enum hoist_status opening_begin(struct operation *op, struct cache_claim *claim);
void opening_discard(struct operation *op);

/** Fills in the model's runtime and session: out of op->opening, where there is one, else by creating it.
 *  Errors (in op->error): as session_open, ort_open */
HOIST_MUST_CHECK enum hoist_status opening_finish(struct operation *op,
                                                  const struct cache_entry *entry,
                                                  struct hoist_model *model);
/** Has the graph of the model saved, if that is wanted; takes the entry over then. To be called when nothing
 *  else is left to do. */
void opening_save_graph(struct operation *op, struct cache_entry **entry,
                        const struct hoist_model *model);

/** Models smaller than this are verified before the thread for it would have been started. */
#define OPENING_MIN_BYTES ((uint64_t)1 << 20)

#endif
