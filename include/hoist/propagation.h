/* SPDX-License-Identifier: Apache-2.0 */
/* Trace context and baggage across processes: W3C Trace Context (level 2) and W3C Baggage. None of it
 * needs a configured telemetry: a program that records nothing can still pass on what came in. */
#ifndef HOIST_PROPAGATION_H
#define HOIST_PROPAGATION_H

#include <hoist/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- headers in and out ------------------------------------------------------------------------ */

/** Looks a request header up, in any case of its letters.
 *  @param index  which one, from 0, where a header came several times
 *  @return text that stays until hoist_context_extract returns; NULL: there is none with that index */
typedef const char *hoist_get_header(void *user, const char *name, size_t index);
/** Takes a header for an outgoing request; both texts are borrowed for the length of the call. */
typedef void hoist_set_header(void *user, const char *name, const char *value);

/** Bytes of a tracestate with its NUL: the 512 characters that W3C wants propagated at least. */
#define HOIST_TRACESTATE_SIZE 513

/** What came with a request. Not copyable: `span.tracestate` points into it. */
struct hoist_remote_context {
  struct hoist_span_context span; /**< all zero: no valid trace context came */
  char tracestate[HOIST_TRACESTATE_SIZE];
};

/** Reads traceparent, tracestate and X-Force-Trace. Never fails: what W3C Trace Context calls invalid is
 *  as if it had not come; a bad tracestate leaves the traceparent valid.
 *  Threads: any */
HOIST_API void hoist_context_extract(hoist_get_header *get, void *user,
                                     struct hoist_remote_context *ret_remote);

/** Passes a context on: traceparent, and tracestate where there is one. Nothing for an invalid
 *  context. Where nothing is configured a span has none, and what came in goes on instead:
 *
 *    hoist_span_get_context(&span, &context);
 *    if (!hoist_span_context_is_valid(&context)) context = remote.span;
 *    hoist_context_inject(&context, set, user); */
HOIST_API void hoist_context_inject(const struct hoist_span_context *context, hoist_set_header *set,
                                    void *user);

/** Answers a request: X-Trace-Id with the trace id, where the request was forced and this span is
 *  sampled, so that whoever forced it can find the trace. */
HOIST_API void hoist_context_answer(const struct hoist_span_context *remote,
                                    const struct hoist_span *span, hoist_set_header *set,
                                    void *user);

#define HOIST_TRACEPARENT_SIZE 56
/** Formats a W3C traceparent header value (version 00). Writes "" for an invalid context. */
HOIST_API void hoist_traceparent_format(const struct hoist_span_context *context,
                                        char out[HOIST_TRACEPARENT_SIZE]);
/** Parses a W3C traceparent header value; sets `remote`, and no tracestate.
 *  Errors: INVALID anything the W3C recommendation rejects */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_traceparent_parse(
    const char *text, struct hoist_span_context *ret_context);

/* ---- tracestate -------------------------------------------------------------------------------- */

/** Reads a tracestate: `headers` are its header lines in order; they must not overlap `out`. Empty
 *  members and outer whitespace go; of a key that is there twice the first, newest one stays. Beyond 512
 *  characters members over 128 go first, then those at the end (Trace Context, "tracestate Limits").
 *  Errors: INVALID a malformed key or value, over 32 members; `out` is then "" */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_tracestate_parse(
    const char *const *headers, size_t count, char out[HOIST_TRACESTATE_SIZE]);

/** Copies the value of `key` to `out`, cut to `size` with its NUL; returns its length, 0 when there is
 *  none. `tracestate` may be NULL. */
HOIST_API size_t hoist_tracestate_get(const char *tracestate, const char *key, char *out,
                                      size_t size);

/** Sets a member, which moves to the front; NULL removes it. Of the others the last one goes where it
 *  would be one too many, and as in hoist_tracestate_parse where they would be too long.
 *  Errors: INVALID not a W3C key or value, or over 512 characters together; nothing is changed */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_tracestate_set(
    char tracestate[HOIST_TRACESTATE_SIZE], const char *key, const char *value);

/* ---- baggage ----------------------------------------------------------------------------------- */

/** Bytes of a baggage header with its NUL (W3C Baggage, "Limits": 8192 bytes, 64 members). */
#define HOIST_BAGGAGE_SIZE 8193
#define HOIST_BAGGAGE_MEMBERS_MAX 64

/** A set of names and values that travels beside the trace. One per object, one thread at a time. */
struct hoist_baggage;

/** Empty baggage. Errors: NO_MEMORY */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_baggage_new(struct hoist_baggage **ret_baggage,
                                                               struct hoist_error *err);
/** Reads a baggage header. Values are percent-decoded, with U+FFFD for what is not UTF-8; properties are
 *  kept as they are. Of a name that is there twice the last value counts; empty entries go. Headers that
 *  came several times are joined with ',' by the caller; NULL is as "".
 *  Errors: INVALID malformed, a %00 in a value, or beyond the limits · NO_MEMORY */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_baggage_parse(const char *header,
                                                                 struct hoist_baggage **ret_baggage,
                                                                 struct hoist_error *err);
/** The value of `name`, until the baggage is changed; NULL: there is none. `ret_properties` (may be NULL)
 *  gets the metadata behind it, "" when there is none. */
HOIST_API const char *hoist_baggage_get(const struct hoist_baggage *baggage, const char *name,
                                        const char **ret_properties);
/** Sets or replaces an entry; value NULL removes it. `properties` (may be NULL) stands behind ';', and is
 *  percent-encoded by the caller.
 *  Errors: INVALID not a token, not UTF-8, malformed properties, beyond the limits; NO_MEMORY. Nothing is
 *          changed then */
HOIST_API HOIST_MUST_CHECK enum hoist_status hoist_baggage_set(struct hoist_baggage *baggage,
                                                               const char *name, const char *value,
                                                               const char *properties,
                                                               struct hoist_error *err);
/** The index-th entry's name, NULL beyond the last. */
HOIST_API const char *hoist_baggage_name(const struct hoist_baggage *baggage, size_t index);
/** Formats the header value; "" for none. */
HOIST_API void hoist_baggage_format(const struct hoist_baggage *baggage,
                                    char out[HOIST_BAGGAGE_SIZE]);
/** NULL is fine. */
HOIST_API void hoist_baggage_free(struct hoist_baggage *baggage);

#ifdef __cplusplus
}
#endif
#endif
