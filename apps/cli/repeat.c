/* SPDX-License-Identifier: Apache-2.0 */
/* Phases by name, a duration for each run. Owns its arrays. Main thread. */
#include "repeat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"
#include "text.h"

#define MAX_DEPTH 2

void repeat_done(struct repeat *r) {
  for (size_t i = 0; i < r->phase_count; i++) {
    free(r->phases[i].ns);
    free(r->phases[i].is_there);
  }
  *r = (struct repeat){0};
}

/* ---- collecting ------------------------------------------------------------------------------ */

static bool grow_phase(struct repeat_phase *p, size_t from, size_t to) {
  uint64_t *ns = realloc(p->ns, to * sizeof *ns);
  if (ns) p->ns = ns;
  bool *is_there = realloc(p->is_there, to * sizeof *is_there);
  if (is_there) p->is_there = is_there;
  if (!ns || !is_there) return false;
  memset(ns + from, 0, (to - from) * sizeof *ns);
  memset(is_there + from, 0, (to - from) * sizeof *is_there);
  return true;
}

static bool grow(struct repeat *r) {
  if (r->runs < r->capacity) return true;
  size_t capacity = r->capacity ? 2 * r->capacity : 16;
  for (size_t i = 0; i < r->phase_count; i++)
    if (!grow_phase(&r->phases[i], r->capacity, capacity)) return false;
  r->capacity = capacity;
  return true;
}

static struct repeat_phase *find_phase(struct repeat *r, const char *name, unsigned depth) {
  for (size_t i = 0; i < r->phase_count; i++)
    if (r->phases[i].depth == depth && strcmp(r->phases[i].name, name) == 0) return &r->phases[i];
  return NULL;
}

/* A phase that comes late, such as what is only there without a saved graph, stands where it stood in its
 * run: behind `before`. */
static struct repeat_phase *add_phase(struct repeat *r, const char *name, unsigned depth,
                                      const struct repeat_phase *before) {
  if (r->phase_count == REPEAT_MAX_PHASES) return NULL;
  struct repeat_phase fresh = {.depth = depth};
  text_copy(fresh.name, sizeof fresh.name, name);
  if (!grow_phase(&fresh, 0, r->capacity)) {
    free(fresh.ns);
    free(fresh.is_there);
    return NULL;
  }
  size_t at = before ? (size_t)(before - r->phases) + 1 : 0;
  memmove(&r->phases[at + 1], &r->phases[at], (r->phase_count - at) * sizeof fresh);
  r->phase_count++;
  r->phases[at] = fresh;
  return &r->phases[at];
}

static void add_span(struct repeat *r, const struct trace_set *set, const struct trace_span *span,
                     unsigned depth, const struct repeat_phase **last) {
  struct repeat_phase *phase = find_phase(r, span->name, depth);
  if (!phase) phase = add_phase(r, span->name, depth, *last);
  if (!phase) return;
  phase->ns[r->runs] += trace_duration(span);
  phase->is_there[r->runs] = true;
  *last = phase;
  for (uint32_t i = 0; depth < MAX_DEPTH && i < span->child_count; i++)
    add_span(r, set, trace_child(set, span, i), depth + 1, last);
}

void repeat_add(struct repeat *r, const struct trace_set *spans) {
  if (!grow(r)) return;
  const struct repeat_phase *last = NULL;
  for (size_t i = 0; i < spans->trace_count; i++)
    for (uint32_t root = 0; root < spans->traces[i].root_count; root++)
      add_span(r, spans, trace_root(spans, &spans->traces[i], root), 0, &last);
  r->runs++;
}

/* ---- summing up ------------------------------------------------------------------------------ */

static int compare_ns(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

struct repeat_summary repeat_summarize(const struct repeat *r, size_t phase) {
  const struct repeat_phase *p = &r->phases[phase];
  struct repeat_summary s = {0};
  uint64_t *sorted = calloc(r->runs ? r->runs : 1, sizeof *sorted);
  for (size_t i = 0; sorted && i < r->runs; i++) {
    if (!p->is_there[i]) continue;
    if (s.runs == 0) s.first_ns = p->ns[i];
    sorted[s.runs++] = p->ns[i];
  }
  if (s.runs > 0) {
    qsort(sorted, s.runs, sizeof *sorted, compare_ns);
    s.min_ns = sorted[0];
    s.median_ns = (sorted[(s.runs - 1) / 2] + sorted[s.runs / 2]) / 2;
    s.p90_ns = sorted[(9 * s.runs + 9) / 10 - 1];
  }
  free(sorted);
  return s;
}

/* ---- showing --------------------------------------------------------------------------------- */

static double seconds(uint64_t ns) {
  return (double)ns / 1e9;
}

static void print_json(struct cli *cli, const char *model_id, const struct repeat *r) {
  struct json *j = &cli->json;
  json_open(j, NULL, '{');
  json_text(j, "event", "result");
  json_text(j, "model_id", model_id);
  json_text(j, "status", "ok");
  json_uint(j, "runs", r->runs);
  json_open(j, "phases", '[');
  for (size_t i = 0; i < r->phase_count; i++) {
    struct repeat_summary s = repeat_summarize(r, i);
    json_open(j, NULL, '{');
    json_text(j, "phase", r->phases[i].name);
    json_uint(j, "depth", r->phases[i].depth);
    json_uint(j, "runs", s.runs);
    json_number(j, "first_s", seconds(s.first_ns));
    json_number(j, "min_s", seconds(s.min_ns));
    json_number(j, "median_s", seconds(s.median_ns));
    json_number(j, "p90_s", seconds(s.p90_ns));
    json_close(j, '}');
  }
  json_close(j, ']');
  json_close(j, '}');
  json_end(j);
}

static void print_duration(struct cli *cli, uint64_t ns) {
  char text[HUMAN_SIZE];
  human_duration(text, ns, cli->out_term.unicode);
  /* µ is two bytes in one column. */
  fprintf(cli->out, "%*s", strstr(text, "µ") ? 12 : 11, text);
}

static void print_row(struct cli *cli, const struct repeat *r, size_t phase) {
  const struct repeat_phase *p = &r->phases[phase];
  struct repeat_summary s = repeat_summarize(r, phase);
  fprintf(cli->out, "%*s", (int)(2 * p->depth), "");
  cli_put_fit(cli->out, &cli->out_term, p->name, 32 - 2 * p->depth);
  print_duration(cli, s.first_ns);
  print_duration(cli, s.min_ns);
  print_duration(cli, s.median_ns);
  print_duration(cli, s.p90_ns);
  if (s.runs < r->runs) fprintf(cli->out, "   in %zu", s.runs);
  fputc('\n', cli->out);
}

void repeat_print(struct cli *cli, const char *model_id, const struct repeat *r) {
  if (cli->options.json) {
    print_json(cli, model_id, r);
    return;
  }
  if (cli->options.quiet) return;
  term_set(cli->out, &cli->out_term, TERM_BOLD);
  cli_put(cli->out, model_id);
  term_set(cli->out, &cli->out_term, TERM_PLAIN);
  fprintf(cli->out, ", %zu loads\n%-32s%11s%11s%11s%11s\n", r->runs, "", "first", "min", "median",
          "p90");
  for (size_t i = 0; i < r->phase_count; i++)
    print_row(cli, r, i);
}
