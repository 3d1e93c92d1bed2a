/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that fail: what is tried again, what is not, and what the error says. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "http_fixture.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY_REPLY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

static void assert_message(const struct fixture *f, const char *part) {
  if (!strstr(f->err.message, part)) fail_msg("\"%s\" is not in \"%s\"", part, f->err.message);
}

/* ---- tried again ------------------------------------------------------------------------------
 */

static void test_a_busy_server_is_asked_again(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = BUSY_REPLY}, {.data = BUSY_REPLY}, {.data = OK_REPLY}};
  struct fixture f;
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(f.response.status, 200);
  assert_int_equal(f.response.attempts, 3);
  assert_int_equal(f.sleep_count, 2);
  assert_true(f.sleeps_ns[0] <= 100 * NS_PER_MS);
  assert_true(f.sleeps_ns[1] <= 200 * NS_PER_MS);
  fixture_done(&f);
}

static void test_the_last_response_is_the_result_when_attempts_run_out(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"}};
  struct fixture f;
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(f.response.status, 500);
  assert_int_equal(f.response.attempts, 5);
  assert_string_equal(buf_str(&f.response.body), "oops");
  assert_int_equal(script_server_requests(f.server), 5);
  fixture_done(&f);
}

static void test_retry_after_is_honoured(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"},
      {.data = "HTTP/1.1 503 Busy\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n"},
      {.data = OK_REPLY}};
  struct fixture f;
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(f.sleep_count, 2);
  assert_int_equal(f.sleeps_ns[0], 7 * NS_PER_S);
  assert_int_equal(f.sleeps_ns[1], 60 * NS_PER_S);
  fixture_done(&f);
}

static void test_a_wait_that_outlasts_the_deadline_is_not_begun(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"}};
  struct fixture f;
  fixture_init(&f);
  f.call.deadline_ns = clock_monotonic_ns() + 30 * NS_PER_S;
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(f.response.status, 503);
  assert_int_equal(f.response.attempts, 1);
  assert_int_equal(f.sleep_count, 0);
  assert_int_equal(http_check(&f.response, "it", &f.err), HOIST_UNAVAILABLE);
  assert_string_equal(
      f.err.message,
      "it: HTTP status 503 after 1 attempt, asking for a wait of at least 60 s, which is "
      "longer than the timeout allows: service unavailable; try again later");
  fixture_done(&f);
}

static void test_an_interrupted_body_starts_over(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", .after = SCRIPT_RESET},
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567", .after = SCRIPT_CLOSE},
      {.data = "", .after = SCRIPT_CLOSE},
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567890"}};
  struct fixture f;
  struct collector c = {0};
  struct http_request request = {.method = "GET"};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  collector_attach(&c, &request);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_string_equal(buf_str(&c.data), "1234567890");
  assert_int_equal(f.response.attempts, 4);
  buf_done(&c.data);
  fixture_done(&f);
}

