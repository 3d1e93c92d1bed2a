/* SPDX-License-Identifier: Apache-2.0 */
/* Spans made up for tests, as OTLP-JSON lines. Times are milliseconds after SAMPLE_START_NS. */
#ifndef HOIST_TESTS_VIEW_SAMPLE_H
#define HOIST_TESTS_VIEW_SAMPLE_H

#include <stdint.h>

#include "trace.h"

#define SAMPLE_START_NS UINT64_C(1795359276000000000)

struct sample {
  int trace, id, parent; /* parent 0: none */
  const char *name;
  double start_ms, end_ms; /* end below 0: no end */
  const char *error;       /* NULL: not failed */
  const char *attributes;  /* JSON members of the list, "" or NULL: none */
};

/** An attribute of a sample. */
#define STRING_ATTR(key, text) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" text "\"}}"
#define INT_ATTR(key, number) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" #number "\"}}"
#define BOOL_ATTR(key, word) "{\"key\":\"" key "\",\"value\":{\"boolValue\":" #word "}}"

/** Adds the spans through the JSON reader and links the set. */
void sample_read(struct trace_set *set, const struct sample *samples, size_t count);
/** Adds lines of OTLP-JSON, named "t.json" in errors. */
enum hoist_status sample_read_text(struct trace_set *set, const char *text, size_t size,
                                   struct hoist_error *err);
/** Everything waterfall_draw_all draws. malloc'd. */
char *sample_draw(const struct trace_set *set, size_t width, int unicode, int color);

#endif
