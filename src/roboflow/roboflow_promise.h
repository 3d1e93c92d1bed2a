/* SPDX-License-Identifier: Apache-2.0 */
/* The digest that a storage host promises for the body it sends. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_PROMISE_H
#define HOIST_ROBOFLOW_ROBOFLOW_PROMISE_H

#include "digest.h"
#include "http.h"

/** Out of x-goog-hash, Content-MD5, or the ETag of an S3 store where that is an MD5; DIGEST_NONE where
 *  there is none that is certain. */
struct digest roboflow_promised_digest(const struct http_response *response);

#endif
