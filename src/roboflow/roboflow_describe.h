/* SPDX-License-Identifier: Apache-2.0 */
/* What a model consists of, by the endpoints of the Roboflow API that may know it. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_DESCRIBE_H
#define HOIST_ROBOFLOW_ROBOFLOW_DESCRIBE_H

#include "roboflow_client.h"
#include "source.h"

/** What is wanted of the API: a whole description, or only fresh URLs. */
enum roboflow_wanted { ROBOFLOW_WANT_ALL, ROBOFLOW_WANT_URLS };

/** Asks one endpoint after the other.
 *  @param visitor  NULL, or is told of every endpoint and package, and why it was chosen or not
 *  Errors: NOT_FOUND none has it · UNSUPPORTED there are packages, and none that can be used here: says why · DENIED,
 *          UNAVAILABLE, CORRUPT, … as roboflow_ask, of the first that failed so */
HOIST_MUST_CHECK enum hoist_status roboflow_describe(
    const struct call *call, const struct roboflow_client *client, const struct model_id *id,
    enum roboflow_wanted wanted, const struct source_visitor *visitor,
    struct manifest *ret_manifest, struct hoist_error *err);

/** Whether the key may use the model: by /stat, and where that does not know it, by the endpoints that describe it.
 *  Errors: as roboflow_describe */
HOIST_MUST_CHECK enum hoist_status roboflow_check_access(const struct call *call,
                                                         const struct roboflow_client *client,
                                                         const struct model_id *id,
                                                         struct hoist_error *err);

/** A file that the API named and its storage does not have is a broken package, not a missing model. */
HOIST_MUST_CHECK enum hoist_status roboflow_check_file(const struct http_response *response,
                                                       const char *name, struct hoist_error *err);
/** Whether storage may have meant that the URL is too old. */
bool roboflow_may_be_expired(int http_status);

#endif
