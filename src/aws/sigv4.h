/* SPDX-License-Identifier: Apache-2.0 */
/* AWS Signature Version 4, in the Authorization header. */
#ifndef HOIST_AWS_SIGV4_H
#define HOIST_AWS_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define SIGV4_DATE_SIZE 17 /* "20130524T000000Z" */
#define SIGV4_MAX_HEADERS 16
#define SIGV4_MAX_PARAMETERS 16
#define SIGV4_MAX_BYTES (64u << 10) /* of the request in its canonical form */
/** SHA-256 of nothing: the payload hash of every request without a body. */
#define SIGV4_EMPTY_PAYLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sigv4_credentials {
  const char *access_key;
  const char *secret_key;
  const char *region;
  const char *service; /* "s3", "sts" */
};

struct sigv4_pair {
  const char *name;
  const char *value;
};

struct sigv4_request {
  const char *method;
  const char *path;                 /* percent-encoded once, as it is sent */
  const char *query;                /* of sigv4_query; "" for none */
  const struct sigv4_pair *headers; /* names in lower case, values trimmed; any order */
  size_t header_count;
  const char *payload_hash;
};

/** Formats a time as x-amz-date has it. */
void sigv4_date(uint64_t unix_s, char out[SIGV4_DATE_SIZE]);

/** Appends the query in its canonical form, which is also the form to send: encoded, then sorted by
 *  encoded name and value. `pairs` are raw. */
HOIST_MUST_CHECK enum hoist_status sigv4_query(const struct sigv4_pair *pairs, size_t count,
                                               struct buf *ret_query, struct hoist_error *err);

/** Appends the value of the Authorization header; all headers of the request are signed. `date` is
 * of sigv4_date, and must be among the headers as x-amz-date. Errors: INVALID more than
 * SIGV4_MAX_HEADERS · CORRUPT over SIGV4_MAX_BYTES · NO_MEMORY · UNSUPPORTED this OpenSSL has no
 * HMAC-SHA-256 */
HOIST_MUST_CHECK enum hoist_status sigv4_authorization(const struct sigv4_credentials *credentials,
                                                       const struct sigv4_request *request,
                                                       const char date[SIGV4_DATE_SIZE],
                                                       struct buf *ret_value,
                                                       struct hoist_error *err);

#endif
