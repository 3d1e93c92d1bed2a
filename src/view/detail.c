/* SPDX-License-Identifier: Apache-2.0 */
/* Which attributes are shown in a waterfall, in which order and form. Pure; any thread. */
#include "detail.h"

#include <inttypes.h>
#include <string.h>

#include "human.h"
#include "text.h"

enum form {
  TEXT,     /* the text itself; with a lead, "lead text" */
  PROVIDER, /* without the "ExecutionProvider" that all of them end in */
  BYTES,    /* nothing for 0 */
  FILES,
  NUMBER, /* with a lead, "lead 3" */
  CACHE_HIT
};

static const struct {
  const char *key, *lead, *skip; /* skip: a value that says nothing */
  enum form form;
} details[] = {
    {.key = "model.artifacts.cache_hit", .form = CACHE_HIT},
    {.key = "model.artifacts.source", .skip = "local_cache", .form = TEXT},
    {.key = "artifact.filename", .form = TEXT},
    {.key = "roboflow_api.function", .form = TEXT},
    {.key = "model.artifacts.files", .form = FILES},
    {.key = "model.artifacts.downloaded_bytes", .form = BYTES},
    {.key = "model.artifacts.bytes", .form = BYTES},
    {.key = "model.artifacts.resumed_bytes", .lead = "resumed", .form = BYTES},
    {.key = "file.size", .form = BYTES},
    {.key = "http.response.status_code", .form = NUMBER},
    {.key = "http.request.resend_count", .lead = "retry", .form = NUMBER},
    {.key = "http.response.body.size", .form = BYTES},
    {.key = "server.address", .form = TEXT},
    {.key = "model.artifacts.verification", .skip = "sha256_on_download", .form = TEXT},
    {.key = "graph_cache", .lead = "graph", .skip = "off", .form = TEXT},
    {.key = "onnxruntime.version", .lead = "ONNX Runtime", .form = TEXT},
    {.key = "onnxruntime.execution_provider", .form = PROVIDER},
};

static void append(char out[DETAIL_SIZE], const char *dot, const char *lead, const char *text) {
  size_t used = strlen(out);
  snprintf(out + used, DETAIL_SIZE - used, "%s%s%s%s", used ? dot : "", lead ? lead : "",
           lead ? " " : "", text);
}

static bool text_of(const struct trace_span *span, size_t i, char *out, size_t size) {
  const char *value = trace_attr_string(span, details[i].key);
  if (!value || !*value || text_equal(value, details[i].skip)) return false;
  text_copy(out, size, value);
  if (details[i].form == PROVIDER && text_ends_with(out, "ExecutionProvider"))
    out[strlen(out) - strlen("ExecutionProvider")] = '\0';
  return true;
}

static bool number_of(const struct trace_span *span, size_t i, char *out, size_t size) {
  int64_t value = trace_attr_int(span, details[i].key);
  if (value < 0 || (value == 0 && details[i].form != NUMBER)) return false;
  if (details[i].form == BYTES)
    human_bytes(out, (uint64_t)value);
  else if (details[i].form == FILES)
    snprintf(out, size, "%" PRId64 " file%s", value, value == 1 ? "" : "s");
  else
    snprintf(out, size, "%" PRId64, value);
  return true;
}

static bool cache_of(const struct trace_span *span, size_t i, char *out, size_t size) {
  const struct hoist_attr *attr = trace_attr(span, details[i].key, HOIST_ATTR_BOOL);
  if (attr) text_copy(out, size, attr->value.integer ? "cache hit" : "cache miss");
  return attr != NULL;
}

static bool value_of(const struct trace_span *span, size_t i, char *out, size_t size) {
  switch (details[i].form) {
  case TEXT:
  case PROVIDER:
    return text_of(span, i, out, size);
  case BYTES:
  case FILES:
  case NUMBER:
    return number_of(span, i, out, size);
  case CACHE_HIT:
    return cache_of(span, i, out, size);
  }
  return false;
}

/* An HTTP status is an error type too, and shown already. */
static const char *error_type(const struct trace_span *span) {
  const char *type = span->failed ? trace_attr_string(span, "error.type") : NULL;
  uint64_t number;
  return type && !parse_u64(type, &number) ? type : NULL;
}

static bool has_event(const struct trace_span *span, const char *name) {
  const struct trace_note *event = span->events;
  while (event && strcmp(event->text, name) != 0)
    event = event->next;
  return event != NULL;
}

void detail_format(char out[DETAIL_SIZE], const struct trace_span *span, uint64_t self_ns,
                   const struct term *term) {
  const char *dot = term->unicode ? " · " : ", ";
  char value[128], self[HUMAN_SIZE];
  out[0] = '\0';
  if (span->unfinished) append(out, dot, NULL, "unfinished");
  if (error_type(span)) append(out, dot, NULL, error_type(span));
  if (has_event(span, "artifact.wrong_digest")) append(out, dot, NULL, "came wrong once");
  if (self_ns > 0) append(out, dot, "self", human_duration(self, self_ns, term->unicode));
  for (size_t i = 0; i < sizeof details / sizeof details[0]; i++)
    if (value_of(span, i, value, sizeof value)) append(out, dot, details[i].lead, value);
}
