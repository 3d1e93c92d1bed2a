/* SPDX-License-Identifier: Apache-2.0 */
/* The OTLP/HTTP exporter against a server with a script. Retries wait a millisecond here; nothing is
 * decided by how long anything takes, but that what must not wait for ever does not. */
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "exporter.h"
#include "gzip.h"
#include "otlp.h"
#include "script_server.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define STATUS(code) "HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n"
#define REPLY(text)                                                                                \
  { .data = text, .size = sizeof text - 1 }

static stop_time never = UINT64_MAX;
static const char payload[] = "not really protobuf";

static struct exporter *exporter_to(const char *url, const char *headers, uint32_t timeout_ms,
                                    const stop_time *stop) {
  struct otlp_config config = {.signal = SIGNAL_TRACES,
                               .url = url,
                               .headers = headers,
                               .timeout_ms = timeout_ms,
                               .backoff_ms = 1,
                               .stop_at_ns = stop};
  struct exporter *exporter;
  struct hoist_error err;
  if (otlp_http_new(&config, &exporter, &err) != HOIST_OK) fail_msg("%s", err.message);
  return exporter;
}

static enum hoist_status deliver(struct exporter *exporter, struct partial *partial,
                                 struct hoist_error *err) {
  struct batch batch = {SIGNAL_TRACES, payload, sizeof payload - 1, 3};
  memset(partial, 0, sizeof *partial);
  memset(err, 0, sizeof *err);
  return exporter->ops->deliver(exporter, &batch, partial, err);
}

struct outcome {
  enum hoist_status status;
  struct partial partial;
  struct hoist_error err;
  int requests;
};

/* One delivery to a server that answers with these replies. */
static struct outcome run(const struct script_reply *replies, size_t count, uint32_t timeout_ms) {
  struct outcome o;
  struct script_server *server = script_server_replay(replies, count);
  assert_non_null(server);
  struct exporter *exporter =
      exporter_to(script_server_url(server), "authorization=Bearer hunter22", timeout_ms, &never);
  o.status = deliver(exporter, &o.partial, &o.err);
  o.requests = script_server_requests(server);
  exporter_free(exporter);
  script_server_stop(server);
  return o;
}

static void test_a_request_is_what_the_specification_says(void **state) {
  struct script_reply ok = REPLY(OK_EMPTY);
  struct script_server *server = script_server_replay(&ok, 1);
  char url[128];
  struct partial partial;
  struct hoist_error err;
  snprintf(url, sizeof url, "%s/otlp/v1/traces?tenant=1", script_server_url(server));
  struct exporter *exporter = exporter_to(url, "x-a=one,x-b=t%20wo,x-empty=", 5000, &never);
  for (int i = 0; i < 3; i++)
    assert_int_equal(deliver(exporter, &partial, &err), HOIST_OK);
  const char *text = script_server_request(server, 0);
  assert_non_null(strstr(text, "POST /otlp/v1/traces?tenant=1 HTTP/1.1\r\n"));
  const char *type = strstr(text, "\r\nContent-Type: application/x-protobuf\r\n");
  assert_non_null(type);
  assert_null(strcasestr(type + 2, "\ncontent-type")); /* and no other */
  assert_ptr_equal(strcasestr(text, "\r\ncontent-type"), type);
  assert_non_null(strstr(text, "\r\nUser-Agent: OTel-OTLP-Exporter-C/" HOIST_VERSION
                               " hoist/" HOIST_VERSION "\r\n"));
  assert_non_null(strstr(text, "\r\nAccept-Encoding: gzip\r\n"));
  assert_non_null(strstr(text, "\r\nContent-Length: 19\r\n"));
  assert_non_null(strstr(text, "\r\nx-a: one\r\n"));
  assert_non_null(strstr(text, "\r\nx-b: t wo\r\n"));
  assert_non_null(strstr(text, "\r\nx-empty:\r\n"));
  assert_null(strstr(text, "Expect"));
  assert_non_null(strstr(text, "\r\n\r\nnot really protobuf"));
  assert_int_equal(script_server_connections(server), 1); /* kept alive */
  exporter_free(exporter);
  script_server_stop(server);
}

