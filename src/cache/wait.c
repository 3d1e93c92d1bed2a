/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a lock. Waiting is polling, because only that can be called off; what the holder tells of itself is
 * looked at each time. Owns nothing. A lock belongs to one thread at a time. */
#include <errno.h>
#include <hoist/telemetry.h>
#include <sys/file.h>

#include "cache_internal.h"
#include "clock.h"

#define POLL_FIRST_NS (1 * NS_PER_MS)
#define POLL_MAX_NS (50 * NS_PER_MS)

void cache_lock_tell(struct cache_lock *lock, const struct hoist_progress *event) {
  holder_tell(&lock->note, lock->fd, event);
}

struct wait {
  const struct call *call;
  int fd;
  struct holder_watch watch;
  int *ret_shared;
  uint64_t patience_ns;
};

static enum hoist_status wait_exclusive(struct wait *w, struct hoist_error *err) {
  for (uint64_t pause_ns = POLL_FIRST_NS;;) {
    int failed = cache_try_flock(w->fd, LOCK_EX);
    if (failed == 0) return HOIST_OK;
    if (failed == EWOULDBLOCK && w->ret_shared && cache_try_flock(w->fd, LOCK_SH) == 0) {
      *w->ret_shared = 1;
      return HOIST_OK;
    }
    if (failed != EWOULDBLOCK) return hoist_fail_errno(err, failed, "locking %s", w->watch.what);
    enum hoist_status status = holder_look(&w->watch, w->call, w->fd, w->patience_ns, err);
    if (status == HOIST_OK) status = call_sleep(w->call, pause_ns, w->watch.doing, err);
    if (status != HOIST_OK) return status;
    pause_ns = 2 * pause_ns < POLL_MAX_NS ? 2 * pause_ns : POLL_MAX_NS;
  }
}

enum hoist_status cache_wait_for_model(const struct call *call, const struct cache_lock *lock,
                                       int *ret_shared, struct hoist_error *err) {
  struct wait w = {.call = call,
                   .fd = lock->fd,
                   .watch = {.what = lock->id.text, .model_id = lock->id.text},
                   .ret_shared = ret_shared,
                   .patience_ns = lock->cache->patience_ns};
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
  struct wait w = {.call = call, .fd = fd, .watch = {.what = what, .is_silent = true}};
  return wait_exclusive(&w, err);
}
