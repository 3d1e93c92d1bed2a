/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler: one for all files of a model, and workers that each have one request at a time until
 * there is nothing left to ask for or one failed. The calling thread is one of them; others are started when there is
 * work for them, so a model of one small file starts no thread. struct fetch is shared by the workers
 * and guarded by its lock where it says so. */
#include <hoist/hoist.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "condition.h"
#include "fetch_internal.h"
#include "fs.h"

#define PROGRESS_INTERVAL_NS (100 * NS_PER_MS)
#define LOOK_INTERVAL_NS (100 * NS_PER_MS) /* between two looks for slow requests */

/* ---- progress -------------------------------------------------------------------------------- */

static void tell(struct fetch *f, const struct file *file, enum hoist_progress_kind kind, bool done,
                 const char *message) {
  struct hoist_progress event = {
      .kind = kind,
      .model_id = f->id->text,
      .source = f->source->name,
      .file = file->m->name,
      .bytes = file->received,
      .file_bytes = file->size,
      .file_done = done,
      .file_count = f->m->file_count,
      .files_done = f->files_done,
      .total_done = f->bytes_done,
      .total_bytes = f->total_bytes,
      .message = message,
  };
  if (f->call.progress) f->call.progress(f->call.progress_user, &event);
}

void fetch_report(struct fetch *f, struct file *file, int64_t bytes, bool done) {
  file->received += bytes;
  f->bytes_done += bytes;
  f->files_done += done;
  if (!f->call.progress) return;
  uint64_t now = clock_monotonic_ns();
  if (!done && now - file->reported_ns < PROGRESS_INTERVAL_NS) return;
  file->reported_ns = now;
  tell(f, file, HOIST_PROGRESS_FILE, done, NULL);
}

void fetch_report_resumed(struct fetch *f, struct file *file, int64_t bytes) {
  file->received += bytes;
  f->bytes_done += bytes;
  tell(f, file, HOIST_PROGRESS_RESUME, false, NULL);
}

/* ---- beginning and ending a file -------------------------------------------------------------- */

static enum hoist_status stage(struct fetch *f, struct slot *slot, int *disk_failed,
                               struct hoist_error *err) {
  struct file *file = slot->file;
  if (file->fd >= 0) return HOIST_OK;
  hoist_span_start(f->call.span, "model.artifact.download", HOIST_SPAN_INTERNAL, &file->span);
  if (*f->id->text) hoist_span_set_string(&file->span, "model.id", f->id->text);
  hoist_span_set_string(&file->span, "artifact.filename", file->m->name);
  file->has_span = true;
  enum hoist_status status = f->target->create(f->target->user, file->m, &file->fd, err);
  *disk_failed = status != HOIST_OK && status != HOIST_CORRUPT; /* CORRUPT: names that clash */
  return status == HOIST_OK ? resume_file(f, slot, err) : status;
}

static void end_span(struct file *file, const struct hoist_error *failure) {
  if (!file->has_span) return;
  hoist_span_set_int(&file->span, "artifact.bytes", (int64_t)file->came);
  if (failure) {
    hoist_span_record_error(&file->span, failure);
  } else {
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&file->m->digest, hex);
    hoist_span_set_int(&file->span, "file.size", file->m->size);
    if (file->resumed > 0) hoist_span_set_int(&file->span, "artifact.resumed_bytes", file->resumed);
    hoist_span_set_string(&file->span, "artifact.hash", hex);
    const struct promise *kept = &file->sums.promise;
    hoist_span_set_string(&file->span, "artifact.promise", digest_kind_name(kept->digest.kind));
    if (kept->part_bytes > 0)
      hoist_span_set_int(&file->span, "artifact.promise.part_bytes", kept->part_bytes);
  }
  hoist_span_end(&file->span);
  file->has_span = false;
}

/* Ends the requests for a file, or all of them. Under the lock. */
static void stop_requests(struct fetch *f, const struct file *file) {
  for (unsigned i = 0; i < f->slot_count; i++)
    if (!file || f->slots[i].file == file) atomic_store(&f->slots[i].stop, 1);
}

/* The first failure is the cause; what the stopped siblings say about it is noise. Under the lock. */
static void fail(struct fetch *f, enum hoist_status status, const struct hoist_error *error,
                 int disk_failed) {
  f->outcome.disk_failed |= disk_failed;
  if (f->status != HOIST_OK) return;
  f->status = status;
  f->error = *error;
  stop_requests(f, NULL);
}

/* Ends what a fetch that failed left open. */
static void close_files(struct fetch *f) {
  for (size_t i = 0; i < f->m->file_count; i++) {
    struct file *file = &f->files[i];
    f->outcome.bytes += file->came;
    f->outcome.resumed_bytes += (uint64_t)file->resumed;
    end_span(file, file->error.status != HOIST_OK ? &file->error : &f->error);
    file_done(file);
  }
}

/* ---- one request after another ---------------------------------------------------------------- */

