/* SPDX-License-Identifier: Apache-2.0 */
/* From "s3,dir:/models,s3://bucket/prefix,roboflow_api" to sources. A new kind of source is one row of
 * `kinds`. Owns the sources; used by one thread until hoist_open returns, read-only afterwards. */
#include "chain.h"

#include <string.h>

#include "roboflow.h"
#include "text.h"

/* "auto", which is the default, leaves it to the AWS profile. */
static enum hoist_status parse_addressing(const char *set, const char *profile,
                                          int *ret_virtual_host, struct hoist_error *err) {
  const char *text = set && strcmp(set, "auto") != 0 ? set : profile ? profile : "auto";
  if (strcmp(text, "auto") == 0)
    *ret_virtual_host = -1;
  else if (strcmp(text, "path") == 0)
    *ret_virtual_host = 0;
  else if (strcmp(text, "virtual") == 0)
    *ret_virtual_host = 1;
  else
    return hoist_fail(err, HOIST_INVALID, "addressing is '%.40s': use auto, path or virtual", text);
  return HOIST_OK;
}

/* One for all S3 sources, made for the first of them. */
static enum hoist_status need_aws(struct chain *chain, const struct hoist_config *config,
                                  struct http *http, struct hoist_error *err) {
  const struct aws_options options = {
      .texts = {.access_key = config->access_key,
                .secret_key = config->secret_key,
                .session_token = config->session_token,
                .profile = config->aws_profile,
                .config_file = config->aws_config_file,
                .credentials_file = config->aws_credentials_file,
                .region = config->region,
                .sts_endpoint = config->aws_sts_endpoint,
                .role_arn = config->aws_role_arn,
                .role_session_name = config->aws_role_session_name,
                .web_identity_token_file = config->aws_web_identity_token_file,
                .container_relative_uri = config->aws_container_relative_uri,
                .container_full_uri = config->aws_container_full_uri,
                .container_token = config->aws_container_token,
                .container_token_file = config->aws_container_token_file,
                .metadata_endpoint = config->aws_metadata_endpoint,
                .metadata_endpoint_mode = config->aws_metadata_endpoint_mode},
      .metadata_disabled = config->aws_metadata_disabled,
      .metadata_timeout_ms = config->aws_metadata_timeout_ms,
      .metadata_attempts = config->aws_metadata_attempts,
  };
  return chain->aws ? HOIST_OK : aws_new(http, &options, &chain->aws, err);
}

static const char *or_else(const char *set, const char *profile) {
  return set ? set : profile;
}

/* Files of AWS that make no sense concern nobody who needs nothing from S3. */
static enum hoist_status make_unusable_s3(const char *bucket, const char *prefix,
                                          const struct hoist_error *why, struct source **ret_source,
                                          struct hoist_error *err) {
  HOIST_AUTO(mem) char *location = text_format("s3://%s/%s", bucket, prefix ? prefix : "");
  if (!location) return hoist_fail_memory(err, "a source");
  return source_unusable_new("s3", location, why, ret_source, err);
}

static enum hoist_status make_s3(struct chain *chain, const struct hoist_config *config,
                                 struct http *http, const char *bucket, const char *prefix,
                                 struct source **ret_source, struct hoist_error *err) {
  struct hoist_error why = {0};
  enum hoist_status status = need_aws(chain, config, http, &why);
  if (status != HOIST_OK) return make_unusable_s3(bucket, prefix, &why, ret_source, err);
  struct s3_options options = {
      .bucket = bucket,
      .prefix = prefix,
      .endpoint = or_else(config->s3_endpoint, aws_profile_endpoint(chain->aws, "s3")),
      .region = or_else(config->region, aws_profile_get(chain->aws, "region")),
      .credentials = config->s3_anonymous ? NULL : aws_credentials_provider(chain->aws),
      .verify_md5 = config->verify_md5,
      .dualstack = config->s3_dualstack,
      .fips = config->s3_fips,
      .requester_pays = config->s3_requester_pays,
  };
  status = parse_addressing(config->addressing,
                            aws_profile_get_sub(chain->aws, "s3", "addressing_style"),
                            &options.virtual_host, err);
  if (status != HOIST_OK) return status;
  return source_s3_new(http, &options, ret_source, err);
}

static enum hoist_status make_configured_s3(struct chain *chain, const struct hoist_config *config,
                                            struct http *http, const char *argument,
                                            struct source **ret_source, struct hoist_error *err) {
  if (!config->bucket)
    return hoist_fail(
        err, HOIST_INVALID,
        "source s3: no bucket is configured: set INFER_BUCKET or use s3://bucket/prefix");
  return make_s3(chain, config, http, config->bucket, config->prefix, ret_source, err);
}

/* s3://bucket[/prefix]: the prefix is a folder here, so it gets its closing slash. */
static enum hoist_status make_url_s3(struct chain *chain, const struct hoist_config *config,
                                     struct http *http, const char *argument,
                                     struct source **ret_source, struct hoist_error *err) {
  const char *slash = strchr(argument, '/');
  size_t bucket_size = slash ? (size_t)(slash - argument) : strlen(argument);
  if (bucket_size == 0)
    return hoist_fail(err, HOIST_INVALID, "source s3://%s: the bucket's name is missing", argument);
  const char *rest = slash ? slash + 1 : "";
  HOIST_AUTO(mem) char *bucket = strndup(argument, bucket_size);
  HOIST_AUTO(mem)
  char *prefix = text_format("%s%s", rest, *rest && !text_ends_with(rest, "/") ? "/" : "");
  if (!bucket || !prefix) return hoist_fail_memory(err, "a source");
  return make_s3(chain, config, http, bucket, prefix, ret_source, err);
}

