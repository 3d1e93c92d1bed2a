/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded spans, read back and put together into trees. Spans come from OTLP protobuf or OTLP-JSON
 * lines, whoever wrote them: every text is well-formed UTF-8 once it is in, and is
 * cleaned (glyph.h) before it goes to a terminal; parents may be
 * missing or go round in circles, times may be missing or skewed. Used by one thread at a time. */
#ifndef HOIST_VIEW_TRACE_H
#define HOIST_VIEW_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <hoist/telemetry.h>

#include "auto.h"
#include "err.h"
#include "otlp_read.h"

#define TRACE_MAX_SPANS 1000000u
#define TRACE_MAX_TEXT_BYTES (512u << 20) /* names, attributes, messages of one set, together */
#define TRACE_MAX_LINE_BYTES (64u << 20)  /* one line of OTLP-JSON */
#define TRACE_MAX_FILE_BYTES (512u << 20) /* a file of OTLP protobuf */
#define TRACE_MAX_NAME_BYTES 256          /* longer names and keys are cut */
#define TRACE_MAX_VALUE_BYTES 1024        /* so are longer values and messages */
#define TRACE_MAX_ATTRS 64                /* attributes kept per span */

#define TRACE_NONE UINT32_MAX

enum trace_shown {
  TRACE_SHOWN,
  TRACE_CONTEXT, /* only because of what is below it */
  TRACE_HIDDEN
};

/* An event or a link of a span. */
struct trace_note {
  struct trace_note *next;
  const char *text;                 /* of an event: its name; of a link: its tracestate */
  uint64_t time_ns;                 /* of an event */
  uint8_t trace_id[16], span_id[8]; /* of a link */
  const struct hoist_attr *attrs;
  size_t attr_count;
  uint32_t dropped_attributes;
};

/* Who recorded spans: a resource's attributes and an instrumentation scope. */
struct trace_origin {
  const char *scope_name, *scope_version; /* "" unknown */
  const struct hoist_attr *attrs;
  size_t attr_count;
};

struct trace_span {
  uint8_t trace_id[16], span_id[8], parent_id[8];
  const char *name;
  const char *message;       /* of the status; "" when there is none */
  bool failed;               /* status Error */
  bool unfinished;           /* no end was recorded: end_ns is that of its trace */
  uint64_t start_ns, end_ns; /* Unix time; after trace_link start <= end */
  const struct hoist_attr *attrs;
  size_t attr_count;
  int kind; /* as in OTLP: 0 unknown, 1 internal, 2 server, 3 client, 4 producer, 5 consumer */
  const char *tracestate;
  struct trace_note *events, *links;
  uint32_t dropped_attributes, dropped_events, dropped_links; /* by whoever recorded it */
  const struct trace_origin *origin;                          /* NULL: nothing is known */
  /* Set by trace_link: */
  uint32_t parent;      /* TRACE_NONE: a root */
  uint32_t first_child; /* index into trace_set.order; children stand there by start */
  uint32_t child_count;
  uint32_t place;         /* its own index in trace_set.order */
  uint64_t charged_ns;    /* of its parent's time: no sibling that ended later was at work then */
  bool critical;          /* on the critical path: had it been quicker, so had the trace */
  enum trace_shown shown; /* set by filter_apply */
};

/* One trace of a set. */
struct trace {
  uint64_t start_ns, end_ns;
  size_t span_count;
  uint32_t first_root, root_count; /* in trace_set.order, by start */
};

struct trace_block;
struct trace_set {
  struct trace_span *spans;
  size_t count, capacity;
  struct trace_block *blocks; /* where the texts and attributes live */
  size_t text_bytes;
  const struct trace_origin *origin;         /* of the spans that are added next */
  struct trace_note **event_end, **link_end; /* where the last span's next ones belong */
  /* Made by trace_link: */
  uint32_t *order;      /* every span once: grouped by parent, then by start */
  struct trace *traces; /* by start */
  size_t trace_count;
};

