/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to AWS's Security Token Service. Owns nothing; any thread. */
#include <openssl/crypto.h>
#include <string.h>

#include "aws_document.h"
#include "aws_search.h"
#include "clock.h"
#include "digest.h"
#include "sigv4.h"
#include "text.h"

#define TIMEOUT_MS 10000 /* of one attempt */
#define MAX_BODY_BYTES (2 * AWS_MAX_TOKEN_BYTES)
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define GLOBAL_REGION "us-east-1" /* that of the endpoint without a region */

struct request {
  const struct aws_role *role;
  const struct aws_credentials *source; /* NULL: it is not signed */
  const char *region, *who;
  char *url;
  char *host, *path; /* of the URL, without query */
  struct buf body;   /* secret: it may hold a token */
  char date[SIGV4_DATE_SIZE], payload_hash[DIGEST_HEX_SIZE];
  struct buf authorization;
  struct http_header headers[5];
};

static inline void request_cleanup(struct request *r) {
  if (r->body.data) OPENSSL_cleanse(r->body.data, r->body.capacity);
  free(r->url);
  free(r->host);
  free(r->path);
  buf_done(&r->body);
  buf_done(&r->authorization);
}

/* ---- where ------------------------------------------------------------------------------------ */

static bool is_region(const char *text) {
  return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

static char *default_endpoint(const char *region) {
  if (!region) return text_dup("https://sts.amazonaws.com");
  return text_format("https://sts.%s.amazonaws.com%s", region,
                     text_starts_with(region, "cn-") ? ".cn" : "");
}

static enum hoist_status split_url(struct request *r, struct hoist_error *err) {
  size_t scheme = text_starts_with(r->url, "https://") ? 8 : 7;
  if ((scheme == 7 && !text_starts_with(r->url, "http://")) || strpbrk(r->url, "?#@ "))
    return hoist_fail(err, HOIST_INVALID,
                      "the STS endpoint is not http(s)://host[:port]; check AWS_ENDPOINT_URL_STS "
                      "and endpoint_url of the profile");
  const char *host = r->url + scheme, *path = host + strcspn(host, "/");
  size_t host_size = (size_t)(path - host);
  r->host = strndup(host, host_size);
  r->path = text_dup(*path ? path : "/");
  if (!r->host || !r->path) return hoist_fail_memory(err, "a request to STS");
  const char *default_port = scheme == 8 ? ":443" : ":80";
  if (text_ends_with(r->host, default_port)) r->host[host_size - strlen(default_port)] = '\0';
  return HOIST_OK;
}

static enum hoist_status find_endpoint(const struct aws_search *s, struct request *r,
                                       struct hoist_error *err) {
  const struct aws_texts *t = &s->options->texts;
  const char *region =
      t->region ? t->region : aws_config_get(s->config, r->role->profile, "region");
  const char *endpoint =
      t->sts_endpoint ? t->sts_endpoint : aws_config_endpoint(s->config, r->role->profile, "sts");
  if (region && !is_region(region))
    return hoist_fail(err, HOIST_INVALID, "\"%.100s\" is not a region name; set AWS_REGION",
                      region);
  r->region = region ? region : GLOBAL_REGION;
  r->url = endpoint ? text_dup(endpoint) : default_endpoint(region);
  return r->url ? split_url(r, err) : hoist_fail_memory(err, "a request to STS");
}

/* ---- what ------------------------------------------------------------------------------------- */

static enum hoist_status add(struct request *r, const char *name, const char *value,
                             struct hoist_error *err) {
  if (!value) return HOIST_OK;
  HOIST_AUTO(mem) char *encoded = url_encode(value, false);
  if (!encoded) return hoist_fail_memory(err, "a request to STS");
  enum hoist_status status = buf_printf(&r->body, err, "&%s=%s", name, encoded);
  OPENSSL_cleanse(encoded, strlen(encoded));
  return status;
}

static enum hoist_status make_body(struct request *r, const char *action, const char *token,
                                   struct hoist_error *err) {
  const struct aws_role *role = r->role;
  HOIST_AUTO(mem)
  char *made_up = text_format("hoist-%llu", (unsigned long long)(clock_realtime_ns() / NS_PER_S));
  if (!made_up) return hoist_fail_memory(err, "a request to STS");
  enum hoist_status status = buf_printf(&r->body, err, "Action=%s&Version=2011-06-15", action);
  if (status == HOIST_OK) status = add(r, "RoleArn", role->arn, err);
  if (status == HOIST_OK)
    status = add(r, "RoleSessionName", role->session_name ? role->session_name : made_up, err);
  if (status == HOIST_OK) status = add(r, "ExternalId", role->external_id, err);
  if (status == HOIST_OK) status = add(r, "DurationSeconds", role->duration, err);
  if (status == HOIST_OK) status = add(r, "WebIdentityToken", token, err);
  struct digest hash;
  if (status == HOIST_OK) status = digest_of(DIGEST_SHA256, r->body.data, r->body.size, &hash, err);
  if (status == HOIST_OK) digest_hex(&hash, r->payload_hash);
  return status;
}

static enum hoist_status sign(void *user, const struct http_header **ret_headers, size_t *ret_count,
                              struct hoist_error *err) {
  struct request *r = user;
  size_t count = 0;
  enum hoist_status status = HOIST_OK;
  r->headers[count++] = (struct http_header){"host", r->host};
  r->headers[count++] = (struct http_header){"content-type", CONTENT_TYPE};
  if (r->source) {
    sigv4_date(clock_realtime_ns() / NS_PER_S, r->date);
    r->headers[count++] = (struct http_header){"x-amz-date", r->date};
    if (r->source->session_token)
      r->headers[count++] = (struct http_header){"x-amz-security-token", r->source->session_token};
    struct sigv4_pair pairs[5];
    for (size_t i = 0; i < count; i++)
      pairs[i] = (struct sigv4_pair){r->headers[i].name, r->headers[i].value};
    const struct sigv4_credentials c = {r->source->access_key, r->source->secret_key, r->region,
                                        "sts"};
    const struct sigv4_request canonical = {"POST", r->path, "", pairs, count, r->payload_hash};
    buf_clear(&r->authorization);
    status = sigv4_authorization(&c, &canonical, r->date, &r->authorization, err);
    r->headers[count++] = (struct http_header){"authorization", buf_str(&r->authorization)};
  }
  *ret_headers = r->headers;
  *ret_count = count;
  return status;
}

/* ---- the answer ------------------------------------------------------------------------------- */

static const struct rule {
  const char *code;
  enum hoist_status status;
  const char *advice;
} rules[] = {
    {"AccessDenied", HOIST_DENIED, "let the role's trust policy allow it"},
    {"ExpiredTokenException", HOIST_DENIED, "the token has expired; get a new one"},
    {"ExpiredToken", HOIST_DENIED, "the source credentials have expired; get new ones"},
    {"InvalidIdentityToken", HOIST_DENIED, "check the token and the role's identity provider"},
    {"InvalidClientTokenId", HOIST_DENIED, "check the source credentials"},
    {"SignatureDoesNotMatch", HOIST_DENIED, "check the source credentials and the clock"},
    {"RegionDisabledException", HOIST_DENIED, "set AWS_REGION to a region that is enabled"},
    {"IDPCommunicationError", HOIST_UNAVAILABLE, "try again later"},
    {"Throttling", HOIST_UNAVAILABLE, "try again later"},
};

static enum hoist_status fail(const struct request *r, const char *secret,
                              const struct http_response *response, struct hoist_error *err) {
  struct aws_sts_error error = {.code = ""};
  if (!aws_sts_read_error(buf_str(&response->body), response->body.size, &error)) {
    enum hoist_status status = http_check(response, r->url, err);
    hoist_error_prepend(err, "%s: role %s", r->who, r->role->arn);
    return status;
  }
  bool may_show =
      !aws_credentials_in(r->source, error.message) && !(secret && strstr(error.message, secret));
  const char *words = may_show ? error.message : "";
  enum hoist_status status = response->status >= 500 ? HOIST_UNAVAILABLE : HOIST_DENIED;
  const char *advice = "check the role and its trust policy";
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    if (strcmp(rules[i].code, error.code) != 0) continue;
    status = rules[i].status;
    advice = rules[i].advice;
  }
  hoist_fail(err, status, "%s: STS refuses role %s: %s%s%s%s; %s", r->who, r->role->arn, error.code,
             *words ? " (" : "", words, *words ? ")" : "", advice);
  if (err) err->http_status = response->status;
  return status;
}

