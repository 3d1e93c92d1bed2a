/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that credentials come in: JSON of the metadata services and of credential_process, XML of
 * STS. Pure; no text of theirs gets into an error but what the server says about a failure. */
#ifndef HOIST_AWS_DOCUMENT_H
#define HOIST_AWS_DOCUMENT_H

#include "aws_credentials.h"

#define AWS_DOCUMENT_MAX_BYTES (256u << 10)

enum aws_document_kind {
  AWS_DOCUMENT_METADATA, /* "Token", with an expiry */
  AWS_DOCUMENT_PROCESS   /* "SessionToken", "Version": 1; the token and the expiry may be missing */
};

/** @param who  "instance_metadata", …: whose document it is; static
 *  Errors: CORRUPT not such a document, or something is missing · DENIED it says in so many words that there
 *          are none · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_document_read(enum aws_document_kind kind, const char *text,
                                                     size_t size, const char *who,
                                                     const struct aws_credentials **ret_credentials,
                                                     struct hoist_error *err);

/** The answer of AssumeRole and its kin.
 *  Errors: CORRUPT · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status aws_sts_read(const char *text, size_t size, const char *who,
                                                const struct aws_credentials **ret_credentials,
                                                struct hoist_error *err);

struct aws_sts_error {
  char code[64];
  char message[256];
};
/** False where it is no error document. */
bool aws_sts_read_error(const char *text, size_t size, struct aws_sts_error *ret_error);

#endif
