/* SPDX-License-Identifier: Apache-2.0 */
/* http_perform: attempts with waits in between; within an attempt the hops of a redirect; for each
 * hop one span and one transfer. Redirects are followed here and not by curl, which would send
 * secret headers along to wherever it is sent. Any thread, one request at a time each. */
#include <curl/curl.h>
#include <hoist/hoist.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "headers.h"
#include "request_headers.h"
#include "retry.h"
#include "span.h"
#include "text.h"
#include "transfer.h"

#define MAX_STALE_CONNECTIONS 5 /* in a row */

/* One http_perform under way. */
struct exchange {
  const struct call *call;
  struct http *http;
  const struct http_request *request;
  const struct target *origin; /* of the request's own URL: the only one to get its headers */
  struct http_response response;
  uint32_t sent; /* requests put on the wire so far */
  bool retry;    /* whether the last one failed in a way that another attempt may help */
  bool stale;    /* whether it never reached a server: the connection had been closed */
};

static inline void exchange_cleanup(struct exchange *x) {
  http_response_done(&x->response);
}

static inline void slist_cleanup(struct curl_slist **owner) {
  curl_slist_free_all(*owner);
}

static enum hoist_status send_request(struct exchange *x, struct transfer *t,
                                      const struct hoist_span *span, CURL **ret_easy,
                                      struct handle **handle, struct hoist_error *err) {
  HOIST_AUTO(slist) struct curl_slist *headers = NULL;
  bool is_own = target_same_origin(t->target, x->origin);
  t->failure = (struct failure){0};
  enum hoist_status status = call_check(x->call, t->doing, err);
  if (status == HOIST_OK)
    status = request_headers(x->call, x->request, is_own, span, &headers, err);
  if (status == HOIST_OK) status = http_take_handle(x->http, handle, err);
  if (status != HOIST_OK) return status;
  t->headers = headers;
  *ret_easy = (*handle)->easy;
  return http_transfer_run(t, *handle, err);
}

/* One hop, with its span. On failure x->retry tells whether to try again. */
static enum hoist_status hop(struct exchange *x, const struct target *target,
                             struct hoist_error *err) {
  http_response_done(&x->response);
  x->response.headers = buf_make(HTTP_MAX_HEADER_BYTES);
  struct transfer t = {.call = x->call,
                       .options = &x->http->options,
                       .request = x->request,
                       .target = target,
                       .response = &x->response};
  snprintf(t.doing, sizeof t.doing, "%s %s", x->request->method, target->authority);
  struct hoist_span span;
  request_span_start(x->call, x->request, target, x->sent++, &span);
  struct handle *handle = NULL;
  CURL *easy = NULL;
  enum hoist_status status = send_request(x, &t, &span, &easy, &handle, err);
  const char *reason = NULL;
  if (status == HOIST_CANCELLED && call_is_needless(x->call))
    hoist_span_set_bool(&span, "hoist.http.stopped", 1); /* which is no failure of the request */
  else if (status != HOIST_OK)
    reason = t.failure.reason ? t.failure.reason : hoist_status_name(status);
  request_span_end(&span, easy, x->request, &x->response, t.body_bytes, reason, err);
  call_note_received(x->call, t.body_bytes);
  http_return_handle(x->http, handle);
  x->retry = status == HOIST_OK ? retry_status(x->response.status) : t.failure.retry;
  x->stale = x->retry && t.stale;
  return status;
}

static const char *redirect_location(const struct exchange *x, size_t *ret_size) {
  int s = x->response.status;
  bool redirect = s == 301 || s == 302 || s == 303 || s == 307 || s == 308;
  if (!redirect || !x->request->follow_redirects || strcmp(x->request->method, "POST") == 0)
    return NULL;
  return headers_find(&x->response, "location", ret_size);
}

/* One attempt: the request's own URL and on from there as far as it is redirected. */
static enum hoist_status attempt(struct exchange *x, struct hoist_error *err) {
  HOIST_AUTO(target) struct target target = {0};
  enum hoist_status status = target_parse(x->request->url, &target, err);
  for (unsigned hops = 0; status == HOIST_OK; hops++) {
    status = hop(x, &target, err);
    size_t size = 0;
    const char *location = status == HOIST_OK ? redirect_location(x, &size) : NULL;
    if (!location) return status;
    if (hops == HTTP_MAX_REDIRECTS)
      return hoist_fail(err, HOIST_CORRUPT, "%s: more than %d redirects; check the address",
                        x->origin->authority, HTTP_MAX_REDIRECTS);
    status = target_redirect(&target, location, size, err);
  }
  return status;
}

