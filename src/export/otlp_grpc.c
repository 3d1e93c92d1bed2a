/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP over gRPC: unary calls over libcurl's HTTP/2. Rules: "gRPC over HTTP2" and the OTLP specification,
 * "OTLP/gRPC Response". The worker thread only. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "endpoint.h"
#include "grpc_response.h"
#include "gzip.h"
#include "otlp.h"
#include "text.h"

/* gRPC allows eight digits. */
#define TIMEOUT_MAX_MS 99999999

struct otlp_grpc {
  struct otlp otlp;
  struct grpc_response said; /* headers and trailers of the latest answer */
  struct buf inflated;       /* its message, where that was compressed */
  char timeout[40];          /* header */
  bool gzip;
};

/* Length-prefixed message: a flag, four bytes of length, the message. */
static enum hoist_status encode(struct otlp *o, const struct batch *batch,
                                struct hoist_error *err) {
  bool gzip = ((struct otlp_grpc *)o)->gzip;
  uint8_t head[GRPC_FRAME_HEAD] = {gzip ? GRPC_FRAME_COMPRESSED : 0};
  enum hoist_status status = buf_append(&o->body, head, sizeof head, err);
  if (status == HOIST_OK && gzip) status = gzip_append(&o->body, batch->data, batch->size, err);
  if (status == HOIST_OK && !gzip) status = buf_append(&o->body, batch->data, batch->size, err);
  if (status != HOIST_OK) return status;
  size_t size = o->body.size - GRPC_FRAME_HEAD; /* below 2^32: OTLP_BODY_MAX */
  for (size_t i = 0; i < 4; i++)
    o->body.data[1 + i] = (char)(size >> (24 - 8 * i) & 0xff);
  return HOIST_OK;
}

static const char *begin(struct otlp *o, uint64_t limit_ns) {
  struct otlp_grpc *grpc = (struct otlp_grpc *)o;
  uint64_t now = clock_monotonic_ns(), left_ms = 1;
  grpc->said = (struct grpc_response){0};
  if (limit_ns == UINT64_MAX) return NULL;
  if (limit_ns > now) left_ms += (limit_ns - now) / NS_PER_MS;
  snprintf(grpc->timeout, sizeof grpc->timeout, "grpc-timeout: %" PRIu64 "m",
           left_ms < TIMEOUT_MAX_MS ? left_ms : TIMEOUT_MAX_MS);
  return grpc->timeout;
}

static void on_header(void *user, const char *line, size_t size) {
  grpc_response_line(&((struct otlp_grpc *)user)->said, line, size);
}

/* A stream that ends without a status is to gRPC as if the server were not there. */
static struct judgement judge(const struct otlp *o, const struct http_answer *answer) {
  const struct grpc_response *said = &((const struct otlp_grpc *)o)->said;
  if (!said->has_status && answer->code != CURLE_OK)
    return (struct judgement){otlp_connection_failed(answer->code) ? TRY_AGAIN : REFUSED, 0};
  uint32_t code = grpc_response_code(said, answer->status);
  if (code == GRPC_OK) return (struct judgement){ACCEPTED, 0};
  if (grpc_is_retryable(code, said->has_retry_info))
    return (struct judgement){TRY_AGAIN, said->retry_ms};
  return (struct judgement){REFUSED, 0};
}

static bool response(struct otlp *o, const void **ret_message, size_t *ret_size) {
  return grpc_frame_read(&o->post.answer, &((struct otlp_grpc *)o)->inflated, ret_message,
                         ret_size);
}

static void explain(const struct otlp *o, const struct http_answer *answer, char *out,
                    size_t out_size) {
  const struct grpc_response *said = &((const struct otlp_grpc *)o)->said;
  char message[GRPC_MESSAGE_SIZE];
  if (!said->has_status && answer->code != CURLE_OK) return;
  if (!said->has_status) {
    snprintf(out, out_size, "HTTP status %ld and no gRPC status: is it an OTLP/gRPC port?",
             answer->status);
    return;
  }
  otlp_copy_text(o, said->message, strlen(said->message), message, sizeof message);
  snprintf(out, out_size, "gRPC status %s%s%s", grpc_code_name(said->code), message[0] ? ": " : "",
           message);
}

static const char *grpc_status(const struct otlp *o, const struct http_answer *answer) {
  const struct grpc_response *said = &((const struct otlp_grpc *)o)->said;
  if (!said->has_status && answer->status == 0) return NULL;
  return grpc_code_name(grpc_response_code(said, answer->status));
}

static const struct otlp_transport transport = {.name = "gRPC",
                                                .kind = "otlp_grpc",
                                                .encode = encode,
                                                .begin = begin,
                                                .judge = judge,
                                                .response = response,
                                                .explain = explain,
                                                .grpc_status = grpc_status};

static void grpc_free(struct exporter *exporter) {
  struct otlp_grpc *grpc = (struct otlp_grpc *)exporter;
  otlp_done(&grpc->otlp);
  buf_done(&grpc->inflated);
  free(grpc);
}

static const struct exporter_ops grpc_ops = {
    .deliver = otlp_deliver, .wake = otlp_wake, .after_fork = otlp_after_fork, .free = grpc_free};

static const char *path_of(enum signal signal) {
  return signal == SIGNAL_TRACES
             ? "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
             : "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
}

static enum hoist_status init(struct otlp_grpc *grpc, const struct otlp_config *config,
                              struct hoist_error *err) {
  const char *const headers[] = {"Content-Type: application/grpc", "TE: trailers",
                                 "grpc-accept-encoding: identity,gzip",
                                 config->gzip ? "grpc-encoding: gzip" : NULL, NULL};
  HOIST_AUTO(mem) char *url = NULL;
  enum hoist_status status = endpoint_set_path(config->url, path_of(config->signal), &url, err);
  if (status != HOIST_OK) return status;
  const struct http_post_config post = {
      .url = url, .http2 = true, .on_header = on_header, .on_header_user = grpc};
  grpc->gzip = config->gzip;
  grpc->inflated = buf_make(HTTP_POST_ANSWER_MAX);
  return otlp_init(&grpc->otlp, &transport, config, &post, headers, err);
}

enum hoist_status otlp_grpc_new(const struct otlp_config *config, struct exporter **ret_exporter,
                                struct hoist_error *err) {
  struct otlp_grpc *grpc = calloc(1, sizeof *grpc);
  if (!grpc) return hoist_fail_memory(err, "an OTLP exporter");
  grpc->otlp.base.ops = &grpc_ops;
  enum hoist_status status = init(grpc, config, err);
  if (status != HOIST_OK) {
    grpc_free(&grpc->otlp.base);
    return status;
  }
  *ret_exporter = &grpc->otlp.base;
  return HOIST_OK;
}
