/* SPDX-License-Identifier: Apache-2.0 */
/* What spans and metrics travel in. TracesData, ExportTraceServiceRequest and their metric twins have
 * the same shape on the wire: resource, scope, items. */
#ifndef HOIST_EXPORT_ENVELOPE_H
#define HOIST_EXPORT_ENVELOPE_H

#include "buf.h"
#include "err.h"

/** Appends to `out` the message around `items` (the encoded field 2 of ScopeSpans or ScopeMetrics). */
HOIST_MUST_CHECK enum hoist_status envelope_wrap(const struct buf *resource,
                                                 const struct buf *items, struct buf *out,
                                                 struct hoist_error *err);
#endif
