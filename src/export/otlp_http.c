/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP over HTTP, protobuf: what to send, what an answer means, when to try again. Rules: the OTLP
 * specification, "OTLP/HTTP Response" and "OTLP/HTTP Throttling". Owns its connection and headers. The
 * worker thread only, but for wake. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "endpoint.h"
#include "http_post.h"
#include "ids.h"
#include "keyvalue.h"
#include "secrets.h"
#include "text.h"
#include "wire.h"

enum { BACKOFF_MAX_MS = 5000 };

struct otlp_http {
  struct exporter base;
  struct http_post post;
  struct secrets secrets;
  char *shown; /* the URL without its secrets */
  uint32_t timeout_ms, backoff_ms;
};

/* ---- what an answer means ----------------------------------------------------------------------- */

enum verdict { ACCEPTED, TRY_AGAIN, REFUSED, OUT_OF_TIME };

static bool connection_failed(CURLcode code) {
  switch ((int)code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_CONNECT:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
    return true;
  default:
    return false;
  }
}

static enum verdict judge(const struct http_answer *answer) {
  if (answer->out_of_time) return OUT_OF_TIME;
  if (answer->code != CURLE_OK)
    return answer->status == 0 && connection_failed(answer->code) ? TRY_AGAIN : REFUSED;
  if (answer->status >= 200 && answer->status < 300) return ACCEPTED;
  switch (answer->status) {
  case 429:
  case 502:
  case 503:
  case 504:
    return TRY_AGAIN;
  default:
    return REFUSED;
  }
}

/* ---- reading what the receiver says -------------------------------------------------------------- */

static void copy_text(const struct otlp_http *http, const struct wire_field *field, char *out,
                      size_t out_size) {
  size_t size = utf8_prefix((const char *)field->data, field->size, out_size - 1);
  memcpy(out, field->data, size);
  out[size] = '\0';
  secrets_hide(&http->secrets, out);
}

/* Export…PartialSuccess: {1: rejected count, 2: message}. */
static void read_partial(const struct otlp_http *http, const struct wire_field *message,
                         struct partial *partial) {
  struct wire_reader reader = wire_read(message->data, message->size);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD) {
    if (field.number == 1 && field.type == WIRE_VARINT && (int64_t)field.value > 0)
      partial->rejected = field.value;
    else if (field.number == 2 && field.type == WIRE_BYTES)
      copy_text(http, &field, partial->message, sizeof partial->message);
  }
}

/* Export…Response: {1: partial success}. Whatever else the body is, the batch was taken. */
static void read_response(const struct otlp_http *http, struct partial *partial) {
  struct wire_reader reader = wire_read(http->post.answer.data, http->post.answer.size);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == 1 && field.type == WIRE_BYTES) read_partial(http, &field, partial);
}

/* google.rpc.Status: {1: code, 2: message}; "" where the body is anything else. */
static void read_rpc_status(const struct otlp_http *http, char *out, size_t out_size) {
  struct wire_reader reader = wire_read(http->post.answer.data, http->post.answer.size);
  struct wire_field field;
  enum wire_result result;
  out[0] = '\0';
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD)
    if (field.number == 2 && field.type == WIRE_BYTES &&
        utf8_valid((const char *)field.data, field.size))
      copy_text(http, &field, out, out_size);
  if (result == WIRE_MALFORMED) out[0] = '\0';
}

/* ---- delivering ---------------------------------------------------------------------------------- */

static enum hoist_status fail(struct otlp_http *http, const struct http_answer *answer,
                              unsigned attempts, struct hoist_error *err) {
  char said[200];
  if (answer->out_of_time)
    return hoist_fail(err, HOIST_UNAVAILABLE, "POST %s: no answer in time (attempt %u)",
                      http->shown, attempts);
  if (answer->code != CURLE_OK) {
    secrets_hide(&http->secrets, http->post.curl_error);
    return hoist_fail(err, HOIST_UNAVAILABLE, "POST %s: %s (attempt %u)", http->shown,
                      http->post.curl_error[0] ? http->post.curl_error
                                               : curl_easy_strerror(answer->code),
                      attempts);
  }
  read_rpc_status(http, said, sizeof said);
  enum hoist_status status =
      hoist_fail(err, HOIST_UNAVAILABLE, "POST %s: HTTP status %ld%s%s (attempt %u)", http->shown,
                 answer->status, said[0] ? ": " : "", said, attempts);
  if (err) err->http_status = (int)answer->status;
  return status;
}

/* Half to one and a half of the nominal time, so that clients of a restarted collector spread. */
static uint64_t jittered(uint64_t ms) {
  uint8_t bytes[8];
  uint64_t random;
  (void)ids_fill(NULL, bytes);
  memcpy(&random, bytes, sizeof random);
  return ms / 2 + random % (ms + 1);
}

