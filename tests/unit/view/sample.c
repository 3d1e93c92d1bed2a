/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "waterfall.h"

static uint64_t at(double ms) {
  return SAMPLE_START_NS + (uint64_t)(ms * 1e6);
}

static void write_sample(FILE *out, const struct sample *s) {
  fprintf(out,
          "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%032x\","
          "\"spanId\":\"%016x\",\"name\":\"%s\",\"startTimeUnixNano\":\"%" PRIu64 "\"",
          (unsigned)s->trace, (unsigned)s->id, s->name, at(s->start_ms));
  if (s->parent) fprintf(out, ",\"parentSpanId\":\"%016x\"", (unsigned)s->parent);
  if (s->end_ms >= 0) fprintf(out, ",\"endTimeUnixNano\":\"%" PRIu64 "\"", at(s->end_ms));
  if (s->error) fprintf(out, ",\"status\":{\"code\":2,\"message\":\"%s\"}", s->error);
  fprintf(out, ",\"attributes\":[%s]}]}]}]}\n", s->attributes ? s->attributes : "");
}

enum hoist_status sample_read_text(struct trace_set *set, const char *text, size_t size,
                                   struct hoist_error *err) {
  FILE *in = tmpfile();
  assert_non_null(in);
  assert_int_equal(fwrite(text, 1, size, in), size);
  rewind(in);
  enum hoist_status status = trace_read_json(set, in, "t.json", err);
  fclose(in);
  return status;
}

void sample_read(struct trace_set *set, const struct sample *samples, size_t count) {
  char *text = NULL;
  size_t size = 0;
  struct hoist_error err;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  for (size_t i = 0; i < count; i++)
    write_sample(out, &samples[i]);
  fclose(out);
  if (sample_read_text(set, text, size, &err) != HOIST_OK) fail_msg("%s", err.message);
  free(text);
  assert_int_equal(trace_link(set, &err), HOIST_OK);
}

char *sample_draw(const struct trace_set *set, size_t width, int unicode, int color) {
  const struct term term = {.unicode = unicode, .color = color, .width = width};
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  assert_int_equal(waterfall_draw_all(out, &term, set, NULL), HOIST_OK);
  fclose(out);
  return text;
}
