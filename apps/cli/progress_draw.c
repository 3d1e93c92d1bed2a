/* SPDX-License-Identifier: Apache-2.0 */
/* What progress looks like: one frame of bars, one plain line, one JSON line. A frame is put
 * together in memory and written at once, so it does not flicker. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "auto.h"
#include "clock.h"
#include "glyph.h"
#include "human.h"
#include "progress.h"

#define MAX_BAR_COLUMNS 40
#define PERCENT_COLUMNS 7 /* "  42 % " */
#define MAX_ETA_S 360000  /* beyond that, an estimate says nothing */
#define HEADROOM_ROWS 4   /* of the terminal's height: head, total, prompt, one to spare */

struct frame {
  FILE *out;
  const struct term *term;
  size_t lines;
};

static double share(int64_t done, int64_t total) {
  if (total <= 0 || done <= 0) return 0;
  return done >= total ? 1 : (double)done / (double)total;
}

/* ---- bars ------------------------------------------------------------------------------------ */

static void draw_bar(const struct frame *f, double filled, size_t columns) {
  static const char *const blocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  size_t eighths = (size_t)(filled * (double)columns * 8), full = eighths / 8, used = full;
  term_set(f->out, f->term, TERM_CYAN);
  for (size_t i = 0; i < full; i++)
    fputs(f->term->unicode ? "█" : "#", f->out);
  if (f->term->unicode && eighths % 8) {
    fputs(blocks[eighths % 8], f->out);
    used++;
  }
  term_set(f->out, f->term, TERM_PLAIN);
  term_set(f->out, f->term, TERM_DIM);
  for (; used < columns; used++)
    fputs(f->term->unicode ? "·" : ".", f->out);
  term_set(f->out, f->term, TERM_PLAIN);
}

static void format_amount(char *out, size_t size, int64_t done, int64_t total) {
  char a[HUMAN_SIZE], b[HUMAN_SIZE];
  human_bytes(a, done > 0 ? (uint64_t)done : 0);
  if (total >= 0)
    snprintf(out, size, "%s / %s", a, human_bytes(b, (uint64_t)total));
  else
    snprintf(out, size, "%s", a);
}

static void format_eta(const struct progress *p, double rate, char *out, size_t size) {
  char text[HUMAN_SIZE];
  double seconds = progress_seconds_left(p, rate);
  out[0] = '\0';
  if (seconds < 0) return;
  if (seconds < 59)
    snprintf(out, size, ", %.0f s left", ceil(seconds));
  else if (seconds < MAX_ETA_S)
    snprintf(out, size, ", %s left",
             human_duration(text, (uint64_t)seconds * NS_PER_S, p->term.unicode));
}

/* ", 41.8 MB/s, 12 s left"; "" while the rate is not known. */
static void format_speed(const struct progress *p, char *out, size_t size) {
  char rate_text[HUMAN_SIZE], eta[48];
  double rate = progress_rate(p);
  out[0] = '\0';
  if (rate <= 0) return;
  format_eta(p, rate, eta, sizeof eta);
  snprintf(out, size, ", %s/s%s", human_bytes(rate_text, (uint64_t)rate), eta);
}

/* ---- a frame --------------------------------------------------------------------------------- */

static void end_line(struct frame *f) {
  fputs("\033[K\n", f->out);
  f->lines++;
}

static void draw_head(struct frame *f, const struct progress *p) {
  char text[640], speed[96], fitted[GLYPH_FIT_SIZE(TERM_MAX_WIDTH)];
  format_speed(p, speed, sizeof speed);
  const char *dots = *speed ? "" : f->term->unicode ? "…" : "...";
  snprintf(text, sizeof text, "%s: %s%s%s", p->model_id, p->doing, speed, dots);
  glyph_fit(fitted, sizeof fitted, text, f->term->width - 1, f->term->unicode);
  fputs(fitted, f->out);
  end_line(f);
}

/* One bar and what stands beside it. */
struct bar_line {
  const char *name;
  int64_t done, total;
  char amount[64];
};

