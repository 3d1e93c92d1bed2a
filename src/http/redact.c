/* SPDX-License-Identifier: Apache-2.0 */
/* URLs as they may be shown: without credentials, and with the values of only those query parameters
 * that are known to be harmless. Works on text rather than through a parser, so that a URL which no parser accepts is
 * still cleaned. Pure; any thread. */
#include <string.h>
#include <strings.h>

#include "http.h"
#include "text.h"

#define MAX_SHOWN_BYTES (1u << 20) /* nested URLs grow when they are encoded again */
#define MAX_NESTED_URLS 3

/* Which parameters may be shown. Everything else may be somebody's secret: an API that redirects to
 * another can put a key anywhere. */
static const char *const plain_names[] = {
    "continuation-token",
    "countinference",
    "delimiter",
    "device",
    "dynamic",
    "encoding-type",
    "expires",
    "list-type",
    "max-keys",
    "model",
    "modelid",
    "nocache",
    "pagesize",
    "partnumber",
    "prefix",
    "startafter",
    "versionid",
    "x-amz-algorithm",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-goog-algorithm",
    "x-goog-date",
    "x-goog-expires",
    "x-goog-signedheaders",
};

static bool is_plain_name(const char *name) {
  for (size_t i = 0; i < sizeof plain_names / sizeof *plain_names; i++)
    if (strcasecmp(name, plain_names[i]) == 0) return true;
  return false;
}

/* Percent-decoded copy; NULL when out of memory. Ends at an encoded NUL, which no secret name and
 * no URL can hold; `ret_whole` tells. */
static char *decode(const char *text, size_t size, bool *ret_whole) {
  char *out = malloc(size + 1);
  if (!out) return NULL;
  size_t n = 0;
  for (size_t i = 0; i < size; n++) {
    bool encoded = text[i] == '%' && size - i >= 3 && hex_decode(text + i + 1, 2, out + n, 1);
    if (!encoded) out[n] = text[i];
    i += encoded ? 3 : 1;
  }
  out[n] = '\0';
  *ret_whole = strlen(out) == n;
  return out;
}

static enum hoist_status redact(const char *url, unsigned depth, struct buf *out);

/* The value of a `url` parameter: decoded, redacted, encoded again. */
static enum hoist_status redact_nested(const char *value, size_t size, unsigned depth,
                                       struct buf *out) {
  bool whole = false;
  HOIST_AUTO(mem) char *inner = decode(value, size, &whole);
  if (!inner) return HOIST_NO_MEMORY;
  if (!whole || depth >= MAX_NESTED_URLS) return buf_append_str(out, "REDACTED", NULL);
  HOIST_AUTO(buf) struct buf shown = buf_make(MAX_SHOWN_BYTES);
  enum hoist_status status = redact(inner, depth + 1, &shown);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(mem) char *encoded = url_encode(buf_str(&shown), false);
  return encoded ? buf_append_str(out, encoded, NULL) : HOIST_NO_MEMORY;
}

/* A value that reads as further parameters, at any depth of encoding, is not one value. */
static bool is_plain_value(const char *value, size_t size) {
  HOIST_AUTO(mem) char *text = strndup(value, size);
  for (int level = 0; text && level <= MAX_NESTED_URLS; level++) {
    if (strpbrk(text, "=&;?@")) return false;
    if (!strchr(text, '%')) return true;
    bool whole = false;
    char *decoded = decode(text, strlen(text), &whole);
    free(text);
    text = decoded;
    if (!whole) return false;
  }
  return false;
}

static enum hoist_status redact_parameter(const char *text, size_t size, unsigned depth,
                                          struct buf *out) {
  if (size == 0) return HOIST_OK;
  const char *equals = memchr(text, '=', size);
  if (!equals) return buf_append_str(out, "REDACTED", NULL);
  bool whole = false;
  size_t name_size = (size_t)(equals - text), value_size = size - name_size - 1;
  HOIST_AUTO(mem) char *name = decode(text, name_size, &whole);
  if (!name) return HOIST_NO_MEMORY;
  if (!is_plain_value(text, name_size)) return buf_append_str(out, "REDACTED", NULL);
  enum hoist_status status = buf_append(out, text, name_size + 1, NULL);
  if (status != HOIST_OK || value_size == 0) return status;
  if (whole && strcasecmp(name, "url") == 0)
    return redact_nested(equals + 1, value_size, depth, out);
  if (whole && is_plain_name(name) && is_plain_value(equals + 1, value_size))
    return buf_append(out, equals + 1, value_size, NULL);
  return buf_append_str(out, "REDACTED", NULL);
}

static enum hoist_status redact_query(const char *query, size_t size, unsigned depth,
                                      struct buf *out) {
  for (size_t start = 0;;) {
    const char *separator = memchr(query + start, '&', size - start);
    size_t end = separator ? (size_t)(separator - query) : size;
    enum hoist_status status = redact_parameter(query + start, end - start, depth, out);
    if (status != HOIST_OK || !separator) return status;
    status = buf_append(out, "&", 1, NULL);
    if (status != HOIST_OK) return status;
    start = end + 1;
  }
}

/* Where "user:password@" ends in the authority that starts at `authority`; there when it has none.
 */
static const char *skip_credentials(const char *authority) {
  const char *end = authority + strcspn(authority, "/?#");
  const char *host = authority;
  for (const char *p = authority; p < end; p++)
    if (*p == '@') host = p + 1;
  return host;
}

/* A URL inside a path can carry credentials of its own: shown up to there. */
static enum hoist_status redact_path(const char *text, size_t size, struct buf *out) {
  HOIST_AUTO(mem) char *path = strndup(text, size);
  if (!path) return HOIST_NO_MEMORY;
  const char *inner = strstr(path, "://");
  enum hoist_status status = buf_append(out, path, inner ? (size_t)(inner - path) : size, NULL);
  return status == HOIST_OK && inner ? buf_append_str(out, "REDACTED", NULL) : status;
}

/* The fragment is left out: it is never sent, and some services put tokens there. */
static enum hoist_status redact(const char *url, unsigned depth, struct buf *out) {
  size_t size = strcspn(url, "#");
  size_t path_end = strcspn(url, "?#");
  const char *scheme_end = strstr(url, "://");
  size_t scheme_size = 0;
  if (scheme_end && (size_t)(scheme_end - url) < path_end)
    scheme_size = (size_t)(scheme_end - url) + 3;
  const char *host = skip_credentials(url + scheme_size);
  enum hoist_status status = buf_append(out, url, scheme_size, NULL);
  if (status == HOIST_OK) status = redact_path(host, (size_t)(url + path_end - host), out);
  if (status != HOIST_OK || path_end == size) return status;
  status = buf_append(out, "?", 1, NULL);
  if (status != HOIST_OK) return status;
  return redact_query(url + path_end + 1, size - path_end - 1, depth, out);
}

char *http_redact_url(const char *url) {
  HOIST_AUTO(buf) struct buf out = buf_make(MAX_SHOWN_BYTES);
  if (redact(url, 0, &out) != HOIST_OK) return NULL;
  return buf_take(&out);
}
