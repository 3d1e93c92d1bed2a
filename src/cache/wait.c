/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a lock, and what its holder tells those who wait. Waiting is polling, because only that
 * can be called off. The holder writes into the lock file who it is and how far it got; that is read at
 * each poll and believed for messages and patience alone, so no harm comes from a text that is torn,
 * old or missing. Owns nothing. A lock belongs to one thread at a time. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <hoist/hoist.h>

#include "cache_internal.h"
#include "clock.h"

#define POLL_FIRST_NS (1 * NS_PER_MS)
#define POLL_MAX_NS (50 * NS_PER_MS)
#define TELL_INTERVAL_NS (NS_PER_S / 2)
#define REPORT_INTERVAL_NS (3 * NS_PER_S) /* where there is nothing new */
#define HOLDER_SIZE 128                   /* bytes of a lock file that are read */
#define WHAT_SIZE 160
#define DOING_SIZE 320

/* ---- the holder -------------------------------------------------------------------------- */

/* Of one length whatever it says, so that it is replaced by a single write. On a full disk, or in a file
 * that is only readable, the holder stays nameless. */
static void write_holder(int fd, const struct cache_holder *h) {
  char text[HOLDER_SIZE];
  int n = snprintf(text, sizeof text, "%-10ld %-12" PRIu64 " %-20" PRId64 " %-20" PRId64 " %-10u\n",
                   h->pid, h->since_unix_s, h->bytes_done, h->bytes_total, h->steps);
  if (pwrite(fd, text, (size_t)n, 0) != n) return;
}

void cache_holder_begin(struct cache_lock *lock) {
  lock->holder = (struct cache_holder){
      .pid = (long)getpid(), .since_unix_s = clock_realtime_ns() / NS_PER_S, .bytes_total = -1};
  if (ftruncate(lock->fd, 0) == 0) write_holder(lock->fd, &lock->holder);
}

void cache_holder_end(struct cache_lock *lock) {
  if (ftruncate(lock->fd, 0) != 0) return;
}

void cache_lock_tell(struct cache_lock *lock, int64_t bytes_done, int64_t bytes_total,
                     int is_step) {
  uint64_t now = clock_monotonic_ns();
  if (!is_step && lock->told_ns != 0 && now - lock->told_ns < TELL_INTERVAL_NS) return;
  lock->told_ns = now;
  lock->holder.bytes_done = bytes_done;
  lock->holder.bytes_total = bytes_total;
  lock->holder.steps += is_step != 0;
  write_holder(lock->fd, &lock->holder);
}

/* False where nobody wrote, or who did lives no more, or in another pid namespace. */
static bool read_holder(int fd, struct cache_holder *ret_holder) {
  char text[HOLDER_SIZE];
  struct cache_holder h = {.bytes_total = -1};
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = '\0';
  if (sscanf(text, "%10ld %12" SCNu64 " %19" SCNd64 " %19" SCNd64 " %9u", &h.pid, &h.since_unix_s,
             &h.bytes_done, &h.bytes_total, &h.steps) < 2 ||
      h.pid <= 0 || h.pid > INT_MAX || (kill((pid_t)h.pid, 0) != 0 && errno == ESRCH))
    return false;
  *ret_holder = h;
  return true;
}

/* ---- the waiter -------------------------------------------------------------------------- */

struct wait {
  const struct call *call;
  int fd;
  char what[WHAT_SIZE];
  const char *model_id; /* NULL: no model's lock */
  int *ret_shared;
  uint64_t patience_ns;
  struct cache_holder holder; /* pid 0: not known */
  uint64_t progressed_ns;     /* when it was last seen to do something */
  uint64_t reported_ns;       /* 0: not yet */
};

static void describe(const struct wait *w, char doing[DOING_SIZE]) {
  uint64_t now_s = clock_realtime_ns() / NS_PER_S, since_s = w->holder.since_unix_s;
  if (w->holder.pid == 0)
    snprintf(doing, DOING_SIZE, "waiting for another process to finish with %s", w->what);
  else
    snprintf(doing, DOING_SIZE,
             "waiting for process %ld to finish with %s, at it for %" PRIu64 " s", w->holder.pid,
             w->what, now_s > since_s ? now_s - since_s : 0);
}

