/* SPDX-License-Identifier: Apache-2.0 */
/* What spans and metrics travel in. TracesData, ExportTraceServiceRequest and their metric twins have
 * the same shape on the wire: resource, scope, items. */
#ifndef HOIST_EXPORT_ENVELOPE_H
#define HOIST_EXPORT_ENVELOPE_H

#include "buf.h"
#include "err.h"
#include "recorder.h"

/** Appends to `out` the message around `items`: for each of the recorder's scopes that has any, the encoded
 *  fields 2 of its ScopeSpans or ScopeMetrics. */
HOIST_MUST_CHECK enum hoist_status envelope_wrap(const struct buf *resource,
                                                 const struct recorder *recorder,
                                                 const struct buf items[RECORDER_SCOPES_MAX],
                                                 struct buf *out, struct hoist_error *err);
#endif
