/* SPDX-License-Identifier: Apache-2.0 */
/* Where requests get their credentials: found once, kept, and renewed before they expire, by one thread
 * for all. How they are found is a function (aws_resolve). */
#ifndef HOIST_AWS_PROVIDER_H
#define HOIST_AWS_PROVIDER_H

#include "aws_credentials.h"
#include "call.h"

#define AWS_RENEW_AHEAD_S 300 /* or half of a life that is shorter */
#define AWS_RENEW_AGAIN_S 30  /* after a failure, while the old ones are good */

/** Finds credentials. One call at a time. */
typedef enum hoist_status aws_resolve_fn(const struct call *call, void *user,
                                         const struct aws_credentials **ret_credentials,
                                         struct hoist_error *err);

struct aws_provider;
/** @param now_unix_s  NULL: the real-time clock */
HOIST_MUST_CHECK enum hoist_status aws_provider_new(aws_resolve_fn *resolve, void *user,
                                                    uint64_t (*now_unix_s)(void),
                                                    struct aws_provider **ret_provider,
                                                    struct hoist_error *err);
void aws_provider_free(struct aws_provider *provider);
HOIST_DEFINE_AUTO(aws_provider, struct aws_provider, aws_provider_free)

/** The credentials to sign with now. While they are renewed ahead of time the old ones are given out, and
 *  go on to be where that fails; once they have expired, threads wait for the one that renews them.
 *  @param ret_credentials  on OK: release with aws_credentials_unref
 *  Errors: DENIED there are none, or who gives them out refuses, or they have expired already · as the
 *          resolver · TIMEOUT, CANCELLED by the call
 *  Threads: any */
HOIST_MUST_CHECK enum hoist_status aws_provider_get(const struct call *call,
                                                    struct aws_provider *provider,
                                                    const struct aws_credentials **ret_credentials,
                                                    struct hoist_error *err);

/** As aws_provider_get, where a server said that `refused` have expired: others, if another thread has got
 *  them already, else they are looked for anew. NULL: there are no others, only the same again. */
HOIST_MUST_CHECK enum hoist_status aws_provider_renew(
    const struct call *call, struct aws_provider *provider, const struct aws_credentials *refused,
    const struct aws_credentials **ret_credentials, struct hoist_error *err);

#endif
