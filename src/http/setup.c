/* SPDX-License-Identifier: Apache-2.0 */
/* From options and a request to those of curl. Pure; any thread. */
#include "setup.h"

#include <string.h>

#define RECEIVE_BUFFER_BYTES (256L << 10)

static bool set_security(CURL *easy, const struct http_options *o) {
  bool ok = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, o->verify_tls ? 1L : 0L) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, o->verify_tls ? 2L : 0L) == CURLE_OK;
  if (o->ca_file) ok = ok && curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file) == CURLE_OK;
  if (o->proxy) ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy) == CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
  return ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
  return ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                                (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) == CURLE_OK;
#endif
}

bool setup_options(CURL *easy, const struct http_options *o) {
  /* Without HTTP/2 in this libcurl, HTTP/1.1 is what there is: no reason to fail. */
  (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
#if LIBCURL_VERSION_NUM >= 0x075700
  /* A cancel does not wait for getaddrinfo: the resolver's thread ends by itself. */
  (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  /* libcurl 7.88 refuses this on a handle whose last transfer ended while it was looking up the
   * host: its buffer is still there, so what is asked for is what it has. */
  (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
  bool ok = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
  if (o->user_agent)
    ok = ok && curl_easy_setopt(easy, CURLOPT_USERAGENT, o->user_agent) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
  ok = ok &&
       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms) == CURLE_OK;
  return ok && set_security(easy, o);
}

bool setup_request(CURL *easy, const struct http_request *r) {
  if (strcmp(r->method, "HEAD") == 0) return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
  if (strcmp(r->method, "GET") == 0) return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
  bool ok = curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
  if (strcmp(r->method, "POST") != 0)
    ok = ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
  ok = ok &&
       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size) == CURLE_OK;
  return ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body ? r->body : "") == CURLE_OK;
}
