/* SPDX-License-Identifier: Apache-2.0 */
/* A recorder under test, and what it recorded, read back through otlp_read. */
#ifndef HOIST_TESTS_RECORDING_H
#define HOIST_TESTS_RECORDING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "otlp_read.h"
#include "recorder.h"

#define RECORDING_SPANS_MAX 64
#define RECORDING_ATTRS_MAX 160

struct recorded_attr {
  char key[160];
  enum otlp_value_type type;
  char text[8300];
  int64_t integer;
  double number;
};

struct recording {
  struct recorder recorder;
  struct buf data; /* TracesData of everything drained */
  struct otlp_span spans[RECORDING_SPANS_MAX];
  size_t count;
  uint8_t frame_scopes[RECORDING_SPANS_MAX]; /* of the spans, in the same order */
  size_t frame_count;
  struct recorded_attr attrs[RECORDING_ATTRS_MAX]; /* of the span or event last looked at */
  size_t attr_count;
  struct otlp_event events[RECORDING_ATTRS_MAX];
  size_t event_count;
};

/** The defaults of a recorder, to be changed and given to recording_start_with. */
struct recorder_config recording_config(void);
struct recording *recording_start_with(const struct recorder_config *config);
/** `sampler` NULL: the default. */
struct recording *recording_start(const char *sampler, uint32_t value_max);
void recording_stop(struct recording *r);
struct hoist_telemetry *recording_telemetry(struct recording *r);
/** Drains the queue and parses all spans. */
void recording_read(struct recording *r);
/** The span of that name; fails the test where there is none. */
const struct otlp_span *recording_span(const struct recording *r, const char *name);
/** Reads a span's attributes and events into `attrs` and `events`. */
void recording_open_span(struct recording *r, const char *name);
void recording_open_event(struct recording *r, size_t index);
/** The attribute of the opened span or event; NULL where it is not there. */
const struct recorded_attr *recording_attr(const struct recording *r, const char *key);

#endif
