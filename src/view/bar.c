/* SPDX-License-Identifier: Apache-2.0 */
/* Bars out of block characters, at a resolution of an eighth of a column at their right end. Pure
 * but for the writing; any thread. */
#include "bar.h"

#include <math.h>

#define LEAST (1.0 / 8) /* columns; the narrowest thing that can be drawn */

static double column_of(uint64_t at_ns, const struct bar_window *w) {
  if (at_ns <= w->start_ns) return 0;
  if (at_ns >= w->end_ns) return (double)w->columns;
  return (double)(at_ns - w->start_ns) / (double)(w->end_ns - w->start_ns) * (double)w->columns;
}

static void extent(uint64_t from_ns, uint64_t to_ns, const struct bar_window *w, double *ret_from,
                   double *ret_to) {
  double from = column_of(from_ns, w), to = column_of(to_ns, w);
  if (from > (double)w->columns - LEAST) from = (double)w->columns - LEAST;
  *ret_from = from;
  *ret_to = to < from + LEAST ? from + LEAST : to;
}

static void blank(enum bar_cell *cells, size_t columns) {
  for (size_t i = 0; i < columns; i++)
    cells[i] = BAR_BLANK;
}

/* The part of a column from `left` to `right`, both 0..1. */
static enum bar_cell thick_cell(double left, double right) {
  if (left >= 0.4 && right > 0.95) return left > 0.75 ? BAR_RIGHT_EIGHTH : BAR_RIGHT_HALF;
  double eighths = round((right - (right > 0.95 ? 0 : left)) * 8);
  return eighths < 1 ? 1 : (enum bar_cell)eighths;
}

void bar_of_span(const struct trace_set *set, const struct trace_span *span,
                 const struct bar_window *w, enum bar_cell *cells) {
  double from, to;
  uint32_t next_child = 0;
  double covered_to = -1; /* end of the children begun so far: children come by start */
  extent(span->start_ns, span->end_ns, w, &from, &to);
  blank(cells, w->columns);
  for (size_t c = (size_t)from; (double)c < to && c < w->columns; c++) {
    double left = fmax(from, (double)c), right = fmin(to, (double)c + 1);
    double middle = (left + right) / 2;
    for (; next_child < span->child_count; next_child++) {
      const struct trace_span *child = trace_child(set, span, next_child);
      if (column_of(child->start_ns, w) > middle) break;
      covered_to = fmax(covered_to, column_of(child->end_ns, w));
    }
    cells[c] = covered_to > middle ? BAR_THIN : thick_cell(left - (double)c, right - (double)c);
  }
}

void bar_of_range(uint64_t from_ns, uint64_t to_ns, const struct bar_window *w,
                  enum bar_cell *cells) {
  double from, to;
  extent(from_ns, to_ns, w, &from, &to);
  blank(cells, w->columns);
  for (size_t c = (size_t)from; (double)c < to && c < w->columns; c++)
    cells[c] = BAR_THIN;
}

size_t bar_write(FILE *out, const struct term *term, enum term_color color,
                 const enum bar_cell *cells, size_t columns) {
  static const char *const blocks[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█", "▐", "▕", "─"};
  static const char *const ascii[] = {" ", "|", "|", "|", "#", "#", "#", "#", "#", "#", "|", "-"};
  size_t used = columns;
  while (used > 0 && cells[used - 1] == BAR_BLANK)
    used--;
  for (size_t i = 0; i < used; i++) {
    if (cells[i] != BAR_BLANK && (i == 0 || cells[i - 1] == BAR_BLANK)) term_set(out, term, color);
    fputs((term->unicode ? blocks : ascii)[cells[i]], out);
  }
  if (used > 0) term_set(out, term, TERM_PLAIN);
  return used;
}
