/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the runtime that creates a session, which the caller need not see the end of: when called off, or
 * out of time, it goes, and the rest tidies itself up. Not for others than session.c. */
#ifndef HOIST_SESSION_CREATION_H
#define HOIST_SESSION_CREATION_H

#include "session_internal.h"

/** Has the runtime create `s->handle`, with phases as spans below the call's where it has one. Where the call can end
 *  early, that happens on a thread of its own; the runtime's switch is thrown (1.22 and later have one), and a
 *  creation that has not stopped CREATION_GRACE_MS later is left to itself. One that saves a graph is waited for.
 *  @param options     taken over in any case
 *  @param ret_failed  on OK: what the runtime said, NULL where the session is there; release it
 *  Errors: CANCELLED, TIMEOUT it is left to itself, and `s` with it: not to be touched any more */
HOIST_MUST_CHECK enum hoist_status creation_run(const struct call *call, struct session *s,
                                                const struct session_model *model,
                                                struct OrtSessionOptions *options,
                                                struct OrtStatus **ret_failed,
                                                struct hoist_error *err);
#define CREATION_GRACE_MS 10

#endif
