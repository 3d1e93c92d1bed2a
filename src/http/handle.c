/* SPDX-License-Identifier: Apache-2.0 */
/* Making and releasing struct http: the once-only init of curl, the DNS cache and TLS sessions that
 * all threads share, and the pool of idle curl handles. Connections are never shared between
 * handles: libcurl does not support that across threads. Any thread. */
#include "handle.h"

#include "text.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;

static void init_curl(void) {
  curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_options_init(struct http_options *options) {
  *options = (struct http_options){
      .verify_tls = 1,
      .connect_timeout_ms = 10000,
      .stall_timeout_ms = 30000,
      .max_attempts = 5,
  };
}

static void lock_shared(CURL *easy, curl_lock_data data, curl_lock_access access, void *user) {
  (void)easy;
  (void)access;
  pthread_mutex_lock(&((struct http *)user)->share_locks[data]);
}

static void unlock_shared(CURL *easy, curl_lock_data data, void *user) {
  (void)easy;
  pthread_mutex_unlock(&((struct http *)user)->share_locks[data]);
}

static bool open_share(struct http *http) {
  http->share = curl_share_init();
  if (!http->share) return false;
  bool ok = curl_share_setopt(http->share, CURLSHOPT_USERDATA, http) == CURLSHE_OK;
  ok = ok && curl_share_setopt(http->share, CURLSHOPT_LOCKFUNC, lock_shared) == CURLSHE_OK;
  ok = ok && curl_share_setopt(http->share, CURLSHOPT_UNLOCKFUNC, unlock_shared) == CURLSHE_OK;
  ok = ok && curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK;
  return ok &&
         curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

static bool copy_text(const char *from, const char **to) {
  *to = text_dup(from);
  return *to || !from;
}

static bool copy_options(const struct http_options *from, struct http_options *to) {
  *to = *from;
  to->user_agent = to->ca_file = to->proxy = NULL;
  return copy_text(from->user_agent, &to->user_agent) && copy_text(from->ca_file, &to->ca_file) &&
         copy_text(from->proxy, &to->proxy);
}

static void free_text(const char *text) {
  free((void *)(uintptr_t)text);
}

void http_free(struct http *http) {
  if (!http) return;
  while (http->idle) {
    struct handle *next = http->idle->next;
    handle_free(http->idle);
    http->idle = next;
  }
  curl_share_cleanup(http->share);
  for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
    pthread_mutex_destroy(&http->share_locks[i]);
  pthread_mutex_destroy(&http->idle_lock);
  free_text(http->options.user_agent);
  free_text(http->options.ca_file);
  free_text(http->options.proxy);
  free(http);
}
HOIST_DEFINE_AUTO(http, struct http, http_free)

enum hoist_status http_new(const struct http_options *options, struct http **ret_http,
                           struct hoist_error *err) {
  pthread_once(&curl_once, init_curl);
  if (curl_ready != CURLE_OK)
    return hoist_fail(err, HOIST_INTERNAL, "libcurl could not be initialised: %s",
                      curl_easy_strerror(curl_ready));
  HOIST_AUTO(http) struct http *http = calloc(1, sizeof *http);
  if (!http) return hoist_fail_memory(err, "the HTTP client");
  for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
    pthread_mutex_init(&http->share_locks[i], NULL);
  pthread_mutex_init(&http->idle_lock, NULL);
  if (!copy_options(options, &http->options) || !open_share(http))
    return hoist_fail_memory(err, "the HTTP client");
  *ret_http = HOIST_TAKE(http);
  return HOIST_OK;
}

enum hoist_status http_new_direct(const struct http *like, struct http **ret_http,
                                  struct hoist_error *err) {
  struct http_options options = like->options;
  options.proxy = "";
  return http_new(&options, ret_http, err);
}

void handle_free(struct handle *handle) {
  if (!handle) return;
  curl_easy_cleanup(handle->easy);
  curl_multi_cleanup(handle->multi);
  free(handle);
}

static struct handle *handle_new(const struct http *http) {
  HOIST_AUTO(handle) struct handle *handle = calloc(1, sizeof *handle);
  if (!handle) return NULL;
  handle->easy = curl_easy_init();
  handle->multi = curl_multi_init();
  if (!handle->easy || !handle->multi) return NULL;
  /* The share outlives curl_easy_reset, so this is said once. */
  if (curl_easy_setopt(handle->easy, CURLOPT_SHARE, http->share) != CURLE_OK) return NULL;
  return HOIST_TAKE(handle);
}

enum hoist_status http_take_handle(struct http *http, struct handle **ret_handle,
                                   struct hoist_error *err) {
  pthread_mutex_lock(&http->idle_lock);
  struct handle *handle = http->idle;
  if (handle) {
    http->idle = handle->next;
    http->idle_count--;
  }
  pthread_mutex_unlock(&http->idle_lock);
  if (!handle) handle = handle_new(http);
  if (!handle) return hoist_fail_memory(err, "a curl handle");
  *ret_handle = handle;
  return HOIST_OK;
}

void http_return_handle(struct http *http, struct handle *handle) {
  if (!handle) return;
  pthread_mutex_lock(&http->idle_lock);
  bool keep = http->idle_count < HTTP_MAX_IDLE_HANDLES;
  if (keep) {
    handle->next = http->idle;
    http->idle = handle;
    http->idle_count++;
  }
  pthread_mutex_unlock(&http->idle_lock);
  if (!keep) handle_free(handle);
}
