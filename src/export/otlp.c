/* SPDX-License-Identifier: Apache-2.0 */
/* Delivering a batch over whichever transport: send, judge, wait, send again, within one deadline. Rules:
 * the OTLP specification, "OTLP/HTTP Response", "OTLP/gRPC Response" and the sections on throttling. Owns
 * its connection, headers and request. The worker thread only, but for wake. */
#include "otlp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "endpoint.h"
#include "header.h"
#include "ids.h"
#include "text.h"
#include "wire.h"

enum { BACKOFF_MAX_MS = 5000, SILENT_ENDS_MAX = 3, EXPLANATION_SIZE = 400, TEXT_MAX = 4096 };

bool otlp_connection_failed(CURLcode code) {
  switch ((int)code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_COULDNT_CONNECT:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_PARTIAL_FILE:
  case CURLE_HTTP2: /* a connection that is cut; over TLS OTLP/HTTP may be HTTP/2, too */
  case CURLE_HTTP2_STREAM:
    return true;
  default:
    return false;
  }
}

static bool is_set(const char *text) {
  return text && *text;
}

/* ---- reading what the receiver says -------------------------------------------------------------- */

/* Secrets are hidden while they are whole, and only then is the text cut. */
void otlp_copy_text(const struct otlp *o, const void *text, size_t size, char *out,
                    size_t out_size) {
  char whole[TEXT_MAX + 1];
  out[0] = '\0';
  if (secrets_has_short(&o->secrets)) return;
  size = utf8_prefix(text, size, TEXT_MAX);
  memcpy(whole, text, size);
  whole[size] = '\0';
  secrets_hide(&o->secrets, whole);
  size = utf8_prefix(whole, strlen(whole), out_size - 1);
  memcpy(out, whole, size);
  out[size] = '\0';
}

/* Export…PartialSuccess: {1: rejected count, 2: message}. */
static void read_partial(const struct otlp *o, const struct wire_field *message,
                         struct partial *partial) {
  struct wire_reader reader = wire_read(message->data, message->size);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD) {
    if (field.number == 1 && field.type == WIRE_VARINT && (int64_t)field.value > 0)
      partial->rejected = field.value;
    else if (field.number == 2 && field.type == WIRE_BYTES)
      otlp_copy_text(o, field.data, field.size, partial->message, sizeof partial->message);
  }
}

/* Export…Response: {1: partial success}. Whatever else the body is, the batch was taken. */
static void read_response(struct otlp *o, struct partial *partial) {
  const void *message;
  size_t size;
  struct wire_field field;
  if (!o->transport->response(o, &message, &size)) return;
  struct wire_reader reader = wire_read(message, size);
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == 1 && field.type == WIRE_BYTES) read_partial(o, &field, partial);
}

/* ---- delivering ---------------------------------------------------------------------------------- */

/* The receiver does not want us: a TLS alert. In TLS 1.3 that of a missing client certificate comes
 * when our side of the handshake is over, and libcurl reports a connection that broke. OpenSSL's
 * names of alerts are the only thing that tells. */
static bool is_tls_refusal(const struct otlp *o, const struct http_answer *answer) {
  bool is_in_handshake = answer->code == CURLE_SSL_CONNECT_ERROR;
  return answer->status == 0 && (is_in_handshake || otlp_connection_failed(answer->code)) &&
         strstr(o->post.curl_error, " alert ");
}

/* The same where the receiver was gone before libcurl came to read the alert: it then looks like any
 * connection that breaks, and only happening again and again tells. */
static bool may_want_certificate(const struct otlp *o, const struct http_answer *answer) {
  return !is_set(o->post.client_certificate_file) && answer->status == 0 &&
         (is_tls_refusal(o, answer) ||
          (answer->is_new_tls && otlp_connection_failed(answer->code)));
}

/* @param silent_ends  how often in a row the connection ended behind its handshake; counted here */
static struct judgement judge(const struct otlp *o, const struct http_answer *answer,
                              unsigned *silent_ends) {
  if (answer->out_of_time) return (struct judgement){OUT_OF_TIME, 0};
  *silent_ends = may_want_certificate(o, answer) ? *silent_ends + 1 : 0;
  if (is_tls_refusal(o, answer) || *silent_ends == SILENT_ENDS_MAX)
    return (struct judgement){REFUSED, 0};
  return o->transport->judge(o, answer);
}

static bool has_said(const struct otlp *o, const char *words) {
  return strstr(o->post.curl_error, words) != NULL;
}

/* Who listens there may not be whom the URL means: the other transport's port, or one with TLS, or
 * without. Only libcurl's and OpenSSL's words tell. */
