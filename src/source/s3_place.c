/* SPDX-License-Identifier: Apache-2.0 */
/* From bucket, region and switches to a host, after the endpoint rules that the AWS SDKs share. Pure; any
 * thread. */
#include "s3_place.h"

#include <string.h>

#include "text.h"

#define MAX_BUCKET_BYTES 255
#define MAX_REGION_BYTES 63

static bool is_made_of(const char *text, const char *others) {
  for (; *text; text++) {
    bool alnum = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                 (*text >= '0' && *text <= '9');
    if (!alnum && !strchr(others, *text)) return false;
  }
  return true;
}

bool s3_is_region(const char *text) {
  return *text && strlen(text) <= MAX_REGION_BYTES && is_made_of(text, "-_");
}

/* ---- AWS -------------------------------------------------------------------------------------- */

/* AWS is several that know nothing of each other, told apart by how their regions are named. */
static const struct partition {
  const char *prefix;
  const char *domain;
  bool has_fips, has_dualstack;
} partitions[] = {
    {"cn-", "amazonaws.com.cn", false, true},    {"us-iso-", "c2s.ic.gov", true, false},
    {"us-isob-", "sc2s.sgov.gov", true, false},  {"us-isof-", "csp.hci.ic.gov", true, false},
    {"eu-isoe-", "cloud.adc-e.uk", true, false}, {"eusc-", "amazonaws.eu", true, false},
    {"", "amazonaws.com", true, true}, /* us-gov- too */
};

static const struct partition *find_partition(const char *region) {
  size_t i = 0;
  while (!text_starts_with(region, partitions[i].prefix))
    i++;
  return &partitions[i];
}

static enum hoist_status aws_endpoint(const struct s3_addressing *a, const char *region,
                                      char **ret_endpoint, struct hoist_error *err) {
  const struct partition *p = find_partition(region);
  if ((a->fips && !p->has_fips) || (a->dualstack && !p->has_dualstack))
    return hoist_fail(err, HOIST_INVALID, "S3 in region %s has no %s endpoint; unset %s", region,
                      a->fips && !p->has_fips ? "FIPS" : "dual-stack",
                      a->fips && !p->has_fips ? "AWS_USE_FIPS_ENDPOINT"
                                              : "AWS_USE_DUALSTACK_ENDPOINT");
  *ret_endpoint = text_format("https://s3%s%s.%s.%s", a->fips ? "-fips" : "",
                              a->dualstack ? ".dualstack" : "", region, p->domain);
  return *ret_endpoint ? HOIST_OK : hoist_fail_memory(err, "the S3 endpoint");
}

/* ---- checks ------------------------------------------------------------------------------------ */

static enum hoist_status check_bucket(const struct s3_addressing *a, struct hoist_error *err) {
  const char *bucket = a->bucket;
  if (bucket && text_starts_with(bucket, "arn:"))
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "\"%.100s\": access points are not supported; give the bucket's name, or the "
                      "access point's alias",
                      bucket);
  if (bucket && !a->endpoint && text_ends_with(bucket, "--x-s3"))
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "\"%.100s\": directory buckets (S3 Express) are not supported; use a "
                      "general-purpose bucket",
                      bucket);
  if (!bucket || !*bucket || strlen(bucket) > MAX_BUCKET_BYTES || !is_made_of(bucket, "-._:"))
    return hoist_fail(err, HOIST_INVALID,
                      "\"%.100s\" is not a bucket name; check INFER_BUCKET or the s3:// place",
                      bucket ? bucket : "");
  if (a->virtual_host > 0 && !is_made_of(bucket, "-."))
    return hoist_fail(err, HOIST_INVALID,
                      "bucket \"%.100s\" cannot be part of a host name; use path style", bucket);
  return HOIST_OK;
}

static enum hoist_status check(const struct s3_addressing *a, const char *region,
                               struct hoist_error *err) {
  enum hoist_status status = check_bucket(a, err);
  if (status != HOIST_OK) return status;
  if (!s3_is_region(region))
    return hoist_fail(err, HOIST_INVALID, "\"%.100s\" is not a region name; set AWS_REGION",
                      region);
  if (a->endpoint && (a->fips || a->dualstack))
    return hoist_fail(err, HOIST_INVALID,
                      "%s chooses among AWS's endpoints, but AWS_ENDPOINT_URL_S3 names one; unset "
                      "one of them",
                      a->fips ? "AWS_USE_FIPS_ENDPOINT" : "AWS_USE_DUALSTACK_ENDPOINT");
  return HOIST_OK;
}

/* ---- endpoints --------------------------------------------------------------------------------- */

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

static bool is_virtual_host(const struct s3_addressing *a) {
  if (a->virtual_host >= 0) return a->virtual_host > 0;
  return !a->endpoint && !strpbrk(a->bucket, "._:");
}

static enum hoist_status set_address(struct s3_place *p, const struct s3_addressing *a,
                                     struct hoist_error *err) {
  HOIST_AUTO(mem) char *endpoint = text_dup(a->endpoint);
  HOIST_AUTO(endpoint) struct endpoint parts = {0};
  enum hoist_status status = HOIST_OK;
  if (!a->endpoint)
    status = aws_endpoint(a, p->region, &endpoint, err);
  else if (!endpoint)
    status = hoist_fail_memory(err, "the S3 endpoint");
  if (status == HOIST_OK) status = split_endpoint(endpoint, &parts, err);
  if (status != HOIST_OK) return status;
  bool in_host = is_virtual_host(a);
  p->host = in_host ? text_format("%s.%s", a->bucket, parts.authority) : text_dup(parts.authority);
  p->path = in_host ? text_dup(parts.path) : text_format("%s/%s", parts.path, a->bucket);
  p->origin = p->host ? text_format("%s://%s", parts.scheme, p->host) : NULL;
  return p->origin && p->path ? HOIST_OK : hoist_fail_memory(err, "the S3 endpoint");
}

enum hoist_status s3_place_new(const struct s3_addressing *addressing, const char *region,
                               struct s3_place **ret_place, struct hoist_error *err) {
  enum hoist_status status = check(addressing, region, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(s3_place) struct s3_place *p = calloc(1, sizeof *p);
  if (!p) return hoist_fail_memory(err, "the S3 endpoint");
  atomic_init(&p->references, 1);
  p->region = text_dup(region);
  if (!p->region) return hoist_fail_memory(err, "the S3 endpoint");
  status = set_address(p, addressing, err);
  if (status == HOIST_OK) *ret_place = HOIST_TAKE(p);
  return status;
}

struct s3_place *s3_place_ref(struct s3_place *place) {
  atomic_fetch_add(&place->references, 1);
  return place;
}

void s3_place_unref(struct s3_place *place) {
  if (!place || atomic_fetch_sub(&place->references, 1) > 1) return;
  free(place->region);
  free(place->origin);
  free(place->host);
  free(place->path);
  free(place);
}
