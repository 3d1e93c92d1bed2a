/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's span says. Costs nothing but two tests where nothing records. Any thread. */
#include "span.h"

#include <stdio.h>

#include "text.h"

void request_span_start(const struct call *call, const struct http_request *request,
                        const struct target *target, uint32_t resend, struct hoist_span *ret_span) {
  hoist_span_start(call->span, request->span_name ? request->span_name : request->method,
                   HOIST_SPAN_CLIENT, ret_span);
  if (!ret_span->telemetry) return;
  HOIST_AUTO(mem)
  char *shown =
      request->secret_path
          ? text_format("%s://%s/REDACTED", target->tls ? "https" : "http", target->authority)
          : http_redact_url(target->url);
  hoist_span_set_string(ret_span, "http.request.method", request->method);
  hoist_span_set_string(ret_span, "server.address", target->host);
  hoist_span_set_int(ret_span, "server.port", target->port);
  hoist_span_set_string(ret_span, "url.full", shown);
  if (resend > 0) hoist_span_set_int(ret_span, "http.request.resend_count", resend);
}

static void set_ms(struct hoist_span *span, const char *key, curl_off_t from_us, curl_off_t to_us) {
  if (to_us > from_us) hoist_span_set_double(span, key, (double)(to_us - from_us) / 1000.0);
}

static curl_off_t time_of(CURL *easy, CURLINFO info) {
  curl_off_t us = 0;
  return curl_easy_getinfo(easy, info, &us) == CURLE_OK ? us : 0;
}

/* Where the time of a slow request went: only a new connection has these phases. Times are in
 * microseconds since the start. */
static void set_phases(struct hoist_span *span, CURL *easy) {
  long connects = 0;
  if (curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK || connects < 1) return;
  curl_off_t resolved = time_of(easy, CURLINFO_NAMELOOKUP_TIME_T);
  curl_off_t connected = time_of(easy, CURLINFO_CONNECT_TIME_T);
  curl_off_t secured = time_of(easy, CURLINFO_APPCONNECT_TIME_T);
  set_ms(span, "hoist.http.dns_ms", 0, resolved);
  set_ms(span, "hoist.http.connect_ms", resolved, connected);
  set_ms(span, "hoist.http.tls_ms", connected, secured);
  set_ms(span, "hoist.http.first_byte_ms", time_of(easy, CURLINFO_PRETRANSFER_TIME_T),
         time_of(easy, CURLINFO_STARTTRANSFER_TIME_T));
}

void request_span_end(struct hoist_span *span, CURL *easy, const struct http_request *request,
                      const struct http_response *response, uint64_t body_bytes, const char *reason,
                      const struct hoist_error *err) {
  if (!span->telemetry) return;
  if (response->status > 0) {
    hoist_span_set_int(span, "http.response.status_code", response->status);
    hoist_span_set_int(span, "http.response.body.size", (int64_t)body_bytes);
  }
  if (easy) set_phases(span, easy);
  if (reason) {
    hoist_span_set_error(span, reason, err->message);
  } else if (response->status >= 400) {
    char code[16];
    snprintf(code, sizeof code, "%d", response->status);
    hoist_span_set_error(span, code, NULL);
  }
  if (request->annotate) request->annotate(request->annotate_user, span, response);
  hoist_span_end(span);
}
