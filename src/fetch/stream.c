/* SPDX-License-Identifier: Apache-2.0 */
/* One request on its way to disk. Bytes collect in the worker's block and leave it at multiples of its size
 * in the file, which is twice as fast as writing what the network happens to deliver; then the block goes
 * on to be hashed where it follows on what is hashed. What an attempt brought stays when the next one goes
 * on from there. One worker at a time. */
#include <errno.h>
#include <hoist/hoist.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fetch_internal.h"
#include "sum.h"

#define REPORT_INTERVAL_NS (100 * NS_PER_MS)
#define NOTE_INTERVAL_NS (2 * NS_PER_S) /* of a part that is under way */

struct stream {
  struct fetch *fetch;
  struct slot *slot;
  struct file *file;
  struct call call; /* with the file's span as parent, and the slot's `stop` */
  struct source_request request;
  int64_t end; /* of what the present answer brings; SOURCE_TO_END: not known */
  size_t buffered;
  int64_t at;         /* position in the file of the block's first byte */
  bool heard;         /* bytes came since the last note */
  uint64_t now_ns;    /* of the last note */
  uint64_t idle_ns;   /* when the last bytes were dealt with */
  uint64_t waited_ns; /* for bytes, since the last note */
  bool cut;           /* the rest of the run was given to others */
  int disk_failed;
};

/* ---- what the others see: under the lock -------------------------------------------------------- */

static void note_bytes(struct stream *s) {
  struct file *file = s->file;
  s->now_ns = clock_monotonic_ns();
  if (s->heard) s->slot->heard_ns = s->now_ns;
  s->heard = false;
  size_t part = s->slot->run.part;
  bool is_open = file->phase == FILE_OPEN && part < file->part_count;
  int64_t news = is_open ? file_saw(file, part, s->at + (int64_t)s->buffered) : 0;
  fetch_report(s->fetch, file, news, false);
  file->waited_ns += s->waited_ns;
  s->waited_ns = 0;
  if (file->limit == 1 && file->part_count <= 1) return;
  bool has_grown = ramp_note(&file->ramp, file->received, file->waited_ns, s->now_ns);
  file->limit = file->ramp.target;
  if (has_grown) fetch_summon(s->fetch);
}

/* Remembers the sum of a block while its part is under way. */
static void note_sum(struct stream *s, struct part *part, uint64_t sum) {
  if (!s->file->journaled) return;
  if (!part->sums) part->sums = calloc((size_t)FILE_PART_BLOCKS, sizeof *part->sums);
  size_t block = (size_t)((s->at - file_part_begin(s->slot->run.part)) / BLOCK_BYTES);
  if (part->sums) part->sums[block] = sum;
}

/* Which block of a part comes when, and from whom, makes no difference to the part's sum. */
static enum hoist_status note_part(struct stream *s, size_t index, struct hoist_error *err) {
  s->file->parts[index].noted_ns = s->now_ns;
  enum hoist_status status = resume_note_part(s->fetch, s->file, index, err);
  s->disk_failed |= status != HOIST_OK;
  return status;
}

/* Over a slow connection a part takes long, and what is there of it is worth noting. */
static enum hoist_status note_slow_part(struct stream *s, size_t index, struct hoist_error *err) {
  struct part *part = &s->file->parts[index];
  if (part->noted_ns == 0) part->noted_ns = s->now_ns;
  return s->now_ns - part->noted_ns < NOTE_INTERVAL_NS ? HOIST_OK : note_part(s, index, err);
}

static enum hoist_status finish_part(struct stream *s, struct hoist_error *err) {
  size_t index = s->slot->run.part;
  if (s->file->parts[index].state == PART_DONE) return HOIST_OK;
  enum hoist_status status = note_part(s, index, err);
  if (status != HOIST_OK) return status;
  file_part_done(s->file, index);
  if (s->file->part_count > 1)
    hedge_part_done(s->fetch, s->slot, s->now_ns);
  else if (file_is_small(s->file))
    hedge_small_file_done(s->fetch, s->slot, s->now_ns);
  return HOIST_OK;
}

