/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of encoded spans. Owns one block of memory cut into chunks, which are free, full, being
 * filled by one writer, or borrowed by one span. The reader looks at chunks that are still being filled:
 * a writer only ever adds behind `size`, and only the reader frees chunks, so what it looks at stays.
 * Locks are held for a few dozen nanoseconds, never across I/O. */
#include "queue.h"

#include <stdlib.h>

enum { CHUNK_BYTES_MAX = 64 << 10, CHUNK_BYTES_MIN = 4096, CACHE_LINE = 64 };
/* Into how many chunks the queue is cut where they are neither largest nor smallest, and the part of
 * them that writers may hold. */
enum { CHUNKS = 256, WRITERS_SHARE = 4 };
_Static_assert(sizeof(struct chunk) + QUEUE_FRAME_MAX <= CHUNK_BYTES_MIN, "a frame fits a chunk");

static struct chunk *chunk_at(const struct queue *q, size_t index) {
  return (struct chunk *)((char *)q->memory + index * q->chunk_bytes);
}

static struct queue_writer *shared_writer(struct queue *q) {
  return &q->writers[q->own_writers];
}

static void push_free(struct queue *q, struct chunk *chunk) {
  chunk->taken = 0;
  atomic_store_explicit(&chunk->size, 0, memory_order_relaxed);
  chunk->next = q->free;
  q->free = chunk;
  atomic_fetch_add_explicit(&q->free_count, 1, memory_order_relaxed);
}

static struct chunk *pop_free(struct queue *q) {
  struct chunk *chunk = q->free;
  if (!chunk) return NULL;
  q->free = chunk->next;
  atomic_fetch_sub_explicit(&q->free_count, 1, memory_order_relaxed);
  return chunk;
}

static uint32_t unread(const struct chunk *chunk) {
  return atomic_load_explicit(&chunk->size, memory_order_acquire) - chunk->taken;
}

static void push_full(struct queue *q, struct chunk *chunk) {
  chunk->next = NULL;
  *q->full_end = chunk;
  q->full_end = &chunk->next;
  q->full_count++;
  q->full_bytes += unread(chunk);
}

static struct chunk *pop_full(struct queue *q) {
  struct chunk *chunk = q->full;
  if (!chunk) return NULL;
  q->full = chunk->next;
  if (!q->full) q->full_end = &q->full;
  q->full_count--;
  q->full_bytes -= unread(chunk);
  return chunk;
}

/* Puts every chunk on the free list and makes the locks new. */
static void reset(struct queue *q) {
  pthread_mutex_init(&q->lock, NULL);
  pthread_mutex_init(&q->shared_lock, NULL);
  atomic_store(&q->is_pressed, false);
  q->free = q->full = NULL;
  q->full_end = &q->full;
  q->full_count = q->full_bytes = 0;
  atomic_store(&q->free_count, 0);
  for (size_t i = q->chunk_count; i > 0; i--)
    push_free(q, chunk_at(q, i - 1));
  for (size_t i = 0; i <= q->own_writers; i++)
    q->writers[i] = (struct queue_writer){0};
}

static size_t clamp(uint64_t value, uint64_t low, uint64_t high) {
  return (size_t)(value < low ? low : value > high ? high : value);
}

