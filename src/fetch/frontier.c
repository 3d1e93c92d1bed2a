/* SPDX-License-Identifier: Apache-2.0 */
/* One thread per large file under way, from its first answer to its last byte. It owns its buffer and,
 * while it runs, the file's checksums. */
#include "frontier.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#define READ_BYTES (256u << 10)

static enum hoist_status hash_next(struct frontier *f, int64_t ready, struct hoist_error *err) {
  size_t wanted =
      ready - f->hashed < (int64_t)READ_BYTES ? (size_t)(ready - f->hashed) : (size_t)READ_BYTES;
  ssize_t n = pread(f->fd, f->buffer, wanted, f->hashed);
  if (n < 0 && errno == EINTR) return HOIST_OK;
  if (n < 0) return hoist_fail_errno(err, errno, "reading %s back", f->name);
  if (n == 0)
    return hoist_fail(err, HOIST_UNAVAILABLE,
                      "%s: %" PRId64 " bytes were written, %" PRId64 " are there: something else "
                      "changes the cache's staging",
                      f->name, ready, f->hashed);
  f->hashed += n;
  return checksums_update(f->sums, f->buffer, (size_t)n, err);
}

static enum hoist_status hash_to(struct frontier *f, int64_t ready, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  while (status == HOIST_OK && f->hashed < ready)
    status = hash_next(f, ready, err);
  return status;
}

/* Whether there is more to do, and up to where. */
static bool await(struct frontier *f, int64_t *ret_ready) {
  pthread_mutex_lock(&f->lock);
  while (f->ready == f->hashed && !f->closed && !f->abandoned)
    pthread_cond_wait(&f->moved, &f->lock);
  *ret_ready = f->ready;
  bool more = !f->abandoned && f->ready > f->hashed;
  pthread_mutex_unlock(&f->lock);
  return more;
}

/* In small steps, so that it is soon abandoned. */
static void *run(void *user) {
  struct frontier *f = user;
  int64_t ready = 0;
  while (f->status == HOIST_OK && await(f, &ready))
    f->status = hash_next(f, ready, &f->error);
  return NULL;
}

static void frontier_free(struct frontier *f) {
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->moved);
  free(f->buffer);
  free(f);
}

enum hoist_status frontier_start(int fd, const char *name, struct checksums *sums,
                                 struct frontier **ret_frontier, struct hoist_error *err) {
  HOIST_AUTO(mem) char *buffer = malloc(READ_BYTES);
  struct frontier *f = calloc(1, sizeof *f);
  if (!f || !buffer) {
    free(f);
    return hoist_fail_memory(err, "hashing a file");
  }
  *f = (struct frontier){.fd = fd, .name = name, .sums = sums, .buffer = HOIST_TAKE(buffer)};
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->moved, NULL);
  f->has_thread = pthread_create(&f->thread, NULL, run, f) == 0;
  *ret_frontier = f;
  return HOIST_OK;
}

void frontier_advance(struct frontier *f, int64_t ready) {
  pthread_mutex_lock(&f->lock);
  f->ready = ready;
  pthread_cond_signal(&f->moved);
  pthread_mutex_unlock(&f->lock);
}

static void join(struct frontier *f, bool *how) {
  pthread_mutex_lock(&f->lock);
  *how = true;
  pthread_cond_signal(&f->moved);
  pthread_mutex_unlock(&f->lock);
  if (f->has_thread) pthread_join(f->thread, NULL);
}

enum hoist_status frontier_finish(struct frontier *f, struct hoist_error *err) {
  join(f, &f->closed);
  enum hoist_status status = f->status;
  if (status != HOIST_OK && err)
    *err = f->error;
  else if (status == HOIST_OK)
    status = hash_to(f, f->ready, err);
  frontier_free(f);
  return status;
}

void frontier_abandon(struct frontier *f) {
  if (!f) return;
  join(f, &f->abandoned);
  frontier_free(f);
}
