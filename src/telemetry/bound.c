/* SPDX-License-Identifier: Apache-2.0 */
/* Bound instruments. A thread with a slot (thread_slot.h) adds to its own cell: no lock, and no write that
 * another thread waits for. A cell has two values. Whoever exports asks, under the lock of the metrics, for
 * a new window; the thread goes over to the other value with its next measurement and never comes back
 * unasked, so what it left is at rest and whole. Where it does not measure, a sequence number tells that a
 * copy of the value it is at is whole. Windows begin at zero: no difference of large totals is ever taken.
 * Threads without a slot lock and use the series itself. A gauge has one value, which is stored where
 * everybody stores it. */
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

/* A writer is inside a cell for nanoseconds, and goes over to the other value with its next measurement; one
 * that lost its processor there is asked again later. */
enum { READ_TRIES = 1000, CACHE_LINE = 64, OFFER_EVERY = 16 };

struct cell {
  uint64_t sequence; /* odd while a value is being written; sums, being one word, have none */
  uint64_t window;   /* the writer's: it is at values[window & 1] */
  uint64_t wanted;   /* the exporter's: the window the writer shall go to, at most one ahead */
  uint64_t reading;  /* the exporter's: the window that `taken` was taken of */
  struct value *values[2]; /* behind the cell, in lines of their own, like the next */
  struct value *taken;     /* the exporter's: what of that window is in the series */
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

static size_t whole_lines(size_t size) {
  return (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static void clear_cell(struct cell *cell, const struct shape *shape) {
  cell->sequence = cell->window = cell->wanted = cell->reading = 0;
  value_clear(cell->values[0], shape);
  value_clear(cell->values[1], shape);
  value_clear(cell->taken, shape);
}

static struct cell *make_cell(struct bound *b, unsigned slot) {
  void *memory;
  size_t head = whole_lines(sizeof(struct cell)), size = whole_lines(value_size(&b->shape));
  if (posix_memalign(&memory, CACHE_LINE, head + 3 * size) != 0) return NULL;
  struct cell *cell = memory;
  char *values = (char *)memory + head;
  cell->values[0] = (struct value *)(void *)values;
  cell->values[1] = (struct value *)(void *)(values + size);
  cell->taken = (struct value *)(void *)(values + 2 * size);
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

static void copy_words(const struct value *from, const struct shape *shape,
                       union any_value *ret_copy) {
  const any_word *words = (const any_word *)(const void *)from;
  any_word *to = (any_word *)(void *)ret_copy;
  for (size_t i = 0; i < value_size(shape) / sizeof(any_word); i++)
    to[i] = __atomic_load_n(&words[i], __ATOMIC_ACQUIRE);
}

/* The value of the window being read: whole where the writer has left it, or did not write meanwhile. */
static bool try_copy(const struct cell *cell, const struct shape *shape,
                     union any_value *ret_copy) {
  const struct value *from = cell->values[cell->reading & 1];
  bool was_left = word_get(&cell->window) != cell->reading;
  uint64_t sequence = word_get(&cell->sequence);
  if (!was_left && sequence & 1) return false;
  copy_words(from, shape, ret_copy);
  return was_left || word_get(&cell->sequence) == sequence;
}

/* Adds to the series what the window being read has gained. False where it could not be caught at rest. */
static bool take(struct cell *cell, struct series *s) {
  const struct shape *shape = &s->metric->shape;
  union any_value copy, since;
  bool is_whole = false;
  for (int i = 0; i < READ_TRIES && !(is_whole = try_copy(cell, shape, &copy)); i++)
    sched_yield();
  if (!is_whole) return false;
  value_copy(&since.value, &copy.value, shape);
  value_subtract(&since.value, cell->taken, shape);
  value_copy(cell->taken, &copy.value, shape);
  value_merge(&s->value, &since.value, shape);
  return true;
}

/* Goes on to the window the writer is at, where it has left the one being read. */
static bool follow(struct cell *cell, struct series *s) {
  uint64_t window = word_get(&cell->window);
  if (window == cell->reading) return false;
  take(cell, s); /* the rest: it is at rest */
  cell->reading = window;
  value_clear(cell->taken, &s->metric->shape);
  return true;
}

static void harvest_cell(struct cell *cell, struct series *s) {
  follow(cell, s);
  /* Seen by the writer before its value is read: a few measurements may still come behind the copy, and
   * are the rest that `follow` takes. */
  __atomic_exchange_n(&cell->wanted, cell->reading + 1, __ATOMIC_SEQ_CST);
  take(cell, s);
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

/* Where very much is measured not every one asks for the lock: the first ones of a window do, and then one
 * in OFFER_EVERY; of each bucket, as those that are rare are the ones worth looking at. */
static bool is_offered(const struct value *v, const struct shape *shape, double measured) {
  if (!v) return true;
  uint64_t count =
      shape->kind == SHAPE_BUCKETS ? v->buckets[value_bucket(shape, measured)] : v->count;
  return count <= OFFER_EVERY || count % OFFER_EVERY == 0;
}

/* An exemplar is not worth waiting for: where somebody else holds the lock there is none. */
static RARE void offer_exemplar(struct bound *b, const struct value *v, double measured) {
  struct metrics *m = &b->recorder->metrics;
  struct exemplar exemplar;
  if (!is_offered(v, &b->shape, measured)) return;
  if (!exemplar_wanted(m->config.exemplar_filter, current_span, &exemplar)) return;
  if (pthread_mutex_trylock(&m->lock) != 0) return;
  if (b->series) series_offer(b->series, measured, &exemplar);
  pthread_mutex_unlock(&m->lock);
}

/* @param v  the thread's own, which has the measurement; NULL: it has none */
static inline void consider_exemplar(struct bound *b, const struct value *v, double measured) {
  if (__builtin_expect(current_span || b->takes_all_exemplars, 0)) offer_exemplar(b, v, measured);
}

static inline bool is_in_range(const struct bound *b, double measured) {
  return measured >= b->least && measured <= DBL_MAX;
}

static __attribute__((noinline)) void begin_window(struct cell *cell, const struct shape *shape) {
  uint64_t wanted = word_get(&cell->wanted);
  value_clear(cell->values[wanted & 1], shape); /* the exporter has done with it */
  word_put(&cell->window, wanted);
}

/* Where the thread measures: in the window that is wanted. */
static inline struct value *value_of(const struct bound *b, struct cell *cell) {
  if (__builtin_expect(word_get(&cell->wanted) != cell->window, 0)) begin_window(cell, &b->shape);
  return cell->values[cell->window & 1];
}

/* They return what has the measurement now. */
static inline const struct value *add_to_sum(const struct bound *b, struct cell *cell,
                                             double measured) {
  struct value *v = value_of(b, cell);
  value_record_sum(v, measured);
  return v;
}

static inline const struct value *add_to_distribution(const struct bound *b, struct cell *cell,
                                                      double measured) {
  struct value *v = value_of(b, cell);
  word_put(&cell->sequence, cell->sequence + 1);
  value_record(v, &b->shape, measured);
  word_put(&cell->sequence, cell->sequence + 1);
  return v;
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
  recorder_settle(b->recorder);
  struct cell *cell = b->shape.kind == SHAPE_LAST ? NULL : cell_of(b);
  const struct value *v = NULL;
  if (!cell)
    add_locked(b, measured);
  else if (b->shape.kind == SHAPE_SUM)
    v = add_to_sum(b, cell, measured);
  else
    v = add_to_distribution(b, cell, measured);
  consider_exemplar(b, v, measured);
}

/* Inlined into both of its callers, with what they add by. */
static inline __attribute__((always_inline)) void record_in_cell(
    struct bound *b, double measured,
    const struct value *(*add)(const struct bound *b, struct cell *cell, double measured)) {
  if (!is_in_range(b, measured)) return;
  struct cell *cell = cell_at_hand(b);
  if (!cell) {
    record_first(b, measured);
    return;
  }
  consider_exemplar(b, add(b, cell, measured), measured);
}

static void record_sum(struct hoist_bound *base, double measured) {
  record_in_cell((struct bound *)base, measured, add_to_sum);
}

static void record_distribution(struct hoist_bound *base, double measured) {
  record_in_cell((struct bound *)base, measured, add_to_distribution);
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
  consider_exemplar(b, NULL, measured);
}

/* ---- binding ------------------------------------------------------------------------------------- */

static struct bound *make_bound(struct recorder *r, struct series *s) {
  struct bound *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->shape = s->metric->shape;
  b->base.record = b->shape.kind == SHAPE_SUM    ? record_sum
                   : b->shape.kind == SHAPE_LAST ? record_last
                                                 : record_distribution;
  b->recorder = r;
  b->takes_all_exemplars = r->config.metrics.exemplar_filter == HOIST_EXEMPLARS_ALL;
  b->least = s->metric->instrument->kind == HOIST_COUNTER ? 0 : -DBL_MAX;
  b->series = s;
  series_key_of(s, &b->key);
  return b;
}

struct hoist_bound *bound_get(struct recorder *r, unsigned scope,
                              const struct hoist_instrument *instrument,
                              const struct hoist_attr *attrs, size_t attr_count) {
  struct metrics *m = &r->metrics;
  struct series_key key;
  series_key_make(m, &key, scope, instrument, attrs, attr_count);
  pthread_mutex_lock(&m->lock);
  struct series *s = series_get(m, &key);
  struct bound *b = s ? s->bound : NULL;
  if (s && !b && (b = make_bound(r, s))) {
    s->bound = b;
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
    if (b->series && !b->series->bound) b->series->bound = b;
    for (unsigned slot = 0; slot < THREAD_SLOTS; slot++) {
      struct cell *cell = atomic_load(&b->cells[slot]);
      if (cell) clear_cell(cell, &b->shape);
    }
  }
}