/* A server may close a connection that is kept just when it is used again. That says nothing about the
 * server, so it is asked again at once, and it is no attempt. */
static enum hoist_status attempt_afresh(struct exchange *x, struct hoist_error *err) {
  enum hoist_status status = attempt(x, err);
  for (unsigned i = 0; x->stale && i < MAX_STALE_CONNECTIONS; i++)
    status = attempt(x, err);
  return status;
}

/* A wait that would outlast the deadline is not begun: the caller may still use the time elsewhere.
 */
static bool fits_deadline(const struct call *call, uint64_t delay_ns) {
  return call->deadline_ns == 0 || clock_monotonic_ns() + delay_ns < call->deadline_ns;
}

static void report_retry(const struct exchange *x, uint32_t attempt_number, uint32_t most,
                         uint64_t delay_ns, enum hoist_status status,
                         const struct hoist_error *err) {
  if (!x->call->progress) return;
  char cause[HOIST_ERROR_MESSAGE_SIZE], message[HOIST_ERROR_MESSAGE_SIZE + 96];
  if (status != HOIST_OK && err)
    text_copy(cause, sizeof cause, err->message);
  else
    snprintf(cause, sizeof cause, "%s answered %d", x->origin->authority, x->response.status);
  bool is_short = delay_ns < NS_PER_S;
  snprintf(message, sizeof message, "%s; trying again in %.0f %s (attempt %u of %u)", cause,
           (double)delay_ns / (double)(is_short ? NS_PER_MS : NS_PER_S), is_short ? "ms" : "s",
           attempt_number, most);
  const struct hoist_progress event = {.kind = HOIST_PROGRESS_RETRY,
                                       .message = message,
                                       .wait_ms = (uint32_t)(delay_ns / NS_PER_MS),
                                       .file_bytes = -1,
                                       .total_bytes = -1};
  x->call->progress(x->call->progress_user, &event);
}

static enum hoist_status run_attempts(struct exchange *x, uint32_t *ret_attempts,
                                      struct hoist_error *err) {
  uint32_t most = x->request->max_attempts;
  if (most == 0) most = x->http->options.max_attempts;
  char doing[TARGET_HOST_SIZE + 32];
  snprintf(doing, sizeof doing, "waiting to ask %s again", x->origin->authority);
  for (*ret_attempts = 1;; ++*ret_attempts) {
    enum hoist_status status = attempt_afresh(x, err);
    if (!x->retry || *ret_attempts >= most) return status;
    bool is_asked;
    uint64_t delay_ns = retry_delay_ns(&x->response, *ret_attempts, &is_asked);
    if (!fits_deadline(x->call, delay_ns)) {
      if (is_asked) x->response.too_long_ns = delay_ns;
      return status;
    }
    if (x->call->paused) atomic_store(x->call->paused, 1);
    report_retry(x, *ret_attempts, most, delay_ns, status, err);
    status = call_sleep(x->call, delay_ns, doing, err);
    if (status != HOIST_OK) {
      x->retry = false;
      return status;
    }
  }
}

static enum hoist_status check_request(const struct http_request *r, struct hoist_error *err) {
  static const char *const methods[] = {"GET", "HEAD", "POST", "PUT"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(r->method, methods[i]) == 0) return HOIST_OK;
  return hoist_fail(err, HOIST_INVALID, "HTTP method \"%.20s\" is not one of GET, HEAD, POST, PUT",
                    r->method);
}

enum hoist_status http_perform(const struct call *call, struct http *http,
                               const struct http_request *request,
                               struct http_response *ret_response, struct hoist_error *err) {
  HOIST_AUTO(target) struct target origin = {0};
  struct hoist_error failure = {0};
  enum hoist_status status = check_request(request, err);
  if (status == HOIST_OK) status = target_parse(request->url, &origin, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(exchange)
  struct exchange x = {.call = call, .http = http, .request = request, .origin = &origin};
  uint32_t attempts = 0;
  status = run_attempts(&x, &attempts, &failure);
  if (status == HOIST_OK) {
    x.response.attempts = attempts;
    *ret_response = x.response;
    x.response = (struct http_response){0};
    return HOIST_OK;
  }
  if (x.retry && attempts > 1) hoist_error_prepend(&failure, "after %u attempts", attempts);
  if (err) *err = failure;
  return status;
}