static enum hoist_status make_dir(struct chain *chain, const struct hoist_config *config,
                                  struct http *http, const char *argument,
                                  struct source **ret_source, struct hoist_error *err) {
  if (!*argument)
    return hoist_fail(err, HOIST_INVALID, "source dir: the directory is missing: use dir:PATH");
  return source_dir_new(argument, ret_source, err);
}

static enum hoist_status make_roboflow(struct chain *chain, const struct hoist_config *config,
                                       struct http *http, const char *argument,
                                       struct source **ret_source, struct hoist_error *err) {
  const struct roboflow_options options = {
      .base_url = config->api_url,
      .weights_suffix = config->api_weights_suffix,
      .api_key = config->api_key,
      .extra_headers = config->api_extra_headers,
      .service_secret = config->service_secret,
      .secure_gateway = config->secure_gateway,
      .request_timeout_ms = config->request_timeout_ms,
      .verify_md5 = config->verify_md5,
      .quantization = config->quantization,
      .providers = config->providers,
  };
  return source_roboflow_new(http, &options, ret_source, err);
}

enum hoist_status chain_make_api(const struct hoist_config *config, struct http *http,
                                 struct source **ret_source, struct hoist_error *err) {
  return make_roboflow(NULL, config, http, "", ret_source, err);
}

static const struct kind {
  const char *name;
  int takes_argument; /* the name is a prefix, the rest is the argument */
  enum hoist_status (*make)(struct chain *chain, const struct hoist_config *config,
                            struct http *http, const char *argument, struct source **ret_source,
                            struct hoist_error *err);
} kinds[] = {
    {"s3", 0, make_configured_s3},
    {"s3://", 1, make_url_s3},
    {"dir:", 1, make_dir},
    {"roboflow_api", 0, make_roboflow},
};

static const struct kind *find_kind(const char *item) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].takes_argument ? text_starts_with(item, kinds[i].name)
                                : strcmp(item, kinds[i].name) == 0)
      return &kinds[i];
  return NULL;
}

static enum hoist_status add(struct chain *chain, const struct hoist_config *config,
                             struct http *http, const char *item, struct hoist_error *err) {
  const struct kind *kind = find_kind(item);
  if (!kind)
    return hoist_fail(
        err, HOIST_INVALID,
        "sources: '%s' is no source: use s3, roboflow_api, dir:PATH or s3://bucket/prefix", item);
  if (chain->count == CHAIN_MAX_SOURCES)
    return hoist_fail(err, HOIST_INVALID, "sources: more than %d", CHAIN_MAX_SOURCES);
  const char *argument = kind->takes_argument ? item + strlen(kind->name) : "";
  struct source *source = NULL;
  enum hoist_status status = kind->make(chain, config, http, argument, &source, err);
  if (status == HOIST_OK) chain->sources[chain->count++] = source;
  return status;
}

static enum hoist_status add_listed(struct chain *chain, const struct hoist_config *config,
                                    struct http *http, struct hoist_error *err) {
  HOIST_AUTO(mem) char *list = text_dup(config->sources);
  if (!list) return hoist_fail_memory(err, "the sources");
  enum hoist_status status = HOIST_OK;
  char *rest = list;
  while (status == HOIST_OK && rest) {
    const char *item = text_trim_in_place(strsep(&rest, ","));
    if (*item) status = add(chain, config, http, item, err);
  }
  return status;
}

static enum hoist_status add_defaults(struct chain *chain, const struct hoist_config *config,
                                      struct http *http, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  if (config->bucket) status = add(chain, config, http, "s3", err);
  if (status == HOIST_OK && config->api_key) status = add(chain, config, http, "roboflow_api", err);
  return status;
}

enum hoist_status chain_init(struct chain *ret_chain, const struct hoist_config *config,
                             struct http *http, struct hoist_error *err) {
  struct chain chain = {.count = 0};
  enum hoist_status status = config->sources ? add_listed(&chain, config, http, err)
                                             : add_defaults(&chain, config, http, err);
  if (status != HOIST_OK) chain_done(&chain);
  *ret_chain = chain;
  return status;
}

void chain_done(struct chain *chain) {
  while (chain->count > 0)
    source_free(chain->sources[--chain->count]);
  aws_free(HOIST_TAKE(chain->aws));
}

int chain_falls_through(enum hoist_status status) {
  switch (status) {
  case HOIST_NOT_FOUND:
  case HOIST_UNAVAILABLE:
  case HOIST_UNSUPPORTED:
  case HOIST_CORRUPT:
    return 1;
  case HOIST_OK:
  case HOIST_INVALID:
  case HOIST_DENIED:
  case HOIST_TIMEOUT:
  case HOIST_CANCELLED:
  case HOIST_NO_SPACE:
  case HOIST_NO_MEMORY:
  case HOIST_INTERNAL:
    return 0;
  }
  return 0;
}