static void test_a_url_without_a_path_means_the_root(void **state) {
  struct script_reply ok = REPLY(OK_EMPTY);
  struct script_server *server = script_server_replay(&ok, 1);
  struct partial partial;
  struct hoist_error err;
  struct exporter *exporter = exporter_to(script_server_url(server), NULL, 5000, &never);
  assert_int_equal(deliver(exporter, &partial, &err), HOIST_OK);
  assert_non_null(strstr(script_server_request(server, 0), "POST / HTTP/1.1\r\n"));
  exporter_free(exporter);
  script_server_stop(server);
}

static void test_a_request_is_compressed_where_that_is_asked_for(void **state) {
  static char spans[4000]; /* compresses well */
  struct batch batch = {SIGNAL_TRACES, spans, sizeof spans, 1};
  struct script_reply ok = REPLY(OK_EMPTY);
  struct script_server *server = script_server_replay(&ok, 1);
  struct otlp_config config = {.signal = SIGNAL_TRACES,
                               .url = script_server_url(server),
                               .gzip = true,
                               .timeout_ms = 5000,
                               .stop_at_ns = &never};
  struct exporter *exporter;
  struct partial partial = {0};
  struct hoist_error err;
  assert_int_equal(otlp_http_new(&config, &exporter, &err), HOIST_OK);
  for (int i = 0; i < 2; i++) /* the second request does not begin with the first's bytes */
    assert_int_equal(exporter->ops->deliver(exporter, &batch, &partial, &err), HOIST_OK);
  for (int i = 0; i < 2; i++) {
    const char *text = script_server_request(server, i);
    assert_non_null(strstr(text, "\r\nContent-Encoding: gzip\r\n"));
    assert_memory_equal(strstr(text, "\r\n\r\n") + 4, "\x1f\x8b\x08", 3);
    assert_true(atoi(strstr(text, "Content-Length: ") + 16) < 100);
  }
  exporter_free(exporter);
  script_server_stop(server);
}

