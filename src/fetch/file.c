/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about a file while it is fetched. A file begins with one request, whose answer tells
 * its size, its version, and whether the server can do ranges; then its parts are handed out from front
 * to back. Bytes once written to a part are never written again, so they may be hashed at once: a file
 * that must begin again first loses all its requests. */
#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "fetch.h"
#include "fs.h"
#include "text.h"

enum hoist_status file_init(struct file *file, struct manifest_file *m, struct hoist_error *err) {
  *file = (struct file){.m = m, .fd = -1, .size = m->size, .limit = 1};
  /* Only a strong ETag names bytes. */
  if (m->etag && m->etag[0] == '"') {
    file->validator = text_dup(m->etag);
    if (!file->validator) return hoist_fail_memory(err, "a download");
  }
  return HOIST_OK;
}

void file_done(struct file *file) {
  frontier_abandon(HOIST_TAKE(file->frontier));
  checksums_done(&file->sums);
  free(HOIST_TAKE(file->parts));
  free(HOIST_TAKE(file->validator));
  fd_cleanup(&file->fd);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void skip_done(struct file *file) {
  while (file->next_part < file->part_count && file->parts[file->next_part].state == PART_DONE)
    file->next_part++;
}

bool file_has_work(const struct file *file) {
  if (file->restart) return false;
  if (file->phase == FILE_WAITING) return true;
  return file->phase == FILE_OPEN && file->next_part < file->part_count &&
         file->requests < file->limit;
}

bool file_retake(struct file *file, size_t *ret_part) {
  if (file->next_part == file->part_count) return false;
  *ret_part = file->next_part++;
  file->parts[*ret_part].state = PART_TAKEN;
  skip_done(file);
  return true;
}

size_t file_take(struct file *file, uint64_t now_ns) {
  file->requests++;
  if (file->phase == FILE_WAITING) {
    file->phase = FILE_ASKED;
    file->asked_ns = now_ns;
    return 0;
  }
  size_t part = 0;
  (void)file_retake(file, &part);
  return part;
}

int64_t file_part_begin(size_t part) {
  return (int64_t)part * FILE_PART_BYTES;
}

/* Before the first answer there is one part, which is small enough to learn from it what is best, and
 * all of a file that is known to be small. */
int64_t file_part_end(const struct file *file, size_t part) {
  bool small = file->size != FILE_SIZE_UNKNOWN && file->size <= FILE_PARALLEL_ABOVE_BYTES;
  if (file->phase == FILE_ASKED) return file->whole || small ? SOURCE_TO_END : FILE_PART_BYTES;
  if (part + 1 < file->part_count) return file_part_begin(part + 1);
  return file->size != FILE_SIZE_UNKNOWN ? file->size : SOURCE_TO_END;
}

size_t file_count_parts(int64_t size) {
  return (size_t)((size + FILE_PART_BYTES - 1) / FILE_PART_BYTES);
}

static enum hoist_status lay_out(struct file *file, size_t count, struct hoist_error *err) {
  file->parts = calloc(count, sizeof *file->parts);
  if (!file->parts) return hoist_fail_memory(err, "a download");
  file->part_count = count;
  for (size_t i = 0; i < count; i++)
    file->parts[i].at = file_part_begin(i);
  file->parts[0].state = PART_TAKEN;
  file->next_part = 1;
  return HOIST_OK;
}

void file_advance(struct file *file, size_t part, int64_t at) {
  file->parts[part].at = at;
  if (file->frontier && part == file->front) frontier_advance(file->frontier, at);
}

bool file_part_done(struct file *file, size_t part) {
  file->parts[part].state = PART_DONE;
  file->parts_done++;
  while (file->front < file->part_count && file->parts[file->front].state == PART_DONE)
    file->front++;
  if (file->frontier && file->front > part)
    frontier_advance(file->frontier, file->front < file->part_count
                                         ? file->parts[file->front].at
                                         : file->parts[file->part_count - 1].at);
  return file->parts_done == file->part_count;
}

/* ---- answers --------------------------------------------------------------------------------- */

static enum hoist_status changed(const struct file *file, struct source_request *request,
                                 struct hoist_error *err) {
  request->trouble = SOURCE_CHANGED;
  return hoist_fail(err, HOIST_UNAVAILABLE, "%s: changed on the server while it was fetched",
                    file->m->name);
}

static enum hoist_status check_size(const struct file *file, struct source_request *request,
                                    int64_t size, struct hoist_error *err) {
  if (size == FILE_SIZE_UNKNOWN) return HOIST_OK;
  if (size < 0 || size > FETCH_MAX_FILE_BYTES)
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: the server announces an absurd size of %" PRId64 " bytes", file->m->name,
                      size);
  if (file->size == FILE_SIZE_UNKNOWN || file->size == size) return HOIST_OK;
  if (file->phase == FILE_OPEN) return changed(file, request, err);
  return hoist_fail(err, HOIST_CORRUPT,
                    "%s: the server sends %" PRId64 " bytes, its listing says %" PRId64,
                    file->m->name, size, file->size);
}

