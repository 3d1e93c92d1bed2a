/* SPDX-License-Identifier: Apache-2.0 */
/* One set of credentials: immutable, shared by reference, wiped when the last reference goes. */
#ifndef HOIST_AWS_CREDENTIALS_H
#define HOIST_AWS_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "auto.h"
#include "err.h"

struct aws_credentials {
  const char *access_key;
  const char *secret_key;
  const char *session_token; /* NULL: none */
  uint64_t expires_unix_s;   /* 0: never, as far as is known */
  const char *provider;      /* "environment", "instance_metadata", …; static */
};

/** Copies `from`, whose empty token is none.
 *  Errors: INVALID an access key without its secret key, or the reverse · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_credentials_new(
    const struct aws_credentials *from, const struct aws_credentials **ret_credentials,
    struct hoist_error *err);
const struct aws_credentials *aws_credentials_ref(const struct aws_credentials *credentials);
void aws_credentials_unref(const struct aws_credentials *credentials);
HOIST_DEFINE_AUTO(aws_credentials, const struct aws_credentials, aws_credentials_unref)

/** Whether `text` has one of the credentials in it, which must not be shown then. NULL has none. */
bool aws_credentials_in(const struct aws_credentials *credentials, const char *text);

#endif