/* Columns of a frame's lines, the same in all of them: amounts whole, then bars, then names. */
struct columns {
  size_t name, bar, amount;
};

static struct columns lay_out(const struct frame *f, const struct bar_line *lines, size_t count) {
  struct columns c = {0};
  for (size_t i = 0; i < count; i++) {
    size_t name = glyph_columns(lines[i].name), amount = glyph_columns(lines[i].amount);
    c.name = name > c.name ? name : c.name;
    c.amount = amount > c.amount ? amount : c.amount;
  }
  size_t fixed =
      2 + 1 + PERCENT_COLUMNS + 1 + c.amount; /* indent, gap, " 42 % ", the last column */
  size_t left = f->term->width > fixed ? f->term->width - fixed : 0;
  c.bar = left / 2 < MAX_BAR_COLUMNS ? left / 2 : MAX_BAR_COLUMNS;
  c.name = left - c.bar < c.name ? left - c.bar : c.name;
  return c;
}

static void draw_line(struct frame *f, const struct columns *c, const struct bar_line *line) {
  char name[GLYPH_FIT_SIZE(TERM_MAX_WIDTH)], amount[GLYPH_FIT_SIZE(64)];
  size_t taken = glyph_fit(name, sizeof name, line->name, c->name, f->term->unicode);
  fprintf(f->out, "  %s%*s", name, (int)(c->name - taken + 1), "");
  draw_bar(f, share(line->done, line->total), c->bar);
  if (line->total > 0)
    fprintf(f->out, "%4.0f %% ", floor(share(line->done, line->total) * 100));
  else
    fputs("     ? ", f->out);
  size_t fixed = 2 + c->name + 1 + c->bar + PERCENT_COLUMNS + 1;
  size_t room = f->term->width > fixed ? f->term->width - fixed : 0;
  glyph_fit(amount, sizeof amount, line->amount, room < 64 ? room : 64, f->term->unicode);
  fputs(amount, f->out);
  end_line(f);
}

