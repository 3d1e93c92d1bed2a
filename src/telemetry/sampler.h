/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a span is recorded (OTEL_TRACES_SAMPLER). */
#ifndef HOIST_TELEMETRY_SAMPLER_H
#define HOIST_TELEMETRY_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "err.h"

struct sampler {
  bool follow_parent;
  uint64_t threshold; /* of 2^63: recorded where the trace id's low 63 bits are below; 0: never */
};

/** From the values of OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; NULL: the defaults
 *  ("parentbased_always_on", 1.0). Errors: INVALID an unknown name, or a ratio outside [0,1] */
HOIST_MUST_CHECK enum hoist_status sampler_parse(const char *name, const char *arg,
                                                 struct sampler *ret_sampler,
                                                 struct hoist_error *err);

/** `parent_sampled` counts only where there is a parent. */
static inline bool sampler_decide(const struct sampler *sampler, const uint8_t trace_id[16],
                                  bool has_parent, bool parent_sampled) {
  uint64_t low;
  if (has_parent && sampler->follow_parent) return parent_sampled;
  memcpy(&low, trace_id + 8, sizeof low);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  low = __builtin_bswap64(low);
#endif
  return low >> 1 < sampler->threshold; /* 2^63 is above all */
}
#endif
