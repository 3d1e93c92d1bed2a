/* SPDX-License-Identifier: Apache-2.0 */
/* Doubling as long as throughput rises finds the limit of the path within a few intervals, whether
 * each connection is limited, or all together; what did not pay is given back. Pure. */
#include "ramp.h"

#include "clock.h"

#define RAMP_START 2
#define INTERVAL_MIN_NS (100 * NS_PER_MS)
#define INTERVAL_MAX_NS (2 * NS_PER_S)
#define FIRST_BYTES_PER_INTERVAL 4 /* connecting, asking, and leaving slow start behind */
#define RISE 1.1
#define REST_INTERVALS 20

static unsigned at_most(unsigned n, unsigned max) {
  return n < max ? n : max;
}

void ramp_start(struct ramp *r, unsigned max, uint64_t first_byte_ns, uint64_t now_ns) {
  uint64_t interval = FIRST_BYTES_PER_INTERVAL * first_byte_ns;
  if (interval < INTERVAL_MIN_NS) interval = INTERVAL_MIN_NS;
  if (interval > INTERVAL_MAX_NS) interval = INTERVAL_MAX_NS;
  unsigned target = at_most(RAMP_START, max);
  *r = (struct ramp){
      .target = target, .settled = target, .max = max, .interval_ns = interval, .since_ns = now_ns};
}

static bool step(struct ramp *r, double rate) {
  r->best = rate;
  r->settled = r->target;
  r->target = at_most(2 * r->target, r->max);
  return r->target > r->settled;
}

bool ramp_note(struct ramp *r, int64_t bytes, uint64_t now_ns) {
  if (now_ns - r->since_ns < r->interval_ns) return false;
  double rate = (double)(bytes - r->bytes) / (double)(now_ns - r->since_ns);
  r->since_ns = now_ns;
  r->bytes = bytes;
  if (r->rest > 0) {
    if (--r->rest == 0) return step(r, rate);
    return false;
  }
  if (rate > RISE * r->best) return step(r, rate);
  r->target = r->settled;
  r->rest = REST_INTERVALS;
  return false;
}
