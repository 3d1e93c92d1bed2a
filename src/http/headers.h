/* SPDX-License-Identifier: Apache-2.0 */
/* Response headers as they arrive, line by line. */
#ifndef HOIST_HTTP_HEADERS_H
#define HOIST_HTTP_HEADERS_H

#include <stdbool.h>

#include "http.h"

/** Takes in one line as curl hands it over (line end included): a status line begins the response
 *  anew, a header is appended to response->headers, anything else is skipped.
 *  Errors: CORRUPT over HTTP_MAX_HEADER_BYTES · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status headers_add_line(struct http_response *response,
                                                    const char *line, size_t size,
                                                    struct hoist_error *err);

/** The first value of a header (lower-case name), not terminated: `ret_size` bytes. NULL when
 * absent. */
const char *headers_find(const struct http_response *response, const char *name, size_t *ret_size);

/** The announced length of the body; -1 when there is none or it is not a number. */
int64_t headers_content_length(const struct http_response *response);

#endif