/* Waits before the next attempt. False where the time is up, or would be by then. */
static bool wait_for_retry(struct otlp_http *http, const struct http_answer *answer,
                           uint64_t deadline_ns, uint64_t *backoff_ms) {
  uint64_t ms = answer->has_retry_after ? answer->retry_after_ms : jittered(*backoff_ms);
  uint64_t limit = http_post_limit(&http->post, deadline_ns), now = clock_monotonic_ns();
  if (now >= limit || ms >= (limit - now) / NS_PER_MS) return false;
  *backoff_ms += *backoff_ms / 2;
  if (*backoff_ms > BACKOFF_MAX_MS) *backoff_ms = BACKOFF_MAX_MS;
  return http_post_pause(&http->post, ms);
}

static enum hoist_status http_deliver(struct exporter *exporter, const struct batch *batch,
                                      struct partial *ret_partial, struct hoist_error *err) {
  struct otlp_http *http = (struct otlp_http *)exporter;
  uint64_t backoff_ms = http->backoff_ms, deadline_ns = UINT64_MAX;
  if (http->timeout_ms > 0) deadline_ns = clock_monotonic_ns() + http->timeout_ms * NS_PER_MS;
  for (unsigned attempt = 1;; attempt++) {
    struct http_answer answer;
    enum hoist_status status =
        http_post_send(&http->post, batch->data, batch->size, deadline_ns, &answer, err);
    if (status != HOIST_OK) return status;
    switch (judge(&answer)) {
    case ACCEPTED:
      read_response(http, ret_partial);
      return HOIST_OK;
    case TRY_AGAIN:
      if (wait_for_retry(http, &answer, deadline_ns, &backoff_ms)) continue;
      return fail(http, &answer, attempt, err);
    case REFUSED:
    case OUT_OF_TIME:
      return fail(http, &answer, attempt, err);
    }
  }
}

static void http_wake(struct exporter *exporter) {
  http_post_wake(&((struct otlp_http *)exporter)->post);
}

static void http_after_fork(struct exporter *exporter) {
  http_post_after_fork(&((struct otlp_http *)exporter)->post);
}

static void http_free(struct exporter *exporter) {
  struct otlp_http *http = (struct otlp_http *)exporter;
  http_post_done(&http->post);
  secrets_done(&http->secrets);
  free(http->shown);
  free(http);
}

static const struct exporter_ops http_ops = {
    .deliver = http_deliver, .wake = http_wake, .after_fork = http_after_fork, .free = http_free};

/* ---- making one ---------------------------------------------------------------------------------- */

struct header_list {
  struct curl_slist *list;
  struct secrets *secrets;
};

static enum hoist_status append_header(struct header_list *headers, const char *line,
                                       struct hoist_error *err) {
  struct curl_slist *longer = curl_slist_append(headers->list, line);
  if (!longer) return hoist_fail_memory(err, "a header");
  headers->list = longer;
  return HOIST_OK;
}

static enum hoist_status add_header(void *user, const char *key, const char *value,
                                    struct hoist_error *err) {
  struct header_list *headers = user;
  if (strspn(key, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(key))
    return hoist_fail(err, HOIST_INVALID, "a header's name has a character that names cannot have");
  enum hoist_status status = secrets_add(headers->secrets, value, err);
  if (status != HOIST_OK) return status;
  /* libcurl's spelling of a header without a value ends in ';'. */
  HOIST_AUTO(mem) char *line = *value ? text_format("%s: %s", key, value) : text_format("%s;", key);
  if (!line) return hoist_fail_memory(err, "a header");
  return append_header(headers, line, err);
}

static enum hoist_status make_headers(const char *text, struct header_list *headers,
                                      struct hoist_error *err) {
  /* An empty Expect keeps libcurl from waiting for "100 Continue" before larger bodies. */
  enum hoist_status status = append_header(headers, "Content-Type: application/x-protobuf", err);
  if (status == HOIST_OK) status = append_header(headers, "Expect:", err);
  if (status == HOIST_OK && text) status = keyvalue_each(text, add_header, headers, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "headers for the collector");
  return status;
}

enum hoist_status otlp_http_new(const struct otlp_http_config *config,
                                struct exporter **ret_exporter, struct hoist_error *err) {
  HOIST_AUTO(mem) char *shown = NULL;
  enum hoist_status status = endpoint_check(config->url, &shown, err);
  if (status != HOIST_OK) return status;
  struct otlp_http *http = calloc(1, sizeof *http);
  if (!http) return hoist_fail_memory(err, "an OTLP exporter");
  struct header_list headers = {.secrets = &http->secrets};
  http->base = (struct exporter){&http_ops, config->signal};
  http->timeout_ms = config->timeout_ms;
  http->backoff_ms = config->backoff_ms;
  http->shown = HOIST_TAKE(shown);
  status = make_headers(config->headers, &headers, err);
  if (status == HOIST_OK)
    status = http_post_init(&http->post, config->url, config->ca_file, headers.list,
                            config->stop_at_ns, err);
  else
    curl_slist_free_all(headers.list);
  if (status != HOIST_OK) {
    http_free(&http->base);
    return status;
  }
  *ret_exporter = &http->base;
  return HOIST_OK;
}
