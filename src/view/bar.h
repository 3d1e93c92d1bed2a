/* SPDX-License-Identifier: Apache-2.0 */
/* The bar of one span over the time of its trace: thick where the span itself is at work, thin
 * where its children are. The thick parts of a waterfall are where the time really went. */
#ifndef HOIST_VIEW_BAR_H
#define HOIST_VIEW_BAR_H

#include "term.h"
#include "trace.h"

struct bar_window {
  uint64_t start_ns, end_ns;
  size_t columns; /* at most TERM_MAX_WIDTH */
};

enum bar_cell {
  BAR_BLANK = 0,
  /* 1..8: thick, so many eighths from the left */
  BAR_FULL = 8,
  BAR_RIGHT_HALF,   /* thick, the right half */
  BAR_RIGHT_EIGHTH, /* thick, the last eighth */
  BAR_THIN
};

/** Fills `cells` (window->columns of them). A span is never invisible. */
void bar_of_span(const struct trace_set *set, const struct trace_span *span,
                 const struct bar_window *window, enum bar_cell *cells);
/** Fills `cells` with a thin line from `from_ns` to `to_ns`. */
void bar_of_range(uint64_t from_ns, uint64_t to_ns, const struct bar_window *window,
                  enum bar_cell *cells);
/** Writes the cells in `color`, and leaves out blanks at the end. Returns the columns written. */
size_t bar_write(FILE *out, const struct term *term, enum term_color color,
                 const enum bar_cell *cells, size_t columns);
#endif
