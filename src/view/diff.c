/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs two trees, level by level. Sorting only, so hostile files cannot make it slow; every level
 * of the recursion adds a row first, so DIFF_MAX_ROWS bounds its depth. One thread at a time. */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

/* One sibling of one side. */
struct item {
  const struct trace_span *span;
  const char *subject;
  uint32_t place;
};

struct list {
  struct item *items;
  size_t count;
  uint64_t parent_start_ns;
};

struct pair {
  const struct trace_span *a, *b;
  uint64_t at_ns; /* after the parent began: in A, or in B where it is only there */
  size_t place;
};

struct pairs {
  struct pair *items;
  size_t count;
};

struct builder {
  const struct trace_set *a, *b;
  struct diff *diff;
  struct hoist_error *err;
};

void diff_done(struct diff *diff) {
  free(diff->rows);
  *diff = (struct diff){0};
}

const char *diff_subject(const struct trace_span *span) {
  static const char *const keys[] = {"artifact.filename", "roboflow_api.function",
                                     "model.artifacts.source", "model.id"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *text = trace_attr_string(span, keys[i]);
    if (text && *text) return text;
  }
  return "";
}

/* ---- pairing siblings ------------------------------------------------------------------------ */

static int compare_keys(const struct item *x, const struct item *y) {
  int order = strcmp(x->span->name, y->span->name);
  return order ? order : strcmp(x->subject, y->subject);
}

static int compare_items(const void *a, const void *b) {
  const struct item *x = a, *y = b;
  int order = compare_keys(x, y);
  return order ? order : (x->place > y->place) - (x->place < y->place);
}

static uint64_t offset(const struct list *list, const struct trace_span *span) {
  return span->start_ns > list->parent_start_ns ? span->start_ns - list->parent_start_ns : 0;
}

static void add_pair(struct pairs *pairs, const struct list *a, const struct list *b,
                     const struct trace_span *in_a, const struct trace_span *in_b) {
  pairs->items[pairs->count] = (struct pair){.a = in_a,
                                             .b = in_b,
                                             .at_ns = in_a ? offset(a, in_a) : offset(b, in_b),
                                             .place = pairs->count};
  pairs->count++;
}

/* Pairs equal keys in their order, and leaves in the lists what has no partner. */
static void pair_equal(struct list *a, struct list *b, struct pairs *pairs) {
  size_t i = 0, k = 0, left_a = 0, left_b = 0;
  qsort(a->items, a->count, sizeof *a->items, compare_items);
  qsort(b->items, b->count, sizeof *b->items, compare_items);
  while (i < a->count && k < b->count) {
    int order = compare_keys(&a->items[i], &b->items[k]);
    if (order == 0)
      add_pair(pairs, a, b, a->items[i++].span, b->items[k++].span);
    else if (order < 0)
      a->items[left_a++] = a->items[i++];
    else
      b->items[left_b++] = b->items[k++];
  }
  while (i < a->count)
    a->items[left_a++] = a->items[i++];
  while (k < b->count)
    b->items[left_b++] = b->items[k++];
  a->count = left_a;
  b->count = left_b;
}

/* Another source or model may take the place of the first one; another file is another file. */
static void forget_subjects(struct list *list) {
  for (size_t i = 0; i < list->count; i++)
    if (!trace_attr_string(list->items[i].span, "artifact.filename")) list->items[i].subject = "";
}

static int compare_pairs(const void *a, const void *b) {
  const struct pair *x = a, *y = b;
  if (x->at_ns != y->at_ns) return x->at_ns < y->at_ns ? -1 : 1;
  return (x->place > y->place) - (x->place < y->place);
}