static enum hoist_status check_version(struct file *file, struct source_request *request,
                                       const struct source_response *response,
                                       struct hoist_error *err) {
  if (!response->validator) return HOIST_OK;
  if (file->validator) {
    /* One may be an ETag and the other a date, where a server has only one of them at a time. */
    bool same_kind = (file->validator[0] == '"') == (response->validator[0] == '"');
    bool same = text_equal(file->validator, response->validator);
    return same || !same_kind ? HOIST_OK : changed(file, request, err);
  }
  file->validator = text_dup(response->validator);
  return file->validator ? HOIST_OK : hoist_fail_memory(err, "a download");
}

static enum hoist_status open_file(struct file *file, struct source_request *request,
                                   const struct source_response *response, unsigned max,
                                   uint64_t now_ns, struct hoist_error *err) {
  int64_t length = response->length;
  int64_t size = response->size != FILE_SIZE_UNKNOWN ? response->size : file->size;
  bool all = length == FILE_SIZE_UNKNOWN || length == size;
  if (!all && size == FILE_SIZE_UNKNOWN) {
    request->trouble = SOURCE_BAD_RANGE;
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: the server sends a part and does not say of how much", file->m->name);
  }
  if (request->to != SOURCE_TO_END && all && (size == FILE_SIZE_UNKNOWN || size > request->to))
    file->whole = true; /* asked for a part, it sends everything */
  if (size != FILE_SIZE_UNKNOWN) file->size = size;
  enum hoist_status status = lay_out(file, all ? 1 : file_count_parts(size), err);
  if (status != HOIST_OK) return status;
  struct digest promised = checksums_choose(&file->m->digest, &response->promised);
  status = checksums_restart(&file->sums, &promised, err);
  if (status != HOIST_OK) return status;
  file->phase = FILE_OPEN;
  if (size != FILE_SIZE_UNKNOWN && size <= FILE_PARALLEL_ABOVE_BYTES) return HOIST_OK;
  ramp_start(&file->ramp, max, now_ns - file->asked_ns, now_ns);
  file->limit = file->ramp.target;
  return frontier_start(file->fd, file->m->name, &file->sums, &file->frontier, err);
}

/* The worker that is at it has taken the file's first request; it becomes one for the first part that
 * is not there. */
enum hoist_status file_resume(struct file *file, int64_t size, const struct digest *promised,
                              const bool *have, unsigned max, uint64_t now_ns,
                              struct hoist_error *err) {
  enum hoist_status status = lay_out(file, file_count_parts(size), err);
  if (status == HOIST_OK) status = checksums_restart(&file->sums, promised, err);
  if (status == HOIST_OK)
    status = frontier_start(file->fd, file->m->name, &file->sums, &file->frontier, err);
  if (status != HOIST_OK) return status;
  file->size = size;
  file->phase = FILE_OPEN;
  file->parts[0].state = PART_FREE;
  file->next_part = 0;
  for (size_t i = 0; i < file->part_count; i++) {
    if (!have[i]) continue;
    file->parts[i].at = file_part_end(file, i);
    file->resumed += file->parts[i].at - file_part_begin(i);
    (void)file_part_done(file, i);
  }
  ramp_start(&file->ramp, max, 0, now_ns);
  file->limit = file->ramp.target;
  skip_done(file);
  return HOIST_OK;
}

