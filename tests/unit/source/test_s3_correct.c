/* SPDX-License-Identifier: Apache-2.0 */
/* What S3 requests learn from being refused, and what the errors of those that learn nothing say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "aws_provider.h"
#include "clock.h"
#include "http_fixture.h"
#include "s3_client.h"
#include "text.h"

#define ACCESS "AKIAEXAMPLE"
#define SECRET "s3cr3t/KEY+example"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define REFUSED(status, more, code, inner)                                                         \
  "HTTP/1.1 " status "\r\n" more "Connection: close\r\n\r\n<Error><Code>" code "</Code>" inner     \
  "</Error>"

struct world {
  struct fixture f;
  struct s3_options options;
  struct aws_provider *provider;
  struct s3_client client;
  char endpoint[64];
};

static enum hoist_status find_keys(const struct call *call, void *user,
                                   const struct aws_credentials **ret_credentials,
                                   struct hoist_error *err) {
  static const struct aws_credentials keys = {
      .access_key = ACCESS, .secret_key = SECRET, .provider = "test"};
  (void)call, (void)user;
  return aws_credentials_new(&keys, ret_credentials, err);
}

static void set_up(struct world *w, const struct script_reply *replies, size_t count) {
  *w = (struct world){.options = {.bucket = "bucket", .region = "us-east-1", .virtual_host = -1}};
  fixture_init(&w->f);
  fixture_replay(&w->f, replies, count);
  assert_int_equal(aws_provider_new(find_keys, NULL, NULL, &w->provider, NULL), HOIST_OK);
  snprintf(w->endpoint, sizeof w->endpoint, "%s", script_server_url(w->f.server));
  w->options.endpoint = w->endpoint;
  w->options.credentials = w->provider;
}

static enum hoist_status open_client(struct world *w) {
  return s3_client_init(&w->client, w->f.http, &w->options, &w->f.err);
}

static void tear_down(struct world *w) {
  s3_client_done(&w->client);
  aws_provider_free(w->provider);
  fixture_done(&w->f);
}

static enum hoist_status ask(struct world *w, const char *method) {
  HOIST_AUTO(http_response) struct http_response response = {0};
  const struct s3_operation op = {.span_name = "S3.GetObject",
                                  .method = method,
                                  .what = "s3://bucket/k",
                                  .key = "k",
                                  .max_body = 64};
  return s3_ask(&w->f.call, &w->client, &op, &response, &w->f.err);
}

static void assert_signed_for(const struct world *w, int request, const char *region) {
  char scope[96];
  snprintf(scope, sizeof scope, "/%s/s3/aws4_request", region);
  if (!strstr(script_server_request(w->f.server, request), scope))
    fail_msg("request %d is not signed for %s", request, region);
}

static void test_a_wrong_region_is_corrected_once_and_remembered(void **state) {
  (void)state;
  static const struct {
    const char *method, *refusal;
  } cases[] = {
      {NULL, REFUSED("400 Bad", "", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")},
      {NULL, REFUSED("301 Moved", "x-amz-bucket-region: eu-west-1\r\n", "PermanentRedirect", "")},
      {NULL, REFUSED("307 Moved", "x-amz-bucket-region: eu-west-1\r\n", "TemporaryRedirect", "")},
      {"HEAD", "HTTP/1.1 400 Bad\r\nx-amz-bucket-region: eu-west-1\r\n\r\n"},
      {"HEAD", "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\n\r\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *ok = cases[i].method ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : OK;
    const struct script_reply replies[] = {{.data = cases[i].refusal, .after = SCRIPT_CLOSE},
                                           {.data = ok}};
    struct world w;
    set_up(&w, replies, 2);
    assert_int_equal(open_client(&w), HOIST_OK);
    assert_int_equal(ask(&w, cases[i].method), HOIST_OK);
    assert_int_equal(ask(&w, cases[i].method), HOIST_OK);
    assert_int_equal(script_server_requests(w.f.server), 3);
    assert_signed_for(&w, 0, "us-east-1");
    assert_signed_for(&w, 1, "eu-west-1");
    assert_signed_for(&w, 2, "eu-west-1");
    HOIST_AUTO(s3_place) struct s3_place *place = s3_client_place(&w.client);
    assert_string_equal(place->region, "eu-west-1");
    assert_string_equal(place->origin, w.endpoint);
    tear_down(&w);
  }
}

static void test_at_aws_another_region_is_another_host(void **state) {
  (void)state;
  struct world w;
  static const struct script_reply none[] = {{.data = OK}};
  set_up(&w, none, 1);
  w.options.endpoint = NULL;
  assert_int_equal(open_client(&w), HOIST_OK);
  HOIST_AUTO(s3_place) struct s3_place *moved = NULL;
  HOIST_AUTO(s3_place) struct s3_place *before = s3_client_place(&w.client);
  assert_int_equal(s3_client_move(&w.client, "cn-north-1", &moved, NULL), HOIST_OK);
  HOIST_AUTO(s3_place) struct s3_place *after = s3_client_place(&w.client);
  assert_string_equal(before->host, "bucket.s3.us-east-1.amazonaws.com");
  assert_string_equal(after->host, "bucket.s3.cn-north-1.amazonaws.com.cn");
  assert_ptr_equal(moved, after);
  tear_down(&w);
}

static void test_regions_that_are_none_or_do_not_help_are_errors(void **state) {
  (void)state;
  static const struct {
    const char *refusal;
    int requests;
    const char *says;
  } cases[] = {
      {REFUSED("301 Moved", "x-amz-bucket-region: evil.example/x\r\n", "PermanentRedirect", ""), 1,
       "set AWS_REGION and AWS_ENDPOINT_URL_S3"},
      {REFUSED("301 Moved", "x-amz-bucket-region: us-east-1\r\n", "PermanentRedirect", ""), 1,
       "not at this endpoint"},
      {REFUSED("301 Moved", "x-amz-bucket-region: eu-west-1\r\n", "PermanentRedirect", ""), 2,
       "not at this endpoint"},
      {REFUSED("301 Moved", "Location: http://127.0.0.1:1/\r\n", "PermanentRedirect", ""), 1,
       "set AWS_REGION and AWS_ENDPOINT_URL_S3"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct script_reply reply = {.data = cases[i].refusal, .after = SCRIPT_CLOSE};
    struct world w;
    set_up(&w, &reply, 1);
    assert_int_equal(open_client(&w), HOIST_OK);
    assert_int_equal(ask(&w, NULL), HOIST_INVALID);
    if (!strstr(w.f.err.message, cases[i].says)) fail_msg("%s", w.f.err.message);
    assert_int_equal(script_server_requests(w.f.server), cases[i].requests);
    tear_down(&w);
  }
}

/* ---- the clock --------------------------------------------------------------------------------- */