static void test_only_the_listed_answers_are_retried(void **state) {
  static const struct {
    const char *reply;
    bool retried;
  } cases[] = {
      {STATUS("429"), true},  {STATUS("502"), true},  {STATUS("503"), true},
      {STATUS("504"), true},  {STATUS("400"), false}, {STATUS("401"), false},
      {STATUS("404"), false}, {STATUS("408"), false}, {STATUS("413"), false},
      {STATUS("500"), false}, {STATUS("501"), false}, {STATUS("301"), false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct script_reply replies[] = {{.data = cases[i].reply}, REPLY(OK_EMPTY)};
    struct outcome o = run(replies, 2, 5000);
    assert_int_equal(o.status, cases[i].retried ? HOIST_OK : HOIST_UNAVAILABLE);
    assert_int_equal(o.requests, cases[i].retried ? 2 : 1);
    if (!cases[i].retried) {
      assert_int_equal(o.err.http_status, atoi(cases[i].reply + 9));
      assert_non_null(strstr(o.err.message, "HTTP status"));
    }
  }
}

static void test_a_connection_that_breaks_before_the_answer_is_retried(void **state) {
  static const struct script_reply breaks[] = {{.after = SCRIPT_CLOSE}, {.after = SCRIPT_RESET}};
  for (size_t i = 0; i < 2; i++) {
    struct script_reply replies[] = {breaks[i], breaks[i], REPLY(OK_EMPTY)};
    struct outcome o = run(replies, 3, 5000);
    assert_int_equal(o.status, HOIST_OK);
    assert_int_equal(o.requests, 3);
  }
}

static void test_an_answer_that_is_not_http_is_final(void **state) {
  struct script_reply replies[] = {{.data = "SSH-2.0-OpenSSH_9.2\r\n", .after = SCRIPT_CLOSE},
                                   REPLY(OK_EMPTY)};
  struct outcome o = run(replies, 2, 5000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_int_equal(o.requests, 1);
}

static void test_a_body_over_the_cap_is_refused(void **state) {
  static char reply[64 + (5 << 20)];
  int head = snprintf(reply, 64, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 5 << 20);
  memset(reply + head, 0, 5 << 20);
  struct script_reply replies[] = {
      {.data = reply, .size = (size_t)head + (5 << 20), .after = SCRIPT_CLOSE}};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_int_equal(o.requests, 1);
}

static void test_the_backoff_grows_to_a_bound_and_is_jittered(void **state) {
  static const uint64_t nominal_ms[] = {1000, 1500, 2250, 3375, 5000, 5000};
  uint64_t low = 1000, middle = 1000, high = 1000;
  for (size_t i = 0; i < sizeof nominal_ms / sizeof *nominal_ms; i++) {
    assert_int_equal(otlp_back_off(&low, 0), nominal_ms[i] / 2);
    assert_int_equal(otlp_back_off(&high, nominal_ms[i]), nominal_ms[i] / 2 + nominal_ms[i]);
    assert_in_range(otlp_back_off(&middle, UINT64_MAX), nominal_ms[i] / 2, 2 * nominal_ms[i]);
  }
}

static void test_retry_after_is_waited_for_in_either_form(void **state) {
  static char dated[200];
  char date[64];
  time_t soon = time(NULL) + 1;
  struct tm tm;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&soon, &tm));
  snprintf(dated, sizeof dated, "HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
           date);
  const char *const forms[] = {"HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                               dated};
  for (size_t i = 0; i < 2; i++) {
    struct script_reply replies[] = {{.data = forms[i]}, REPLY(OK_EMPTY)};
    uint64_t before = clock_monotonic_ns();
    struct outcome o = run(replies, 2, 10000);
    assert_int_equal(o.status, HOIST_OK);
    assert_int_equal(o.requests, 2);
    /* a date may be over by the time the answer is read; a number of seconds cannot */
    if (i == 0) assert_true(clock_monotonic_ns() - before >= NS_PER_S);
  }
}

static void test_a_retry_beyond_the_deadline_is_given_up_at_once(void **state) {
  struct script_reply replies[] = {
      REPLY("HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"), REPLY(OK_EMPTY)};
  struct outcome o = run(replies, 2, 30000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_int_equal(o.requests, 1);
  assert_int_equal(o.err.http_status, 503);
}

/* 18446744073709552 s are 384 ms in 64 bits of milliseconds. */
static void test_a_huge_retry_after_is_never_a_short_one(void **state) {
  static const char *const forms[] = {"61", "18446744073709552", "9223372036854775807",
                                      "Fri, 31 Dec 9999 23:59:59 GMT"};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    char reply[160];
    snprintf(reply, sizeof reply, "HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
             forms[i]);
    struct script_reply replies[] = {{.data = reply}, REPLY(OK_EMPTY)};
    struct outcome o = run(replies, 2, 60000);
    assert_int_equal(o.status, HOIST_UNAVAILABLE);
    assert_int_equal(o.requests, 1);
  }
}

static void test_a_retry_after_that_says_nothing_leaves_it_to_the_backoff(void **state) {
  static const char *const forms[] = {
      "0", "-1",  "-9223372036854775808", "soon",
      "",  "1e9", "0x7fffffff",           "Thu, 01 Jan 1970 00:00:00 GMT"};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    char reply[160];
    snprintf(reply, sizeof reply, "HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
             forms[i]);
    struct script_reply replies[] = {{.data = reply}, REPLY(OK_EMPTY)};
    struct outcome o = run(replies, 2, 60000);
    assert_int_equal(o.status, HOIST_OK);
    assert_int_equal(o.requests, 2);
  }
}

/* libcurl 7 takes a number that does not fit for none, libcurl 8 for the largest. */
static void test_a_retry_after_that_does_not_fit_is_none_or_for_ever(void **state) {
  struct script_reply replies[] = {
      REPLY("HTTP/1.1 503 X\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n"),
      REPLY(OK_EMPTY)};
  struct outcome o = run(replies, 2, 60000);
  assert_int_equal(o.status, o.requests == 2 ? HOIST_OK : HOIST_UNAVAILABLE);
}

