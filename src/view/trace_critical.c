/* SPDX-License-Identifier: Apache-2.0 */
/* The critical path of a trace: the spans without which it would have ended earlier. From the root
 * that ends last, backwards: the child that ended last, before it the one that ended last before
 * that child began, and so on; within each of them the same. Needs a stack of its own, since a trace
 * may be as deep as it has spans. One thread at a time. */
#include <stdlib.h>

#include "trace.h"

struct by_end {
  uint64_t end_ns;
  uint32_t index;
};

/* A span on the path, and the time back from which its children are looked at. */
struct step {
  uint32_t index;
  uint64_t until_ns;
};

struct walk {
  struct trace_set *set;
  struct by_end *ends; /* as trace_set.order, the children of each span on the path by their end */
  struct step *steps;
  size_t step_count;
};

static int compare_ends(const void *a, const void *b) {
  const struct by_end *x = a, *y = b;
  if (x->end_ns != y->end_ns) return x->end_ns > y->end_ns ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

static void push(struct walk *w, uint32_t index, uint64_t until_ns) {
  w->set->spans[index].critical = true;
  w->steps[w->step_count++] = (struct step){index, until_ns};
}

/* The children of a span that ends then, the last to end first. One that outlives its parent counts as
 * ending with it. */
static const struct by_end *order_children(struct walk *w, const struct trace_span *span,
                                           uint64_t until_ns) {
  struct by_end *ends = w->ends + span->first_child;
  for (uint32_t i = 0; i < span->child_count; i++) {
    const struct trace_span *child = trace_child(w->set, span, i);
    uint64_t end_ns = child->end_ns < until_ns ? child->end_ns : until_ns;
    ends[i] = (struct by_end){end_ns, (uint32_t)(child - w->set->spans)};
  }
  qsort(ends, span->child_count, sizeof *ends, compare_ends);
  return ends;
}

/* What took no time delayed nobody. */
static void push_children(struct walk *w, const struct step *step) {
  const struct trace_span *span = &w->set->spans[step->index];
  const struct by_end *ends = order_children(w, span, step->until_ns);
  uint64_t cursor_ns = step->until_ns;
  for (uint32_t i = 0; i < span->child_count; i++) {
    uint64_t start_ns = w->set->spans[ends[i].index].start_ns;
    if (ends[i].end_ns > cursor_ns || start_ns >= ends[i].end_ns) continue;
    push(w, ends[i].index, ends[i].end_ns);
    cursor_ns = start_ns;
  }
}

/* Shares a span's time among its children as the critical path runs, backwards: of two at work at once,
 * the one that ended later is waited for. */
static void charge_children(struct walk *w, const struct trace_span *span) {
  const struct by_end *ends = order_children(w, span, span->end_ns);
  uint64_t cursor_ns = span->end_ns;
  for (uint32_t i = 0; i < span->child_count; i++) {
    struct trace_span *child = &w->set->spans[ends[i].index];
    uint64_t to_ns = ends[i].end_ns < cursor_ns ? ends[i].end_ns : cursor_ns;
    uint64_t from_ns = child->start_ns > span->start_ns ? child->start_ns : span->start_ns;
    child->charged_ns = to_ns > from_ns ? to_ns - from_ns : 0;
    if (child->charged_ns > 0) cursor_ns = from_ns;
  }
}

static uint32_t last_root(const struct trace_set *set, const struct trace *trace) {
  const struct trace_span *last = trace_root(set, trace, 0);
  for (uint32_t i = 1; i < trace->root_count; i++)
    if (trace_root(set, trace, i)->end_ns > last->end_ns) last = trace_root(set, trace, i);
  return (uint32_t)(last - set->spans);
}

enum hoist_status trace_find_critical(struct trace_set *set, struct hoist_error *err) {
  if (set->count == 0) return HOIST_OK;
  HOIST_AUTO(mem) struct by_end *ends = malloc(set->count * sizeof *ends);
  HOIST_AUTO(mem) struct step *steps = malloc(set->count * sizeof *steps);
  if (!ends || !steps) return hoist_fail_memory(err, "the critical path of a trace");
  struct walk w = {.set = set, .ends = ends, .steps = steps};
  for (size_t i = 0; i < set->count; i++)
    set->spans[i].critical = false;
  for (size_t i = 0; i < set->count; i++)
    charge_children(&w, &set->spans[i]);
  for (size_t i = 0; i < set->trace_count; i++) {
    uint32_t root = last_root(set, &set->traces[i]);
    push(&w, root, set->spans[root].end_ns);
    while (w.step_count > 0) {
      struct step step = w.steps[--w.step_count];
      push_children(&w, &step);
    }
  }
  return HOIST_OK;
}
