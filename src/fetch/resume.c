/* SPDX-License-Identifier: Apache-2.0 */
/* Going on where an earlier download of the same files was interrupted. Its journal says what was there of
 * which parts; each is read back and compared with its checksum before it counts, and the version it
 * is of is the one asked for from then on. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fetch_internal.h"
#include "sum.h"
#include "text.h"

#define KEY_MAX_BYTES (4u << 20)

/* What the parts are parts of. Locators are left out: they are new with every description. To be made
 * before the first file is finished: that puts digests into the manifest which nobody promised. */
static enum hoist_status make_key(const struct fetch *f, struct digest *ret_key,
                                  struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf text = buf_make(KEY_MAX_BYTES);
  enum hoist_status status =
      buf_printf(&text, err, "parts of %" PRId64 ", blocks of %u\n%s\n%s\n", FILE_PART_BYTES,
                 BLOCK_BYTES, f->source->name, f->source->location);
  for (size_t i = 0; i < f->m->file_count && status == HOIST_OK; i++) {
    const struct manifest_file *m = &f->m->files[i];
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&m->digest, hex);
    status = buf_printf(&text, err, "%s\n%" PRId64 " %s %s\n", m->name, m->size, hex,
                        m->etag ? m->etag : "");
  }
  return status == HOIST_OK ? digest_of(DIGEST_SHA256, buf_str(&text), text.size, ret_key, err)
                            : status;
}

static enum hoist_status open_journal(struct fetch *f, bool *ret_void, struct hoist_error *err) {
  int fd = -1;
  enum hoist_status status = f->target->open_journal(f->target->user, &fd, err);
  return status == HOIST_OK ? journal_open(fd, &f->key, ret_void, &f->journal, err) : status;
}

enum hoist_status resume_open(struct fetch *f, struct hoist_error *err) {
  bool is_void = false;
  enum hoist_status status = make_key(f, &f->key, err);
  if (status != HOIST_OK || !f->target->is_adopted(f->target->user)) return status;
  status = open_journal(f, &is_void, err);
  f->adopted = status == HOIST_OK && !is_void;
  if (status != HOIST_OK || !is_void) return status;
  journal_close(HOIST_TAKE(f->journal));
  return f->target->reset(f->target->user, err);
}

/* Anything wrong with a part means only that it is fetched again. A call that was called off finds
 * nothing, at once even where the disk is slow. */
