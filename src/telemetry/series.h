/* SPDX-License-Identifier: Apache-2.0 */
/* One series, between the files of the aggregation: metrics.c makes and feeds them, bound.c feeds them from
 * threads' own cells, metrics_encode.c and prometheus.c read them. All of it under the lock of struct
 * metrics, unless said otherwise. */
#ifndef HOIST_TELEMETRY_SERIES_H
#define HOIST_TELEMETRY_SERIES_H

#include "exemplar.h"
#include "metrics.h"
#include "wire.h"

/* Data points carry their attributes under these tags, and series keep them so encoded. */
enum {
  EXPONENTIAL_ATTRIBUTES = WIRE_TAG(1, WIRE_BYTES),
  NUMBER_ATTRIBUTES = WIRE_TAG(7, WIRE_BYTES),
  HISTOGRAM_ATTRIBUTES = WIRE_TAG(9, WIRE_BYTES)
};

struct series {
  struct series *next_in_bucket, *next_in_metric;
  const struct metric *metric;
  uint64_t hash;
  size_t attr_size;
  const uint8_t *attrs;        /* behind the value, in the same allocation */
  struct value *before;        /* until deltas were last encoded; NULL: that has not happened yet */
  struct reservoir *exemplars; /* NULL: none was offered yet */
  struct bound *bound;         /* that feeds it, if one was made */
  struct value value;          /* since then */
};

/* A metric and an attribute set, in the form series are looked up by. */
struct series_key {
  const struct hoist_instrument *instrument;
  unsigned scope;
  uint64_t hash;
  size_t attr_size;
  uint8_t attrs[METRICS_ATTR_BYTES_MAX];
};

void series_key_make(struct metrics *m, struct series_key *ret_key, unsigned scope,
                     const struct hoist_instrument *instrument, const struct hoist_attr *attrs,
                     size_t attr_count);

/** The series of a key, or the overflow of its metric; made where it is new. NULL: no room, no memory. Of
 *  instruments that are alike the key gets the first one. */
struct series *series_get(struct metrics *m, struct series_key *key);

/** The key of a series. */
void series_key_of(const struct series *s, struct series_key *ret_key);

/** Whether an instrument takes a measurement: only finite ones, counters only positive ones. No lock. */
bool series_accepts(const struct hoist_instrument *instrument, double measured);

/** Offers an exemplar. */
void series_offer(struct series *s, double measured, const struct exemplar *exemplar);

/** What was measured since the last deltas (before false), or ever. */
void series_read(const struct series *s, bool with_before, union any_value *ret_value);

/** Takes over what threads have measured through bound instruments. */
void metrics_harvest(struct metrics *m);
#endif
