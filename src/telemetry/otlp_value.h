/* SPDX-License-Identifier: Apache-2.0 */
/* Values that are no scalars (lists, maps, bytes) as plain JSON text: [1,"a"], {"k":true}; bytes in
 * base64, numbers that JSON lacks as "NaN", "Infinity" and "-Infinity". */
#ifndef HOIST_TELEMETRY_OTLP_VALUE_H
#define HOIST_TELEMETRY_OTLP_VALUE_H

#include "buf.h"
#include "otlp_read.h"

#define OTLP_VALUE_MAX_DEPTH 32 /* deeper values become null */

/** "NaN", "0.1", "-Infinity": a number as text, the shortest that reads back the same. */
#define OTLP_NUMBER_SIZE 40
void otlp_number_text(double value, char out[OTLP_NUMBER_SIZE]);

/** A text in quotes, with escapes. */
HOIST_MUST_CHECK enum hoist_status otlp_append_quoted(struct buf *out, struct otlp_bytes text,
                                                      struct hoist_error *err);
/** A number as JSON: in quotes where JSON has no other way to write it. */
HOIST_MUST_CHECK enum hoist_status otlp_append_number(struct buf *out, double value,
                                                      struct hoist_error *err);

/** Appends an AnyValue message: bytes alone in base64, without quotes, anything else as JSON.
 *  Errors: CORRUPT malformed, or more than `out` may hold · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status otlp_append_value(struct buf *out, struct otlp_bytes any,
                                                     struct hoist_error *err);
#endif
