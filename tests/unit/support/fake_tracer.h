/* SPDX-License-Identifier: Apache-2.0 */
/* A tracer that remembers, for tests: the spans of one run with their parents, attributes and errors,
 * and the sums of metrics. Thread-safe while recording; read it when all is quiet. */
#ifndef HOIST_TESTS_FAKE_TRACER_H
#define HOIST_TESTS_FAKE_TRACER_H

#include <hoist/telemetry.h>
#include <pthread.h>

#define FAKE_MAX_SPANS 512
#define FAKE_MAX_ATTRS 24

struct fake_span {
  int index;
  int parent; /* index; -1: none */
  int ended;
  int errors; /* how often it was set to Error */
  int exception_events;
  uint64_t start_ns, end_ns;
  char name[64];
  char description[512];
  struct {
    char key[64];
    char value[256]; /* as text, whatever the type */
  } attrs[FAKE_MAX_ATTRS];
  int attr_count;
};

struct fake_metric {
  char name[64];
  char attrs[256]; /* "key=value,…" */
  double sum;
  int count;
};

struct fake_tracer {
  struct hoist_tracer table;
  struct hoist_telemetry *telemetry; /* the adapter around this */
  pthread_mutex_t lock;
  struct fake_span spans[FAKE_MAX_SPANS];
  int span_count;
  struct fake_metric metrics[64];
  int metric_count;
};

struct fake_tracer *fake_tracer_new(void);
void fake_tracer_free(struct fake_tracer *t);

/** The n-th span (from 0) of that name in the order of their starts; NULL: none. */
const struct fake_span *fake_span(const struct fake_tracer *t, const char *name, int n);
int fake_span_count(const struct fake_tracer *t, const char *name);
/** The attribute's value as text; NULL: not set. */
const char *fake_attr(const struct fake_span *span, const char *key);
/** The sum of a metric over its attribute sets that contain `attrs` ("" for all). */
double fake_metric_sum(const struct fake_tracer *t, const char *name, const char *attrs);
/** Asserts that every span has ended, lies within its parent's time, and that `secret` is nowhere. */
void fake_tracer_check(const struct fake_tracer *t, const char *secret);

#endif
