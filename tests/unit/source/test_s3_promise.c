/* SPDX-License-Identifier: Apache-2.0 */
/* What S3 promises of an object's bytes, and how the lengths of its parts are learned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_fixture.h"
#include "s3_promise.h"
#include "s3_xml.h"
#include "text.h"

/* Of "abc". */
#define MD5 "900150983cd24fb0d6963f7d28e17f72"
#define SHA256 "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define SHA1 "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
#define ETAG "\"" MD5 "-3\""
#define MIB INT64_C(1048576)

static void make_response(int status, const char *headers, struct http_response *r) {
  *r = (struct http_response){.status = status, .headers = buf_make(4096)};
  assert_int_equal(buf_append_str(&r->headers, headers, NULL), HOIST_OK);
}

static void test_the_best_promise_is_read(void **state) {
  (void)state;
  static const struct {
    const char *headers;
    int status;
    enum digest_kind kind;
    uint32_t parts;
  } cases[] = {
      {"x-amz-checksum-crc32: NSRBwg==\n", 200, DIGEST_CRC32, 0},
      {"x-amz-checksum-crc32c: Nks/tw==\n", 200, DIGEST_CRC32C, 0},
      {"x-amz-checksum-crc64nvme: AAAAAAAAAAA=\n", 200, DIGEST_CRC64NVME, 0},
      {"x-amz-checksum-sha1: " SHA1 "\n", 200, DIGEST_SHA1, 0},
      {"x-amz-checksum-sha256: " SHA256 "\n", 200, DIGEST_SHA256, 0},
      {"x-amz-checksum-crc32: NSRBwg==\nx-amz-checksum-sha256: " SHA256 "\n", 200, DIGEST_SHA256,
       0},
      {"x-amz-checksum-crc32: NSRBwg==\netag: \"" MD5 "\"\n", 200, DIGEST_CRC32, 0},
      {"x-amz-checksum-sha256: " SHA256 "-3\n", 200, DIGEST_SHA256, 3},
      {"x-amz-checksum-crc32: NSRBwg==-10000\n", 200, DIGEST_CRC32, 10000},
      {"x-amz-checksum-sha256: " SHA256 "-3\nx-amz-checksum-type: COMPOSITE\n", 200, DIGEST_SHA256,
       3},
      {"x-amz-checksum-crc64nvme: AAAAAAAAAAA=\nx-amz-checksum-type: FULL_OBJECT\n", 200,
       DIGEST_CRC64NVME, 0},
      /* which are of no use */
      {"x-amz-checksum-sha256: " SHA256 "\nx-amz-checksum-type: COMPOSITE\n", 200, DIGEST_NONE, 0},
      {"x-amz-checksum-sha256: " SHA256 "-\n", 200, DIGEST_NONE, 0},
      {"x-amz-checksum-sha256: " SHA256 "-0\n", 200, DIGEST_NONE, 0},
      {"x-amz-checksum-sha256: " SHA256 "-10001\n", 200, DIGEST_NONE, 0},
      {"x-amz-checksum-sha256: " SHA256 "-3-3\n", 200, DIGEST_NONE, 0},
      {"x-amz-checksum-sha256: nonsense\netag: \"" MD5 "\"\n", 200, DIGEST_MD5, 0},
      {"x-amz-checksum-crc32: NSRBwg==\netag: \"" MD5 "\"\n", 206, DIGEST_MD5, 0},
      {"x-amz-checksum-crc32: NSRBwg==\netag: \"" MD5 "-3\"\n", 206, DIGEST_NONE, 0},
      {"etag: \"" MD5 "-3\"\n", 200, DIGEST_NONE, 0},
      {"etag: \"" MD5 "\"\nx-amz-server-side-encryption: aws:kms\n", 200, DIGEST_NONE, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(http_response) struct http_response r = {0};
    make_response(cases[i].status, cases[i].headers, &r);
    struct s3_promise p = s3_promise_read(&r, true);
    if (p.digest.kind != cases[i].kind || p.parts != cases[i].parts)
      fail_msg("%s: %s, %u parts", cases[i].headers, digest_kind_name(p.digest.kind), p.parts);
    struct digest abc;
    bool is_abc = p.parts == 0 && p.digest.kind != DIGEST_NONE && p.digest.kind != DIGEST_CRC64NVME;
    if (is_abc) {
      assert_int_equal(digest_of(p.digest.kind, "abc", 3, &abc, NULL), HOIST_OK);
      assert_true(digest_equal(&p.digest, &abc));
    }
    if (p.digest.kind == DIGEST_MD5)
      assert_int_equal(s3_promise_read(&r, false).digest.kind, DIGEST_NONE);
  }
}

static void test_parts_are_alike_but_for_the_last(void **state) {
  (void)state;
  static const struct {
    size_t count;
    int64_t sizes[4];
    bool odd;
  } cases[] = {
      {1, {8}, false},    {2, {8, 3}, false},   {3, {8, 8, 8}, false},   {3, {8, 8, 3}, false},
      {2, {8, 9}, true},  {3, {8, 3, 8}, true}, {3, {8, 3, 3}, true},    {2, {8, 0}, true},
      {2, {8, -1}, true}, {1, {0}, true},       {4, {8, 8, 3, 1}, true}, {2, {INT64_MAX, 1}, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct s3_parts p = {0};
    for (size_t k = 0; k < cases[i].count; k++)
      s3_parts_add(&p, cases[i].sizes[k]);
    if (p.odd != cases[i].odd) fail_msg("case %zu", i);
    if (!p.odd) assert_int_equal(p.count, cases[i].count);
  }
}

/* ---- learning ---------------------------------------------------------------------------------- */

struct world {
  struct fixture f;
  struct s3_client client;
  struct s3_subject subject;
  struct s3_finding finding;
  char endpoint[64];
};

static void set_up(struct world *w, const struct script_reply *replies, size_t count) {
  *w = (struct world){.finding = {.part_bytes = -1}};
  fixture_init(&w->f);
  fixture_replay(&w->f, replies, count);
  snprintf(w->endpoint, sizeof w->endpoint, "%s", script_server_url(w->f.server));
  const struct s3_options options = {
      .bucket = "bucket", .endpoint = w->endpoint, .virtual_host = -1};
  assert_int_equal(s3_client_init(&w->client, w->f.http, &options, NULL), HOIST_OK);
  w->subject = (struct s3_subject){
      .client = &w->client, .key = "k", .what = "s3://bucket/k", .etag = ETAG, .size = 20 * MIB};
}

static void tear_down(struct world *w) {
  s3_client_done(&w->client);
  fixture_done(&w->f);
}

static enum hoist_status find(struct world *w, int status, const char *headers) {
  HOIST_AUTO(http_response) struct http_response r = {0};
  make_response(status, headers, &r);
  return s3_promise_find(&w->f.call, &w->subject, &r, true, &w->finding, &w->f.err);
}

#define COMPOSITE "x-amz-checksum-sha256: " SHA256 "-3\n"
#define PART(size) "<Part><Size>" size "</Size></Part>"
#define ATTRIBUTES(etag, inner)                                                                    \
  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<GetObjectAttributesResponse><ETag>" etag           \
  "</ETag><ObjectParts>" inner "</ObjectParts></GetObjectAttributesResponse>"
#define DENIED                                                                                     \
  "HTTP/1.1 403 No\r\nConnection: close\r\n\r\n<Error><Code>AccessDenied</Code></Error>"
#define HEADED(size) "HTTP/1.1 206 Part\r\nContent-Length: " size "\r\n\r\n"

static void test_the_lengths_of_parts_come_with_the_attributes(void **state) {
  (void)state;
  static const struct {
    const char *answer;
    int64_t part_bytes;
  } cases[] = {
      {ATTRIBUTES(MD5 "-3", PART("8388608") PART("8388608") PART("4194304")), 8 * MIB},
      {ATTRIBUTES("&quot;" MD5 "-3&quot;", PART("8388608") PART("8388608") PART("4194304")),
       8 * MIB},
      {ATTRIBUTES(MD5 "-3", PART("8388608") PART("4194304") PART("8388608")), 0},
      {ATTRIBUTES(MD5 "-3", PART("8388608") PART("8388608") PART("4194303")), 0},
      {ATTRIBUTES(MD5 "-3", PART("8388608") PART("8388608")), 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct script_reply reply = {.data = cases[i].answer, .after = SCRIPT_CLOSE};
    struct world w;
    set_up(&w, &reply, 1);
    assert_int_equal(find(&w, 200, COMPOSITE), HOIST_OK);
    if (w.finding.part_bytes != cases[i].part_bytes) fail_msg("case %zu", i);
    assert_int_equal(w.finding.digest.kind, cases[i].part_bytes > 0 ? DIGEST_SHA256 : DIGEST_NONE);
    assert_string_equal(w.finding.note,
                        cases[i].part_bytes > 0
                            ? "composite sha256 of 3 parts"
                            : "composite sha256 of 3 parts, whose lengths are not known");
    const char *asked = script_server_request(w.f.server, 0);
    assert_ptr_equal(strstr(asked, "GET /bucket/k?attributes= HTTP/1.1\r\n"), asked);
    assert_non_null(strstr(asked, "\r\nx-amz-object-attributes: ETag,ObjectParts\r\n"));
    assert_int_equal(script_server_requests(w.f.server), 1);
    tear_down(&w);
  }
}

static void test_attributes_come_in_pages(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = ATTRIBUTES(MD5 "-3", "<IsTruncated>true</IsTruncated><NextPartNumberMarker>2"
                                    "</NextPartNumberMarker>" PART("8388608") PART("8388608")),
       .after = SCRIPT_CLOSE},
      {.data = ATTRIBUTES(MD5 "-3", "<IsTruncated>false</IsTruncated>" PART("4194304")),
       .after = SCRIPT_CLOSE}};
  struct world w;
  set_up(&w, replies, 2);
  assert_int_equal(find(&w, 200, COMPOSITE), HOIST_OK);
  assert_int_equal(w.finding.part_bytes, 8 * MIB);
  assert_non_null(strstr(script_server_request(w.f.server, 0), "x-amz-part-number-marker: 0\r\n"));
  assert_non_null(strstr(script_server_request(w.f.server, 1), "x-amz-part-number-marker: 2\r\n"));
  tear_down(&w);
}

/* Where attributes are refused, not known, or of another version. */
static void test_parts_are_asked_for_one_by_one_where_they_must(void **state) {
  (void)state;
  static const char *const firsts[] = {
      DENIED, "HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n",
      ATTRIBUTES("another", PART("8388608") PART("8388608") PART("4194304")),
      ATTRIBUTES(MD5 "-3", ""), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"};
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    const struct script_reply replies[] = {{.data = firsts[i], .after = SCRIPT_CLOSE},
                                           {.data = HEADED("8388608")},
                                           {.data = HEADED("8388608")},
                                           {.data = HEADED("4194304")}};
    struct world w;
    set_up(&w, replies, 4);
    assert_int_equal(find(&w, 200, COMPOSITE), HOIST_OK);
    if (w.finding.part_bytes != 8 * MIB) fail_msg("case %zu", i);
    const char *last = script_server_request(w.f.server, 3);
    assert_ptr_equal(strstr(last, "HEAD /bucket/k?partNumber=3 HTTP/1.1\r\n"), last);
    assert_non_null(strstr(last, "\r\nif-match: " ETAG "\r\n"));
    tear_down(&w);
  }
}

static void test_what_cannot_be_learned_is_no_failure(void **state) {
  (void)state;
  static const struct {
    const char *headers;
    struct script_reply replies[2];
    int requests;
  } cases[] = {
      {COMPOSITE, {{.data = DENIED, .after = SCRIPT_CLOSE}}, 2},
      {COMPOSITE,
       {{.data = DENIED, .after = SCRIPT_CLOSE},
        {.data = "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n"}},
       2},
      {"x-amz-checksum-sha256: " SHA256 "-33\n", {{.data = DENIED, .after = SCRIPT_CLOSE}}, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct world w;
    set_up(&w, cases[i].replies, cases[i].replies[1].data ? 2 : 1);
    assert_int_equal(find(&w, 200, cases[i].headers), HOIST_OK);
    assert_int_equal(w.finding.digest.kind, DIGEST_NONE);
    assert_int_equal(w.finding.part_bytes, 0);
    assert_non_null(strstr(w.finding.note, "whose lengths are not known"));
    assert_int_equal(script_server_requests(w.f.server), cases[i].requests);
    tear_down(&w);
  }
}

static void test_an_object_fetched_in_ranges_is_asked_about(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=\r\n"
               "x-amz-checksum-type: FULL_OBJECT\r\n\r\n"}};
  struct world w;
  set_up(&w, replies, 1);
  assert_int_equal(find(&w, 206, "etag: " ETAG "\n"), HOIST_OK);
  assert_int_equal(w.finding.digest.kind, DIGEST_CRC64NVME);
  assert_string_equal(w.finding.note, "crc64nvme");
  const char *asked = script_server_request(w.f.server, 0);
  assert_ptr_equal(strstr(asked, "HEAD /bucket/k HTTP/1.1\r\n"), asked);
  assert_non_null(strstr(asked, "\r\nx-amz-checksum-mode: ENABLED\r\n"));
  /* What it has of its own is enough. */
  assert_int_equal(find(&w, 206, "etag: \"" MD5 "\"\n"), HOIST_OK);
  assert_int_equal(w.finding.digest.kind, DIGEST_MD5);
  assert_int_equal(find(&w, 200, "etag: " ETAG "\n"), HOIST_OK);
  assert_string_equal(w.finding.note, "none");
  assert_int_equal(script_server_requests(w.f.server), 1);
  tear_down(&w);
}

static void test_who_is_called_off_stops_learning(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = DENIED, .after = SCRIPT_CLOSE}};
  struct world w;
  const atomic_int cancel = 1;
  set_up(&w, replies, 1);
  w.f.call.cancel = &cancel;
  assert_int_equal(find(&w, 200, COMPOSITE), HOIST_CANCELLED);
  assert_int_equal(find(&w, 206, "etag: " ETAG "\n"), HOIST_CANCELLED);
  tear_down(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_best_promise_is_read),
      cmocka_unit_test(test_parts_are_alike_but_for_the_last),
      cmocka_unit_test(test_the_lengths_of_parts_come_with_the_attributes),
      cmocka_unit_test(test_attributes_come_in_pages),
      cmocka_unit_test(test_parts_are_asked_for_one_by_one_where_they_must),
      cmocka_unit_test(test_what_cannot_be_learned_is_no_failure),
      cmocka_unit_test(test_an_object_fetched_in_ranges_is_asked_about),
      cmocka_unit_test(test_who_is_called_off_stops_learning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
