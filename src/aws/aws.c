/* SPDX-License-Identifier: Apache-2.0 */
/* The places in their order. The files are read again for each search, so what others write into them
 * meanwhile counts. Owns a copy of the options, and a client that uses no proxy. */
#include "aws.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws_search.h"
#include "text.h"
#include "timestamp.h"

#define TEXTS (sizeof(struct aws_texts) / sizeof(char *))
_Static_assert(sizeof(struct aws_texts) % sizeof(char *) == 0, "it has nothing but texts");

struct aws {
  struct http *http; /* borrowed */
  struct http *local;
  struct aws_provider *provider;
  struct aws_options options; /* its texts are those below */
  char *texts[TEXTS];
  struct aws_config config; /* as it was when this was made */
};

static const struct place {
  const char *name;
  aws_place_fn *ask;
} places[] = {
    {"environment", aws_from_environment}, {"web identity", aws_from_web_identity},
    {"profile", aws_from_profile},         {"container", aws_from_container},
    {"instance", aws_from_instance},
};
#define PLACES (sizeof places / sizeof *places)

enum hoist_status aws_does_apply(enum hoist_status status, struct hoist_error *err) {
  if (status != HOIST_NOT_FOUND) return status;
  if (err) err->status = HOIST_DENIED;
  return HOIST_DENIED;
}

static const char *profile_of(const struct aws *aws) {
  return aws->options.texts.profile ? aws->options.texts.profile : "default";
}

static enum hoist_status read_config(const struct aws *aws, struct aws_config *ret_config,
                                     struct hoist_error *err) {
  const struct aws_texts *t = &aws->options.texts;
  return aws_config_read(t->config_file, t->credentials_file, ret_config, err);
}

/* ---- searching -------------------------------------------------------------------------------- */

static struct aws_search make_search(const struct aws *aws, const struct aws_config *config) {
  return (struct aws_search){.options = &aws->options,
                             .http = aws->http,
                             .local = aws->local,
                             .config = config,
                             .profile = profile_of(aws)};
}

static enum hoist_status resolve(const struct call *call, void *user,
                                 const struct aws_credentials **ret_credentials,
                                 struct hoist_error *err) {
  const struct aws *aws = user;
  HOIST_AUTO(aws_config) struct aws_config config = {0};
  enum hoist_status status = read_config(aws, &config, err);
  if (status != HOIST_OK) return status;
  const struct aws_search s = make_search(aws, &config);
  for (size_t i = 0; i < PLACES; i++) {
    status = places[i].ask(call, &s, ret_credentials, err);
    if (status != HOIST_NOT_FOUND) return status;
  }
  return hoist_fail(err, HOIST_DENIED,
                    "no AWS credentials: none in the environment, profile \"%s\", a container's or "
                    "this instance's metadata (hoist doctor says why); set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or HOIST_S3_ANONYMOUS=true where "
                    "everybody may read",
                    s.profile);
}

/* ---- examining -------------------------------------------------------------------------------- */

#define DETAIL_SIZE (HOIST_ERROR_MESSAGE_SIZE + 32)

/* Enough of it to know it again: "AKIA…7XYZ". */
static void describe(const struct aws_credentials *c, char *out, size_t size) {
  char until[TIMESTAMP_SIZE] = "";
  size_t length = strlen(c->access_key);
  snprintf(out, size, "gives key %.4s…%s%s%s (%s)", c->access_key,
           length >= 16 ? c->access_key + length - 4 : "", c->expires_unix_s ? " until " : "",
           c->expires_unix_s ? timestamp_format(c->expires_unix_s, until) : "", c->provider);
}

static enum hoist_status examine_place(const struct call *call, const struct aws_search *s,
                                       const struct place *place, struct aws_finding *finding,
                                       char detail[DETAIL_SIZE]) {
  HOIST_AUTO(aws_credentials) const struct aws_credentials *found = NULL;
  struct hoist_error error = {.status = HOIST_OK};
  enum hoist_status status = place->ask(call, s, &found, &error);
  *finding = (struct aws_finding){.place = place->name, .status = status, .detail = detail};
  if (status == HOIST_OK) {
    describe(found, detail, DETAIL_SIZE);
  } else if (status == HOIST_NOT_FOUND) {
    finding->status = HOIST_OK;
    finding->skipped = true;
    snprintf(detail, DETAIL_SIZE, "does not apply: %s", error.message);
  } else {
    text_copy(detail, DETAIL_SIZE, error.message);
  }
  return status;
}