static void test_lost_connections_are_unavailable_in_the_end(void **state) {
  (void)state;
  static const struct {
    struct script_reply reply;
    const char *message;
  } cases[] = {
      {{.data = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", .after = SCRIPT_CLOSE},
       "before the whole body arrived"},
      {{.data = "", .after = SCRIPT_CLOSE}, "without an answer"},
      {{.data = "HTTP/1.1 200 OK\r\nContent-Le", .after = SCRIPT_RESET}, "connection was lost"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fixture f;
    char attempts[32];
    fixture_init(&f);
    fixture_replay(&f, &cases[i].reply, 1);
    struct http_request request = {.method = "GET", .max_body = 1024, .max_attempts = 2};
    assert_int_equal(fixture_perform(&f, &request, "/x?token=s3cret"), HOIST_UNAVAILABLE);
    assert_message(&f, cases[i].message);
    assert_message(&f, "after 2 attempts: 127.0.0.1:");
    snprintf(attempts, sizeof attempts, ":%u: ", script_server_port(f.server));
    assert_message(&f, attempts);
    assert_null(strstr(f.err.message, "s3cret"));
    assert_int_equal(script_server_requests(f.server), 2);
    fixture_done(&f);
  }
}

static void test_a_refused_connection_is_unavailable(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  char url[64];
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  snprintf(url, sizeof url, "%s/", script_server_url(f.server));
  script_server_stop(HOIST_TAKE(f.server));
  const struct http_request request = {.method = "GET", .url = url};
  assert_int_equal(http_perform(&f.call, f.http, &request, &f.response, &f.err), HOIST_UNAVAILABLE);
  assert_message(&f, "after 5 attempts");
  assert_message(&f, "connection refused");
  assert_int_equal(f.sleep_count, 4);
  fixture_done(&f);
}

/* A label of over 63 characters is refused before anybody is asked for it. */
#define NO_SUCH_HOST                                                                               \
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid"

static void test_a_host_that_cannot_be_resolved_is_unavailable(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  const struct http_request request = {.method = "GET", .url = "http://" NO_SUCH_HOST "/"};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(http_perform(&f.call, f.http, &request, &f.response, &f.err), HOIST_UNAVAILABLE);
  assert_message(&f, NO_SUCH_HOST ":80: the host name cannot be resolved");
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  fixture_done(&f);
}

static void test_a_silent_server_is_given_up(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = NULL, .after = SCRIPT_STALL},
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", .after = SCRIPT_STALL},
      {.data = OK_REPLY}};
  struct fixture f;
  fixture_init(&f);
  http_free(f.http);
  f.options.stall_timeout_ms = 60;
  assert_int_equal(http_new(&f.options, &f.http, &f.err), HOIST_OK);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(f.response.attempts, 3);
  struct http_request once = {.method = "GET", .max_body = 10, .max_attempts = 1};
  script_server_stop(f.server);
  fixture_replay(&f, replies, 1);
  assert_int_equal(fixture_perform(&f, &once, "/"), HOIST_UNAVAILABLE);
  assert_message(&f, "the server sent nothing for 60 ms");
  fixture_done(&f);
}

static void test_a_server_that_drips_is_given_up(void **state) {
  (void)state;
  static const struct script_reply replies[][1] = {
      {{.data = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", .after = SCRIPT_DRIP}},
      {{.data = "HTTP/1.1 200 OK\r\nX-Endless: ", .after = SCRIPT_DRIP}},
  };
  for (size_t i = 0; i < 2; i++) {
    struct fixture f;
    struct http_request once = {.method = "GET", .max_body = 100000, .max_attempts = 1};
    fixture_init(&f);
    http_free(f.http);
    f.options.stall_timeout_ms = 150;
    assert_int_equal(http_new(&f.options, &f.http, &f.err), HOIST_OK);
    FIXTURE_REPLAY(&f, replies[i]);
    assert_int_equal(fixture_perform(&f, &once, "/"), HOIST_UNAVAILABLE);
    if (i == 0) assert_message(&f, "the server sent fewer than 4096 bytes in 150 ms");
    fixture_done(&f);
  }
}

static enum hoist_status write_slowly(void *user, const void *data, size_t size,
                                      struct hoist_error *err) {
  (void)data, (void)err;
  usleep(150 * 1000);
  *(size_t *)user += size;
  return HOIST_OK;
}

static enum hoist_status begin_nothing(void *user, const struct http_response *response,
                                       struct hoist_error *err) {
  (void)user, (void)response, (void)err;
  return HOIST_OK;
}

static void test_a_slow_sink_is_not_a_slow_server(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "2\r\nab\r\n2\r\ncd\r\n2\r\nef\r\n0\r\n\r\n"}};
  struct fixture f;
  size_t taken = 0;
  struct http_request request = {.method = "GET",
                                 .max_attempts = 1,
                                 .begin = begin_nothing,
                                 .write = write_slowly,
                                 .sink_user = &taken};
  fixture_init(&f);
  http_free(f.http);
  f.options.stall_timeout_ms = 100;
  assert_int_equal(http_new(&f.options, &f.http, &f.err), HOIST_OK);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_int_equal(taken, 6);
  fixture_done(&f);
}

