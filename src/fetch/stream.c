/* SPDX-License-Identifier: Apache-2.0 */
/* One part of a file on its way to disk. Bytes collect in the worker's buffer and leave it at multiples
 * of its size in the file, which is twice as fast as writing what the network happens to deliver. What
 * an attempt brought stays when the next one goes on from there. One worker at a time. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "clock.h"
#include "fetch_internal.h"

#define REPORT_INTERVAL_NS (100 * NS_PER_MS)

struct stream {
  struct fetch *fetch;
  struct file *file;
  size_t part;
  struct call call; /* with the file's span as parent, and its `stop` */
  struct source_request request;
  int64_t end; /* of what the present answer brings; SOURCE_TO_END: not known */
  char *buffer;
  size_t buffered;
  int64_t written; /* position in the file of the buffer's first byte */
  uint32_t crc;    /* of what is written */
  int64_t unnoted; /* bytes taken that are not in the file's `received` */
  uint64_t now_ns; /* of the last note */
  int disk_failed;
};

/* Under the lock. */
static void note_bytes(struct stream *s) {
  s->now_ns = clock_monotonic_ns();
  if (!s->file->m->content) s->fetch->outcome.bytes += (uint64_t)s->unnoted;
  fetch_report(s->fetch, s->file, s->unnoted, false);
  s->unnoted = 0;
  struct file *file = s->file;
  if (file->limit > 1 && ramp_note(&file->ramp, file->received, s->now_ns)) fetch_summon(s->fetch);
  if (file->limit > 1) file->limit = file->ramp.target;
}

static enum hoist_status write_at(int fd, const char *data, size_t size, int64_t at,
                                  const char *name, struct hoist_error *err) {
  while (size > 0) {
    ssize_t n = pwrite(fd, data, size, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "writing %s", name);
    data += n;
    size -= (size_t)n;
    at += n;
  }
  return HOIST_OK;
}

static enum hoist_status flush(struct stream *s, struct hoist_error *err) {
  struct file *file = s->file;
  enum hoist_status status = HOIST_OK;
  if (s->buffered == 0) return HOIST_OK;
  if (!file->frontier) status = checksums_update(&file->sums, s->buffer, s->buffered, err);
  if (status != HOIST_OK) return status;
  status = write_at(file->fd, s->buffer, s->buffered, s->written, file->m->name, err);
  if (status != HOIST_OK) {
    s->disk_failed = 1;
    return status;
  }
  if (file->journaled)
    s->crc = (uint32_t)crc32(s->crc, (const Bytef *)s->buffer, (uInt)s->buffered);
  s->written += (int64_t)s->buffered;
  s->buffered = 0;
  pthread_mutex_lock(&s->fetch->lock);
  note_bytes(s);
  file_advance(file, s->part, s->written);
  pthread_mutex_unlock(&s->fetch->lock);
  return HOIST_OK;
}

static enum hoist_status take_answer(struct stream *s, const struct source_response *response,
                                     struct hoist_error *err) {
  bool rewind = false;
  struct file *file = s->file;
  note_bytes(s);
  bool was_asked = file->phase == FILE_ASKED;
  enum hoist_status status =
      file_accept(file, &s->request, response, s->fetch->connections, s->now_ns, &rewind, err);
  if (status != HOIST_OK) return status;
  if (rewind) {
    fetch_report(s->fetch, file, -s->request.from, false);
    s->request.from = s->written = 0;
    s->buffered = 0;
  }
  if (was_asked) {
    resume_note(s->fetch, file);
    fetch_summon(s->fetch);
  }
  s->request.whole = file->whole;
  s->end = response->length != FILE_SIZE_UNKNOWN ? response->offset + response->length
                                                 : file_part_end(file, s->part);
  return HOIST_OK;
}

static enum hoist_status on_begin(void *user, const struct source_response *response,
                                  struct hoist_error *err) {
  struct stream *s = user;
  pthread_mutex_lock(&s->fetch->lock);
  enum hoist_status status = take_answer(s, response, err);
  pthread_mutex_unlock(&s->fetch->lock);
  return status;
}

static enum hoist_status refuse(struct stream *s, int64_t most, struct hoist_error *err) {
  if (s->request.to != SOURCE_TO_END) s->request.trouble = SOURCE_BAD_RANGE;
  return hoist_fail(err, HOIST_CORRUPT,
                    "%s: the server sends more than the %" PRId64 " bytes expected",
                    s->file->m->name, most);
}