/* The head says what became of the batch; what is missing behind it changes nothing. */
static void test_the_status_counts_also_where_the_body_breaks_off(void **state) {
  static const struct {
    const char *reply;
    enum hoist_status status;
    int requests;
  } cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", HOIST_OK, 1},
      {"HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\nshort", HOIST_OK, 2},
      {"HTTP/1.1 400 X\r\nContent-Length: 100\r\n\r\nshort", HOIST_UNAVAILABLE, 1},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort", HOIST_OK, 1},
      {"HTTP/1.1 100 Continue\r\n\r\n", HOIST_OK, 2},
  };
  static const enum script_after ends[] = {SCRIPT_CLOSE, SCRIPT_RESET};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t end = 0; end < 2; end++) {
      if (ends[end] == SCRIPT_RESET && cases[i].requests == 1)
        continue; /* a reset may overtake the head, and then nothing was answered */
      struct script_reply replies[] = {{.data = cases[i].reply, .after = ends[end]},
                                       REPLY(OK_EMPTY)};
      struct outcome o = run(replies, 2, 5000);
      assert_int_equal(o.status, cases[i].status);
      assert_int_equal(o.requests, cases[i].requests);
    }
}

static void test_an_answer_that_stops_arriving_is_left_at_the_deadline(void **state) {
  static const char *const parts[] = {"HTTP/1.1 200 OK\r\nContent-Le",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    struct script_reply stuck = {.data = parts[i], .after = SCRIPT_STALL};
    struct outcome o = run(&stuck, 1, 50);
    assert_int_equal(o.status, HOIST_UNAVAILABLE);
    assert_int_equal(o.requests, 1);
    assert_non_null(strstr(o.err.message, "no answer in time"));
  }
}

static void test_headers_without_end_are_refused(void **state) {
  static char reply[1 << 20];
  int size = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nX-Long: ");
  memset(reply + size, 'x', sizeof reply - (size_t)size);
  struct script_reply replies[] = {{.data = reply, .size = sizeof reply, .after = SCRIPT_CLOSE}};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_int_equal(o.requests, 1);
}

/* A whole 200 answer with this body, compressed. */
static struct buf gzip_answer(const void *body, size_t size) {
  struct buf gzip = buf_make(8 << 20), reply = buf_make(8 << 20);
  assert_int_equal(gzip_append(&gzip, body, size, NULL), HOIST_OK);
  assert_int_equal(buf_printf(&reply, NULL,
                              "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                              "Content-Length: %zu\r\n\r\n",
                              gzip.size),
                   HOIST_OK);
  assert_int_equal(buf_append(&reply, gzip.data, gzip.size, NULL), HOIST_OK);
  buf_done(&gzip);
  return reply;
}

static void test_a_compressed_answer_is_read(void **state) {
  static const char partial[] = "\x0a\x06\x08\x02\x12\x02no"; /* {1: {1: 2, 2: "no"}} */
  HOIST_AUTO(buf) struct buf reply = gzip_answer(partial, sizeof partial - 1);
  struct script_reply replies[] = {{.data = reply.data, .size = reply.size}};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_OK);
  assert_int_equal(o.partial.rejected, 2);
  assert_string_equal(o.partial.message, "no");
}