static enum hoist_status rewind_file(struct file *file, struct hoist_error *err) {
  frontier_abandon(HOIST_TAKE(file->frontier));
  file->parts[0].at = 0;
  if (ftruncate(file->fd, 0) != 0)
    return hoist_fail_errno(err, errno, "rewinding %s", file->m->name);
  struct digest promised = file->sums.promised;
  enum hoist_status status = checksums_restart(&file->sums, &promised, err);
  if (status != HOIST_OK) return status;
  if (file->size != FILE_SIZE_UNKNOWN && file->size <= FILE_PARALLEL_ABOVE_BYTES) return HOIST_OK;
  return frontier_start(file->fd, file->m->name, &file->sums, &file->frontier, err);
}

enum hoist_status file_accept(struct file *file, struct source_request *request,
                              const struct source_response *response, unsigned max, uint64_t now_ns,
                              bool *ret_rewind, struct hoist_error *err) {
  *ret_rewind = false;
  enum hoist_status status = check_version(file, request, response, err);
  if (status == HOIST_OK) status = check_size(file, request, response->size, err);
  if (status != HOIST_OK) return status;
  if (file->phase == FILE_ASKED) return open_file(file, request, response, max, now_ns, err);
  if (response->offset == request->from) return HOIST_OK;
  if (file->part_count > 1) {
    request->trouble = SOURCE_BAD_RANGE;
    return hoist_fail(err, HOIST_CORRUPT, "%s: the server sends the whole file instead of a part",
                      file->m->name);
  }
  *ret_rewind = true;
  return rewind_file(file, err);
}

/* ---- beginning again ------------------------------------------------------------------------- */

bool file_may_restart(struct file *file, enum source_trouble trouble) {
  if (file->restart) return true; /* another part of it found the reason */
  if (trouble == SOURCE_NO_TROUBLE) return false;
  if (trouble == SOURCE_BAD_RANGE && file->whole) return false;
  if (trouble == SOURCE_CHANGED && file->changes++ > 0) return false;
  if (trouble == SOURCE_CHANGED) file->stale = true;
  file->whole |= trouble == SOURCE_BAD_RANGE;
  file->restart = true;
  atomic_store(&file->stop, 1);
  return true;
}

enum hoist_status file_begin_again(struct file *file, struct hoist_error *err) {
  frontier_abandon(HOIST_TAKE(file->frontier));
  free(HOIST_TAKE(file->parts));
  if (file->stale) free(HOIST_TAKE(file->validator));
  file->stale = false;
  file->resumed = 0;
  file->journaled = false;
  file->part_count = file->next_part = file->parts_done = file->front = 0;
  file->received = 0;
  file->limit = 1;
  file->size = file->changes > 0 ? FILE_SIZE_UNKNOWN : file->m->size;
  file->phase = FILE_WAITING;
  file->restart = false;
  atomic_store(&file->stop, 0);
  if (ftruncate(file->fd, 0) != 0)
    return hoist_fail_errno(err, errno, "beginning %s again", file->m->name);
  return HOIST_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

static enum hoist_status note_version(struct file *file, struct hoist_error *err) {
  if (file->changes == 0) return HOIST_OK;
  bool has_etag = file->validator && file->validator[0] == '"';
  char *etag = has_etag ? text_dup(file->validator) : NULL;
  if (has_etag && !etag) return hoist_fail_memory(err, "a download");
  free(file->m->etag);
  file->m->etag = etag;
  return HOIST_OK;
}

enum hoist_status file_finish(struct file *file, struct hoist_error *err) {
  int64_t size = file->parts[file->part_count - 1].at;
  if (file->size != FILE_SIZE_UNKNOWN && size != file->size)
    return hoist_fail(err, HOIST_CORRUPT, "%s: got %" PRId64 " of %" PRId64 " bytes", file->m->name,
                      size, file->size);
  enum hoist_status status =
      file->frontier ? frontier_finish(HOIST_TAKE(file->frontier), err) : HOIST_OK;
  if (status != HOIST_OK) return status;
  struct digest sha256;
  status = checksums_finish(&file->sums, file->m->name, &sha256, err);
  if (status == HOIST_OK) status = note_version(file, err);
  if (status != HOIST_OK) return status;
  file->m->size = size;
  file->m->digest = sha256;
  return HOIST_OK;
}
