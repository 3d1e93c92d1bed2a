/* SPDX-License-Identifier: Apache-2.0 */
/* One request on the wire. It runs through the multi interface, polled in slices, because a
 * blocking easy transfer that waits for bytes looks up only about once a second: too late for a
 * cancel, which must end it within 100 ms. The same loop sees to the stall timeout, which curl
 * counts in whole seconds only. One thread: curl's callbacks come from the thread that called
 * transfer_run. */
#include "transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "clock.h"
#include "headers.h"
#include "setup.h"

#define SLICE_MS 20 /* how late a cancel may be noticed */

static bool is_success(const struct http_response *response) {
  return response->status >= 200 && response->status < 300;
}

static enum hoist_status stop(struct transfer *t, enum hoist_status status) {
  t->status = status;
  t->failure = (struct failure){.reason = hoist_status_name(status)};
  return status;
}

static size_t on_header(char *line, size_t size, size_t count, void *user) {
  struct transfer *t = user;
  size *= count;
  t->header_bytes += size;
  stall_note(&t->stall, size, clock_monotonic_ns());
  enum hoist_status status;
  if (t->header_bytes > HTTP_MAX_HEADER_BYTES)
    status = hoist_fail(t->err, HOIST_CORRUPT, "%s: the response headers are over %u bytes",
                        t->target->authority, HTTP_MAX_HEADER_BYTES);
  else
    status = headers_add_line(t->response, line, size, t->err);
  if (status != HOIST_OK) {
    stop(t, status);
    return 0;
  }
  t->headers_complete = line[0] == '\r' || line[0] == '\n';
  if (t->headers_complete && t->response->status >= 200)
    stall_restart(&t->stall, clock_monotonic_ns());
  return size;
}

static enum hoist_status begin_sink(struct transfer *t) {
  if (t->begun || !t->request->begin || !is_success(t->response)) return HOIST_OK;
  t->begun = true;
  return t->request->begin(t->request->sink_user, t->response, t->err);
}

/* An error's body is for a hint only: what does not fit is not worth waiting for. */
static enum hoist_status keep_error_body(struct transfer *t, const char *data, size_t size) {
  size_t room = HTTP_MAX_ERROR_BYTES - t->response->body.size;
  t->cut = size > room;
  t->response->body.max = HTTP_MAX_ERROR_BYTES;
  return buf_append(&t->response->body, data, t->cut ? room : size, t->err);
}

static enum hoist_status take_body(struct transfer *t, const char *data, size_t size) {
  enum hoist_status status = call_check(t->call, t->doing, t->err);
  if (status != HOIST_OK) return status;
  if (!is_success(t->response)) return keep_error_body(t, data, size);
  if (t->request->begin) {
    status = begin_sink(t);
    return status == HOIST_OK ? t->request->write(t->request->sink_user, data, size, t->err)
                              : status;
  }
  t->response->body.max = t->request->max_body;
  if (size > t->request->max_body - t->response->body.size)
    return hoist_fail(t->err, HOIST_CORRUPT, "%s: the answer is over the %zu bytes allowed",
                      t->target->authority, t->request->max_body);
  return buf_append(&t->response->body, data, size, t->err);
}

static size_t on_body(char *data, size_t size, size_t count, void *user) {
  struct transfer *t = user;
  size *= count;
  t->body_bytes += size;
  t->response->content_length = headers_content_length(t->response);
  uint64_t began = clock_monotonic_ns();
  enum hoist_status status = take_body(t, data, size);
  uint64_t now = clock_monotonic_ns();
  stall_pause(&t->stall, now - began);
  stall_note(&t->stall, size, now);
  if (status != HOIST_OK) stop(t, status);
  return status == HOIST_OK && !t->cut ? size : 0;
}

/* Called when a connection is ready and the request is about to leave: from here on the stall
 * timeout counts, not the connect timeout. A second time: curl is about to send it again. */
static int on_connected(void *user, char *remote, char *local, int remote_port, int local_port) {
  struct transfer *t = user;
  (void)remote, (void)local, (void)remote_port, (void)local_port;
  t->stale |= t->connected;
  if (t->stale) return CURL_PREREQFUNC_ABORT;
  t->connected = true;
  stall_restart(&t->stall, clock_monotonic_ns());
  return CURL_PREREQFUNC_OK;
}

/* curl sends a request anew, on another connection, where a kept one turns out to be closed by the server.
 * That would be a request without a span, so it is http_perform that does so. */
static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
  struct transfer *t = user;
  (void)purpose;
  t->stale |= t->connected;
  if (t->stale) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool set_callbacks(CURL *easy, struct transfer *t) {
  bool ok = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, t) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected) == CURLE_OK;
  return ok && curl_easy_setopt(easy, CURLOPT_PREREQDATA, t) == CURLE_OK;
}

static bool set_up(struct transfer *t, struct handle *h) {
  CURL *easy = h->easy;
  curl_easy_reset(easy);
  h->error[0] = '\0';
  bool ok = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, h->error) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_URL, t->target->url) == CURLE_OK;
  ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
  return ok && set_callbacks(easy, t) && setup_options(easy, t->options) &&
         setup_request(easy, t->request);
}

/* Bytes sent are progress too; curl has no callback for them. */
static void note_upload(struct transfer *t, CURL *easy, uint64_t now) {
  curl_off_t sent = 0;
  if (curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent) == CURLE_OK && sent != t->uploaded) {
    t->uploaded = sent;
    stall_restart(&t->stall, now);
  }
}

static enum hoist_status give_up(struct transfer *t, const char *what, uint32_t limit_ms) {
  t->status = HOIST_UNAVAILABLE;
  t->failure = (struct failure){.reason = "timeout", .retry = true};
  return hoist_fail(t->err, HOIST_UNAVAILABLE, "%s: %s %u ms; check the network or try again",
                    t->target->authority, what, limit_ms);
}