static const char *guess_port(const struct otlp *o, const struct http_answer *answer) {
  if (answer->code == CURLE_SSL_CONNECT_ERROR &&
      (has_said(o, "wrong version number") || has_said(o, "packet length too long") ||
       has_said(o, "record layer failure")))
    return " (does the receiver speak TLS on this port? http:// is cleartext)";
  if (has_said(o, "HTTP/0.9"))
    return " (is this a gRPC port (4317), or one with TLS? OTLP/HTTP has port 4318)";
  if (o->post.http2 && answer->status == 0 &&
      (answer->code == CURLE_HTTP2 || answer->code == CURLE_GOT_NOTHING))
    return " (is this the gRPC port (4317)? 4318 is that of OTLP/HTTP)";
  return "";
}

/* What libcurl has to say, and what it may mean. */
static void explain_connection(struct otlp *o, const struct http_answer *answer, char *out,
                               size_t out_size) {
  bool is_guess = may_want_certificate(o, answer);
  const char *port = is_guess ? "" : guess_port(o, answer);
  /* Where there was an answer, libcurl may quote it. */
  if (answer->status > 0 && secrets_has_short(&o->secrets)) o->post.curl_error[0] = '\0';
  secrets_hide(&o->secrets, o->post.curl_error);
  if (strlen(o->post.curl_error) == sizeof o->post.curl_error - 1) /* libcurl cut it */
    secrets_hide_cut(&o->secrets, o->post.curl_error);
  snprintf(out, out_size, "%s%s%s",
           is_guess ? "the TLS connection is refused, does the receiver want a client certificate "
                      "(OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE)? "
                    : "",
           o->post.curl_error[0] ? o->post.curl_error : curl_easy_strerror(answer->code), port);
}

static enum hoist_status fail(struct otlp *o, const struct http_answer *answer, unsigned attempts,
                              struct hoist_error *err) {
  char said[EXPLANATION_SIZE] = "";
  if (answer->out_of_time)
    text_copy(said, sizeof said, "no answer in time");
  else
    o->transport->explain(o, answer, said, sizeof said);
  if (!said[0]) explain_connection(o, answer, said, sizeof said);
  enum hoist_status status = hoist_fail(err, HOIST_UNAVAILABLE, "%s %s: %s (attempt %u)",
                                        o->transport->name, o->shown, said, attempts);
  if (err && answer->status >= 300) err->http_status = (int)answer->status;
  return status;
}

uint64_t otlp_back_off(uint64_t *backoff_ms, uint64_t random) {
  uint64_t nominal_ms = *backoff_ms;
  *backoff_ms += *backoff_ms / 2;
  if (*backoff_ms > BACKOFF_MAX_MS) *backoff_ms = BACKOFF_MAX_MS;
  return nominal_ms / 2 + random % (nominal_ms + 1);
}

static uint64_t random_word(void) {
  uint8_t bytes[8];
  uint64_t random;
  ids_fill(thread_own_get(), NULL, bytes);
  memcpy(&random, bytes, sizeof random);
  return random;
}

/* Waits before the next attempt. False where the time is up, or would be by then. */
static bool wait_for_retry(struct otlp *o, uint64_t wait_ms, uint64_t deadline_ns,
                           uint64_t *backoff_ms) {
  uint64_t ms = wait_ms > 0 ? wait_ms : otlp_back_off(backoff_ms, random_word());
  uint64_t limit = http_post_limit(&o->post, deadline_ns), now = clock_monotonic_ns();
  if (now >= limit || ms >= (limit - now) / NS_PER_MS) return false;
  return http_post_pause(&o->post, ms);
}

static void note_answer(const struct otlp *o, const struct http_answer *answer,
                        struct partial *partial) {
  partial->out_of_time = answer->out_of_time;
  partial->http_status = answer->status;
  partial->grpc_status = o->transport->grpc_status ? o->transport->grpc_status(o, answer) : NULL;
}

/* Whoever waits for the batch learns why it takes so long. */
static void tell_trouble(struct otlp *o, const struct http_answer *answer, unsigned attempt) {
  struct hoist_error error = {0};
  if (!o->base.on_trouble) return;
  (void)!fail(o, answer, attempt, &error);
  o->base.on_trouble(o->base.on_trouble_user, error.message);
}

