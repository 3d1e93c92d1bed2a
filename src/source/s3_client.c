/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bucket is: the endpoint, path style or virtual host. Read-only after init; any thread. */
#include "s3_client.h"

#include <string.h>

#include "text.h"

#define MAX_BUCKET_BYTES 255

static const char *or_null(const char *text) {
  return text && *text ? text : NULL;
}

static bool is_made_of(const char *text, const char *others) {
  for (; *text; text++) {
    bool alnum = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                 (*text >= '0' && *text <= '9');
    if (!alnum && !strchr(others, *text)) return false;
  }
  return true;
}

static enum hoist_status check_names(const char *bucket, const char *region, int virtual_host,
                                     struct hoist_error *err) {
  if (!bucket || strlen(bucket) > MAX_BUCKET_BYTES || !is_made_of(bucket, "-._:"))
    return hoist_fail(err, HOIST_INVALID, "\"%.100s\" is not a bucket name; set INFER_BUCKET",
                      bucket ? bucket : "");
  if (virtual_host && !is_made_of(bucket, "-."))
    return hoist_fail(err, HOIST_INVALID,
                      "bucket \"%.100s\" cannot be part of a host name; use path style", bucket);
  if (!is_made_of(region, "-_"))
    return hoist_fail(err, HOIST_INVALID, "\"%.100s\" is not a region name; set AWS_REGION",
                      region);
  return HOIST_OK;
}

/* "https://s3.example:9000/base/" in parts. */
struct endpoint {
  const char *scheme; /* "http", "https" */
  char *authority;    /* without the scheme's default port, as curl would name the host too */
  char *path;         /* "" or "/base" */
};

static inline void endpoint_cleanup(struct endpoint *e) {
  free(e->authority);
  free(e->path);
}

static enum hoist_status split_endpoint(const char *text, struct endpoint *ret_endpoint,
                                        struct hoist_error *err) {
  bool tls = text_starts_with(text, "https://");
  if ((!tls && !text_starts_with(text, "http://")) || strpbrk(text, "?#@ "))
    return hoist_fail(err, HOIST_INVALID,
                      "the S3 endpoint is not http(s)://host[:port]; check AWS_ENDPOINT_URL_S3");
  ret_endpoint->scheme = tls ? "https" : "http";
  const char *host = strstr(text, "://") + 3;
  size_t host_size = strcspn(host, "/");
  size_t path_size = strlen(host + host_size);
  while (path_size > 0 && host[host_size + path_size - 1] == '/')
    path_size--;
  ret_endpoint->path = strndup(host + host_size, path_size);
  ret_endpoint->authority = strndup(host, host_size);
  if (!ret_endpoint->path || !ret_endpoint->authority)
    return hoist_fail_memory(err, "the S3 endpoint");
  const char *default_port = tls ? ":443" : ":80";
  if (text_ends_with(ret_endpoint->authority, default_port))
    ret_endpoint->authority[host_size - strlen(default_port)] = '\0';
  if (!*ret_endpoint->authority)
    return hoist_fail(err, HOIST_INVALID, "the S3 endpoint has no host; check AWS_ENDPOINT_URL_S3");
  return HOIST_OK;
}

static char *aws_endpoint(const char *region) {
  return text_format("https://s3.%s.amazonaws.com%s", region,
                     text_starts_with(region, "cn-") ? ".cn" : "");
}

static enum hoist_status set_address(struct s3_client *c, const char *given, int virtual_host,
                                     struct hoist_error *err) {
  HOIST_AUTO(mem) char *endpoint = given ? text_dup(given) : aws_endpoint(c->region);
  if (!endpoint) return hoist_fail_memory(err, "the S3 endpoint");
  HOIST_AUTO(endpoint) struct endpoint parts = {0};
  enum hoist_status status = split_endpoint(endpoint, &parts, err);
  if (status != HOIST_OK) return status;
  c->host =
      virtual_host ? text_format("%s.%s", c->bucket, parts.authority) : text_dup(parts.authority);
  c->path = virtual_host ? text_dup(parts.path) : text_format("%s/%s", parts.path, c->bucket);
  c->origin = c->host ? text_format("%s://%s", parts.scheme, c->host) : NULL;
  return c->origin && c->path ? HOIST_OK : hoist_fail_memory(err, "the S3 endpoint");
}

enum hoist_status s3_client_init(struct s3_client *client, struct http *http,
                                 const struct s3_options *options, struct hoist_error *err) {
  *client = (struct s3_client){.http = http, .provider = options->credentials};
  const char *bucket = or_null(options->bucket), *endpoint = or_null(options->endpoint);
  const char *region = or_null(options->region) ? options->region : "us-east-1";
  int virtual_host = options->virtual_host;
  if (virtual_host < 0) virtual_host = !endpoint && bucket && !strpbrk(bucket, "._:");
  enum hoist_status status = check_names(bucket, region, virtual_host, err);
  if (status != HOIST_OK) return status;
  client->bucket = text_dup(bucket);
  client->region = text_dup(region);
  if (!client->bucket || !client->region) return hoist_fail_memory(err, "the S3 source");
  return set_address(client, endpoint, virtual_host, err);
}

void s3_client_done(struct s3_client *client) {
  free(client->bucket);
  free(client->region);
  free(client->origin);
  free(client->host);
  free(client->path);
  *client = (struct s3_client){0};
}
