/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler: one for all files of a model, and workers that each fetch one part at a time until
 * there is none left or one failed. The calling thread is one of them; others are started when there is
 * work for them, so a model of one small file starts no thread. struct fetch is shared by the workers
 * and guarded by its lock where it says so. */
#include <hoist/hoist.h>
#include <stdbool.h>
#include <string.h>

#include "clock.h"
#include "fetch_internal.h"
#include "fs.h"

#define PROGRESS_INTERVAL_NS (100 * NS_PER_MS)
#define BUFFER_ALIGNMENT 4096

/* ---- progress -------------------------------------------------------------------------------- */

static void tell(struct fetch *f, const struct file *file, bool done) {
  struct hoist_progress event = {
      .kind = HOIST_PROGRESS_FILE,
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
  };
  f->call.progress(f->call.progress_user, &event);
}

void fetch_report(struct fetch *f, struct file *file, int64_t bytes, bool done) {
  file->received += bytes;
  f->bytes_done += bytes;
  f->files_done += done;
  if (!f->call.progress) return;
  uint64_t now = clock_monotonic_ns();
  if (!done && now - file->reported_ns < PROGRESS_INTERVAL_NS) return;
  file->reported_ns = now;
  tell(f, file, done);
}

/* ---- beginning and ending a file -------------------------------------------------------------- */

struct job {
  struct file *file;
  size_t part; /* PART_NONE: all of them are there */
};

static enum hoist_status stage(struct fetch *f, struct job *job, char *buffer, int *disk_failed,
                               struct hoist_error *err) {
  struct file *file = job->file;
  if (file->fd >= 0) return HOIST_OK;
  hoist_span_start(f->call.span, "model.artifact.download", HOIST_SPAN_INTERNAL, &file->span);
  hoist_span_set_string(&file->span, "model.id", f->id->text);
  hoist_span_set_string(&file->span, "artifact.filename", file->m->name);
  file->has_span = true;
  enum hoist_status status = cache_txn_create(f->txn, file->m->name, &file->fd, err);
  *disk_failed = status != HOIST_OK && status != HOIST_CORRUPT; /* CORRUPT: names that clash */
  return status == HOIST_OK ? resume_file(f, file, buffer, &job->part, err) : status;
}

static void end_span(struct file *file, const struct hoist_error *failure) {
  if (!file->has_span) return;
  if (failure) {
    hoist_span_record_error(&file->span, failure);
  } else {
    char hex[DIGEST_HEX_SIZE];
    digest_hex(&file->m->digest, hex);
    hoist_span_set_int(&file->span, "file.size", file->m->size);
    if (file->resumed > 0) hoist_span_set_int(&file->span, "artifact.resumed_bytes", file->resumed);
    hoist_span_set_string(&file->span, "artifact.hash", hex);
  }
  hoist_span_end(&file->span);
  file->has_span = false;
}

/* The first failure is the cause; what the stopped siblings say about it is noise. Under the lock. */
static void fail(struct fetch *f, enum hoist_status status, const struct hoist_error *error,
                 int disk_failed) {
  f->outcome.disk_failed |= disk_failed;
  if (f->status != HOIST_OK) return;
  f->status = status;
  f->error = *error;
  for (size_t i = 0; i < f->m->file_count; i++)
    atomic_store(&f->files[i].stop, 1);
}

/* Ends what a fetch that failed left open. */
static void close_files(struct fetch *f) {
  for (size_t i = 0; i < f->m->file_count; i++) {
    struct file *file = &f->files[i];
    f->outcome.resumed_bytes += (uint64_t)file->resumed;
    end_span(file, file->error.status != HOIST_OK ? &file->error : &f->error);
    file_done(file);
  }
}

/* ---- one part after another ------------------------------------------------------------------- */

static bool find_work(struct fetch *f, struct job *ret_job) {
  if (f->status != HOIST_OK) return false;
  while (f->first < f->m->file_count && f->files[f->first].phase == FILE_FINISHED)
    f->first++;
  for (size_t i = f->first; i < f->m->file_count; i++) {
    if (!file_has_work(&f->files[i])) continue;
    ret_job->file = &f->files[i];
    return true;
  }
  return false;
}

static void *work(void *user);

void fetch_summon(struct fetch *f) {
  struct job job;
  if (!find_work(f, &job)) return;
  if (f->idle > 0) pthread_cond_signal(&f->work);
  /* Fewer threads than wanted are slower, not wrong. */
  else if (f->thread_count + 1 < f->connections &&
           pthread_create(&f->threads[f->thread_count], NULL, work, f) == 0)
    f->thread_count++;
}

static bool is_over(const struct fetch *f) {
  return f->status != HOIST_OK || f->files_done == f->m->file_count;
}

static bool take(struct fetch *f, struct job *ret_job) {
  pthread_mutex_lock(&f->lock);
  bool found;
  while (!(found = find_work(f, ret_job)) && !is_over(f)) {
    f->idle++;
    pthread_cond_wait(&f->work, &f->lock);
    f->idle--;
  }
  if (found) {
    ret_job->part = file_take(ret_job->file, clock_monotonic_ns());
    fetch_summon(f);
  }
  pthread_mutex_unlock(&f->lock);
  return found;
}

static enum hoist_status finish(struct fetch *f, struct file *file, struct hoist_error *err) {
  enum hoist_status status = file_finish(file, err);
  if (status != HOIST_OK) return status;
  end_span(file, NULL);
  file_done(file);
  pthread_mutex_lock(&f->lock);
  file->phase = FILE_FINISHED;
  fetch_report(f, file, 0, true);
  pthread_cond_broadcast(&f->work);
  pthread_mutex_unlock(&f->lock);
  return HOIST_OK;
}

