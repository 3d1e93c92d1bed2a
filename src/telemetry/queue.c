/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of encoded spans. Owns one block of memory cut into chunks. Each shard fills one chunk
 * under its own lock; only when that is full does it go to the pool's lock. Locks are held for a
 * few dozen nanoseconds, never across I/O. Threads: any number write, one reads. */
#include "queue.h"

#include <stdlib.h>
#include <unistd.h>

enum { CHUNK_BYTES_MAX = 32 << 10, CHUNK_BYTES_MIN = 4096, CACHE_LINE = 64 };
_Static_assert(sizeof(struct chunk) + QUEUE_FRAME_MAX <= CHUNK_BYTES_MIN, "a frame fits a chunk");

struct shard {
  pthread_mutex_t lock;
  struct chunk *chunk; /* being filled; NULL: none yet */
  uint64_t accepted, refused;
  bool wake_reader;
} __attribute__((aligned(CACHE_LINE)));

static struct chunk *chunk_at(const struct queue *q, size_t index) {
  return (struct chunk *)((char *)q->memory + index * q->chunk_bytes);
}

static void push_free(struct queue *q, struct chunk *chunk) {
  chunk->size = chunk->count = 0;
  chunk->next = q->free;
  q->free = chunk;
}

static void push_full(struct queue *q, struct chunk *chunk) {
  chunk->next = NULL;
  *q->full_end = chunk;
  q->full_end = &chunk->next;
  q->full_count++;
}

/* Puts every chunk on the free list and makes the locks new. */
static void reset(struct queue *q) {
  pthread_mutex_init(&q->lock, NULL);
  q->free = q->full = NULL;
  q->full_end = &q->full;
  q->full_count = 0;
  for (size_t i = q->chunk_count; i > 0; i--)
    push_free(q, chunk_at(q, i - 1));
  for (size_t i = 0; i <= q->shard_mask; i++) {
    q->shards[i] = (struct shard){0};
    pthread_mutex_init(&q->shards[i].lock, NULL);
  }
}

static size_t clamp(uint64_t value, uint64_t low, uint64_t high) {
  return (size_t)(value < low ? low : value > high ? high : value);
}

enum hoist_status queue_init(struct queue *q, uint64_t bytes, struct hoist_error *err) {
  size_t size = clamp(bytes, QUEUE_BYTES_MIN, QUEUE_BYTES_MAX);
  size_t chunk_bytes =
      clamp(size / 4 & ~(size_t)(CHUNK_BYTES_MIN - 1), CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
  size_t chunk_count = size / chunk_bytes;
  size_t shard_count = 1; /* each has a chunk of its own, and most should be free for all */
  while (shard_count < QUEUE_SHARDS_MAX && shard_count * 16 <= chunk_count)
    shard_count *= 2;
  void *shards;
  if (posix_memalign(&shards, CACHE_LINE, shard_count * sizeof(struct shard)) != 0)
    return hoist_fail_memory(err, "the span queue");
  void *memory = malloc(chunk_count * chunk_bytes);
  if (!memory) {
    free(shards);
    return hoist_fail_memory(err, "the span queue");
  }
  *q = (struct queue){.memory = memory,
                      .chunk_bytes = chunk_bytes,
                      .chunk_count = chunk_count,
                      .shards = shards,
                      .shard_mask = shard_count - 1};
  reset(q);
  return HOIST_OK;
}

void queue_done(struct queue *q) {
  if (!q->memory) return;
  for (size_t i = 0; i <= q->shard_mask; i++)
    pthread_mutex_destroy(&q->shards[i].lock);
  pthread_mutex_destroy(&q->lock);
  free(q->shards);
  free(q->memory);
  *q = (struct queue){0};
}

void queue_reset_after_fork(struct queue *q) {
  reset(q);
}

/* Replaces the shard's full chunk by an empty one. False when there is none. */
static bool turn_over(struct queue *q, struct shard *shard) {
  pthread_mutex_lock(&q->lock);
  struct chunk *fresh = q->free;
  if (fresh) {
    q->free = fresh->next;
    if (shard->chunk) push_full(q, shard->chunk);
    shard->chunk = fresh;
  }
  shard->wake_reader = !fresh || 2 * q->full_count >= q->chunk_count;
  pthread_mutex_unlock(&q->lock);
  return fresh != NULL;
}

uint8_t *queue_reserve(struct queue *q, unsigned slot, size_t size, struct shard **ret_shard) {
  struct shard *shard = &q->shards[slot & q->shard_mask];
  size_t room = q->chunk_bytes - sizeof(struct chunk);
  pthread_mutex_lock(&shard->lock);
  *ret_shard = shard;
  if (!shard->chunk || shard->chunk->size + size > room)
    if (!turn_over(q, shard)) {
      shard->refused++;
      return NULL;
    }
  uint8_t *frame = shard->chunk->data + shard->chunk->size;
  shard->chunk->size += (uint32_t)size;
  shard->chunk->count++;
  shard->accepted++;
  return frame;
}

bool queue_commit(struct shard *shard) {
  bool wake_reader = shard->wake_reader;
  shard->wake_reader = false;
  pthread_mutex_unlock(&shard->lock);
  return wake_reader;
}

size_t queue_seal(struct queue *q) {
  for (size_t i = 0; i <= q->shard_mask; i++) {
    struct shard *shard = &q->shards[i];
    pthread_mutex_lock(&shard->lock);
    struct chunk *chunk = shard->chunk;
    if (chunk && chunk->count > 0) {
      pthread_mutex_lock(&q->lock);
      push_full(q, chunk);
      pthread_mutex_unlock(&q->lock);
      shard->chunk = NULL;
    }
    pthread_mutex_unlock(&shard->lock);
  }
  pthread_mutex_lock(&q->lock);
  size_t count = q->full_count;
  pthread_mutex_unlock(&q->lock);
  return count;
}

struct chunk *queue_take(struct queue *q) {
  pthread_mutex_lock(&q->lock);
  struct chunk *chunk = q->full;
  if (chunk) {
    q->full = chunk->next;
    if (!q->full) q->full_end = &q->full;
    q->full_count--;
  }
  pthread_mutex_unlock(&q->lock);
  return chunk;
}

void queue_release(struct queue *q, struct chunk *chunk) {
  pthread_mutex_lock(&q->lock);
  push_free(q, chunk);
  pthread_mutex_unlock(&q->lock);
}

void queue_counts(struct queue *q, uint64_t *ret_accepted, uint64_t *ret_refused) {
  uint64_t accepted = 0, refused = 0;
  for (size_t i = 0; i <= q->shard_mask; i++) {
    pthread_mutex_lock(&q->shards[i].lock);
    accepted += q->shards[i].accepted;
    refused += q->shards[i].refused;
    pthread_mutex_unlock(&q->shards[i].lock);
  }
  *ret_accepted = accepted;
  *ret_refused = refused;
}
