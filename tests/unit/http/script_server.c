/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted server. Its failures are failures of the test: they end the program. */
#include "script_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define POLL_MS 10

struct connection {
  struct script_server *server;
  pthread_t thread;
  int fd;
  SSL *ssl; /* NULL: plain */
};

struct script_server {
  script_answer *answer;
  void *user;
  const struct script_reply *replies;
  size_t reply_count;
  int fd;
  unsigned port;
  char url[64];
  SSL_CTX *tls;
  pthread_t thread;
  atomic_int stopping;
  struct connection connections[SCRIPT_MAX_CONNECTIONS];
  atomic_int connection_count;
  pthread_mutex_t lock; /* guards what follows, and calls of `answer` */
  char requests[SCRIPT_MAX_REQUESTS][SCRIPT_REQUEST_SIZE];
  int request_count;
};

static void check(int ok, const char *what) {
  if (ok) return;
  perror(what);
  abort();
}

static SSL_CTX *untrusted_tls(void) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = X509_new();
  check(ctx && key && cert, "TLS");
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME *name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1,
                             0);
  X509_set_issuer_name(cert, name);
  check(X509_sign(cert, key, EVP_sha256()) > 0, "signing a certificate");
  check(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1, "TLS");
  X509_free(cert);
  EVP_PKEY_free(key);
  return ctx;
}

/* One readable moment, the peer's end, or the server's; 0 when there is nothing more to read. */
static int wait_readable(const struct connection *c) {
  if (c->ssl && SSL_pending(c->ssl) > 0) return 1;
  struct pollfd p = {.fd = c->fd, .events = POLLIN};
  while (!c->server->stopping)
    if (poll(&p, 1, POLL_MS) > 0) return 1;
  return 0;
}

static size_t receive(struct connection *c, char *out, size_t size) {
  if (!wait_readable(c)) return 0;
  long n = c->ssl ? SSL_read(c->ssl, out, (int)size) : recv(c->fd, out, size, 0);
  return n > 0 ? (size_t)n : 0;
}

static size_t body_size(const char *head) {
  const char *line = strcasestr(head, "\r\ncontent-length:");
  return line ? strtoul(line + 17, NULL, 10) : 0;
}

/* Reads a head and its body; 0 when the client left. */
static int read_request(struct connection *c, char text[SCRIPT_REQUEST_SIZE]) {
  size_t used = 0;
  for (;;) {
    text[used] = '\0';
    const char *end = strstr(text, "\r\n\r\n");
    if (end && used >= (size_t)(end + 4 - text) + body_size(text)) return 1;
    check(used < SCRIPT_REQUEST_SIZE - 1, "a request that is too long");
    size_t n = receive(c, text + used, SCRIPT_REQUEST_SIZE - 1 - used);
    if (n == 0) return 0;
    used += n;
  }
}

