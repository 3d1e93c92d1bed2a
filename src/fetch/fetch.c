/* SPDX-License-Identifier: Apache-2.0 */
/* The workers: each takes the next file of the model until none is left or one failed. The calling
 * thread is one of them, so a model of one file starts no thread. struct fetch is shared by the workers
 * and guarded by its lock where it says so; each manifest file belongs to one worker at a time. */
#include "fetch.h"

#include <hoist/hoist.h>
#include <pthread.h>
#include <stdbool.h>

#include "clock.h"
#include "download.h"
#include "fs.h"

#define PROGRESS_INTERVAL_NS (100 * NS_PER_MS)

struct fetch {
  struct call call; /* the caller's, with `stop` set to ours */
  struct source *source;
  const struct model_id *id;
  struct manifest *m;
  struct cache_txn *txn;
  int64_t total_bytes; /* -1: some size is not known */
  atomic_int stop;

  pthread_mutex_t lock; /* guards what follows */
  size_t next;
  size_t files_done;
  int64_t bytes_done;
  struct fetch_outcome outcome;
  enum hoist_status status; /* the first failure */
  struct hoist_error error;
};

/* A file in the hands of a worker. */
struct transfer {
  struct fetch *fetch;
  struct call call; /* with the file's span as parent */
  struct download download;
  int64_t reported; /* bytes of this file counted in fetch->bytes_done */
  uint64_t reported_ns;
};

static void report(struct transfer *t, bool done) {
  struct fetch *f = t->fetch;
  const struct manifest_file *file = t->download.file;
  pthread_mutex_lock(&f->lock);
  f->bytes_done += t->download.received - t->reported;
  f->files_done += done;
  t->reported = t->download.received;
  struct hoist_progress event = {
      .kind = HOIST_PROGRESS_FILE,
      .model_id = f->id->text,
      .source = f->source->name,
      .file = file->name,
      .bytes = t->download.received,
      .file_bytes = file->size != FILE_SIZE_UNKNOWN ? file->size : t->download.announced,
      .file_done = done,
      .file_count = f->m->file_count,
      .files_done = f->files_done,
      .total_done = f->bytes_done,
      .total_bytes = f->total_bytes,
  };
  if (f->call.progress) f->call.progress(f->call.progress_user, &event);
  pthread_mutex_unlock(&f->lock);
}

static void report_now_and_then(struct transfer *t) {
  if (!t->fetch->call.progress) return;
  uint64_t now = clock_monotonic_ns();
  if (now - t->reported_ns < PROGRESS_INTERVAL_NS) return;
  t->reported_ns = now;
  report(t, false);
}

static enum hoist_status sink_begin(void *user, const struct source_response *response,
                                    struct hoist_error *err) {
  struct transfer *t = user;
  return download_restart(&t->download, response->size, &response->promised, err);
}

static enum hoist_status sink_write(void *user, const void *data, size_t size,
                                    struct hoist_error *err) {
  struct transfer *t = user;
  enum hoist_status status = call_check(&t->call, t->download.file->name, err);
  if (status == HOIST_OK) status = download_write(&t->download, data, size, err);
  if (status == HOIST_OK) report_now_and_then(t);
  return status;
}

static enum hoist_status transfer_bytes(struct transfer *t, struct hoist_error *err) {
  struct manifest_file *file = t->download.file;
  enum hoist_status status;
  if (file->content) {
    status = download_write(&t->download, file->content, (size_t)file->size, err);
  } else {
    struct source_request request = {.file = file,
                                     .to = SOURCE_TO_END,
                                     .whole = 1,
                                     .validator = file->etag,
                                     .sink = {.user = t, .begin = sink_begin, .write = sink_write}};
    struct source *source = t->fetch->source;
    status = source->ops->fetch(&t->call, source, t->fetch->id, &request, err);
  }
  return status == HOIST_OK ? download_finish(&t->download, err) : status;
}

