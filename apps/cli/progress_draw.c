/* SPDX-License-Identifier: Apache-2.0 */
/* What progress looks like: one frame of bars, one plain line, one JSON line. A frame is put
 * together in memory and written at once, so it does not flicker. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "auto.h"
#include "glyph.h"
#include "human.h"
#include "progress.h"

#define MIN_NAME_COLUMNS 10
#define MAX_NAME_COLUMNS 40
#define MIN_BAR_COLUMNS 6
#define MAX_BAR_COLUMNS 40
#define HEADROOM_ROWS 4 /* of the terminal's height: head, total, prompt, one to spare */

struct frame {
  FILE *out;
  const struct term *term;
  size_t lines;
};

static double share(int64_t done, int64_t total) {
  if (total <= 0 || done <= 0) return 0;
  return done >= total ? 1 : (double)done / (double)total;
}

/* ---- bars ---------------------------------------------------------------------------------------
 */

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

/* A line that fits: the name gives way first, then the bar, then the end of the text. */
static void draw_bar_line(struct frame *f, const char *name, int64_t done, int64_t total,
                          const char *text) {
  size_t width = f->term->width - 1, text_columns = glyph_columns(text);
  size_t fixed = 2 + 1 + 5 + 1; /* indent, gap, " 42 %", gap */
  size_t left = width > fixed + text_columns ? width - fixed - text_columns : 0;
  size_t bar = left / 2 < MAX_BAR_COLUMNS ? left / 2 : MAX_BAR_COLUMNS;
  if (bar < MIN_BAR_COLUMNS) bar = left >= MIN_NAME_COLUMNS + MIN_BAR_COLUMNS ? MIN_BAR_COLUMNS : 0;
  size_t name_columns = left - bar < MAX_NAME_COLUMNS ? left - bar : MAX_NAME_COLUMNS;
  char fitted[GLYPH_FIT_SIZE(TERM_MAX_WIDTH)];
  size_t taken = glyph_fit(fitted, sizeof fitted, name, name_columns, f->term->unicode);
  fprintf(f->out, "  %s%*s", fitted, (int)(name_columns - taken + 1), "");
  draw_bar(f, share(done, total), bar);
  if (total > 0)
    fprintf(f->out, "%3.0f %% ", share(done, total) * 100);
  else
    fputs("   ? ", f->out);
  glyph_fit(fitted, sizeof fitted, text, width > fixed ? width - fixed : 0, f->term->unicode);
  fprintf(f->out, "%s\033[K\n", fitted);
  f->lines++;
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
  out[0] = '\0';
  if (rate <= 0 || p->total_bytes <= p->total_done) return;
  double seconds = (double)(p->total_bytes - p->total_done) / rate;
  if (seconds < 360000) {
    uint64_t whole = (uint64_t)seconds + 1;
    snprintf(out, size, ", %s left",
             whole < 60 ? (snprintf(text, sizeof text, "%" PRIu64 " s", whole), text)
                        : human_duration(text, whole * 1000000000, p->term.unicode));
  }
}

static void format_total(const struct progress *p, char *out, size_t size) {
  char amount[64], rate_text[HUMAN_SIZE], eta[48];
  double rate = progress_rate(p);
  format_amount(amount, sizeof amount, p->total_done, p->total_bytes);
  format_eta(p, rate, eta, sizeof eta);
  if (rate > 0)
    snprintf(out, size, "%s, %s/s%s", amount, human_bytes(rate_text, (uint64_t)rate), eta);
  else
    snprintf(out, size, "%s", amount);
}

static void draw_head(struct frame *f, const struct progress *p) {
  char text[512], fitted[GLYPH_FIT_SIZE(TERM_MAX_WIDTH)];
  snprintf(text, sizeof text, "%s: %s%s", p->model_id, p->doing, f->term->unicode ? "…" : "...");
  glyph_fit(fitted, sizeof fitted, text, f->term->width - 1, f->term->unicode);
  fprintf(f->out, "%s\033[K\n", fitted);
  f->lines++;
}

static size_t bars_that_fit(const struct progress *p) {
  struct winsize size;
  if (ioctl(fileno(p->out), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return PROGRESS_MAX_FILES;
  return size.ws_row > HEADROOM_ROWS ? size.ws_row - HEADROOM_ROWS : 0;
}

static void draw_files(struct frame *f, const struct progress *p) {
  char text[96], name[64];
  size_t most = bars_that_fit(p);
  for (size_t i = 0; i < p->in_flight && i < most; i++) {
    const struct progress_file *file = &p->files[i];
    format_amount(text, sizeof text, file->bytes, file->total);
    draw_bar_line(f, file->name, file->bytes, file->total, text);
  }
  format_total(p, text, sizeof text);
  snprintf(name, sizeof name, "total, %zu of %zu files", p->files_done, p->file_count);
  draw_bar_line(f, name, p->total_done, p->total_bytes, text);
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
  if (p->file_count > 0) draw_files(&frame, p);
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

/* ---- elsewhere ----------------------------------------------------------------------------------
 */

void progress_print_line(struct progress *p) {
  char total[160];
  format_total(p, total, sizeof total);
  fprintf(p->out, "%s: %zu of %zu files, %s, from %s\n", p->model_id, p->files_done, p->file_count,
          total, p->source);
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
  case HOIST_PROGRESS_COMMIT:
    return "commit";
  case HOIST_PROGRESS_SESSION:
    return "session";
  case HOIST_PROGRESS_DONE:
    return "done";
  }
  return "other";
}

static void size_or_null(struct json *j, const char *key, int64_t bytes) {
  if (bytes >= 0)
    json_int(j, key, bytes);
  else
    json_text(j, key, NULL);
}

void progress_print_json(struct progress *p, const struct hoist_progress *e) {
  struct json *j = p->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "progress");
  json_text(j, "kind", kind_name(e->kind));
  json_text(j, "model_id", e->model_id);
  if (e->source) json_text(j, "source", e->source);
  if (e->kind == HOIST_PROGRESS_FILE) {
    json_text(j, "file", e->file);
    json_int(j, "bytes", e->bytes);
    size_or_null(j, "file_bytes", e->file_bytes);
    json_bool(j, "file_done", e->file_done != 0);
  }
  if (e->file_count > 0) {
    json_uint(j, "file_count", e->file_count);
    json_uint(j, "files_done", e->files_done);
    json_int(j, "total_done", e->total_done);
    size_or_null(j, "total_bytes", e->total_bytes);
  }
  if (e->message) json_text(j, "message", e->message);
  json_close(j, '}');
  json_end(j);
}
