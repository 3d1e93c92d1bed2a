/* SPDX-License-Identifier: Apache-2.0 */
/* Bound instruments. A thread with a slot (thread_slot.h) adds to its own cell: no lock, and no write that
 * another thread waits for. Whoever exports copies the cells under the lock of the metrics, a sequence
 * number telling whether a copy is whole, and adds to the series what came since the copy before; cells
 * only grow, so nothing is ever taken from under a writer. Threads without a slot lock and use the series
 * itself. A gauge has one value, which is stored where everybody stores it. */
#include "bound.h"

#include <float.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "current.h"
#include "series.h"
#include "shared_word.h"
#include "thread_slot.h"

/* A writer is inside a cell for nanoseconds; one that lost its processor there is asked again later. */
enum { READ_TRIES = 1000, CACHE_LINE = 64 };

struct cell {
  uint64_t sequence;   /* odd while the value is being written; sums, being one word, have none */
  uint64_t harvests;   /* the exporter's: how often it was here */
  uint64_t window;     /* the writer's: `harvests` when it began its minimum and maximum */
  struct value *taken; /* the exporter's: the value when it was last here */
  struct value value;
};

struct bound {
  struct hoist_bound base;
  struct recorder *recorder;
  double least;             /* no measurement below it counts */
  bool takes_all_exemplars; /* also those outside of spans */
  struct shape shape;
  struct series *series; /* NULL: no memory for one after a fork */
  struct bound *next;
  struct series_key key;
  _Atomic(struct cell *) cells[THREAD_SLOTS];
};

/* ---- cells --------------------------------------------------------------------------------------- */

