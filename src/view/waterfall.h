/* SPDX-License-Identifier: Apache-2.0 */
/* A trace as a waterfall for the terminal: one line per span with its place in the tree, its
 * duration, its bar over the whole time, and what matters about it; below, the answer in words. */
#ifndef HOIST_VIEW_WATERFALL_H
#define HOIST_VIEW_WATERFALL_H

#include "term.h"
#include "trace.h"

/** Draws one trace of a linked set.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status waterfall_draw(FILE *out, const struct term *term,
                                                  const struct trace_set *set,
                                                  const struct trace *trace,
                                                  struct hoist_error *err);

/** Draws every trace, an empty line between two.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status waterfall_draw_all(FILE *out, const struct term *term,
                                                      const struct trace_set *set,
                                                      struct hoist_error *err);
#endif
