/* SPDX-License-Identifier: Apache-2.0 */
/* Exemplars: single measurements kept beside the series they went into, with the span they were made in
 * (Metrics SDK, "Exemplar"). A reservoir picks them with equal chances among those offered to it. */
#ifndef HOIST_TELEMETRY_EXEMPLAR_H
#define HOIST_TELEMETRY_EXEMPLAR_H

#include <hoist/telemetry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "value.h"

/* Of an exponential histogram: what the SDK specification says. */
#define EXEMPLARS_EXPONENTIAL 20
#define EXEMPLARS_MAX (VALUE_BOUNDS_MAX + 1)

struct exemplar {
  double value;
  uint64_t unix_ns; /* 0: there is none */
  uint8_t trace_id[16], span_id[8];
  bool has_span;
};

struct reservoir {
  size_t size;
  bool is_aligned; /* one exemplar per bucket */
  uint64_t random;
  struct {
    uint64_t
        seen; /* measurements that could have taken this place; not aligned: only the first's counts */
    struct exemplar exemplar;
  } places[];
};

/** Whether a measurement made in `span` (NULL: none) may become an exemplar.
 *  @param ret_exemplar  where it may: its span is set */
bool exemplar_wanted(enum hoist_exemplar_filter filter, const struct hoist_span *span,
                     struct exemplar *ret_exemplar);

/** NULL: no memory. Release with free(). */
struct reservoir *reservoir_new(const struct shape *shape);
/** Offers a measurement; reads the clock where it is taken. */
void reservoir_offer(struct reservoir *r, const struct shape *shape, double measured,
                     const struct exemplar *exemplar);
/** Begins to count anew, so that the next measurement offered is taken.
 *  @param forget  the exemplars too */
void reservoir_begin(struct reservoir *r, bool forget);

#endif
