/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials as the AWS SDKs find them: the places they may come from, asked in a fixed order. */
#ifndef HOIST_AWS_AWS_H
#define HOIST_AWS_AWS_H

#include "aws_provider.h"
#include "http.h"

/** What the user has set; NULL: not set. */
struct aws_options {
  const char *access_key;
  const char *secret_key;
  const char *session_token;
};

struct aws;
/** Copies the options; contacts nothing.
 *  Errors: INVALID an access key without its secret key · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_new(struct http *http, const struct aws_options *options,
                                           struct aws **ret_aws, struct hoist_error *err);
void aws_free(struct aws *aws);
HOIST_DEFINE_AUTO(aws, struct aws, aws_free)

/** What requests are signed with; lives as long as `aws`. Threads: any */
struct aws_provider *aws_credentials_provider(struct aws *aws);

#endif
