/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of collectors, taken apart by libcurl's own parser so that what is checked is what is used.
 * Pure; any thread. */
#include "endpoint.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "auto.h"
#include "text.h"

static void url_handle_cleanup(CURLU **url) {
  curl_url_cleanup(*url);
}

static void curl_text_cleanup(char **text) {
  curl_free(*text);
}

static enum hoist_status parse(const char *text, CURLU **ret_url, struct hoist_error *err) {
  HOIST_AUTO(url_handle) CURLU *url = curl_url();
  if (!url) return hoist_fail_memory(err, "a URL");
  if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
    return hoist_fail(err, HOIST_INVALID,
                      "the collector's URL is neither http:// nor https://; give it as "
                      "http://host:4318");
  CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
  if (code == CURLUE_OUT_OF_MEMORY) return hoist_fail_memory(err, "a URL");
  if (code != CURLUE_OK)
    return hoist_fail(err, HOIST_INVALID, "the collector's URL is malformed: %s",
                      curl_url_strerror(code));
  *ret_url = HOIST_TAKE(url);
  return HOIST_OK;
}

static enum hoist_status print(CURLU *url, char **ret_text, struct hoist_error *err) {
  HOIST_AUTO(curl_text) char *whole = NULL;
  if (curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK)
    return hoist_fail_memory(err, "a URL");
  char *text = text_dup(whole);
  if (!text) return hoist_fail_memory(err, "a URL");
  *ret_text = text;
  return HOIST_OK;
}

enum hoist_status endpoint_check(const char *url, char **ret_shown, struct hoist_error *err) {
  HOIST_AUTO(url_handle) CURLU *parsed = NULL;
  enum hoist_status status = parse(url, &parsed, err);
  if (status != HOIST_OK || !ret_shown) return status;
  static const CURLUPart secret[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                     CURLUPART_QUERY, CURLUPART_FRAGMENT};
  for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
    (void)curl_url_set(parsed, secret[i], NULL, 0);
  return print(parsed, ret_shown, err);
}

enum hoist_status endpoint_server(const char *url, char **ret_host, uint16_t *ret_port,
                                  struct hoist_error *err) {
  HOIST_AUTO(url_handle) CURLU *parsed = NULL;
  HOIST_AUTO(curl_text) char *host = NULL;
  HOIST_AUTO(curl_text) char *port = NULL;
  uint64_t number = 0;
  enum hoist_status status = parse(url, &parsed, err);
  if (status != HOIST_OK) return status;
  if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
      curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
      !parse_u64(port, &number))
    return hoist_fail_memory(err, "a URL");
  char *copy = text_dup(host);
  if (!copy) return hoist_fail_memory(err, "a URL");
  *ret_host = copy;
  *ret_port = (uint16_t)number;
  return HOIST_OK;
}

enum hoist_status endpoint_join(const char *base, const char *path, char **ret_url,
                                struct hoist_error *err) {
  HOIST_AUTO(url_handle) CURLU *parsed = NULL;
  HOIST_AUTO(curl_text) char *old_path = NULL;
  enum hoist_status status = parse(base, &parsed, err);
  if (status != HOIST_OK) return status;
  if (curl_url_get(parsed, CURLUPART_PATH, &old_path, 0) != CURLUE_OK)
    return hoist_fail_memory(err, "a URL");
  HOIST_AUTO(mem)
  char *joined = text_format("%s%s%s", old_path, text_ends_with(old_path, "/") ? "" : "/", path);
  if (!joined || curl_url_set(parsed, CURLUPART_PATH, joined, 0) != CURLUE_OK)
    return hoist_fail_memory(err, "a URL");
  return print(parsed, ret_url, err);
}

enum hoist_status endpoint_set_path(const char *url, const char *path, char **ret_url,
                                    struct hoist_error *err) {
  HOIST_AUTO(url_handle) CURLU *parsed = NULL;
  enum hoist_status status = parse(url, &parsed, err);
  if (status != HOIST_OK) return status;
  if (curl_url_set(parsed, CURLUPART_PATH, path, 0) != CURLUE_OK ||
      curl_url_set(parsed, CURLUPART_QUERY, NULL, 0) != CURLUE_OK ||
      curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
    return hoist_fail_memory(err, "a URL");
  return print(parsed, ret_url, err);
}
