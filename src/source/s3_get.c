/* SPDX-License-Identifier: Apache-2.0 */
/* One S3 request: its URL, its signature (made again for each attempt, since it holds the time),
 * its span's attributes. The memory of a signature lives as long as the request. Any thread. */
#include <hoist/telemetry.h>
#include <string.h>

#include "s3_request.h"
#include "text.h"

#define MAX_AUTHORIZATION_BYTES 4096

static inline void s3_request_cleanup(struct s3_request *r) {
  s3_place_unref(r->place);
  aws_credentials_unref(r->credentials);
  free(r->path);
  free(r->url);
  buf_done(&r->query);
  buf_done(&r->authorization);
}

enum hoist_status s3_request_address(struct s3_request *r, struct hoist_error *err) {
  const char *base = r->place->path, *key = r->op->key;
  HOIST_AUTO(mem) char *raw = text_format("%s%s%s", base, key || !*base ? "/" : "", key ? key : "");
  HOIST_AUTO(mem) char *path = raw ? url_encode(raw, true) : NULL;
  HOIST_AUTO(mem)
  char *url = path ? text_format("%s%s%s%s", r->place->origin, path, r->query.size ? "?" : "",
                                 buf_str(&r->query))
                   : NULL;
  if (!url) return hoist_fail_memory(err, r->op->what);
  free(r->path);
  free(r->url);
  r->path = HOIST_TAKE(path);
  r->url = HOIST_TAKE(url);
  return HOIST_OK;
}

