/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the Roboflow API: what a refusal means, and how it is traced. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_CLIENT_H
#define HOIST_ROBOFLOW_ROBOFLOW_CLIENT_H

#include <stdbool.h>

#include <hoist/trace.h>

#include "http.h"
#include "roboflow_api.h"
#include "roboflow_choice.h"
#include "roboflow_shape.h"

/** Immutable; any thread. */
struct roboflow_client {
  struct http *http;
  struct roboflow_api api;
  uint32_t request_timeout_ms;
  int verify_md5;
  struct roboflow_wish wish; /* its texts are borrowed */
};

/** Asks an endpoint about a model, one request with its retries.
 *  @param page      as for roboflow_api_url
 *  @param ret_body  given empty
 *  Errors: NOT_FOUND the endpoint does not know the model, or the API does not have the endpoint · DENIED
 *          the key, the plan or the administrator stands against it · UNAVAILABLE, TIMEOUT … as
 *          http_perform. Each says what to do next */
HOIST_MUST_CHECK enum hoist_status roboflow_ask(const struct call *call,
                                                const struct roboflow_client *client,
                                                enum roboflow_family family,
                                                const struct model_id *id, const char *page,
                                                struct buf *ret_body, struct hoist_error *err);

/** GETs a URL that the API handed out: no headers of ours, and where it is no URL that is the API's fault, not
 *  the caller's. Sets method, url and follow_redirects of `request`. Errors: as http_perform, CORRUPT for INVALID */
HOIST_MUST_CHECK enum hoist_status roboflow_get(const struct call *call,
                                                const struct roboflow_client *client,
                                                const char *url, struct http_request *request,
                                                struct http_response *ret_response,
                                                struct hoist_error *err);

/** A span roboflow_api.call and a measurement of inference.roboflow_api.duration around whatever requests one
 *  function of the API takes. The struct must not move between the two. */
struct roboflow_span {
  struct call call; /* for what happens inside */
  struct hoist_span span;
  enum roboflow_family family;
  uint64_t started_ns;
};
void roboflow_span_begin(struct roboflow_span *s, const struct call *call,
                         enum roboflow_family family);
/** @param is_final  false: to be without a model, or without one of use, is no failure: another endpoint is asked
 *  @param failure   where status is not OK */
void roboflow_span_end(struct roboflow_span *s, enum hoist_status status, bool is_final,
                       const struct hoist_error *failure);

#endif