static void report(const struct wait *w, const char *doing) {
  const struct hoist_progress event = {.kind = HOIST_PROGRESS_WAIT,
                                       .model_id = w->model_id,
                                       .message = doing,
                                       .waiting_for_pid = w->holder.pid,
                                       .total_done = w->holder.bytes_done,
                                       .total_bytes = w->holder.bytes_total};
  if (w->call->progress) w->call->progress(w->call->progress_user, &event);
}

static bool same_holder(const struct cache_holder *a, const struct cache_holder *b) {
  return a->pid == b->pid && a->since_unix_s == b->since_unix_s && a->bytes_done == b->bytes_done &&
         a->bytes_total == b->bytes_total && a->steps == b->steps;
}

/* What the holder does, as far as can be seen, and whether that is anything new. */
static enum hoist_status watch_holder(struct wait *w, char doing[DOING_SIZE],
                                      struct hoist_error *err) {
  struct cache_holder now_holder = {.bytes_total = -1};
  uint64_t now = clock_monotonic_ns();
  bool known = read_holder(w->fd, &now_holder);
  bool moved = known && !same_holder(&now_holder, &w->holder);
  w->holder = now_holder;
  bool is_first = w->reported_ns == 0;
  if (moved || is_first) w->progressed_ns = now;
  describe(w, doing);
  if (moved || is_first || now - w->reported_ns >= REPORT_INTERVAL_NS) {
    w->reported_ns = now;
    if (w->model_id) report(w, doing);
  }
  if (w->patience_ns == 0 || now - w->progressed_ns < w->patience_ns) return HOIST_OK;
  return hoist_fail(err, HOIST_UNAVAILABLE,
                    "%s, without progress for %" PRIu64
                    " ms: try again, or raise MODEL_LOCK_ACQUIRE_TIMEOUT",
                    doing, (now - w->progressed_ns) / NS_PER_MS);
}

static enum hoist_status wait_exclusive(struct wait *w, struct hoist_error *err) {
  for (uint64_t pause_ns = POLL_FIRST_NS;;) {
    int failed = cache_try_flock(w->fd, LOCK_EX);
    if (failed == 0) return HOIST_OK;
    if (failed == EWOULDBLOCK && w->ret_shared && cache_try_flock(w->fd, LOCK_SH) == 0) {
      *w->ret_shared = 1;
      return HOIST_OK;
    }
    if (failed != EWOULDBLOCK) return hoist_fail_errno(err, failed, "locking %s", w->what);
    char doing[DOING_SIZE];
    enum hoist_status status = watch_holder(w, doing, err);
    if (status == HOIST_OK) status = call_sleep(w->call, pause_ns, doing, err);
    if (status != HOIST_OK) return status;
    pause_ns = 2 * pause_ns < POLL_MAX_NS ? 2 * pause_ns : POLL_MAX_NS;
  }
}

enum hoist_status cache_wait_for_model(const struct call *call, const struct cache_lock *lock,
                                       int *ret_shared, struct hoist_error *err) {
  struct wait w = {.call = call,
                   .fd = lock->fd,
                   .model_id = lock->id.text,
                   .ret_shared = ret_shared,
                   .patience_ns = lock->cache->patience_ns};
  snprintf(w.what, sizeof w.what, "%.128s", lock->id.text);
  struct hoist_error own;
  if (!err) err = &own;
  struct hoist_span span;
  hoist_span_start(call->span, "model.cache.lock_wait", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "model.id", lock->id.text);
  enum hoist_status status = wait_exclusive(&w, err);
  if (status != HOIST_OK) hoist_span_record_error(&span, err);
  hoist_span_end(&span);
  return status;
}

enum hoist_status cache_wait_for_file(const struct call *call, int fd, const char *what,
                                      struct hoist_error *err) {
  struct wait w = {.call = call, .fd = fd};
  snprintf(w.what, sizeof w.what, "%s", what);
  return wait_exclusive(&w, err);
}
