/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused request can learn from the answer. Each kind of mistake is corrected once a request; what is
 * learned of the bucket's region and the server's clock is kept for all further ones. Any thread. */
#include <string.h>

#include "s3_request.h"
#include "text.h"

static const char *const elsewhere_codes[] = {"PermanentRedirect", "TemporaryRedirect",
                                              "AuthorizationHeaderMalformed",
                                              "IllegalLocationConstraintException"};

bool s3_is_elsewhere(const struct http_response *response, const struct s3_error *error) {
  for (size_t i = 0; i < sizeof elsewhere_codes / sizeof *elsewhere_codes; i++)
    if (strcmp(error->code, elsewhere_codes[i]) == 0) return true;
  return response->status == 301 || response->status == 307;
}

bool s3_region_of(const struct http_response *response, const struct s3_error *error,
                  char out[S3_REGION_SIZE]) {
  if (!http_response_header(response, "x-amz-bucket-region", out, S3_REGION_SIZE))
    memcpy(out, error->region, S3_REGION_SIZE);
  return s3_is_region(out);
}

/* An answer without a body, to a HEAD, may have nothing but the header. */
static enum hoist_status correct_region(struct s3_request *r, const struct http_response *response,
                                        const struct s3_error *error, bool *ret_again,
                                        struct hoist_error *err) {
  char region[S3_REGION_SIZE];
  bool elsewhere = s3_is_elsewhere(response, error) || (response->status == 400 && !error->code[0]);
  if (r->moved || !elsewhere || !s3_region_of(response, error, region) ||
      strcmp(region, r->place->region) == 0)
    return HOIST_OK;
  struct s3_place *place = NULL;
  enum hoist_status status = s3_client_move(r->client, region, &place, err);
  if (status != HOIST_OK) return status;
  s3_place_unref(r->place);
  r->place = place;
  r->moved = *ret_again = true;
  return s3_request_address(r, err);
}

static void correct_clock(struct s3_request *r, const struct http_response *response,
                          const struct s3_error *error, bool *ret_again) {
  uint64_t now = 0;
  if (r->set_clock || strcmp(error->code, "RequestTimeTooSkewed") != 0 ||
      !http_response_date(response, &now))
    return;
  s3_client_set_now(r->client, now);
  r->set_clock = *ret_again = true;
}

static bool is_expired(const struct s3_error *error) {
  return strcmp(error->code, "ExpiredToken") == 0 ||
         strcmp(error->code, "TokenRefreshRequired") == 0;
}

static enum hoist_status correct_credentials(const struct call *call, struct s3_request *r,
                                             const struct s3_error *error, bool *ret_again,
                                             struct hoist_error *err) {
  const struct aws_credentials *renewed = NULL;
  if (r->renewed || !r->credentials || !is_expired(error)) return HOIST_OK;
  enum hoist_status status =
      aws_provider_renew(call, r->client->provider, r->credentials, &renewed, err);
  if (status != HOIST_OK || !renewed) return status;
  aws_credentials_unref(r->credentials);
  r->credentials = renewed;
  r->renewed = *ret_again = true;
  return HOIST_OK;
}

enum hoist_status s3_correct(const struct call *call, struct s3_request *r,
                             const struct http_response *response, bool *ret_again,
                             struct hoist_error *err) {
  *ret_again = false;
  if (response->status < 300) return HOIST_OK;
  struct s3_error error = {0};
  (void)s3_error_parse(buf_str(&response->body), response->body.size, &error);
  enum hoist_status status = correct_region(r, response, &error, ret_again, err);
  if (status == HOIST_OK) correct_clock(r, response, &error, ret_again);
  if (status == HOIST_OK) status = correct_credentials(call, r, &error, ret_again, err);
  return status;
}