static enum hoist_status ask(const struct call *call, const struct aws_search *s, struct request *r,
                             const char *action, const char *token,
                             const struct aws_credentials **ret_credentials,
                             struct hoist_error *err) {
  enum hoist_status status = find_endpoint(s, r, err);
  if (status == HOIST_OK) status = make_body(r, action, token, err);
  if (status != HOIST_OK) return status;
  const struct http_request request = {.method = "POST",
                                       .url = r->url,
                                       .span_name = token ? "STS.AssumeRoleWithWebIdentity"
                                                          : "STS.AssumeRole",
                                       .body = r->body.data,
                                       .body_size = r->body.size,
                                       .max_body = AWS_DOCUMENT_MAX_BYTES,
                                       .timeout_ms = TIMEOUT_MS,
                                       .sign = sign,
                                       .sign_user = r};
  HOIST_AUTO(http_response) struct http_response response = {0};
  status = http_perform(call, s->http, &request, &response, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s: role %s", r->who, r->role->arn);
    return status;
  }
  if (response.status == 200)
    status =
        aws_sts_read(buf_str(&response.body), response.body.size, r->who, ret_credentials, err);
  else
    status = fail(r, token, &response, err);
  if (response.body.data) OPENSSL_cleanse(response.body.data, response.body.capacity);
  return status;
}

enum hoist_status aws_assume_role(const struct call *call, const struct aws_search *search,
                                  const struct aws_role *role, const struct aws_credentials *source,
                                  const struct aws_credentials **ret_credentials,
                                  struct hoist_error *err) {
  HOIST_AUTO(request)
  struct request r = {.role = role,
                      .source = source,
                      .who = "assume_role",
                      .body = buf_make(MAX_BODY_BYTES),
                      .authorization = buf_make(MAX_BODY_BYTES)};
  return ask(call, search, &r, "AssumeRole", NULL, ret_credentials, err);
}

enum hoist_status aws_assume_role_with_token(const struct call *call,
                                             const struct aws_search *search,
                                             const struct aws_role *role, const char *token_file,
                                             const struct aws_credentials **ret_credentials,
                                             struct hoist_error *err) {
  HOIST_AUTO(request)
  struct request r = {.role = role, .who = "web_identity", .body = buf_make(MAX_BODY_BYTES)};
  HOIST_AUTO(buf) struct buf token = buf_make(AWS_MAX_TOKEN_BYTES);
  enum hoist_status status = aws_read_token(token_file, "the web identity token", &token, err);
  if (status == HOIST_OK)
    status =
        ask(call, search, &r, "AssumeRoleWithWebIdentity", buf_str(&token), ret_credentials, err);
  if (token.data) OPENSSL_cleanse(token.data, token.capacity);
  return status;
}
