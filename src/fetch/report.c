/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a fetch while it goes on: progress events, and the span of each file. */
#include <hoist/hoist.h>

#include "clock.h"
#include "fetch_internal.h"

#define PROGRESS_INTERVAL_NS (100 * NS_PER_MS)

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

void fetch_warn(struct fetch *f, const struct file *file, const char *message) {
  tell(f, file, HOIST_PROGRESS_WARNING, false, message);
}

/* ---- spans ------------------------------------------------------------------------------------- */

void fetch_begin_span(struct fetch *f, struct file *file) {
  hoist_span_start(f->call.span, "model.artifact.download", HOIST_SPAN_INTERNAL, &file->span);
  if (*f->id->text) hoist_span_set_string(&file->span, "model.id", f->id->text);
  hoist_span_set_string(&file->span, "artifact.filename", file->m->name);
  file->has_span = true;
}

void fetch_end_span(struct file *file, const struct hoist_error *failure) {
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
