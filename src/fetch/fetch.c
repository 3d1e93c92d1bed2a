/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler: one for all files of a model, and workers that each have one request at a time until
 * there is nothing left to ask for or one failed. The calling thread is one of them; others are started when there is
 * work for them, so a model of one small file starts no thread. struct fetch is shared by the workers
 * and guarded by its lock where it says so. */
#include <stdbool.h>
#include <string.h>

#include "condition.h"
#include "fetch_internal.h"
#include "fs.h"

#define LOOK_INTERVAL_NS (100 * NS_PER_MS) /* between two looks for slow requests */

/* ---- beginning and ending a file -------------------------------------------------------------- */

static enum hoist_status stage(struct fetch *f, struct slot *slot, int *disk_failed,
                               struct hoist_error *err) {
  struct file *file = slot->file;
  if (file->fd >= 0) return HOIST_OK;
  fetch_begin_span(f, file);
  enum hoist_status status = f->target->create(f->target->user, file->m, &file->fd, err);
  *disk_failed = status != HOIST_OK && status != HOIST_CORRUPT; /* CORRUPT: names that clash */
  return status == HOIST_OK ? resume_file(f, slot, err) : status;
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
    fetch_end_span(file, file->error.status != HOIST_OK ? &file->error : &f->error);
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
  if (ends) status = fetch_finish(f, file, &disk_failed, &error);
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