static enum hoist_status on_write(void *user, const void *data, size_t size,
                                  struct hoist_error *err) {
  struct stream *s = user;
  enum hoist_status status = call_check(&s->call, s->file->m->name, err);
  if (status != HOIST_OK) return status;
  int64_t most = s->end != SOURCE_TO_END ? s->end : FETCH_MAX_FILE_BYTES;
  if (size > (uint64_t)(most - s->request.from)) return refuse(s, most, err);
  s->request.from += (int64_t)size;
  s->unnoted += (int64_t)size;
  for (const char *p = data; size > 0;) {
    size_t full = FETCH_BUFFER_BYTES - (size_t)(s->written % FETCH_BUFFER_BYTES);
    size_t n = size < full - s->buffered ? size : full - s->buffered;
    memcpy(s->buffer + s->buffered, p, n);
    s->buffered += n;
    p += n;
    size -= n;
    if (s->buffered == full) status = flush(s, err);
    if (status != HOIST_OK) return status;
  }
  if (clock_monotonic_ns() - s->now_ns < REPORT_INTERVAL_NS) return HOIST_OK;
  pthread_mutex_lock(&s->fetch->lock);
  note_bytes(s);
  pthread_mutex_unlock(&s->fetch->lock);
  return HOIST_OK;
}

/* While this worker is at the file, nobody closes it. */
static enum hoist_status note_part(struct stream *s, struct hoist_error *err) {
  if (!s->file->journaled) return HOIST_OK;
  const struct journal_part part = {
      .file = (uint32_t)(s->file - s->fetch->files), .part = (uint32_t)s->part, .crc = s->crc};
  enum hoist_status status = journal_add(s->fetch->journal, &part, s->file->fd, err);
  s->disk_failed |= status != HOIST_OK;
  return status;
}

static enum hoist_status deliver_content(struct stream *s, struct hoist_error *err) {
  const struct manifest_file *m = s->file->m;
  const struct source_response response = {.length = m->size, .size = m->size};
  enum hoist_status status = on_begin(s, &response, err);
  return status == HOIST_OK ? on_write(s, m->content, (size_t)m->size, err) : status;
}

static enum hoist_status run(struct stream *s, struct hoist_error *err) {
  struct fetch *f = s->fetch;
  enum hoist_status status =
      s->file->m->content ? deliver_content(s, err)
                          : f->source->ops->fetch(&s->call, f->source, f->id, &s->request, err);
  if (status == HOIST_OK) status = flush(s, err);
  if (status != HOIST_OK) return status;
  if (s->end == SOURCE_TO_END || s->request.from == s->end) return note_part(s, err);
  if (s->request.to != SOURCE_TO_END) s->request.trouble = SOURCE_BAD_RANGE;
  return hoist_fail(err, HOIST_CORRUPT, "%s: got %" PRId64 " of %" PRId64 " bytes",
                    s->file->m->name, s->request.from, s->end);
}

enum hoist_status stream_run(struct fetch *f, struct file *file, size_t part, char *buffer,
                             enum source_trouble *ret_trouble, int *ret_disk_failed,
                             struct hoist_error *err) {
  struct stream s = {.fetch = f,
                     .file = file,
                     .part = part,
                     .call = f->call,
                     .buffer = buffer,
                     .now_ns = clock_monotonic_ns(),
                     .end = SOURCE_TO_END};
  s.call.span = &file->span;
  s.call.stop = &file->stop;
  pthread_mutex_lock(&f->lock);
  s.written = file->phase == FILE_OPEN ? file->parts[part].at : 0;
  s.request = (struct source_request){
      .file = file->m,
      .from = s.written,
      .to = file_part_end(file, part),
      .whole = file->whole,
      .validator = file->validator,
      .sink = {.user = &s, .begin = on_begin, .write = on_write},
  };
  pthread_mutex_unlock(&f->lock);
  enum hoist_status status = run(&s, err);
  pthread_mutex_lock(&f->lock);
  note_bytes(&s);
  pthread_mutex_unlock(&f->lock);
  *ret_trouble = s.request.trouble;
  *ret_disk_failed = s.disk_failed;
  return status;
}