/* Under the lock. OK: the file goes on, or begins again; *ret_complete: it only has to be finished. */
static enum hoist_status settle(struct fetch *f, const struct job *job, enum hoist_status status,
                                enum source_trouble trouble, bool *ret_complete,
                                struct hoist_error *err) {
  struct file *file = job->file;
  file->requests--;
  if (status == HOIST_OK && !file->restart)
    *ret_complete = job->part == PART_NONE || file_part_done(file, job->part);
  if (status != HOIST_OK && f->status == HOIST_OK && file_may_restart(file, trouble))
    status = HOIST_OK;
  if (status == HOIST_OK && file->restart && file->requests == 0 && f->status == HOIST_OK) {
    f->bytes_done -= file->received;
    status = file_begin_again(file, err);
  }
  if (status != HOIST_OK && trouble == SOURCE_CHANGED && file->changes > 1)
    status = hoist_fail(err, HOIST_CORRUPT,
                        "%s: changed twice while it was fetched: try again when its writer is done",
                        file->m->name);
  pthread_cond_broadcast(&f->work);
  return status;
}

static void run_job(struct fetch *f, struct job *job, char *buffer) {
  struct hoist_error error = {0};
  enum source_trouble trouble = SOURCE_NO_TROUBLE;
  int disk_failed = 0;
  bool complete = false;
  enum hoist_status status = stage(f, job, buffer, &disk_failed, &error);
  if (status == HOIST_OK && job->part != PART_NONE)
    status = stream_run(f, job->file, job->part, buffer, &trouble, &disk_failed, &error);
  pthread_mutex_lock(&f->lock);
  status = settle(f, job, status, trouble, &complete, &error);
  pthread_mutex_unlock(&f->lock);
  if (status == HOIST_OK && complete) {
    status = finish(f, job->file, &error);
    disk_failed = status != HOIST_OK && status != HOIST_CORRUPT;
  }
  if (status == HOIST_OK) return;
  pthread_mutex_lock(&f->lock);
  if (job->file->error.status == HOIST_OK) job->file->error = error;
  fail(f, status, &error, disk_failed);
  pthread_cond_broadcast(&f->work);
  pthread_mutex_unlock(&f->lock);
}

static void *work(void *user) {
  struct fetch *f = user;
  struct job job;
  HOIST_AUTO(mem) char *buffer = aligned_alloc(BUFFER_ALIGNMENT, FETCH_BUFFER_BYTES);
  if (!buffer) {
    struct hoist_error error = {0};
    enum hoist_status status = hoist_fail_memory(&error, "a download buffer");
    pthread_mutex_lock(&f->lock);
    fail(f, status, &error, 1);
    pthread_cond_broadcast(&f->work);
    pthread_mutex_unlock(&f->lock);
    return NULL;
  }
  while (take(f, &job))
    run_job(f, &job, buffer);
  return NULL;
}

static enum hoist_status init_files(struct fetch *f, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; i < f->m->file_count; i++) { /* all of them, since all are released */
    enum hoist_status one = file_init(&f->files[i], &f->m->files[i], err);
    if (one != HOIST_OK) status = one;
  }
  return status;
}

/* Whether the next one who asks may have more luck, and may use what is here. */
static bool may_heal(const struct fetch *f) {
  return !f->outcome.disk_failed && (f->status == HOIST_UNAVAILABLE || f->status == HOIST_TIMEOUT ||
                                     f->status == HOIST_CANCELLED);
}

static void run_workers(struct fetch *f) {
  work(f);
  /* The last ones to be started may just have been. */
  pthread_mutex_lock(&f->lock);
  unsigned count = f->thread_count;
  pthread_mutex_unlock(&f->lock);
  while (count > 0)
    pthread_join(f->threads[--count], NULL);
}

enum hoist_status fetch_model(const struct call *call, struct source *source,
                              const struct model_id *id, struct manifest *m, struct cache_txn *txn,
                              unsigned connections, struct fetch_outcome *ret_outcome,
                              struct hoist_error *err) {
  int complete = 0;
  uint64_t total = manifest_total_size(m, &complete);
  struct fetch f = {
      .call = *call,
      .source = source,
      .id = id,
      .m = m,
      .txn = txn,
      .total_bytes = complete ? (int64_t)total : FILE_SIZE_UNKNOWN,
      .connections = connections < FETCH_MAX_CONNECTIONS ? connections : FETCH_MAX_CONNECTIONS,
      .lock = PTHREAD_MUTEX_INITIALIZER,
      .work = PTHREAD_COND_INITIALIZER,
      .files = calloc(m->file_count ? m->file_count : 1, sizeof *f.files),
      .status = HOIST_OK,
  };
  *ret_outcome = f.outcome;
  if (!f.files) return hoist_fail_memory(err, "a download");
  f.status = init_files(&f, &f.error);
  if (f.status == HOIST_OK) f.status = resume_open(&f, &f.error);
  f.outcome.disk_failed = f.status != HOIST_OK;
  if (f.status == HOIST_OK) run_workers(&f);
  close_files(&f);
  f.outcome.keep = f.journal && may_heal(&f) && journal_keep(f.journal);
  journal_close(f.journal);
  free(f.files);
  pthread_mutex_destroy(&f.lock);
  pthread_cond_destroy(&f.work);
  *ret_outcome = f.outcome;
  if (f.status != HOIST_OK && err) *err = f.error;
  return f.status;
}
