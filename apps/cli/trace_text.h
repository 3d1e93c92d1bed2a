/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as JSON. */
#ifndef HOIST_CLI_TRACE_TEXT_H
#define HOIST_CLI_TRACE_TEXT_H

#include "diff.h"
#include "json.h"
#include "trace.h"

/** Members "trace_id" and "phases" of an open object: the shares of the set's last operation. */
void trace_json_phases(struct json *j, const struct trace_set *set);
/** One object for a trace: its id, and the spans that are shown of it, in the order of the tree. */
void trace_json(struct json *j, const struct trace_set *set, const struct trace *trace);
/** One object for a comparison: seconds of A and B, the rows, the culprit's position among them. */
void trace_json_diff(struct json *j, const struct diff *diff);

#endif
