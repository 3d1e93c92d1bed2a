/* SPDX-License-Identifier: Apache-2.0 */
/* The client span of one request on the wire, after the HTTP semantic conventions. */
#ifndef HOIST_HTTP_SPAN_H
#define HOIST_HTTP_SPAN_H

#include <curl/curl.h>

#include <hoist/telemetry.h>

#include "http.h"
#include "target.h"

/** @param resend  how many requests went before this one in the same http_perform */
void request_span_start(const struct call *call, const struct http_request *request,
                        const struct target *target, uint32_t resend, struct hoist_span *ret_span);

/** Sets what is known afterwards and ends the span.
 *  @param easy    the handle that ran it, for its timings; NULL when it never got that far
 *  @param reason  error.type of a failure without a usable response; NULL: none
 *  @param err     that failure */
void request_span_end(struct hoist_span *span, CURL *easy, const struct http_request *request,
                      const struct http_response *response, uint64_t body_bytes, const char *reason,
                      const struct hoist_error *err);

#endif