static void test_a_compressed_answer_is_capped_as_any_other(void **state) {
  HOIST_AUTO(mem) char *zeros = calloc(1, 64 << 20);
  assert_non_null(zeros);
  HOIST_AUTO(buf) struct buf reply = gzip_answer(zeros, 64 << 20);
  struct script_reply replies[] = {{.data = reply.data, .size = reply.size}};
  struct outcome o = run(replies, 1, 20000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_int_equal(o.requests, 1);
}

static void test_an_answer_in_an_encoding_that_is_not_one_is_judged_by_its_head(void **state) {
  struct script_reply replies[] = {REPLY("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                         "Content-Length: 7\r\n\r\nnotgzip")};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_OK);
  assert_int_equal(o.partial.rejected, 0);
}

static void test_retries_end_at_the_deadline(void **state) {
  struct script_reply replies[] = {REPLY(STATUS("503"))};
  struct outcome o = run(replies, 1, 50);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_true(o.requests >= 1);
}

static void test_a_partial_success_is_counted_and_never_retried(void **state) {
  /* {1: {1: 2, 2: "span names too long: Bearer hunter22"}}; the receiver repeats our secret */
  static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                              "Content-Length: 42\r\n\r\n"
                              "\x0a\x28\x08\x02\x12\x24span names too long: Bearer hunter22";
  struct script_reply replies[] = {REPLY(reply), REPLY(STATUS("500"))};
  struct outcome o = run(replies, 2, 5000);
  assert_int_equal(o.status, HOIST_OK);
  assert_int_equal(o.requests, 1);
  assert_int_equal(o.partial.rejected, 2);
  assert_non_null(strstr(o.partial.message, "span names too long"));
  assert_null(strstr(o.partial.message, "hunter22"));
}

static void test_an_odd_body_of_a_success_is_ignored(void **state) {
  struct script_reply replies[] = {
      REPLY("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xff\xff")};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_OK);
  assert_int_equal(o.partial.rejected, 0);
}

/* The receiver repeats our secret where its text is cut to what is shown. */
static void test_a_secret_is_not_shown_in_part(void **state) {
  enum { BEFORE = 192, MESSAGE = BEFORE + 8 };
  char reply[400];
  int head = snprintf(reply, sizeof reply, "HTTP/1.1 401 X\r\nContent-Length: %d\r\n\r\n\x12%c%c",
                      MESSAGE + 3, (MESSAGE & 0x7f) | 0x80, MESSAGE >> 7);
  memset(reply + head, '.', BEFORE);
  memcpy(reply + head + BEFORE, "hunter22", 8);
  struct script_reply replies[] = {{.data = reply, .size = (size_t)head + MESSAGE}};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_non_null(strstr(o.err.message, "HTTP status 401: ...."));
  assert_null(strstr(o.err.message, "hunter"));
}

static void test_an_error_shows_what_the_receiver_said_without_secrets(void **state) {
  struct script_reply replies[] = {REPLY("HTTP/1.1 401 X\r\nContent-Length: 21\r\n\r\n"
                                         "\x08\x10\x12\x11"
                                         "bad key: hunter22")};
  struct outcome o = run(replies, 1, 5000);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_non_null(strstr(o.err.message, "HTTP status 401: bad key: "));
  assert_null(strstr(o.err.message, "hunter22"));
}

/* Too short to be found in a text without hiding words of it. */
static void test_where_a_value_is_too_short_to_hide_the_receiver_is_not_quoted(void **state) {
  static const char *const headers[] = {"x-pin=42", "a=1234,authorization=Basic%20x7", "x=%41"};
  struct script_reply denied = REPLY("HTTP/1.1 401 X\r\nContent-Length: 12\r\n\r\n"
                                     "\x08\x10\x12\x08"
                                     "42 x7 A!");
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    struct partial partial;
    struct hoist_error err;
    struct script_server *server = script_server_replay(&denied, 1);
    struct exporter *exporter = exporter_to(script_server_url(server), headers[i], 5000, &never);
    assert_int_equal(deliver(exporter, &partial, &err), HOIST_UNAVAILABLE);
    assert_non_null(strstr(err.message, ": HTTP status 401 (attempt 1)"));
    exporter_free(exporter);
    script_server_stop(server);
  }
}

/* A port that says the same to whatever it is told first. */
struct port {
  pthread_t thread;
  int listener;
  const char *says;
  size_t size;
};

static void *answer_all(void *arg) {
  struct port *port = arg;
  char ignored[4096];
  for (int fd; (fd = accept(port->listener, NULL, NULL)) >= 0; close(fd)) {
    if (read(fd, ignored, sizeof ignored) <= 0) continue;
    if (send(fd, port->says, port->size, MSG_NOSIGNAL) < 0) continue;
    shutdown(fd, SHUT_WR);
    while (read(fd, ignored, sizeof ignored) > 0) /* no reset */
      ;
  }
  return NULL;
}

static unsigned port_open(struct port *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  port->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(port->listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(port->listener, 8), 0);
  assert_int_equal(getsockname(port->listener, (struct sockaddr *)&address, &size), 0);
  assert_int_equal(pthread_create(&port->thread, NULL, answer_all, port), 0);
  return ntohs(address.sin_port);
}

static void port_close(struct port *port) {
  shutdown(port->listener, SHUT_RDWR);
  pthread_join(port->thread, NULL);
  close(port->listener);
}

static void test_another_kind_of_port_is_guessed(void **state) {
  static const char settings[] = "\0\0\0\4\0\0\0\0\0";
  static const char http1[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
  static const struct {
    struct port port;
    const char *scheme, *hint;
    enum hoist_status (*make)(const struct otlp_config *, struct exporter **, struct hoist_error *);
  } cases[] = {
      {{.says = settings, .size = 9}, "http", "is this a gRPC port (4317)", otlp_http_new},
      {{.says = http1, .size = sizeof http1 - 1}, "https", "speak TLS", otlp_http_new},
      {{.says = http1, .size = sizeof http1 - 1}, "https", "speak TLS", otlp_grpc_new},
      {{.says = http1, .size = sizeof http1 - 1}, "http", "is this the gRPC port", otlp_grpc_new}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char url[64];
    struct partial partial;
    struct hoist_error err;
    struct exporter *exporter;
    struct port port = cases[i].port;
    snprintf(url, sizeof url, "%s://127.0.0.1:%u", cases[i].scheme, port_open(&port));
    const struct otlp_config config = {.signal = SIGNAL_TRACES,
                                       .url = url,
                                       .timeout_ms = 2000,
                                       .backoff_ms = 1000,
                                       .stop_at_ns = &never};
    assert_int_equal(cases[i].make(&config, &exporter, &err), HOIST_OK);
    assert_int_equal(deliver(exporter, &partial, &err), HOIST_UNAVAILABLE);
    if (!strstr(err.message, cases[i].hint)) fail_msg("%s", err.message);
    exporter_free(exporter);
    port_close(&port);
  }
}

static void test_a_refused_connection_is_retried_until_the_deadline(void **state) {
  struct script_reply ok = REPLY(OK_EMPTY);
  struct script_server *server = script_server_replay(&ok, 1);
  char url[128];
  struct partial partial;
  struct hoist_error err;
  snprintf(url, sizeof url, "http://me:hunter22@127.0.0.1:%u/v1/traces?key=hunter22",
           script_server_port(server));
  script_server_stop(server); /* its port is free now */
  struct exporter *exporter = exporter_to(url, NULL, 50, &never);
  assert_int_equal(deliver(exporter, &partial, &err), HOIST_UNAVAILABLE);
  assert_null(strstr(err.message, "hunter22"));
  assert_non_null(strstr(err.message, "127.0.0.1"));
  assert_null(strstr(err.message, "(attempt 1)"));
  exporter_free(exporter);
}

static void test_a_collector_that_hangs_is_left_at_the_deadline_or_the_stop(void **state) {
  struct script_reply stall = {.after = SCRIPT_STALL};
  struct outcome o = run(&stall, 1, 50);
  assert_int_equal(o.status, HOIST_UNAVAILABLE);
  assert_non_null(strstr(o.err.message, "no answer in time"));

  stop_time stop = clock_monotonic_ns() + 50 * NS_PER_MS;
  struct script_server *server = script_server_replay(&stall, 1);
  struct exporter *exporter = exporter_to(script_server_url(server), NULL, 0, &stop);
  assert_int_equal(deliver(exporter, &o.partial, &o.err), HOIST_UNAVAILABLE);
  exporter_free(exporter);
  script_server_stop(server);
}

static void test_a_client_key_without_a_certificate_is_invalid(void **state) {
  struct otlp_config config = {.signal = SIGNAL_TRACES,
                               .url = "https://h/",
                               .client_key_file = "/key.pem",
                               .stop_at_ns = &never};
  struct exporter *exporter = NULL;
  struct hoist_error err;
  assert_int_equal(otlp_http_new(&config, &exporter, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "no client certificate"));
  assert_int_equal(otlp_grpc_new(&config, &exporter, &err), HOIST_INVALID);
  assert_null(exporter);
}

static void test_a_bad_url_or_header_list_is_invalid(void **state) {
  static const struct {
    const char *url, *headers;
  } cases[] = {
      {"", NULL},
      {"localhost:4318", NULL},
      {"ftp://host/", NULL},
      {"http://", NULL},
      {"http://h:99999", NULL},
      {"http://h/", "novalue"},
      {"http://h/", "bad name=x"},
      {"http://h/", "a=%0d%0ainjected"},
      {"http://h/", "a:=x"},
      {"http://h/", "\xc3\xa4=x"},
      {"http://h/", "Content-Type=text/plain"},
      {"http://h/", "content-length=1"},
      {"http://h/", "content-encoding=br"},
      {"http://h/", "transfer-encoding=chunked"},
      {"http://h/", "a=b,te=x"},
      {"http://h/", "host=other"},
      {"http://h/", "connection=close"},
      {"http://h/", "expect=100-continue"},
      {"http://h/", "grpc%2Dtimeout=1S"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct otlp_config config = {.signal = SIGNAL_TRACES,
                                 .url = cases[i].url,
                                 .headers = cases[i].headers,
                                 .stop_at_ns = &never};
    struct exporter *exporter = NULL;
    struct hoist_error err;
    assert_int_equal(otlp_http_new(&config, &exporter, &err), HOIST_INVALID);
    assert_int_equal(otlp_grpc_new(&config, &exporter, &err), HOIST_INVALID);
    assert_null(exporter);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_request_is_what_the_specification_says),
      cmocka_unit_test(test_a_url_without_a_path_means_the_root),
      cmocka_unit_test(test_a_request_is_compressed_where_that_is_asked_for),
      cmocka_unit_test(test_only_the_listed_answers_are_retried),
      cmocka_unit_test(test_a_connection_that_breaks_before_the_answer_is_retried),
      cmocka_unit_test(test_an_answer_that_is_not_http_is_final),
      cmocka_unit_test(test_a_body_over_the_cap_is_refused),
      cmocka_unit_test(test_the_backoff_grows_to_a_bound_and_is_jittered),
      cmocka_unit_test(test_retry_after_is_waited_for_in_either_form),
      cmocka_unit_test(test_a_retry_beyond_the_deadline_is_given_up_at_once),
      cmocka_unit_test(test_a_huge_retry_after_is_never_a_short_one),
      cmocka_unit_test(test_a_retry_after_that_says_nothing_leaves_it_to_the_backoff),
      cmocka_unit_test(test_a_retry_after_that_does_not_fit_is_none_or_for_ever),
      cmocka_unit_test(test_the_status_counts_also_where_the_body_breaks_off),
      cmocka_unit_test(test_an_answer_that_stops_arriving_is_left_at_the_deadline),
      cmocka_unit_test(test_headers_without_end_are_refused),
      cmocka_unit_test(test_a_compressed_answer_is_read),
      cmocka_unit_test(test_a_compressed_answer_is_capped_as_any_other),
      cmocka_unit_test(test_an_answer_in_an_encoding_that_is_not_one_is_judged_by_its_head),
      cmocka_unit_test(test_retries_end_at_the_deadline),
      cmocka_unit_test(test_a_partial_success_is_counted_and_never_retried),
      cmocka_unit_test(test_an_odd_body_of_a_success_is_ignored),
      cmocka_unit_test(test_a_secret_is_not_shown_in_part),
      cmocka_unit_test(test_an_error_shows_what_the_receiver_said_without_secrets),
      cmocka_unit_test(test_where_a_value_is_too_short_to_hide_the_receiver_is_not_quoted),
      cmocka_unit_test(test_another_kind_of_port_is_guessed),
      cmocka_unit_test(test_a_refused_connection_is_retried_until_the_deadline),
      cmocka_unit_test(test_a_collector_that_hangs_is_left_at_the_deadline_or_the_stop),
      cmocka_unit_test(test_a_client_key_without_a_certificate_is_invalid),
      cmocka_unit_test(test_a_bad_url_or_header_list_is_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
