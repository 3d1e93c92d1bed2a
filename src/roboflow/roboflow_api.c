/* SPDX-License-Identifier: Apache-2.0 */
/* URLs and headers of the Roboflow API. Pure but for the host's name; any thread. */
#include "roboflow_api.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "json_read.h"
#include "text.h"

#define DEFAULT_BASE_URL "https://api.roboflow.com"
#define NO_API_KEY "local"
#define SERVERLESS "serverless" /* the only suffix under which a service may vouch for a request */
#define MAX_EXTRA_HEADERS_BYTES (64u << 10)
#define HOST_NAME_SIZE 256

void roboflow_api_done(struct roboflow_api *api) {
  for (size_t i = 0; i < api->header_count; i++) {
    free((char *)(uintptr_t)api->headers[i].name);
    free((char *)(uintptr_t)api->headers[i].value);
  }
  free(api->host);
  free(api->base);
  free(api->api_key);
  free(api->service_secret);
  free(api->device_id);
  free(api->gateway);
  *api = (struct roboflow_api){0};
}

/* ---- headers --------------------------------------------------------------------------------- */

static bool has_header(const struct roboflow_api *api, const char *name) {
  for (size_t i = 0; i < api->header_count; i++)
    if (strcasecmp(api->headers[i].name, name) == 0) return true;
  return false;
}

static enum hoist_status add_header(struct roboflow_api *api, const char *name, const char *value,
                                    struct hoist_error *err) {
  struct http_header *header = &api->headers[api->header_count];
  HOIST_AUTO(mem) char *name_copy = strdup(name);
  HOIST_AUTO(mem) char *value_copy = strdup(value);
  if (!name_copy || !value_copy) return hoist_fail_memory(err, "request headers");
  *header = (struct http_header){.name = HOIST_TAKE(name_copy), .value = HOIST_TAKE(value_copy)};
  api->header_count++;
  return HOIST_OK;
}

/* RFC 9110, section 5.6.2 */
static bool is_token(const char *name) {
  static const char tchars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return *name && name[strspn(name, tchars)] == '\0';
}

static bool is_field_value(const char *value) {
  for (; *value; value++)
    if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f) return false;
  return true;
}

static enum hoist_status add_extra_header(struct roboflow_api *api, const struct json_place *place,
                                          struct hoist_error *err) {
  const char *value = NULL;
  enum hoist_status status = json_read_string(place, &value, err);
  if (status != HOIST_OK) return status;
  if (!is_token(place->name)) return json_read_fail(place, err, "not a header name");
  if (!is_field_value(value)) return json_read_fail(place, err, "a control character in the value");
  if (has_header(api, place->name)) return HOIST_OK; /* ours win */
  if (api->header_count == HTTP_MAX_REQUEST_HEADERS)
    return json_read_fail(place, err, "more than %d headers", HTTP_MAX_REQUEST_HEADERS);
  return add_header(api, place->name, value, err);
}

