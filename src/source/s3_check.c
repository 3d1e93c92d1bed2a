/* SPDX-License-Identifier: Apache-2.0 */
/* S3's error codes, each with what the user can do about it. Pure; any thread. */
#include <string.h>

#include "s3_client.h"
#include "s3_xml.h"

static const struct rule {
  const char *code;
  enum hoist_status status;
  const char *text;
} rules[] = {
    {"InvalidAccessKeyId", HOIST_DENIED,
     "the server does not know this access key; check AWS_ACCESS_KEY_ID"},
    {"SignatureDoesNotMatch", HOIST_DENIED,
     "the secret key does not match the access key; check AWS_SECRET_ACCESS_KEY"},
    {"AccessDenied", HOIST_DENIED,
     "these credentials may not read it; allow them s3:GetObject and s3:ListBucket"},
    {"ExpiredToken", HOIST_DENIED, "the session token has expired; get new credentials"},
    {"InvalidToken", HOIST_DENIED, "the session token is not valid; check AWS_SESSION_TOKEN"},
    {"RequestTimeTooSkewed", HOIST_DENIED,
     "this machine's clock is too far from the server's; set the clock"},
    {"InvalidObjectState", HOIST_DENIED, "the object is archived; restore it first"},
    {"NoSuchBucket", HOIST_NOT_FOUND, "there is no such bucket; check INFER_BUCKET"},
    {"NoSuchKey", HOIST_NOT_FOUND, "there is no such object"},
    {"PreconditionFailed", HOIST_UNAVAILABLE, "the object changed while it was read; try again"},
    {"SlowDown", HOIST_UNAVAILABLE, "the server asks for fewer requests; try again later"},
    {"InvalidBucketName", HOIST_INVALID, "this is not a bucket name; check INFER_BUCKET"},
};

static const char *const wrong_region_codes[] = {"PermanentRedirect", "TemporaryRedirect",
                                                 "AuthorizationHeaderMalformed",
                                                 "IllegalLocationConstraintException"};

static bool is_wrong_region(const char *code, int http_status) {
  for (size_t i = 0; i < sizeof wrong_region_codes / sizeof *wrong_region_codes; i++)
    if (strcmp(code, wrong_region_codes[i]) == 0) return true;
  return http_status == 301 || http_status == 307;
}

static enum hoist_status fail_region(const char *what, const struct s3_client *client,
                                     const struct http_response *response,
                                     const struct s3_error *error, struct hoist_error *err) {
  char region[sizeof error->region];
  if (!http_response_header(response, "x-amz-bucket-region", region, sizeof region))
    memcpy(region, error->region, sizeof region);
  const char *code = error->code[0] ? error->code : "a redirect";
  if (!region[0])
    return hoist_fail(err, HOIST_INVALID,
                      "%s: the bucket is not in region %s or not at this endpoint (%s); set "
                      "AWS_REGION and AWS_ENDPOINT_URL_S3",
                      what, client->region, code);
  return hoist_fail(err, HOIST_INVALID,
                    "%s: the bucket is in region %s, not %s (%s); set AWS_REGION=%s", what, region,
                    client->region, code, region);
}

/* The server's own words are the best hint for a code we know nothing about, unless they repeat
 * what must not be shown. */
static enum hoist_status fail_unknown(const char *what, const struct aws_credentials *credentials,
                                      const struct http_response *response,
                                      const struct s3_error *error, struct hoist_error *err) {
  const char *words = aws_credentials_in(credentials, error->message) ? "" : error->message;
  enum hoist_status status = http_check(response, what, err);
  if (error->code[0])
    hoist_error_prepend(err, "S3 error %s%s%s%s", error->code, *words ? " (" : "", words,
                        *words ? ")" : "");
  return status;
}

static enum hoist_status fail(const struct s3_client *client,
                              const struct aws_credentials *credentials, const char *what,
                              const struct http_response *response, const struct s3_error *error,
                              struct hoist_error *err) {
  if (is_wrong_region(error->code, response->status))
    return fail_region(what, client, response, error, err);
  if (!credentials && strcmp(error->code, "AccessDenied") == 0)
    return hoist_fail(
        err, HOIST_DENIED,
        "%s: not readable without credentials (AccessDenied); unset HOIST_S3_ANONYMOUS "
        "and give some: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
        what);
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strcmp(error->code, rules[i].code) == 0)
      return hoist_fail(err, rules[i].status, "%s: %s (%s)", what, rules[i].text, rules[i].code);
  return fail_unknown(what, credentials, response, error, err);
}

enum hoist_status s3_check(const struct s3_client *client,
                           const struct aws_credentials *credentials, const char *what,
                           const struct http_response *response, struct hoist_error *err) {
  if (response->status >= 200 && response->status < 300) return HOIST_OK;
  struct s3_error error = {0};
  (void)s3_error_parse(buf_str(&response->body), response->body.size, &error);
  enum hoist_status status = fail(client, credentials, what, response, &error, err);
  if (err) err->http_status = response->status;
  return status;
}
