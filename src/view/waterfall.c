/* SPDX-License-Identifier: Apache-2.0 */
/* Lays out and draws a waterfall. Owns nothing beyond one drawing; one thread at a time. */
#include "waterfall.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "bar.h"
#include "breakdown.h"
#include "clock.h"
#include "detail.h"
#include "glyph.h"
#include "human.h"
#include "rows.h"
#include "text.h"

#define DURATION_COLUMNS 7
#define MARK_COLUMNS 3 /* between a duration and its bar: the mark of the critical path */
#define MIN_NAME_COLUMNS 14
#define MAX_LEVELS 60        /* row.last has 64 bits */
#define DETAIL_FROM_WIDTH 76 /* narrower terminals have no room for details */
#define TICK_COLUMNS 10      /* least distance of two marks on the ruler */
#define MAX_SENTENCES 16     /* operations put into words per trace */
#define MAX_MESSAGE_LINES 6
#define SENTENCE_DEPTH 12 /* how far down operations are looked for */
#define NAME_SIZE GLYPH_FIT_SIZE(TERM_MAX_WIDTH)
#define SELF_WORTH_MENTIONING 10 /* percent of the trace */

struct drawing {
  FILE *out;
  const struct term *term;
  const struct trace_set *set;
  const struct trace *trace;
  size_t name_columns, detail_columns;
  struct bar_window window;
};

static size_t min_size(size_t a, size_t b) {
  return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b) {
  return a > b ? a : b;
}

static void pad(FILE *out, size_t columns) {
  fprintf(out, "%*s", (int)columns, "");
}

/* ---- the tree on the left -------------------------------------------------------------------- */

/* Levels of indentation that are drawn; deeper ones begin with an ellipsis. */
static uint32_t levels_shown(const struct drawing *d, const struct row *row) {
  size_t room = d->name_columns > MIN_NAME_COLUMNS ? d->name_columns - MIN_NAME_COLUMNS : 0;
  size_t most = min_size(room / 2 + 2, MAX_LEVELS);
  return row->depth < most ? row->depth : (uint32_t)most;
}

static void append(char *out, size_t size, const char *text) {
  size_t used = strlen(out);
  snprintf(out + used, size - used, "%s", text);
}

static bool has_rows_below(const struct row *row) {
  return row->kind == ROW_MESSAGE && row->has_children;
}

/* The lines that join a row to its parent. A message has none: the ones around it go on. */
static void format_prefix(const struct drawing *d, const struct row *row, char *out, size_t size) {
  bool fancy = d->term->unicode;
  uint32_t levels = levels_shown(d, row);
  out[0] = '\0';
  if (levels < row->depth) append(out, size, fancy ? "…" : "~");
  for (uint32_t level = levels; level > 0; level--) {
    bool last = row->last >> (level - 1) & 1;
    bool joint = level == 1 && row->kind != ROW_MESSAGE;
    if (joint)
      append(out, size, last ? fancy ? "└ " : "`-" : fancy ? "├ " : "|-");
    else
      append(out, size, last ? "  " : fancy ? "│ " : "| ");
  }
  if (has_rows_below(row))
    append(out, size, fancy ? "│ " : "| ");
  else if (row->kind == ROW_MESSAGE)
    append(out, size, "  ");
}

static void format_name(const struct drawing *d, const struct row *row, char *out, size_t size) {
  if (row->kind == ROW_HIDDEN)
    snprintf(out, size, "%s %zu more", d->term->unicode ? "…" : "...", row->hidden);
  else
    text_copy(out, size, *row->span->name ? row->span->name : "(no name)");
}

static enum term_color name_color(const struct row *row) {
  if (row->kind == ROW_HIDDEN) return TERM_DIM;
  if (row->span->failed) return TERM_RED;
  if (row->span->shown == TRACE_CONTEXT) return TERM_DIM;
  return row->depth == 0 ? TERM_BOLD : TERM_PLAIN;
}

static void draw_name(const struct drawing *d, const struct row *row) {
  char prefix[NAME_SIZE], name[TRACE_MAX_NAME_BYTES + 1], fitted[NAME_SIZE];
  format_prefix(d, row, prefix, sizeof prefix);
  format_name(d, row, name, sizeof name);
  size_t used = glyph_columns(prefix);
  size_t room = d->name_columns > used ? d->name_columns - used : 0;
  size_t taken = glyph_fit(fitted, sizeof fitted, name, room, d->term->unicode);
  term_print(d->out, d->term, TERM_DIM, prefix);
  term_print(d->out, d->term, name_color(row), fitted);
  pad(d->out, room - taken);
}