static enum hoist_status make_request(const struct call *call, const struct s3_client *client,
                                      const struct s3_operation *op, struct s3_request *r,
                                      struct hoist_error *err) {
  *r = (struct s3_request){.client = client,
                           .op = op,
                           .place = s3_client_place(client),
                           .query = buf_make(HTTP_MAX_URL_BYTES),
                           .authorization = buf_make(MAX_AUTHORIZATION_BYTES)};
  enum hoist_status status = sigv4_query(op->query, op->query_count, &r->query, err);
  if (status == HOIST_OK) status = s3_request_address(r, err);
  if (status == HOIST_OK && client->provider)
    status = aws_provider_get(call, client->provider, &r->credentials, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", op->what);
  return status;
}

/* ---- headers ----------------------------------------------------------------------------------- */

static void add_header(struct s3_request *r, const char *name, const char *value) {
  if (value) r->headers[r->header_count++] = (struct http_header){name, value};
}

/* Signs host and x-amz-*, which is what must be signed, and nothing a proxy might touch. */
static enum hoist_status add_authorization(struct s3_request *r, struct hoist_error *err) {
  const struct aws_credentials *c = r->credentials;
  sigv4_date(s3_client_now_s(r->client), r->date);
  add_header(r, "x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD);
  add_header(r, "x-amz-date", r->date);
  add_header(r, "x-amz-security-token", c->session_token);
  struct sigv4_pair pairs[S3_MAX_HEADERS];
  for (size_t i = 0; i < r->header_count; i++)
    pairs[i] = (struct sigv4_pair){r->headers[i].name, r->headers[i].value};
  const struct sigv4_credentials credentials = {c->access_key, c->secret_key, r->place->region,
                                                "s3"};
  const struct sigv4_request canonical = {.method = r->op->method ? r->op->method : "GET",
                                          .path = r->path,
                                          .query = buf_str(&r->query),
                                          .headers = pairs,
                                          .header_count = r->header_count,
                                          .payload_hash = SIGV4_EMPTY_PAYLOAD};
  buf_clear(&r->authorization);
  enum hoist_status status =
      sigv4_authorization(&credentials, &canonical, r->date, &r->authorization, err);
  if (status == HOIST_OK) add_header(r, "authorization", buf_str(&r->authorization));
  return status;
}

/* Not signed: a proxy may split ranges. */
static void add_part(struct s3_request *r) {
  const struct source_request *part = r->op->part;
  const char *validator = part ? part->validator : r->op->if_match;
  if (part) add_header(r, "range", range_header(part, r->range));
  if (validator)
    add_header(r, range_is_etag(validator) ? "if-match" : "if-unmodified-since", validator);
}

static enum hoist_status sign(void *user, const struct http_header **ret_headers, size_t *ret_count,
                              struct hoist_error *err) {
  struct s3_request *r = user;
  enum hoist_status status = HOIST_OK;
  r->header_count = 0;
  add_header(r, "host", r->place->host);
  add_header(r, "x-amz-checksum-mode", r->op->want_checksum ? "ENABLED" : NULL);
  add_header(r, "x-amz-request-payer", r->client->requester_pays ? "requester" : NULL);
  for (size_t i = 0; i < r->op->header_count; i++)
    add_header(r, r->op->headers[i].name, r->op->headers[i].value);
  if (r->credentials) status = add_authorization(r, err);
  if (status != HOIST_OK) return status;
  add_part(r);
  *ret_headers = r->headers;
  *ret_count = r->header_count;
  return HOIST_OK;
}

/* ---- spans ------------------------------------------------------------------------------------- */

static void set_id(struct hoist_span *span, const char *attribute,
                   const struct http_response *response, const char *header, const char *in_body) {
  char id[256];
  if (http_response_header(response, header, id, sizeof id))
    hoist_span_set_string(span, attribute, id);
  else if (*in_body)
    hoist_span_set_string(span, attribute, in_body);
}

static void annotate_error(const struct s3_request *r, struct hoist_span *span,
                           const struct s3_error *error) {
  if (!error->code[0]) return;
  hoist_span_set_string(span, "aws.error.code", error->code);
  if (error->message[0] && !aws_credentials_in(r->credentials, error->message))
    hoist_span_set_string(span, "aws.error.message", error->message);
}

static void annotate(void *user, struct hoist_span *span, const struct http_response *response) {
  const struct s3_request *r = user;
  char text[256];
  struct s3_error error = {0};
  if (response->status >= 300)
    (void)s3_error_parse(buf_str(&response->body), response->body.size, &error);
  hoist_span_set_string(span, "rpc.system", "aws-api");
  hoist_span_set_string(span, "rpc.service", "S3");
  hoist_span_set_string(span, "rpc.method", strchr(r->op->span_name, '.') + 1);
  hoist_span_set_string(span, "cloud.region", r->place->region);
  hoist_span_set_string(span, "aws.s3.bucket", r->client->bucket);
  hoist_span_set_string(span, "aws.s3.key", r->op->key);
  if (http_response_header(response, "x-amz-version-id", text, sizeof text))
    hoist_span_set_string(span, "hoist.s3.version_id", text);
  if (r->op->note && *r->op->note) hoist_span_set_string(span, "hoist.s3.promise", r->op->note);
  set_id(span, "aws.request_id", response, "x-amz-request-id", error.request_id);
  set_id(span, "aws.extended_request_id", response, "x-amz-id-2", error.host_id);
  annotate_error(r, span, &error);
}

/* ---- running ----------------------------------------------------------------------------------- */

static enum hoist_status perform(const struct call *call, struct s3_request *r,
                                 struct http_response *response, struct hoist_error *err) {
  const struct s3_operation *op = r->op;
  const struct http_request request = {.method = op->method ? op->method : "GET",
                                       .url = r->url,
                                       .span_name = op->span_name,
                                       .max_body = op->max_body,
                                       .max_attempts = op->max_attempts,
                                       .sign = sign,
                                       .sign_user = r,
                                       .annotate = annotate,
                                       .annotate_user = r,
                                       .begin = op->begin,
                                       .write = op->write,
                                       .sink_user = op->sink_user};
  http_response_done(response);
  *response = (struct http_response){0};
  enum hoist_status status = http_perform(call, r->client->http, &request, response, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", op->what);
  return status;
}

enum hoist_status s3_ask(const struct call *call, const struct s3_client *client,
                         const struct s3_operation *op, struct http_response *ret_response,
                         struct hoist_error *err) {
  HOIST_AUTO(s3_request) struct s3_request r = {0};
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = make_request(call, client, op, &r, err);
  for (bool again = true; again && status == HOIST_OK;) {
    status = perform(call, &r, &response, err);
    if (status != HOIST_OK) return status;
    status = s3_correct(call, &r, &response, &again, err);
    if (status != HOIST_OK) hoist_error_prepend(err, "%s", op->what);
  }
  if (status != HOIST_OK) return status;
  if (op->part) op->part->trouble = range_trouble(&response);
  status = s3_check(r.place->region, r.credentials, op->what, &response, err);
  if (status != HOIST_OK) return status;
  *ret_response = response;
  response = (struct http_response){0};
  return HOIST_OK;
}

enum hoist_status s3_get(const struct call *call, const struct s3_client *client,
                         const struct s3_operation *op, struct hoist_error *err) {
  HOIST_AUTO(http_response) struct http_response response = {0};
  return s3_ask(call, client, op, &response, err);
}
