/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a file while it is fetched: they are handed out from front to back, several to a request,
 * and each block of them is written once, so that what is written may be hashed at once. A file that
 * must begin again first loses all its requests. */
#include "file_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "text.h"

enum hoist_status file_init(struct file *file, struct manifest_file *m, unsigned max,
                            struct block_pool *pool, struct hoist_error *err) {
  *file = (struct file){.m = m, .fd = -1, .size = m->size, .limit = 1, .max = max, .pool = pool};
  /* Only a strong ETag names bytes. */
  if (m->etag && m->etag[0] == '"') {
    file->validator = text_dup(m->etag);
    if (!file->validator) return hoist_fail_memory(err, "a download");
  }
  return HOIST_OK;
}

static void free_parts(struct file *file) {
  for (size_t i = 0; i < file->part_count; i++)
    free(file->parts[i].sums);
  free(HOIST_TAKE(file->parts));
  file->part_count = file->parts_free = file->parts_done = file->next_part = file->front = 0;
}

void file_done(struct file *file) {
  frontier_abandon(HOIST_TAKE(file->frontier));
  checksums_done(&file->sums);
  free_parts(file);
  free(HOIST_TAKE(file->validator));
  free(HOIST_TAKE(file->doubt));
  fd_cleanup(&file->fd);
}

/* ---- taking ---------------------------------------------------------------------------------- */

bool file_is_small(const struct file *file) {
  return file->size != FILE_SIZE_UNKNOWN && file->size <= FILE_PARALLEL_ABOVE_BYTES;
}

bool file_is_large(const struct file *file) {
  if (file->phase == FILE_OPEN) return file->frontier != NULL;
  return file->size != FILE_SIZE_UNKNOWN && !file_is_small(file);
}

bool file_has_work(const struct file *file) {
  if (file->restart) return false;
  if (file->phase == FILE_WAITING) return true;
  return file->phase == FILE_OPEN && file->parts_free > 0 && file->requests < file->limit;
}

static void skip_taken(struct file *file) {
  while (file->next_part < file->part_count && file->parts[file->next_part].state != PART_FREE)
    file->next_part++;
}

/* Each request asks for a fair share of half of what is left: few requests, whose round trips cost time,
 * and short ones at the end, where nobody should have to wait for a long one. */
static size_t run_parts(const struct file *file, size_t left) {
  size_t share = left / (2 * (size_t)file->max);
  return share < 1 ? 1 : share < FILE_RUN_PARTS ? share : FILE_RUN_PARTS;
}

bool file_retake(struct file *file, struct run *ret_run) {
  if (file->parts_free == 0) return false;
  size_t most = run_parts(file, file->parts_free), end = file->next_part;
  for (; end - file->next_part < most && end < file->part_count; end++) {
    if (file->parts[end].state != PART_FREE) break;
    if (end > file->next_part && file->parts[end].at > file_part_begin(end)) break;
    file->parts[end].state = PART_TAKEN;
    file->parts_free--;
  }
  *ret_run = (struct run){.part = file->next_part, .end = end};
  skip_taken(file);
  return true;
}

struct run file_take(struct file *file, uint64_t now_ns) {
  struct run run = {0, 1};
  file->requests++;
  if (file->phase != FILE_WAITING) {
    (void)file_retake(file, &run);
    return run;
  }
  file->phase = FILE_ASKED;
  file->asked_ns = now_ns;
  if (file->size != FILE_SIZE_UNKNOWN && !file_is_small(file))
    run.end = run_parts(file, file_count_parts(file->size));
  return run;
}

void file_give_back(struct file *file, size_t part, size_t end) {
  for (size_t i = part; i < end; i++)
    file->parts[i].state = PART_FREE;
  file->parts_free += end - part;
  if (part < file->next_part) file->next_part = part;
}

/* ---- where parts are ------------------------------------------------------------------------- */

int64_t file_part_begin(size_t part) {
  return (int64_t)part * FILE_PART_BYTES;
}

int64_t file_part_end(const struct file *file, size_t part) {
  if (part + 1 < file->part_count) return file_part_begin(part + 1);
  return file->size != FILE_SIZE_UNKNOWN ? file->size : SOURCE_TO_END;
}

