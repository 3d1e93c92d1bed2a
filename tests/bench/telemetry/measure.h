/* SPDX-License-Identifier: Apache-2.0 */
/* How the telemetry benchmark measures, the same for hoist and for opentelemetry-cpp: rounds of many
 * calls, timed; and one more round, not timed, in which every allocation of the process is counted.
 * One line of JSON per row goes to standard output; tests/bench/telemetry.mjs makes the table. */
#ifndef HOIST_BENCH_MEASURE_H
#define HOIST_BENCH_MEASURE_H

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_MAX_THREADS = 8 };

struct bench_row {
  const char *id; /* the row's name in telemetry.mjs */
  int threads;    /* each makes `calls` calls a round */
  long calls;
  /* The loop is the row's own, so that nothing stands between it and what it measures. */
  void (*run)(void *user, long calls);
  /* Between rounds, not timed: whatever was recorded is exported. NULL: nothing to do. */
  void (*settle)(void *user);
};

/** Measures and prints one row. `user` is passed on. */
void bench_measure(const struct bench_row *row, void *user);

/** Prints a number that belongs to the run as a whole: what was recorded, what was lost. */
void bench_report(const char *id, unsigned long long value);

/* Keeps the compiler from knowing what a pointer is, or that a loop's rounds are alike. */
#define BENCH_OPAQUE(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

#ifdef __cplusplus
}
#endif
#endif
