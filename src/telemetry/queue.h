/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of encoded spans: a fixed amount of memory in chunks, filled by many threads, emptied
 * by one. Each thread that records fills a chunk of its own, so writing a frame takes no lock; only a
 * full chunk, one in some hundred spans, goes through the queue's. A full queue refuses and counts.
 *
 * A frame is a byte with the number of its scope and a protobuf field (tag, length, message). */
#ifndef HOIST_TELEMETRY_QUEUE_H
#define HOIST_TELEMETRY_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "thread_slot.h"

/* The largest frame that every chunk has room for. */
#define QUEUE_FRAME_MAX 4000
#define QUEUE_BYTES_MIN (UINT64_C(16) << 10)
#define QUEUE_BYTES_MAX (UINT64_C(1) << 30)

struct chunk {
  struct chunk *next;
  uint32_t taken;        /* where what the reader has not seen begins; the reader's */
  _Atomic uint32_t size; /* bytes in data: whole frames. Its writer adds, the reader looks */
  uint8_t data[];
};

/* Where one thread writes. The counters are written by that thread alone, and read by any. */
struct queue_writer {
  struct chunk
      *chunk; /* NULL: none yet. Read by its thread, and changed and read under queue.lock */
  _Atomic uint64_t started, accepted, refused;
} __attribute__((aligned(64)));

struct queue {
  void *memory;
  size_t chunk_bytes, room /* in a chunk */, chunk_count;
  struct queue_writer *writers;
  size_t own_writers; /* by thread slot; the one behind them is for all other threads */
  void (*on_pressure)(void *user);
  void *user;
  atomic_bool is_pressed;      /* on_pressure was called, and the reader has not come yet */
  pthread_mutex_t shared_lock; /* of the shared writer; taken before `lock` */
  pthread_mutex_t lock;        /* of all below */
  struct chunk *free;
  _Atomic size_t free_count;
  struct chunk *full, **full_end; /* oldest first */
  size_t full_count, full_bytes;
};

/** `bytes` is brought into [QUEUE_BYTES_MIN, QUEUE_BYTES_MAX].
 *  @param on_pressure  the reader should come: half of the queue is full, or a frame was refused. Called
 *                      by a recording thread, once until the reader's next queue_begin; NULL: not at all
 */
HOIST_MUST_CHECK enum hoist_status queue_init(struct queue *q, uint64_t bytes,
                                              void (*on_pressure)(void *user), void *user,
                                              struct hoist_error *err);
void queue_done(struct queue *q);
/** Empties the queue in a forked child, whatever state the parent's threads left it in. */
void queue_reset_after_fork(struct queue *q);

/* ---- writing: any thread ------------------------------------------------------------------------- */

/* Adds to a counter of this thread's alone; of the shared writer under its lock. */
static inline void queue_count(_Atomic uint64_t *counter) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                        memory_order_relaxed);
}

/** For threads without a writer of their own, and where a chunk is full or missing. */
uint8_t *queue_reserve_slowly(struct queue *q, unsigned slot, size_t size,
                              struct queue_writer **ret_writer);
void queue_commit_shared(struct queue *q, size_t size);
void queue_count_started_shared(struct queue *q);
/** Counts a span that ends without a frame. */
void queue_count_refused(struct queue *q, unsigned slot);

/** Counts a span that begins. `slot` is thread_slot() of the calling thread, here and below. */
static inline void queue_count_started(struct queue *q, unsigned slot) {
  if (__builtin_expect(slot < q->own_writers, 1))
    queue_count(&q->writers[slot].started);
  else
    queue_count_started_shared(q);
}

/** Room for one frame of `size` (≤ QUEUE_FRAME_MAX, or half of `room`) bytes, or NULL when the queue is full (counted).
 *  queue_commit must follow; only write the frame in between. */
static inline uint8_t *queue_reserve(struct queue *q, unsigned slot, size_t size,
                                     struct queue_writer **ret_writer) {
  struct chunk *chunk = slot < q->own_writers ? q->writers[slot].chunk : NULL;
  if (__builtin_expect(chunk != NULL, 1)) {
    uint32_t used = atomic_load_explicit(&chunk->size, memory_order_relaxed);
    if (used + size <= q->room) {
      *ret_writer = &q->writers[slot];
      return chunk->data + used;
    }
  }
  return queue_reserve_slowly(q, slot, size, ret_writer);
}

static inline void queue_commit(struct queue *q, struct queue_writer *w, size_t size) {
  if (__builtin_expect(w == &q->writers[q->own_writers], 0)) {
    queue_commit_shared(q, size);
    return;
  }
  uint32_t used = atomic_load_explicit(&w->chunk->size, memory_order_relaxed);
  atomic_store_explicit(&w->chunk->size, used + (uint32_t)size, memory_order_release);
  queue_count(&w->accepted);
}

/** An empty chunk, for one frame that is larger than QUEUE_FRAME_MAX: to be given to queue_send or back
 *  with queue_return. NULL where it would hold little more than that, or the queue is half full. */
struct chunk *queue_borrow(struct queue *q);
void queue_return(struct queue *q, struct chunk *chunk);
/** Queues a borrowed chunk whose frame is data[first, first + size). */
void queue_send(struct queue *q, unsigned slot, struct chunk *chunk, uint32_t first, uint32_t size);

/* ---- reading: one thread ------------------------------------------------------------------------- */

/* First the full chunks, then what writers have begun, then those that became full meanwhile: so nothing
 * that was there at the beginning is missed. */
struct queue_round {
  size_t full_left, next_writer;
  bool is_last_turn;
  struct chunk *chunk; /* to be released with the next step; NULL: none */
};

/* Whole frames, one after the other. */
struct queue_piece {
  const uint8_t *data;
  size_t size;
};

/** Begins to read what has been written so far (and perhaps some of what is written meanwhile). */
void queue_begin(struct queue *q, struct queue_round *ret_round);
/** The next piece, valid until the next call; false at the end. Every round is read to its end. */
bool queue_next(struct queue *q, struct queue_round *round, struct queue_piece *ret_piece);

/* ---- looking: any thread ------------------------------------------------------------------------- */

struct queue_counts {
  uint64_t started, accepted, refused; /* since the start (or the fork) */
  uint64_t bytes, bytes_max;           /* not read yet, and the memory for them */
};
void queue_get_counts(struct queue *q, struct queue_counts *ret_counts);

#endif
