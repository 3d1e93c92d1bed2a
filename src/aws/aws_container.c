/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of a container: ECS's agent, EKS Pod Identity's, or whatever speaks like them. Over plain HTTP
 * only with the machine itself and the agents' own addresses, because the request carries a token and the
 * answer keys. Who knows the path may ask for the keys, so it is never shown. Owns nothing; any thread. */
#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "aws_document.h"
#include "aws_search.h"
#include "target.h"
#include "text.h"

#define ECS_AGENT "http://169.254.170.2"
#define TIMEOUT_MS 2000
#define ATTEMPTS 3
#define WHO "container"

static bool is_loopback(const char *host) {
  struct in_addr v4;
  struct in6_addr v6;
  if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_agent(const char *host) {
  static const char *const hosts[] = {"localhost", "169.254.170.2", "169.254.170.23",
                                      "fd00:ec2::23"};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    if (strcasecmp(host, hosts[i]) == 0) return true;
  return false;
}

static enum hoist_status check_url(const char *url, struct hoist_error *err) {
  HOIST_AUTO(target) struct target target = {0};
  enum hoist_status status = target_parse(url, &target, err);
  if (status != HOIST_OK) {
    hoist_error_prepend(err, WHO ": AWS_CONTAINER_CREDENTIALS_FULL_URI");
    return status;
  }
  if (target.tls || is_loopback(target.host) || is_agent(target.host)) return HOIST_OK;
  return hoist_fail(err, HOIST_INVALID,
                    WHO
                    ": AWS_CONTAINER_CREDENTIALS_FULL_URI is plain http to \"%.100s\", which is "
                    "neither this machine nor a container agent; use https",
                    target.host);
}

static enum hoist_status find_url(const struct aws_texts *t, char **ret_url,
                                  struct hoist_error *err) {
  if (!t->container_relative_uri && !t->container_full_uri)
    return hoist_fail(err, HOIST_NOT_FOUND,
                      "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                      "AWS_CONTAINER_CREDENTIALS_FULL_URI is set");
  if (t->container_relative_uri && *t->container_relative_uri != '/')
    return hoist_fail(err, HOIST_INVALID,
                      WHO ": AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
  *ret_url = t->container_relative_uri ? text_format(ECS_AGENT "%s", t->container_relative_uri)
                                       : text_dup(t->container_full_uri);
  if (!*ret_url) return hoist_fail_memory(err, "a URL");
  return t->container_relative_uri ? HOIST_OK : check_url(*ret_url, err);
}

/* The file wins, and is read each time: its token is renewed by others. */
static enum hoist_status find_token(const struct aws_texts *t, struct buf *token,
                                    struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  if (t->container_token_file)
    status =
        aws_read_token(t->container_token_file, "the container's authorization token", token, err);
  else if (t->container_token)
    status = buf_append_str(token, t->container_token, err);
  if (status != HOIST_OK || !strpbrk(buf_str(token), "\r\n")) return status;
  return hoist_fail(err, HOIST_INVALID, WHO ": the authorization token has a line break in it");
}

static enum hoist_status ask(const struct call *call, const struct aws_search *s, const char *url,
                             const char *token, const struct aws_credentials **ret_credentials,
                             struct hoist_error *err) {
  const struct http_header headers[] = {{"accept", "application/json"}, {"authorization", token}};
  const struct http_request request = {.method = "GET",
                                       .url = url,
                                       .secret_path = 1,
                                       .headers = headers,
                                       .header_count = *token ? 2 : 1,
                                       .max_body = AWS_DOCUMENT_MAX_BYTES,
                                       .timeout_ms = TIMEOUT_MS,
                                       .max_attempts = ATTEMPTS};
  HOIST_AUTO(http_response) struct http_response response = {0};
  HOIST_AUTO(target) struct target target = {0};
  enum hoist_status status = target_parse(url, &target, err);
  if (status == HOIST_OK) status = http_perform(call, s->local, &request, &response, err);
  if (status == HOIST_OK) status = http_check(&response, target.authority, err);
  if (status != HOIST_OK)
    hoist_error_prepend(err, WHO);
  else
    status = aws_document_read(AWS_DOCUMENT_METADATA, buf_str(&response.body), response.body.size,
                               WHO, ret_credentials, err);
  if (response.body.data) OPENSSL_cleanse(response.body.data, response.body.capacity);
  return aws_does_apply(status, err);
}

enum hoist_status aws_from_container(const struct call *call, const struct aws_search *search,
                                     const struct aws_credentials **ret_credentials,
                                     struct hoist_error *err) {
  HOIST_AUTO(mem) char *url = NULL;
  HOIST_AUTO(buf) struct buf token = buf_make(AWS_MAX_TOKEN_BYTES);
  enum hoist_status status = find_url(&search->options->texts, &url, err);
  if (status == HOIST_OK) status = find_token(&search->options->texts, &token, err);
  if (status == HOIST_OK) status = ask(call, search, url, buf_str(&token), ret_credentials, err);
  if (token.data) OPENSSL_cleanse(token.data, token.capacity);
  return status;
}
