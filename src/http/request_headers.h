/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of one request on the wire. */
#ifndef HOIST_HTTP_REQUEST_HEADERS_H
#define HOIST_HTTP_REQUEST_HEADERS_H

#include <curl/curl.h>
#include <stdbool.h>

#include "http.h"

/** Makes the list: what the request sets and signs where `is_own` (it goes to the origin of the
 *  request's own URL), and what goes on from whoever called: trace context to every host, baggage only
 *  where the request says so.
 *  @param span  of this attempt
 *  @param list  empty; the caller frees it whatever comes back
 *  Errors: INVALID control characters in a header, too many · NO_MEMORY · what `sign` says */
HOIST_MUST_CHECK enum hoist_status request_headers(const struct call *call,
                                                   const struct http_request *request, bool is_own,
                                                   const struct hoist_span *span,
                                                   struct curl_slist **list,
                                                   struct hoist_error *err);

#endif
