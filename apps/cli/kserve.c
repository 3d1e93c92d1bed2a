/* SPDX-License-Identifier: Apache-2.0 */
/* STORAGE_CONFIG stands before the environment, as with KServe's own initializer, which writes it there. */
#include "kserve.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "err.h"
#include "text.h"

#define MAX_CONFIG_BYTES (1u << 20)
#define JSON_BLANKS " \t\n\r"
#define DEFAULT_CA_MOUNT "/etc/ssl/custom-certs" /* of the webhook */
#define LEGACY_ENDPOINT "https://s3.amazonaws.com"
#define ACCELERATE_ENDPOINT "https://s3-accelerate.amazonaws.com"

struct kserve {
  settings_get_env get_env;
  json_t *storage; /* STORAGE_CONFIG under STORAGE_OVERRIDE_CONFIG; an object */
  char *endpoint, *ca_file;
  json_t *allow, *ignore; /* arrays of strings; NULL: none */
  struct hoist_copy_rule rules[2 * KSERVE_MAX_PATTERNS + 1];
  size_t rule_count;
};

void kserve_free(struct kserve *k) {
  if (!k) return;
  json_decref(k->storage);
  json_decref(k->allow);
  json_decref(k->ignore);
  free(k->endpoint);
  free(k->ca_file);
  free(k);
}

static const char *look_up(settings_get_env get_env, const char *name) {
  const char *value = get_env ? get_env(name) : getenv(name);
  return value && *value ? value : NULL;
}

/* ---- STORAGE_CONFIG ---------------------------------------------------------------------------- */

static enum hoist_status merge(struct kserve *k, const char *variable, struct hoist_error *err) {
  const char *text = look_up(k->get_env, variable);
  if (!text) return HOIST_OK;
  if (strnlen(text, MAX_CONFIG_BYTES + 1) > MAX_CONFIG_BYTES)
    return hoist_fail(err, HOIST_INVALID, "%s is over %u bytes", variable, MAX_CONFIG_BYTES);
  json_error_t where;
  json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &where);
  enum hoist_status status = HOIST_OK;
  /* The parser's own words may repeat what is in it. */
  if (!json_is_object(object))
    status = hoist_fail(err, HOIST_INVALID, "%s is not a JSON object (line %d, column %d)",
                        variable, object ? 1 : where.line, object ? 1 : where.column);
  else if (json_object_update(k->storage, object) != 0)
    status = hoist_fail_memory(err, variable);
  json_decref(object);
  return status;
}

static bool is_about_s3(const struct kserve *k) {
  return text_equal(json_string_value(json_object_get(k->storage, "type")), "s3");
}

/* What stands for a variable: the key of STORAGE_CONFIG, else the variable. */
static enum hoist_status read_wish(const struct kserve *k, const char *key, const char *variable,
                                   const char **ret_text, struct hoist_error *err) {
  const json_t *value = key && is_about_s3(k) ? json_object_get(k->storage, key) : NULL;
  *ret_text = NULL;
  if (json_is_boolean(value)) {
    *ret_text = json_is_true(value) ? "true" : "false";
  } else if (json_is_string(value)) {
    const char *text = json_string_value(value);
    if (*text) *ret_text = text;
  } else if (value && !json_is_null(value)) {
    return hoist_fail(err, HOIST_INVALID,
                      "STORAGE_CONFIG: \"%s\" is neither a string nor true or false", key);
  } else {
    *ret_text = look_up(k->get_env, variable);
  }
  return HOIST_OK;
}

static bool says(const char *text, const char *word) {
  return text && strcasecmp(text, word) == 0;
}

static bool says_no(const char *text) {
  return says(text, "false") || says(text, "0");
}

/* ---- S3 ---------------------------------------------------------------------------------------- */

struct wishes {
  const char *endpoint, *key, *secret, *region, *ca_bundle, *verify, *anonymous;
  const char *bare_endpoint, *use_https, *virtual_bucket, *accelerate;
  const char *attempts, *read_timeout;
};

