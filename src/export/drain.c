/* SPDX-License-Identifier: Apache-2.0 */
/* One round of exporting: queue → batches → exporters, and metrics → exporters. Runs in the worker
 * only, so exports never overlap; takes the lock just to count. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "envelope.h"
#include "fs.h"
#include "metrics_file.h"
#include "pipeline.h"
#include "self.h"
#include "text.h"
#include "wire.h"

#define WARN_INTERVAL_NS (300 * NS_PER_S)
/* Room for the resource and the scope beside the items. */
#define ITEMS_MAX (PIPELINE_MESSAGE_MAX - (1u << 20))

static bool is_out_of_time(const struct pipeline *p) {
  return clock_monotonic_ns() >= atomic_load(&p->stop_at_ns);
}

static void set_in_io(struct pipeline *p, bool is_in_io) {
  pthread_mutex_lock(&p->lock);
  p->is_in_io = is_in_io;
  pthread_cond_broadcast(&p->to_waiters);
  pthread_mutex_unlock(&p->lock);
}

/* Nobody may be reading standard error: a stream would make the program's exit wait as well. */
static void write_warning(struct pipeline *p, const char *line) {
  char text[500];
  int size = snprintf(text, sizeof text, "hoist: %s\n", line);
  set_in_io(p, true);
  enum hoist_status ignored =
      fs_write_all(STDERR_FILENO, text, (size_t)size, "standard error", NULL);
  (void)ignored;
  set_in_io(p, false);
}

void pipeline_warn(struct pipeline *p, enum warning kind, const char *fmt, ...) {
  char text[400], line[480];
  uint64_t now = clock_monotonic_ns();
  if (p->warned_ns[kind] && now - p->warned_ns[kind] < WARN_INTERVAL_NS) return;
  pthread_mutex_lock(&p->lock);
  bool is_abandoned = p->is_abandoned;
  pthread_mutex_unlock(&p->lock);
  if (is_abandoned) return;
  p->warned_ns[kind] = now;
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  snprintf(line, sizeof line, "telemetry: %s", text);
  if (p->on_warning) {
    p->on_warning(p->on_warning_user, line);
  } else {
    write_warning(p, line);
  }
}

/* ---- what became of a batch ---------------------------------------------------------------------- */

/* Under the lock. */
static void keep_trouble(struct pipeline *p, const char *message) {
  text_copy(p->totals.last_error, sizeof p->totals.last_error, message);
  text_copy(p->trouble, sizeof p->trouble, message);
}

void pipeline_on_trouble(void *user, const char *message) {
  struct pipeline *p = user;
  pthread_mutex_lock(&p->lock);
  keep_trouble(p, message);
  pthread_mutex_unlock(&p->lock);
}

static const char *spans(uint64_t count) {
  return count == 1 ? "span" : "spans";
}

static enum warning warning_for(enum signal signal) {
  return signal == SIGNAL_TRACES ? WARN_TRACES : WARN_METRICS;
}

static void note_failure(struct pipeline *p, enum warning kind, size_t count,
                         const struct hoist_error *error) {
  pthread_mutex_lock(&p->lock);
  p->totals.exports_failed++;
  keep_trouble(p, error->message);
  pthread_mutex_unlock(&p->lock);
  if (kind == WARN_TRACES)
    pipeline_warn(p, kind, "%s; %zu %s dropped; more of this is only counted", error->message,
                  count, spans(count));
  else
    pipeline_warn(p, kind, "%s; metrics not %s; more of this is only counted", error->message,
                  kind == WARN_METRICS ? "exported" : "written");
}

static void note_partial(struct pipeline *p, const struct batch *batch,
                         const struct partial *partial) {
  if (partial->rejected == 0 && !partial->message[0]) return;
  pipeline_warn(p, WARN_REJECTED, "the collector rejected %" PRIu64 " of %zu %s%s%s",
                partial->rejected, batch->count,
                batch->signal == SIGNAL_TRACES ? spans(batch->count)
                : batch->count == 1            ? "data point"
                                               : "data points",
                partial->message[0] ? ": " : "", partial->message);
}

/* `lost` is one of p->totals. */
static void count_lost(struct pipeline *p, uint64_t *lost, uint64_t count) {
  pthread_mutex_lock(&p->lock);
  *lost += count;
  pthread_mutex_unlock(&p->lock);
}

static void count_exported(struct pipeline *p, uint64_t exported, uint64_t rejected) {
  pthread_mutex_lock(&p->lock);
  p->totals.spans_exported += exported;
  p->totals.dropped.rejected += rejected;
  pthread_mutex_unlock(&p->lock);
}

static void count_success(struct pipeline *p) {
  pthread_mutex_lock(&p->lock);
  p->totals.exports_ok++;
  pthread_mutex_unlock(&p->lock);
}