/* ---- the rest of a line ---------------------------------------------------------------------- */

static uint64_t total_ns(const struct drawing *d) {
  return d->trace->end_ns - d->trace->start_ns;
}

static void draw_duration(const struct drawing *d, uint64_t ns) {
  char text[HUMAN_SIZE];
  human_duration(text, ns, d->term->unicode);
  size_t columns = glyph_columns(text);
  pad(d->out, columns < DURATION_COLUMNS ? DURATION_COLUMNS - columns + 1 : 1);
  fputs(text, d->out);
}

static void format_detail(const struct drawing *d, const struct row *row, char out[DETAIL_SIZE]) {
  if (row->kind == ROW_HIDDEN) {
    char duration[HUMAN_SIZE];
    human_duration(duration, row->hidden_ns, d->term->unicode);
    snprintf(out, DETAIL_SIZE, "%s in all", duration);
    return;
  }
  bool worth = row->self_ns / SELF_WORTH_MENTIONING * 100 >= total_ns(d) && row->self_ns > 0;
  detail_format(out, row->span, worth ? row->self_ns : 0, d->term);
}

static void draw_detail(const struct drawing *d, const struct row *row, size_t bar_used) {
  char detail[DETAIL_SIZE], fitted[NAME_SIZE];
  if (d->detail_columns == 0) return;
  format_detail(d, row, detail);
  if (!*detail) return;
  glyph_fit(fitted, sizeof fitted, detail, d->detail_columns, d->term->unicode);
  pad(d->out, d->window.columns - bar_used + 2);
  term_print(d->out, d->term, TERM_DIM, fitted);
}

/* Bytes of `text` that make its first line of at most `columns`, ending at a space if it can. */
static size_t wrap(const char *text, size_t columns) {
  char fitted[NAME_SIZE];
  if (glyph_columns(text) <= columns) return strlen(text);
  glyph_fit(fitted, sizeof fitted, text, columns + 1, true);
  size_t size = strlen(fitted) - strlen("…");
  for (size_t i = size; i > size / 2; i--)
    if (text[i] == ' ') return i;
  return size ? size : strlen(text);
}

/* The whole message, because it is the reason; up to MAX_MESSAGE_LINES. */
static void draw_message(const struct drawing *d, const struct row *row) {
  char prefix[NAME_SIZE], part[TRACE_MAX_VALUE_BYTES + 1], fitted[NAME_SIZE];
  char message[TRACE_MAX_VALUE_BYTES + 1];
  glyph_clean(message, sizeof message, row->span->message, strlen(row->span->message));
  format_prefix(d, row, prefix, sizeof prefix);
  size_t used = glyph_columns(prefix) + 3; /* the mark, a space, the last column */
  size_t room = d->term->width > used ? d->term->width - used : 1;
  const char *text = message, *mark = d->term->unicode ? "✗ " : "! ";
  for (int line = 0; *text && line < MAX_MESSAGE_LINES; line++, mark = "  ") {
    size_t size = line + 1 < MAX_MESSAGE_LINES ? wrap(text, room) : strlen(text);
    snprintf(part, sizeof part, "%.*s", (int)size, text);
    glyph_fit(fitted, sizeof fitted, part, room, d->term->unicode);
    term_print(d->out, d->term, TERM_DIM, prefix);
    term_set(d->out, d->term, TERM_RED);
    fprintf(d->out, "%s%s", mark, fitted);
    term_set(d->out, d->term, TERM_PLAIN);
    fputc('\n', d->out);
    text += size + strspn(text + size, " ");
  }
}

/* One span alone is its own critical path, which needs no telling. */
static bool has_critical_path(const struct drawing *d) {
  return d->trace->span_count > 1 && total_ns(d) > 0;
}

static const char *critical_mark(const struct drawing *d) {
  return d->term->unicode ? "•" : "*";
}

static void draw_mark(const struct drawing *d, const struct row *row) {
  bool marked = row->kind == ROW_SPAN && row->span->critical && has_critical_path(d);
  fputc(' ', d->out);
  term_print(d->out, d->term, marked ? TERM_BOLD : TERM_PLAIN, marked ? critical_mark(d) : " ");
  fputc(' ', d->out);
}

