/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of an EC2 instance's role, from its metadata service, version 2 only: a token first, then the
 * role's name, then its keys. Nobody may be there: then it is given up after a second. Owns nothing; any
 * thread. */
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "aws_document.h"
#include "aws_search.h"
#include "text.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define TOKEN_PATH "/latest/api/token"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define TOKEN_TTL_S "21600"
#define MAX_ROLE_BYTES 256
#define WHO "instance_metadata"

struct metadata {
  const struct call *call;
  const struct aws_search *search;
  char *endpoint;
  struct buf token; /* secret */
};

static inline void metadata_cleanup(struct metadata *m) {
  if (m->token.data) OPENSSL_cleanse(m->token.data, m->token.capacity);
  buf_done(&m->token);
  free(m->endpoint);
}

static enum hoist_status find_endpoint(const struct aws_search *s, char **ret_endpoint,
                                       struct hoist_error *err) {
  const struct aws_texts *t = &s->options->texts;
  const char *given = t->metadata_endpoint, *mode = t->metadata_endpoint_mode;
  if (!given) given = aws_config_get(s->config, s->profile, "ec2_metadata_service_endpoint");
  if (!mode) mode = aws_config_get(s->config, s->profile, "ec2_metadata_service_endpoint_mode");
  if (!given) given = mode && strcasecmp(mode, "ipv6") == 0 ? IPV6_ENDPOINT : IPV4_ENDPOINT;
  if (!text_starts_with(given, "http://") && !text_starts_with(given, "https://"))
    return hoist_fail(err, HOIST_INVALID,
                      WHO ": AWS_EC2_METADATA_SERVICE_ENDPOINT is not an http(s) URL");
  size_t size = strlen(given);
  while (given[size - 1] == '/')
    size--;
  *ret_endpoint = strndup(given, size);
  return *ret_endpoint ? HOIST_OK : hoist_fail_memory(err, "a URL");
}

static enum hoist_status ask(const struct metadata *m, const char *method, const char *path,
                             const struct http_header *header, struct http_response *response,
                             struct hoist_error *err) {
  const struct aws_options *o = m->search->options;
  HOIST_AUTO(mem) char *url = text_format("%s%s", m->endpoint, path);
  if (!url) return hoist_fail_memory(err, "a URL");
  const struct http_request request = {.method = method,
                                       .url = url,
                                       .headers = header,
                                       .header_count = 1,
                                       .max_body = AWS_DOCUMENT_MAX_BYTES,
                                       .timeout_ms = o->metadata_timeout_ms,
                                       .max_attempts = o->metadata_attempts};
  return http_perform(m->call, m->search->local, &request, response, err);
}

/* No answer is what one gets where there is no such service. */
static enum hoist_status get_token(struct metadata *m, struct hoist_error *err) {
  static const struct http_header ttl = {"x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL_S};
  HOIST_AUTO(http_response) struct http_response response = {0};
  struct hoist_error error;
  enum hoist_status status = ask(m, "PUT", TOKEN_PATH, &ttl, &response, &error);
  if (status == HOIST_UNAVAILABLE)
    return hoist_fail(
        err, HOIST_NOT_FOUND,
        "no metadata service answers at %s: this is no EC2 instance, or its hop limit "
        "keeps containers out",
        m->endpoint);
  if (status != HOIST_OK) {
    if (err) *err = error;
    return status;
  }
  if (response.status != 200)
    return hoist_fail(err, HOIST_NOT_FOUND,
                      "the metadata service at %s gives no token of version 2 (HTTP %d)",
                      m->endpoint, response.status);
  status = buf_append(&m->token, response.body.data, response.body.size, err);
  if (status != HOIST_OK) return status;
  if (m->token.size == 0 || strlen(m->token.data) != m->token.size ||
      strpbrk(m->token.data, "\r\n"))
    return hoist_fail(err, HOIST_CORRUPT, WHO ": the metadata service's token is none");
  return HOIST_OK;
}

static enum hoist_status get(const struct metadata *m, const char *path,
                             struct http_response *response, struct hoist_error *err) {
  const struct http_header token = {"x-aws-ec2-metadata-token", buf_str(&m->token)};
  enum hoist_status status = ask(m, "GET", path, &token, response, err);
  if (status == HOIST_OK && response->status == 404)
    return hoist_fail(err, HOIST_NOT_FOUND, "this instance has no role; attach one to it");
  if (status == HOIST_OK) status = http_check(response, path, err);
  if (status != HOIST_OK) hoist_error_prepend(err, WHO);
  return status;
}

/* The first line, which has to do as a segment of a path. */
static enum hoist_status get_role(const struct metadata *m, char role[MAX_ROLE_BYTES],
                                  struct hoist_error *err) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789+=,.@_-";
  HOIST_AUTO(http_response) struct http_response response = {0};
  enum hoist_status status = get(m, ROLE_PATH, &response, err);
  if (status != HOIST_OK) return status;
  const char *text = buf_str(&response.body);
  size_t size = strcspn(text, "\r\n");
  if (size == 0 || size >= MAX_ROLE_BYTES || strspn(text, letters) != size)
    return hoist_fail(err, HOIST_CORRUPT,
                      WHO ": what the metadata service gives is no role's name");
  memcpy(role, text, size);
  role[size] = '\0';
  return HOIST_OK;
}

enum hoist_status aws_from_instance(const struct call *call, const struct aws_search *search,
                                    const struct aws_credentials **ret_credentials,
                                    struct hoist_error *err) {
  HOIST_AUTO(metadata)
  struct metadata m = {.call = call, .search = search, .token = buf_make(AWS_MAX_TOKEN_BYTES)};
  HOIST_AUTO(http_response) struct http_response response = {0};
  char role[MAX_ROLE_BYTES];
  if (search->options->metadata_disabled)
    return hoist_fail(err, HOIST_NOT_FOUND, "AWS_EC2_METADATA_DISABLED is set");
  enum hoist_status status = find_endpoint(search, &m.endpoint, err);
  if (status == HOIST_OK) status = get_token(&m, err);
  if (status == HOIST_OK) status = get_role(&m, role, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(mem) char *path = text_format(ROLE_PATH "%s", role);
  if (!path) return hoist_fail_memory(err, "a URL");
  status = get(&m, path, &response, err);
  if (status == HOIST_OK)
    status = aws_document_read(AWS_DOCUMENT_METADATA, buf_str(&response.body), response.body.size,
                               WHO, ret_credentials, err);
  if (response.body.data) OPENSSL_cleanse(response.body.data, response.body.capacity);
  return status;
}
