/* SPDX-License-Identifier: Apache-2.0 */
/* Trace context in and out of requests, through the caller's own way of reading and writing headers. Pure;
 * any thread. */
#include <hoist/propagation.h>
#include <stdbool.h>
#include <strings.h>

#include "context.h"
#include "text.h"

/* More lines than this are no tracestate: it has at most 32 members. */
enum { LINES_MAX = 64, TRACE_ID_TEXT_SIZE = 33 };

/* The one traceparent there is; two of them contradict each other, so neither counts. */
static bool extract_parent(hoist_get_header *get, void *user, struct hoist_span_context *context) {
  const char *text = get(user, "traceparent", 0);
  return text && !get(user, "traceparent", 1) && hoist_traceparent_parse(text, context) == HOIST_OK;
}

static bool extract_state(hoist_get_header *get, void *user, char out[HOIST_TRACESTATE_SIZE]) {
  const char *lines[LINES_MAX];
  size_t count = 0;
  for (const char *line; (line = get(user, "tracestate", count)) != NULL;) {
    if (count == LINES_MAX) return false;
    lines[count++] = line;
  }
  return hoist_tracestate_parse(lines, count, out) == HOIST_OK && out[0];
}

static bool is_forced(hoist_get_header *get, void *user) {
  const char *text = get(user, "x-force-trace", 0);
  return text && (strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0);
}

void hoist_context_extract(hoist_get_header *get, void *user,
                           struct hoist_remote_context *ret_remote) {
  struct hoist_span_context context = {0};
  if (!ret_remote) return;
  ret_remote->tracestate[0] = '\0';
  ret_remote->span = context;
  if (!get) return;
  if (extract_parent(get, user, &context) && extract_state(get, user, ret_remote->tracestate))
    context.tracestate = ret_remote->tracestate;
  context.forced = is_forced(get, user);
  ret_remote->span = context;
}

/* Read again, so that nothing but a tracestate goes out whoever made it. */
void hoist_context_inject(const struct hoist_span_context *context, hoist_set_header *set,
                          void *user) {
  char parent[HOIST_TRACEPARENT_SIZE], state[HOIST_TRACESTATE_SIZE];
  hoist_traceparent_format(context, parent);
  if (!parent[0] || !set) return;
  set(user, "traceparent", parent);
  if (context->tracestate && hoist_tracestate_parse(&context->tracestate, 1, state) == HOIST_OK &&
      state[0])
    set(user, "tracestate", state);
}

void hoist_context_answer(const struct hoist_span_context *remote, const struct hoist_span *span,
                          hoist_set_header *set, void *user) {
  struct hoist_span_context context;
  char trace_id[TRACE_ID_TEXT_SIZE];
  hoist_span_get_context(span, &context);
  if (!set || !remote || !remote->forced || !(context.flags & CONTEXT_SAMPLED)) return;
  hex_encode(context.trace_id, sizeof context.trace_id, trace_id);
  set(user, "X-Trace-Id", trace_id);
}
