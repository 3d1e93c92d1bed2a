/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, over curl's parser, so that what is checked here is what curl will do. Pure; any thread. */
#include "target.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

HOIST_DEFINE_AUTO(curlu, CURLU, curl_url_cleanup)

static inline void curl_text_cleanup(char **owner) {
  curl_free(*owner);
}

void target_done(struct target *target) {
  free(target->url);
  *target = (struct target){0};
}

bool target_same_origin(const struct target *a, const struct target *b) {
  return a->tls == b->tls && a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* The parts of `u` into `target`, all but the URL itself. False when it is not for us. */
static bool read_parts(CURLU *u, struct target *target) {
  HOIST_AUTO(curl_text) char *scheme = NULL;
  HOIST_AUTO(curl_text) char *host = NULL;
  HOIST_AUTO(curl_text) char *port = NULL;
  uint64_t number = 0;
  if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
      curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
      curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
      !parse_u64(port, &number) || number > 65535)
    return false;
  target->tls = strcasecmp(scheme, "https") == 0;
  if (!target->tls && strcasecmp(scheme, "http") != 0) return false;
  target->port = (unsigned)number;
  size_t size = strlen(host);
  bool brackets = size > 2 && host[0] == '[' && host[size - 1] == ']';
  if (brackets) host[size - 1] = '\0';
  if (!text_copy(target->host, sizeof target->host, host + (brackets ? 1 : 0))) return false;
  snprintf(target->authority, sizeof target->authority, brackets ? "[%s]:%u" : "%s:%u",
           target->host, target->port);
  return true;
}

enum hoist_status target_parse(const char *url, struct target *ret_target,
                               struct hoist_error *err) {
  if (strlen(url) > HTTP_MAX_URL_BYTES)
    return hoist_fail(err, HOIST_INVALID, "a URL is longer than the %u bytes allowed",
                      HTTP_MAX_URL_BYTES);
  HOIST_AUTO(curlu) CURLU *u = curl_url();
  HOIST_AUTO(target) struct target target = {.url = text_dup(url)};
  if (!u || !target.url) return hoist_fail_memory(err, "a URL");
  if (curl_url_set(u, CURLUPART_URL, url, CURLU_PATH_AS_IS) != CURLUE_OK ||
      !read_parts(u, &target)) {
    HOIST_AUTO(mem) char *shown = http_redact_url(url);
    return hoist_fail(err, HOIST_INVALID, "not an http:// or https:// URL: \"%.200s\"",
                      shown ? shown : "");
  }
  *ret_target = target;
  target = (struct target){0};
  return HOIST_OK;
}

/* Servers do send spaces; libcurl 8 refuses them unless it is told to encode them. */
#define REDIRECT_FLAGS (CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_DISALLOW_USER)

enum hoist_status target_redirect(struct target *target, const char *location, size_t size,
                                  struct hoist_error *err) {
  if (size > HTTP_MAX_URL_BYTES)
    return hoist_fail(err, HOIST_CORRUPT, "%s redirects to a URL of over %u bytes",
                      target->authority, HTTP_MAX_URL_BYTES);
  HOIST_AUTO(mem) char *text = strndup(location, size);
  HOIST_AUTO(curlu) CURLU *u = curl_url();
  HOIST_AUTO(curl_text) char *url = NULL;
  struct target next = {0};
  if (!text || !u) return hoist_fail_memory(err, "a redirect");
  /* Credentials in a redirect would make curl send what the user never gave. */
  if (curl_url_set(u, CURLUPART_URL, target->url, CURLU_PATH_AS_IS) != CURLUE_OK ||
      curl_url_set(u, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
      curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
      curl_url_set(u, CURLUPART_URL, text, REDIRECT_FLAGS) != CURLUE_OK || !read_parts(u, &next))
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s redirects to something that is not an http:// or https:// URL",
                      target->authority);
  if (target->tls && !next.tls)
    return hoist_fail(err, HOIST_CORRUPT, "%s redirects from https to http, which is refused",
                      target->authority);
  if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK || !(next.url = text_dup(url)))
    return hoist_fail_memory(err, "a redirect");
  target_done(target);
  *target = next;
  return HOIST_OK;
}