/* To every exporter that wants it; one failing does not keep it from the others. */
static enum hoist_status deliver(struct pipeline *p, const struct batch *batch,
                                 uint64_t *ret_rejected, struct hoist_error *err) {
  enum hoist_status result = HOIST_OK;
  uint64_t rejected = 0;
  for (size_t i = 0; i < p->exporter_count; i++) {
    struct exporter *exporter = p->exporters[i];
    struct partial partial = {0};
    struct hoist_error error = {0};
    if (!(exporter->signals & batch->signal)) continue;
    uint64_t started_ns = clock_monotonic_ns();
    set_in_io(p, true);
    enum hoist_status status = exporter->ops->deliver(exporter, batch, &partial, &error);
    set_in_io(p, false);
    self_exported(p, &(struct self_export){exporter, batch, &partial, status,
                                           clock_monotonic_ns() - started_ns});
    if (status == HOIST_OK) {
      count_success(p);
      note_partial(p, batch, &partial);
      if (partial.rejected > rejected) rejected = partial.rejected;
    } else {
      note_failure(p, warning_for(batch->signal), batch->count, &error);
      if (result == HOIST_OK && err) *err = error;
      result = result == HOIST_OK ? status : result;
    }
  }
  *ret_rejected = rejected < batch->count ? rejected : batch->count;
  return result;
}

/* ---- spans --------------------------------------------------------------------------------------- */

/* One round through the queue, taken apart into frames. */
struct drain {
  struct queue *queue;
  struct queue_round round;
  struct queue_piece piece; /* what is left of the one being read */
};

struct frame {
  uint8_t scope;
  const uint8_t *data; /* tag, length, message */
  size_t size;
};

/* The frame that next_frame will take; false at the end. */
static bool peek_frame(struct drain *d, struct frame *ret_frame) {
  struct wire_field field;
  while (d->piece.size == 0)
    if (!queue_next(d->queue, &d->round, &d->piece)) return false;
  struct wire_reader reader = wire_read(d->piece.data + 1, d->piece.size - 1);
  if (wire_next(&reader, &field) != WIRE_FIELD) return false; /* the recorder wrote it: never */
  *ret_frame = (struct frame){.scope = d->piece.data[0],
                              .data = d->piece.data + 1,
                              .size = (size_t)(reader.at - d->piece.data - 1)};
  return true;
}

static void take_frame(struct drain *d, const struct frame *frame) {
  d->piece.data += 1 + frame->size;
  d->piece.size -= 1 + frame->size;
}

static void clear_items(struct pipeline *p) {
  for (size_t i = 0; i < RECORDER_SCOPES_MAX; i++)
    buf_clear(&p->items[i]);
}

/* Up to a batch's worth of frames into p->items, by scope. */
static size_t gather(struct pipeline *p, struct drain *d) {
  struct frame frame;
  size_t size = 0, count = 0;
  clear_items(p);
  while (count < p->batch_spans_max && peek_frame(d, &frame) && size + frame.size <= ITEMS_MAX) {
    take_frame(d, &frame);
    if (buf_append(&p->items[frame.scope], frame.data, frame.size, NULL) != HOIST_OK) {
      count_lost(p, &p->totals.dropped.no_memory, 1);
      self_processed(p, 1, "no_memory");
      continue;
    }
    size += frame.size;
    count++;
  }
  return count;
}

static enum hoist_status wrap(struct pipeline *p, enum signal signal, size_t count,
                              struct batch *ret_batch, struct hoist_error *err) {
  struct hoist_error error = {0};
  buf_clear(&p->message);
  enum hoist_status status =
      envelope_wrap(&p->resource, &p->recorder, p->items, &p->message, &error);
  if (status != HOIST_OK) {
    note_failure(p, warning_for(signal), count, &error);
    if (err) *err = error;
    return status;
  }
  *ret_batch = (struct batch){
      .signal = signal, .data = p->message.data, .size = p->message.size, .count = count};
  return HOIST_OK;
}

static enum hoist_status export_batch(struct pipeline *p, size_t count, struct hoist_error *err) {
  struct batch batch;
  uint64_t rejected = 0;
  if (is_out_of_time(p)) {
    count_lost(p, &p->totals.dropped.shutdown, count);
    self_processed(p, count, "shutdown");
    pipeline_warn(p, WARN_CLOSED, "closed before all spans were exported; the rest is dropped");
    return hoist_fail(err, HOIST_TIMEOUT, "no time left to export %zu %s", count, spans(count));
  }
  enum hoist_status status = wrap(p, SIGNAL_TRACES, count, &batch, err);
  self_processed(p, count, NULL);
  if (status == HOIST_OK) {
    if (p->on_spans) p->on_spans(p->on_spans_user, batch.data, batch.size);
    status = deliver(p, &batch, &rejected, err);
  }
  if (status == HOIST_OK)
    count_exported(p, count - rejected, rejected);
  else
    count_lost(p, &p->totals.dropped.export_failed, count);
  return status;
}

static void warn_of_full_queue(struct pipeline *p) {
  struct queue_counts counts;
  queue_get_counts(&p->recorder.queue, &counts);
  if (counts.refused > p->refused_seen)
    pipeline_warn(p, WARN_QUEUE_FULL,
                  "the span queue was full, %" PRIu64 " %s dropped; queue_bytes sets its size",
                  counts.refused - p->refused_seen, spans(counts.refused - p->refused_seen));
  p->refused_seen = counts.refused;
}

