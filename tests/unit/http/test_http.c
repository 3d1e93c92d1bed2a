/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that end as they should, and redirects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void test_a_response_has_status_headers_and_body(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
               "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-One:   first  \r\nx-one: second\r\n"
               " folded\r\nEmpty:\r\n\r\nhello"}};
  struct fixture f;
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_get(&f, "/a/../b%20c?x=%2F"), HOIST_OK);
  assert_int_equal(f.response.status, 201);
  assert_int_equal(f.response.content_length, 5);
  assert_int_equal(f.response.attempts, 1);
  assert_string_equal(buf_str(&f.response.body), "hello");
  char value[16], small[5];
  assert_string_equal(http_response_header(&f.response, "x-one", value, sizeof value), "first");
  assert_string_equal(http_response_header(&f.response, "empty", value, sizeof value), "");
  assert_null(http_response_header(&f.response, "x-one", small, sizeof small));
  assert_null(http_response_header(&f.response, "x-early", value, sizeof value));
  assert_null(http_response_header(&f.response, "one", value, sizeof value));
  const char *request = script_server_request(f.server, 0);
  assert_ptr_equal(strstr(request, "GET /a/../b%20c?x=%2F HTTP/1.1\r\n"), request);
  assert_non_null(strstr(request, "User-Agent: hoist-test/1\r\n"));
  assert_null(strstr(request, "Accept-Encoding"));
  fixture_done(&f);
}

static void test_a_chunked_body_has_no_announced_length(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n"
               "X-Trailer: t\r\n\r\n"}};
  struct fixture f;
  struct collector c = {0};
  struct http_request request = {.method = "GET"};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  collector_attach(&c, &request);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_int_equal(c.announced, -1);
  assert_string_equal(buf_str(&c.data), "abcde");
  buf_done(&c.data);
  fixture_done(&f);
}

static void test_an_empty_body_begins_the_sink_too(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
  struct fixture f;
  struct collector c = {0};
  struct http_request request = {.method = "GET"};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  collector_attach(&c, &request);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_int_equal(c.begins, 1);
  assert_int_equal(c.announced, 0);
  buf_done(&c.data);
  fixture_done(&f);
}

static void test_an_error_body_goes_to_the_response_and_not_to_the_sink(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"}};
  struct fixture f;
  struct collector c = {0};
  struct http_request request = {.method = "GET"};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  collector_attach(&c, &request);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_int_equal(f.response.status, 404);
  assert_int_equal(c.begins, 0);
  assert_string_equal(buf_str(&f.response.body), "gone");
  fixture_done(&f);
}

static void test_head_has_a_length_and_no_body(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n"}};
  struct fixture f;
  struct http_request request = {.method = "HEAD"};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  assert_int_equal(f.response.content_length, 1234567);
  assert_int_equal(f.response.body.size, 0);
  fixture_done(&f);
}

static void test_post_sends_its_body_and_headers(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  const struct http_header headers[] = {{"Content-Type", "application/x-protobuf"},
                                        {"X-Empty", ""}};
  struct fixture f;
  struct http_request request = {.method = "POST",
                                 .headers = headers,
                                 .header_count = 2,
                                 .body = "\1\2abc",
                                 .body_size = 5,
                                 .max_body = 16};
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  assert_int_equal(fixture_perform(&f, &request, "/"), HOIST_OK);
  const char *text = script_server_request(f.server, 0);
  assert_non_null(strstr(text, "Content-Type: application/x-protobuf\r\n"));
  assert_non_null(strstr(text, "X-Empty:\r\n"));
  assert_non_null(strstr(text, "\r\n\r\n\1\2abc"));
  assert_null(strstr(text, "Expect"));
  fixture_done(&f);
}

static void test_connections_are_kept_between_requests(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  fixture_init(&f);
  FIXTURE_REPLAY(&f, replies);
  for (int i = 0; i < 4; i++)
    assert_int_equal(fixture_get(&f, "/"), HOIST_OK);
  assert_int_equal(script_server_requests(f.server), 4);
  assert_int_equal(script_server_connections(f.server), 1);
  fixture_done(&f);
}

/* ---- redirects --------------------------------------------------------------------------------
 */

struct redirect {
  struct script_server *to; /* NULL: `location` is complete */
  const char *location;
  char reply[512];
};

static void answer_redirect(void *user, int n, const char *text, struct script_reply *ret_reply) {
  struct redirect *r = user;
  (void)n;
  ret_reply->data = OK_REPLY;
  if (strstr(text, "/target ")) return;
  snprintf(r->reply, sizeof r->reply,
           "HTTP/1.1 302 Found\r\nLocation: %s%s\r\nContent-Length: 3\r\n\r\nhop",
           r->to ? script_server_url(r->to) : "", r->location);
  ret_reply->data = r->reply;
}

static enum hoist_status get_with_secret(struct fixture *f) {
  const struct http_header headers[] = {{"X-Secret", "s3cret"}};
  struct http_request request = {.method = "GET",
                                 .headers = headers,
                                 .header_count = 1,
                                 .max_body = 16,
                                 .follow_redirects = 1};
  return fixture_perform(f, &request, "/start");
}