static void test_an_attempt_may_have_a_time_limit(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = NULL, .after = SCRIPT_STALL}};
  struct fixture f;
  struct http_request request = {.method = "GET", .timeout_ms = 60, .max_attempts = 2};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_UNAVAILABLE);
  assert_message(&f, "after 2 attempts");
  assert_message(&f, "not complete for 60 ms");
  fixture_done(&f);
}

/* ---- the caller's own limits ------------------------------------------------------------------
 */

static void *cancel_when_asked(void *user) {
  struct fixture *f = user;
  while (script_server_requests(f->server) == 0)
    usleep(1000);
  atomic_store((atomic_int *)(uintptr_t)f->call.cancel, 1);
  return NULL;
}

static void test_a_waiting_request_is_cancelled_at_once(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = NULL, .after = SCRIPT_STALL}};
  struct fixture f;
  pthread_t thread;
  atomic_int cancel = 0;
  fixture_init(&f);
  f.call.cancel = &cancel;
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(pthread_create(&thread, NULL, cancel_when_asked, &f), 0);
  uint64_t start = clock_monotonic_ns();
  assert_int_equal(fixture_get(&f, "/"), HOIST_CANCELLED);
  assert_true(clock_monotonic_ns() - start < 5 * NS_PER_S); /* the stall timeout is 30 s */
  assert_message(&f, "cancelled");
  pthread_join(thread, NULL);
  assert_int_equal(script_server_requests(f.server), 1);
  fixture_done(&f);
}

static void test_a_cancelled_call_asks_nobody(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  atomic_int cancel = 1;
  fixture_init(&f);
  f.call.cancel = &cancel;
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_CANCELLED);
  assert_int_equal(script_server_connections(f.server), 0);
  fixture_done(&f);
}

static void test_the_deadline_ends_a_request(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = NULL, .after = SCRIPT_STALL}};
  struct fixture f;
  fixture_init(&f);
  f.call.deadline_ns = clock_monotonic_ns() + 60 * NS_PER_MS;
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/"), HOIST_TIMEOUT);
  assert_message(&f, "deadline");
  fixture_done(&f);
}

static void test_a_failing_sink_ends_the_request(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  static const struct {
    enum hoist_status begin, write;
  } cases[] = {{HOIST_UNAVAILABLE, HOIST_OK}, {HOIST_OK, HOIST_NO_SPACE}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fixture f;
    struct collector c = {.begin_status = cases[i].begin, .write_status = cases[i].write};
    struct http_request request = {.method = "GET"};
    fixture_init(&f);
    FIXTURE_REPLAY(&f, replies);
    collector_attach(&c, &request);
    assert_int_equal(fixture_perform(&f, &request, "/"), cases[i].begin + cases[i].write);
    assert_message(&f, "says no");
    assert_int_equal(script_server_requests(f.server), 1);
    buf_done(&c.data);
    fixture_done(&f);
  }
}

/* ---- answers that make no sense ---------------------------------------------------------------
 */

static enum hoist_status get_reply(struct fixture *f, const char *data, size_t size) {
  struct script_reply reply = {.data = data, .size = size, .after = SCRIPT_CLOSE};
  fixture_init(f);
  fixture_replay(f, &reply, 1);
  enum hoist_status status = fixture_get(f, "/");
  script_server_stop(HOIST_TAKE(f->server));
  return status;
}