static enum hoist_status give_up_stalled(struct transfer *t) {
  char what[64] = "the server sent nothing for";
  if (t->stall.bytes > 0)
    snprintf(what, sizeof what, "the server sent fewer than %u bytes in", HTTP_STALL_BYTES);
  return give_up(t, what, t->options->stall_timeout_ms);
}

/* Whether to go on waiting, and for how long at most. */
static enum hoist_status watch(struct transfer *t, CURL *easy, int *ret_wait_ms) {
  enum hoist_status status = call_check(t->call, t->doing, t->err);
  if (status != HOIST_OK) return stop(t, status);
  uint64_t now = clock_monotonic_ns(), wait_ms = call_remaining_ms(t->call, SLICE_MS);
  note_upload(t, easy, now);
  if (t->connected && t->options->stall_timeout_ms > 0) {
    uint64_t left = stall_left_ms(&t->stall, now, t->options->stall_timeout_ms);
    if (left == 0) return give_up_stalled(t);
    wait_ms = left < wait_ms ? left : wait_ms;
  }
  if (t->request->timeout_ms > 0) {
    const struct stall whole = {.since_ns = t->started_ns};
    uint64_t left = stall_left_ms(&whole, now, t->request->timeout_ms);
    if (left == 0) return give_up(t, "the answer was not complete for", t->request->timeout_ms);
    wait_ms = left < wait_ms ? left : wait_ms;
  }
  *ret_wait_ms = wait_ms < SLICE_MS ? (int)wait_ms : SLICE_MS;
  return HOIST_OK;
}

static enum hoist_status fail_multi(struct transfer *t, CURLMcode code) {
  stop(t, code == CURLM_OUT_OF_MEMORY ? HOIST_NO_MEMORY : HOIST_INTERNAL);
  return hoist_fail(t->err, t->status, "%s: libcurl: %s", t->target->authority,
                    curl_multi_strerror(code));
}

/* A server that writes the head and the body of a small answer apart, and leaves Nagle's algorithm
 * on (radosgw does), holds the body back until the head is acknowledged, which Linux puts off by 40
 * ms unless told otherwise once the head is there. */
static void acknowledge_head(struct transfer *t, CURLM *multi) {
#ifdef TCP_QUICKACK
  fd_set readable, writable, failed;
  int last = -1;
  if (!t->headers_complete || t->acknowledged) return;
  t->acknowledged = true;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&failed);
  if (curl_multi_fdset(multi, &readable, &writable, &failed, &last) != CURLM_OK) return;
  for (int fd = 0; fd <= last; fd++)
    if (FD_ISSET(fd, &readable))
      (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
#else
  (void)t, (void)multi;
#endif
}

/* Runs to the end of the transfer, however it ends. OK: `ret_code` is curl's verdict. */
static enum hoist_status drive(struct transfer *t, struct handle *h, CURLcode *ret_code) {
  for (;;) {
    int running = 0, wait_ms = 0, left = 0;
    CURLMcode code = curl_multi_perform(h->multi, &running);
    if (code != CURLM_OK) return fail_multi(t, code);
    const CURLMsg *message = curl_multi_info_read(h->multi, &left);
    if (message) {
      *ret_code = message->data.result;
      return HOIST_OK;
    }
    acknowledge_head(t, h->multi);
    enum hoist_status status = watch(t, h->easy, &wait_ms);
    if (status != HOIST_OK) return status;
    code = curl_multi_poll(h->multi, NULL, 0, wait_ms, NULL);
    if (code != CURLM_OK) return fail_multi(t, code);
  }
}

static enum hoist_status finish_well(struct transfer *t) {
  t->response->content_length = headers_content_length(t->response);
  enum hoist_status status = begin_sink(t);
  return status == HOIST_OK ? HOIST_OK : stop(t, status);
}

/* How curl says that one header line is longer than it reads: CURLE_TOO_LARGE (100)
 * since 8.6, out of memory before. */
static bool is_too_large(CURLcode code) {
  return code == CURLE_OUT_OF_MEMORY || (int)code == 100;
}

static enum hoist_status finish(struct transfer *t, struct handle *h, CURLcode code) {
  if (t->status != HOIST_OK) return t->status;
  if (code == CURLE_OK || t->cut) return finish_well(t);
  if (t->stale) code = CURLE_GOT_NOTHING;
  if (t->connected && !t->headers_complete && is_too_large(code)) {
    stop(t, HOIST_CORRUPT);
    return hoist_fail(t->err, HOIST_CORRUPT, "%s: a response header is too long",
                      t->target->authority);
  }
  long sys_errno = 0;
  if (curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &sys_errno) != CURLE_OK) sys_errno = 0;
  return failure_of_curl(code, (int)sys_errno, t->target->authority, h->error, &t->failure, t->err);
}

enum hoist_status http_transfer_run(struct transfer *t, struct handle *handle,
                                    struct hoist_error *err) {
  t->err = err;
  if (!set_up(t, handle)) {
    stop(t, HOIST_NO_MEMORY);
    return hoist_fail_memory(err, t->doing);
  }
  t->started_ns = clock_monotonic_ns();
  stall_restart(&t->stall, t->started_ns);
  CURLMcode added = curl_multi_add_handle(handle->multi, handle->easy);
  if (added != CURLM_OK) return fail_multi(t, added);
  CURLcode code = CURLE_OK;
  enum hoist_status status = drive(t, handle, &code);
  if (status == HOIST_OK) status = finish(t, handle, code);
  curl_multi_remove_handle(handle->multi, handle->easy);
  return status;
}