static void draw_row(const struct drawing *d, const struct row *row) {
  enum bar_cell cells[TERM_MAX_WIDTH];
  if (row->kind == ROW_MESSAGE) {
    draw_message(d, row);
    return;
  }
  draw_name(d, row);
  if (row->kind == ROW_HIDDEN) {
    draw_duration(d, row->to_ns - row->from_ns);
    bar_of_range(row->from_ns, row->to_ns, &d->window, cells);
  } else {
    draw_duration(d, trace_duration(row->span));
    bar_of_span(d->set, row->span, &d->window, cells);
  }
  bool failed = row->span && row->span->failed;
  draw_mark(d, row);
  size_t used = bar_write(d->out, d->term, failed ? TERM_RED : phase_color(row->phase), cells,
                          d->window.columns);
  draw_detail(d, row, used);
  fputc('\n', d->out);
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* The columns the texts would like to have. */
static void measure(const struct drawing *d, const struct rows *rows, size_t *ret_name,
                    size_t *ret_detail) {
  *ret_name = MIN_NAME_COLUMNS;
  *ret_detail = 0;
  for (size_t i = 0; i < rows->count; i++) {
    const struct row *row = &rows->items[i];
    char name[TRACE_MAX_NAME_BYTES + 1], detail[DETAIL_SIZE];
    if (row->kind == ROW_MESSAGE) continue;
    format_name(d, row, name, sizeof name);
    format_detail(d, row, detail);
    *ret_name = max_size(*ret_name, glyph_columns(name) + 2 * (size_t)row->depth);
    *ret_detail = max_size(*ret_detail, glyph_columns(detail));
  }
}

/* Two fifths for the names and three tenths for details at most; the bars get all that is left. */
static void lay_out(struct drawing *d, const struct rows *rows) {
  size_t name, detail,
      width = d->term->width - 1; /* the last column would wrap on some terminals */
  measure(d, rows, &name, &detail);
  d->name_columns = min_size(name, width * 2 / 5);
  if (d->term->width >= DETAIL_FROM_WIDTH) d->detail_columns = min_size(detail, width * 3 / 10);
  size_t taken = d->name_columns + 1 + DURATION_COLUMNS + MARK_COLUMNS +
                 (d->detail_columns ? d->detail_columns + 2 : 0);
  d->window = (struct bar_window){.start_ns = d->trace->start_ns,
                                  .end_ns = d->trace->end_ns,
                                  .columns = width > taken ? width - taken : 1};
}

/* ---- above and below ------------------------------------------------------------------------- */

static void draw_head(const struct drawing *d) {
  const struct trace_span *root = trace_root(d->set, d->trace, 0);
  char id[33], when[32] = "", text[160], fitted[NAME_SIZE];
  time_t seconds = (time_t)(d->trace->start_ns / NS_PER_S);
  struct tm utc;
  hex_encode(root->trace_id, sizeof root->trace_id, id);
  if (d->trace->start_ns > 0 && gmtime_r(&seconds, &utc))
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &utc);
  const char *dot = d->term->unicode ? " · " : ", ";
  snprintf(text, sizeof text, "trace %s%s%zu span%s%s%s", id, dot, d->trace->span_count,
           d->trace->span_count == 1 ? "" : "s", *when ? dot : "", when);
  glyph_fit(fitted, sizeof fitted, text, d->term->width - 1, d->term->unicode);
  term_print(d->out, d->term, TERM_DIM, fitted);
  fputc('\n', d->out);
}

/* A round distance, so that marks stand at least TICK_COLUMNS apart: 1, 2 or 5 times a power of ten
 * below a minute, then what clocks have. */
static uint64_t tick_ns(const struct drawing *d) {
  static const uint64_t seconds[] = {10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600};
  uint64_t most = d->window.columns / TICK_COLUMNS;
  uint64_t least = total_ns(d) / (most ? most : 1);
  for (uint64_t step = 1000; step < 10 * NS_PER_S; step *= 10)
    for (uint64_t factor = 1; factor <= 5; factor += factor == 1 ? 1 : 3)
      if (factor * step >= least) return factor * step;
  for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
    if (seconds[i] * NS_PER_S >= least) return seconds[i] * NS_PER_S;
  return least;
}

/* "50.0 ms" → "50 ms": a mark is a round number. */
static void format_tick(char out[HUMAN_SIZE], uint64_t ns, bool unicode) {
  human_duration(out, ns, unicode);
  char *point = strchr(out, '.'), *unit = strchr(out, ' ');
  if (!point || !unit) return;
  char *end = unit;
  while (end > point && (end[-1] == '0' || end[-1] == '.'))
    end--;
  memmove(end, unit, strlen(unit) + 1);
}

