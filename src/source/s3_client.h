/* SPDX-License-Identifier: Apache-2.0 */
/* S3 requests: where a bucket is, how a request to it is signed, what its errors mean. */
#ifndef HOIST_SOURCE_S3_CLIENT_H
#define HOIST_SOURCE_S3_CLIENT_H

#include "aws_provider.h"
#include "http.h"
#include "s3_place.h"
#include "sigv4.h"
#include "source.h"

struct s3_learned;

struct s3_client {
  struct http *http; /* borrowed */
  char *bucket;
  char *endpoint;                /* NULL: AWS */
  struct aws_provider *provider; /* borrowed; NULL: requests are not signed */
  int virtual_host;              /* -1: decide, 0, 1 */
  bool dualstack, fips, requester_pays;
  struct s3_learned *learned; /* what servers have said of the bucket's place and of the time */
};

/** Errors: as s3_place_new */
HOIST_MUST_CHECK enum hoist_status s3_client_init(struct s3_client *client, struct http *http,
                                                  const struct s3_options *options,
                                                  struct hoist_error *err);
void s3_client_done(struct s3_client *client);

/** Where the bucket is, as far as is known. Release with s3_place_unref. Threads: any */
struct s3_place *s3_client_place(const struct s3_client *client);
/** The bucket is in another region, now and from now on.
 *  @param ret_place  release with s3_place_unref
 *  Errors: as s3_place_new. Threads: any */
HOIST_MUST_CHECK enum hoist_status s3_client_move(const struct s3_client *client,
                                                  const char *region, struct s3_place **ret_place,
                                                  struct hoist_error *err);
/** The time by the server's clock. Threads: any */
uint64_t s3_client_now_s(const struct s3_client *client);
/** The server's clock says so. Threads: any */
void s3_client_set_now(const struct s3_client *client, uint64_t unix_s);

/** One request without a body. */
struct s3_operation {
  const char *span_name; /* "S3.GetObject"; static */
  const char *method;    /* NULL: "GET" */
  const char *what;      /* "s3://bucket/key", for errors */
  const char *key;       /* NULL: of the bucket */
  int want_checksum;     /* 1: ask for x-amz-checksum-* in the response */
  struct source_request
      *part;            /* what of the object is wanted, and of which version; NULL: all, any */
  const char *if_match; /* an ETag, where there is no part; NULL: any version */
  const struct sigv4_pair *query;
  size_t query_count;
  const struct sigv4_pair *headers; /* further ones, to be signed: x-amz-* */
  size_t header_count;
  const char *note;      /* for the span, `hoist.s3.promise`; read when it ends. NULL: none */
  uint32_t max_attempts; /* 0: as many as is set */
  size_t max_body;       /* of `response->body` of s3_ask */
  enum hoist_status (*begin)(void *user, const struct http_response *response,
                             struct hoist_error *err);
  enum hoist_status (*write)(void *user, const void *data, size_t size, struct hoist_error *err);
  void *sink_user;
};

/** Runs the operation; its body goes to the sink. Once each, and then again with what it learned: a region
 *  that is another, a clock that is wrong, credentials that have expired. Errors name op->what and the next
 *  step. Threads: any */
HOIST_MUST_CHECK enum hoist_status s3_get(const struct call *call, const struct s3_client *client,
                                          const struct s3_operation *op, struct hoist_error *err);
/** The same for an operation without a sink.
 *  @param ret_response  given empty; filled in on OK */
HOIST_MUST_CHECK enum hoist_status s3_ask(const struct call *call, const struct s3_client *client,
                                          const struct s3_operation *op,
                                          struct http_response *ret_response,
                                          struct hoist_error *err);

/** OK for 2xx; else the error that the response to a request signed with `credentials` (NULL: not signed)
 *  describes.
 *  @param region  that it was signed for */
HOIST_MUST_CHECK enum hoist_status s3_check(const char *region,
                                            const struct aws_credentials *credentials,
                                            const char *what, const struct http_response *response,
                                            struct hoist_error *err);

#endif
