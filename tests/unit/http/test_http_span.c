/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace shows of requests, and requests of many threads over one client. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void assert_attr(const struct fake_span *span, const char *key, const char *value) {
  const char *actual = fake_attr(span, key);
  assert_non_null(span);
  if (value && !actual) fail_msg("%s is not set", key);
  if (value)
    assert_string_equal(actual, value);
  else
    assert_null(actual);
}

static void note_answer(void *user, struct hoist_span *span, const struct http_response *response) {
  (void)user;
  hoist_span_set_int(span, "test.status", response->status);
}

static void test_every_attempt_is_a_span(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nbsy"},
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", .after = SCRIPT_CLOSE},
      {.data = OK_REPLY}};
  struct fixture f;
  struct hoist_span parent;
  struct fake_tracer *tracer = fake_tracer_new();
  struct http_request request = {.method = "GET", .max_body = 16, .annotate = note_answer};
  char port[16], url[128];
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  hoist_span_start_root(tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  f.call.span = &parent;
  assert_int_equal(fixture_perform(&f, &request, "/x?api_key=s3cret&v=1"), HOIST_OK);
  hoist_span_end(&parent);

  assert_int_equal(fake_span_count(tracer, "GET"), 3);
  snprintf(port, sizeof port, "%u", script_server_port(f.server));
  snprintf(url, sizeof url, "%s/x?api_key=REDACTED&v=REDACTED", script_server_url(f.server));
  static const struct {
    const char *code, *size, *resend, *type, *connects;
  } expected[] = {{"503", "3", NULL, "503", "yes"},
                  {"200", "3", "1", "short_body", NULL},
                  {"200", "2", "2", NULL, "yes"}};
  for (int i = 0; i < 3; i++) {
    const struct fake_span *span = fake_span(tracer, "GET", i);
    assert_int_equal(span->parent, 0);
    assert_attr(span, "http.request.method", "GET");
    assert_attr(span, "server.address", "127.0.0.1");
    assert_attr(span, "server.port", port);
    assert_attr(span, "url.full", url);
    assert_attr(span, "http.response.status_code", expected[i].code);
    assert_attr(span, "test.status", expected[i].code);
    assert_attr(span, "http.response.body.size", expected[i].size);
    assert_attr(span, "http.request.resend_count", expected[i].resend);
    assert_attr(span, "error.type", expected[i].type);
    assert_int_equal(span->errors, expected[i].type != NULL);
    assert_int_equal(fake_attr(span, "hoist.http.connect_ms") != NULL,
                     expected[i].connects != NULL);
  }
  fake_tracer_check(tracer, "s3cret");
  fake_tracer_free(tracer);
  fixture_done(&f);
}

static enum hoist_status take_and_stop(void *user, const void *data, size_t size,
                                       struct hoist_error *err) {
  (void)data, (void)size;
  atomic_store((atomic_int *)user, 1);
  return hoist_fail(err, HOIST_CANCELLED, "enough");
}

static enum hoist_status begin_nothing(void *user, const struct http_response *response,
                                       struct hoist_error *err) {
  (void)user, (void)response, (void)err;
  return HOIST_OK;
}

/* Who called it off makes the difference: the caller, or a sibling that was faster. */
static void test_a_request_that_became_needless_is_no_error(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  for (int needless = 0; needless < 2; needless++) {
    struct fixture f;
    struct hoist_span parent;
    atomic_int flag = 0;
    struct fake_tracer *tracer = fake_tracer_new();
    struct http_request request = {
        .method = "GET", .begin = begin_nothing, .write = take_and_stop, .sink_user = &flag};
    fixture_init(&f);
    FIXTURE_REPLAY(&f, replies);
    hoist_span_start_root(tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
    f.call.span = &parent;
    if (needless) f.call.stop = &flag;
    assert_int_equal(fixture_perform(&f, &request, "/x"), HOIST_CANCELLED);
    hoist_span_end(&parent);
    const struct fake_span *span = fake_span(tracer, "GET", 0);
    assert_attr(span, "hoist.http.stopped", needless ? "true" : NULL);
    assert_attr(span, "error.type", needless ? NULL : "cancelled");
    assert_int_equal(span->errors, !needless);
    fake_tracer_check(tracer, NULL);
    fake_tracer_free(tracer);
    fixture_done(&f);
  }
}

static void test_a_kept_connection_that_was_closed_is_a_span_but_no_attempt(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = OK_REPLY}, {.data = NULL, .after = SCRIPT_CLOSE}, {.data = OK_REPLY}};
  struct fixture f;
  struct hoist_span parent;
  struct fake_tracer *tracer = fake_tracer_new();
  struct http_request once = {.method = "GET", .max_body = 16, .max_attempts = 1};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  hoist_span_start_root(tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  f.call.span = &parent;
  assert_int_equal(fixture_perform(&f, &once, "/"), HOIST_OK);
  assert_int_equal(fixture_perform(&f, &once, "/"), HOIST_OK);
  hoist_span_end(&parent);
  assert_int_equal(f.response.attempts, 1);
  assert_int_equal(f.sleep_count, 0);
  assert_int_equal(script_server_requests(f.server), 3);
  assert_int_equal(script_server_connections(f.server), 2);
  assert_int_equal(fake_span_count(tracer, "GET"), 3);
  assert_attr(fake_span(tracer, "GET", 0), "error.type", NULL);
  assert_attr(fake_span(tracer, "GET", 1), "error.type", "reset");
  assert_attr(fake_span(tracer, "GET", 1), "http.response.status_code", NULL);
  assert_attr(fake_span(tracer, "GET", 2), "http.request.resend_count", "1");
  assert_attr(fake_span(tracer, "GET", 2), "error.type", NULL);
  fake_tracer_check(tracer, NULL);
  fake_tracer_free(tracer);
  fixture_done(&f);
}