static enum hoist_status read_wishes(const struct kserve *k, struct wishes *w,
                                     struct hoist_error *err) {
  const struct {
    const char *key, *variable;
    const char **text;
  } rows[] = {
      {"endpoint_url", "AWS_ENDPOINT_URL", &w->endpoint},
      {"access_key_id", "AWS_ACCESS_KEY_ID", &w->key},
      {"secret_access_key", "AWS_SECRET_ACCESS_KEY", &w->secret},
      {"region", "AWS_DEFAULT_REGION", &w->region},
      {"ca_bundle", "AWS_CA_BUNDLE", &w->ca_bundle},
      {"verify_ssl", "S3_VERIFY_SSL", &w->verify},
      {"anonymous", "awsAnonymousCredential", &w->anonymous},
      {NULL, "S3_ENDPOINT", &w->bare_endpoint},
      {NULL, "S3_USE_HTTPS", &w->use_https},
      {NULL, "S3_USER_VIRTUAL_BUCKET", &w->virtual_bucket},
      {NULL, "S3_USE_ACCELERATE", &w->accelerate},
      {NULL, "S3_MAX_ATTEMPTS", &w->attempts},
      {NULL, "S3_READ_TIMEOUT", &w->read_timeout},
  };
  enum hoist_status status = HOIST_OK;
  for (size_t i = 0; i < sizeof rows / sizeof *rows && status == HOIST_OK; i++)
    status = read_wish(k, rows[i].key, rows[i].variable, rows[i].text, err);
  return status;
}

static enum hoist_status set_endpoint(struct kserve *k, const struct wishes *w,
                                      struct hoist_config *config, struct hoist_error *err) {
  const char *bare = w->bare_endpoint;
  if (w->endpoint) {
    config->s3_endpoint = w->endpoint;
  } else if (!config->s3_endpoint && bare) {
    const char *scheme = strstr(bare, "://") ? "" : says_no(w->use_https) ? "http://" : "https://";
    k->endpoint = text_format("%s%s", scheme, bare);
    if (!k->endpoint) return hoist_fail_memory(err, "the endpoint");
    config->s3_endpoint = k->endpoint;
  } else if (!config->s3_endpoint && says(w->accelerate, "true")) {
    config->s3_endpoint = ACCELERATE_ENDPOINT;
  }
  bool is_legacy = text_equal(config->s3_endpoint, LEGACY_ENDPOINT) && w->region &&
                   !text_equal(w->region, "us-east-1");
  if (is_legacy || says(w->virtual_bucket, "true") || says(w->accelerate, "true"))
    config->addressing = "virtual";
  return HOIST_OK;
}

static enum hoist_status set_trust(struct kserve *k, const struct wishes *w,
                                   struct hoist_config *config, struct hoist_error *err) {
  if (says_no(w->verify)) {
    config->verify_tls = 0;
    return HOIST_OK;
  }
  const char *mount = look_up(k->get_env, "CA_BUNDLE_VOLUME_MOUNT_POINT");
  if (w->ca_bundle)
    k->ca_file = text_dup(w->ca_bundle);
  else if (look_up(k->get_env, "CA_BUNDLE_CONFIGMAP_NAME"))
    k->ca_file = text_format("%s/cabundle.crt", mount ? mount : DEFAULT_CA_MOUNT);
  else
    return HOIST_OK;
  if (!k->ca_file) return hoist_fail_memory(err, "the CA bundle");
  if (access(k->ca_file, R_OK) != 0)
    return hoist_fail(
        err, HOIST_NOT_FOUND,
        "the CA bundle %.200s is not there: check AWS_CA_BUNDLE, and that its ConfigMap is "
        "mounted",
        k->ca_file);
  config->ca_file = k->ca_file;
  return HOIST_OK;
}

