/* SPDX-License-Identifier: Apache-2.0 */
/* One POST over libcurl. The multi interface rather than curl_easy_perform, because only that can be
 * woken from another thread and given up at any time. Owns the handles. One thread, but for wake. */
#include "http_post.h"

#include <strings.h>

#include "clock.h"
#include "text.h"

enum { SLICE_MS = 1000 }; /* longest time without looking at the clock */

static size_t keep_answer(char *data, size_t unit, size_t count, void *user) {
  struct http_post *post = user;
  return buf_append(&post->answer, data, unit * count, NULL) == HOIST_OK ? unit * count : 0;
}

static size_t pass_header(char *line, size_t unit, size_t count, void *user) {
  struct http_post *post = user;
  post->on_header(post->on_header_user, line, unit * count);
  return unit * count;
}

static bool set_file(CURL *easy, CURLoption option, const char *path) {
  return !path || !*path || curl_easy_setopt(easy, option, path) == CURLE_OK;
}

static bool set_tls(const struct http_post *post) {
  return set_file(post->easy, CURLOPT_CAINFO, post->ca_file) &&
         set_file(post->easy, CURLOPT_SSLCERT, post->client_certificate_file) &&
         set_file(post->easy, CURLOPT_SSLKEY, post->client_key_file);
}

/* libcurl below 8.0.0 fails the second request on a cleartext connection that began as HTTP/2. */
static bool must_not_reuse(const struct http_post *post) {
  return strncasecmp(post->url, "https:", 6) != 0 &&
         curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

static bool set_http2(const struct http_post *post) {
  bool is_tls = strncasecmp(post->url, "https:", 6) == 0;
  long version = is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
  return !post->http2 || (curl_easy_setopt(post->easy, CURLOPT_HTTP_VERSION, version) == CURLE_OK &&
                          curl_easy_setopt(post->easy, CURLOPT_FORBID_REUSE,
                                           (long)must_not_reuse(post)) == CURLE_OK);
}

static bool set_on_header(struct http_post *post) {
  CURL *easy = post->easy;
  return !post->on_header ||
         (curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
          curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, pass_header) == CURLE_OK &&
          curl_easy_setopt(easy, CURLOPT_HEADERDATA, post) == CURLE_OK);
}

/* The cap on the answer holds for what comes out of it. */
static bool set_gzip_answer(const struct http_post *post) {
  return !post->gzip_answer ||
         curl_easy_setopt(post->easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK;
}

static bool open_handles(struct http_post *post) {
  post->multi = curl_multi_init();
  post->easy = curl_easy_init();
  if (!post->multi || !post->easy) return false;
  CURL *easy = post->easy;
#if LIBCURL_VERSION_NUM >= 0x075700
  /* The end does not wait for getaddrinfo: the resolver's thread ends by itself. */
  (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  return curl_easy_setopt(easy, CURLOPT_URL, post->url) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_USERAGENT,
                          "OTel-OTLP-Exporter-C/" HOIST_VERSION
                          " hoist/" HOIST_VERSION) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_answer) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_WRITEDATA, post) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->curl_error) == CURLE_OK &&
         set_tls(post) && set_http2(post) && set_gzip_answer(post) && set_on_header(post);
}

static void close_handles(struct http_post *post) {
  if (post->easy) curl_easy_cleanup(post->easy);
  if (post->multi) curl_multi_cleanup(post->multi);
  post->easy = NULL;
  post->multi = NULL;
}

static bool copy_texts(struct http_post *post, const struct http_post_config *config) {
  post->url = text_dup(config->url);
  post->ca_file = text_dup(config->ca_file);
  post->client_certificate_file = text_dup(config->client_certificate_file);
  post->client_key_file = text_dup(config->client_key_file);
  return post->url && !config->ca_file == !post->ca_file &&
         !config->client_certificate_file == !post->client_certificate_file &&
         !config->client_key_file == !post->client_key_file;
}

enum hoist_status http_post_init(struct http_post *post, const struct http_post_config *config,
                                 struct hoist_error *err) {
  *post = (struct http_post){.headers = config->headers,
                             .http2 = config->http2,
                             .gzip_answer = config->gzip_answer,
                             .on_header = config->on_header,
                             .on_header_user = config->on_header_user,
                             .stop_at_ns = config->stop_at_ns,
                             .answer = buf_make(HTTP_POST_ANSWER_MAX)};
  if (copy_texts(post, config) && open_handles(post)) return HOIST_OK;
  http_post_done(post);
  return hoist_fail_memory(err, "an OTLP exporter");
}

