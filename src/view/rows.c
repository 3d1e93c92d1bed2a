/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the lines of one trace. Every level of the recursion adds a line first, so ROWS_MAX bounds
 * its depth too. Owned by the caller; one thread at a time. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

struct builder {
  const struct trace_set *set;
  struct rows *rows;
  struct hoist_error *err;
};

/* Siblings, which are the children of a span or the roots of a trace. */
struct siblings {
  const uint32_t *order;
  uint32_t count;
  uint32_t depth;
  uint64_t parents_last;
  enum phase_kind phase;
};

void rows_done(struct rows *rows) {
  free(rows->items);
  *rows = (struct rows){0};
}

static bool is_full(const struct rows *rows) {
  return rows->count >= ROWS_MAX;
}

static enum hoist_status add(struct builder *b, struct row row) {
  struct rows *rows = b->rows;
  if (rows->count == rows->capacity) {
    size_t capacity = rows->capacity ? rows->capacity * 2 : 32;
    struct row *items = realloc(rows->items, capacity * sizeof *items);
    if (!items) return hoist_fail_memory(b->err, "the lines of a waterfall");
    rows->items = items;
    rows->capacity = capacity;
  }
  rows->items[rows->count++] = row;
  rows->spans += row.kind == ROW_SPAN;
  return HOIST_OK;
}

static uint64_t self_time(const struct trace_set *set, const struct trace_span *span) {
  uint64_t covered_to = span->start_ns, self = 0;
  for (uint32_t i = 0; i < span->child_count; i++) {
    const struct trace_span *child = trace_child(set, span, i);
    if (child->start_ns > span->end_ns) break;
    if (child->start_ns > covered_to) self += child->start_ns - covered_to;
    if (child->end_ns > covered_to) covered_to = child->end_ns;
  }
  return span->end_ns > covered_to ? self + (span->end_ns - covered_to) : self;
}

static bool is_shown(const struct trace_span *span) {
  return span->shown != TRACE_HIDDEN;
}

static bool has_failed_child(const struct trace_set *set, const struct trace_span *span) {
  for (uint32_t i = 0; i < span->child_count; i++)
    if (trace_child(set, span, i)->failed && is_shown(trace_child(set, span, i))) return true;
  return false;
}

static uint32_t count_shown(const struct trace_set *set, const struct siblings *s) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < s->count; i++)
    count += is_shown(&set->spans[s->order[i]]);
  return count;
}

/* ---- many alike ------------------------------------------------------------------------------ */

static bool matters_more(const struct trace_span *a, const struct trace_span *b) {
  if (a->failed != b->failed) return a->failed;
  return trace_duration(a) > trace_duration(b);
}

/* Positions of the siblings to keep, ascending. */
struct kept {
  uint32_t positions[ROWS_MAX_SIBLINGS];
  uint32_t count;
};

static int compare_positions(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void choose(const struct builder *b, const struct siblings *s, uint32_t shown,
                   struct kept *kept) {
  const struct trace_span *spans = b->set->spans;
  uint32_t most = shown <= ROWS_MAX_SIBLINGS ? shown : ROWS_KEPT_SIBLINGS;
  kept->count = 0;
  for (uint32_t i = 0; i < s->count; i++) {
    uint32_t at = kept->count;
    if (!is_shown(&spans[s->order[i]])) continue;
    while (at > 0 && matters_more(&spans[s->order[i]], &spans[s->order[kept->positions[at - 1]]]))
      at--;
    if (at == most) continue;
    if (kept->count < most) kept->count++;
    memmove(&kept->positions[at + 1], &kept->positions[at],
            (kept->count - 1 - at) * sizeof kept->positions[0]);
    kept->positions[at] = i;
  }
  qsort(kept->positions, kept->count, sizeof kept->positions[0], compare_positions);
}

static enum hoist_status add_hidden(struct builder *b, const struct siblings *s,
                                    const struct kept *kept) {
  struct row row = {.kind = ROW_HIDDEN,
                    .depth = s->depth,
                    .last = s->parents_last << 1 | 1,
                    .phase = s->phase,
                    .from_ns = UINT64_MAX};
  for (uint32_t i = 0, k = 0; i < s->count; i++) {
    const struct trace_span *span = &b->set->spans[s->order[i]];
    if (k < kept->count && kept->positions[k] == i) {
      k++;
      continue;
    }
    if (!is_shown(span)) continue;
    row.hidden++;
    row.hidden_ns += trace_duration(span);
    row.from_ns = span->start_ns < row.from_ns ? span->start_ns : row.from_ns;
    row.to_ns = span->end_ns > row.to_ns ? span->end_ns : row.to_ns;
  }
  return add(b, row);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static enum hoist_status add_siblings(struct builder *b, const struct siblings *s);

static enum hoist_status add_span(struct builder *b, const struct trace_span *span,
                                  const struct siblings *s, bool last) {
  enum phase_kind own = phase_of(span);
  struct row row = {.kind = ROW_SPAN,
                    .span = span,
                    .depth = s->depth,
                    .last = s->parents_last << 1 | last,
                    .phase = own != PHASE_SPAN || s->phase == PHASE_NONE ? own : s->phase};
  const struct siblings children = {.order = b->set->order + span->first_child,
                                    .count = span->child_count,
                                    .depth = s->depth + 1,
                                    .parents_last = row.last,
                                    .phase = row.phase};
  row.has_children = count_shown(b->set, &children) > 0;
  if (span->child_count > 0) row.self_ns = self_time(b->set, span);
  enum hoist_status status = add(b, row);
  if (status != HOIST_OK) return status;
  if (span->failed && *span->message && !has_failed_child(b->set, span)) {
    struct row message = row;
    message.kind = ROW_MESSAGE;
    status = add(b, message);
    if (status != HOIST_OK) return status;
  }
  return add_siblings(b, &children);
}

static enum hoist_status add_siblings(struct builder *b, const struct siblings *s) {
  struct kept kept;
  uint32_t shown = count_shown(b->set, s);
  choose(b, s, shown, &kept);
  bool hides = kept.count < shown;
  for (uint32_t i = 0; i < kept.count && !is_full(b->rows); i++) {
    const struct trace_span *span = &b->set->spans[s->order[kept.positions[i]]];
    enum hoist_status status = add_span(b, span, s, i + 1 == kept.count && !hides);
    if (status != HOIST_OK) return status;
  }
  return hides && !is_full(b->rows) ? add_hidden(b, s, &kept) : HOIST_OK;
}

enum hoist_status rows_build(const struct trace_set *set, const struct trace *trace,
                             struct rows *ret_rows, struct hoist_error *err) {
  struct builder b = {.set = set, .rows = ret_rows, .err = err};
  const struct siblings roots = {
      .order = set->order + trace->first_root, .count = trace->root_count, .phase = PHASE_NONE};
  return add_siblings(&b, &roots);
}