static enum hoist_status add_extra_headers(struct roboflow_api *api, const char *text,
                                           struct hoist_error *err) {
  static const char document[] = "ROBOFLOW_API_EXTRA_HEADERS";
  if (!text || !*text) return HOIST_OK;
  HOIST_AUTO(json) json_t *value = NULL;
  enum hoist_status status =
      json_read_parse(text, strlen(text), MAX_EXTRA_HEADERS_BYTES, document, &value, err);
  if (status != HOIST_OK) return status;
  struct json_place root = json_read_root(value, document);
  status = json_read_object(&root, err);
  if (status != HOIST_OK) return status;
  const char *name;
  json_t *member;
  json_object_foreach(value, name, member) {
    struct json_place place = json_read_member(&root, name);
    status = add_extra_header(api, &place, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

/* First, so that no extra header can take its name, and so that it is easily left out. */
static enum hoist_status add_authorization(struct roboflow_api *api, struct hoist_error *err) {
  if (!api->api_key) return HOIST_OK;
  if (!is_field_value(api->api_key))
    return hoist_fail(err, HOIST_INVALID, "ROBOFLOW_API_KEY: there is a control character in it");
  HOIST_AUTO(mem) char *value = text_format("Bearer %s", api->api_key);
  if (!value) return hoist_fail_memory(err, "request headers");
  return add_header(api, "Authorization", value, err);
}

static enum hoist_status init_headers(struct roboflow_api *api, const char *extra,
                                      struct hoist_error *err) {
  enum hoist_status status = add_authorization(api, err);
  if (status != HOIST_OK) return status;
  status = add_header(api, "X-Roboflow-Inference-Version", HOIST_VERSION, err);
  if (status != HOIST_OK) return status;
  status = add_header(api, "X-Allow-Chunked", "true", err);
  if (status != HOIST_OK) return status;
  status = add_extra_headers(api, extra, err);
  if (status != HOIST_CORRUPT) return status;
  if (err) err->status = HOIST_INVALID; /* here it is the user's own text that makes no sense */
  return HOIST_INVALID;
}

/* ---- the parts of a URL ---------------------------------------------------------------------- */

static bool is_http_url(const char *text) {
  return text_starts_with(text, "https://") || text_starts_with(text, "http://");
}

static size_t size_without_slashes(const char *text) {
  size_t size = strlen(text);
  while (size > 0 && text[size - 1] == '/')
    size--;
  return size;
}

static char *make_base(const char *base, const char *suffix) {
  suffix += strspn(suffix, "/");
  size_t base_size = size_without_slashes(base), suffix_size = size_without_slashes(suffix);
  return text_format("%.*s%s%.*s", (int)base_size, base, suffix_size > 0 ? "/" : "",
                     (int)suffix_size, suffix);
}

static char *make_gateway(const char *gateway) {
  return text_format("%s%.*s/proxy?url=", strstr(gateway, "://") ? "" : "http://",
                     (int)size_without_slashes(gateway), gateway);
}

static char *make_device_id(const char *device_id) {
  char host[HOST_NAME_SIZE] = "";
  if (device_id && *device_id) return strdup(device_id);
  if (gethostname(host, sizeof host - 1) != 0 || !*host) return strdup("hoist");
  return strdup(host);
}

static bool is_set(const char *text) {
  return text && *text;
}

static enum hoist_status check_urls(const struct roboflow_options *options,
                                    struct hoist_error *err) {
  if (options->base_url && !is_http_url(options->base_url))
    return hoist_fail(
        err, HOIST_INVALID,
        "API_BASE_URL: not an http or https URL: use something like " DEFAULT_BASE_URL);
  const char *gateway = options->secure_gateway;
  if (is_set(gateway) && strstr(gateway, "://") && !is_http_url(gateway))
    return hoist_fail(err, HOIST_INVALID,
                      "SECURE_GATEWAY: not an http or https URL: use a host or http://host");
  return HOIST_OK;
}

static enum hoist_status init_parts(struct roboflow_api *api,
                                    const struct roboflow_options *options,
                                    struct hoist_error *err) {
  const char *suffix = options->weights_suffix ? options->weights_suffix : "";
  bool has_key = is_set(options->api_key) && strcmp(options->api_key, NO_API_KEY) != 0;
  bool vouches = is_set(options->service_secret) && strcmp(suffix, SERVERLESS) == 0;
  bool has_gateway = is_set(options->secure_gateway);
  api->host = make_base(options->base_url ? options->base_url : DEFAULT_BASE_URL, "");
  api->base = make_base(options->base_url ? options->base_url : DEFAULT_BASE_URL, suffix);
  api->device_id = make_device_id(options->device_id);
  if (has_key) api->api_key = strdup(options->api_key);
  if (vouches) api->service_secret = strdup(options->service_secret);
  if (has_gateway) api->gateway = make_gateway(options->secure_gateway);
  if (!api->host || !api->base || !api->device_id || (has_key && !api->api_key) ||
      (vouches && !api->service_secret) || (has_gateway && !api->gateway))
    return hoist_fail_memory(err, "a source");
  return HOIST_OK;
}

enum hoist_status roboflow_api_init(struct roboflow_api *api,
                                    const struct roboflow_options *options,
                                    struct hoist_error *err) {
  *api = (struct roboflow_api){0};
  enum hoist_status status = check_urls(options, err);
  if (status == HOIST_OK) status = init_parts(api, options, err);
  if (status == HOIST_OK) status = init_headers(api, options->extra_headers, err);
  if (status != HOIST_OK) roboflow_api_done(api);
  return status;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

/* "&name=value", the value percent-encoded; "" for no value; NULL when out of memory. */
static char *query_part(const char *name, const char *value) {
  if (!value) return strdup("");
  HOIST_AUTO(mem) char *encoded = url_encode_form(value);
  return encoded ? text_format("&%s=%s", name, encoded) : NULL;
}

/* /ort, /core_model and /owlv2, which are alike. */
static char *device_url(const struct roboflow_api *api, enum roboflow_family family, const char *id,
                        const char *key) {
  HOIST_AUTO(mem) char *path = url_encode(id, true);
  HOIST_AUTO(mem) char *device = query_part("device", api->device_id);
  HOIST_AUTO(mem) char *secret = query_part("service_secret", api->service_secret);
  if (!path || !device || !secret) return NULL;
  return text_format("%s%s/%s?nocache=true%s&dynamic=true%s%s%s", api->base,
                     roboflow_endpoint(family), path, device, key,
                     *secret ? "&countinference=false" : "", secret);
}

static char *weights_url(const struct roboflow_api *api, const char *id, const char *key) {
  HOIST_AUTO(mem) char *model = url_encode_form(id);
  return model ? text_format("%s%s?model=%s%s", api->base, roboflow_endpoint(ROBOFLOW_GET_WEIGHTS),
                             model, key)
               : NULL;
}

/* The newer endpoints stand below the host itself and take the key in a header. */
static char *external_url(const struct roboflow_api *api, enum roboflow_family family,
                          const char *id, const char *page) {
  HOIST_AUTO(mem) char *model = url_encode_form(id);
  HOIST_AUTO(mem) char *after = query_part("startAfter", page);
  if (!model || !after) return NULL;
  return text_format("%s%s?modelId=%s%s", api->host, roboflow_endpoint(family), model, after);
}

static bool is_external(enum roboflow_family family) {
  return family == ROBOFLOW_PACKAGES || family == ROBOFLOW_STAT;
}

static char *make_url(const struct roboflow_api *api, enum roboflow_family family, const char *id,
                      const char *page) {
  if (is_external(family)) return external_url(api, family, id, page);
  HOIST_AUTO(mem) char *key = query_part("api_key", api->api_key);
  if (!key) return NULL;
  return family == ROBOFLOW_GET_WEIGHTS ? weights_url(api, id, key)
                                        : device_url(api, family, id, key);
}

char *roboflow_api_url(const struct roboflow_api *api, enum roboflow_family family,
                       const struct model_id *id, const char *page) {
  HOIST_AUTO(mem) char *url = make_url(api, family, id->text, page);
  return url ? roboflow_api_wrap(api, url) : NULL;
}

const struct http_header *roboflow_api_headers(const struct roboflow_api *api,
                                               enum roboflow_family family, size_t *ret_count) {
  size_t skipped = api->api_key && !is_external(family) ? 1 : 0;
  *ret_count = api->header_count - skipped;
  return api->headers + skipped;
}

char *roboflow_api_wrap(const struct roboflow_api *api, const char *url) {
  if (!api->gateway || text_starts_with(url, api->gateway)) return strdup(url);
  HOIST_AUTO(mem) char *quoted = url_encode(url, false);
  return quoted ? text_format("%s%s", api->gateway, quoted) : NULL;
}
