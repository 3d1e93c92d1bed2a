/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures against the examples that AWS publishes ("Examples: Signature Calculations" in the
 * Amazon S3 API reference). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sigv4.h"

#define TIME 1369353600 /* 2013-05-24T00:00:00Z */
#define PAYLOAD "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const struct sigv4_credentials credentials = {
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"};

static void test_the_published_examples_come_out(void **state) {
  (void)state;
  static const struct {
    const char *method, *path;
    struct sigv4_pair query[2];
    size_t query_count;
    const char *payload_hash;
    struct sigv4_pair headers[3]; /* besides host, date and hash */
    size_t header_count;
    const char *signed_headers, *signature;
  } cases[] = {
      {"GET",
       "/test.txt",
       {{0}},
       0,
       SIGV4_EMPTY_PAYLOAD,
       {{"range", "bytes=0-9"}},
       1,
       "host;range;x-amz-content-sha256;x-amz-date",
       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
      {"PUT",
       "/test%24file.text",
       {{0}},
       0,
       PAYLOAD,
       {{"x-amz-storage-class", "REDUCED_REDUNDANCY"}, {"date", "Fri, 24 May 2013 00:00:00 GMT"}},
       2,
       "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
      {"GET",
       "/",
       {{"lifecycle", ""}},
       1,
       SIGV4_EMPTY_PAYLOAD,
       {{0}},
       0,
       "host;x-amz-content-sha256;x-amz-date",
       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
      {"GET",
       "/",
       {{"prefix", "J"}, {"max-keys", "2"}},
       2,
       SIGV4_EMPTY_PAYLOAD,
       {{0}},
       0,
       "host;x-amz-content-sha256;x-amz-date",
       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char date[SIGV4_DATE_SIZE];
    sigv4_date(TIME, date);
    assert_string_equal(date, "20130524T000000Z");
    struct sigv4_pair headers[8] = {{"x-amz-date", date},
                                    {"x-amz-content-sha256", cases[i].payload_hash},
                                    {"host", "examplebucket.s3.amazonaws.com"}};
    memcpy(headers + 3, cases[i].headers, cases[i].header_count * sizeof *headers);
    HOIST_AUTO(buf) struct buf query = buf_make(1024);
    HOIST_AUTO(buf) struct buf value = buf_make(1024);
    HOIST_AUTO(buf) struct buf expected = buf_make(1024);
    assert_int_equal(sigv4_query(cases[i].query, cases[i].query_count, &query, NULL), HOIST_OK);
    const struct sigv4_request request = {.method = cases[i].method,
                                          .path = cases[i].path,
                                          .query = buf_str(&query),
                                          .headers = headers,
                                          .header_count = 3 + cases[i].header_count,
                                          .payload_hash = cases[i].payload_hash};
    assert_int_equal(sigv4_authorization(&credentials, &request, date, &value, NULL), HOIST_OK);
    assert_int_equal(
        buf_printf(&expected, NULL,
                   "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                   "aws4_request,SignedHeaders=%s,Signature=%s",
                   cases[i].signed_headers, cases[i].signature),
        HOIST_OK);
    assert_string_equal(buf_str(&value), buf_str(&expected));
  }
}

static void test_a_query_is_encoded_and_then_sorted(void **state) {
  (void)state;
  static const struct {
    struct sigv4_pair pairs[4];
    size_t count;
    const char *query;
  } cases[] = {
      {{{0}}, 0, ""},
      {{{"prefix", "a b+c/d%=&"}}, 1, "prefix=a%20b%2Bc%2Fd%25%3D%26"},
      {{{"b", "2"}, {"a", "3"}, {"b", "1"}}, 3, "a=3&b=1&b=2"},
      /* "%C3" sorts before "a", while the bytes themselves sort after it. */
      {{{"a", "1"}, {"\xc3\xa4", "2"}}, 2, "%C3%A4=2&a=1"},
      {{{"~-._", "\x7f"}}, 1, "~-._=%7F"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(buf) struct buf query = buf_make(1024);
    assert_int_equal(sigv4_query(cases[i].pairs, cases[i].count, &query, NULL), HOIST_OK);
    assert_string_equal(buf_str(&query), cases[i].query);
  }
}

static void test_caps_are_kept(void **state) {
  (void)state;
  struct sigv4_pair many[SIGV4_MAX_HEADERS + 1];
  HOIST_AUTO(buf) struct buf out = buf_make(4096);
  for (size_t i = 0; i < sizeof many / sizeof *many; i++)
    many[i] = (struct sigv4_pair){"name", "value"};
  assert_int_equal(sigv4_query(many, sizeof many / sizeof *many, &out, NULL), HOIST_INVALID);
  const struct sigv4_request request = {.method = "GET",
                                        .path = "/",
                                        .query = "",
                                        .headers = many,
                                        .header_count = sizeof many / sizeof *many,
                                        .payload_hash = SIGV4_EMPTY_PAYLOAD};
  assert_int_equal(sigv4_authorization(&credentials, &request, "20130524T000000Z", &out, NULL),
                   HOIST_INVALID);
  assert_int_equal(out.size, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_published_examples_come_out),
      cmocka_unit_test(test_a_query_is_encoded_and_then_sorted),
      cmocka_unit_test(test_caps_are_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
