/* SPDX-License-Identifier: Apache-2.0 */
/* Two recordings side by side: what got slower. Siblings are paired by name and by what they are
 * about (a file, a model), else by their order; what has no partner stands alone. */
#ifndef HOIST_VIEW_DIFF_H
#define HOIST_VIEW_DIFF_H

#include "term.h"
#include "trace.h"

#define DIFF_MAX_ROWS 400
#define DIFF_MAX_SIBLINGS 12 /* pairs shown one by one; of more, */
#define DIFF_KEPT_SIBLINGS 8 /* so many: those that differ most */

struct diff_row {
  const struct trace_span *a, *b; /* NULL: not in that recording; both: a sum of `more` pairs */
  size_t more;
  uint64_t a_ns, b_ns;
  uint32_t depth;
  uint64_t last; /* as in struct row */
};

struct diff {
  struct diff_row *rows; /* in the order of the tree */
  size_t count, capacity;
  uint64_t a_ns, b_ns; /* of all roots together */
  const struct diff_row
      *culprit; /* the deepest row that explains most of the difference; or NULL */
};

void diff_done(struct diff *diff);
static inline void diff_cleanup(struct diff *diff) {
  diff_done(diff);
}

/** Pairs two linked sets, which must live as long as the rows.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status diff_build(const struct trace_set *a, const struct trace_set *b,
                                              struct diff *ret_diff, struct hoist_error *err);

/** b - a, as far as that has room. */
static inline int64_t diff_between(uint64_t a_ns, uint64_t b_ns) {
  uint64_t size = a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns;
  int64_t value = size > INT64_MAX ? INT64_MAX : (int64_t)size;
  return a_ns > b_ns ? -value : value;
}
static inline int64_t diff_of(const struct diff_row *row) {
  return diff_between(row->a_ns, row->b_ns);
}
/** Whether a difference is too little to mention: a hundredth of the whole or less. */
bool diff_is_same(const struct diff *diff, int64_t differs_ns);
/** The span of a row, that of B where both have one; NULL: a sum. */
static inline const struct trace_span *diff_span(const struct diff_row *row) {
  return row->b ? row->b : row->a;
}
/** What a span is about: its file, model, source; "" unknown. */
const char *diff_subject(const struct trace_span *span);

/** Draws the rows and the answer in words.
 *  @param a_name, b_name  of the files */
void diff_draw(FILE *out, const struct term *term, const struct diff *diff, const char *a_name,
               const char *b_name);
#endif
