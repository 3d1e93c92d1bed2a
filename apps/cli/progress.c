/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps account of a call's progress events and decides when to show something. Time comes from
 * now_ns, so tests need not sleep. Events arrive from one thread at a time. */
#include "progress.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "glyph.h"
#include "human.h"
#include "signals.h"
#include "text.h"

#define REDRAW_NS (100 * NS_PER_MS)
#define LINE_NS (3 * NS_PER_S)
#define SAMPLE_NS (250 * NS_PER_MS)
#define GAP_NS (5 * NS_PER_S) /* without a byte: speed begins anew after it */
#define RETRY_TOLD_MS 1000
#define NAMED_FILES 16 /* more of them are not told one by one where lines stay */

/* ---- accounts -------------------------------------------------------------------------------- */

static void clean(char *dst, size_t size, const char *text) {
  glyph_clean(dst, size, text, strlen(text));
}

static struct progress_file *find_file(struct progress *p, const char *name) {
  for (size_t i = 0; i < p->in_flight; i++)
    if (strcmp(p->files[i].name, name) == 0) return &p->files[i];
  return NULL;
}

static void note_file(struct progress *p, const struct hoist_progress *e) {
  char name[PROGRESS_NAME_BYTES];
  clean(name, sizeof name, e->file);
  struct progress_file *file = find_file(p, name);
  if (e->file_done) {
    if (file) memmove(file, file + 1, (size_t)(&p->files[--p->in_flight] - file) * sizeof *file);
    return;
  }
  if (!file && p->in_flight < PROGRESS_MAX_FILES) {
    file = &p->files[p->in_flight++];
    memcpy(file->name, name, sizeof name);
  }
  if (file) {
    file->bytes = e->bytes;
    file->total = e->file_bytes;
  }
}

static void note_totals(struct progress *p, const struct hoist_progress *e) {
  p->file_count = e->file_count;
  p->files_done = e->files_done;
  p->total_done = e->total_done;
  p->total_bytes = e->total_bytes;
}

