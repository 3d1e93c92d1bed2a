/* SPDX-License-Identifier: Apache-2.0 */
/* Collects request headers in curl's list. Trace context is put last, unsigned and with whatever the
 * caller set itself left alone. Any thread. */
#include "request_headers.h"

#include <hoist/propagation.h>
#include <string.h>
#include <strings.h>

#include "dispatch.h"
#include "text.h"

/* Tabs are white space to HTTP, so a value may have them. */
static bool is_clean(const char *text, bool with_tabs) {
  for (; *text; text++)
    if (((unsigned char)*text < 0x20 && !(with_tabs && *text == '\t')) || *text == 0x7f)
      return false;
  return true;
}

static enum hoist_status add_header(struct curl_slist **list, const char *name, const char *value,
                                    struct hoist_error *err) {
  if (!*name || !is_clean(name, false) || !is_clean(value, true))
    return hoist_fail(err, HOIST_INVALID,
                      "the request header \"%.60s\" has control characters in it", name);
  /* curl takes "name:" for "leave this header out" and "name;" for an empty one. */
  HOIST_AUTO(mem)
  char *line = *value ? text_format("%s: %s", name, value) : text_format("%s;", name);
  struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
  if (!longer) return hoist_fail_memory(err, "request headers");
  *list = longer;
  return HOIST_OK;
}

static enum hoist_status add_headers(struct curl_slist **list, const struct http_header *headers,
                                     size_t count, struct hoist_error *err) {
  if (count > HTTP_MAX_REQUEST_HEADERS)
    return hoist_fail(err, HOIST_INVALID, "more than %d request headers", HTTP_MAX_REQUEST_HEADERS);
  for (size_t i = 0; i < count; i++) {
    enum hoist_status status = add_header(list, headers[i].name, headers[i].value, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

/* What the caller asked for; most of it is for its own URL only. */
static enum hoist_status add_asked(const struct http_request *r, bool is_own,
                                   struct curl_slist **list, struct hoist_error *err) {
  enum hoist_status status =
      is_own ? add_headers(list, r->headers, r->header_count, err) : HOIST_OK;
  if (status != HOIST_OK || !r->sign || !(is_own || r->sign_redirects)) return status;
  const struct http_header *signed_headers = NULL;
  size_t count = 0;
  status = r->sign(r->sign_user, &signed_headers, &count, err);
  return status == HOIST_OK ? add_headers(list, signed_headers, count, err) : status;
}

/* ---- trace context and baggage ------------------------------------------------------------------- */

struct carrier {
  struct curl_slist **list;
  struct hoist_error *err;
  enum hoist_status status;
};

static bool has_header(const struct curl_slist *list, const char *name) {
  size_t size = strlen(name);
  for (; list; list = list->next)
    if (strncasecmp(list->data, name, size) == 0 && strchr(":;", list->data[size])) return true;
  return false;
}

static void carry(void *user, const char *name, const char *value) {
  struct carrier *carrier = user;
  if (carrier->status == HOIST_OK && !has_header(*carrier->list, name))
    carrier->status = add_header(carrier->list, name, value, carrier->err);
}

/* The span's own; where nothing records, or what is recorded stays here, that of whoever called. */
static struct hoist_span_context context_of(const struct call *call, const struct hoist_span *span,
                                            unsigned propagators) {
  struct hoist_span_context context = {0};
  if (!(propagators & HOIST_PROPAGATE_UNCHANGED)) hoist_span_get_context(span, &context);
  if (!hoist_span_context_is_valid(&context) && call->remote) context = *call->remote;
  return context;
}

static void carry_baggage(const struct hoist_baggage *baggage, struct carrier *carrier) {
  char text[HOIST_BAGGAGE_SIZE];
  hoist_baggage_format(baggage, text);
  if (*text) carry(carrier, "baggage", text);
}

static enum hoist_status add_context(const struct call *call, bool with_baggage,
                                     const struct hoist_span *span, struct curl_slist **list,
                                     struct hoist_error *err) {
  struct carrier carrier = {.list = list, .err = err, .status = HOIST_OK};
  unsigned propagators = telemetry_propagators(call->telemetry);
  /* A traceparent of the caller's is not given our tracestate. */
  if (propagators & HOIST_PROPAGATE_TRACECONTEXT && !has_header(*list, "traceparent")) {
    struct hoist_span_context context = context_of(call, span, propagators);
    hoist_context_inject(&context, carry, &carrier);
  }
  if (propagators & HOIST_PROPAGATE_BAGGAGE && with_baggage && call->baggage)
    carry_baggage(call->baggage, &carrier);
  return carrier.status;
}

enum hoist_status request_headers(const struct call *call, const struct http_request *request,
                                  bool is_own, const struct hoist_span *span,
                                  struct curl_slist **list, struct hoist_error *err) {
  struct curl_slist *empty = curl_slist_append(NULL, "Expect:");
  if (!empty) return hoist_fail_memory(err, "request headers");
  *list = empty;
  enum hoist_status status = add_asked(request, is_own, list, err);
  if (status != HOIST_OK) return status;
  return add_context(call, is_own && request->with_baggage, span, list, err);
}