enum hoist_status aws_examine(const struct call *call, struct aws *aws,
                              void (*report)(void *user, const struct aws_finding *finding),
                              void *user, struct hoist_error *err) {
  char detail[DETAIL_SIZE];
  const char *first = NULL; /* that applies */
  HOIST_AUTO(aws_config) struct aws_config config = {0};
  enum hoist_status status = read_config(aws, &config, err);
  if (status != HOIST_OK) return status;
  const struct aws_search s = make_search(aws, &config);
  for (size_t i = 0; i < PLACES; i++) {
    snprintf(detail, sizeof detail, "is not asked: %s comes first", first ? first : "");
    struct aws_finding finding = {
        .place = places[i].name, .status = HOIST_OK, .detail = detail, .skipped = true};
    if (!first && examine_place(call, &s, &places[i], &finding, detail) != HOIST_NOT_FOUND)
      first = places[i].name;
    status = call_check(call, "looking for AWS credentials", err);
    if (status != HOIST_OK) return status;
    report(user, &finding);
  }
  return HOIST_OK;
}

/* ---- construction ----------------------------------------------------------------------------- */

static enum hoist_status copy_texts(struct aws *aws, const struct aws_texts *from,
                                    struct hoist_error *err) {
  const char *given[TEXTS];
  memcpy(given, from, sizeof given);
  for (size_t i = 0; i < TEXTS; i++) {
    if (!given[i] || !*given[i]) continue;
    aws->texts[i] = text_dup(given[i]);
    if (!aws->texts[i]) return hoist_fail_memory(err, "the AWS settings");
  }
  memcpy(&aws->options.texts, aws->texts, sizeof aws->texts);
  const struct aws_texts *t = &aws->options.texts;
  if (!t->access_key == !t->secret_key) return HOIST_OK;
  return hoist_fail(err, HOIST_INVALID, "source s3: %s",
                    t->access_key
                        ? "an access key is set but no secret key: set AWS_SECRET_ACCESS_KEY"
                        : "a secret key is set but no access key: set AWS_ACCESS_KEY_ID");
}

enum hoist_status aws_new(struct http *http, const struct aws_options *options,
                          struct aws **ret_aws, struct hoist_error *err) {
  HOIST_AUTO(aws) struct aws *aws = calloc(1, sizeof *aws);
  if (!aws) return hoist_fail_memory(err, "the AWS credentials");
  aws->http = http;
  aws->options = *options;
  enum hoist_status status = copy_texts(aws, &options->texts, err);
  if (status == HOIST_OK) status = read_config(aws, &aws->config, err);
  if (status == HOIST_OK) status = http_new_direct(http, &aws->local, err);
  if (status == HOIST_OK) status = aws_provider_new(resolve, aws, NULL, &aws->provider, err);
  if (status == HOIST_OK) *ret_aws = HOIST_TAKE(aws);
  return status;
}

void aws_free(struct aws *aws) {
  if (!aws) return;
  aws_provider_free(aws->provider);
  http_free(aws->local);
  aws_config_done(&aws->config);
  for (size_t i = 0; i < TEXTS; i++) {
    if (aws->texts[i]) OPENSSL_cleanse(aws->texts[i], strlen(aws->texts[i]));
    free(aws->texts[i]);
  }
  free(aws);
}

struct aws_provider *aws_credentials_provider(struct aws *aws) {
  return aws->provider;
}

const char *aws_profile_get(const struct aws *aws, const char *key) {
  return aws_config_get(&aws->config, profile_of(aws), key);
}

const char *aws_profile_get_sub(const struct aws *aws, const char *key, const char *sub) {
  return aws_config_get_sub(&aws->config, profile_of(aws), key, sub);
}

const char *aws_profile_endpoint(const struct aws *aws, const char *service) {
  return aws_config_endpoint(&aws->config, profile_of(aws), service);
}