static enum hoist_status set_limits(const struct wishes *w, struct hoist_config *config,
                                    struct hoist_error *err) {
  uint64_t attempts, seconds;
  if (w->attempts) {
    if (!parse_u64(w->attempts, &attempts) || attempts < 1)
      return hoist_fail(err, HOIST_INVALID, "S3_MAX_ATTEMPTS is '%.40s': expected a number from 1",
                        w->attempts);
    config->max_attempts = attempts < 20 ? (uint32_t)attempts : 20;
  }
  if (w->read_timeout) {
    if (!parse_u64(w->read_timeout, &seconds) || seconds < 1 || seconds > UINT32_MAX / 1000)
      return hoist_fail(err, HOIST_INVALID, "S3_READ_TIMEOUT is '%.40s': expected seconds",
                        w->read_timeout);
    config->stall_timeout_ms = (uint32_t)seconds * 1000;
  }
  return HOIST_OK;
}

static enum hoist_status set_s3(struct kserve *k, struct hoist_config *config,
                                struct hoist_error *err) {
  struct wishes w = {0};
  enum hoist_status status = read_wishes(k, &w, err);
  if (status == HOIST_OK) status = set_endpoint(k, &w, config, err);
  if (status == HOIST_OK) status = set_trust(k, &w, config, err);
  if (status == HOIST_OK) status = set_limits(&w, config, err);
  if (status != HOIST_OK) return status;
  if (w.key) config->access_key = w.key;
  if (w.secret) config->secret_key = w.secret;
  if (w.region) config->region = w.region;
  if (says(w.anonymous, "true")) config->s3_anonymous = 1;
  return HOIST_OK;
}

/* ---- patterns ---------------------------------------------------------------------------------- */

static json_t *split_at_commas(const char *text) {
  json_t *list = json_array();
  for (const char *item = text; list && *item;) {
    size_t whole = strcspn(item, ","), size = whole;
    const char *word = text_trim(item, &size);
    if (size > 0 && json_array_append_new(list, json_stringn(word, size)) != 0) {
      json_decref(list);
      return NULL;
    }
    item += whole + (item[whole] == ',');
  }
  return list;
}

/* [" and not only [, with which a pattern may begin, too. */
static bool begins_as_array(const char *text) {
  text += strspn(text, JSON_BLANKS);
  return *text == '[' && text[1 + strspn(text + 1, JSON_BLANKS)] == '"';
}

/* A JSON array of strings, else a list with commas. */
static enum hoist_status read_patterns(const struct kserve *k, const char *variable,
                                       json_t **ret_list, struct hoist_error *err) {
  const char *text = look_up(k->get_env, variable);
  if (!text) return HOIST_OK;
  json_t *list = json_loads(text, JSON_DECODE_ANY, NULL);
  if (!list && begins_as_array(text))
    return hoist_fail(err, HOIST_INVALID,
                      "%s begins as a JSON array and is none: write [\"*.onnx\", \"*.txt\"], or "
                      "the patterns with commas between them",
                      variable);
  if (!json_is_array(list)) {
    json_decref(list);
    list = split_at_commas(text);
  }
  *ret_list = list;
  if (!list) return hoist_fail_memory(err, variable);
  if (json_array_size(list) > KSERVE_MAX_PATTERNS)
    return hoist_fail(err, HOIST_INVALID, "%s has more than %d patterns", variable,
                      KSERVE_MAX_PATTERNS);
  for (size_t i = 0; i < json_array_size(list); i++)
    if (!json_is_string(json_array_get(list, i)))
      return hoist_fail(err, HOIST_INVALID, "%s: pattern %zu is not a string", variable, i + 1);
  return HOIST_OK;
}

static void add_rules(struct kserve *k, const json_t *patterns, int include) {
  for (size_t i = 0; i < json_array_size(patterns); i++)
    k->rules[k->rule_count++] = (struct hoist_copy_rule){
        .include = include, .pattern = json_string_value(json_array_get(patterns, i))};
}

