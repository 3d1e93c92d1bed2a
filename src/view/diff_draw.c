/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as a table with the tree on its left, and as one sentence. Owns nothing; one thread
 * at a time. */
#include <inttypes.h>
#include <string.h>

#include "diff.h"
#include "glyph.h"
#include "human.h"

#define TIME_COLUMNS 9  /* a duration with its sign */
#define RATIO_COLUMNS 8 /* "x0.0123" */
#define MARK_COLUMNS 2
#define MAX_NAME_COLUMNS 70
#define MAX_LEVELS 12
#define TEXT_SIZE GLYPH_FIT_SIZE(TERM_MAX_WIDTH)

struct table {
  FILE *out;
  const struct term *term;
  const struct diff *diff;
  size_t name_columns;
};

static uint64_t size_of(int64_t ns) {
  return (uint64_t)(ns < 0 ? -ns : ns);
}

static void put_right(FILE *out, const char *text, size_t columns) {
  size_t taken = glyph_columns(text);
  fprintf(out, "%*s%s", (int)(taken < columns ? columns - taken : 0), "", text);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void format_prefix(const struct diff_row *row, bool unicode, char *out, size_t size) {
  uint32_t levels = row->depth < MAX_LEVELS ? row->depth : MAX_LEVELS;
  size_t used = (size_t)snprintf(out, size, "%s", levels < row->depth ? unicode ? "…" : "~" : "");
  for (uint32_t level = levels; level > 0; level--) {
    bool last = row->last >> (level - 1) & 1;
    const char *fancy = level == 1 ? last ? "└ " : "├ " : last ? "  " : "│ ";
    const char *plain = level == 1 ? last ? "`-" : "|-" : last ? "  " : "| ";
    used += (size_t)snprintf(out + used, size - used, "%s", unicode ? fancy : plain);
  }
}

static void format_name(const struct diff_row *row, bool unicode, char *out, size_t size) {
  const struct trace_span *span = diff_span(row);
  if (!span)
    snprintf(out, size, "%s %zu more", unicode ? "…" : "...", row->more);
  else
    snprintf(out, size, "%s%s%s", *span->name ? span->name : "(no name)",
             *diff_subject(span) ? " " : "", diff_subject(span));
}

static size_t measure(const struct table *t) {
  size_t most = 0, width = t->term->width - 1;
  size_t taken = 3 * TIME_COLUMNS + RATIO_COLUMNS + MARK_COLUMNS;
  for (size_t i = 0; i < t->diff->count; i++) {
    char prefix[TEXT_SIZE], name[TEXT_SIZE];
    format_prefix(&t->diff->rows[i], true, prefix, sizeof prefix);
    format_name(&t->diff->rows[i], true, name, sizeof name);
    size_t columns = glyph_columns(prefix) + glyph_columns(name);
    if (columns > most) most = columns;
  }
  if (most > MAX_NAME_COLUMNS) most = MAX_NAME_COLUMNS;
  size_t room = width > taken + TERM_MIN_WIDTH / 2 ? width - taken : TERM_MIN_WIDTH / 2;
  return most < room ? most : room;
}

static enum term_color color_of(const struct table *t, const struct diff_row *row) {
  if (diff_is_same(t->diff, diff_of(row))) return TERM_DIM;
  return diff_of(row) > 0 ? TERM_RED : TERM_GREEN;
}

static void draw_name(const struct table *t, const struct diff_row *row) {
  char prefix[TEXT_SIZE], name[TEXT_SIZE], fitted[TEXT_SIZE];
  format_prefix(row, t->term->unicode, prefix, sizeof prefix);
  format_name(row, t->term->unicode, name, sizeof name);
  size_t used = glyph_fit(fitted, sizeof fitted, prefix, t->name_columns, t->term->unicode);
  term_print(t->out, t->term, TERM_DIM, fitted);
  size_t room = t->name_columns - used;
  size_t taken = glyph_fit(fitted, sizeof fitted, name, room, t->term->unicode);
  term_print(t->out, t->term, row == t->diff->culprit ? TERM_BOLD : TERM_PLAIN, fitted);
  fprintf(t->out, "%*s", (int)(room - taken), "");
}

/* ---- the numbers ----------------------------------------------------------------------------- */

static void draw_time(const struct table *t, bool present, uint64_t ns) {
  char text[HUMAN_SIZE];
  put_right(t->out, present ? human_duration(text, ns, t->term->unicode) : "-", TIME_COLUMNS);
}

static void draw_difference(const struct table *t, const struct diff_row *row) {
  char text[HUMAN_SIZE], difference[HUMAN_SIZE + 1], ratio[HUMAN_SIZE] = "";
  int64_t differs = diff_of(row);
  bool both = row->a_ns > 0 && row->b_ns > 0;
  human_duration(text, size_of(differs), t->term->unicode);
  if (differs == 0)
    snprintf(difference, sizeof difference, "=");
  else
    snprintf(difference, sizeof difference, "%s%s", differs < 0 ? "-" : "+", text);
  if (both && !diff_is_same(t->diff, differs))
    snprintf(ratio, sizeof ratio, "%s%.3g", t->term->unicode ? "×" : "x",
             (double)row->b_ns / (double)row->a_ns);
  term_set(t->out, t->term, color_of(t, row));
  put_right(t->out, difference, TIME_COLUMNS);
  if (*ratio || row == t->diff->culprit) put_right(t->out, ratio, RATIO_COLUMNS);
  if (row == t->diff->culprit) fputs(t->term->unicode ? " ◀" : " <", t->out);
  term_set(t->out, t->term, TERM_PLAIN);
}

static void draw_row(const struct table *t, const struct diff_row *row) {
  draw_name(t, row);
  draw_time(t, row->a || row->more, row->a_ns);
  draw_time(t, row->b || row->more, row->b_ns);
  draw_difference(t, row);
  fputc('\n', t->out);
}

static void draw_head(const struct table *t, const char *a_name, const char *b_name) {
  const char *const names[] = {a_name, b_name};
  for (size_t i = 0; i < 2; i++) {
    char fitted[TEXT_SIZE];
    size_t room = t->term->width > 5 ? t->term->width - 5 : 1;
    glyph_fit(fitted, sizeof fitted, names[i], room, t->term->unicode);
    fprintf(t->out, "%c: %s\n", 'A' + (int)i, fitted);
  }
  term_set(t->out, t->term, TERM_DIM);
  fprintf(t->out, "%*s", (int)t->name_columns, "");
  put_right(t->out, "A", TIME_COLUMNS);
  put_right(t->out, "B", TIME_COLUMNS);
  put_right(t->out, "B - A", TIME_COLUMNS);
  term_set(t->out, t->term, TERM_PLAIN);
  fputc('\n', t->out);
}

/* ---- in words -------------------------------------------------------------------------------- */

/* The row that the culprit is below; rows stand in the order of the tree. */
static const struct diff_row *parent_of(const struct diff *diff, const struct diff_row *row) {
  for (const struct diff_row *at = row; at > diff->rows;)
    if ((--at)->depth < row->depth) return at;
  return NULL;
}

/* Its own subject, or the file that it is below. */
static const char *subject_of(const struct diff *diff, const struct diff_row *row) {
  const char *subject = diff_subject(diff_span(row));
  for (row = parent_of(diff, row); row && !*subject; row = parent_of(diff, row)) {
    const char *file = trace_attr_string(diff_span(row), "artifact.filename");
    if (file) subject = file;
  }
  return subject;
}

static bool is_whole(const struct diff *diff, const struct diff_row *row) {
  return row->depth == 0 && row->a_ns == diff->a_ns && row->b_ns == diff->b_ns;
}

static void clean(char *dst, size_t size, const char *text) {
  glyph_clean(dst, size, text, strlen(text));
}

static void draw_culprit(const struct table *t) {
  const struct diff_row *row = t->diff->culprit;
  char text[HUMAN_SIZE];
  if (!row || is_whole(t->diff, row)) return;
  char subject[TRACE_MAX_VALUE_BYTES + 1], name[TRACE_MAX_NAME_BYTES + 1];
  clean(subject, sizeof subject, subject_of(t->diff, row));
  clean(name, sizeof name, diff_span(row)->name);
  human_duration(text, size_of(diff_of(row)), t->term->unicode);
  fprintf(t->out, ": %s in %s%s%s%s", text, *name ? name : "(no name)", *subject ? " " : "",
          subject,
          !row->a   ? ", only in B"
          : !row->b ? ", only in A"
                    : "");
}

static void draw_words(const struct table *t) {
  int64_t differs = diff_between(t->diff->a_ns, t->diff->b_ns);
  char a[HUMAN_SIZE], b[HUMAN_SIZE], difference[HUMAN_SIZE];
  human_duration(a, t->diff->a_ns, t->term->unicode);
  human_duration(b, t->diff->b_ns, t->term->unicode);
  human_duration(difference, size_of(differs), t->term->unicode);
  if (diff_is_same(t->diff, differs)) {
    fprintf(t->out, "about the same: %s and %s\n", a, b);
    return;
  }
  term_set(t->out, t->term, differs > 0 ? TERM_RED : TERM_GREEN);
  fprintf(t->out, "%s by %s", differs > 0 ? "slower" : "faster", difference);
  term_set(t->out, t->term, TERM_PLAIN);
  draw_culprit(t);
  fputc('\n', t->out);
}

void diff_draw(FILE *out, const struct term *term, const struct diff *diff, const char *a_name,
               const char *b_name) {
  struct table t = {.out = out, .term = term, .diff = diff};
  t.name_columns = measure(&t);
  draw_head(&t, a_name, b_name);
  for (size_t i = 0; i < diff->count; i++)
    draw_row(&t, &diff->rows[i]);
  draw_words(&t);
}
