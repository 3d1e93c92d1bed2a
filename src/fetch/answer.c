/* SPDX-License-Identifier: Apache-2.0 */
/* Holding a server's answer against what is known of the file. The first one tells its size, its version,
 * and whether the server can do ranges; the others must not contradict it. Under the lock of the fetch. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "fetch.h"
#include "file_internal.h"
#include "text.h"

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

static enum hoist_status start_frontier(struct file *file, struct hoist_error *err) {
  if (file_is_small(file) && file->part_count == 1) return HOIST_OK;
  return frontier_start(file->fd, file->m->name, &file->sums, file->pool, &file->frontier, err);
}

static enum hoist_status open_file(struct file *file, struct source_request *request,
                                   struct run *run, const struct source_response *response,
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
  if (all) run->end = run->part + 1;
  enum hoist_status status = all ? file_open_whole(file, err) : file_open_parts(file, run, err);
  if (status != HOIST_OK) return status;
  const struct promise said = {response->promised, response->promised_part_bytes};
  const struct promise promise = checksums_choose(&file->m->digest, &said);
  status = checksums_restart(&file->sums, &promise, err);
  if (status != HOIST_OK) return status;
  file->phase = FILE_OPEN;
  ramp_start(&file->ramp, file->max, now_ns - file->asked_ns, now_ns);
  file->limit = all ? 1 : file->ramp.target;
  return start_frontier(file, err);
}

static enum hoist_status rewind_file(struct file *file, struct hoist_error *err) {
  frontier_abandon(HOIST_TAKE(file->frontier));
  file->parts[0].at = file->parts[0].seen = 0;
  if (ftruncate(file->fd, 0) != 0)
    return hoist_fail_errno(err, errno, "rewinding %s", file->m->name);
  enum hoist_status status = checksums_restart(&file->sums, &file->sums.promise, err);
  return status == HOIST_OK ? start_frontier(file, err) : status;
}

enum hoist_status file_accept(struct file *file, struct source_request *request, struct run *run,
                              const struct source_response *response, uint64_t now_ns,
                              bool *ret_rewind, struct hoist_error *err) {
  *ret_rewind = false;
  enum hoist_status status = check_version(file, request, response, err);
  if (status == HOIST_OK) status = check_size(file, request, response->size, err);
  if (status != HOIST_OK) return status;
  if (file->phase == FILE_ASKED) return open_file(file, request, run, response, now_ns, err);
  if (response->offset == request->from) return HOIST_OK;
  if (file->part_count > 1) {
    request->trouble = SOURCE_BAD_RANGE;
    return hoist_fail(err, HOIST_CORRUPT, "%s: the server sends the whole file instead of a part",
                      file->m->name);
  }
  *ret_rewind = true;
  return rewind_file(file, err);
}