static enum hoist_status encode(struct otlp *o, const struct batch *batch,
                                struct http_request *ret_request, struct hoist_error *err) {
  ret_request->data = batch->data;
  ret_request->size = batch->size;
  if (!o->transport->encode) return HOIST_OK;
  buf_clear(&o->body);
  enum hoist_status status = o->transport->encode(o, batch, err);
  ret_request->data = o->body.data;
  ret_request->size = o->body.size;
  return status;
}

enum hoist_status otlp_deliver(struct exporter *exporter, const struct batch *batch,
                               struct partial *ret_partial, struct hoist_error *err) {
  struct otlp *o = (struct otlp *)exporter;
  uint64_t backoff_ms = o->backoff_ms;
  unsigned silent_ends = 0;
  struct http_request request = {.deadline_ns = UINT64_MAX};
  enum hoist_status status = encode(o, batch, &request, err);
  if (status != HOIST_OK) return status;
  if (o->timeout_ms > 0) request.deadline_ns = clock_monotonic_ns() + o->timeout_ms * NS_PER_MS;
  for (unsigned attempt = 1;; attempt++) {
    struct http_answer answer;
    if (o->transport->begin)
      request.header = o->transport->begin(o, http_post_limit(&o->post, request.deadline_ns));
    status = http_post_send(&o->post, &request, &answer, err);
    if (status != HOIST_OK) return status;
    note_answer(o, &answer, ret_partial);
    struct judgement judgement = judge(o, &answer, &silent_ends);
    switch (judgement.verdict) {
    case ACCEPTED:
      read_response(o, ret_partial);
      return HOIST_OK;
    case TRY_AGAIN:
      tell_trouble(o, &answer, attempt);
      if (wait_for_retry(o, judgement.wait_ms, request.deadline_ns, &backoff_ms)) continue;
      return fail(o, &answer, attempt, err);
    case REFUSED:
    case OUT_OF_TIME:
      return fail(o, &answer, attempt, err);
    }
  }
}

void otlp_wake(struct exporter *exporter) {
  http_post_wake(&((struct otlp *)exporter)->post);
}

void otlp_after_fork(struct exporter *exporter) {
  http_post_after_fork(&((struct otlp *)exporter)->post);
}

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
  enum hoist_status status = secrets_add(headers->secrets, value, err);
  if (status != HOIST_OK) return status;
  /* libcurl's spelling of a header without a value ends in ';'. */
  HOIST_AUTO(mem) char *line = *value ? text_format("%s: %s", key, value) : text_format("%s;", key);
  if (!line) return hoist_fail_memory(err, "a header");
  return append_header(headers, line, err);
}

static enum hoist_status make_headers(const char *const fixed[], const char *text,
                                      struct header_list *headers, struct hoist_error *err) {
  /* An empty Expect keeps libcurl from waiting for "100 Continue" before larger bodies. */
  enum hoist_status status = append_header(headers, "Expect:", err);
  for (size_t i = 0; status == HOIST_OK && fixed[i]; i++)
    status = append_header(headers, fixed[i], err);
  if (status == HOIST_OK && text) status = header_each(text, add_header, headers, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "headers for the collector");
  return status;
}

enum hoist_status otlp_init(struct otlp *o, const struct otlp_transport *transport,
                            const struct otlp_config *config, const struct http_post_config *post,
                            const char *const headers[], struct hoist_error *err) {
  struct header_list list = {.secrets = &o->secrets};
  struct http_post_config complete = *post;
  if (is_set(config->client_key_file) && !is_set(config->client_certificate_file))
    return hoist_fail(err, HOIST_INVALID,
                      "a client key for the collector, but no client certificate");
  o->base.signals = config->signal;
  o->base.kind = transport->kind;
  o->transport = transport;
  o->timeout_ms = config->timeout_ms;
  o->backoff_ms = config->backoff_ms;
  o->body = buf_make(OTLP_BODY_MAX);
  enum hoist_status status = endpoint_check(config->url, &o->shown, err);
  if (status == HOIST_OK)
    status = endpoint_server(config->url, &o->base.server_address, &o->base.server_port, err);
  if (status == HOIST_OK) status = make_headers(headers, config->headers, &list, err);
  if (status != HOIST_OK) {
    curl_slist_free_all(list.list);
    return status;
  }
  complete.ca_file = config->ca_file;
  complete.client_certificate_file = config->client_certificate_file;
  complete.client_key_file = config->client_key_file;
  complete.headers = list.list;
  complete.stop_at_ns = config->stop_at_ns;
  return http_post_init(&o->post, &complete, err);
}

void otlp_done(struct otlp *o) {
  http_post_done(&o->post);
  secrets_done(&o->secrets);
  buf_done(&o->body);
  free(o->base.server_address);
  free(o->shown);
}