/* Above the marks, whose column it ends in. */
static void draw_legend(const struct drawing *d) {
  static const char legend[] = "critical path ";
  size_t columns = d->name_columns + 1 + DURATION_COLUMNS + MARK_COLUMNS;
  if (!has_critical_path(d)) {
    pad(d->out, columns);
    return;
  }
  pad(d->out, columns - strlen(legend) - 2);
  fprintf(d->out, "%s%s ", legend, critical_mark(d));
}

static void draw_ruler(const struct drawing *d) {
  uint64_t step = tick_ns(d), total = total_ns(d);
  size_t at = 0;
  if (total == 0 || d->window.columns < TICK_COLUMNS) return;
  term_set(d->out, d->term, TERM_DIM);
  draw_legend(d);
  for (uint64_t mark = 0; mark <= total; mark += step) {
    char text[HUMAN_SIZE], label[HUMAN_SIZE + 4];
    size_t column = (size_t)((double)mark / (double)total * (double)d->window.columns);
    format_tick(text, mark, d->term->unicode);
    snprintf(label, sizeof label, "%s%s", d->term->unicode ? "╷" : "|", mark ? text : "0");
    if (column < at || column + glyph_columns(label) > d->window.columns) break;
    pad(d->out, column - at);
    fputs(label, d->out);
    at = column + glyph_columns(label);
    if (step > total - mark) break;
  }
  term_set(d->out, d->term, TERM_PLAIN);
  fputc('\n', d->out);
}

/* Puts the operations at or below `span` into words. Returns how many there were. */
static size_t draw_sentences(const struct drawing *d, const struct trace_span *span, uint32_t depth,
                             size_t most) {
  if (most == 0 || depth == SENTENCE_DEPTH) return 0;
  if (breakdown_is_operation(span)) {
    struct breakdown b = breakdown_of(d->set, span);
    breakdown_write(d->out, d->term, &b);
    return 1;
  }
  size_t written = 0;
  for (uint32_t i = 0; i < span->child_count && written < most; i++)
    written += draw_sentences(d, trace_child(d->set, span, i), depth + 1, most - written);
  return written;
}

static bool is_filtered(const struct drawing *d) {
  const struct trace_span *span = trace_root(d->set, d->trace, 0);
  while (span && span->shown == TRACE_SHOWN)
    span = trace_next(d->set, d->trace, span);
  return span != NULL;
}

static void draw_foot(const struct drawing *d, const struct rows *rows) {
  size_t written = 0;
  if (rows->count >= ROWS_MAX || is_filtered(d))
    fprintf(d->out, "%s %zu of %zu spans shown\n", d->term->unicode ? "…" : "...", rows->spans,
            d->trace->span_count);
  for (uint32_t i = 0; i < d->trace->root_count && written < MAX_SENTENCES; i++)
    written += draw_sentences(d, trace_root(d->set, d->trace, i), 0, MAX_SENTENCES - written);
  if (written > 0) return;
  for (uint32_t i = 0; i < d->trace->root_count && i < MAX_SENTENCES; i++) {
    struct breakdown b = breakdown_of(d->set, trace_root(d->set, d->trace, i));
    breakdown_write(d->out, d->term, &b);
  }
}

enum hoist_status waterfall_draw(FILE *out, const struct term *term, const struct trace_set *set,
                                 const struct trace *trace, struct hoist_error *err) {
  struct drawing d = {.out = out, .term = term, .set = set, .trace = trace};
  HOIST_AUTO(rows) struct rows rows = {0};
  enum hoist_status status = rows_build(set, trace, &rows, err);
  if (status != HOIST_OK) return status;
  lay_out(&d, &rows);
  draw_head(&d);
  draw_ruler(&d);
  for (size_t i = 0; i < rows.count; i++)
    draw_row(&d, &rows.items[i]);
  draw_foot(&d, &rows);
  return HOIST_OK;
}

enum hoist_status waterfall_draw_all(FILE *out, const struct term *term,
                                     const struct trace_set *set, struct hoist_error *err) {
  bool first = true;
  for (size_t i = 0; i < set->trace_count; i++) {
    if (!trace_is_shown(set, &set->traces[i])) continue;
    if (!first) fputc('\n', out);
    first = false;
    enum hoist_status status = waterfall_draw(out, term, set, &set->traces[i], err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}