void http_post_done(struct http_post *post) {
  close_handles(post);
  curl_slist_free_all(post->headers);
  buf_done(&post->answer);
  free(post->url);
  free(post->ca_file);
  free(post->client_certificate_file);
  free(post->client_key_file);
  *post = (struct http_post){0};
}

void http_post_after_fork(struct http_post *post) {
  post->easy = NULL;
  post->multi = NULL;
  if (!open_handles(post)) close_handles(post);
}

uint64_t http_post_limit(const struct http_post *post, uint64_t deadline_ns) {
  uint64_t stop_at_ns = atomic_load(post->stop_at_ns);
  return deadline_ns < stop_at_ns ? deadline_ns : stop_at_ns;
}

/* Milliseconds to wait at a time, 0 when the limit has been reached. */
static int slice_ms(const struct http_post *post, uint64_t deadline_ns) {
  uint64_t now = clock_monotonic_ns(), limit = http_post_limit(post, deadline_ns);
  if (now >= limit) return 0;
  uint64_t left_ms = (limit - now) / NS_PER_MS + 1;
  return left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
}

/* Drives the transfer to its end or to the limit. */
static void drive(struct http_post *post, uint64_t deadline_ns, struct http_answer *answer) {
  int running = 1, wait_ms, left;
  while (curl_multi_perform(post->multi, &running) == CURLM_OK && running) {
    wait_ms = slice_ms(post, deadline_ns);
    if (wait_ms == 0) {
      answer->out_of_time = true;
      return;
    }
    if (curl_multi_poll(post->multi, NULL, 0, wait_ms, NULL) != CURLM_OK) break;
  }
  answer->code = CURLE_RECV_ERROR;
  for (const CURLMsg *msg; (msg = curl_multi_info_read(post->multi, &left)) != NULL;)
    if (msg->msg == CURLMSG_DONE) answer->code = msg->data.result;
}

static void read_answer(struct http_post *post, struct http_answer *answer) {
  curl_off_t seconds = 0, handshake_us = 0;
  (void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &answer->status);
  (void)curl_easy_getinfo(post->easy, CURLINFO_APPCONNECT_TIME_T, &handshake_us);
  answer->is_new_tls = handshake_us > 0;
  (void)curl_easy_getinfo(post->easy, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > HTTP_POST_RETRY_AFTER_MAX_S) seconds = HTTP_POST_RETRY_AFTER_MAX_S;
  answer->retry_after_ms = seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

static bool set_request(struct http_post *post, const struct http_request *request,
                        struct curl_slist *headers) {
  CURL *easy = post->easy;
  return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->data) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size) == CURLE_OK;
}

enum hoist_status http_post_send(struct http_post *post, const struct http_request *request,
                                 struct http_answer *ret_answer, struct hoist_error *err) {
  struct http_answer answer = {0};
  char line[HTTP_POST_HEADER_SIZE] = "";
  struct curl_slist longer = {.data = line, .next = post->headers};
  if (request->header) text_copy(line, sizeof line, request->header);
  buf_clear(&post->answer);
  post->curl_error[0] = '\0';
  if (!post->multi || !set_request(post, request, request->header ? &longer : post->headers) ||
      curl_multi_add_handle(post->multi, post->easy) != CURLM_OK)
    return hoist_fail_memory(err, "an OTLP request");
  drive(post, request->deadline_ns, &answer);
  read_answer(post, &answer);
  (void)curl_multi_remove_handle(post->multi, post->easy);
  *ret_answer = answer;
  return HOIST_OK;
}

bool http_post_pause(struct http_post *post, uint64_t ms) {
  uint64_t until_ns = clock_monotonic_ns() + ms * NS_PER_MS;
  for (int wait_ms; (wait_ms = slice_ms(post, until_ns)) > 0;)
    if (curl_multi_poll(post->multi, NULL, 0, wait_ms, NULL) != CURLM_OK) return false;
  return atomic_load(post->stop_at_ns) > clock_monotonic_ns();
}

void http_post_wake(struct http_post *post) {
  if (post->multi) (void)curl_multi_wakeup(post->multi);
}