static struct file *find_work(struct fetch *f) {
  if (f->status != HOIST_OK) return NULL;
  while (f->first < f->m->file_count && f->files[f->first].phase == FILE_FINISHED)
    f->first++;
  for (size_t i = f->first; i < f->m->file_count; i++) {
    struct file *file = &f->files[i];
    if (file_has_work(file) && (!file_is_large(file) || f->large_requests < f->connections))
      return file;
  }
  return NULL;
}

static void *work(void *user);

static bool start_worker(struct fetch *f) {
  if (f->slot_count == FETCH_WORKERS_PER_CONNECTION * f->connections) return false;
  struct slot *slot = &f->slots[f->slot_count];
  slot->fetch = f;
  if (pthread_create(&slot->thread, NULL, work, slot) != 0) return false;
  f->slot_count++;
  return true;
}

void fetch_summon(struct fetch *f) {
  if (!find_work(f)) return;
  if (f->idle > 0)
    pthread_cond_signal(&f->work);
  else
    (void)start_worker(f); /* fewer workers than wanted are slower, not wrong */
}

static bool is_over(const struct fetch *f) {
  return f->status != HOIST_OK || f->files_done == f->m->file_count;
}

static void wait_for_work(struct fetch *f) {
  f->idle++;
  (void)condition_wait_until(&f->work, &f->lock, clock_monotonic_ns() + LOOK_INTERVAL_NS);
  f->idle--;
}

/* Under the lock. */
static bool find_request(struct fetch *f, struct slot *slot) {
  uint64_t now_ns = clock_monotonic_ns();
  slot->since_ns = slot->heard_ns = now_ns;
  if (f->status == HOIST_OK && hedge_find(f, slot, now_ns)) return true;
  slot->file = find_work(f);
  if (slot->file)
    slot->run = file_take(slot->file, now_ns);
  else
    hedge_small_file(f, now_ns);
  return slot->file != NULL;
}

void fetch_count_large(struct fetch *f, struct slot *slot) {
  if (slot->is_large || !file_is_large(slot->file)) return;
  slot->is_large = true;
  f->large_requests++;
}

static bool take(struct fetch *f, struct slot *slot) {
  pthread_mutex_lock(&f->lock);
  bool found;
  while (!(found = find_request(f, slot)) && !is_over(f))
    wait_for_work(f);
  if (found) {
    fetch_count_large(f, slot);
    atomic_store(&slot->stop, 0);
    atomic_store(&slot->paused, 0);
    fetch_summon(f);
  }
  pthread_mutex_unlock(&f->lock);
  return found;
}

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
  tell(f, file, HOIST_PROGRESS_WARNING, false, line);
  if (status == HOIST_OK) {
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
static enum hoist_status finish(struct fetch *f, struct file *file, int *disk_failed,
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
  end_span(file, NULL);
  file_done(file);
  pthread_mutex_lock(&f->lock);
  file->phase = FILE_FINISHED;
  f->outcome.files++;
  fetch_report(f, file, 0, true);
  pthread_cond_broadcast(&f->work);
  pthread_mutex_unlock(&f->lock);
  return HOIST_OK;
}

/* What a request's failure amounts to, where others see to what it was to bring. Under the lock. */
static enum hoist_status forgive(struct fetch *f, const struct slot *slot, enum hoist_status status,
                                 enum source_trouble trouble) {
  bool is_about_it = status == HOIST_CANCELLED || status == HOIST_UNAVAILABLE;
  bool is_needless = atomic_load(&slot->stop) && !slot->file->restart;
  bool others_try =
      trouble == SOURCE_NO_TROUBLE && status == HOIST_UNAVAILABLE && hedge_has_twin(f, slot);
  return f->status == HOIST_OK && is_about_it && (is_needless || others_try) ? HOIST_OK : status;
}

/* Under the lock. OK: the file goes on, or begins again, or only has to be finished. */
static enum hoist_status settle(struct fetch *f, struct slot *slot, enum hoist_status status,
                                enum source_trouble trouble, int disk_failed, bool *ret_ends,
                                struct hoist_error *err) {
  struct file *file = slot->file;
  if (status != HOIST_OK && !disk_failed) status = forgive(f, slot, status, trouble);
  slot->file = NULL;
  f->large_requests -= slot->is_large;
  slot->is_large = false;
  file->requests--;
  if (status != HOIST_OK && f->status == HOIST_OK && file_may_restart(file, trouble)) {
    stop_requests(f, file);
    status = HOIST_OK;
  }
  if (status == HOIST_OK && file->restart && file->requests == 0 && f->status == HOIST_OK) {
    f->bytes_done -= file->received;
    status = file_begin_again(file, err);
  }
  *ret_ends = status == HOIST_OK && f->status == HOIST_OK && file_may_end(file);
  if (status != HOIST_OK && trouble == SOURCE_CHANGED && file->changes > 1)
    status = hoist_fail(err, HOIST_CORRUPT,
                        "%s: changed twice while it was fetched: try again when its writer is done",
                        file->m->name);
  pthread_cond_broadcast(&f->work);
  return status;
}

static void run_request(struct fetch *f, struct slot *slot) {
  struct hoist_error error = {0};
  enum source_trouble trouble = SOURCE_NO_TROUBLE;
  int disk_failed = 0;
  bool ends = false;
  struct file *file = slot->file;
  enum hoist_status status = stage(f, slot, &disk_failed, &error);
  if (status == HOIST_OK &&
      slot->run.part < slot->run.end) /* else an earlier download had it all */
    status = stream_run(f, slot, &trouble, &disk_failed, &error);
  pthread_mutex_lock(&f->lock);
  status = settle(f, slot, status, trouble, disk_failed, &ends, &error);
  pthread_mutex_unlock(&f->lock);
  if (ends) status = finish(f, file, &disk_failed, &error);
  if (status == HOIST_OK) return;
  pthread_mutex_lock(&f->lock);
  if (file->error.status == HOIST_OK) file->error = error;
  fail(f, status, &error, disk_failed);
  pthread_cond_broadcast(&f->work);
  pthread_mutex_unlock(&f->lock);
}

static void *work(void *user) {
  struct slot *slot = user;
  struct fetch *f = slot->fetch;
  slot->block = block_new();
  if (!slot->block) {
    struct hoist_error error = {0};
    enum hoist_status status = hoist_fail_memory(&error, "a download buffer");
    pthread_mutex_lock(&f->lock);
    fail(f, status, &error, 1);
    pthread_cond_broadcast(&f->work);
    pthread_mutex_unlock(&f->lock);
    return NULL;
  }
  while (take(f, slot))
    run_request(f, slot);
  block_give(&f->pool, HOIST_TAKE(slot->block));
  return NULL;
}

static enum hoist_status init_files(struct fetch *f, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; i < f->m->file_count; i++) { /* all of them, since all are released */
    enum hoist_status one = file_init(&f->files[i], &f->m->files[i], f->connections, &f->pool, err);
    if (one != HOIST_OK) status = one;
  }
  return status;
}

