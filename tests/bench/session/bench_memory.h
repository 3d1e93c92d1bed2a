/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, the memory of this process, and waiting until somebody has looked at it. */
#ifndef HOIST_BENCH_MEMORY_H
#define HOIST_BENCH_MEMORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline double bench_now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline int bench_touch(size_t megabytes) {
  volatile char *memory = malloc(megabytes << 20);
  for (size_t i = 0; memory && i < megabytes << 20; i += 4096)
    memory[i] = 1;
  return memory ? 0 : 1;
}

/* Ends the object: what is the process's own, and what it shares with the page cache. */
static inline void bench_print_memory(void) {
  char line[256];
  long anonymous = 0, file = 0, peak = 0;
  FILE *status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status)) {
    sscanf(line, "RssAnon: %ld", &anonymous);
    sscanf(line, "RssFile: %ld", &file);
    sscanf(line, "VmHWM: %ld", &peak);
  }
  if (status) fclose(status);
  printf("\"anonymous_kb\": %ld, \"file_kb\": %ld, \"peak_kb\": %ld}\n", anonymous, file, peak);
  fflush(stdout);
}

/* At once out of the process, whatever would be done at its end. */
static inline int bench_hold(int hold) {
  char byte;
  while (hold && read(STDIN_FILENO, &byte, 1) > 0) {
  }
  _exit(0);
}

#endif