static void test_too_many_headers_are_corrupt(void **state) {
  (void)state;
  HOIST_AUTO(buf) struct buf reply = buf_make(1 << 20);
  struct fixture f;
  assert_int_equal(buf_append_str(&reply, "HTTP/1.1 200 OK\r\n", NULL), HOIST_OK);
  for (int i = 0; i < 2000; i++)
    assert_int_equal(buf_printf(&reply, NULL, "X-Filler-%d: %040d\r\n", i, i), HOIST_OK);
  assert_int_equal(buf_append_str(&reply, "Content-Length: 0\r\n\r\n", NULL), HOIST_OK);
  assert_int_equal(get_reply(&f, reply.data, reply.size), HOIST_CORRUPT);
  assert_message(&f, "headers are over 65536 bytes");
  fixture_done(&f);
}

static void test_an_endless_header_is_corrupt(void **state) {
  (void)state;
  HOIST_AUTO(buf) struct buf reply = buf_make(1 << 20);
  struct fixture f;
  assert_int_equal(buf_printf(&reply, NULL, "HTTP/1.1 200 OK\r\nX: %0*d", 300000, 1), HOIST_OK);
  assert_int_equal(get_reply(&f, reply.data, reply.size), HOIST_CORRUPT);
  assert_message(&f, "header");
  fixture_done(&f);
}

static void test_a_body_over_the_cap_is_corrupt(void **state) {
  (void)state;
  HOIST_AUTO(buf) struct buf reply = buf_make(1 << 20);
  struct fixture f;
  assert_int_equal(buf_printf(&reply, NULL, "HTTP/1.1 200 OK\r\n\r\n%0*d", 1025, 1), HOIST_OK);
  assert_int_equal(get_reply(&f, reply.data, reply.size), HOIST_CORRUPT);
  assert_message(&f, "over the 1024 bytes allowed");
  fixture_done(&f);
}

static void test_a_long_error_body_is_cut(void **state) {
  (void)state;
  HOIST_AUTO(buf) struct buf reply = buf_make(1 << 20);
  struct fixture f;
  assert_int_equal(
      buf_printf(&reply, NULL, "HTTP/1.1 403 No\r\nContent-Length: 900000\r\n\r\n%0*d", 800000, 1),
      HOIST_OK);
  assert_int_equal(get_reply(&f, reply.data, reply.size), HOIST_OK);
  assert_int_equal(f.response.status, 403);
  assert_int_equal(f.response.body.size, HTTP_MAX_ERROR_BYTES);
  fixture_done(&f);
}

static void test_what_is_not_http_is_corrupt(void **state) {
  (void)state;
  static const char *const replies[] = {"SSH-2.0-OpenSSH_9.2\r\n", "garbage\r\n\r\n",
                                        "<html>hello</html>"};
  for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
    struct fixture f;
    assert_int_equal(get_reply(&f, replies[i], 0), HOIST_CORRUPT);
    assert_message(&f, "not HTTP");
    fixture_done(&f);
  }
}

static void answer_ok(void *user, int n, const char *text, struct script_reply *ret_reply) {
  (void)user, (void)n, (void)text;
  ret_reply->data = OK_REPLY;
}

static void test_an_untrusted_certificate_is_named_and_not_retried(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  f.server = script_server_start(answer_ok, NULL, 1);
  assert_int_equal(fixture_get(&f, "/"), HOIST_UNAVAILABLE);
  assert_message(&f, "127.0.0.1:");
  assert_message(&f, "certificate");
  assert_message(&f, "HOIST_CA_FILE");
  assert_int_equal(f.sleep_count, 0);
  assert_int_equal(script_server_requests(f.server), 0);
  fixture_done(&f);
}

static void test_verification_can_be_switched_off(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  http_free(f.http);
  f.options.verify_tls = 0;
  assert_int_equal(http_new(&f.options, &f.http, &f.err), HOIST_OK);
  f.server = script_server_start(answer_ok, NULL, 1);
  assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_string_equal(buf_str(&f.response.body), "ok");
  fixture_done(&f);
}