static void pair_up(struct list *a, struct list *b, struct pairs *pairs) {
  pair_equal(a, b, pairs);
  forget_subjects(a);
  forget_subjects(b);
  pair_equal(a, b, pairs);
  for (size_t i = 0; i < a->count; i++)
    add_pair(pairs, a, b, a->items[i].span, NULL);
  for (size_t i = 0; i < b->count; i++)
    add_pair(pairs, a, b, NULL, b->items[i].span);
  qsort(pairs->items, pairs->count, sizeof *pairs->items, compare_pairs);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static struct diff_row row_of(const struct pair *pair) {
  return (struct diff_row){.a = pair->a,
                           .b = pair->b,
                           .a_ns = pair->a ? trace_duration(pair->a) : 0,
                           .b_ns = pair->b ? trace_duration(pair->b) : 0};
}

static uint64_t size_of(const struct pair *pair) {
  struct diff_row row = row_of(pair);
  return row.a_ns > row.b_ns ? row.a_ns - row.b_ns : row.b_ns - row.a_ns;
}

static enum hoist_status add_row(struct builder *b, struct diff_row row) {
  struct diff *diff = b->diff;
  if (diff->count == diff->capacity) {
    size_t capacity = diff->capacity ? diff->capacity * 2 : 32;
    struct diff_row *rows = realloc(diff->rows, capacity * sizeof *rows);
    if (!rows) return hoist_fail_memory(b->err, "the rows of a comparison");
    diff->rows = rows;
    diff->capacity = capacity;
  }
  diff->rows[diff->count++] = row;
  return HOIST_OK;
}

/* The least difference that a pair is shown by itself for, so that about `most` are. */
static uint64_t least_shown(const struct pairs *pairs) {
  uint64_t largest[DIFF_KEPT_SIBLINGS] = {0};
  if (pairs->count <= DIFF_MAX_SIBLINGS) return 0;
  for (size_t i = 0; i < pairs->count; i++) {
    uint64_t size = size_of(&pairs->items[i]);
    for (size_t k = 0; k < DIFF_KEPT_SIBLINGS; k++)
      if (size > largest[k]) {
        uint64_t smaller = largest[k];
        largest[k] = size;
        size = smaller;
      }
  }
  return largest[DIFF_KEPT_SIBLINGS - 1];
}

static enum hoist_status add_children(struct builder *b, const struct diff_row *parent);

static enum hoist_status add_pairs(struct builder *b, const struct pairs *pairs, uint32_t depth,
                                   uint64_t parents_last) {
  uint64_t least = least_shown(pairs);
  bool sums = pairs->count > DIFF_MAX_SIBLINGS;
  size_t room = sums ? DIFF_KEPT_SIBLINGS : pairs->count;
  struct diff_row rest = {.depth = depth, .last = parents_last << 1 | 1};
  for (size_t i = 0; i < pairs->count && b->diff->count < DIFF_MAX_ROWS; i++) {
    struct diff_row row = row_of(&pairs->items[i]);
    row.depth = depth;
    row.last = parents_last << 1 | (!sums && i + 1 == pairs->count);
    if (size_of(&pairs->items[i]) < least || room == 0) {
      rest.more++;
      rest.a_ns += row.a_ns;
      rest.b_ns += row.b_ns;
      continue;
    }
    room--;
    enum hoist_status status = add_row(b, row);
    if (status == HOIST_OK) status = add_children(b, &row);
    if (status != HOIST_OK) return status;
  }
  return rest.more > 0 ? add_row(b, rest) : HOIST_OK;
}

static enum hoist_status add_lists(struct builder *b, struct list *in_a, struct list *in_b,
                                   uint32_t depth, uint64_t parents_last) {
  size_t most = in_a->count + in_b->count;
  if (most == 0) return HOIST_OK;
  HOIST_AUTO(mem) struct pair *items = malloc(most * sizeof *items);
  if (!items) return hoist_fail_memory(b->err, "the pairs of a comparison");
  struct pairs pairs = {.items = items};
  pair_up(in_a, in_b, &pairs);
  return add_pairs(b, &pairs, depth, parents_last);
}

static void add_item(struct list *list, const struct trace_span *span) {
  list->items[list->count] =
      (struct item){.span = span, .subject = diff_subject(span), .place = (uint32_t)list->count};
  list->count++;
}

static void list_children(const struct trace_set *set, const struct trace_span *parent,
                          struct list *list) {
  list->parent_start_ns = parent->start_ns;
  for (uint32_t i = 0; i < parent->child_count; i++)
    add_item(list, trace_child(set, parent, i));
}

/* What only one side has is one row: there is nothing to compare inside. */
static enum hoist_status add_children(struct builder *b, const struct diff_row *parent) {
  if (!parent->a || !parent->b) return HOIST_OK;
  HOIST_AUTO(mem) struct item *a = malloc((parent->a->child_count + 1u) * sizeof *a);
  HOIST_AUTO(mem) struct item *c = malloc((parent->b->child_count + 1u) * sizeof *c);
  if (!a || !c) return hoist_fail_memory(b->err, "the spans of a comparison");
  struct list in_a = {.items = a}, in_b = {.items = c};
  list_children(b->a, parent->a, &in_a);
  list_children(b->b, parent->b, &in_b);
  return add_lists(b, &in_a, &in_b, parent->depth + 1, parent->last);
}

/* Offsets of roots are from the beginning of the first one. */
static uint64_t list_roots(const struct trace_set *set, struct list *list) {
  uint64_t sum_ns = 0;
  if (set->trace_count > 0) list->parent_start_ns = set->traces[0].start_ns;
  for (size_t i = 0; i < set->trace_count; i++)
    for (uint32_t k = 0; k < set->traces[i].root_count; k++) {
      const struct trace_span *root = trace_root(set, &set->traces[i], k);
      add_item(list, root);
      sum_ns += trace_duration(root);
    }
  return sum_ns;
}

bool diff_is_same(const struct diff *diff, int64_t differs_ns) {
  uint64_t longer = diff->a_ns > diff->b_ns ? diff->a_ns : diff->b_ns;
  uint64_t size = (uint64_t)(differs_ns < 0 ? -differs_ns : differs_ns);
  return size <= longer / 100;
}

/* Of the rows at `depth` from `first` on, up to one that is less deep, the one that differs most in
 * the direction of `sign`. */
static const struct diff_row *find_largest(const struct diff *diff, size_t first, uint32_t depth,
                                           int64_t sign) {
  const struct diff_row *largest = NULL;
  for (size_t i = first; i < diff->count && diff->rows[i].depth >= depth; i++) {
    const struct diff_row *row = &diff->rows[i];
    if (row->depth != depth || row->more > 0) continue;
    if (!largest || diff_of(row) * sign > diff_of(largest) * sign) largest = row;
  }
  return largest;
}

/* From the top, as long as one part explains at least half of what differs. */
static const struct diff_row *find_culprit(const struct diff *diff) {
  int64_t differs = diff_between(diff->a_ns, diff->b_ns), sign = differs < 0 ? -1 : 1;
  const struct diff_row *culprit = NULL;
  if (diff_is_same(diff, differs)) return NULL;
  for (uint32_t depth = 0;; depth++) {
    size_t first = culprit ? (size_t)(culprit - diff->rows) + 1 : 0;
    const struct diff_row *part = find_largest(diff, first, depth, sign);
    if (!part || diff_of(part) * sign < differs * sign / 2) return culprit;
    culprit = part;
    differs = diff_of(part);
  }
}

enum hoist_status diff_build(const struct trace_set *a, const struct trace_set *b,
                             struct diff *ret_diff, struct hoist_error *err) {
  HOIST_AUTO(diff) struct diff diff = {0};
  HOIST_AUTO(mem) struct item *items_a = malloc((a->count + 1) * sizeof *items_a);
  HOIST_AUTO(mem) struct item *items_b = malloc((b->count + 1) * sizeof *items_b);
  if (!items_a || !items_b) return hoist_fail_memory(err, "the spans of a comparison");
  struct builder builder = {.a = a, .b = b, .diff = &diff, .err = err};
  struct list in_a = {.items = items_a}, in_b = {.items = items_b};
  diff.a_ns = list_roots(a, &in_a);
  diff.b_ns = list_roots(b, &in_b);
  enum hoist_status status = add_lists(&builder, &in_a, &in_b, 0, 0);
  if (status != HOIST_OK) return status;
  diff.culprit = find_culprit(&diff);
  *ret_diff = diff;
  diff = (struct diff){0};
  return HOIST_OK;
}