static void test_the_servers_clock_is_gone_by(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data =
           REFUSED("403 No", "Date: Fri, 24 May 2013 00:00:00 GMT\r\n", "RequestTimeTooSkewed", ""),
       .after = SCRIPT_CLOSE},
      {.data = OK}};
  struct world w;
  set_up(&w, replies, 2);
  assert_int_equal(open_client(&w), HOIST_OK);
  assert_int_equal(ask(&w, NULL), HOIST_OK);
  assert_int_equal(ask(&w, NULL), HOIST_OK);
  assert_int_equal(script_server_requests(w.f.server), 3);
  for (int i = 1; i < 3; i++)
    assert_non_null(strstr(script_server_request(w.f.server, i), "x-amz-date: 20130524T0000"));
  tear_down(&w);
}

static void test_a_clock_that_stays_wrong_is_the_end(void **state) {
  (void)state;
  static const struct {
    const char *date;
    int requests;
  } cases[] = {{"Date: Fri, 24 May 2013 00:00:00 GMT\r\n", 2}, {"Date: today\r\n", 1}, {"", 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(mem)
    char *data = text_format("HTTP/1.1 403 No\r\n%sConnection: close\r\n\r\n"
                             "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                             cases[i].date);
    const struct script_reply reply = {.data = data, .after = SCRIPT_CLOSE};
    struct world w;
    set_up(&w, &reply, 1);
    assert_int_equal(open_client(&w), HOIST_OK);
    assert_int_equal(ask(&w, NULL), HOIST_DENIED);
    assert_non_null(strstr(w.f.err.message, "set the clock"));
    assert_int_equal(script_server_requests(w.f.server), cases[i].requests);
    tear_down(&w);
  }
}

/* Every mistake at once, each corrected in its turn. */
static void test_region_and_clock_are_corrected_one_after_the_other(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = REFUSED("400 Bad", "", "AuthorizationHeaderMalformed", "<Region>r2</Region>"),
       .after = SCRIPT_CLOSE},
      {.data =
           REFUSED("403 No", "Date: Fri, 24 May 2013 00:00:00 GMT\r\n", "RequestTimeTooSkewed", ""),
       .after = SCRIPT_CLOSE},
      {.data = OK}};
  struct world w;
  set_up(&w, replies, 3);
  assert_int_equal(open_client(&w), HOIST_OK);
  assert_int_equal(ask(&w, NULL), HOIST_OK);
  assert_int_equal(script_server_requests(w.f.server), 3);
  assert_signed_for(&w, 2, "r2");
  tear_down(&w);
}

