/* SPDX-License-Identifier: Apache-2.0 */
/* S3 requests: where a bucket is, how a request to it is signed, what its errors mean. */
#ifndef HOIST_SOURCE_S3_CLIENT_H
#define HOIST_SOURCE_S3_CLIENT_H

#include "aws_provider.h"
#include "http.h"
#include "sigv4.h"
#include "source.h"

struct s3_client {
  struct http *http; /* borrowed */
  char *bucket;
  char *region;
  struct aws_provider *provider; /* borrowed; NULL: requests are not signed */
  char *origin;                  /* "https://host[:port]" */
  char *host;                    /* the Host header, as it is sent and signed */
  char *path; /* what every path begins with: "/bucket", or "" with virtual hosts */
};

/** Errors: INVALID a malformed bucket, region or endpoint · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_client_init(struct s3_client *client, struct http *http,
                                                  const struct s3_options *options,
                                                  struct hoist_error *err);
void s3_client_done(struct s3_client *client);

/** One GET. */
struct s3_operation {
  const char *span_name; /* "S3.GetObject"; static */
  const char *what;      /* "s3://bucket/key", for errors */
  const char *key;       /* NULL: of the bucket */
  int want_checksum;     /* 1: ask for x-amz-checksum-* in the response */
  struct source_request
      *part; /* what of the object is wanted, and of which version; NULL: all, any */
  const struct sigv4_pair *query;
  size_t query_count;
  enum hoist_status (*begin)(void *user, const struct http_response *response,
                             struct hoist_error *err);
  enum hoist_status (*write)(void *user, const void *data, size_t size, struct hoist_error *err);
  void *sink_user;
};

/** Runs the operation; its body goes to the sink. Credentials that the server says have expired are
 *  renewed once. Errors name op->what and the next step.
 *  Threads: any */
HOIST_MUST_CHECK enum hoist_status s3_get(const struct call *call, const struct s3_client *client,
                                          const struct s3_operation *op, struct hoist_error *err);

/** OK for 2xx; else the error that the response to a request signed with `credentials` (NULL: not signed)
 *  describes. */
HOIST_MUST_CHECK enum hoist_status s3_check(const struct s3_client *client,
                                            const struct aws_credentials *credentials,
                                            const char *what, const struct http_response *response,
                                            struct hoist_error *err);

#endif
