/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of time and the sentence about them. Owns nothing; one thread at a time. */
#include "breakdown.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "glyph.h"
#include "human.h"
#include "text.h"

bool breakdown_is_operation(const struct trace_span *span) {
  static const char *const names[] = {"model.load",     "model.pull",   "model.inspect",
                                      "model.describe", "model.verify", "model.remove",
                                      "artifacts.copy"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(span->name, names[i]) == 0) return true;
  return false;
}

const char *breakdown_subject(const struct trace_span *span) {
  if (!breakdown_is_operation(span)) return NULL;
  const char *id = trace_attr_string(span, "model.id");
  return id ? id : trace_attr_string(span, "copy.place");
}

static bool was_verified_on_download(const struct trace_span *span) {
  return text_equal(trace_attr_string(span, "model.artifacts.verification"), "sha256_on_download");
}

enum phase_kind phase_of(const struct trace_span *span) {
  if (strcmp(span->name, "model.cache.lock_wait") == 0) return PHASE_WAIT;
  if (strcmp(span->name, "model.artifacts.download") == 0) return PHASE_DOWNLOAD;
  if (strcmp(span->name, "model.artifacts.load") == 0)
    return was_verified_on_download(span) ? PHASE_READ : PHASE_VERIFY;
  if (strcmp(span->name, "model.session.create") == 0) return PHASE_SESSION;
  return breakdown_is_operation(span) ? PHASE_NONE : PHASE_SPAN;
}

enum term_color phase_color(enum phase_kind kind) {
  switch (kind) {
  case PHASE_WAIT:
    return TERM_YELLOW;
  case PHASE_DOWNLOAD:
    return TERM_CYAN;
  case PHASE_VERIFY:
  case PHASE_READ:
    return TERM_GREEN;
  case PHASE_SESSION:
    return TERM_MAGENTA;
  case PHASE_NONE:
  case PHASE_SPAN:
  case PHASE_REST:
    return TERM_BLUE;
  }
  return TERM_PLAIN;
}

/* ---- shares ---------------------------------------------------------------------------------- */

static bool same_phase(const struct phase *a, const struct phase *b) {
  return a->kind == b->kind && a->failed == b->failed && strcmp(a->name, b->name) == 0 &&
         strcmp(a->source, b->source) == 0;
}

static void add_phase(struct breakdown *b, struct phase phase) {
  for (size_t i = 0; i < b->count; i++) {
    struct phase *known = &b->phases[i];
    if (!same_phase(known, &phase)) continue;
    known->ns += phase.ns;
    known->bytes = known->bytes < 0 || phase.bytes < 0 ? -1 : known->bytes + phase.bytes;
    return;
  }
  if (b->count < BREAKDOWN_MAX_PHASES - 1) b->phases[b->count++] = phase;
}

static struct phase phase_from(const struct trace_span *span, uint64_t ns) {
  const char *source = trace_attr_string(span, "model.artifacts.source");
  enum phase_kind kind = phase_of(span);
  return (struct phase){.kind = kind == PHASE_NONE ? PHASE_SPAN : kind,
                        .name = span->name,
                        .source = kind == PHASE_DOWNLOAD && source ? source : "",
                        .failed = span->failed,
                        .ns = ns,
                        .bytes = trace_attr_int(span, "model.artifacts.bytes")};
}

static int longer_first(const void *a, const void *b) {
  const struct phase *x = a, *y = b;
  return (x->ns < y->ns) - (x->ns > y->ns);
}

struct breakdown breakdown_of(const struct trace_set *set, const struct trace_span *span) {
  struct breakdown b = {.span = span};
  uint64_t rest_ns = trace_duration(span);
  for (uint32_t i = 0; i < span->child_count; i++) {
    const struct trace_span *child = trace_child(set, span, i);
    add_phase(&b, phase_from(child, child->charged_ns));
  }
  for (size_t i = 0; i < b.count; i++)
    rest_ns -= b.phases[i].ns;
  if (rest_ns > 0)
    b.phases[b.count++] = (struct phase){
        .kind = PHASE_REST, .name = "rest", .source = "", .ns = rest_ns, .bytes = -1};
  qsort(b.phases, b.count, sizeof b.phases[0], longer_first);
  return b;
}

/* ---- words ----------------------------------------------------------------------------------- */

static void write_phase(FILE *out, const struct term *term, const struct phase *phase) {
  char bytes[HUMAN_SIZE], source[64], name[128];
  glyph_fit(source, sizeof source, phase->source, 30, term->unicode);
  glyph_fit(name, sizeof name, phase->name, 40, term->unicode);
  switch (phase->kind) {
  case PHASE_WAIT:
    fputs("waiting for another process", out);
    break;
  case PHASE_DOWNLOAD:
    fprintf(out, "%s%s%s", phase->failed ? "trying" : "downloading",
            !*source        ? ""
            : phase->failed ? " "
                            : " from ",
            source);
    if (phase->bytes > 0 && !phase->failed)
      fprintf(out, " (%s)", human_bytes(bytes, (uint64_t)phase->bytes));
    break;
  case PHASE_VERIFY:
    fputs("verifying the cache", out);
    break;
  case PHASE_READ:
    fputs("reading the artifacts", out);
    break;
  case PHASE_SESSION:
    fputs("creating the session", out);
    break;
  case PHASE_REST:
    fputs("elsewhere", out);
    break;
  case PHASE_NONE:
  case PHASE_SPAN:
    fprintf(out, "in %s", name);
    break;
  }
}

static void write_phases(FILE *out, const struct term *term, const struct breakdown *b) {
  uint64_t total = trace_duration(b->span);
  const char *separator = term->unicode ? " — " : " - ";
  if (b->count == 1 && b->phases[0].kind == PHASE_REST) return;
  for (size_t i = 0; i < b->count && total > 0; i++) {
    double percent = (double)b->phases[i].ns * 100.0 / (double)total;
    if (percent < 0.5) continue;
    fputs(separator, out);
    term_set(out, term, phase_color(b->phases[i].kind));
    fprintf(out, "%.0f %% ", percent);
    write_phase(out, term, &b->phases[i]);
    term_set(out, term, TERM_PLAIN);
    separator = ", ";
  }
}

static void write_title(FILE *out, const struct term *term, const struct trace_span *span) {
  const char *id = breakdown_subject(span);
  bool plain = strcmp(span->name, "model.load") == 0 || strcmp(span->name, "model.pull") == 0;
  char text[GLYPH_FIT_SIZE(80)];
  if (!id || !plain) {
    glyph_fit(text, sizeof text, span->name, 80, term->unicode);
    term_print(out, term, TERM_BOLD, text);
    fputs(id ? " " : "", out);
  }
  if (id) {
    glyph_fit(text, sizeof text, id, 80, term->unicode);
    term_print(out, term, TERM_BOLD, text);
  }
  fputs(": ", out);
}

void breakdown_write(FILE *out, const struct term *term, const struct breakdown *b) {
  const struct hoist_attr *hit = trace_attr(b->span, "model.artifacts.cache_hit", HOIST_ATTR_BOOL);
  char duration[HUMAN_SIZE];
  write_title(out, term, b->span);
  human_duration(duration, trace_duration(b->span), term->unicode);
  if (b->span->failed) term_print(out, term, TERM_RED, "failed after ");
  fputs(duration, out);
  if (!b->span->failed && hit && hit->value.integer) fputs(" from the cache", out);
  write_phases(out, term, b);
  fputs("\n", out);
}
