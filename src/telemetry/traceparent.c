/* SPDX-License-Identifier: Apache-2.0 */
/* The traceparent header of W3C Trace Context (level 2, for the random flag). Pure; any thread. */
#include <hoist/propagation.h>
#include <string.h>

#include "context.h"
#include "err.h"
#include "text.h"

/* "00-" trace id "-" span id "-" flags */
enum { VERSION_AT = 0, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, LENGTH = 55 };

void hoist_traceparent_format(const struct hoist_span_context *context,
                              char out[HOIST_TRACEPARENT_SIZE]) {
  out[0] = '\0';
  if (!context || !context_is_valid(context)) return;
  uint8_t flags = context->flags & CONTEXT_FLAGS;
  memcpy(out, "00-", 3);
  hex_encode(context->trace_id, 16, out + TRACE_AT);
  out[SPAN_AT - 1] = '-';
  hex_encode(context->span_id, 8, out + SPAN_AT);
  out[FLAGS_AT - 1] = '-';
  hex_encode(&flags, 1, out + FLAGS_AT);
}

/* hex_decode, but upper-case digits are an error here. */
static int decode(const char *text, size_t size, void *out) {
  for (size_t i = 0; i < 2 * size; i++)
    if (text[i] >= 'A' && text[i] <= 'F') return 0;
  return hex_decode(text, 2 * size, out, size);
}

/* Version 00 has exactly 55 characters; later versions may add fields after another '-'. */
static int length_fits(uint8_t version, const char *text, size_t length) {
  if (version == 0xff || length < LENGTH) return 0;
  return length == LENGTH || (version > 0 && text[LENGTH] == '-');
}

enum hoist_status hoist_traceparent_parse(const char *text,
                                          struct hoist_span_context *ret_context) {
  struct hoist_span_context context = {.remote = 1};
  uint8_t version;
  if (!text || !ret_context) return HOIST_INVALID;
  size_t length = strlen(text);
  text = text_trim(text, &length);
  if (length < LENGTH || !decode(text + VERSION_AT, 1, &version) ||
      !length_fits(version, text, length) || text[TRACE_AT - 1] != '-' ||
      !decode(text + TRACE_AT, 16, context.trace_id) || text[SPAN_AT - 1] != '-' ||
      !decode(text + SPAN_AT, 8, context.span_id) || text[FLAGS_AT - 1] != '-' ||
      !decode(text + FLAGS_AT, 1, &context.flags) || !context_is_valid(&context))
    return HOIST_INVALID;
  context.flags &= CONTEXT_FLAGS;
  *ret_context = context;
  return HOIST_OK;
}
