/* SPDX-License-Identifier: Apache-2.0 */
/* One request on the wire, and its response. */
#ifndef HOIST_HTTP_TRANSFER_H
#define HOIST_HTTP_TRANSFER_H

#include "failure.h"
#include "handle.h"
#include "stall.h"
#include "target.h"

struct transfer {
  const struct call *call;
  const struct http_options *options;
  const struct http_request *request;
  const struct target *target;
  const struct curl_slist *headers;
  struct http_response *response; /* given empty; filled as far as the answer came */
  uint64_t body_bytes;            /* set: bytes received */
  struct failure failure;         /* set on failure */
  bool stale; /* set where it failed: it was the connection, which the server had closed */
  char doing[TARGET_HOST_SIZE + 32];

  /* Private to transfer_run. */
  struct hoist_error *err;
  enum hoist_status status; /* why a callback ended the transfer; OK: none did */
  size_t header_bytes;
  int64_t uploaded;
  uint64_t started_ns;
  struct stall stall;
  bool connected;
  bool headers_complete;
  bool acknowledged;
  bool begun;
  bool cut; /* an error body was longer than what is kept; the rest is not waited for */
};

/** Blocks until the response is complete, the request's sink took it all, or it failed.
 *  Errors: as http_perform, with t->failure set */
HOIST_MUST_CHECK enum hoist_status http_transfer_run(struct transfer *t, struct handle *handle,
                                                     struct hoist_error *err);

#endif
