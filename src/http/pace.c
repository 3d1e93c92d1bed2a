/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the stall timeout. One thread. */
#include "pace.h"

#include "clock.h"
#include "http.h"

void pace_restart(struct pace *pace, uint64_t now_ns) {
  *pace = (struct pace){.since_ns = now_ns};
}

void pace_note(struct pace *pace, size_t size, uint64_t now_ns) {
  pace->bytes += size;
  if (pace->bytes >= HTTP_STALL_BYTES) pace_restart(pace, now_ns);
}

void pace_pause(struct pace *pace, uint64_t ns) {
  pace->since_ns += ns;
}

uint64_t pace_left_ms(const struct pace *pace, uint64_t now_ns, uint32_t limit_ms) {
  uint64_t passed_ms = (now_ns - pace->since_ns) / NS_PER_MS;
  return passed_ms >= limit_ms ? 0 : limit_ms - passed_ms;
}
