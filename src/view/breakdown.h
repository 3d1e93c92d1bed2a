/* SPDX-License-Identifier: Apache-2.0 */
/* Where one operation's time went, as shares that add up to the whole: the answer to "why was this
 * cold start slow?" in one sentence. */
#ifndef HOIST_VIEW_BREAKDOWN_H
#define HOIST_VIEW_BREAKDOWN_H

#include <stdio.h>

#include "term.h"
#include "trace.h"

enum phase_kind {
  PHASE_NONE,     /* no phase of a load: an operation itself, or a span of somebody else */
  PHASE_WAIT,     /* for another process's lock */
  PHASE_DOWNLOAD, /* from `source` */
  PHASE_VERIFY,   /* checking the cache */
  PHASE_READ,     /* metadata of what was just downloaded */
  PHASE_SESSION,  /* creating the ONNX Runtime session */
  PHASE_SPAN,     /* any other child, by its name */
  PHASE_REST      /* in no child at all */
};

struct phase {
  enum phase_kind kind;
  const char *name;   /* of the span; borrowed from the set. PHASE_REST: "rest" */
  const char *source; /* PHASE_DOWNLOAD; "" unknown */
  bool failed;
  uint64_t ns;   /* its share of the time, as trace_span.charged_ns */
  int64_t bytes; /* downloaded or verified; -1 unknown */
};

#define BREAKDOWN_MAX_PHASES 12

struct breakdown {
  const struct trace_span *span;
  struct phase phases[BREAKDOWN_MAX_PHASES]; /* longest first; what finds no room is in the rest */
  size_t count;
};

/** The phase that a span is by its name. */
enum phase_kind phase_of(const struct trace_span *span);
/** The colour that a phase has everywhere. */
enum term_color phase_color(enum phase_kind kind);

/** Splits the time of a span of a linked set among its children, along the critical path. */
struct breakdown breakdown_of(const struct trace_set *set, const struct trace_span *span);

/** Writes one line: "faces/1: 412 ms — 61 % downloading from s3 (442 KB), 22 % creating …". */
void breakdown_write(FILE *out, const struct term *term, const struct breakdown *breakdown);

/** Whether the span is one of hoist's own operations on a model (model.load, model.pull, …). */
bool breakdown_is_operation(const struct trace_span *span);
/** What it is on: a model's id, or the place that files are copied from. NULL: no operation, or not known. */
const char *breakdown_subject(const struct trace_span *span);

#endif
