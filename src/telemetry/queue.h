/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of encoded spans: a fixed amount of memory in chunks, filled by many threads, emptied
 * by one. Threads write into different chunks, so they seldom meet; a full queue refuses and
 * counts. */
#ifndef HOIST_TELEMETRY_QUEUE_H
#define HOIST_TELEMETRY_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* The largest frame; also the smallest chunk's room. */
#define QUEUE_FRAME_MAX 4032
#define QUEUE_BYTES_MIN (UINT64_C(16) << 10)
#define QUEUE_BYTES_MAX (UINT64_C(1) << 30)
#define QUEUE_SHARDS_MAX 8

struct chunk {
  struct chunk *next;
  uint32_t size, count; /* bytes and frames in data */
  uint8_t data[];
};

struct shard;

struct queue {
  void *memory;
  size_t chunk_bytes, chunk_count;
  struct shard *shards;
  size_t shard_mask;    /* their number, a power of two, less one */
  pthread_mutex_t lock; /* of the lists below; taken after a shard's */
  struct chunk *free;
  struct chunk *full, **full_end; /* oldest first */
  size_t full_count;
};

/** `bytes` is brought into [QUEUE_BYTES_MIN, QUEUE_BYTES_MAX]. */
HOIST_MUST_CHECK enum hoist_status queue_init(struct queue *q, uint64_t bytes,
                                              struct hoist_error *err);
void queue_done(struct queue *q);
/** Empties the queue in a forked child, whatever state the parent's threads left it in. */
void queue_reset_after_fork(struct queue *q);

/** Room for one frame of `size` (≤ QUEUE_FRAME_MAX) bytes, or NULL when the queue is full
 * (counted). The shard stays locked until queue_commit: only write the frame in between. `slot`
 * spreads threads over shards. */
uint8_t *queue_reserve(struct queue *q, unsigned slot, size_t size, struct shard **ret_shard);
/** Ends queue_reserve, also after NULL. True when the reader should come: the queue is half full
 * and a chunk has just been filled, or there was no room. */
bool queue_commit(struct shard *shard);

/** Makes everything written so far ready for queue_take, and returns how many chunks are. */
size_t queue_seal(struct queue *q);
/** The oldest sealed or full chunk, or NULL. To be given back with queue_release. One reader. */
struct chunk *queue_take(struct queue *q);
void queue_release(struct queue *q, struct chunk *chunk);

/** Frames accepted and refused since the start (or the fork). */
void queue_counts(struct queue *q, uint64_t *ret_accepted, uint64_t *ret_refused);

#endif
