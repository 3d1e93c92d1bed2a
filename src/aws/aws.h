/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials as the AWS SDKs find them: the places they may come from, asked in a fixed order. What each
 * place wants to be told, and what it does, is in docs/s3.md. */
#ifndef HOIST_AWS_AWS_H
#define HOIST_AWS_AWS_H

#include "aws_config.h"
#include "aws_provider.h"
#include "http.h"

/** What the user has set; NULL: not set. All members are texts. */
struct aws_texts {
  const char *access_key, *secret_key, *session_token;
  const char *profile; /* NULL: "default", which need not be there */
  const char *config_file, *credentials_file;
  const char *region;       /* of STS; NULL: the profile's, else STS's global endpoint */
  const char *sts_endpoint; /* NULL: the profile's, else AWS in the region */
  const char *role_arn, *role_session_name, *web_identity_token_file;
  const char *container_relative_uri, *container_full_uri;
  const char *container_token, *container_token_file;
  const char *metadata_endpoint, *metadata_endpoint_mode; /* a URL; "IPv4", "IPv6" */
};

struct aws_options {
  struct aws_texts texts;
  int metadata_disabled;
  uint32_t metadata_timeout_ms, metadata_attempts;
};

struct aws;
/** Copies the options, reads the configuration files; contacts nothing.
 *  Errors: INVALID an access key without its secret key, a file that is not of the format · DENIED, … a file
 *          cannot be read · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_new(struct http *http, const struct aws_options *options,
                                           struct aws **ret_aws, struct hoist_error *err);
void aws_free(struct aws *aws);
HOIST_DEFINE_AUTO(aws, struct aws, aws_free)

/** What requests are signed with; lives as long as `aws`. Threads: any */
struct aws_provider *aws_credentials_provider(struct aws *aws);

/** What the profile said when `aws` was made, for what the user has not set: a key ("region"), a nested one
 *  ("s3", "addressing_style"), where a service is (aws_config_endpoint). NULL: nothing. Borrowed. */
const char *aws_profile_get(const struct aws *aws, const char *key);
const char *aws_profile_get_sub(const struct aws *aws, const char *key, const char *sub);
const char *aws_profile_endpoint(const struct aws *aws, const char *service);

/** What came of asking one place; borrowed for the length of the callback. */
struct aws_finding {
  const char *place;        /* "environment", "web identity", "profile", "container", "instance" */
  enum hoist_status status; /* OK: it gives credentials */
  const char *detail;
  bool skipped; /* it does not apply, or was not asked: `status` is OK */
};
/** Asks the places in their order until one gives credentials, and tells what came of each.
 *  Errors: TIMEOUT, CANCELLED, as aws_new. Threads: any */
HOIST_MUST_CHECK enum hoist_status aws_examine(const struct call *call, struct aws *aws,
                                               void (*report)(void *user,
                                                              const struct aws_finding *finding),
                                               void *user, struct hoist_error *err);

#endif
