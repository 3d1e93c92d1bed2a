/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing exemplars. The cheap questions come first: is there a span, is it sampled, is the measurement
 * chosen; only then is a clock read. Whoever owns the reservoir locks. */
#include "exemplar.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "context.h"

bool exemplar_wanted(enum hoist_exemplar_filter filter, const struct hoist_span *span,
                     struct exemplar *ret_exemplar) {
  struct hoist_span_context context;
  if (filter == HOIST_EXEMPLARS_OFF || (!span && filter != HOIST_EXEMPLARS_ALL)) return false;
  hoist_span_get_context(span, &context);
  if (filter == HOIST_EXEMPLARS_TRACE_BASED && !(context.flags & CONTEXT_SAMPLED)) return false;
  *ret_exemplar = (struct exemplar){.has_span = context_is_valid(&context)};
  memcpy(ret_exemplar->trace_id, context.trace_id, sizeof context.trace_id);
  memcpy(ret_exemplar->span_id, context.span_id, sizeof context.span_id);
  return true;
}

static size_t places_for(const struct shape *shape) {
  switch (shape->kind) {
  case SHAPE_BUCKETS:
    return shape->bound_count + 1;
  case SHAPE_EXPONENTIAL:
    return EXEMPLARS_EXPONENTIAL;
  case SHAPE_SUM:
  case SHAPE_LAST:
    break;
  }
  return 1;
}

struct reservoir *reservoir_new(const struct shape *shape) {
  size_t size = places_for(shape);
  struct reservoir *r = calloc(1, sizeof *r + size * sizeof r->places[0]);
  if (!r) return NULL;
  r->size = size;
  r->is_aligned = shape->kind == SHAPE_BUCKETS;
  r->random = (uintptr_t)r | 1; /* xorshift must not begin with 0 */
  return r;
}

/* Below `limit`; good enough for a choice among measurements. */
static uint64_t random_below(struct reservoir *r, uint64_t limit) {
  r->random ^= r->random << 13;
  r->random ^= r->random >> 7;
  r->random ^= r->random << 17;
  return r->random % limit;
}

/* The place the measurement takes; `size`: none. */
static size_t choose(struct reservoir *r, const struct shape *shape, double measured) {
  if (r->is_aligned) {
    size_t bucket = value_bucket(shape, measured);
    return random_below(r, ++r->places[bucket].seen) == 0 ? bucket : r->size;
  }
  uint64_t seen = r->places[0].seen++;
  if (seen < r->size) return (size_t)seen;
  uint64_t place = random_below(r, seen + 1);
  return place < r->size ? (size_t)place : r->size;
}

void reservoir_offer(struct reservoir *r, const struct shape *shape, double measured,
                     const struct exemplar *exemplar) {
  size_t place = choose(r, shape, measured);
  if (place == r->size) return;
  struct exemplar *kept = &r->places[place].exemplar;
  *kept = *exemplar;
  kept->value = measured;
  kept->unix_ns = clock_realtime_ns();
}

void reservoir_begin(struct reservoir *r, bool forget) {
  for (size_t i = 0; i < r->size; i++) {
    r->places[i].seen = 0;
    if (forget) r->places[i].exemplar.unix_ns = 0;
  }
}