static void describe_on_span(struct hoist_span *span, const struct manifest_file *file) {
  char hex[DIGEST_HEX_SIZE];
  digest_hex(&file->digest, hex);
  hoist_span_set_int(span, "file.size", file->size);
  hoist_span_set_string(span, "artifact.hash", hex);
}

static void count(struct fetch *f, int64_t bytes, int disk_failed) {
  pthread_mutex_lock(&f->lock);
  f->outcome.bytes += (uint64_t)bytes;
  f->outcome.disk_failed |=
      disk_failed; /* a disk that failed one file would fail the next source's too */
  pthread_mutex_unlock(&f->lock);
}

static enum hoist_status fetch_into(struct fetch *f, struct manifest_file *file,
                                    struct hoist_span *span, struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = -1;
  enum hoist_status status = cache_txn_create(f->txn, file->name, &fd, err);
  if (status != HOIST_OK) {
    count(f, 0, status != HOIST_CORRUPT); /* CORRUPT: the source's names clash */
    return status;
  }
  struct transfer t = {.fetch = f, .call = f->call};
  t.call.span = span;
  status = download_init(&t.download, file, fd, err);
  if (status == HOIST_OK) {
    report(&t, false);
    status = transfer_bytes(&t, err);
  }
  if (status == HOIST_OK) report(&t, true);
  count(f, file->content ? 0 : t.download.received, t.download.disk_failed);
  download_done(&t.download);
  return status;
}

static enum hoist_status fetch_file(struct fetch *f, struct manifest_file *file,
                                    struct hoist_error *err) {
  struct hoist_span span;
  hoist_span_start(f->call.span, "model.artifact.download", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "model.id", f->id->text);
  hoist_span_set_string(&span, "artifact.filename", file->name);
  enum hoist_status status = fetch_into(f, file, &span, err);
  if (status == HOIST_OK)
    describe_on_span(&span, file);
  else
    hoist_span_record_error(&span, err);
  hoist_span_end(&span);
  return status;
}

static struct manifest_file *take_next(struct fetch *f) {
  pthread_mutex_lock(&f->lock);
  struct manifest_file *file =
      f->next < f->m->file_count && f->status == HOIST_OK ? &f->m->files[f->next++] : NULL;
  pthread_mutex_unlock(&f->lock);
  return file;
}

/* The first failure is the cause; what the stopped siblings say about it is noise. */
static void keep_first_failure(struct fetch *f, enum hoist_status status,
                               const struct hoist_error *error) {
  pthread_mutex_lock(&f->lock);
  if (f->status == HOIST_OK) {
    f->status = status;
    f->error = *error;
  }
  pthread_mutex_unlock(&f->lock);
  atomic_store(&f->stop, 1);
}

static void *work(void *user) {
  struct fetch *f = user;
  struct manifest_file *file;
  while ((file = take_next(f))) {
    struct hoist_error error = {0};
    enum hoist_status status = fetch_file(f, file, &error);
    if (status != HOIST_OK) keep_first_failure(f, status, &error);
  }
  return NULL;
}

static void run_workers(struct fetch *f, unsigned connections) {
  pthread_t threads[FETCH_MAX_CONNECTIONS];
  size_t wanted = connections < f->m->file_count ? connections : f->m->file_count;
  size_t started = 0;
  if (wanted > FETCH_MAX_CONNECTIONS) wanted = FETCH_MAX_CONNECTIONS;
  /* Fewer threads than wanted are slower, not wrong: this thread works too. */
  while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, f) == 0)
    started++;
  work(f);
  while (started > 0)
    pthread_join(threads[--started], NULL);
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
      .lock = PTHREAD_MUTEX_INITIALIZER,
      .status = HOIST_OK,
  };
  f.call.stop = &f.stop;
  run_workers(&f, connections);
  pthread_mutex_destroy(&f.lock);
  *ret_outcome = f.outcome;
  if (f.status != HOIST_OK && err) *err = f.error;
  return f.status;
}
