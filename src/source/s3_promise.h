/* SPDX-License-Identifier: Apache-2.0 */
/* What S3 says of an object's bytes: checksums of the whole object, composites of those of its parts, and the
 * ETag where it is an MD5. */
#ifndef HOIST_SOURCE_S3_PROMISE_H
#define HOIST_SOURCE_S3_PROMISE_H

#include <stdbool.h>

#include "digest.h"
#include "http.h"
#include "s3_client.h"

struct s3_promise {
  struct digest digest; /* DIGEST_NONE: nothing is promised */
  uint32_t parts;       /* 0: it is one of the whole object; else of the digests of so many parts */
};

/** What the headers of an answer promise. A checksum that comes with a range of the object is not one of the
 *  object, so only the ETag counts there.
 *  @param use_etag  go by that, where there is no checksum */
struct s3_promise s3_promise_read(const struct http_response *response, bool use_etag);
/** A simple ETag is the MD5 of an object that was put in one piece and is not encrypted with a key of KMS or
 *  the customer; DIGEST_NONE where it is not.
 *  @param use_etag  false: it is none in any case */
struct digest s3_etag_digest(const struct http_response *response, bool use_etag);

/** What is known of an object's bytes. */
struct s3_finding {
  struct digest digest; /* DIGEST_NONE: nothing is promised, or it cannot be computed */
  int64_t part_bytes;   /* as promised_part_bytes of a source_response */
  char note[96];        /* for the span: "composite sha256 of 3 parts" */
};

/** An object that is being fetched, of one version. */
struct s3_subject {
  const struct s3_client *client;
  const char *key;
  const char *what; /* "s3://bucket/key" */
  const char *etag; /* NULL: not known */
  int64_t size;     /* FILE_SIZE_UNKNOWN */
};

/** What an answer promises; where it is one to a request for a range, or a composite, the server is asked for
 *  the rest: with HeadObject, GetObjectAttributes, or HeadObject of each part if there are not too many. That
 *  it does not tell is no error.
 *  Errors: TIMEOUT, CANCELLED by the call · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_promise_find(const struct call *call,
                                                   const struct s3_subject *subject,
                                                   const struct http_response *response,
                                                   bool use_etag, struct s3_finding *ret_finding,
                                                   struct hoist_error *err);

#endif