/* The next part of the run, or its end, which may have moved. */
static void leave_part(struct stream *s) {
  struct slot *slot = s->slot;
  slot->run.part++;
  slot->since_ns = s->now_ns;
  s->cut = slot->run.part == slot->run.end && s->request.from < s->end;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static enum hoist_status write_block(struct stream *s, struct hoist_error *err) {
  const char *data = s->slot->block->data;
  size_t left = s->buffered;
  for (int64_t at = s->at; left > 0;) {
    ssize_t n = pwrite(s->file->fd, data, left, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      s->disk_failed = 1;
      return hoist_fail_errno(err, errno, "writing %s", s->file->m->name);
    }
    data += n;
    left -= (size_t)n;
    at += n;
  }
  return HOIST_OK;
}

/* The block that was just written goes on to be hashed, if it is its turn and there is another one to go
 * on with; else it is read back later. */
static void pass_on(struct stream *s) {
  struct frontier *frontier = s->file->frontier;
  if (!frontier) return;
  struct block *block = s->slot->block, *other = block_take(&s->fetch->pool);
  block->at = s->at;
  block->size = s->buffered;
  if (other && frontier_offer(frontier, block))
    s->slot->block = other;
  else
    block_give(&s->fetch->pool, other);
  frontier_advance(frontier, file_ready(s->file));
}

static enum hoist_status settle_block(struct stream *s, bool is_ours, uint64_t sum,
                                      struct hoist_error *err) {
  struct file *file = s->file;
  size_t index = s->slot->run.part;
  int64_t end = s->at + (int64_t)s->buffered;
  enum hoist_status status = HOIST_OK;
  note_bytes(s);
  if (is_ours) {
    note_sum(s, &file->parts[index], sum);
    bool is_done = file_wrote(file, index, s->at, end);
    status = is_done ? finish_part(s, err) : note_slow_part(s, index, err);
    pass_on(s);
  }
  s->at = end;
  s->buffered = 0;
  if (file->part_count > 1 && end == file_part_end(file, index)) leave_part(s);
  return status;
}

static enum hoist_status flush(struct stream *s, struct hoist_error *err) {
  struct file *file = s->file;
  enum hoist_status status = HOIST_OK;
  if (s->buffered == 0) return HOIST_OK;
  if (!file->frontier)
    status = checksums_update(&file->sums, s->slot->block->data, s->buffered, err);
  if (status != HOIST_OK) return status;
  pthread_mutex_lock(&s->fetch->lock);
  bool is_ours = file_claim(file, s->slot->run.part, s->at);
  pthread_mutex_unlock(&s->fetch->lock);
  uint64_t sum = 0;
  if (is_ours && file->journaled) sum = sum_of_block(s->slot->block->data, s->buffered);
  if (is_ours) status = write_block(s, err);
  if (status != HOIST_OK) return status;
  pthread_mutex_lock(&s->fetch->lock);
  status = settle_block(s, is_ours, sum, err);
  pthread_mutex_unlock(&s->fetch->lock);
  return status;
}

/* ---- the sink ----------------------------------------------------------------------------------- */

static enum hoist_status take_answer(struct stream *s, const struct source_response *response,
                                     struct hoist_error *err) {
  bool rewind = false;
  struct file *file = s->file;
  note_bytes(s);
  bool was_asked = file->phase == FILE_ASKED;
  enum hoist_status status =
      file_accept(file, &s->request, &s->slot->run, response, s->now_ns, &rewind, err);
  if (status != HOIST_OK) return status;
  if (rewind) {
    fetch_report(s->fetch, file, -s->request.from, false);
    s->request.from = s->at = 0;
    s->buffered = 0;
  }
  if (was_asked) {
    fetch_count_large(s->fetch, s->slot);
    resume_note(s->fetch, file);
    fetch_summon(s->fetch);
  }
  s->request.whole = file->whole;
  s->end = response->length != FILE_SIZE_UNKNOWN ? response->offset + response->length
                                                 : file_run_end(file, &s->slot->run);
  return HOIST_OK;
}

static enum hoist_status on_begin(void *user, const struct source_response *response,
                                  struct hoist_error *err) {
  struct stream *s = user;
  pthread_mutex_lock(&s->fetch->lock);
  enum hoist_status status = take_answer(s, response, err);
  pthread_mutex_unlock(&s->fetch->lock);
  s->idle_ns = clock_monotonic_ns();
  return status;
}

static enum hoist_status refuse(struct stream *s, int64_t most, struct hoist_error *err) {
  if (s->request.to != SOURCE_TO_END) s->request.trouble = SOURCE_BAD_RANGE;
  return hoist_fail(err, HOIST_CORRUPT,
                    "%s: the server sends more than the %" PRId64 " bytes expected",
                    s->file->m->name, most);
}

static enum hoist_status stop_here(const struct stream *s, struct hoist_error *err) {
  atomic_store(&s->slot->stop, 1);
  return hoist_fail(err, HOIST_CANCELLED, "%s: others fetch the rest", s->file->m->name);
}

static enum hoist_status take_bytes(struct stream *s, const char *data, size_t size,
                                    struct hoist_error *err) {
  while (size > 0) {
    size_t room = BLOCK_BYTES - (size_t)(s->at % BLOCK_BYTES) - s->buffered;
    size_t n = size < room ? size : room;
    memcpy(s->slot->block->data + s->buffered, data, n);
    s->buffered += n;
    s->request.from += (int64_t)n;
    s->heard = true;
    data += n;
    size -= n;
    bool is_last = s->request.from == s->end && s->file->part_count > 1;
    enum hoist_status status = n == room || is_last ? flush(s, err) : HOIST_OK;
    if (status != HOIST_OK) return status;
    if (s->cut) return stop_here(s, err);
  }
  return HOIST_OK;
}

static enum hoist_status on_write(void *user, const void *data, size_t size,
                                  struct hoist_error *err) {
  struct stream *s = user;
  s->waited_ns += clock_monotonic_ns() - s->idle_ns;
  enum hoist_status status = call_check(&s->call, s->file->m->name, err);
  if (status != HOIST_OK) return status;
  int64_t most = s->end != SOURCE_TO_END ? s->end : FETCH_MAX_FILE_BYTES;
  if (size > (uint64_t)(most - s->request.from)) return refuse(s, most, err);
  status = take_bytes(s, data, size, err);
  s->idle_ns = clock_monotonic_ns();
  if (status != HOIST_OK || s->idle_ns - s->now_ns < REPORT_INTERVAL_NS) return status;
  pthread_mutex_lock(&s->fetch->lock);
  note_bytes(s);
  pthread_mutex_unlock(&s->fetch->lock);
  return HOIST_OK;
}

/* ---- running ------------------------------------------------------------------------------------ */

static enum hoist_status deliver_content(struct stream *s, struct hoist_error *err) {
  const struct manifest_file *m = s->file->m;
  const struct source_response response = {.length = m->size, .size = m->size};
  enum hoist_status status = on_begin(s, &response, err);
  return status == HOIST_OK ? on_write(s, m->content, (size_t)m->size, err) : status;
}

static enum hoist_status came_short(struct stream *s, struct hoist_error *err) {
  if (s->request.to != SOURCE_TO_END) s->request.trouble = SOURCE_BAD_RANGE;
  return hoist_fail(err, HOIST_CORRUPT, "%s: got %" PRId64 " of %" PRId64 " bytes",
                    s->file->m->name, s->request.from, s->end);
}

/* The only part of a file ends where the answer does. */
static enum hoist_status finish_only_part(struct stream *s, struct hoist_error *err) {
  pthread_mutex_lock(&s->fetch->lock);
  enum hoist_status status = finish_part(s, err);
  pthread_mutex_unlock(&s->fetch->lock);
  return status;
}

static enum hoist_status run(struct stream *s, struct hoist_error *err) {
  struct fetch *f = s->fetch;
  enum hoist_status status =
      s->file->m->content ? deliver_content(s, err)
                          : f->source->ops->fetch(&s->call, f->source, f->id, &s->request, err);
  if (s->cut) return HOIST_OK;
  if (status == HOIST_OK) status = flush(s, err);
  if (status != HOIST_OK) return status;
  if (s->end != SOURCE_TO_END && s->request.from != s->end) return came_short(s, err);
  return s->file->part_count == 1 ? finish_only_part(s, err) : HOIST_OK;
}

/* The layers below know requests, not files. */
static void tell_of_file(void *user, const struct hoist_progress *event) {
  const struct stream *s = user;
  struct hoist_progress named = *event;
  named.file = s->file->m->name;
  named.source = s->fetch->source->name;
  s->fetch->call.progress(s->fetch->call.progress_user, &named);
}

static void prepare(struct stream *s) {
  struct file *file = s->file;
  struct slot *slot = s->slot;
  bool is_open = file->phase == FILE_OPEN;
  slot->since_ns = slot->heard_ns = s->now_ns;
  s->at = is_open ? file->parts[slot->run.part].at : 0;
  s->request = (struct source_request){
      .file = file->m,
      .from = s->at,
      .to = file_run_end(file, &slot->run),
      .whole = file->whole,
      .validator = file->validator,
      .wants_promise = !is_open,
      .sink = {.user = s, .begin = on_begin, .write = on_write},
  };
}

enum hoist_status stream_run(struct fetch *f, struct slot *slot, enum source_trouble *ret_trouble,
                             int *ret_disk_failed, struct hoist_error *err) {
  struct stream s = {.fetch = f,
                     .slot = slot,
                     .file = slot->file,
                     .call = f->call,
                     .now_ns = clock_monotonic_ns(),
                     .end = SOURCE_TO_END};
  s.call.span = &s.file->span;
  s.call.received = &s.file->came;
  s.call.stop = &slot->stop;
  s.call.paused = &slot->paused;
  if (f->call.progress) {
    s.call.progress = tell_of_file;
    s.call.progress_user = &s;
  }
  pthread_mutex_lock(&f->lock);
  prepare(&s);
  pthread_mutex_unlock(&f->lock);
  enum hoist_status status = run(&s, err);
  pthread_mutex_lock(&f->lock);
  note_bytes(&s);
  pthread_mutex_unlock(&f->lock);
  *ret_trouble = s.request.trouble;
  *ret_disk_failed = s.disk_failed;
  return status;
}
