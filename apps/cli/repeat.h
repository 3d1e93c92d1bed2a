/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics over the spans of several operations that are alike. */
#ifndef HOIST_CLI_REPEAT_H
#define HOIST_CLI_REPEAT_H

#include "cli.h"
#include "trace.h"

#define REPEAT_MAX_PHASES 48

struct repeat_phase {
  char name[96];
  unsigned depth;
  uint64_t *ns; /* of each run; spans of one name in one run are added up */
  bool *is_there;
};

/** Zero-initialise. */
struct repeat {
  struct repeat_phase phases[REPEAT_MAX_PHASES];
  size_t phase_count, runs, capacity;
};
void repeat_done(struct repeat *r);
static inline void repeat_cleanup(struct repeat *r) {
  repeat_done(r);
}

/** Adds one run: the spans of one operation, linked, as deep as their children's children. Without memory, or
 *  beyond REPEAT_MAX_PHASES names, less is counted. */
void repeat_add(struct repeat *r, const struct trace_set *spans);

struct repeat_summary {
  uint64_t first_ns, min_ns, median_ns, p90_ns; /* p90: nine tenths of the runs took no longer */
  size_t runs;                                  /* in which the phase occurred */
};
/** Of one phase, over the runs that had it; `first` is that of the first of those. */
struct repeat_summary repeat_summarize(const struct repeat *r, size_t phase);

/** A table, or with --json an object. */
void repeat_print(struct cli *cli, const char *model_id, const struct repeat *r);

#endif
