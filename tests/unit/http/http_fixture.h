/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of http share: a client, a call whose sleeps are only written down, a sink. */
#ifndef HOIST_TESTS_HTTP_FIXTURE_H
#define HOIST_TESTS_HTTP_FIXTURE_H

#include "call.h"
#include "fake_tracer.h"
#include "http.h"
#include "script_server.h"

#define FIXTURE_MAX_SLEEPS 16

struct fixture {
  struct http_options options;
  struct http *http;
  struct call call;
  struct hoist_error err;
  struct http_response response;
  uint64_t sleeps_ns[FIXTURE_MAX_SLEEPS];
  int sleep_count;
  struct script_server *server;
  struct script_server *other;
};

/** A client with default options but a short stall timeout; released by fixture_done. */
void fixture_init(struct fixture *f);
/** Starts f->server with these replies, borrowed. */
void fixture_replay(struct fixture *f, const struct script_reply *replies, size_t count);
#define FIXTURE_REPLAY(f, replies) fixture_replay(f, replies, sizeof(replies) / sizeof *(replies))
/** Stops the servers too. */
void fixture_done(struct fixture *f);

/** GET of `path` at f->server, into f->response. */
enum hoist_status fixture_get(struct fixture *f, const char *path);
/** `request` with its URL set to `path` at f->server. */
enum hoist_status fixture_perform(struct fixture *f, struct http_request *request,
                                  const char *path);

/** A sink that collects, and fails when told to. */
struct collector {
  struct buf data;
  int begins;
  int64_t announced;
  enum hoist_status begin_status, write_status;
};
void collector_attach(struct collector *c, struct http_request *request);

#endif
