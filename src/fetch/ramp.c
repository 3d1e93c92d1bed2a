/* SPDX-License-Identifier: Apache-2.0 */
/* Doubling as long as throughput rises finds the limit of the path within a few intervals, whether
 * each connection is limited, or all together; what did not pay is given back. Connections that hardly
 * wait are not what limits: this machine is, and more of them would only cost it time. Pure. */
#include "ramp.h"

#include "clock.h"

#define FAR_NS (3 * NS_PER_MS) /* a server that takes so long to answer is not next door */
#define START_NEAR 1
#define START_FAR 8
#define INTERVAL_MIN_NS (50 * NS_PER_MS)
#define INTERVAL_MAX_NS (2 * NS_PER_S)
#define FIRST_BYTES_PER_INTERVAL 4 /* connecting, asking, and leaving slow start behind */
#define RISE 1.1
#define WAITING 0.6 /* of the time: then it is the network that limits */
#define REST_INTERVALS 20

static unsigned at_most(unsigned n, unsigned max) {
  return n < max ? n : max;
}

void ramp_start(struct ramp *r, unsigned max, uint64_t first_byte_ns, uint64_t now_ns) {
  uint64_t interval = FIRST_BYTES_PER_INTERVAL * first_byte_ns;
  if (interval < INTERVAL_MIN_NS) interval = INTERVAL_MIN_NS;
  if (interval > INTERVAL_MAX_NS) interval = INTERVAL_MAX_NS;
  unsigned target = at_most(first_byte_ns < FAR_NS ? START_NEAR : START_FAR, max);
  *r = (struct ramp){
      .target = target, .settled = target, .max = max, .interval_ns = interval, .since_ns = now_ns};
}

static bool step(struct ramp *r, double rate) {
  r->best = rate;
  r->settled = r->target;
  r->target = at_most(2 * r->target, r->max);
  return r->target > r->settled;
}

static bool give_back(struct ramp *r) {
  r->target = r->settled;
  r->rest = REST_INTERVALS;
  return false;
}

bool ramp_note(struct ramp *r, int64_t bytes, uint64_t waited_ns, uint64_t now_ns) {
  uint64_t passed_ns = now_ns - r->since_ns;
  if (passed_ns < r->interval_ns) return false;
  double rate = (double)(bytes - r->bytes) / (double)passed_ns;
  double waiting = (double)(waited_ns - r->waited_ns) / ((double)passed_ns * r->target);
  r->since_ns = now_ns;
  r->bytes = bytes;
  r->waited_ns = waited_ns;
  if (r->rest > 0 && --r->rest > 0) return false;
  if (waiting < WAITING) return false;
  bool is_trial = r->target > r->settled;
  return !is_trial || rate > RISE * r->best ? step(r, rate) : give_back(r);
}
