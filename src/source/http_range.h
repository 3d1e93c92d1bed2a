/* SPDX-License-Identifier: Apache-2.0 */
/* Asking an HTTP server for a part of a file, and reading what it says it sends (RFC 9110, 13 to 15). */
#ifndef HOIST_SOURCE_HTTP_RANGE_H
#define HOIST_SOURCE_HTTP_RANGE_H

#include <stdbool.h>

#include "http.h"
#include "source.h"

#define RANGE_HEADER_SIZE 64

/** The value of a Range header for the next attempt; NULL where the whole file is wanted. */
const char *range_header(const struct source_request *request, char out[RANGE_HEADER_SIZE]);

/** Whether a validator is an ETag; else it is a date. */
bool range_is_etag(const char *validator);

/** What a 2xx response carries; the promised digest is left to the caller. A 206 must be exactly the
 *  range asked for, in one piece.
 *  @param validator  memory of ret_response->validator
 *  Errors: CORRUPT and request->trouble SOURCE_BAD_RANGE it is not · CORRUPT neither 200 nor 206 */
HOIST_MUST_CHECK enum hoist_status range_read_response(struct source_request *request,
                                                       const struct http_response *response,
                                                       char validator[SOURCE_VALIDATOR_SIZE],
                                                       struct source_response *ret_response,
                                                       struct hoist_error *err);

/** The trouble that a status other than 2xx stands for. */
enum source_trouble range_trouble(const struct http_response *response);

#endif
