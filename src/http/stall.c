/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of the stall timeout. One thread. */
#include "stall.h"

#include "clock.h"
#include "http.h"

void stall_restart(struct stall *stall, uint64_t now_ns) {
  *stall = (struct stall){.since_ns = now_ns};
}

void stall_note(struct stall *stall, size_t size, uint64_t now_ns) {
  stall->bytes += size;
  if (stall->bytes >= HTTP_STALL_BYTES) stall_restart(stall, now_ns);
}

void stall_pause(struct stall *stall, uint64_t ns) {
  stall->since_ns += ns;
}

uint64_t stall_left_ms(const struct stall *stall, uint64_t now_ns, uint32_t limit_ms) {
  uint64_t passed_ms = (now_ns - stall->since_ns) / NS_PER_MS;
  return passed_ms >= limit_ms ? 0 : limit_ms - passed_ms;
}
