/* SPDX-License-Identifier: Apache-2.0 */
/* What all answers of the Roboflow API are made of: URLs that become files to fetch, and values that become
 * files as they are. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_SHAPE_H
#define HOIST_ROBOFLOW_ROBOFLOW_SHAPE_H

#include "json_read.h"
#include "manifest.h"

#define ROBOFLOW_ANSWER "the Roboflow API's answer"
#define ROBOFLOW_MAX_ANSWER_BYTES (8u << 20)
#define ROBOFLOW_MAX_URL_BYTES 8192

/** Reads an answer, which must be a JSON object.
 *  @param ret_root  refers to *ret_value
 *  Errors: CORRUPT · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status roboflow_read_root(const char *json, size_t size,
                                                      json_t **ret_value,
                                                      struct json_place *ret_root,
                                                      struct hoist_error *err);

/** A malloc'd copy of an http or https URL that can be asked for. Errors: CORRUPT: names the place */
HOIST_MUST_CHECK enum hoist_status roboflow_read_url(const struct json_place *place, char **ret_url,
                                                     struct hoist_error *err);
/** Adds a file to be fetched from the URL at `place`. Errors: CORRUPT */
HOIST_MUST_CHECK enum hoist_status roboflow_add_url(struct manifest *m, const char *name,
                                                    const struct json_place *place,
                                                    struct hoist_error *err);
/** Adds a file that consists of `text`, which is emptied. */
HOIST_MUST_CHECK enum hoist_status roboflow_add_content(struct manifest *m, const char *name,
                                                        struct buf *text, struct hoist_error *err);
/** Adds a file that consists of a JSON value. */
HOIST_MUST_CHECK enum hoist_status roboflow_add_json(struct manifest *m, const char *name,
                                                     const json_t *value, struct hoist_error *err);

#endif
