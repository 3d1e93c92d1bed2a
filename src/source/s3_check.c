/* SPDX-License-Identifier: Apache-2.0 */
/* S3's error codes, each with what the user can do about it. Pure; any thread. */
#include <stdio.h>
#include <string.h>

#include "s3_request.h"
#include "text.h"

#define MAX_WORDS 160 /* of the server's own, in an error */

/* The first that fits counts. */
static const struct rule {
  const char *code;
  const char *says; /* what the server's words must have in them; NULL: anything */
  enum hoist_status status;
  const char *text;
} rules[] = {
    {"InvalidAccessKeyId", NULL, HOIST_DENIED, "the server does not know this access key"},
    {"SignatureDoesNotMatch", NULL, HOIST_DENIED, "the secret key does not match the access key"},
    {"AccessDenied", "kms:", HOIST_DENIED,
     "these credentials may not use the key it is encrypted with; allow them kms:Decrypt"},
    {"AccessDenied", NULL, HOIST_DENIED,
     "these credentials may not read it; allow them s3:GetObject and s3:ListBucket"},
    {"ExpiredToken", NULL, HOIST_DENIED, "the session token has expired; get new credentials"},
    {"TokenRefreshRequired", NULL, HOIST_DENIED,
     "the session token has expired; get new credentials"},
    {"InvalidToken", NULL, HOIST_DENIED, "the session token is not valid"},
    {"RequestTimeTooSkewed", NULL, HOIST_DENIED,
     "this machine's clock is too far from the server's; set the clock"},
    {"InvalidObjectState", NULL, HOIST_DENIED, "the object is archived; restore it first"},
    {"InvalidRequest", "Server Side Encryption", HOIST_UNSUPPORTED,
     "it is encrypted with a key that only its owner has (SSE-C), which hoist does not take; store "
     "it with SSE-S3 or SSE-KMS"},
    {"NoSuchBucket", NULL, HOIST_NOT_FOUND, "there is no such bucket; check its name"},
    {"NoSuchKey", NULL, HOIST_NOT_FOUND, "there is no such object"},
    {"NoSuchVersion", NULL, HOIST_NOT_FOUND, "there is no such version of the object"},
    {"PreconditionFailed", NULL, HOIST_UNAVAILABLE,
     "the object changed while it was read; try again"},
    {"SlowDown", NULL, HOIST_UNAVAILABLE, "the server asks for fewer requests; try again later"},
    {"InvalidBucketName", NULL, HOIST_INVALID, "this is not a bucket name; check it"},
};

static const struct rule *find_rule(const struct s3_error *error) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strcmp(error->code, rules[i].code) == 0 &&
        (!rules[i].says || strstr(error->message, rules[i].says)))
      return &rules[i];
  return NULL;
}

/* What is being answered, for the functions below. */
struct refusal {
  const char *what;
  const char *region;
  const struct aws_credentials *credentials;
  const struct http_response *response;
  struct s3_error error;
};

/* The server's own words, unless they repeat what must not be shown. */
static const char *words_of(const struct refusal *r) {
  return aws_credentials_in(r->credentials, r->error.message) ? "" : r->error.message;
}

static enum hoist_status fail_elsewhere(const struct refusal *r, struct hoist_error *err) {
  char region[S3_REGION_SIZE];
  const char *code = r->error.code[0] ? r->error.code : "a redirect";
  if (!s3_region_of(r->response, &r->error, region))
    return hoist_fail(err, HOIST_INVALID,
                      "%s: the bucket is not in region %s or not at this endpoint (%s); set "
                      "AWS_REGION and AWS_ENDPOINT_URL_S3",
                      r->what, r->region, code);
  if (strcmp(region, r->region) == 0)
    return hoist_fail(err, HOIST_INVALID,
                      "%s: the bucket is in region %s, but not at this endpoint (%s); check "
                      "AWS_ENDPOINT_URL_S3",
                      r->what, region, code);
  return hoist_fail(err, HOIST_INVALID,
                    "%s: the bucket is in region %s, not %s (%s); set AWS_REGION=%s", r->what,
                    region, r->region, code, region);
}