static bool read_back(const struct call *call, int fd, int64_t from, int64_t to,
                      uint64_t sums[FILE_PART_BLOCKS], char *buffer) {
  for (; from < to; sums++) {
    size_t size = to - from < (int64_t)BLOCK_BYTES ? (size_t)(to - from) : (size_t)BLOCK_BYTES;
    if (call_check(call, "", NULL) != HOIST_OK) return false;
    for (size_t at = 0; at < size;) {
      ssize_t n = pread(fd, buffer + at, size - at, from + (int64_t)at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      at += (size_t)n;
    }
    *sums = sum_of_block(buffer, size);
    from += (int64_t)size;
  }
  return true;
}

static size_t count_blocks(int64_t size) {
  return (size_t)((size + BLOCK_BYTES - 1) / BLOCK_BYTES);
}

/* What is there of a part that was noted, if it is what it was. */
static void look(const struct call *call, int fd, int64_t file_size,
                 const struct journal_part *noted, char *buffer, struct remnant *ret_left) {
  uint64_t sums[FILE_PART_BLOCKS];
  int64_t from = file_part_begin(noted->part), rest = file_size - from;
  int64_t part_size = rest < FILE_PART_BYTES ? rest : FILE_PART_BYTES;
  if (noted->blocks == 0 || noted->blocks > count_blocks(part_size)) return;
  int64_t size = (int64_t)noted->blocks * BLOCK_BYTES;
  if (size > part_size) size = part_size;
  if (!read_back(call, fd, from, from + size, sums, buffer)) return;
  if (sum_of_part(sums, noted->blocks) != noted->sum) return;
  if (size < part_size) {
    ret_left->sums = calloc(FILE_PART_BLOCKS, sizeof *sums);
    if (!ret_left->sums) return;
    memcpy(ret_left->sums, sums, noted->blocks * sizeof *sums);
  }
  ret_left->blocks = noted->blocks;
}

/* The last that was noted of a part is the most. */
static enum hoist_status find_parts(struct fetch *f, const struct file *file,
                                    const struct journal_file *about, char *buffer,
                                    struct remnant *left, struct hoist_error *err) {
  size_t known = 0, count = file_count_parts(about->size);
  const struct journal_part *parts = journal_parts(f->journal, &known);
  /* At least one request has to find out whether the file is still the same. */
  size_t usable = file->m->etag ? count : count - 1;
  for (size_t i = known; i-- > 0;) {
    if (parts[i].file != about->file || parts[i].part >= usable) continue;
    if (left[parts[i].part].blocks > 0) continue;
    enum hoist_status status = call_check(&f->call, file->m->name, err);
    if (status != HOIST_OK) return status;
    look(&f->call, file->fd, about->size, &parts[i], buffer, &left[parts[i].part]);
  }
  return call_check(&f->call, file->m->name, err);
}

static bool fits(const struct file *file, const struct journal_file *about) {
  return about->size > FILE_PARALLEL_ABOVE_BYTES && about->size <= FETCH_MAX_FILE_BYTES &&
         *about->validator && about->promised.kind <= DIGEST_SHA256 &&
         about->promised_part_bytes >= 0 &&
         (file->size == FILE_SIZE_UNKNOWN || file->size == about->size) &&
         (!file->validator || text_equal(file->validator, about->validator));
}

/* Under the lock. */
static enum hoist_status adopt(struct fetch *f, struct slot *slot, const struct journal_file *about,
                               struct remnant *left, struct hoist_error *err) {
  struct file *file = slot->file;
  const struct promise promise = {about->promised, about->promised_part_bytes};
  enum hoist_status status =
      file_resume(file, about->size, &promise, left, clock_monotonic_ns(), err);
  if (status == HOIST_OK) status = journal_go_on(f->journal, about->file, file->fd, err);
  if (status != HOIST_OK) return status;
  file->journaled = true;
  if (!file_retake(file, &slot->run)) slot->run = (struct run){0};
  if (file->resumed > 0) fetch_report_resumed(f, file, file->resumed);
  fetch_summon(f);
  return HOIST_OK;
}

static enum hoist_status go_on(struct fetch *f, struct slot *slot, const struct journal_file *about,
                               struct remnant *left, struct hoist_error *err) {
  struct file *file = slot->file;
  enum hoist_status status = find_parts(f, file, about, slot->block->data, left, err);
  char *validator = status == HOIST_OK ? text_dup(about->validator) : NULL;
  if (status != HOIST_OK) return status;
  if (!validator) return hoist_fail_memory(err, "a download");
  pthread_mutex_lock(&f->lock);
  free(file->validator);
  file->validator = validator;
  status = adopt(f, slot, about, left, err);
  pthread_mutex_unlock(&f->lock);
  return status;
}

enum hoist_status resume_file(struct fetch *f, struct slot *slot, struct hoist_error *err) {
  struct journal_file about;
  struct file *file = slot->file;
  if (!f->adopted) return HOIST_OK;
  if (!journal_find(f->journal, (size_t)(file - f->files), &about) || !fits(file, &about))
    return ftruncate(file->fd, 0) == 0 ? HOIST_OK
                                       : hoist_fail_errno(err, errno, "emptying %s", file->m->name);
  size_t count = file_count_parts(about.size);
  HOIST_AUTO(mem) struct remnant *left = calloc(count, sizeof *left);
  if (!left) return hoist_fail_memory(err, "a download");
  enum hoist_status status = go_on(f, slot, &about, left, err);
  for (size_t i = 0; i < count; i++)
    free(left[i].sums); /* those that were not taken over */
  return status;
}

/* Only now is there something to be noted. A journal that cannot be had costs the next download time. */
void resume_note(struct fetch *f, struct file *file) {
  bool is_void = false;
  file->journaled = false;
  if (file->part_count < 2 || !file->validator) return;
  if (!f->journal && open_journal(f, &is_void, NULL) != HOIST_OK) return;
  const struct promise *promise = &file->sums.promise;
  struct journal_file about = {.file = (uint32_t)(file - f->files),
                               .size = file->size,
                               .promised = promise->digest,
                               .promised_part_bytes = promise->part_bytes};
  if (!text_copy(about.validator, sizeof about.validator, file->validator)) return;
  file->journaled = journal_begin(f->journal, &about, file->fd, NULL) == HOIST_OK;
}

/* ---- what is noted of parts ------------------------------------------------------------------ */

static size_t blocks_there(const struct file *file, size_t index) {
  const struct part *part = &file->parts[index];
  return part->sums ? count_blocks(part->at - file_part_begin(index)) : 0;
}

enum hoist_status resume_note_part(struct fetch *f, struct file *file, size_t index,
                                   struct hoist_error *err) {
  size_t blocks = blocks_there(file, index);
  if (!file->journaled || blocks == 0) return HOIST_OK;
  const struct journal_part there = {.file = (uint32_t)(file - f->files),
                                     .part = (uint32_t)index,
                                     .blocks = blocks,
                                     .sum = sum_of_part(file->parts[index].sums, blocks)};
  return journal_add(f->journal, &there, err);
}

bool resume_keep(struct fetch *f) {
  if (!f->journal) return false;
  journal_rest(f->journal);
  for (size_t i = 0; i < f->m->file_count; i++) {
    struct file *file = &f->files[i];
    for (size_t part = 0; part < file->part_count; part++)
      if (resume_note_part(f, file, part, NULL) != HOIST_OK) return false;
  }
  return journal_keep(f->journal);
}