static size_t bars_that_fit(const struct progress *p) {
  struct winsize size;
  if (ioctl(fileno(p->out), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return PROGRESS_MAX_FILES;
  return size.ws_row > HEADROOM_ROWS ? size.ws_row - HEADROOM_ROWS : 0;
}

static void draw_files(struct frame *f, const struct progress *p) {
  struct bar_line lines[PROGRESS_MAX_FILES + 1];
  size_t most = bars_that_fit(p), count = 0;
  char total[64];
  for (; count < p->in_flight && count < most; count++)
    lines[count] = (struct bar_line){.name = p->files[count].name,
                                     .done = p->files[count].bytes,
                                     .total = p->files[count].total};
  if (p->waiting)
    snprintf(total, sizeof total, "in total");
  else
    snprintf(total, sizeof total, "%zu of %zu files", p->files_done, p->file_count);
  lines[count++] = (struct bar_line){.name = total, .done = p->total_done, .total = p->total_bytes};
  for (size_t i = 0; i < count; i++)
    format_amount(lines[i].amount, sizeof lines[i].amount, lines[i].done, lines[i].total);
  struct columns columns = lay_out(f, lines, count);
  for (size_t i = 0; i < count; i++)
    draw_line(f, &columns, &lines[i]);
}

static void rewind_frame(FILE *out, size_t lines) {
  if (lines > 0) fprintf(out, "\033[%zuA", lines);
}

void progress_draw_bars(struct progress *p) {
  HOIST_AUTO(mem) char *memory = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&memory, &size);
  if (!out) return; /* no memory for a frame: the next one may have it */
  p->term.width = term_width(fileno(p->out), p->term.width);
  struct frame frame = {.out = out, .term = &p->term};
  fputs("\033[?25l\r", out);
  rewind_frame(out, p->lines);
  draw_head(&frame, p);
  if (p->waiting ? p->total_done > 0 || p->total_bytes > 0 : p->file_count > 0)
    draw_files(&frame, p);
  fputs("\033[J", out);
  if (fclose(out) != 0 || !memory) return;
  fwrite(memory, 1, size, p->out);
  fflush(p->out);
  p->lines = frame.lines;
}

void progress_erase_bars(struct progress *p) {
  if (p->mode != PROGRESS_BARS || p->lines == 0) return;
  fputc('\r', p->out);
  rewind_frame(p->out, p->lines);
  fputs("\033[J\033[?25h", p->out);
  fflush(p->out);
  p->lines = 0;
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

void progress_print_line(struct progress *p) {
  char amount[64], speed[96];
  format_amount(amount, sizeof amount, p->total_done, p->total_bytes);
  format_speed(p, speed, sizeof speed);
  if (p->waiting)
    fprintf(p->out, "%s: still waiting, it has %s%s\n", p->model_id, amount, speed);
  else
    fprintf(p->out, "%s: %zu of %zu files, %s%s, from %s\n", p->model_id, p->files_done,
            p->file_count, amount, speed, p->source);
  fflush(p->out);
}

static const char *kind_name(enum hoist_progress_kind kind) {
  switch (kind) {
  case HOIST_PROGRESS_WAIT:
    return "wait";
  case HOIST_PROGRESS_SOURCE:
    return "source";
  case HOIST_PROGRESS_PLAN:
    return "plan";
  case HOIST_PROGRESS_FILE:
    return "file";
  case HOIST_PROGRESS_FALLTHROUGH:
    return "fallthrough";
  case HOIST_PROGRESS_RETRY:
    return "retry";
  case HOIST_PROGRESS_COMMIT:
    return "commit";
  case HOIST_PROGRESS_SESSION:
    return "session";
  case HOIST_PROGRESS_DONE:
    return "done";
  case HOIST_PROGRESS_WARNING:
    return "warning";
  case HOIST_PROGRESS_NOTICE:
    return "notice";
  case HOIST_PROGRESS_RESUME:
    return "resume";
  }
  return "other";
}

static void size_or_null(struct json *j, const char *key, int64_t bytes) {
  if (bytes >= 0)
    json_int(j, key, bytes);
  else
    json_text(j, key, NULL);
}

/* In whole bytes and seconds; a program that wants more has the sums. */
static void print_speed(const struct progress *p, struct json *j) {
  double rate = progress_rate(p), left = progress_seconds_left(p, rate);
  if (rate > 0) json_uint(j, "bytes_per_s", (uint64_t)rate);
  if (left >= 0 && left < MAX_ETA_S) json_uint(j, "seconds_left", (uint64_t)ceil(left));
}

void progress_print_json(struct progress *p, const struct hoist_progress *e) {
  struct json *j = p->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "progress");
  json_text(j, "kind", kind_name(e->kind));
  json_text(j, "model_id", e->model_id);
  if (e->source) json_text(j, "source", e->source);
  if (e->file) json_text(j, "file", e->file);
  if (e->kind == HOIST_PROGRESS_FILE || e->kind == HOIST_PROGRESS_RESUME) {
    json_int(j, "bytes", e->bytes);
    size_or_null(j, "file_bytes", e->file_bytes);
  }
  if (e->kind == HOIST_PROGRESS_FILE) json_bool(j, "file_done", e->file_done != 0);
  if (e->file_count > 0) {
    json_uint(j, "file_count", e->file_count);
    json_uint(j, "files_done", e->files_done);
    json_int(j, "total_done", e->total_done);
    size_or_null(j, "total_bytes", e->total_bytes);
    json_uint(j, "total_retries", p->retries);
  }
  if (e->kind == HOIST_PROGRESS_FILE) print_speed(p, j);
  if (e->kind == HOIST_PROGRESS_RETRY) json_uint(j, "wait_ms", e->wait_ms);
  if (e->kind == HOIST_PROGRESS_WAIT) {
    if (e->waiting_for_pid > 0) json_int(j, "waiting_for_pid", e->waiting_for_pid);
    json_int(j, "total_done", e->total_done);
    size_or_null(j, "total_bytes", e->total_bytes);
  }
  if (e->message) json_text(j, "message", e->message);
  json_close(j, '}');
  json_end(j);
}
