/* SPDX-License-Identifier: Apache-2.0 */
/* Shows how a fetch is getting on: bars redrawn in place on a terminal, a plain line every few
 * seconds elsewhere, JSON lines for programs. */
#ifndef HOIST_CLI_PROGRESS_H
#define HOIST_CLI_PROGRESS_H

#include <hoist/hoist.h>

#include "json.h"
#include "term.h"

#define PROGRESS_MAX_FILES 8 /* bars at once; more in flight are counted only */
#define PROGRESS_NAME_BYTES 256
#define PROGRESS_SAMPLES 16

enum progress_mode { PROGRESS_SILENT, PROGRESS_PLAIN, PROGRESS_BARS, PROGRESS_JSON };

struct progress_file {
  char name[PROGRESS_NAME_BYTES];
  int64_t bytes, total; /* total -1: not known */
};

struct progress {
  /* Set by the user before the first event: */
  enum progress_mode mode;
  FILE *out;         /* PLAIN, BARS */
  struct term term;  /* of `out` */
  struct json *json; /* JSON */
  uint64_t (*now_ns)(void);
  /* What is known about the running call: */
  char model_id[PROGRESS_NAME_BYTES], source[64], doing[160];
  struct progress_file files[PROGRESS_MAX_FILES];
  size_t in_flight;
  size_t file_count, files_done;
  int64_t total_done, total_bytes;
  size_t retries;
  uint64_t moved_ns;   /* when the last news came that was no retry; 0: never */
  int64_t waiting_for; /* the process whose download the totals are of; 0: not known */
  bool waiting;
  struct {
    uint64_t at_ns;
    int64_t bytes;
  } samples[PROGRESS_SAMPLES]; /* a ring, for the rate of the last few seconds */
  size_t sample_count;
  /* What is on the screen: */
  size_t lines;
  uint64_t drawn_ns; /* 0: nothing yet */
};

/** For hoist_call_options.progress; `user` is the struct progress. Any thread, one at a time. */
void progress_event(void *user, const struct hoist_progress *event);

/** Takes the bars off the screen and forgets the call. To be called after each call, however it
 * ended. */
void progress_end(struct progress *p);

/** Bytes a second over the last seconds; 0: not known yet. */
double progress_rate(const struct progress *p);
/** Seconds that are left at that rate; negative: not known. */
double progress_seconds_left(const struct progress *p, double rate);

/* Drawing, in progress_draw.c: */
void progress_draw_bars(struct progress *p);
void progress_erase_bars(struct progress *p);
void progress_print_line(struct progress *p);
void progress_print_json(struct progress *p, const struct hoist_progress *event);

#endif
