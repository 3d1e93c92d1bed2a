/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP over HTTP, protobuf: what an answer means. Rules: the OTLP specification, "OTLP/HTTP Response". The
 * worker thread only. */
#include <stdio.h>
#include <stdlib.h>

#include "gzip.h"
#include "otlp.h"
#include "text.h"
#include "wire.h"

/* The head says what became of the batch, also where the body breaks off or cannot be read. */
static bool has_answer(const struct http_answer *answer) {
  return answer->status >= 200 &&
         (answer->code == CURLE_OK || answer->code == CURLE_PARTIAL_FILE ||
          answer->code == CURLE_BAD_CONTENT_ENCODING || otlp_connection_failed(answer->code));
}

static struct judgement judge(const struct otlp *o, const struct http_answer *answer) {
  if (!has_answer(answer))
    return (struct judgement){otlp_connection_failed(answer->code) ? TRY_AGAIN : REFUSED, 0};
  if (answer->status >= 200 && answer->status < 300) return (struct judgement){ACCEPTED, 0};
  switch (answer->status) {
  case 429:
  case 502:
  case 503:
  case 504:
    return (struct judgement){TRY_AGAIN, answer->retry_after_ms};
  default:
    return (struct judgement){REFUSED, 0};
  }
}

static bool response(struct otlp *o, const void **ret_message, size_t *ret_size) {
  *ret_message = o->post.answer.data;
  *ret_size = o->post.answer.size;
  return true;
}

/* google.rpc.Status: {1: code, 2: message}; "" where the body is anything else. */
static void read_rpc_status(const struct otlp *o, char *out, size_t out_size) {
  struct wire_reader reader = wire_read(o->post.answer.data, o->post.answer.size);
  struct wire_field field;
  enum wire_result result;
  out[0] = '\0';
  while ((result = wire_next(&reader, &field)) == WIRE_FIELD)
    if (field.number == 2 && field.type == WIRE_BYTES &&
        utf8_valid((const char *)field.data, field.size))
      otlp_copy_text(o, field.data, field.size, out, out_size);
  if (result == WIRE_MALFORMED) out[0] = '\0';
}

static void explain(const struct otlp *o, const struct http_answer *answer, char *out,
                    size_t out_size) {
  char said[200];
  if (!has_answer(answer)) return;
  read_rpc_status(o, said, sizeof said);
  snprintf(out, out_size, "HTTP status %ld%s%s", answer->status, said[0] ? ": " : "", said);
}

static enum hoist_status compress(struct otlp *o, const struct batch *batch,
                                  struct hoist_error *err) {
  return gzip_append(&o->body, batch->data, batch->size, err);
}

static const struct otlp_transport plain = {
    .name = "POST", .kind = "otlp_http", .judge = judge, .response = response, .explain = explain};
static const struct otlp_transport compressed = {.name = "POST",
                                                 .kind = "otlp_http",
                                                 .encode = compress,
                                                 .judge = judge,
                                                 .response = response,
                                                 .explain = explain};

static void http_free(struct exporter *exporter) {
  struct otlp *o = (struct otlp *)exporter;
  otlp_done(o);
  free(o);
}

static const struct exporter_ops http_ops = {
    .deliver = otlp_deliver, .wake = otlp_wake, .after_fork = otlp_after_fork, .free = http_free};

enum hoist_status otlp_http_new(const struct otlp_config *config, struct exporter **ret_exporter,
                                struct hoist_error *err) {
  const char *const headers[] = {"Content-Type: application/x-protobuf",
                                 config->gzip ? "Content-Encoding: gzip" : NULL, NULL};
  const struct http_post_config post = {.url = config->url, .gzip_answer = true};
  struct otlp *o = calloc(1, sizeof *o);
  if (!o) return hoist_fail_memory(err, "an OTLP exporter");
  o->base.ops = &http_ops;
  enum hoist_status status =
      otlp_init(o, config->gzip ? &compressed : &plain, config, &post, headers, err);
  if (status != HOIST_OK) {
    http_free(&o->base);
    return status;
  }
  *ret_exporter = &o->base;
  return HOIST_OK;
}