static void test_a_redirect_within_the_origin_keeps_the_headers(void **state) {
  (void)state;
  struct redirect r = {.location = "../target"};
  struct fixture f;
  fixture_init(&f);
  f.server = script_server_start(answer_redirect, &r, 0);
  assert_int_equal(get_with_secret(&f), HOIST_OK);
  assert_string_equal(buf_str(&f.response.body), "ok");
  assert_int_equal(script_server_requests(f.server), 2);
  const char *second = script_server_request(f.server, 1);
  assert_non_null(strstr(second, "GET /target HTTP"));
  assert_non_null(strstr(second, "X-Secret: s3cret"));
  fixture_done(&f);
}

static void test_a_redirect_to_another_origin_drops_the_headers(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK_REPLY}};
  struct fixture f;
  fixture_init(&f);
  f.other = script_server_replay(replies, 1);
  struct redirect r = {.to = f.other, .location = "/target"};
  f.server = script_server_start(answer_redirect, &r, 0);
  assert_int_equal(get_with_secret(&f), HOIST_OK);
  assert_int_equal(script_server_requests(f.other), 1);
  assert_null(strstr(script_server_request(f.other, 0), "Secret"));
  fixture_done(&f);
}

static void test_bad_redirects_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *location, *message;
    int requests;
  } cases[] = {
      {"/again", "more than 5 redirects", HTTP_MAX_REDIRECTS + 1},
      {"ftp://127.0.0.1/target", "not an http", 1},
      {"file:///etc/passwd", "not an http", 1},
      {"http://user:pw@127.0.0.1/target", "not an http", 1},
      {"http://[bad/target", "not an http", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct redirect r = {.location = cases[i].location};
    struct fixture f;
    fixture_init(&f);
    f.server = script_server_start(answer_redirect, &r, 0);
    assert_int_equal(get_with_secret(&f), HOIST_CORRUPT);
    assert_non_null(strstr(f.err.message, cases[i].message));
    assert_int_equal(script_server_requests(f.server), cases[i].requests);
    assert_int_equal(f.sleep_count, 0);
    fixture_done(&f);
  }
}

static void test_a_redirect_is_an_answer_where_it_is_not_followed(void **state) {
  (void)state;
  struct redirect r = {.location = "/target"};
  struct fixture f;
  fixture_init(&f);
  f.server = script_server_start(answer_redirect, &r, 0);
  assert_int_equal(fixture_get(&f, "/start"), HOIST_OK);
  assert_int_equal(f.response.status, 302);
  struct http_request post = {.method = "POST", .follow_redirects = 1};
  assert_int_equal(fixture_perform(&f, &post, "/start"), HOIST_OK);
  assert_int_equal(f.response.status, 302);
  assert_int_equal(script_server_requests(f.server), 2);
  fixture_done(&f);
}

/* ---- statuses ---------------------------------------------------------------------------------
 */

static void test_every_http_status_has_a_meaning(void **state) {
  (void)state;
  static const struct {
    int http_status;
    enum hoist_status status;
    const char *hint;
  } cases[] = {
      {200, HOIST_OK, ""},
      {206, HOIST_OK, ""},
      {401, HOIST_DENIED, "check the credentials"},
      {402, HOIST_DENIED, "payment required"},
      {403, HOIST_DENIED, "forbidden"},
      {404, HOIST_NOT_FOUND, "not found"},
      {410, HOIST_NOT_FOUND, "gone"},
      {408, HOIST_UNAVAILABLE, "try again"},
      {412, HOIST_UNAVAILABLE, "changed"},
      {423, HOIST_DENIED, "usage is paused"},
      {429, HOIST_UNAVAILABLE, "too many requests"},
      {500, HOIST_UNAVAILABLE, "try again"},
      {502, HOIST_UNAVAILABLE, "try again"},
      {503, HOIST_UNAVAILABLE, "try again"},
      {504, HOIST_UNAVAILABLE, "try again"},
      {599, HOIST_UNAVAILABLE, "try again"},
      {302, HOIST_CORRUPT, "check the address"},
      {400, HOIST_CORRUPT, "check the address"},
      {418, HOIST_CORRUPT, "check the address"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_error err = {0};
    char number[16];
    const struct http_response response = {.status = cases[i].http_status, .attempts = 3};
    assert_int_equal(http_check(&response, "model x", &err), cases[i].status);
    if (cases[i].status == HOIST_OK) continue;
    snprintf(number, sizeof number, "status %d", cases[i].http_status);
    assert_int_equal(err.http_status, cases[i].http_status);
    assert_non_null(strstr(err.message, "model x: "));
    assert_non_null(strstr(err.message, number));
    assert_non_null(strstr(err.message, "after 3 attempts"));
    assert_non_null(strstr(err.message, cases[i].hint));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_response_has_status_headers_and_body),
      cmocka_unit_test(test_a_chunked_body_has_no_announced_length),
      cmocka_unit_test(test_an_empty_body_begins_the_sink_too),
      cmocka_unit_test(test_an_error_body_goes_to_the_response_and_not_to_the_sink),
      cmocka_unit_test(test_head_has_a_length_and_no_body),
      cmocka_unit_test(test_post_sends_its_body_and_headers),
      cmocka_unit_test(test_connections_are_kept_between_requests),
      cmocka_unit_test(test_a_redirect_within_the_origin_keeps_the_headers),
      cmocka_unit_test(test_a_redirect_to_another_origin_drops_the_headers),
      cmocka_unit_test(test_bad_redirects_are_refused),
      cmocka_unit_test(test_a_redirect_is_an_answer_where_it_is_not_followed),
      cmocka_unit_test(test_every_http_status_has_a_meaning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