static enum hoist_status export_spans(struct pipeline *p, struct hoist_error *err) {
  struct drain drain = {.queue = &p->recorder.queue};
  enum hoist_status result = HOIST_OK;
  queue_begin(drain.queue, &drain.round);
  for (size_t count; (count = gather(p, &drain)) > 0;) {
    enum hoist_status status = export_batch(p, count, result == HOIST_OK ? err : NULL);
    result = result == HOIST_OK ? status : result;
  }
  warn_of_full_queue(p);
  return result;
}

/* ---- metrics ------------------------------------------------------------------------------------- */

static bool wants_metrics(const struct pipeline *p) {
  for (size_t i = 0; i < p->exporter_count; i++)
    if (p->exporters[i]->signals & SIGNAL_METRICS) return true;
  return false;
}

static enum hoist_status write_metrics_file(struct pipeline *p, struct hoist_error *err) {
  size_t left_out = 0;
  buf_clear(&p->text);
  enum hoist_status status = pipeline_render(p, &p->text, &left_out, err);
  set_in_io(p, true);
  if (status == HOIST_OK) status = metrics_file_write(p->metrics_file, &p->text, err);
  set_in_io(p, false);
  if (left_out > 0)
    pipeline_warn(p, WARN_METRIC_NAMES,
                  "%zu metrics or attribute sets are not in %s: their names, types or labels clash "
                  "with others', or there are too many",
                  left_out, p->metrics_file);
  return status;
}

static enum hoist_status export_to_file(struct pipeline *p, struct hoist_error *err) {
  struct hoist_error error = {0};
  if (!p->metrics_file) return HOIST_OK;
  enum hoist_status status = write_metrics_file(p, &error);
  if (status == HOIST_OK) {
    count_success(p);
    return HOIST_OK;
  }
  note_failure(p, WARN_METRICS_FILE, 0, &error);
  if (err) *err = error;
  return status;
}

/* A message's worth of metrics into p->items, from *scope on, which is then where to go on. */
static enum hoist_status encode_metrics(struct pipeline *p, unsigned scopes, unsigned *scope,
                                        size_t *ret_points, struct hoist_error *err) {
  size_t size = 0;
  clear_items(p);
  *ret_points = 0;
  for (; *scope < scopes; ++*scope) {
    struct buf *items = &p->items[*scope];
    size_t points = 0;
    items->max = ITEMS_MAX - size;
    enum hoist_status status = recorder_encode_metrics(&p->recorder, *scope, items, &points, err);
    items->max = PIPELINE_MESSAGE_MAX;
    if (status == HOIST_CORRUPT && size > 0) return HOIST_OK; /* the next message has room */
    if (status != HOIST_OK) return status;
    *ret_points += points;
    size += items->size;
    if (metrics_has_more(&p->recorder.metrics, *scope)) return HOIST_OK;
  }
  return HOIST_OK;
}

static enum hoist_status export_message(struct pipeline *p, size_t points,
                                        struct hoist_error *err) {
  struct batch batch;
  uint64_t rejected;
  enum hoist_status status = wrap(p, SIGNAL_METRICS, points, &batch, err);
  return status == HOIST_OK ? deliver(p, &batch, &rejected, err) : status;
}

static enum hoist_status export_encoded(struct pipeline *p, struct hoist_error *err) {
  enum hoist_status result = HOIST_OK;
  if (!wants_metrics(p) || is_out_of_time(p)) return HOIST_OK;
  self_observe(p);
  unsigned scopes = atomic_load_explicit(&p->recorder.scope_count, memory_order_acquire);
  for (unsigned scope = 0; scope < scopes && !is_out_of_time(p);) {
    struct hoist_error error = {0};
    size_t points;
    enum hoist_status status = encode_metrics(p, scopes, &scope, &points, &error);
    bool is_encoded = status == HOIST_OK;
    if (!is_encoded) note_failure(p, WARN_METRICS, 0, &error);
    if (is_encoded && points > 0) status = export_message(p, points, &error);
    if (result == HOIST_OK && status != HOIST_OK && err) *err = error;
    if (result == HOIST_OK) result = status;
    if (!is_encoded) break;
  }
  return result;
}

/* The file first: nobody can hold it up. */
static enum hoist_status export_metrics(struct pipeline *p, struct hoist_error *err) {
  enum hoist_status file = export_to_file(p, err);
  enum hoist_status encoded = export_encoded(p, file == HOIST_OK ? err : NULL);
  return file != HOIST_OK ? file : encoded;
}

enum hoist_status pipeline_export(struct pipeline *p, bool with_metrics, struct hoist_error *err) {
  struct hoist_error spans_error = {0}, metrics_error = {0};
  enum hoist_status traces = export_spans(p, &spans_error), metrics = HOIST_OK;
  if (with_metrics) metrics = export_metrics(p, &metrics_error);
  if (traces == HOIST_OK && metrics == HOIST_OK) return HOIST_OK;
  if (err) *err = traces != HOIST_OK ? spans_error : metrics_error;
  return traces != HOIST_OK ? traces : metrics;
}
