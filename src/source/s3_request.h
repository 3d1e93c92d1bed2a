/* SPDX-License-Identifier: Apache-2.0 */
/* One S3 request as it is sent; what s3_get.c and s3_correct.c share, not for others. */
#ifndef HOIST_SOURCE_S3_REQUEST_H
#define HOIST_SOURCE_S3_REQUEST_H

#include "http_range.h"
#include "s3_client.h"
#include "s3_xml.h"

#define S3_MAX_HEADERS 12 /* with what the operation adds */

struct s3_request {
  const struct s3_client *client;
  const struct s3_operation *op;
  struct s3_place *place;
  const struct aws_credentials *credentials; /* NULL: it is not signed */
  char *path;                                /* encoded */
  struct buf query;
  char *url;
  char date[SIGV4_DATE_SIZE];
  char range[RANGE_HEADER_SIZE];
  struct buf authorization;
  struct http_header headers[S3_MAX_HEADERS];
  size_t header_count;
  bool moved, renewed, set_clock; /* what was corrected already */
};

/** Makes path and URL for the place that the request has. */
HOIST_MUST_CHECK enum hoist_status s3_request_address(struct s3_request *r,
                                                      struct hoist_error *err);

/** What a refusal teaches: another region, the right time, that the credentials have expired. The request
 *  is changed accordingly, each once.
 *  @param ret_again  true: it is worth another try
 *  Errors: of the credentials' renewal · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_correct(const struct call *call, struct s3_request *r,
                                              const struct http_response *response, bool *ret_again,
                                              struct hoist_error *err);

/** Whether the answer says that the bucket is elsewhere. */
bool s3_is_elsewhere(const struct http_response *response, const struct s3_error *error);
/** Where it says the bucket is; false: it does not. */
bool s3_region_of(const struct http_response *response, const struct s3_error *error,
                  char out[S3_REGION_SIZE]);

#endif
