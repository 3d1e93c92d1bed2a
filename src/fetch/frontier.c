/* SPDX-License-Identifier: Apache-2.0 */
/* One thread per large file under way, from its first answer to its last byte. While it runs it owns the
 * file's checksums, and the blocks that were handed over. */
#include "frontier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "condition.h"

#define LOOK_INTERVAL_NS (20 * NS_PER_MS)

/* What is to be hashed next. */
struct stretch {
  struct block *block; /* in memory; NULL: to be read back */
  int64_t end;
};

static enum hoist_status read_back(struct frontier *f, int64_t end, struct hoist_error *err) {
  if (!f->buffer) f->buffer = block_new();
  if (!f->buffer) return hoist_fail_memory(err, "hashing a file");
  size_t wanted =
      end - f->hashed < (int64_t)BLOCK_BYTES ? (size_t)(end - f->hashed) : (size_t)BLOCK_BYTES;
  ssize_t n = pread(f->fd, f->buffer->data, wanted, f->hashed);
  if (n < 0 && errno == EINTR) return HOIST_OK;
  if (n < 0) return hoist_fail_errno(err, errno, "reading %s back", f->name);
  if (n == 0)
    return hoist_fail(err, HOIST_UNAVAILABLE,
                      "%s: %" PRId64 " bytes were written, %" PRId64 " are there: something else "
                      "changes the cache's staging",
                      f->name, end, f->hashed);
  f->hashed += n;
  return checksums_update(f->sums, f->buffer->data, (size_t)n, err);
}

/* In small steps, so that it is soon abandoned. */
static enum hoist_status hash_next(struct frontier *f, const struct stretch *next,
                                   struct hoist_error *err) {
  if (!next->block) return read_back(f, next->end, err);
  enum hoist_status status = checksums_update(f->sums, next->block->data, next->block->size, err);
  f->hashed += (int64_t)next->block->size;
  block_give(f->pool, next->block);
  return status;
}

/* Under the lock. False: there is nothing to hash. */
static bool find_next(struct frontier *f, struct stretch *ret_next) {
  if (f->hashed == f->ready) return false;
  *ret_next = (struct stretch){.end = f->first ? f->first->at : f->ready};
  if (!f->first || f->first->at != f->hashed) return true;
  ret_next->block = f->first;
  f->first = f->first->next;
  if (!f->first) f->last = NULL;
  return true;
}

static bool await(struct frontier *f, struct stretch *ret_next) {
  pthread_mutex_lock(&f->lock);
  bool found;
  while (!(found = !f->abandoned && find_next(f, ret_next)) && !f->closed && !f->abandoned)
    pthread_cond_wait(&f->moved, &f->lock);
  pthread_mutex_unlock(&f->lock);
  return found;
}

static void *run(void *user) {
  struct frontier *f = user;
  struct stretch next;
  while (f->status == HOIST_OK && await(f, &next))
    f->status = hash_next(f, &next, &f->error);
  pthread_mutex_lock(&f->lock);
  f->ended = true;
  pthread_cond_signal(&f->moved);
  pthread_mutex_unlock(&f->lock);
  return NULL;
}

static void frontier_free(struct frontier *f) {
  while (f->first) {
    struct block *next = f->first->next;
    block_give(f->pool, f->first);
    f->first = next;
  }
  block_free(f->buffer);
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->moved);
  free(f);
}

enum hoist_status frontier_start(int fd, const char *name, struct checksums *sums,
                                 struct block_pool *pool, struct frontier **ret_frontier,
                                 struct hoist_error *err) {
  struct frontier *f = calloc(1, sizeof *f);
  if (!f) return hoist_fail_memory(err, "hashing a file");
  *f = (struct frontier){.fd = fd, .name = name, .sums = sums, .pool = pool};
  pthread_mutex_init(&f->lock, NULL);
  condition_init(&f->moved);
  f->has_thread = pthread_create(&f->thread, NULL, run, f) == 0;
  *ret_frontier = f;
  return HOIST_OK;
}

static void set_ready(struct frontier *f, int64_t ready) {
  f->ready = ready;
  pthread_cond_signal(&f->moved);
}

bool frontier_offer(struct frontier *f, struct block *block) {
  pthread_mutex_lock(&f->lock);
  bool follows = block->at == f->ready && f->has_thread;
  if (follows) {
    block->next = NULL;
    if (f->last) f->last->next = block;
    if (!f->first) f->first = block;
    f->last = block;
    set_ready(f, block->at + (int64_t)block->size);
  }
  pthread_mutex_unlock(&f->lock);
  return follows;
}

void frontier_advance(struct frontier *f, int64_t ready) {
  pthread_mutex_lock(&f->lock);
  if (ready > f->ready) set_ready(f, ready);
  pthread_mutex_unlock(&f->lock);
}

static void set(struct frontier *f, bool *how) {
  pthread_mutex_lock(&f->lock);
  *how = true;
  pthread_cond_signal(&f->moved);
  pthread_mutex_unlock(&f->lock);
}

/* The thread ends within a block of being told to. */
static enum hoist_status watch(const struct call *call, struct frontier *f,
                               struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  pthread_mutex_lock(&f->lock);
  while (!f->ended && (status = call_check(call, f->name, err)) == HOIST_OK)
    condition_wait_ns(&f->moved, &f->lock, LOOK_INTERVAL_NS);
  f->abandoned = status != HOIST_OK;
  pthread_mutex_unlock(&f->lock);
  return status;
}

static enum hoist_status hash_here(const struct call *call, struct frontier *f,
                                   struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  struct stretch next;
  while (status == HOIST_OK && await(f, &next)) {
    status = call_check(call, f->name, err);
    if (status == HOIST_OK) status = hash_next(f, &next, err);
  }
  return status;
}

static enum hoist_status finish(const struct call *call, struct frontier *f,
                                struct hoist_error *err) {
  set(f, &f->closed);
  if (!f->has_thread) return hash_here(call, f, err);
  enum hoist_status status = watch(call, f, err);
  pthread_join(f->thread, NULL);
  if (status != HOIST_OK) return status;
  if (f->status != HOIST_OK && err) *err = f->error;
  return f->status;
}

enum hoist_status frontier_finish(const struct call *call, struct frontier *f,
                                  struct hoist_error *err) {
  enum hoist_status status = finish(call, f, err);
  frontier_free(f);
  return status;
}

void frontier_abandon(struct frontier *f) {
  if (!f) return;
  set(f, &f->abandoned);
  if (f->has_thread) pthread_join(f->thread, NULL);
  frontier_free(f);
}
