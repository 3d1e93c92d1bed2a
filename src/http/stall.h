/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a server goes on sending: HTTP_STALL_BYTES within the stall timeout, again and again. A byte
 * now and then is no progress, or it would keep a connection for ever. Pure; time is passed in. */
#ifndef HOIST_HTTP_STALL_H
#define HOIST_HTTP_STALL_H

#include <stddef.h>
#include <stdint.h>

struct stall {
  uint64_t since_ns; /* when the server last got on */
  size_t bytes;      /* received after that */
};

/** The server got on, whatever it sent: it was connected to, or its answer began. */
void stall_restart(struct stall *stall, uint64_t now_ns);
/** `size` bytes arrived. */
void stall_note(struct stall *stall, size_t size, uint64_t now_ns);
/** For `ns` up to now nobody received: that is not held against the server. */
void stall_pause(struct stall *stall, uint64_t ns);
/** How much longer to wait, where `limit_ms` are allowed; 0: no longer. */
uint64_t stall_left_ms(const struct stall *stall, uint64_t now_ns, uint32_t limit_ms);

#endif
