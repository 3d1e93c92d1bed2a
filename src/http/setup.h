/* SPDX-License-Identifier: Apache-2.0 */
/* What a curl handle has to be told, but for the callbacks. */
#ifndef HOIST_HTTP_SETUP_H
#define HOIST_HTTP_SETUP_H

#include <curl/curl.h>
#include <stdbool.h>

#include "http.h"

/** How to connect and whom to trust. False: out of memory. */
bool setup_options(CURL *easy, const struct http_options *o);
/** Method and body, which stays borrowed. False: out of memory. */
bool setup_request(CURL *easy, const struct http_request *r);

#endif
