/* SPDX-License-Identifier: Apache-2.0 */
/* What OTLP's two transports have in common: one deadline per batch, retries with backoff, secrets that
 * stay hidden. A transport fills in struct otlp_transport. */
#ifndef HOIST_EXPORT_OTLP_H
#define HOIST_EXPORT_OTLP_H

#include "exporter.h"
#include "http_post.h"
#include "secrets.h"

/* A request: PIPELINE_MESSAGE_MAX, and room for what gzip may add to incompressible bytes. */
#define OTLP_BODY_MAX (65u << 20)

struct otlp;

enum verdict { ACCEPTED, TRY_AGAIN, REFUSED, OUT_OF_TIME };

struct judgement {
  enum verdict verdict;
  uint64_t wait_ms; /* TRY_AGAIN: what the receiver asks for; 0: nothing */
};

struct otlp_transport {
  const char *name; /* begins the error messages */
  const char *kind; /* struct exporter's */
  /* Makes o->body the request for a batch. NULL: the message itself is. */
  enum hoist_status (*encode)(struct otlp *o, const struct batch *batch, struct hoist_error *err);
  /* Before each attempt; returns a header for this one, valid until the next, or NULL. May be NULL. */
  const char *(*begin)(struct otlp *o, uint64_t limit_ns);
  struct judgement (*judge)(const struct otlp *o, const struct http_answer *answer);
  /* The response message of an accepted batch. False where there is none. */
  bool (*response)(struct otlp *o, const void **ret_message, size_t *ret_size);
  /* What the receiver said about a refusal ("HTTP status 401: no"); "" where it said nothing. */
  void (*explain)(const struct otlp *o, const struct http_answer *answer, char *out,
                  size_t out_size);
  /* The name of the gRPC status of an answer, or NULL. NULL: it has none. */
  const char *(*grpc_status)(const struct otlp *o, const struct http_answer *answer);
};

/* The first member of a transport's own struct. */
struct otlp {
  struct exporter base;
  const struct otlp_transport *transport;
  struct http_post post;
  struct secrets secrets;
  struct buf body;
  char *shown; /* the URL without its secrets */
  uint32_t timeout_ms, backoff_ms;
};

/** Sets a zeroed `o` up. `post` says everything but the headers and the stop time; `headers` are the
 *  transport's own, beside those of the configuration.
 *  Errors: as otlp_http_new; then call otlp_done */
HOIST_MUST_CHECK enum hoist_status otlp_init(struct otlp *o, const struct otlp_transport *transport,
                                             const struct otlp_config *config,
                                             const struct http_post_config *post,
                                             const char *const headers[], struct hoist_error *err);
/** Accepts half-built ones. */
void otlp_done(struct otlp *o);

/** struct exporter_ops of any transport, but for `free`. */
HOIST_MUST_CHECK enum hoist_status otlp_deliver(struct exporter *exporter,
                                                const struct batch *batch,
                                                struct partial *ret_partial,
                                                struct hoist_error *err);
void otlp_wake(struct exporter *exporter);
void otlp_after_fork(struct exporter *exporter);

/** How long to wait before the next attempt where the receiver does not say: half to one and a half of
 *  `backoff_ms`, so that clients of a restarted collector spread. It then grows by half, to 5 s. */
uint64_t otlp_back_off(uint64_t *backoff_ms, uint64_t random);

/** Whether the connection failed, or broke, in a way that may pass. */
bool otlp_connection_failed(CURLcode code);

/** Copies a text of the receiver's, cut at a character, without our secrets. */
void otlp_copy_text(const struct otlp *o, const void *text, size_t size, char *out,
                    size_t out_size);
#endif
