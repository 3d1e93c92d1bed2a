/* SPDX-License-Identifier: Apache-2.0 */
/* What recording costs, in nanoseconds and allocations per call (bars: docs/telemetry.md). Drives
 * the recorder without exporters, draining it in a thread as the export thread does. Best of
 * several rounds: the machine's noise only ever adds. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "recorder.h"

enum { ROUNDS = 7, SPANS = 200000, CALLS = 5000000, DRAIN_PAUSE_US = 200 };

/* ---- counting allocations ----------------------------------------------------------------------
 */

static atomic_ulong allocations;
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return __libc_realloc(old, size);
}

/* ---- what is measured --------------------------------------------------------------------------
 */

static void span_call(struct hoist_telemetry *telemetry) {
  struct hoist_span span;
  hoist_span_start_root(telemetry, "span-name", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_end(&span);
}

static void span_call_without_parent(struct hoist_telemetry *telemetry) {
  struct hoist_span span;
  hoist_span_start(NULL, "span-name", HOIST_SPAN_INTERNAL, &span);
  __asm__ volatile("" : : "r"(&span) : "memory");
}

static void span_with_five_attributes(struct hoist_telemetry *telemetry) {
  struct hoist_span span;
  hoist_span_start_root(telemetry, "span-name", HOIST_SPAN_INTERNAL, NULL, &span);
  hoist_span_set_string(&span, "key2", "hello");
  hoist_span_set_string(&span, "key4", "world");
  hoist_span_set_int(&span, "key1", 0);
  hoist_span_set_int(&span, "key3", 123456);
  hoist_span_set_int(&span, "key5", 123);
  hoist_span_end(&span);
}

static const struct hoist_instrument counter = {.name = "bench.count", .kind = HOIST_COUNTER};
static const struct hoist_instrument histogram = {.name = "bench.time", .kind = HOIST_HISTOGRAM};

static void counter_add(struct hoist_telemetry *telemetry) {
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
}

static void histogram_record_with_attribute(struct hoist_telemetry *telemetry) {
  struct hoist_attr attr = {
      .key = "model.id", .type = HOIST_ATTR_STRING, .value = {.string = "coins/1"}};
  hoist_metric_add(telemetry, &histogram, 0.3, &attr, 1);
}

/* ---- how ----------------------------------------------------------------------------------------
 */

static atomic_int draining;

static size_t drain_once(struct recorder *r) {
  struct queue_round round;
  struct queue_piece piece;
  size_t taken = 0;
  queue_begin(&r->queue, &round);
  while (queue_next(&r->queue, &round, &piece))
    taken += piece.size;
  return taken;
}

static void *drain(void *arg) {
  struct timespec pause = {.tv_nsec = DRAIN_PAUSE_US * 1000};
  while (atomic_load(&draining)) {
    drain_once(arg);
    nanosleep(&pause, NULL);
  }
  return NULL;
}

struct bench {
  const char *name;
  void (*call)(struct hoist_telemetry *telemetry);
  long calls;
  int threads;
};

struct job {
  const struct bench *bench;
  struct hoist_telemetry *telemetry;
};

static void *run_calls(void *arg) {
  const struct job *job = arg;
  for (long i = 0; i < job->bench->calls; i++)
    job->bench->call(job->telemetry);
  return NULL;
}

static double time_round(struct job *job) {
  pthread_t others[8];
  uint64_t started_ns = clock_monotonic_ns();
  for (int i = 1; i < job->bench->threads; i++)
    if (pthread_create(&others[i], NULL, run_calls, job) != 0) abort();
  run_calls(job);
  for (int i = 1; i < job->bench->threads; i++)
    pthread_join(others[i], NULL);
  return (double)(clock_monotonic_ns() - started_ns) /
         (double)(job->bench->calls * job->bench->threads);
}

static void run(const struct bench *bench, struct recorder *recorder) {
  struct job job = {bench, recorder ? &recorder->scopes[0].base : NULL};
  double best = 1e18;
  unsigned long allocated = 0;
  for (int round = 0; round < ROUNDS; round++) {
    if (recorder) drain_once(recorder);
    unsigned long before = atomic_load(&allocations);
    double ns = time_round(&job);
    allocated = atomic_load(&allocations) - before;
    best = ns < best ? ns : best;
  }
  printf("%-48s %8.2f ns  %lu allocations in %ld calls\n", bench->name, best, allocated,
         bench->calls * bench->threads);
}

static void start(struct recorder *r, const char *sampler) {
  static const struct lifetime_ops none;
  struct recorder_config config = {.queue_bytes = UINT64_C(4) << 20, .attribute_value_max = 1024, .limits = {128, 128, 128, 128, 128}};
  struct hoist_error err;
  if (sampler_parse(sampler, NULL, &config.sampler, &err) != HOIST_OK ||
      recorder_init(r, &config, &none, &err) != HOIST_OK) {
    fprintf(stderr, "bench_telemetry: %s\n", err.message);
    exit(1);
  }
}

int main(void) {
  static const struct bench not_configured[] = {
      {"start+end, not configured", span_call, CALLS, 1},
      {"start, no parent", span_call_without_parent, CALLS, 1},
      {"counter add, not configured", counter_add, CALLS, 1},
  };
  static const struct bench unsampled = {"start+end, not sampled", span_call, CALLS, 1};
  static const struct bench sampled[] = {
      {"start+end, sampled", span_call, SPANS, 1},
      {"start+5 attributes+end, sampled", span_with_five_attributes, SPANS, 1},
      {"the same, 2 threads, wall per span", span_with_five_attributes, SPANS, 2},
      {"counter add", counter_add, CALLS, 1},
      {"histogram record, 1 attribute", histogram_record_with_attribute, CALLS, 1},
  };
  static struct recorder off, on;
  for (size_t i = 0; i < sizeof not_configured / sizeof not_configured[0]; i++)
    run(&not_configured[i], NULL);
  start(&off, "always_off");
  run(&unsampled, &off);
  start(&on, "always_on");
  pthread_t drainer;
  atomic_store(&draining, 1);
  if (pthread_create(&drainer, NULL, drain, &on) != 0) return 1;
  for (size_t i = 0; i < sizeof sampled / sizeof sampled[0]; i++)
    run(&sampled[i], &on);
  atomic_store(&draining, 0);
  pthread_join(drainer, NULL);
  struct queue_counts counts;
  queue_get_counts(&on.queue, &counts);
  printf("spans queued %llu, refused %llu\n", (unsigned long long)counts.accepted,
         (unsigned long long)counts.refused);
  recorder_done(&off);
  recorder_done(&on);
  return 0;
}
