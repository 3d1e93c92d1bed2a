/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds, clocks, threads, and the allocation counter: malloc and its relatives are ours here (C++'s
 * operator new goes through them), and count only while told to, so that counting costs the timed
 * rounds nothing. Best and median of the rounds are told: the machine's noise only ever adds. */
#include "measure.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 101 };

/* ---- counting allocations ---------------------------------------------------------------------- */

static atomic_bool counting;
static atomic_ulong counted;         /* by the whole process, exporting included */
static _Thread_local bool is_caller; /* this thread makes the measured calls */
static atomic_ulong counted_in_callers;

static void count(void) {
  if (!atomic_load_explicit(&counting, memory_order_relaxed)) return;
  atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed);
  if (is_caller) atomic_fetch_add_explicit(&counted_in_callers, 1, memory_order_relaxed);
}

/* The shared libraries must find these before libc's. */
#pragma GCC visibility push(default)
void *malloc(size_t size);
void *calloc(size_t number, size_t size);
void *realloc(void *old, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **ret, size_t alignment, size_t size);
#pragma GCC visibility pop

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
void *realloc(void *old, size_t size) {
  count();
  return __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **ret, size_t alignment, size_t size) {
  count();
  void *memory = __libc_memalign(alignment, size);
  if (memory) *ret = memory;
  return memory ? 0 : ENOMEM;
}

/* A counter that nobody's allocations reach would say 0 to everything. */
static void check_counter(void) {
  unsigned long before = atomic_load(&counted);
  atomic_store(&counting, true);
  char *volatile text = strdup("allocated within libc");
  free(text);
  atomic_store(&counting, false);
  if (atomic_load(&counted) != before) return;
  fprintf(stderr, "bench: allocations are not counted in this build\n");
  exit(1);
}

/* ---- rounds ------------------------------------------------------------------------------------ */

static double now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct round {
  const struct bench_row *row;
  void *user;
  pthread_barrier_t start;
  double started_ns, ended_ns[BENCH_MAX_THREADS];
  atomic_int next_thread;
};

/* A thread's first call finds it a place in the tables; that belongs to no round. */
static void *caller(void *arg) {
  struct round *r = arg;
  int index = atomic_fetch_add(&r->next_thread, 1);
  r->row->run(r->user, 1);
  is_caller = true;
  pthread_barrier_wait(&r->start);
  if (index == 0) r->started_ns = now_ns(CLOCK_MONOTONIC);
  r->row->run(r->user, r->row->calls);
  r->ended_ns[index] = now_ns(CLOCK_MONOTONIC);
  is_caller = false;
  return NULL;
}

static double last(const double *times, int number) {
  double latest = times[0];
  for (int i = 1; i < number; i++)
    latest = times[i] > latest ? times[i] : latest;
  return latest;
}

/* Wall time per call: with two threads that do not disturb each other, half of one thread's. */
static double run_round(const struct bench_row *row, void *user) {
  static struct round r;
  pthread_t others[BENCH_MAX_THREADS];
  r.row = row;
  r.user = user;
  atomic_store(&r.next_thread, 0);
  pthread_barrier_init(&r.start, NULL, (unsigned)row->threads);
  for (int i = 1; i < row->threads; i++)
    if (pthread_create(&others[i], NULL, caller, &r) != 0) abort();
  caller(&r);
  for (int i = 1; i < row->threads; i++)
    pthread_join(others[i], NULL);
  pthread_barrier_destroy(&r.start);
  double calls = (double)row->calls * row->threads;
  return (last(r.ended_ns, row->threads) - r.started_ns) / calls;
}

static void settle(const struct bench_row *row, void *user) {
  if (row->settle) row->settle(user);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void bench_measure(const struct bench_row *row, void *user) {
  double ns[ROUNDS];
  double calls = (double)row->calls * row->threads;
  check_counter();
  run_round(row, user); /* warms up */
  settle(row, user);
  double cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < ROUNDS; i++) {
    ns[i] = run_round(row, user);
    settle(row, user);
  }
  cpu_ns = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / (calls * (double)ROUNDS);
  atomic_store(&counted, 0);
  atomic_store(&counted_in_callers, 0);
  atomic_store(&counting, true);
  run_round(row, user);
  settle(row, user);
  atomic_store(&counting, false);
  qsort(ns, ROUNDS, sizeof ns[0], ascending);
  printf("{\"row\": \"%s\", \"best_ns\": %.2f, \"median_ns\": %.2f, \"cpu_ns\": %.2f, "
         "\"allocations\": %.3f, \"allocations_in_all\": %.3f}\n",
         row->id, ns[0], ns[ROUNDS / 2], cpu_ns, (double)atomic_load(&counted_in_callers) / calls,
         (double)atomic_load(&counted) / calls);
}

void bench_report(const char *id, unsigned long long value) {
  printf("{\"report\": \"%s\", \"value\": %llu}\n", id, value);
}