static inline struct trace_set trace_set_make(void) {
  return (struct trace_set){0};
}
void trace_set_done(struct trace_set *set);
static inline void trace_set_cleanup(struct trace_set *set) {
  trace_set_done(set);
}

/** Copies one span into the set.
 *  Errors: CORRUPT over a cap · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status trace_add(struct trace_set *set, const struct otlp_span *span,
                                             const struct otlp_attr *attrs, size_t attr_count,
                                             struct hoist_error *err);

/** Adds an event or a link to the last span.
 *  Errors: as trace_add */
HOIST_MUST_CHECK enum hoist_status trace_add_event(struct trace_set *set,
                                                   const struct otlp_event *event,
                                                   const struct otlp_attr *attrs, size_t attr_count,
                                                   struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status trace_add_link(struct trace_set *set,
                                                  const struct otlp_link *link,
                                                  const struct otlp_attr *attrs, size_t attr_count,
                                                  struct hoist_error *err);
/** Says who recorded the spans added from now on.
 *  Errors: as trace_add */
HOIST_MUST_CHECK enum hoist_status trace_set_origin(struct trace_set *set,
                                                    const struct otlp_scope *scope,
                                                    const struct otlp_attr *attrs,
                                                    size_t attr_count, struct hoist_error *err);

/** Adds every span of an OTLP TracesData message. Errors: CORRUPT · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status trace_read_otlp(struct trace_set *set, const void *data,
                                                   size_t size, struct hoist_error *err);

/** Adds every span of a file of OTLP-JSON lines; lines of other signals are skipped. What stands
 * before a damaged line stays in the set.
 *  @param name  of the file, for errors
 *  Errors: CORRUPT "name:line: …" · NO_MEMORY · by errno: reading failed */
HOIST_MUST_CHECK enum hoist_status trace_read_json(struct trace_set *set, FILE *in,
                                                   const char *name, struct hoist_error *err);

/** Adds every span of a file, whichever it is: OTLP-JSON lines; one OTLP TracesData message, or
 * several one after the other; or messages with their sizes in front, as an OpenTelemetry
 * Collector's file exporter writes them. What stands before the damage stays in the set.
 *  Errors: as trace_read_json */
HOIST_MUST_CHECK enum hoist_status trace_read(struct trace_set *set, FILE *in, const char *name,
                                              struct hoist_error *err);

/** Finds parents, children, traces and critical paths, and mends times. May be called again after further spans.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status trace_link(struct trace_set *set, struct hoist_error *err);

/** A part of trace_link: marks the critical path of every trace.
 *  Errors: NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status trace_find_critical(struct trace_set *set,
                                                       struct hoist_error *err);

static inline const struct trace_span *trace_child(const struct trace_set *set,
                                                   const struct trace_span *span, uint32_t i) {
  return &set->spans[set->order[span->first_child + i]];
}
static inline const struct trace_span *trace_root(const struct trace_set *set,
                                                  const struct trace *trace, uint32_t i) {
  return &set->spans[set->order[trace->first_root + i]];
}

/** Whether anything of the trace is shown. */
bool trace_is_shown(const struct trace_set *set, const struct trace *trace);

/** The span after `span` in the order of the tree: its first child, else its next sibling, else
 * that of the nearest ancestor that has one. NULL after the last of the trace. Needs no stack: a
 * trace may be as deep as it has spans. */
const struct trace_span *trace_next(const struct trace_set *set, const struct trace *trace,
                                    const struct trace_span *span);

/** An attribute by its key; NULL when the span has none of that name and type. */
const struct hoist_attr *trace_attr(const struct trace_span *span, const char *key,
                                    enum hoist_attr_type type);
/** The text of a string attribute; NULL when absent. */
const char *trace_attr_string(const struct trace_span *span, const char *key);
/** The value of a whole-number attribute; -1 when absent or negative. */
int64_t trace_attr_int(const struct trace_span *span, const char *key);

static inline uint64_t trace_duration(const struct trace_span *span) {
  return span->end_ns - span->start_ns;
}

#endif
