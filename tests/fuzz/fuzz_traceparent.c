/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the header, an accepted one formats to one of version 00 that parses to the same again; and a
 * request is understood and passed on by the same rules. */
#include <hoist/propagation.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static void require_same(const struct hoist_span_context *a, const struct hoist_span_context *b) {
  require(memcmp(a->trace_id, b->trace_id, sizeof a->trace_id) == 0);
  require(memcmp(a->span_id, b->span_id, sizeof a->span_id) == 0);
  require(a->flags == b->flags && a->remote == b->remote && a->forced == b->forced);
  require(!a->tracestate && !b->tracestate);
}

static const char *get_header(void *user, const char *name, size_t index) {
  return strcmp(name, "traceparent") == 0 && index == 0 ? user : NULL;
}

static void require_header(void *user, const char *name, const char *value) {
  require(strcmp(name, "traceparent") == 0 && strcmp(value, user) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_span_context context = {0}, again = {0};
  struct hoist_remote_context remote;
  char text[HOIST_TRACEPARENT_SIZE];
  char *header = malloc(size + 1);
  if (!header) return 0;
  memcpy(header, data, size);
  header[size] = '\0';
  hoist_context_extract(get_header, header, &remote);
  if (hoist_traceparent_parse(header, &context) == HOIST_OK) {
    require(hoist_span_context_is_valid(&context));
    hoist_traceparent_format(&context, text);
    require(strlen(text) == HOIST_TRACEPARENT_SIZE - 1 && memcmp(text, "00-", 3) == 0);
    require(hoist_traceparent_parse(text, &again) == HOIST_OK);
    require_same(&context, &again);
    hoist_context_inject(&remote.span, require_header, text);
  }
  require_same(&context, &remote.span);
  free(header);
  return 0;
}