static void test_a_missing_ca_file_is_invalid(void **state) {
  (void)state;
  struct fixture f;
  fixture_init(&f);
  http_free(f.http);
  f.options.ca_file = "/nonexistent/ca.pem";
  assert_int_equal(http_new(&f.options, &f.http, &f.err), HOIST_OK);
  f.server = script_server_start(answer_ok, NULL, 1);
  assert_int_equal(fixture_get(&f, "/"), HOIST_INVALID);
  assert_message(&f, "HOIST_CA_FILE");
  fixture_done(&f);
}

/* ---- requests that make no sense --------------------------------------------------------------
 */

static void test_a_malformed_request_is_invalid(void **state) {
  (void)state;
  static const struct http_header split[] = {{"X-A", "b\r\nX-Evil: 1"}};
  static char long_url[HTTP_MAX_URL_BYTES + 32] = "http://127.0.0.1/";
  memset(long_url + strlen(long_url), 'a', sizeof long_url - strlen(long_url) - 1);
  static const struct {
    struct http_request request;
    const char *message;
  } cases[] = {
      {{.method = "GET", .url = "127.0.0.1/x"}, "URL"},
      {{.method = "GET", .url = "ftp://127.0.0.1/x"}, "URL"},
      {{.method = "GET", .url = "http://"}, "URL"},
      {{.method = "GET", .url = ""}, "URL"},
      {{.method = "GET", .url = "http://127.0.0.1:99999/"}, "URL"},
      {{.method = "GET", .url = "http://h:x@:/?token=s3cret"}, "URL"},
      {{.method = "GET", .url = long_url}, "longer"},
      {{.method = "PATCH", .url = "http://127.0.0.1/"}, "PATCH"},
      {{.method = "GET", .url = "http://127.0.0.1/", .headers = split, .header_count = 1}, "X-A"},
      {{.method = "GET", .url = "http://127.0.0.1/", .headers = split, .header_count = 25},
       "more than 24"},
  };
  struct fixture f;
  fixture_init(&f);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(http_perform(&f.call, f.http, &cases[i].request, &f.response, &f.err),
                     HOIST_INVALID);
    assert_message(&f, cases[i].message);
    assert_null(strstr(f.err.message, "s3cret"));
  }
  fixture_done(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_busy_server_is_asked_again),
      cmocka_unit_test(test_the_last_response_is_the_result_when_attempts_run_out),
      cmocka_unit_test(test_retry_after_is_honoured),
      cmocka_unit_test(test_a_wait_that_outlasts_the_deadline_is_not_begun),
      cmocka_unit_test(test_an_interrupted_body_starts_over),
      cmocka_unit_test(test_lost_connections_are_unavailable_in_the_end),
      cmocka_unit_test(test_a_refused_connection_is_unavailable),
      cmocka_unit_test(test_a_host_that_cannot_be_resolved_is_unavailable),
      cmocka_unit_test(test_a_silent_server_is_given_up),
      cmocka_unit_test(test_a_server_that_drips_is_given_up),
      cmocka_unit_test(test_a_slow_sink_is_not_a_slow_server),
      cmocka_unit_test(test_an_attempt_may_have_a_time_limit),
      cmocka_unit_test(test_a_waiting_request_is_cancelled_at_once),
      cmocka_unit_test(test_a_cancelled_call_asks_nobody),
      cmocka_unit_test(test_the_deadline_ends_a_request),
      cmocka_unit_test(test_a_failing_sink_ends_the_request),
      cmocka_unit_test(test_too_many_headers_are_corrupt),
      cmocka_unit_test(test_an_endless_header_is_corrupt),
      cmocka_unit_test(test_a_body_over_the_cap_is_corrupt),
      cmocka_unit_test(test_a_long_error_body_is_cut),
      cmocka_unit_test(test_what_is_not_http_is_corrupt),
      cmocka_unit_test(test_an_untrusted_certificate_is_named_and_not_retried),
      cmocka_unit_test(test_verification_can_be_switched_off),
      cmocka_unit_test(test_a_missing_ca_file_is_invalid),
      cmocka_unit_test(test_a_malformed_request_is_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
