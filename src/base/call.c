/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, cancellation and sleeping for one caller's operation. Any thread. */
#include "call.h"

#include <time.h>

#include "clock.h"

#define SLEEP_SLICE_NS (20 * NS_PER_MS) /* how late a cancel may be noticed while sleeping */

static bool is_set(const atomic_int *flag) {
  return flag && atomic_load_explicit(flag, memory_order_relaxed) != 0;
}

enum hoist_status call_check(const struct call *call, const char *doing, struct hoist_error *err) {
  if (is_set(call->cancel) || is_set(call->stop))
    return hoist_fail(err, HOIST_CANCELLED, "%s: cancelled", doing);
  if (call->deadline_ns != 0 && clock_monotonic_ns() >= call->deadline_ns)
    return hoist_fail(err, HOIST_TIMEOUT, "%s: the deadline passed", doing);
  return HOIST_OK;
}

bool call_is_needless(const struct call *call) {
  return is_set(call->stop) && !is_set(call->cancel);
}

uint64_t call_remaining_ms(const struct call *call, uint64_t no_deadline) {
  if (call->deadline_ns == 0) return no_deadline;
  uint64_t now = clock_monotonic_ns();
  if (now >= call->deadline_ns) return 0;
  uint64_t ms = (call->deadline_ns - now) / NS_PER_MS;
  return ms == 0 ? 1 : ms;
}

static void really_sleep(uint64_t ns) {
  struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
  nanosleep(&t, NULL);
}

enum hoist_status call_sleep(const struct call *call, uint64_t ns, const char *doing,
                             struct hoist_error *err) {
  if (call->sleep) {
    call->sleep(call->sleep_user, ns);
    return call_check(call, doing, err);
  }
  uint64_t end = clock_monotonic_ns() + ns;
  for (;;) {
    enum hoist_status status = call_check(call, doing, err);
    if (status != HOIST_OK) return status;
    uint64_t now = clock_monotonic_ns();
    if (now >= end) return HOIST_OK;
    uint64_t slice = end - now < SLEEP_SLICE_NS ? end - now : SLEEP_SLICE_NS;
    if (call->deadline_ns > now && call->deadline_ns - now < slice) slice = call->deadline_ns - now;
    really_sleep(slice);
  }
}