/* Before the first answer: as much as tells what is best, and all of a file that is known to be small. */
int64_t file_run_end(const struct file *file, const struct run *run) {
  if (file->phase != FILE_ASKED) return file_part_end(file, run->end - 1);
  return file->whole || file_is_small(file) ? SOURCE_TO_END : file_part_begin(run->end);
}

size_t file_count_parts(int64_t size) {
  return (size_t)((size + FILE_PART_BYTES - 1) / FILE_PART_BYTES);
}

static enum hoist_status lay_out(struct file *file, size_t count, struct hoist_error *err) {
  file->parts = calloc(count, sizeof *file->parts);
  if (!file->parts) return hoist_fail_memory(err, "a download");
  file->part_count = file->parts_free = count;
  for (size_t i = 0; i < count; i++)
    file->parts[i].at = file->parts[i].seen = file_part_begin(i);
  return HOIST_OK;
}

enum hoist_status file_open_whole(struct file *file, struct hoist_error *err) {
  enum hoist_status status = lay_out(file, 1, err);
  if (status != HOIST_OK) return status;
  file->parts[0].state = PART_TAKEN;
  file->parts_free = 0;
  file->next_part = 1;
  return HOIST_OK;
}

enum hoist_status file_open_parts(struct file *file, struct run *run, struct hoist_error *err) {
  enum hoist_status status = lay_out(file, file_count_parts(file->size), err);
  if (status != HOIST_OK) return status;
  if (run->end > file->part_count) run->end = file->part_count;
  for (size_t i = run->part; i < run->end; i++)
    file->parts[i].state = PART_TAKEN;
  file->parts_free -= run->end - run->part;
  file->next_part = run->end;
  return HOIST_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint32_t block_bit(size_t part, int64_t at) {
  return UINT32_C(1) << ((at - file_part_begin(part)) / BLOCK_BYTES);
}

int64_t file_saw(struct file *file, size_t part, int64_t at) {
  struct part *p = &file->parts[part];
  int64_t more = at - p->seen;
  if (more <= 0) return 0;
  p->seen = at;
  return more;
}

bool file_claim(struct file *file, size_t part, int64_t at) {
  struct part *p = &file->parts[part];
  if (file->part_count == 1) return true; /* which only one request fetches */
  if (p->claimed & block_bit(part, at)) return false;
  p->claimed |= block_bit(part, at);
  return true;
}

bool file_wrote(struct file *file, size_t part, int64_t at, int64_t end) {
  struct part *p = &file->parts[part];
  if (file->part_count == 1) {
    p->at = end;
    return false; /* where it ends is for the end of the answer to say */
  }
  int64_t begin = file_part_begin(part), part_end = file_part_end(file, part);
  p->written |= block_bit(part, at);
  int64_t blocks = p->written == UINT32_MAX ? FILE_PART_BLOCKS : __builtin_ctz(~p->written);
  p->at = begin + blocks * (int64_t)BLOCK_BYTES;
  if (p->at > part_end) p->at = part_end;
  return p->at == part_end;
}

void file_part_done(struct file *file, size_t part) {
  file->parts[part].state = PART_DONE;
  free(HOIST_TAKE(file->parts[part].sums));
  file->parts_done++;
  while (file->front < file->part_count && file->parts[file->front].state == PART_DONE)
    file->front++;
}

/* Not before: a request that lost a race for the last part may still be at it. */
bool file_may_end(struct file *file) {
  if (file->phase != FILE_OPEN || file->requests > 0 || file->parts_done < file->part_count)
    return false;
  file->phase = FILE_ENDING;
  return true;
}

int64_t file_ready(const struct file *file) {
  return file->parts[file->front < file->part_count ? file->front : file->part_count - 1].at;
}

/* ---- going on, beginning again ---------------------------------------------------------------- */

static void take_remnant(struct file *file, size_t index, struct remnant *left) {
  struct part *part = &file->parts[index];
  int64_t begin = file_part_begin(index), end = file_part_end(file, index);
  part->at = begin + (int64_t)(left->blocks * BLOCK_BYTES);
  if (part->at > end) part->at = end;
  part->seen = part->at;
  file->resumed += part->at - begin;
  if (part->at == end) {
    file->parts_free--;
    file_part_done(file, index);
  } else {
    part->claimed = part->written = (UINT32_C(1) << left->blocks) - 1;
    part->sums = HOIST_TAKE(left->sums);
  }
}

/* The worker that is at it has taken the file's first request. */
enum hoist_status file_resume(struct file *file, int64_t size, const struct promise *promise,
                              struct remnant *left, uint64_t now_ns, struct hoist_error *err) {
  enum hoist_status status = lay_out(file, file_count_parts(size), err);
  if (status == HOIST_OK) status = checksums_restart(&file->sums, promise, err);
  if (status == HOIST_OK)
    status = frontier_start(file->fd, file->m->name, &file->sums, file->pool, &file->frontier, err);
  if (status != HOIST_OK) return status;
  file->size = size;
  file->phase = FILE_OPEN;
  for (size_t i = 0; i < file->part_count; i++)
    if (left[i].blocks > 0) take_remnant(file, i, &left[i]);
  frontier_advance(file->frontier, file_ready(file));
  ramp_start(&file->ramp, file->max, now_ns - file->asked_ns, now_ns);
  file->ramp.bytes = file->resumed;
  file->limit = file->ramp.target;
  skip_taken(file);
  return HOIST_OK;
}

bool file_may_restart(struct file *file, enum source_trouble trouble) {
  if (file->restart) return true; /* another part of it found the reason */
  if (trouble == SOURCE_NO_TROUBLE) return false;
  if (trouble == SOURCE_BAD_RANGE && file->whole) return false;
  if (trouble == SOURCE_CHANGED && file->changes++ > 0) return false;
  if (trouble == SOURCE_CHANGED) file->stale = true;
  file->whole |= trouble == SOURCE_BAD_RANGE;
  file->restart = true;
  return true;
}

enum hoist_status file_begin_again(struct file *file, struct hoist_error *err) {
  frontier_abandon(HOIST_TAKE(file->frontier));
  free_parts(file);
  if (file->stale) free(HOIST_TAKE(file->validator));
  file->stale = false;
  file->resumed = 0;
  file->journaled = false;
  file->received = 0;
  file->waited_ns = 0;
  file->limit = 1;
  file->size = file->changes > 0 ? FILE_SIZE_UNKNOWN : file->m->size;
  file->phase = FILE_WAITING;
  file->restart = false;
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

static enum hoist_status come_wrong(struct file *file, enum hoist_status status,
                                    struct hoist_error *wrong, struct hoist_error *err) {
  if (status == HOIST_CORRUPT && !file->doubt) {
    file->doubt = text_dup(wrong->message); /* else this is the end of it */
  } else if (status == HOIST_CORRUPT) {
    bool same = strcmp(file->doubt, wrong->message) == 0;
    hoist_error_append(wrong, "%s",
                       same ? ", both times it was fetched"
                            : ", and something else the other time it was fetched");
  }
  if (err) *err = *wrong;
  return status;
}

enum hoist_status file_finish(const struct call *call, struct file *file, struct hoist_error *err) {
  int64_t size = file->parts[file->part_count - 1].at;
  if (file->size != FILE_SIZE_UNKNOWN && size != file->size)
    return hoist_fail(err, HOIST_CORRUPT, "%s: got %" PRId64 " of %" PRId64 " bytes", file->m->name,
                      size, file->size);
  enum hoist_status status =
      file->frontier ? frontier_finish(call, HOIST_TAKE(file->frontier), err) : HOIST_OK;
  if (status != HOIST_OK) return status;
  struct digest sha256;
  struct hoist_error wrong;
  status = checksums_finish(&file->sums, file->m->name, &sha256, &wrong);
  if (status != HOIST_OK) return come_wrong(file, status, &wrong, err);
  status = note_version(file, err);
  if (status != HOIST_OK) return status;
  file->m->size = size;
  file->m->digest = sha256;
  return HOIST_OK;
}
