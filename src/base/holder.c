/* SPDX-License-Identifier: Apache-2.0 */
/* A line of text in the lock file, read at each look. */
#include "holder.h"

#include <errno.h>
#include <hoist/hoist.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define TELL_INTERVAL_NS (NS_PER_S / 2)
#define REPORT_INTERVAL_NS (3 * NS_PER_S) /* where there is nothing new */
#define LINE_SIZE 128                     /* bytes of a lock file that are read */

/* ---- the holder -------------------------------------------------------------------------------- */

/* A pid means something only to those who count with the same numbers: containers have theirs. 0: not known. */
static uint64_t pid_namespace(void) {
  struct stat st;
  return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* Of one length whatever it says, so that it is replaced by a single write. */
static void write_line(int fd, const struct holder *h) {
  char text[LINE_SIZE];
  int n =
      snprintf(text, sizeof text,
               "%-10ld %-12" PRIu64 " %-20" PRId64 " %-20" PRId64 " %-10u %-20" PRIu64 "\n", h->pid,
               h->since_unix_s, h->bytes_done, h->bytes_total, h->steps, pid_namespace());
  if (pwrite(fd, text, (size_t)n, 0) != n) return;
}

void holder_begin(struct holder_note *note, int fd) {
  *note = (struct holder_note){.holder = {.pid = (long)getpid(),
                                          .since_unix_s = clock_realtime_ns() / NS_PER_S,
                                          .bytes_total = -1}};
  if (ftruncate(fd, 0) == 0) write_line(fd, &note->holder);
}

void holder_end(int fd) {
  if (ftruncate(fd, 0) != 0) return;
}

/* What moves on without bytes: a source is found, it says what there is, everything has arrived. */
static bool is_step(const struct hoist_progress *event) {
  return event->kind == HOIST_PROGRESS_SOURCE || event->kind == HOIST_PROGRESS_PLAN ||
         event->kind == HOIST_PROGRESS_COMMIT;
}

void holder_tell(struct holder_note *note, int fd, const struct hoist_progress *event) {
  bool steps = is_step(event);
  uint64_t now = clock_monotonic_ns();
  if (!steps && event->kind != HOIST_PROGRESS_FILE && event->kind != HOIST_PROGRESS_RESUME) return;
  if (!steps && note->told_ns != 0 && now - note->told_ns < TELL_INTERVAL_NS) return;
  note->told_ns = now;
  note->holder.bytes_done = event->total_done;
  note->holder.bytes_total = event->kind == HOIST_PROGRESS_SOURCE ? -1 : event->total_bytes;
  note->holder.steps += steps;
  write_line(fd, &note->holder);
}

/* ---- who waits --------------------------------------------------------------------------------- */

/* False where nobody wrote. Somebody holds the lock, so whoever is not found here lives elsewhere, in another container
 * or on another machine, and is known by what it does. */
static bool read_line(int fd, struct holder *ret_holder) {
  char text[LINE_SIZE];
  struct holder h = {.bytes_total = -1};
  uint64_t namespace = 0;
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = '\0';
  if (sscanf(text, "%10ld %12" SCNu64 " %19" SCNd64 " %19" SCNd64 " %9u %20" SCNu64, &h.pid,
             &h.since_unix_s, &h.bytes_done, &h.bytes_total, &h.steps, &namespace) < 2 ||
      h.pid <= 0 || h.pid > INT_MAX)
    return false;
  bool is_elsewhere = (namespace != 0 && namespace != pid_namespace()) ||
                      (kill((pid_t)h.pid, 0) != 0 && errno == ESRCH);
  if (is_elsewhere) h.pid = 0;
  *ret_holder = h;
  return true;
}

static bool is_same(const struct holder *a, const struct holder *b) {
  return a->pid == b->pid && a->since_unix_s == b->since_unix_s && a->bytes_done == b->bytes_done &&
         a->bytes_total == b->bytes_total && a->steps == b->steps;
}

static void describe(struct holder_watch *w) {
  uint64_t now_s = clock_realtime_ns() / NS_PER_S, since_s = w->holder.since_unix_s;
  char who[32] = "another process", how_long[48] = "";
  if (w->holder.pid != 0) snprintf(who, sizeof who, "process %ld", w->holder.pid);
  if (since_s != 0)
    snprintf(how_long, sizeof how_long, ", at it for %" PRIu64 " s",
             now_s > since_s ? now_s - since_s : 0);
  snprintf(w->doing, sizeof w->doing, "waiting for %s to finish with %.160s%s", who, w->what,
           how_long);
}

static void report(const struct holder_watch *w, const struct call *call) {
  const struct hoist_progress event = {.kind = HOIST_PROGRESS_WAIT,
                                       .model_id = w->model_id,
                                       .message = w->doing,
                                       .waiting_for_pid = w->holder.pid,
                                       .total_done = w->holder.bytes_done,
                                       .total_bytes = w->holder.bytes_total};
  if (call->progress && !w->is_silent) call->progress(call->progress_user, &event);
}

static enum hoist_status check_patience(const struct holder_watch *w, uint64_t now,
                                        uint64_t patience_ns, struct hoist_error *err) {
  uint64_t silent_ns = now - w->progressed_ns;
  if (patience_ns == 0 || silent_ns < patience_ns) return HOIST_OK;
  return hoist_fail(err, HOIST_UNAVAILABLE,
                    "%s, without progress for %" PRIu64
                    " ms: try again, or raise MODEL_LOCK_ACQUIRE_TIMEOUT",
                    w->doing, silent_ns / NS_PER_MS);
}

enum hoist_status holder_look(struct holder_watch *w, const struct call *call, int fd,
                              uint64_t patience_ns, struct hoist_error *err) {
  struct holder holder = {.bytes_total = -1};
  uint64_t now = clock_monotonic_ns();
  bool known = read_line(fd, &holder), is_first = w->reported_ns == 0;
  bool moved = is_first || (known && !is_same(&holder, &w->holder));
  w->holder = holder;
  if (moved) w->progressed_ns = now;
  describe(w);
  if (moved || now - w->reported_ns >= REPORT_INTERVAL_NS) {
    w->reported_ns = now;
    report(w, call);
  }
  return check_patience(w, now, patience_ns, err);
}
