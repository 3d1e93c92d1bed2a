/* SPDX-License-Identifier: Apache-2.0 */
/* The telemetry of one command: exported as the environment, --trace-file and --metrics-file say, and kept for the
 * waterfall. Trouble with it is a warning, never a failure. */
#ifndef HOIST_CLI_TRACING_H
#define HOIST_CLI_TRACING_H

#include "cli.h"
#include "trace.h"

struct tracing;

enum tracing_mode {
  TRACING_NONE,   /* the command does nothing worth a span */
  TRACING_EXPORT, /* as the environment and the options ask for */
  TRACING_CAPTURE /* spans are also kept */
};

/** Starts telemetry. Never fails: what cannot be had is done without, with a warning.
 *  @param ret_tracing  NULL where nothing is wanted or possible; accepted by all calls here */
void tracing_open(struct cli *cli, enum tracing_mode mode, struct tracing **ret_tracing);

/** For hoist_config.telemetry; NULL: none. */
struct hoist_telemetry *tracing_telemetry(const struct tracing *tracing);
/** The parent that TRACEPARENT and TRACESTATE name; NULL: none. */
const struct hoist_span_context *tracing_parent(const struct tracing *tracing);
/** What BAGGAGE says; NULL: nothing. */
const struct hoist_baggage *tracing_baggage(const struct tracing *tracing);

/** The spans of the oldest operation on the model that has ended and was not taken yet, linked; waits a
 * bounded time for them. NULL where there are none (not captured, not sampled). Valid until the next
 * call of this or of tracing_close. One thread at a time; operations may be under way in others. */
const struct trace_set *tracing_spans(struct tracing *tracing, const char *model_id);

/** Hands over what is left, within TRACING_LIVE_MS where exports have worked and TRACING_DEAD_MS
 * where none has, and prints the warnings there were. All spans must have ended. NULL is fine. */
void tracing_close(struct tracing *tracing);

/** The same where spans may still be open in other threads, which go on: releases nothing. */
void tracing_leave(struct tracing *tracing);

#define TRACING_LIVE_MS 5000
#define TRACING_DEAD_MS 1500
#define TRACING_INTERRUPTED_MS 40 /* after Ctrl-C, for this and tracing_spans together */

#endif