static void send_all(struct connection *c, const char *data, size_t size) {
  while (size > 0 && !c->server->stopping) {
    long n = c->ssl ? SSL_write(c->ssl, data, (int)size) : send(c->fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return; /* the client left, as it may */
    data += n;
    size -= (size_t)n;
  }
}

static void replay(void *user, int n, const char *text, struct script_reply *ret_reply) {
  const struct script_server *s = user;
  (void)text;
  *ret_reply = s->replies[(size_t)n < s->reply_count ? (size_t)n : s->reply_count - 1];
}

/* Under the lock to the last byte sent, so that `answer` may use the same memory for each reply. */
static enum script_after answer_request(struct connection *c, const char *text) {
  struct script_server *s = c->server;
  struct script_reply reply = {0};
  pthread_mutex_lock(&s->lock);
  int n = s->request_count++;
  check(n < SCRIPT_MAX_REQUESTS, "too many requests");
  memcpy(s->requests[n], text, strlen(text) + 1);
  s->answer(s->user, n, text, &reply);
  if (reply.data) send_all(c, reply.data, reply.size ? reply.size : strlen(reply.data));
  pthread_mutex_unlock(&s->lock);
  return reply.after;
}

static void close_with_reset(int fd) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void drip(struct connection *c) {
  struct pollfd left = {.fd = c->fd, .events = POLLIN};
  while (!c->server->stopping && poll(&left, 1, POLL_MS) == 0)
    send_all(c, "x", 1);
}

static void serve_requests(struct connection *c) {
  static _Thread_local char text[SCRIPT_REQUEST_SIZE];
  while (read_request(c, text)) {
    enum script_after after = answer_request(c, text);
    if (after == SCRIPT_RESET) close_with_reset(c->fd);
    if (after == SCRIPT_STALL) (void)receive(c, text, 1);
    if (after == SCRIPT_DRIP) drip(c);
    if (after != SCRIPT_KEEP) return;
  }
}

static void *serve_connection(void *user) {
  struct connection *c = user;
  if (c->server->tls) {
    c->ssl = SSL_new(c->server->tls);
    check(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1, "TLS");
  }
  if (!c->ssl || SSL_accept(c->ssl) == 1) serve_requests(c);
  SSL_free(c->ssl);
  close(c->fd);
  return NULL;
}

static void *serve(void *user) {
  struct script_server *s = user;
  struct pollfd p = {.fd = s->fd, .events = POLLIN};
  while (!s->stopping) {
    if (poll(&p, 1, POLL_MS) <= 0) continue;
    int fd = accept(s->fd, NULL, NULL);
    if (fd < 0) continue;
    int n = s->connection_count;
    check(n < SCRIPT_MAX_CONNECTIONS, "too many connections");
    s->connections[n] = (struct connection){.server = s, .fd = fd};
    s->connection_count++; /* before it is served: who has its answer may ask how many there were */
    check(pthread_create(&s->connections[n].thread, NULL, serve_connection, &s->connections[n]) ==
              0,
          "a thread");
  }
  return NULL;
}

static void listen_on_any_port(struct script_server *s) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  check(s->fd >= 0, "socket");
  check(bind(s->fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  check(listen(s->fd, SCRIPT_MAX_CONNECTIONS) == 0, "listen");
  check(getsockname(s->fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
  s->port = ntohs(address.sin_port);
}

struct script_server *script_server_start(script_answer *answer, void *user, int tls) {
  signal(SIGPIPE, SIG_IGN); /* SSL_write has no flag for that */
  struct script_server *s = calloc(1, sizeof *s);
  check(s != NULL, "memory");
  s->answer = answer;
  s->user = user;
  s->tls = tls ? untrusted_tls() : NULL;
  pthread_mutex_init(&s->lock, NULL);
  listen_on_any_port(s);
  snprintf(s->url, sizeof s->url, "%s://127.0.0.1:%u", tls ? "https" : "http", s->port);
  check(pthread_create(&s->thread, NULL, serve, s) == 0, "a thread");
  return s;
}

struct script_server *script_server_replay(const struct script_reply *replies, size_t count) {
  /* The answers are read once a request comes, which is after this. */
  struct script_server *s = script_server_start(replay, NULL, 0);
  pthread_mutex_lock(&s->lock);
  s->user = s;
  s->replies = replies;
  s->reply_count = count;
  pthread_mutex_unlock(&s->lock);
  return s;
}

void script_server_stop(struct script_server *s) {
  s->stopping = 1;
  pthread_join(s->thread, NULL);
  for (int i = 0; i < s->connection_count; i++)
    pthread_join(s->connections[i].thread, NULL);
  close(s->fd);
  SSL_CTX_free(s->tls);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

unsigned script_server_port(const struct script_server *s) {
  return s->port;
}

const char *script_server_url(const struct script_server *s) {
  return s->url;
}

int script_server_requests(struct script_server *s) {
  pthread_mutex_lock(&s->lock);
  int count = s->request_count;
  pthread_mutex_unlock(&s->lock);
  return count;
}

int script_server_connections(struct script_server *s) {
  return s->connection_count;
}

const char *script_server_request(struct script_server *s, int n) {
  check(n < script_server_requests(s), "no such request");
  return s->requests[n];
}
