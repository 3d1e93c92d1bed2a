/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server in this process, for tests: what it answers is written down, byte by byte, and so
 * is what it was asked. One thread per connection. */
#ifndef HOIST_TESTS_SCRIPT_SERVER_H
#define HOIST_TESTS_SCRIPT_SERVER_H

#include <stddef.h>

#define SCRIPT_MAX_REQUESTS 128
#define SCRIPT_MAX_CONNECTIONS 64
#define SCRIPT_REQUEST_SIZE 8192

enum script_after {
  SCRIPT_KEEP,  /* the connection stays open for another request */
  SCRIPT_CLOSE, /* orderly */
  SCRIPT_RESET, /* with an RST, so that the client sees ECONNRESET */
  SCRIPT_STALL, /* open, and silent until the client leaves */
  SCRIPT_DRIP   /* a byte every 10 ms until the client leaves */
};

struct script_reply {
  const char *data; /* status line, headers and body as they go out; NULL: not a byte */
  size_t size;      /* 0: strlen(data) */
  enum script_after after;
};

struct script_server;

/** What to answer to request `n` (from 0, over all connections) with head and body `text`. One call
 * at a time, and its reply has left before the next. */
typedef void script_answer(void *user, int n, const char *text, struct script_reply *ret_reply);

/** Listens on a free port of 127.0.0.1. With `tls`, speaks TLS with a certificate that nobody
 * trusts. */
struct script_server *script_server_start(script_answer *answer, void *user, int tls);
/** Answers with replies[n], and with the last one when they are used up. `replies` is borrowed. */
struct script_server *script_server_replay(const struct script_reply *replies, size_t count);
void script_server_stop(struct script_server *server);

unsigned script_server_port(const struct script_server *server);
/** "http://127.0.0.1:PORT" (or https). */
const char *script_server_url(const struct script_server *server);
int script_server_requests(struct script_server *server);
int script_server_connections(struct script_server *server);
/** Head and body of request `n`. Valid until the server stops. */
const char *script_server_request(struct script_server *server, int n);

#endif
