/* SPDX-License-Identifier: Apache-2.0 */
/* How a request to the Roboflow API looks: its URL, its headers, the way through a secure gateway. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_API_H
#define HOIST_ROBOFLOW_ROBOFLOW_API_H

#include "http.h"
#include "roboflow.h"
#include "roboflow_family.h"

/** Immutable after init; owns its strings. */
struct roboflow_api {
  char *host;           /* scheme, host and path, no slash at the end */
  char *base;           /* the same with the suffix */
  char *api_key;        /* NULL: none */
  char *service_secret; /* NULL: none, or not to be sent to this base */
  char *device_id;
  char *gateway; /* what a percent-encoded URL is put behind; NULL: no gateway */
  struct http_header
      headers[HTTP_MAX_REQUEST_HEADERS]; /* for the API's host only; where there is a key,
                                                          the first is Authorization */
  size_t header_count;
};

/** Errors: INVALID a URL that is not http(s), extra headers that are not a JSON object of strings fit
 *          for headers · NO_MEMORY. On failure nothing is left to release. */
HOIST_MUST_CHECK enum hoist_status roboflow_api_init(struct roboflow_api *api,
                                                     const struct roboflow_options *options,
                                                     struct hoist_error *err);
void roboflow_api_done(struct roboflow_api *api);

/** The URL of an endpoint for a model, already through the gateway; it may hold the API key.
 *  @param page  where the page of packages begins: what the one before it gave; NULL: the first
 *  malloc'd; NULL when out of memory. */
char *roboflow_api_url(const struct roboflow_api *api, enum roboflow_family family,
                       const struct model_id *id, const char *page);

/** The headers that go with it. */
const struct http_header *roboflow_api_headers(const struct roboflow_api *api,
                                               enum roboflow_family family, size_t *ret_count);

/** `url` through the gateway, where there is one and it is not already so. malloc'd; NULL when out of
 *  memory. */
char *roboflow_api_wrap(const struct roboflow_api *api, const char *url);

#endif