static size_t cell_size(const struct shape *shape) {
  size_t size = offsetof(struct cell, value) + value_size(shape);
  return (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static void clear_cell(struct cell *cell, const struct shape *shape) {
  cell->sequence = cell->harvests = cell->window = 0;
  value_clear(&cell->value, shape);
  value_clear(cell->taken, shape);
}

/* The copy of the exporter's stands behind the cell, in lines that no writer touches. */
static struct cell *make_cell(struct bound *b, unsigned slot) {
  void *memory;
  size_t size = cell_size(&b->shape);
  if (posix_memalign(&memory, CACHE_LINE, size + value_size(&b->shape)) != 0) return NULL;
  struct cell *cell = memory;
  cell->taken = (struct value *)(void *)((char *)memory + size);
  clear_cell(cell, &b->shape);
  atomic_store_explicit(&b->cells[slot], cell, memory_order_release);
  return cell;
}

/* The calling thread's, where it has one already and nobody forked. */
static inline struct cell *cell_at_hand(struct bound *b) {
  const struct recorder *r = b->recorder;
  unsigned slot = thread_own.slot_plus_one - 1;
  if (slot >= THREAD_SLOTS ||
      atomic_load_explicit(&r->generation, memory_order_acquire) != fork_generation())
    return NULL;
  return atomic_load_explicit(&b->cells[slot], memory_order_relaxed);
}

/* The calling thread's; NULL: it has none. */
static struct cell *cell_of(struct bound *b) {
  unsigned slot = thread_slot();
  if (slot == THREAD_SLOT_SHARED) return NULL;
  struct cell *cell = atomic_load_explicit(&b->cells[slot], memory_order_relaxed);
  return cell ? cell : make_cell(b, slot);
}

typedef uint64_t __attribute__((may_alias)) any_word;

/* False where the cell could not be caught at rest. */
static bool copy_cell(const struct cell *cell, const struct shape *shape,
                      union any_value *ret_copy) {
  const any_word *from = (const any_word *)(const void *)&cell->value;
  any_word *to = (any_word *)(void *)ret_copy;
  size_t words = value_size(shape) / sizeof(any_word);
  for (int i = 0; i < READ_TRIES; i++) {
    uint64_t sequence = word_get(&cell->sequence);
    if (sequence & 1) {
      sched_yield();
      continue;
    }
    for (size_t j = 0; j < words; j++)
      to[j] = __atomic_load_n(&from[j], __ATOMIC_ACQUIRE);
    if (word_get(&cell->sequence) == sequence) return true;
  }
  return false;
}

static void harvest_cell(struct cell *cell, struct series *s) {
  const struct shape *shape = &s->metric->shape;
  union any_value copy, since;
  if (!copy_cell(cell, shape, &copy)) return;
  value_copy(&since.value, &copy.value, shape);
  value_subtract(&since.value, cell->taken, shape);
  value_copy(cell->taken, &copy.value, shape);
  value_merge(&s->value, &since.value, shape);
  word_put(&cell->harvests, cell->harvests + 1);
}

void metrics_harvest(struct metrics *m) {
  for (struct bound *b = m->bounds; b; b = b->next)
    for (unsigned slot = 0; b->series && slot < THREAD_SLOTS; slot++) {
      struct cell *cell = atomic_load_explicit(&b->cells[slot], memory_order_acquire);
      if (cell) harvest_cell(cell, b->series);
    }
}

/* ---- measuring ----------------------------------------------------------------------------------- */

#define RARE __attribute__((noinline, cold))

/* An exemplar is not worth waiting for: where somebody else holds the lock there is none. */
static RARE void offer_exemplar(struct bound *b, const struct hoist_span *span, double measured) {
  struct metrics *m = &b->recorder->metrics;
  struct exemplar exemplar;
  if (!exemplar_wanted(m->config.exemplar_filter, span, &exemplar)) return;
  if (pthread_mutex_trylock(&m->lock) != 0) return;
  if (b->series) series_offer(b->series, measured, &exemplar);
  pthread_mutex_unlock(&m->lock);
}

static inline void consider_exemplar(struct bound *b, double measured) {
  if (__builtin_expect(current_span || b->takes_all_exemplars, 0))
    offer_exemplar(b, current_span, measured);
}

static inline bool is_in_range(const struct bound *b, double measured) {
  return measured >= b->least && measured <= DBL_MAX;
}

static void add_to_sum(const struct bound *b, struct cell *cell, double measured) {
  value_record_sum(&cell->value, measured);
}

static void add_to_distribution(const struct bound *b, struct cell *cell, double measured) {
  word_put(&cell->sequence, cell->sequence + 1);
  uint64_t harvests = word_get(&cell->harvests);
  if (cell->window != harvests) {
    cell->window = harvests;
    word_put_double(&cell->value.min, INFINITY);
    word_put_double(&cell->value.max, -INFINITY);
  }
  value_record(&cell->value, &b->shape, measured);
  word_put(&cell->sequence, cell->sequence + 1);
}

static void add_locked(struct bound *b, double measured) {
  struct metrics *m = &b->recorder->metrics;
  pthread_mutex_lock(&m->lock);
  if (b->series)
    value_record(&b->series->value, &b->shape, measured);
  else
    m->lost++;
  pthread_mutex_unlock(&m->lock);
}

/* A thread's first measurement, one after a fork, and those of threads without a slot. */
static RARE void record_first(struct bound *b, double measured) {
  if (!recorder_is_ours(b->recorder)) return;
  struct cell *cell = b->shape.kind == SHAPE_LAST ? NULL : cell_of(b);
  if (!cell)
    add_locked(b, measured);
  else if (b->shape.kind == SHAPE_SUM)
    add_to_sum(b, cell, measured);
  else
    add_to_distribution(b, cell, measured);
  consider_exemplar(b, measured);
}

static void record_sum(struct hoist_bound *base, double measured) {
  struct bound *b = (struct bound *)base;
  if (!is_in_range(b, measured)) return;
  struct cell *cell = cell_at_hand(b);
  if (!cell) {
    record_first(b, measured);
    return;
  }
  add_to_sum(b, cell, measured);
  consider_exemplar(b, measured);
}

static void record_distribution(struct hoist_bound *base, double measured) {
  struct bound *b = (struct bound *)base;
  if (!is_in_range(b, measured)) return;
  struct cell *cell = cell_at_hand(b);
  if (!cell) {
    record_first(b, measured);
    return;
  }
  add_to_distribution(b, cell, measured);
  consider_exemplar(b, measured);
}

static void record_last(struct hoist_bound *base, double measured) {
  struct bound *b = (struct bound *)base;
  if (!is_in_range(b, measured)) return;
  if (atomic_load_explicit(&b->recorder->generation, memory_order_acquire) != fork_generation() ||
      !b->series) {
    record_first(b, measured);
    return;
  }
  value_record_last(&b->series->value, measured);
  consider_exemplar(b, measured);
}

/* ---- binding ------------------------------------------------------------------------------------- */

static bool has_key(const struct bound *b, const struct series_key *key) {
  return b->key.hash == key->hash && b->key.instrument == key->instrument &&
         b->key.scope == key->scope && b->key.attr_size == key->attr_size &&
         memcmp(b->key.attrs, key->attrs, key->attr_size) == 0;
}

static struct bound *make_bound(struct recorder *r, const struct series_key *key,
                                struct series *s) {
  struct bound *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->shape = s->metric->shape;
  b->base.record = b->shape.kind == SHAPE_SUM    ? record_sum
                   : b->shape.kind == SHAPE_LAST ? record_last
                                                 : record_distribution;
  b->recorder = r;
  b->takes_all_exemplars = r->config.metrics.exemplar_filter == HOIST_EXEMPLARS_ALL;
  b->least = key->instrument->kind == HOIST_COUNTER ? 0 : -DBL_MAX;
  b->series = s;
  b->key = *key;
  return b;
}

struct hoist_bound *bound_get(struct recorder *r, unsigned scope,
                              const struct hoist_instrument *instrument,
                              const struct hoist_attr *attrs, size_t attr_count) {
  struct metrics *m = &r->metrics;
  struct series_key key;
  series_key_make(m, &key, scope, instrument, attrs, attr_count);
  pthread_mutex_lock(&m->lock);
  struct bound *b = m->bounds;
  while (b && !has_key(b, &key))
    b = b->next;
  struct series *s = b ? NULL : series_get(m, &key);
  if (s) b = make_bound(r, &key, s);
  if (b && s) {
    b->next = m->bounds;
    __atomic_store_n(&m->bounds, b, __ATOMIC_RELEASE); /* a fork at any moment sees a whole list */
  }
  if (!b) m->lost++;
  pthread_mutex_unlock(&m->lock);
  return b ? &b->base : NULL;
}

void bounds_free(struct bound *first) {
  for (struct bound *b = first, *next; b; b = next) {
    next = b->next;
    for (unsigned slot = 0; slot < THREAD_SLOTS; slot++)
      free(atomic_load(&b->cells[slot]));
    free(b);
  }
}

/* The cells hold no pointers but to themselves, so whatever state a thread of the parent left one in, it
 * can be begun anew. */
void bounds_reset_after_fork(struct metrics *m) {
  for (struct bound *b = m->bounds; b; b = b->next) {
    b->series = series_get(m, &b->key);
    for (unsigned slot = 0; slot < THREAD_SLOTS; slot++) {
      struct cell *cell = atomic_load(&b->cells[slot]);
      if (cell) clear_cell(cell, &b->shape);
    }
  }
}
