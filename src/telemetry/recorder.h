/* SPDX-License-Identifier: Apache-2.0 */
/* hoist's own recorder: spans are encoded to OTLP as they end and queued, metrics are aggregated.
 * No I/O and no thread: whoever embeds the recorder (src/export) drains it, and gives its own
 * lifetime_ops.
 *
 * Life: recorder_init → spans and metrics from any thread → recorder_done, when all spans have
 * ended. In a forked child everything recorded before the fork is forgotten at the first use. */
#ifndef HOIST_TELEMETRY_RECORDER_H
#define HOIST_TELEMETRY_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "counts.h"
#include "dispatch.h"
#include "err.h"
#include "ids.h"
#include "metrics.h"
#include "queue.h"
#include "sampler.h"

/* Instrumentation scopes, the recorder's own among them. */
#define RECORDER_SCOPES_MAX METRICS_SCOPES_MAX

struct recorder;

/* A view of the recorder under a name; number 0 is the recorder's own. */
struct recorder_scope {
  struct hoist_telemetry base; /* its owner is the recorder */
  uint8_t index;
  char *name, *version; /* owned */
};

struct recorder_config {
  uint64_t queue_bytes;
  uint32_t attribute_value_max; /* bytes */
  struct hoist_span_limits limits;
  struct sampler sampler;
  bool allow_forced;                      /* a remote parent's wish to be recorded counts */
  const char *scope_name, *scope_version; /* copied; NULL: hoist's */
  enum hoist_temporality temporality;     /* of exported metrics */
  struct metrics_config metrics;
  /* The queue wants to be drained now. Any recording thread; must not block. */
  void (*on_pressure)(void *user);
  /* A forked child is taking the recorder over: what the parent's threads left behind, locks above all, is
   * to be made new. Exactly one thread, while all others wait; must be quick. */
  void (*on_reset)(void *user);
  /* It has been taken over, and is empty. The same thread; the others go on. */
  void (*on_fork)(void *user);
  void *user; /* of these, which may be NULL */
};

struct recorder {
  struct recorder_scope scopes[RECORDER_SCOPES_MAX]; /* first: the telemetry object is scopes[0] */
  atomic_uint scope_count;
  pthread_mutex_t scopes_lock; /* of adding one */
  struct recorder_config config;
  /* Realtime minus monotonic, and when that was measured: traces take it at their root. */
  _Atomic uint64_t anchor_ns, anchored_ns;
  atomic_uint generation; /* fork_generation() the contents belong to */
  atomic_uint resetting;  /* and the one that they do, or are being emptied for */
  uint64_t start_unix_ns; /* of the cumulative metrics */
  struct queue queue;
  struct metrics metrics;
};

static inline struct recorder_scope *scope_of(struct hoist_telemetry *telemetry) {
  return (struct recorder_scope *)telemetry;
}

static inline struct recorder *recorder_of(struct hoist_telemetry *telemetry) {
  return telemetry->owner;
}

HOIST_MUST_CHECK enum hoist_status recorder_init(struct recorder *r,
                                                 const struct recorder_config *config,
                                                 const struct lifetime_ops *lifetime,
                                                 struct hoist_error *err);
void recorder_done(struct recorder *r);

/** recorder_settle for a process that was forked since. */
void recorder_take_over(struct recorder *r);

/** The view of that name and version (NULL: none), made where there is none yet; scope 0 where no more
 *  can be made. Any thread. */
struct recorder_scope *recorder_scope(struct recorder *r, const char *name, const char *version);

/** Sees to it that the contents belong to this process: in a forked child the first caller empties them, and
 *  others wait for that. To be called before whatever touches queue, metrics, scopes or locks. */
static inline void recorder_settle(struct recorder *r) {
  if (__builtin_expect(
          atomic_load_explicit(&r->generation, memory_order_acquire) != fork_generation(), 0))
    recorder_take_over(r);
}

/** As metrics_encode, of the recorder's time and temporality. The draining thread only. */
HOIST_MUST_CHECK enum hoist_status recorder_encode_metrics(struct recorder *r, unsigned scope,
                                                           struct buf *out, size_t *ret_points,
                                                           struct hoist_error *err);

/** Nanoseconds since the Unix epoch on the clock of spans. */
uint64_t recorder_now(struct recorder *r);

/* Between recorder.c and record_span.c. */
extern const struct span_ops recorder_spans;
/** The anchor for a trace that starts now. */
uint64_t recorder_anchor(struct recorder *r, uint64_t monotonic_ns);

#endif