static void note_sample(struct progress *p) {
  uint64_t now = p->now_ns();
  size_t last = (p->sample_count + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;
  uint64_t since_ns = p->sample_count > 0 ? now - p->samples[last].at_ns : SAMPLE_NS;
  if (since_ns < SAMPLE_NS) return;
  if (since_ns > GAP_NS) p->sample_count = 0;
  size_t next = p->sample_count++ % PROGRESS_SAMPLES;
  p->samples[next].at_ns = now;
  p->samples[next].bytes = p->total_done;
}

double progress_rate(const struct progress *p) {
  if (p->sample_count == 0) return 0;
  size_t kept = p->sample_count < PROGRESS_SAMPLES ? p->sample_count : PROGRESS_SAMPLES;
  size_t oldest = (p->sample_count - kept) % PROGRESS_SAMPLES;
  uint64_t elapsed = p->now_ns() - p->samples[oldest].at_ns;
  int64_t moved = p->total_done - p->samples[oldest].bytes;
  if (elapsed < SAMPLE_NS || moved <= 0) return 0;
  return (double)moved * (double)NS_PER_S / (double)elapsed;
}

double progress_seconds_left(const struct progress *p, double rate) {
  if (rate <= 0 || p->total_bytes <= p->total_done) return -1;
  return (double)(p->total_bytes - p->total_done) / rate;
}

static void note_wait(struct progress *p, const struct hoist_progress *e) {
  if (!p->waiting || p->waiting_for != e->waiting_for_pid) p->sample_count = 0;
  p->waiting = true;
  p->waiting_for = e->waiting_for_pid;
  p->total_done = e->total_done;
  p->total_bytes = e->total_bytes;
  if (p->waiting_for > 0)
    snprintf(p->doing, sizeof p->doing, "waiting for process %" PRId64 ", which is downloading it",
             p->waiting_for);
  else
    text_copy(p->doing, sizeof p->doing, "waiting for another process that is downloading it");
  note_sample(p);
}

static void begin_source(struct progress *p, const struct hoist_progress *e) {
  p->in_flight = 0;
  p->sample_count = 0;
  p->file_count = p->files_done = 0;
  p->total_done = 0;
  p->total_bytes = -1;
  clean(p->source, sizeof p->source, e->source ? e->source : "");
  snprintf(p->doing, sizeof p->doing, "asking %s", p->source);
}

static void note(struct progress *p, const struct hoist_progress *e) {
  if (e->kind != HOIST_PROGRESS_RETRY) p->moved_ns = p->now_ns();
  bool is_aside = e->kind == HOIST_PROGRESS_WARNING || e->kind == HOIST_PROGRESS_NOTICE;
  if (!is_aside) p->waiting = p->waiting && e->kind == HOIST_PROGRESS_WAIT;
  if (e->model_id) clean(p->model_id, sizeof p->model_id, e->model_id);
  switch (e->kind) {
  case HOIST_PROGRESS_WAIT:
    note_wait(p, e);
    break;
  case HOIST_PROGRESS_SOURCE:
    begin_source(p, e);
    break;
  case HOIST_PROGRESS_PLAN:
    note_totals(p, e);
    snprintf(p->doing, sizeof p->doing, "downloading from %s", p->source);
    break;
  case HOIST_PROGRESS_FILE:
    note_totals(p, e);
    note_file(p, e);
    note_sample(p);
    break;
  case HOIST_PROGRESS_RESUME:
    note_totals(p, e);
    note_file(p, e);
    p->sample_count = 0; /* what was there did not come at any speed */
    note_sample(p);
    break;
  case HOIST_PROGRESS_FALLTHROUGH:
    p->in_flight = 0;
    break;
  case HOIST_PROGRESS_RETRY:
    p->retries++;
    break;
  case HOIST_PROGRESS_WARNING:
  case HOIST_PROGRESS_NOTICE:
    break;
  case HOIST_PROGRESS_COMMIT:
    p->in_flight = 0;
    text_copy(p->doing, sizeof p->doing, "publishing in the cache");
    break;
  case HOIST_PROGRESS_SESSION:
    p->in_flight = 0;
    p->file_count = 0;
    text_copy(p->doing, sizeof p->doing, "creating the session");
    break;
  case HOIST_PROGRESS_DONE:
    break;
  }
}

/* ---- showing --------------------------------------------------------------------------------- */

static bool is_due(const struct progress *p, uint64_t interval_ns) {
  return p->drawn_ns == 0 || p->now_ns() - p->drawn_ns >= interval_ns;
}

static void tell_fallthrough(struct progress *p, const struct hoist_progress *e) {
  char message[512], source[64];
  clean(message, sizeof message, e->message ? e->message : "failed");
  clean(source, sizeof source, e->source ? e->source : "a source");
  progress_erase_bars(p);
  fprintf(p->out, "%s: %s: %s; trying the next source\n", p->model_id, source, message);
}

static void tell_line(struct progress *p, const char *text) {
  char message[640];
  clean(message, sizeof message, text);
  progress_erase_bars(p);
  fprintf(p->out, "%s: %s\n", p->model_id, message);
  fflush(p->out);
}

static void tell_resume(struct progress *p, const struct hoist_progress *e) {
  char text[PROGRESS_NAME_BYTES + 128], there[HUMAN_SIZE], all[HUMAN_SIZE];
  snprintf(text, sizeof text,
           "%.*s: an interrupted download had brought %s of %s; only the rest is fetched",
           PROGRESS_NAME_BYTES - 1, e->file, human_bytes(there, (uint64_t)e->bytes),
           human_bytes(all, (uint64_t)e->file_bytes));
  tell_line(p, text);
}

/* A short wait is over before its line is read, unless nothing had come for long before it. */
static void tell_retry(struct progress *p, const struct hoist_progress *e) {
  uint64_t silence_ns = p->moved_ns ? p->now_ns() - p->moved_ns : 0;
  if (e->wait_ms >= RETRY_TOLD_MS || silence_ns >= RETRY_TOLD_MS * NS_PER_MS)
    tell_line(p, e->message ? e->message : "trying again");
}

/* The first line says whom we wait for, the ones every few seconds how far that process is. */
static void tell_wait(struct progress *p) {
  if (!is_due(p, LINE_NS)) return;
  if (p->drawn_ns == 0)
    fprintf(p->out, "%s: %s\n", p->model_id, p->doing);
  else
    progress_print_line(p);
  p->drawn_ns = p->now_ns();
}

static void tell_warning(struct progress *p, const struct hoist_progress *e) {
  char message[640];
  clean(message, sizeof message, e->message ? e->message : "");
  progress_erase_bars(p);
  term_print(p->out, &p->term, TERM_YELLOW, "hoist: warning: ");
  fprintf(p->out, "%s\n", message);
  fflush(p->out);
}

static void tell_file_done(struct progress *p, const struct hoist_progress *e) {
  char name[PROGRESS_NAME_BYTES];
  clean(name, sizeof name, e->file);
  fprintf(p->out, "%s: %s is complete (%zu of %zu files)\n", p->model_id, name, p->files_done,
          p->file_count);
}

/* What is told in a line of its own, whatever else is on the screen. False: it is something else. */
static bool tell_aside(struct progress *p, const struct hoist_progress *e) {
  switch (e->kind) {
  case HOIST_PROGRESS_FALLTHROUGH:
    tell_fallthrough(p, e);
    return true;
  case HOIST_PROGRESS_RETRY:
    tell_retry(p, e);
    return true;
  case HOIST_PROGRESS_WARNING:
    tell_warning(p, e);
    return true;
  case HOIST_PROGRESS_NOTICE:
    tell_line(p, e->message);
    return true;
  case HOIST_PROGRESS_RESUME:
    tell_resume(p, e);
    return true;
  case HOIST_PROGRESS_WAIT:
  case HOIST_PROGRESS_SOURCE:
  case HOIST_PROGRESS_PLAN:
  case HOIST_PROGRESS_FILE:
  case HOIST_PROGRESS_COMMIT:
  case HOIST_PROGRESS_SESSION:
  case HOIST_PROGRESS_DONE:
    break;
  }
  return false;
}

static void show_plain(struct progress *p, const struct hoist_progress *e) {
  if (tell_aside(p, e)) return;
  if (e->kind == HOIST_PROGRESS_FILE && e->file_done && p->file_count <= NAMED_FILES)
    tell_file_done(p, e);
  else if (e->kind == HOIST_PROGRESS_WAIT)
    tell_wait(p);
  else if (e->kind == HOIST_PROGRESS_PLAN)
    p->drawn_ns = p->now_ns(); /* the first line is due LINE_NS from here */
  else if (e->kind == HOIST_PROGRESS_FILE && is_due(p, LINE_NS)) {
    progress_print_line(p);
    p->drawn_ns = p->now_ns();
  }
}

static void show_bars(struct progress *p, const struct hoist_progress *e) {
  (void)tell_aside(p, e);
  bool moved_on = e->kind != HOIST_PROGRESS_FILE && e->kind != HOIST_PROGRESS_WAIT;
  if (e->kind == HOIST_PROGRESS_DONE || (!moved_on && !is_due(p, REDRAW_NS))) return;
  signals_guard_cursor(fileno(p->out));
  progress_draw_bars(p);
  p->drawn_ns = p->now_ns();
}

void progress_event(void *user, const struct hoist_progress *event) {
  struct progress *p = user;
  if (p->mode == PROGRESS_SILENT) return;
  note(p, event);
  if (p->mode == PROGRESS_JSON)
    progress_print_json(p, event);
  else if (p->mode == PROGRESS_BARS)
    show_bars(p, event);
  else
    show_plain(p, event);
}

void progress_end(struct progress *p) {
  if (p->mode == PROGRESS_BARS) {
    progress_erase_bars(p);
    signals_guard_cursor(-1);
  }
  *p = (struct progress){
      .mode = p->mode, .out = p->out, .term = p->term, .json = p->json, .now_ns = p->now_ns};
}
