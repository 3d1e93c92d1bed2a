/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a file, by the worker that brought the last of it: compared with what was promised, made durable, and
 * named; or fetched once more. */
#include <stdio.h>

#include "clock.h"
#include "fetch_internal.h"

static void set_ms(struct hoist_span *span, const char *key, uint64_t ns) {
  hoist_span_set_double(span, key, (double)ns / (double)NS_PER_MS);
}

/* What making a file whole and durable may fail of, when nobody called it off. */
static bool is_of_disk(enum hoist_status status) {
  return status != HOIST_OK && status != HOIST_CORRUPT && status != HOIST_CANCELLED &&
         status != HOIST_TIMEOUT;
}

/* A byte that was turned over on the way is not the source's fault, nor for ever, unless its ranges are at fault. Nobody
 * else is at the file. */
static enum hoist_status fetch_once_more(struct fetch *f, struct file *file, int *disk_failed,
                                         struct hoist_error *err) {
  const struct hoist_attr what = {
      .key = "message", .type = HOIST_ATTR_STRING, .value.string = file->doubt};
  hoist_span_add_event(&file->span, "artifact.wrong_digest", &what, 1);
  char line[HOIST_ERROR_MESSAGE_SIZE];
  snprintf(line, sizeof line, "%.400s: it is fetched once more", file->doubt);
  pthread_mutex_lock(&f->lock);
  enum hoist_status status = f->status; /* a failure of something else, which is told already */
  if (status == HOIST_OK) {
    fetch_warn(f, file, line);
    f->bytes_done -= file->received;
    file->whole = true;
    status = file_begin_again(file, err);
    *disk_failed = status != HOIST_OK;
  }
  pthread_cond_broadcast(&f->work);
  pthread_mutex_unlock(&f->lock);
  return status;
}

/* A file is made durable by who finished it, beside the transfer of others. */
enum hoist_status fetch_finish(struct fetch *f, struct file *file, int *disk_failed,
                               struct hoist_error *err) {
  uint64_t arrived_ns = clock_monotonic_ns();
  bool is_first = !file->doubt;
  enum hoist_status status = file_finish(&f->call, file, err);
  if (status == HOIST_CORRUPT && is_first && file->doubt)
    return fetch_once_more(f, file, disk_failed, err);
  uint64_t hashed_ns = clock_monotonic_ns();
  size_t index = (size_t)(file - f->files);
  if (status == HOIST_OK)
    status = f->target->complete(f->target->user, file->m, index, file->fd, err);
  set_ms(&file->span, "hoist.artifact.hash_ms", hashed_ns - arrived_ns);
  set_ms(&file->span, "hoist.artifact.sync_ms", clock_monotonic_ns() - hashed_ns);
  if (status == HOIST_OK && file->journaled) status = journal_end(f->journal, (uint32_t)index, err);
  *disk_failed = is_of_disk(status);
  if (status != HOIST_OK) return status;
  fetch_end_span(file, NULL);
  file_done(file);
  pthread_mutex_lock(&f->lock);
  file->phase = FILE_FINISHED;
  f->outcome.files++;
  fetch_report(f, file, 0, true);
  pthread_cond_broadcast(&f->work);
  pthread_mutex_unlock(&f->lock);
  return HOIST_OK;
}