static void test_a_request_that_got_nowhere_says_why(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  struct hoist_span parent;
  struct fake_tracer *tracer = fake_tracer_new();
  char url[64];
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  snprintf(url, sizeof url, "%s/", script_server_url(f.server));
  script_server_stop(HOIST_TAKE(f.server));
  hoist_span_start_root(tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  f.call.span = &parent;
  const struct http_request request = {
      .method = "GET", .url = url, .span_name = "S3.GetObject", .max_attempts = 1};
  assert_int_equal(http_perform(&f.call, f.http, &request, &f.response, &f.err), HOIST_UNAVAILABLE);
  hoist_span_end(&parent);
  const struct fake_span *span = fake_span(tracer, "S3.GetObject", 0);
  assert_attr(span, "error.type", "connection_refused");
  assert_attr(span, "http.response.status_code", NULL);
  assert_string_equal(span->description, f.err.message);
  fake_tracer_check(tracer, NULL);
  fake_tracer_free(tracer);
  fixture_done(&f);
}

static void test_a_redirect_is_two_spans(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 307 Moved\r\nLocation: /b?token=s3cret\r\nContent-Length: 0\r\n\r\n"},
      {.data = OK_REPLY}};
  struct fixture f;
  struct hoist_span parent;
  struct fake_tracer *tracer = fake_tracer_new();
  struct http_request request = {.method = "GET", .max_body = 16, .follow_redirects = 1};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  hoist_span_start_root(tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  f.call.span = &parent;
  assert_int_equal(fixture_perform(&f, &request, "/a"), HOIST_OK);
  hoist_span_end(&parent);
  assert_int_equal(fake_span_count(tracer, "GET"), 2);
  assert_attr(fake_span(tracer, "GET", 0), "http.response.status_code", "307");
  assert_attr(fake_span(tracer, "GET", 0), "error.type", NULL);
  assert_attr(fake_span(tracer, "GET", 1), "http.request.resend_count", "1");
  assert_non_null(strstr(fake_attr(fake_span(tracer, "GET", 1), "url.full"), "/b?token=REDACTED"));
  fake_tracer_check(tracer, "s3cret");
  fake_tracer_free(tracer);
  fixture_done(&f);
}

/* ---- signing ----------------------------------------------------------------------------------
 */

struct signer {
  int calls;
  char text[32];
  struct http_header header;
};

static enum hoist_status sign(void *user, const struct http_header **ret_headers, size_t *ret_count,
                              struct hoist_error *err) {
  struct signer *s = user;
  (void)err;
  snprintf(s->text, sizeof s->text, "attempt %d", ++s->calls);
  s->header = (struct http_header){"X-Signature", s->text};
  *ret_headers = &s->header;
  *ret_count = 1;
  return HOIST_OK;
}

static void test_each_attempt_is_signed_anew(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}, {.data = OK_REPLY}};
  struct fixture f;
  struct signer signer = {0};
  struct http_request request = {
      .method = "GET", .max_body = 16, .sign = sign, .sign_user = &signer};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_int_equal(signer.calls, 2);
  assert_non_null(strstr(script_server_request(f.server, 0), "X-Signature: attempt 1\r\n"));
  assert_non_null(strstr(script_server_request(f.server, 1), "X-Signature: attempt 2\r\n"));
  fixture_done(&f);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

#define THREADS 6
#define REQUESTS_EACH 8

static void *get_several(void *user) {
  struct fixture *f = user;
  char url[64];
  snprintf(url, sizeof url, "%s/", script_server_url(f->server));
  const struct call call = {0};
  const struct http_request request = {.method = "GET", .url = url, .max_body = 16};
  uintptr_t good = 0;
  for (int i = 0; i < REQUESTS_EACH; i++) {
    HOIST_AUTO(http_response) struct http_response response = {0};
    good += http_perform(&call, f->http, &request, &response, NULL) == HOIST_OK &&
            strcmp(buf_str(&response.body), "ok") == 0;
  }
  return (void *)good;
}

static void test_threads_share_a_client(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  pthread_t threads[THREADS];
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, get_several, &f), 0);
  for (int i = 0; i < THREADS; i++) {
    void *good = NULL;
    pthread_join(threads[i], &good);
    assert_int_equal((uintptr_t)good, REQUESTS_EACH);
  }
  assert_true(script_server_connections(f.server) <= THREADS);
  fixture_done(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_attempt_is_a_span),
      cmocka_unit_test(test_a_request_that_became_needless_is_no_error),
      cmocka_unit_test(test_a_kept_connection_that_was_closed_is_a_span_but_no_attempt),
      cmocka_unit_test(test_a_request_that_got_nowhere_says_why),
      cmocka_unit_test(test_a_redirect_is_two_spans),
      cmocka_unit_test(test_each_attempt_is_signed_anew),
      cmocka_unit_test(test_threads_share_a_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
