/* SPDX-License-Identifier: Apache-2.0 */
/* The buffers of one fetch. A worker fills one at a time; a full one may be handed to whoever hashes the
 * file, which spares reading it back. Their number is fixed, so memory is, too. Thread-safe. */
#ifndef HOIST_FETCH_BLOCK_H
#define HOIST_FETCH_BLOCK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES (256u << 10)

struct block {
  struct block *next; /* whoever holds it may chain it */
  int64_t at;         /* of its first byte in the file */
  size_t size;
  char *data; /* BLOCK_BYTES, aligned to a page */
};

struct block_pool {
  pthread_mutex_t lock;
  struct block *idle;
  unsigned made, max;
};

/** One that belongs to no pool; NULL: no memory. */
struct block *block_new(void);
/** NULL is fine. */
void block_free(struct block *block);

void block_pool_init(struct block_pool *pool, unsigned max);
/** All blocks have been given back. */
void block_pool_done(struct block_pool *pool);
/** NULL: all are in use, or there is no memory. */
struct block *block_take(struct block_pool *pool);
/** NULL is fine. */
void block_give(struct block_pool *pool, struct block *block);

#endif
