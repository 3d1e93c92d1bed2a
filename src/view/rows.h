/* SPDX-License-Identifier: Apache-2.0 */
/* Which lines a waterfall consists of: spans in the order of the tree, the messages of failures,
 * and one line in place of many alike. */
#ifndef HOIST_VIEW_ROWS_H
#define HOIST_VIEW_ROWS_H

#include "breakdown.h"
#include "trace.h"

#define ROWS_MAX 400         /* lines of one trace */
#define ROWS_MAX_SIBLINGS 12 /* children shown one by one; of more, */
#define ROWS_KEPT_SIBLINGS 8 /* so many: failed ones, then the longest */

enum row_kind { ROW_SPAN, ROW_MESSAGE, ROW_HIDDEN };

struct row {
  enum row_kind kind;
  const struct trace_span *span; /* ROW_SPAN, ROW_MESSAGE */
  uint32_t depth;
  uint64_t last; /* bit n: the ancestor n levels up (0: this row) is the last of its siblings */
  enum phase_kind phase; /* its own or that of an ancestor */
  bool has_children;     /* ROW_SPAN, ROW_MESSAGE: some of its children are shown */
  uint64_t self_ns;      /* ROW_SPAN with children: time in none of them */
  /* ROW_HIDDEN */
  size_t hidden;
  uint64_t hidden_ns, from_ns,
      to_ns; /* the sum of their durations; when the first began, the last ended */
};

struct rows {
  struct row *items;
  size_t count, capacity;
  size_t spans; /* that have a line of their own */
};

void rows_done(struct rows *rows);
static inline void rows_cleanup(struct rows *rows) {
  rows_done(rows);
}

/** Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status rows_build(const struct trace_set *set,
                                              const struct trace *trace, struct rows *ret_rows,
                                              struct hoist_error *err);
#endif
