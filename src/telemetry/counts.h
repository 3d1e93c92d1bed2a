/* SPDX-License-Identifier: Apache-2.0 */
/* What the recorder counts about its spans. */
#ifndef HOIST_TELEMETRY_COUNTS_H
#define HOIST_TELEMETRY_COUNTS_H

#include <stdint.h>

struct recorder;

/* Since the start, or the fork. */
struct recorder_counts {
  uint64_t started; /* sampled */
  uint64_t ended;   /* of those, ended, whether or not the queue took them */
  uint64_t refused; /* of those, what the queue had no room for */
  uint64_t queue_bytes, queue_bytes_max;
};

/** Any thread. */
void recorder_counts(struct recorder *r, struct recorder_counts *ret_counts);

#endif