enum hoist_status queue_init(struct queue *q, uint64_t bytes, void (*on_pressure)(void *user),
                             void *user, struct hoist_error *err) {
  size_t size = clamp(bytes, QUEUE_BYTES_MIN, QUEUE_BYTES_MAX);
  size_t chunk_bytes =
      clamp(size / CHUNKS & ~(size_t)(CHUNK_BYTES_MIN - 1), CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
  size_t chunk_count = size / chunk_bytes;
  size_t own_writers = clamp(chunk_count / WRITERS_SHARE, 1, THREAD_SLOTS);
  void *writers, *memory;
  if (posix_memalign(&writers, CACHE_LINE, (own_writers + 1) * sizeof(struct queue_writer)) != 0)
    return hoist_fail_memory(err, "the span queue");
  if (posix_memalign(&memory, CACHE_LINE, chunk_count * chunk_bytes) != 0) {
    free(writers);
    return hoist_fail_memory(err, "the span queue");
  }
  *q = (struct queue){.memory = memory,
                      .chunk_bytes = chunk_bytes,
                      .room = chunk_bytes - sizeof(struct chunk),
                      .chunk_count = chunk_count,
                      .writers = writers,
                      .own_writers = own_writers,
                      .on_pressure = on_pressure,
                      .user = user};
  reset(q);
  return HOIST_OK;
}

void queue_done(struct queue *q) {
  if (!q->memory) return;
  pthread_mutex_destroy(&q->shared_lock);
  pthread_mutex_destroy(&q->lock);
  free(q->writers);
  free(q->memory);
  *q = (struct queue){0};
}

void queue_reset_after_fork(struct queue *q) {
  reset(q);
}

/* ---- writing ------------------------------------------------------------------------------------- */

/* To be called with `lock` not held. */
static void press(struct queue *q) {
  if (!atomic_exchange_explicit(&q->is_pressed, true, memory_order_relaxed) && q->on_pressure)
    q->on_pressure(q->user);
}

static bool is_half_full(const struct queue *q) {
  return 2 * atomic_load_explicit(&q->free_count, memory_order_relaxed) <= q->chunk_count;
}

/* Replaces the writer's full chunk by an empty one. False when there is none. */
static bool turn_over(struct queue *q, struct queue_writer *w) {
  /* A queue that stays full is told so without its lock. */
  struct chunk *fresh = NULL;
  if (atomic_load_explicit(&q->free_count, memory_order_relaxed) > 0) {
    pthread_mutex_lock(&q->lock);
    fresh = pop_free(q);
    if (fresh && w->chunk) push_full(q, w->chunk);
    if (fresh) w->chunk = fresh;
    pthread_mutex_unlock(&q->lock);
  }
  if (!fresh || is_half_full(q)) press(q);
  return fresh != NULL;
}

uint8_t *queue_reserve_slowly(struct queue *q, unsigned slot, size_t size,
                              struct queue_writer **ret_writer) {
  bool is_shared = slot >= q->own_writers;
  struct queue_writer *w = is_shared ? shared_writer(q) : &q->writers[slot];
  if (is_shared) pthread_mutex_lock(&q->shared_lock);
  uint32_t used = w->chunk ? atomic_load_explicit(&w->chunk->size, memory_order_relaxed) : 0;
  if (!w->chunk || used + size > q->room) {
    used = 0;
    if (!turn_over(q, w)) {
      queue_count(&w->refused);
      if (is_shared) pthread_mutex_unlock(&q->shared_lock);
      return NULL;
    }
  }
  *ret_writer = w;
  return w->chunk->data + used;
}

void queue_commit_shared(struct queue *q, size_t size) {
  struct queue_writer *w = shared_writer(q);
  atomic_fetch_add_explicit(&w->chunk->size, (uint32_t)size, memory_order_release);
  queue_count(&w->accepted);
  pthread_mutex_unlock(&q->shared_lock);
}

void queue_count_started_shared(struct queue *q) {
  pthread_mutex_lock(&q->shared_lock);
  queue_count(&shared_writer(q)->started);
  pthread_mutex_unlock(&q->shared_lock);
}

void queue_count_refused(struct queue *q, unsigned slot) {
  bool is_shared = slot >= q->own_writers;
  if (is_shared) pthread_mutex_lock(&q->shared_lock);
  queue_count(is_shared ? &shared_writer(q)->refused : &q->writers[slot].refused);
  if (is_shared) pthread_mutex_unlock(&q->shared_lock);
}

struct chunk *queue_borrow(struct queue *q) {
  if (q->room < 2 * QUEUE_FRAME_MAX || is_half_full(q)) return NULL;
  pthread_mutex_lock(&q->lock);
  struct chunk *chunk = pop_free(q);
  pthread_mutex_unlock(&q->lock);
  return chunk;
}

void queue_return(struct queue *q, struct chunk *chunk) {
  pthread_mutex_lock(&q->lock);
  push_free(q, chunk);
  pthread_mutex_unlock(&q->lock);
}

void queue_send(struct queue *q, unsigned slot, struct chunk *chunk, uint32_t first,
                uint32_t size) {
  bool is_shared = slot >= q->own_writers;
  chunk->taken = first;
  atomic_store_explicit(&chunk->size, first + size, memory_order_relaxed);
  pthread_mutex_lock(&q->lock);
  push_full(q, chunk);
  pthread_mutex_unlock(&q->lock);
  if (is_shared) pthread_mutex_lock(&q->shared_lock);
  queue_count(is_shared ? &shared_writer(q)->accepted : &q->writers[slot].accepted);
  if (is_shared) pthread_mutex_unlock(&q->shared_lock);
  if (is_half_full(q)) press(q);
}

/* ---- reading ------------------------------------------------------------------------------------- */

void queue_begin(struct queue *q, struct queue_round *ret_round) {
  atomic_store_explicit(&q->is_pressed, false, memory_order_relaxed);
  pthread_mutex_lock(&q->lock);
  *ret_round = (struct queue_round){.full_left = q->full_count};
  pthread_mutex_unlock(&q->lock);
}

/* A chunk with something to read. A writer's stays its writer's; `ret_is_full` says it is ours. */
static struct chunk *pick(struct queue *q, struct queue_round *round, bool *ret_is_full) {
  *ret_is_full = round->full_left > 0;
  if (round->full_left > 0) {
    round->full_left--;
    return pop_full(q);
  }
  while (round->next_writer <= q->own_writers) {
    struct chunk *chunk = q->writers[round->next_writer++].chunk;
    if (chunk && unread(chunk) > 0) return chunk;
  }
  if (round->is_last_turn || q->full_count == 0) return NULL;
  round->is_last_turn = true;
  round->full_left = q->full_count - 1;
  *ret_is_full = true;
  return pop_full(q);
}

bool queue_next(struct queue *q, struct queue_round *round, struct queue_piece *ret_piece) {
  bool is_full;
  pthread_mutex_lock(&q->lock);
  if (round->chunk) push_free(q, round->chunk);
  round->chunk = NULL;
  struct chunk *chunk = pick(q, round, &is_full);
  if (chunk) {
    ret_piece->data = chunk->data + chunk->taken;
    ret_piece->size = unread(chunk);
    chunk->taken += (uint32_t)ret_piece->size;
    if (is_full) round->chunk = chunk;
  }
  pthread_mutex_unlock(&q->lock);
  return chunk != NULL;
}

/* ---- looking ------------------------------------------------------------------------------------- */

void queue_get_counts(struct queue *q, struct queue_counts *ret_counts) {
  struct queue_counts counts = {.bytes_max = q->chunk_count * q->chunk_bytes};
  pthread_mutex_lock(&q->lock);
  counts.bytes = q->full_bytes;
  for (size_t i = 0; i <= q->own_writers; i++) {
    struct queue_writer *w = &q->writers[i];
    /* Ended before started: no span is seen to end that was not seen to begin. */
    counts.accepted += atomic_load_explicit(&w->accepted, memory_order_relaxed);
    counts.refused += atomic_load_explicit(&w->refused, memory_order_relaxed);
    if (w->chunk) counts.bytes += unread(w->chunk);
  }
  for (size_t i = 0; i <= q->own_writers; i++)
    counts.started += atomic_load_explicit(&q->writers[i].started, memory_order_relaxed);
  pthread_mutex_unlock(&q->lock);
  *ret_counts = counts;
}