/* What is there already counts as fetched before anything is. */
static void skip_files(struct fetch *f) {
  for (size_t i = 0; f->target->is_there && i < f->m->file_count; i++) {
    struct file *file = &f->files[i];
    if (!f->target->is_there(f->target->user, i)) continue;
    file->phase = FILE_FINISHED;
    f->files_done++;
    f->bytes_done += file->size > 0 ? file->size : 0;
  }
}

/* Whether the next one who asks may have more luck, and may use what is here. */
static bool may_heal(const struct fetch *f) {
  return !f->outcome.disk_failed && (f->status == HOIST_UNAVAILABLE || f->status == HOIST_TIMEOUT ||
                                     f->status == HOIST_CANCELLED);
}

static void run_workers(struct fetch *f) {
  f->slots[0].fetch = f;
  f->slot_count = 1;
  work(&f->slots[0]);
  /* The last ones to be started may just have been. */
  pthread_mutex_lock(&f->lock);
  unsigned count = f->slot_count;
  pthread_mutex_unlock(&f->lock);
  while (count > 1)
    pthread_join(f->slots[--count].thread, NULL);
}

static enum hoist_status run_fetch(struct fetch *f, struct fetch_outcome *ret_outcome) {
  f->status = init_files(f, &f->error);
  if (f->status == HOIST_OK) f->status = resume_open(f, &f->error);
  f->outcome.disk_failed = f->status != HOIST_OK;
  skip_files(f);
  if (f->status == HOIST_OK) f->status = share_files(f, &f->error);
  if (f->status == HOIST_OK) run_workers(f);
  f->outcome.keep = may_heal(f) && resume_keep(f);
  if (f->outcome.keep && (f->status == HOIST_CANCELLED || f->status == HOIST_TIMEOUT))
    hoist_error_advise(&f->error, "the same again goes on with what has come");
  close_files(f);
  journal_close(f->journal);
  *ret_outcome = f->outcome;
  return f->status;
}

enum hoist_status fetch_files(const struct call *call, struct source *source,
                              const struct model_id *id, struct manifest *m,
                              const struct fetch_target *target, unsigned connections,
                              struct fetch_outcome *ret_outcome, struct hoist_error *err) {
  int complete = 0;
  uint64_t total = manifest_total_size(m, &complete);
  HOIST_AUTO(mem) struct fetch *f = calloc(1, sizeof *f);
  HOIST_AUTO(mem) struct file *files = calloc(m->file_count ? m->file_count : 1, sizeof *files);
  *ret_outcome = (struct fetch_outcome){0};
  if (!f || !files) return hoist_fail_memory(err, "a download");
  f->call = *call;
  f->source = source;
  f->id = id;
  f->m = m;
  f->target = target;
  f->total_bytes = complete ? (int64_t)total : FILE_SIZE_UNKNOWN;
  f->connections = connections < FETCH_MAX_CONNECTIONS ? connections : FETCH_MAX_CONNECTIONS;
  f->files = files;
  block_pool_init(&f->pool, FETCH_WAITING_BLOCKS);
  pthread_mutex_init(&f->lock, NULL);
  condition_init(&f->work);
  enum hoist_status status = run_fetch(f, ret_outcome);
  if (status != HOIST_OK && err) *err = f->error;
  block_pool_done(&f->pool);
  pthread_cond_destroy(&f->work);
  pthread_mutex_destroy(&f->lock);
  return status;
}
