/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections a large file is worth: more as long as they wait for the network, and the last ones
 * paid. Time is passed in. */
#ifndef HOIST_FETCH_RAMP_H
#define HOIST_FETCH_RAMP_H

#include <stdbool.h>
#include <stdint.h>

struct ramp {
  unsigned target; /* connections to use now */
  unsigned max;
  unsigned settled; /* how many reached `best` */
  double best;      /* bytes per ns */
  unsigned rest;    /* intervals to wait before more are tried again */
  uint64_t interval_ns;
  uint64_t since_ns;
  int64_t bytes;      /* received at since_ns */
  uint64_t waited_ns; /* at since_ns */
};

/** @param first_byte_ns  what the first answer took: how far away the server is. A far one is worth many
 *                        connections at once; of a near one that can only be found out */
void ramp_start(struct ramp *r, unsigned max, uint64_t first_byte_ns, uint64_t now_ns);

/** Takes note of the bytes of the file received until now, and of how long its connections have waited for
 *  some, all together. True when `target` grew. */
bool ramp_note(struct ramp *r, int64_t bytes, uint64_t waited_ns, uint64_t now_ns);

#endif
