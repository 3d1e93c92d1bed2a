/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which credentials are looked for. Owns a copy of the options. */
#include "aws.h"

#include <openssl/crypto.h>
#include <string.h>

#include "text.h"

struct aws {
  struct http *http; /* borrowed */
  struct aws_provider *provider;
  const struct aws_credentials *fixed; /* what the user has set; NULL: nothing */
};

static enum hoist_status resolve(const struct call *call, void *user,
                                 const struct aws_credentials **ret_credentials,
                                 struct hoist_error *err) {
  const struct aws *aws = user;
  (void)call;
  if (!aws->fixed)
    return hoist_fail(err, HOIST_DENIED,
                      "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                      "HOIST_S3_ANONYMOUS=true for what everybody may read");
  *ret_credentials = aws_credentials_ref(aws->fixed);
  return HOIST_OK;
}

static enum hoist_status keep_fixed(struct aws *aws, const struct aws_options *o,
                                    struct hoist_error *err) {
  if (!o->access_key || !*o->access_key) return HOIST_OK;
  if (!o->secret_key || !*o->secret_key)
    return hoist_fail(
        err, HOIST_INVALID,
        "source s3: an access key is set but no secret key: set AWS_SECRET_ACCESS_KEY");
  const struct aws_credentials given = {.access_key = o->access_key,
                                        .secret_key = o->secret_key,
                                        .session_token = o->session_token,
                                        .provider = "environment"};
  return aws_credentials_new(&given, &aws->fixed, err);
}

enum hoist_status aws_new(struct http *http, const struct aws_options *options,
                          struct aws **ret_aws, struct hoist_error *err) {
  HOIST_AUTO(aws) struct aws *aws = calloc(1, sizeof *aws);
  if (!aws) return hoist_fail_memory(err, "the AWS credentials");
  aws->http = http;
  enum hoist_status status = keep_fixed(aws, options, err);
  if (status == HOIST_OK) status = aws_provider_new(resolve, aws, NULL, &aws->provider, err);
  if (status == HOIST_OK) *ret_aws = HOIST_TAKE(aws);
  return status;
}

void aws_free(struct aws *aws) {
  if (!aws) return;
  aws_provider_free(aws->provider);
  aws_credentials_unref(aws->fixed);
  free(aws);
}

struct aws_provider *aws_credentials_provider(struct aws *aws) {
  return aws->provider;
}
