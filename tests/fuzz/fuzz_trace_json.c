/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a trace file, JSON or protobuf: read, linked, walked and drawn. What comes out must never hold
 * a control character but our own newlines. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "trace.h"
#include "waterfall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_drawing(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f) abort();
}

static void draw(const struct trace_set *set) {
  const struct term term = {.unicode = true, .width = 80};
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return;
  enum hoist_status status = waterfall_draw_all(out, &term, set, NULL);
  fclose(out);
  if (status == HOIST_OK) check_drawing(text, size);
  free(text);
}

/* Nothing differs from itself. */
static void compare(const struct trace_set *set) {
  HOIST_AUTO(diff) struct diff diff = {0};
  const struct term term = {.width = 60};
  char *text = NULL;
  size_t size = 0;
  if (diff_build(set, set, &diff, NULL) != HOIST_OK) return;
  if (diff.a_ns != diff.b_ns || diff.culprit) abort();
  for (size_t i = 0; i < diff.count; i++)
    if (diff_of(&diff.rows[i]) != 0) abort();
  FILE *out = open_memstream(&text, &size);
  if (!out) return;
  diff_draw(out, &term, &diff, "a", "b");
  fclose(out);
  check_drawing(text, size);
  free(text);
}

static void check_walk(const struct trace_set *set) {
  size_t visited = 0;
  for (size_t i = 0; i < set->trace_count; i++) {
    const struct trace *trace = &set->traces[i];
    const struct trace_span *span = trace_root(set, trace, 0);
    for (; span; span = trace_next(set, trace, span))
      visited++;
  }
  if (visited != set->count) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  FILE *in = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
  if (!in) return 0;
  enum hoist_status ignored = trace_read(&set, in, "fuzz", NULL);
  (void)ignored; /* what was read before the damage is drawn too */
  fclose(in);
  if (trace_link(&set, NULL) != HOIST_OK) return 0;
  check_walk(&set);
  draw(&set);
  compare(&set);
  return 0;
}