/* ---- what is said ------------------------------------------------------------------------------ */

static void test_errors_carry_the_servers_words_and_ids(void **state) {
  (void)state;
  static const struct {
    const char *refusal;
    enum hoist_status status;
    const char *says, *says_not;
  } cases[] = {
      {REFUSED("403 No", "", "AccessDenied",
               "<Message>User: u is not authorized to perform: s3:GetObject</Message>"
               "<RequestId>R1</RequestId><HostId>H1</HostId>"),
       HOIST_DENIED,
       "s3:ListBucket (AccessDenied): User: u is not authorized to perform: s3:GetObject "
       "[request R1, host H1]",
       NULL},
      {REFUSED("403 No", "x-amz-request-id: R2\r\n", "AccessDenied",
               "<Message>the key " SECRET "</Message>"),
       HOIST_DENIED, "(AccessDenied) [request R2]", SECRET},
      {REFUSED("403 No", "", "AccessDenied",
               "<Message>not authorized to perform: kms:Decrypt</Message>"),
       HOIST_DENIED, "allow them kms:Decrypt", "s3:ListBucket"},
      {REFUSED("400 Bad", "", "InvalidRequest",
               "<Message>The object was stored using a form of Server Side Encryption. The correct "
               "parameters must be provided to retrieve the object.</Message>"),
       HOIST_UNSUPPORTED, "SSE-C", NULL},
      {REFUSED("400 Bad", "", "InvalidRequest", "<Message>something else</Message>"), HOIST_CORRUPT,
       "S3 error InvalidRequest (something else)", "SSE-C"},
      {REFUSED("404 No", "", "NoSuchVersion", ""), HOIST_NOT_FOUND, "no such version", "[request"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct script_reply reply = {.data = cases[i].refusal, .after = SCRIPT_CLOSE};
    struct world w;
    set_up(&w, &reply, 1);
    assert_int_equal(open_client(&w), HOIST_OK);
    assert_int_equal(ask(&w, NULL), cases[i].status);
    if (!strstr(w.f.err.message, cases[i].says))
      fail_msg("\"%s\" is not in \"%s\"", cases[i].says, w.f.err.message);
    if (cases[i].says_not) assert_null(strstr(w.f.err.message, cases[i].says_not));
    tear_down(&w);
  }
}

static void test_slow_down_is_backed_off_from(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = REFUSED("503 Slow", "", "SlowDown", ""), .after = SCRIPT_CLOSE},
      {.data = REFUSED("503 Slow", "", "SlowDown", ""), .after = SCRIPT_CLOSE},
      {.data = OK}};
  struct world w;
  set_up(&w, replies, 3);
  assert_int_equal(open_client(&w), HOIST_OK);
  assert_int_equal(ask(&w, NULL), HOIST_OK);
  assert_int_equal(script_server_requests(w.f.server), 3);
  assert_int_equal(w.f.sleep_count, 2);
  tear_down(&w);
}

static void test_who_pays_is_said_and_signed(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = OK}};
  struct world w;
  set_up(&w, replies, 1);
  w.options.requester_pays = true;
  assert_int_equal(open_client(&w), HOIST_OK);
  assert_int_equal(ask(&w, NULL), HOIST_OK);
  const char *request = script_server_request(w.f.server, 0);
  assert_non_null(strstr(request, "\r\nx-amz-request-payer: requester\r\n"));
  const char *names = strstr(request, "SignedHeaders=");
  assert_non_null(names);
  const char *payer = strstr(names, "x-amz-request-payer");
  assert_true(payer && payer < strstr(names, ",Signature="));
  tear_down(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_wrong_region_is_corrected_once_and_remembered),
      cmocka_unit_test(test_at_aws_another_region_is_another_host),
      cmocka_unit_test(test_regions_that_are_none_or_do_not_help_are_errors),
      cmocka_unit_test(test_the_servers_clock_is_gone_by),
      cmocka_unit_test(test_a_clock_that_stays_wrong_is_the_end),
      cmocka_unit_test(test_region_and_clock_are_corrected_one_after_the_other),
      cmocka_unit_test(test_errors_carry_the_servers_words_and_ids),
      cmocka_unit_test(test_slow_down_is_backed_off_from),
      cmocka_unit_test(test_who_pays_is_said_and_signed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
