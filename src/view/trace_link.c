/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the spans of a set together: traces, parents, children in order of time. Sorting and
 * searching only, so hostile ids cannot make it slow. One thread at a time. */
#include <stdlib.h>
#include <string.h>

#include "trace.h"

/* A span by its identity, in the order of identities. */
struct by_id {
  uint8_t id[24]; /* trace id, span id */
  uint32_t index;
};

static void make_id(uint8_t id[24], const uint8_t trace_id[16], const uint8_t span_id[8]) {
  memcpy(id, trace_id, 16);
  memcpy(id + 16, span_id, 8);
}

static int compare_ids(const void *a, const void *b) {
  const struct by_id *x = a, *y = b;
  int order = memcmp(x->id, y->id, sizeof x->id);
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

static uint32_t find_span(const struct by_id *ids, size_t count, const uint8_t id[24]) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (memcmp(ids[middle].id, id, 24) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && memcmp(ids[low].id, id, 24) == 0 ? ids[low].index : TRACE_NONE;
}

static void find_parents(struct trace_set *set, const struct by_id *ids) {
  static const uint8_t none[8];
  for (size_t i = 0; i < set->count; i++) {
    struct trace_span *span = &set->spans[i];
    uint8_t id[24];
    make_id(id, span->trace_id, span->parent_id);
    span->parent = memcmp(span->parent_id, none, sizeof none) == 0 ? TRACE_NONE
                                                                   : find_span(ids, set->count, id);
  }
}

/* Makes a root of one span in every circle. Each span is walked over twice at most. */
static void break_cycles(struct trace_set *set, uint8_t *state) {
  enum { NEW, ON_PATH, DONE };
  for (uint32_t i = 0; i < set->count; i++) {
    uint32_t at = i, circle;
    while (at != TRACE_NONE && state[at] == NEW) {
      state[at] = ON_PATH;
      at = set->spans[at].parent;
    }
    circle = at != TRACE_NONE && state[at] == ON_PATH ? at : TRACE_NONE;
    for (at = i; at != TRACE_NONE && state[at] == ON_PATH; at = set->spans[at].parent)
      state[at] = DONE;
    if (circle != TRACE_NONE) set->spans[circle].parent = TRACE_NONE;
  }
}

/* ---- traces and their times
 * ---------------------------------------------------------------------- */

static void widen(struct trace *trace, const struct trace_span *span) {
  if (span->start_ns > 0 && (trace->start_ns == 0 || span->start_ns < trace->start_ns))
    trace->start_ns = span->start_ns;
  if (span->end_ns > trace->end_ns) trace->end_ns = span->end_ns;
  if (span->start_ns > trace->end_ns) trace->end_ns = span->start_ns;
  trace->span_count++;
}

static void mend_times(struct trace_span *span, const struct trace *trace) {
  if (span->end_ns == 0) {
    span->unfinished = true;
    span->end_ns = trace->end_ns;
  }
  if (span->start_ns == 0) span->start_ns = trace->start_ns;
  if (span->end_ns < span->start_ns) span->end_ns = span->start_ns;
}

/* Fills set->traces out of the spans by identity, and `trace_of` with each span's trace. */
static void collect_traces(struct trace_set *set, const struct by_id *ids, uint32_t *trace_of) {
  set->trace_count = 0;
  for (size_t i = 0; i < set->count; i++) {
    if (i == 0 || memcmp(ids[i].id, ids[i - 1].id, 16) != 0)
      set->traces[set->trace_count++] = (struct trace){0};
    widen(&set->traces[set->trace_count - 1], &set->spans[ids[i].index]);
    trace_of[ids[i].index] = (uint32_t)set->trace_count - 1;
  }
  for (size_t i = 0; i < set->count; i++)
    mend_times(&set->spans[i], &set->traces[trace_of[i]]);
}

/* ---- children in order
 * --------------------------------------------------------------------------- */

/* Sorts the children of one parent together; roots come after all of them, trace by trace. */
struct by_parent {
  uint64_t group; /* the parent's index, or the number of spans + that of the trace */
  uint64_t start_ns;
  uint32_t index;
};

static int compare_parents(const void *a, const void *b) {
  const struct by_parent *x = a, *y = b;
  if (x->group != y->group) return x->group < y->group ? -1 : 1;
  if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

static void order_children(struct trace_set *set, const uint32_t *trace_of,
                           struct by_parent *keys) {
  for (uint32_t i = 0; i < set->count; i++) {
    struct trace_span *span = &set->spans[i];
    span->first_child = span->child_count = 0;
    keys[i] = (struct by_parent){.group = span->parent != TRACE_NONE ? span->parent
                                                                     : set->count + trace_of[i],
                                 .start_ns = span->start_ns,
                                 .index = i};
  }
  qsort(keys, set->count, sizeof *keys, compare_parents);
  for (uint32_t i = 0; i < set->count; i++) {
    bool root = keys[i].group >= set->count;
    struct trace *trace = root ? &set->traces[keys[i].group - set->count] : NULL;
    struct trace_span *parent = root ? NULL : &set->spans[keys[i].group];
    uint32_t *first = root ? &trace->first_root : &parent->first_child;
    uint32_t *count = root ? &trace->root_count : &parent->child_count;
    if ((*count)++ == 0) *first = i;
    set->order[i] = keys[i].index;
    set->spans[keys[i].index].place = i;
  }
}

static int compare_traces(const void *a, const void *b) {
  const struct trace *x = a, *y = b;
  if (x->start_ns != y->start_ns) return x->start_ns < y->start_ns ? -1 : 1;
  return (x->first_root > y->first_root) - (x->first_root < y->first_root);
}

static enum hoist_status grow_results(struct trace_set *set, struct hoist_error *err) {
  uint32_t *order = realloc(set->order, set->count * sizeof *order);
  if (order) set->order = order;
  struct trace *traces = realloc(set->traces, set->count * sizeof *traces);
  if (traces) set->traces = traces;
  return order && traces ? HOIST_OK : hoist_fail_memory(err, "the tree of a trace");
}

enum hoist_status trace_link(struct trace_set *set, struct hoist_error *err) {
  if (set->count == 0) return HOIST_OK;
  HOIST_AUTO(mem) struct by_id *ids = malloc(set->count * sizeof *ids);
  HOIST_AUTO(mem) struct by_parent *keys = malloc(set->count * sizeof *keys);
  HOIST_AUTO(mem) uint32_t *trace_of = calloc(set->count, sizeof *trace_of);
  HOIST_AUTO(mem) uint8_t *state = calloc(set->count, 1);
  if (!ids || !keys || !trace_of || !state) return hoist_fail_memory(err, "the tree of a trace");
  enum hoist_status status = grow_results(set, err);
  if (status != HOIST_OK) return status;
  for (uint32_t i = 0; i < set->count; i++) {
    make_id(ids[i].id, set->spans[i].trace_id, set->spans[i].span_id);
    ids[i].index = i;
  }
  qsort(ids, set->count, sizeof *ids, compare_ids);
  find_parents(set, ids);
  break_cycles(set, state);
  collect_traces(set, ids, trace_of);
  order_children(set, trace_of, keys);
  qsort(set->traces, set->trace_count, sizeof *set->traces, compare_traces);
  return trace_find_critical(set, err);
}

static bool is_last_sibling(const struct trace_set *set, const struct trace *trace,
                            const struct trace_span *span) {
  if (span->parent == TRACE_NONE) return span->place + 1 == trace->first_root + trace->root_count;
  const struct trace_span *parent = &set->spans[span->parent];
  return span->place + 1 == parent->first_child + parent->child_count;
}

const struct trace_span *trace_next(const struct trace_set *set, const struct trace *trace,
                                    const struct trace_span *span) {
  if (span->child_count > 0) return trace_child(set, span, 0);
  while (is_last_sibling(set, trace, span)) {
    if (span->parent == TRACE_NONE) return NULL;
    span = &set->spans[span->parent];
  }
  return &set->spans[set->order[span->place + 1]];
}