static enum hoist_status set_rules(struct kserve *k, struct hoist_error *err) {
  enum hoist_status status = read_patterns(k, "STORAGE_ALLOW_PATTERNS", &k->allow, err);
  if (status == HOIST_OK) status = read_patterns(k, "STORAGE_IGNORE_PATTERNS", &k->ignore, err);
  if (status != HOIST_OK) return status;
  if (json_array_size(k->allow) > 0)
    k->rules[k->rule_count++] = (struct hoist_copy_rule){.include = 0, .pattern = "*"};
  add_rules(k, k->allow, 1);
  add_rules(k, k->ignore, 0);
  return HOIST_OK;
}

struct hoist_copy_options kserve_rules(const struct kserve *k) {
  return (struct hoist_copy_options){.rules = k->rules, .rule_count = k->rule_count, .unpack = 1};
}

/* The files would be copied as they are, and their server would not understand them. */
static enum hoist_status refuse_confidential(const struct kserve *k, struct hoist_error *err) {
  if (!says(look_up(k->get_env, "CONFIDENTIAL_ENABLED"), "true")) return HOIST_OK;
  return hoist_fail(err, HOIST_UNSUPPORTED,
                    "CONFIDENTIAL_ENABLED: hoist does not decrypt models; leave this service to "
                    "KServe's own storage initializer");
}

enum hoist_status kserve_read(settings_get_env get_env, struct hoist_config *config,
                              struct kserve **ret_kserve, struct hoist_error *err) {
  HOIST_AUTO(kserve) struct kserve *k = calloc(1, sizeof *k);
  if (k) k->storage = json_object();
  if (!k || !k->storage) return hoist_fail_memory(err, "KServe's configuration");
  k->get_env = get_env;
  enum hoist_status status = refuse_confidential(k, err);
  if (status == HOIST_OK) status = merge(k, "STORAGE_CONFIG", err);
  if (status == HOIST_OK) status = merge(k, "STORAGE_OVERRIDE_CONFIG", err);
  if (status == HOIST_OK) status = set_s3(k, config, err);
  if (status == HOIST_OK) status = set_rules(k, err);
  if (status == HOIST_OK) *ret_kserve = HOIST_TAKE(k);
  return status;
}

/* ---- URIs -------------------------------------------------------------------------------------- */

static enum hoist_status refuse(const char *uri, struct hoist_error *err) {
  const char *end = strstr(uri, "://");
  if (!end)
    return hoist_fail(
        err, HOIST_INVALID,
        "'%.100s' is no storage URI, nor a path that is there: use s3://BUCKET/PREFIX or "
        "file:///PATH",
        uri);
  int size = end - uri < 40 ? (int)(end - uri) : 40;
  return hoist_fail(
      err, HOIST_UNSUPPORTED,
      "%.*s:// is not what hoist copies from, only s3:// and file://: leave it to KServe's own "
      "storage initializer, by taking %.*s:// out of supportedUriFormats of hoist's "
      "ClusterStorageContainer",
      size, uri, size, uri);
}

enum hoist_status kserve_place(const char *uri, enum kserve_uri *ret_kind, char **ret_place,
                               struct hoist_error *err) {
  *ret_kind = KSERVE_COPY;
  bool is_file = text_starts_with(uri, "file://"), is_s3 = text_starts_with(uri, "s3://");
  const char *path = is_file ? uri + strlen("file://") : uri;
  bool is_there = !is_s3 && access(path, F_OK) == 0;
  if (!is_there && !is_file && text_starts_with(uri, KSERVE_DEFAULT_DIRECTORY)) {
    *ret_kind = KSERVE_NOTHING;
    return HOIST_OK;
  }
  bool is_volume = text_starts_with(uri, "/mnt/pvc");
  if (!is_there && (is_file || is_volume))
    return hoist_fail(err, HOIST_NOT_FOUND, "%.200s is not there: check the path%s", uri,
                      is_volume ? " in the volume" : "");
  if (!is_s3 && !is_there) return refuse(uri, err);
  char *place = is_s3 ? text_dup(uri) : text_format("dir:%s", path);
  if (!place) return hoist_fail_memory(err, "a place");
  *ret_place = place;
  return HOIST_OK;
}