static enum hoist_status fail_unknown(const struct refusal *r, struct hoist_error *err) {
  const char *words = words_of(r);
  enum hoist_status status = http_check(r->response, r->what, err);
  if (r->error.code[0])
    hoist_error_prepend(err, "S3 error %s%s%s%s", r->error.code, *words ? " (" : "", words,
                        *words ? ")" : "");
  return status;
}

/* With what the store's operators ask for first. */
static void append_ids(const struct refusal *r, struct hoist_error *err) {
  char request[sizeof r->error.request_id], host[sizeof r->error.host_id];
  if (!err) return;
  if (!http_response_header(r->response, "x-amz-request-id", request, sizeof request))
    memcpy(request, r->error.request_id, sizeof request);
  if (!http_response_header(r->response, "x-amz-id-2", host, sizeof host))
    memcpy(host, r->error.host_id, sizeof host);
  if (*request) hoist_error_append(err, " [request %s%s%s]", request, *host ? ", host " : "", host);
}

/* The part of the credentials that an error is about, as the variable it may come from; NULL: it is about none. */
static const char *variable_of(const char *code) {
  if (strcmp(code, "InvalidAccessKeyId") == 0) return "AWS_ACCESS_KEY_ID";
  if (strcmp(code, "SignatureDoesNotMatch") == 0) return "AWS_SECRET_ACCESS_KEY";
  return strcmp(code, "InvalidToken") == 0 ? "AWS_SESSION_TOKEN" : NULL;
}

#define STEP_SIZE 96

/* The next step, where that depends on where the credentials come from. */
static const char *step_of(const struct refusal *r, char ret_step[STEP_SIZE]) {
  const char *variable = variable_of(r->error.code);
  ret_step[0] = '\0';
  if (!variable || !r->credentials) return ret_step;
  if (strcmp(r->credentials->provider, "environment") == 0)
    snprintf(ret_step, STEP_SIZE, "; check %s", variable);
  else
    snprintf(ret_step, STEP_SIZE, "; check what gave the credentials: %s",
             r->credentials->provider);
  return ret_step;
}

static enum hoist_status fail(const struct refusal *r, struct hoist_error *err) {
  const struct rule *rule = find_rule(&r->error);
  if (s3_is_elsewhere(r->response, &r->error)) return fail_elsewhere(r, err);
  if (!r->credentials && strcmp(r->error.code, "AccessDenied") == 0)
    return hoist_fail(
        err, HOIST_DENIED,
        "%s: not readable without credentials (AccessDenied); unset HOIST_S3_ANONYMOUS "
        "and give some: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
        r->what);
  if (!rule) return fail_unknown(r, err);
  const char *words = words_of(r);
  size_t size = utf8_prefix(words, strlen(words), MAX_WORDS);
  char step[STEP_SIZE], attempts[HTTP_ATTEMPTS_SIZE], how[HTTP_ATTEMPTS_SIZE + 24] = "";
  if (http_attempts(r->response, attempts)[0])
    snprintf(how, sizeof how, ", HTTP status %d%s", r->response->status, attempts);
  return hoist_fail(err, rule->status, "%s: %s%s (%s%s)%s%.*s", r->what, rule->text,
                    step_of(r, step), rule->code, how, size > 0 ? ": " : "", (int)size, words);
}

enum hoist_status s3_check(const char *region, const struct aws_credentials *credentials,
                           const char *what, const struct http_response *response,
                           struct hoist_error *err) {
  if (response->status >= 200 && response->status < 300) return HOIST_OK;
  struct refusal r = {
      .what = what, .region = region, .credentials = credentials, .response = response};
  (void)s3_error_parse(buf_str(&response->body), response->body.size, &r.error);
  enum hoist_status status = fail(&r, err);
  append_ids(&r, err);
  if (err) err->http_status = response->status;
  return status;
}
