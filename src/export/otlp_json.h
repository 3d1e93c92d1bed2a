/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP protobuf to OTLP/JSON: field names in lowerCamelCase, ids in hex, 64-bit integers as strings,
 * enums as numbers. */
#ifndef HOIST_EXPORT_OTLP_JSON_H
#define HOIST_EXPORT_OTLP_JSON_H

#include "buf.h"
#include "exporter.h"

/** Appends the batch as one JSON object, without a line end, to `out`.
 *  Errors: CORRUPT malformed protobuf, or more than `out` may hold · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status otlp_json_append(const struct batch *batch, struct buf *out,
                                                    struct hoist_error *err);
#endif
