/* SPDX-License-Identifier: Apache-2.0 */
/* One S3 request: its URL, its signature (made again for each attempt, since it holds the time),
 * its span's attributes. The memory of a signature lives as long as the request. Any thread. */
#include <hoist/telemetry.h>
#include <string.h>

#include "clock.h"
#include "http_range.h"
#include "s3_client.h"
#include "s3_xml.h"
#include "text.h"

#define MAX_AUTHORIZATION_BYTES 4096
#define MAX_HEADERS 8

struct request {
  const struct s3_client *client;
  const struct aws_credentials *credentials; /* NULL: it is not signed */
  const struct s3_operation *op;
  char *path; /* encoded */
  struct buf query;
  char *url;
  char date[SIGV4_DATE_SIZE];
  char range[RANGE_HEADER_SIZE];
  struct buf authorization;
  struct http_header headers[MAX_HEADERS];
  size_t header_count;
};

static inline void request_cleanup(struct request *r) {
  aws_credentials_unref(r->credentials);
  free(r->path);
  free(r->url);
  buf_done(&r->query);
  buf_done(&r->authorization);
}

static enum hoist_status make_request(const struct s3_client *client, const struct s3_operation *op,
                                      struct request *r, struct hoist_error *err) {
  *r = (struct request){.client = client,
                        .op = op,
                        .query = buf_make(HTTP_MAX_URL_BYTES),
                        .authorization = buf_make(MAX_AUTHORIZATION_BYTES)};
  HOIST_AUTO(mem)
  char *raw = text_format("%s%s%s", client->path, op->key || !*client->path ? "/" : "",
                          op->key ? op->key : "");
  r->path = raw ? url_encode(raw, true) : NULL;
  if (!r->path) return hoist_fail_memory(err, op->what);
  enum hoist_status status = sigv4_query(op->query, op->query_count, &r->query, err);
  if (status != HOIST_OK) return status;
  r->url = text_format("%s%s%s%s", client->origin, r->path, r->query.size ? "?" : "",
                       buf_str(&r->query));
  if (!r->url) return hoist_fail_memory(err, op->what);
  return HOIST_OK;
}

static void add_header(struct request *r, const char *name, const char *value) {
  if (value) r->headers[r->header_count++] = (struct http_header){name, value};
}

/* Signs host and x-amz-*, which is what must be signed, and nothing a proxy might touch. */
static enum hoist_status add_authorization(struct request *r, struct hoist_error *err) {
  const struct aws_credentials *c = r->credentials;
  sigv4_date(clock_realtime_ns() / NS_PER_S, r->date);
  add_header(r, "x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD);
  add_header(r, "x-amz-date", r->date);
  add_header(r, "x-amz-security-token", c->session_token);
  struct sigv4_pair pairs[MAX_HEADERS];
  for (size_t i = 0; i < r->header_count; i++)
    pairs[i] = (struct sigv4_pair){r->headers[i].name, r->headers[i].value};
  const struct sigv4_credentials credentials = {c->access_key, c->secret_key, r->client->region,
                                                "s3"};
  const struct sigv4_request canonical = {.method = "GET",
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
static void add_part(struct request *r) {
  const struct source_request *part = r->op->part;
  if (!part) return;
  add_header(r, "range", range_header(part, r->range));
  if (part->validator)
    add_header(r, range_is_etag(part->validator) ? "if-match" : "if-unmodified-since",
               part->validator);
}

static enum hoist_status sign(void *user, const struct http_header **ret_headers, size_t *ret_count,
                              struct hoist_error *err) {
  struct request *r = user;
  enum hoist_status status = HOIST_OK;
  r->header_count = 0;
  add_header(r, "host", r->client->host);
  add_header(r, "x-amz-checksum-mode", r->op->want_checksum ? "ENABLED" : NULL);
  if (r->credentials) status = add_authorization(r, err);
  if (status != HOIST_OK) return status;
  add_part(r);
  *ret_headers = r->headers;
  *ret_count = r->header_count;
  return HOIST_OK;
}

static void annotate(void *user, struct hoist_span *span, const struct http_response *response) {
  const struct request *r = user;
  struct s3_error error = {0};
  char id[256];
  if (response->status >= 300)
    (void)s3_error_parse(buf_str(&response->body), response->body.size, &error);
  hoist_span_set_string(span, "rpc.system", "aws-api");
  hoist_span_set_string(span, "rpc.service", "S3");
  hoist_span_set_string(span, "rpc.method", strchr(r->op->span_name, '.') + 1);
  hoist_span_set_string(span, "cloud.region", r->client->region);
  hoist_span_set_string(span, "aws.s3.bucket", r->client->bucket);
  hoist_span_set_string(span, "aws.s3.key", r->op->key);
  if (http_response_header(response, "x-amz-request-id", id, sizeof id))
    hoist_span_set_string(span, "aws.request_id", id);
  else if (error.request_id[0])
    hoist_span_set_string(span, "aws.request_id", error.request_id);
  if (http_response_header(response, "x-amz-id-2", id, sizeof id))
    hoist_span_set_string(span, "aws.extended_request_id", id);
  else if (error.host_id[0])
    hoist_span_set_string(span, "aws.extended_request_id", error.host_id);
}

static enum hoist_status perform(const struct call *call, struct request *r,
                                 struct http_response *response, struct hoist_error *err) {
  const struct s3_operation *op = r->op;
  const struct http_request request = {.method = "GET",
                                       .url = r->url,
                                       .span_name = op->span_name,
                                       .sign = sign,
                                       .sign_user = r,
                                       .annotate = annotate,
                                       .annotate_user = r,
                                       .begin = op->begin,
                                       .write = op->write,
                                       .sink_user = op->sink_user};
  enum hoist_status status = http_perform(call, r->client->http, &request, response, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", op->what);
  return status;
}

static bool is_expired(const struct request *r, const struct http_response *response) {
  struct s3_error error = {0};
  return r->credentials && response->status >= 400 &&
         s3_error_parse(buf_str(&response->body), response->body.size, &error) &&
         strcmp(error.code, "ExpiredToken") == 0;
}

/* Once more with other credentials; where there are none, the answer stays what it is. */
static enum hoist_status perform_again(const struct call *call, struct request *r,
                                       struct http_response *response, struct hoist_error *err) {
  const struct aws_credentials *renewed = NULL;
  enum hoist_status status =
      aws_provider_renew(call, r->client->provider, r->credentials, &renewed, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s", r->op->what);
    return status;
  }
  if (!renewed) return HOIST_OK;
  aws_credentials_unref(r->credentials);
  r->credentials = renewed;
  http_response_done(response);
  *response = (struct http_response){0};
  return perform(call, r, response, err);
}

enum hoist_status s3_get(const struct call *call, const struct s3_client *client,
                         const struct s3_operation *op, struct hoist_error *err) {
  HOIST_AUTO(request) struct request r = {0};
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = make_request(client, op, &r, err);
  if (status != HOIST_OK) return status;
  if (client->provider) status = aws_provider_get(call, client->provider, &r.credentials, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, "%s", op->what);
    return status;
  }
  status = perform(call, &r, &response, err);
  if (status == HOIST_OK && is_expired(&r, &response))
    status = perform_again(call, &r, &response, err);
  if (status != HOIST_OK) return status;
  if (op->part) op->part->trouble = range_trouble(&response);
  return s3_check(client, r.credentials, op->what, &response, err);
}
