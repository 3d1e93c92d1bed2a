/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder, its exporters, and the thread between them. */
#ifndef HOIST_EXPORT_PIPELINE_H
#define HOIST_EXPORT_PIPELINE_H

#include <pthread.h>
#include <stdbool.h>

#include "buf.h"
#include "exporter.h"
#include "recorder.h"

#define PIPELINE_EXPORTERS_MAX 4
/* Largest message; receivers refuse more than 64 MiB. */
#define PIPELINE_MESSAGE_MAX (64u << 20)

/* Things a pipeline warns about, each at most once in WARN_INTERVAL. */
enum warning {
  WARN_TRACES,
  WARN_METRICS,
  WARN_REJECTED,
  WARN_QUEUE_FULL,
  WARN_METRICS_FILE,
  WARN_METRIC_NAMES,
  WARN_RESOURCE,
  WARN_CLOSED,
  WARN_KINDS
};

struct pipeline {
  struct recorder recorder; /* first: a struct hoist_telemetry of ours is a struct pipeline */
  stop_time stop_at_ns;     /* UINT64_MAX until close */

  /* Constant after opening. */
  struct exporter *exporters[PIPELINE_EXPORTERS_MAX];
  size_t exporter_count;
  char *service_name, *resource_attributes;
  char *metrics_file; /* NULL: none */
  struct hoist_bound *measurements_lost;
  uint32_t batch_delay_ms, metric_interval_ms, batch_spans_max;
  unsigned propagators;
  void (*on_spans)(void *user, const void *traces_data, size_t size);
  void *on_spans_user;
  void (*on_warning)(void *user, const char *line);
  void *on_warning_user;

  /* The worker's own. */
  struct buf resource; /* constant while the worker runs, so any thread may read it */
  struct buf message, text;
  struct buf items[RECORDER_SCOPES_MAX]; /* what goes into a message, by scope */
  uint64_t metrics_due_ns;
  uint64_t warned_ns[WARN_KINDS]; /* 0: never */
  uint64_t refused_seen;          /* queue refusals already warned about */

  pthread_mutex_t lock;
  pthread_cond_t to_worker, to_waiters;
  /* Under the lock: */
  pthread_t worker;
  bool is_running; /* the worker exists */
  bool is_pressed; /* the queue fills up: do not wait for the delay */
  bool is_stopping;
  bool is_in_io;     /* inside an exporter, which no caller's code can be */
  bool is_abandoned; /* nobody will join the worker: it frees the pipeline */
  uint64_t flushes_wanted, flushes_done;
  struct hoist_error flush_result; /* of the last flush done */
  char trouble[256];               /* what last went wrong in the round under way; "": nothing */
  struct hoist_telemetry_status totals; /* what the worker counts; the rest is the recorder's */
  struct recorder_counts observed;      /* what is already in the metrics (self.c) */
  uint64_t observed_lost;
};

/** Frees a pipeline whose worker does not run; also half-built ones. */
void pipeline_free(struct pipeline *p);
/** Makes lock and conditions; also again in a forked child. */
void pipeline_init_locks(struct pipeline *p);
/** (Re)encodes the resource and starts the worker. Errors: NO_MEMORY · UNAVAILABLE no thread */
HOIST_MUST_CHECK enum hoist_status pipeline_start(struct pipeline *p, struct hoist_error *err);
/** recorder_config's hooks. */
void pipeline_on_pressure(void *user);
void pipeline_on_reset(void *user);
void pipeline_on_fork(void *user);
/** struct exporter's hook. */
void pipeline_on_trouble(void *user, const char *message);

/** One line to the user's on_warning or standard error, unless this kind was warned about lately, or
 *  close has returned. The worker, or before it starts. */
void pipeline_warn(struct pipeline *p, enum warning kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Exports everything queued now; metrics too where asked. The worker only. OK, or the first error. */
HOIST_MUST_CHECK enum hoist_status pipeline_export(struct pipeline *p, bool with_metrics,
                                                   struct hoist_error *err);

/** Appends all metrics as Prometheus text; any thread.
 *  @param ret_left_out  instruments whose names clash */
HOIST_MUST_CHECK enum hoist_status pipeline_render(struct pipeline *p, struct buf *out,
                                                   size_t *ret_left_out, struct hoist_error *err);

extern const struct lifetime_ops pipeline_lifetime;

#endif
