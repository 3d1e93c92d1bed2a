/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks are made when they are first needed and kept until the fetch ends. */
#include "block.h"

#include <stdbool.h>
#include <stdlib.h>

#define BLOCK_ALIGNMENT 4096

void block_pool_init(struct block_pool *pool, unsigned max) {
  *pool = (struct block_pool){.lock = PTHREAD_MUTEX_INITIALIZER, .max = max};
}

void block_free(struct block *block) {
  if (!block) return;
  free(block->data);
  free(block);
}

void block_pool_done(struct block_pool *pool) {
  while (pool->idle) {
    struct block *next = pool->idle->next;
    block_free(pool->idle);
    pool->idle = next;
  }
  pthread_mutex_destroy(&pool->lock);
}

struct block *block_new(void) {
  struct block *block = calloc(1, sizeof *block);
  if (!block) return NULL;
  block->data = aligned_alloc(BLOCK_ALIGNMENT, BLOCK_BYTES);
  if (block->data) return block;
  free(block);
  return NULL;
}

struct block *block_take(struct block_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  struct block *block = pool->idle;
  bool make = !block && pool->made < pool->max;
  if (block) pool->idle = block->next;
  if (make) pool->made++;
  pthread_mutex_unlock(&pool->lock);
  return make ? block_new() : block;
}

void block_give(struct block_pool *pool, struct block *block) {
  if (!block) return;
  pthread_mutex_lock(&pool->lock);
  block->next = pool->idle;
  pool->idle = block;
  pthread_mutex_unlock(&pool->lock);
}
