/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 source against a scripted server: what it asks for, how it signs, what it makes of
 * answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aws_provider.h"
#include "http_fixture.h"
#include "sigv4.h"
#include "source.h"
#include "text.h"

#define ACCESS "AKIAEXAMPLE"
#define SECRET "s3cr3t/KEY+example"
#define SESSION "t0ken/with+signs=="
#define LIST_HEAD                                                                                  \
  "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"                  \
  "<ListBucketResult><EncodingType>url</EncodingType>"
#define LIST_TAIL "</ListBucketResult>"
#define OBJECT(key, size, etag)                                                                    \
  "<Contents><Key>" key "</Key><Size>" size "</Size><ETag>&quot;" etag "&quot;</ETag></Contents>"

struct s3_fixture {
  struct fixture f;
  struct aws_credentials keys; /* what the provider finds */
  int searches;
  struct aws_provider *provider;
  struct s3_options options;
  char endpoint[64];
  struct source *source;
  struct model_id id;
  struct manifest manifest;
  struct collector collector;
  struct digest promised;
  struct source_response response;
  char validator[SOURCE_VALIDATOR_SIZE];
  enum source_trouble trouble;
};

static enum hoist_status find_keys(const struct call *call, void *user,
                                   const struct aws_credentials **ret_credentials,
                                   struct hoist_error *err) {
  struct s3_fixture *s = user;
  (void)call;
  s->searches++;
  return aws_credentials_new(&s->keys, ret_credentials, err);
}

static void open_source(struct s3_fixture *s) {
  snprintf(s->endpoint, sizeof s->endpoint, "%s", script_server_url(s->f.server));
  s->options.endpoint = s->endpoint;
  assert_int_equal(source_s3_new(s->f.http, &s->options, &s->source, &s->f.err), HOIST_OK);
}

static void set_up(struct s3_fixture *s) {
  *s = (struct s3_fixture){
      .options = {.bucket = "bucket", .verify_md5 = 1, .prefix = "models/", .virtual_host = -1},
      .keys = {.access_key = ACCESS, .secret_key = SECRET, .provider = "environment"}};
  fixture_init(&s->f);
  assert_int_equal(aws_provider_new(find_keys, s, NULL, &s->provider, NULL), HOIST_OK);
  s->options.credentials = s->provider;
  s->collector.data = buf_make(4096);
  assert_int_equal(model_id_parse("coins/1", &s->id, NULL), HOIST_OK);
}

static void set_up_replay(struct s3_fixture *s, const struct script_reply *replies, size_t count) {
  set_up(s);
  fixture_replay(&s->f, replies, count);
  open_source(s);
}

static void tear_down(struct s3_fixture *s) {
  manifest_done(&s->manifest);
  source_free(s->source);
  aws_provider_free(s->provider);
  buf_done(&s->collector.data);
  fixture_done(&s->f);
}

static enum hoist_status describe(struct s3_fixture *s) {
  manifest_done(&s->manifest);
  return s->source->ops->describe(&s->f.call, s->source, &s->id, &s->manifest, &s->f.err);
}

static enum hoist_status begin(void *user, const struct source_response *response,
                               struct hoist_error *err) {
  struct s3_fixture *s = user;
  (void)err;
  s->collector.begins++;
  s->collector.announced = response->size;
  s->promised = response->promised;
  s->response = *response;
  text_copy(s->validator, sizeof s->validator, response->validator ? response->validator : "");
  buf_clear(&s->collector.data);
  return HOIST_OK;
}

static enum hoist_status write_data(void *user, const void *data, size_t size,
                                    struct hoist_error *err) {
  return buf_append(&((struct s3_fixture *)user)->collector.data, data, size, err);
}

static enum hoist_status fetch_part(struct s3_fixture *s, const char *key, int64_t from, int64_t to,
                                    const char *validator) {
  struct manifest_file file = {.name = (char *)(uintptr_t) "w.onnx",
                               .size = FILE_SIZE_UNKNOWN,
                               .locator = (char *)(uintptr_t)key};
  struct source_request request = {.file = &file,
                                   .from = from,
                                   .to = to,
                                   .validator = validator,
                                   .sink = {.user = s, .begin = begin, .write = write_data}};
  enum hoist_status status =
      s->source->ops->fetch(&s->f.call, s->source, &s->id, &request, &s->f.err);
  s->trouble = request.trouble;
  return status;
}

static enum hoist_status fetch_key(struct s3_fixture *s, const char *key, const char *etag) {
  return fetch_part(s, key, 0, SOURCE_TO_END, etag);
}

static void assert_message(const struct s3_fixture *s, const char *part) {
  if (!strstr(s->f.err.message, part)) fail_msg("\"%s\" is not in \"%s\"", part, s->f.err.message);
}

static void assert_no_secret(const struct s3_fixture *s) {
  assert_null(strstr(s->f.err.message, ACCESS));
  assert_null(strstr(s->f.err.message, SECRET));
  assert_null(strstr(s->f.err.message, SESSION));
}

/* ---- what is sent -----------------------------------------------------------------------------
 */

/* The value of a header in a request's text; fails where there is none. */
static char *header_of(const char *request, const char *name) {
  HOIST_AUTO(mem) char *start = text_format("\r\n%s: ", name);
  const char *value = strcasestr(request, start);
  if (!value) fail_msg("no header %s in %s", name, request);
  value += strlen(start);
  return strndup(value, strcspn(value, "\r"));
}

/* Signs what arrived, and compares with the signature that came with it. */
static void assert_signed(const char *request, const char *const *names, size_t count) {
  HOIST_AUTO(mem) char *authorization = header_of(request, "authorization");
  HOIST_AUTO(mem) char *date = header_of(request, "x-amz-date");
  HOIST_AUTO(buf) struct buf expected = buf_make(4096);
  char *values[8];
  struct sigv4_pair pairs[8];
  for (size_t i = 0; i < count; i++) {
    values[i] = header_of(request, names[i]);
    pairs[i] = (struct sigv4_pair){names[i], values[i]};
  }
  const char *target = strchr(request, ' ') + 1;
  HOIST_AUTO(mem) char *path = strndup(target, strcspn(target, "? "));
  const char *query = target[strlen(path)] == '?' ? target + strlen(path) + 1 : "";
  HOIST_AUTO(mem) char *query_copy = strndup(query, strcspn(query, " "));
  const struct sigv4_credentials credentials = {ACCESS, SECRET, "us-east-1", "s3"};
  const struct sigv4_request signed_request = {.method = "GET",
                                               .path = path,
                                               .query = query_copy,
                                               .headers = pairs,
                                               .header_count = count,
                                               .payload_hash = SIGV4_EMPTY_PAYLOAD};
  assert_int_equal(sigv4_authorization(&credentials, &signed_request, date, &expected, NULL),
                   HOIST_OK);
  assert_string_equal(authorization, buf_str(&expected));
  for (size_t i = 0; i < count; i++)
    free(values[i]);
}

static void test_a_listing_is_asked_for_and_signed(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = LIST_HEAD OBJECT("models/coins/1/w.onnx", "3", "e") LIST_TAIL,
       .after = SCRIPT_CLOSE}};
  static const char *const names[] = {"host", "x-amz-date", "x-amz-content-sha256",
                                      "x-amz-security-token"};
  struct s3_fixture s;
  set_up(&s);
  s.keys.session_token = SESSION;
  FIXTURE_REPLAY(&s.f, replies);
  open_source(&s);
  assert_int_equal(describe(&s), HOIST_OK);
  const char *request = script_server_request(s.f.server, 0);
  assert_ptr_equal(strstr(request, "GET /bucket?encoding-type=url&list-type=2&max-keys=1000&"
                                   "prefix=models%2Fcoins%2F1%2F HTTP/1.1\r\n"),
                   request);
  assert_signed(request, names, 4);
  assert_string_equal(s.source->name, "s3");
  assert_string_equal(s.source->location, "s3://bucket/models/");
  tear_down(&s);
}

static void test_odd_keys_are_sent_and_signed_as_they_are(void **state) {
  (void)state;
  static const struct {
    const char *key, *path;
  } cases[] = {
      {"a b+c", "/bucket/a%20b%2Bc"},
      {"100%", "/bucket/100%25"},
      {"a=b&c?d#e", "/bucket/a%3Db%26c%3Fd%23e"},
      {"\xc3\xbc/\xe6\xa8\xa1", "/bucket/%C3%BC/%E6%A8%A1"},
      {"a/../b/./c", "/bucket/a/../b/./c"},
      {"//a//", "/bucket///a//"},
      {"~'()*!,;:@$", "/bucket/~%27%28%29%2A%21%2C%3B%3A%40%24"},
  };
  static const char *const names[] = {"host", "x-amz-date", "x-amz-content-sha256",
                                      "x-amz-checksum-mode"};
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct s3_fixture s;
    char line[256];
    set_up_replay(&s, replies, 1);
    assert_int_equal(fetch_key(&s, cases[i].key, NULL), HOIST_OK);
    snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", cases[i].path);
    const char *request = script_server_request(s.f.server, 0);
    assert_ptr_equal(strstr(request, line), request);
    assert_signed(request, names, 4);
    tear_down(&s);
  }
}

static void test_without_credentials_nothing_is_signed(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
  struct s3_fixture s;
  set_up(&s);
  s.options.credentials = NULL;
  FIXTURE_REPLAY(&s.f, replies);
  open_source(&s);
  assert_int_equal(fetch_key(&s, "k", NULL), HOIST_OK);
  assert_null(strcasestr(script_server_request(s.f.server, 0), "authorization"));
  assert_null(strcasestr(script_server_request(s.f.server, 0), "x-amz-date"));
  tear_down(&s);
}

static void test_a_bucket_may_be_a_virtual_host(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}};
  struct s3_fixture s;
  char line[64];
  set_up(&s);
  FIXTURE_REPLAY(&s.f, replies);
  s.options.virtual_host = 1;
  snprintf(s.endpoint, sizeof s.endpoint, "http://localhost:%u/", script_server_port(s.f.server));
  s.options.endpoint = s.endpoint;
  assert_int_equal(source_s3_new(s.f.http, &s.options, &s.source, &s.f.err), HOIST_OK);
  assert_int_equal(fetch_key(&s, "k", NULL), HOIST_OK);
  const char *request = script_server_request(s.f.server, 0);
  snprintf(line, sizeof line, "\r\nHost: bucket.localhost:%u\r\n", script_server_port(s.f.server));
  assert_non_null(strstr(request, "GET /k HTTP/1.1"));
  assert_non_null(strstr(request, line));
  tear_down(&s);
}

/* ---- listings ---------------------------------------------------------------------------------
 */

static void test_a_model_is_described_over_pages(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = LIST_HEAD "<IsTruncated>true</IsTruncated><NextContinuationToken>a+b/c==</"
                         "NextContinuationToken>" OBJECT("models/coins/1/", "0", "d")
                             OBJECT("models/coins/1/a%20b.json", "12", "e1") LIST_TAIL,
       .after = SCRIPT_CLOSE},
      /* Breaks off, and is asked for again. */
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n<ListBucketResult>" OBJECT(
           "models/coins/1/w.onnx", "7", "e2"),
       .after = SCRIPT_CLOSE},
      {.data = LIST_HEAD
       "<IsTruncated>false</IsTruncated>" OBJECT("models/coins/1/w.onnx", "7", "e2") LIST_TAIL,
       .after = SCRIPT_CLOSE},
  };
  struct s3_fixture s;
  set_up_replay(&s, replies, 3);
  assert_int_equal(describe(&s), HOIST_OK);
  assert_string_equal(s.manifest.source, "s3");
  assert_int_equal(s.manifest.file_count, 2);
  assert_string_equal(s.manifest.files[0].name, "a b.json");
  assert_string_equal(s.manifest.files[0].locator, "models/coins/1/a b.json");
  assert_int_equal(s.manifest.files[0].size, 12);
  assert_string_equal(s.manifest.files[0].etag, "\"e1\"");
  assert_int_equal(s.manifest.files[0].digest.kind, DIGEST_NONE);
  assert_string_equal(s.manifest.files[1].name, "w.onnx");
  for (int i = 1; i <= 2; i++)
    assert_non_null(strstr(script_server_request(s.f.server, i),
                           "?continuation-token=a%2Bb%2Fc%3D%3D&encoding-type=url&"));
  tear_down(&s);
}

static void test_an_empty_prefix_is_not_found(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = LIST_HEAD LIST_TAIL, .after = SCRIPT_CLOSE}};
  struct s3_fixture s;
  set_up_replay(&s, replies, 1);
  assert_int_equal(describe(&s), HOIST_NOT_FOUND);
  assert_message(&s, "s3://bucket/models/coins/1/: no model here");
  assert_int_equal(s.manifest.file_count, 0);
  tear_down(&s);
}

static void test_an_answer_that_is_no_listing_is_corrupt(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<html>hi</html>\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n<ListBucketResult>",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    const struct script_reply reply = {.data = bodies[i]};
    struct s3_fixture s;
    set_up_replay(&s, &reply, 1);
    assert_int_equal(describe(&s), HOIST_CORRUPT);
    assert_message(&s, "s3://bucket/models/coins/1/: not an S3 listing");
    assert_int_equal(script_server_requests(s.f.server), 1);
    tear_down(&s);
  }
}

struct endless {
  int objects; /* per page */
  char page[256 * 1024];
};

static void answer_endless(void *user, int n, const char *text, struct script_reply *ret_reply) {
  struct endless *e = user;
  (void)text;
  size_t used = (size_t)snprintf(e->page, sizeof e->page,
                                 LIST_HEAD "<IsTruncated>true</IsTruncated><NextContinuationToken>"
                                           "%d</NextContinuationToken>",
                                 n);
  for (int i = 0; i < e->objects; i++)
    used += (size_t)snprintf(e->page + used, sizeof e->page - used,
                             OBJECT("models/coins/1/%d/%d", "1", "e"), n, i);
  snprintf(e->page + used, sizeof e->page - used, LIST_TAIL);
  *ret_reply = (struct script_reply){.data = e->page, .after = SCRIPT_CLOSE};
}

static void test_an_endless_listing_is_given_up(void **state) {
  (void)state;
  static const struct {
    int objects, most_requests;
    const char *message;
  } cases[] = {{1000, 17, "more than 16384 objects"}, {0, 64, "over 64 pages"}};
  static struct endless endless;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct s3_fixture s;
    set_up(&s);
    endless.objects = cases[i].objects;
    s.f.server = script_server_start(answer_endless, &endless, 0);
    open_source(&s);
    assert_int_equal(describe(&s), HOIST_CORRUPT);
    assert_message(&s, cases[i].message);
    assert_message(&s, "s3://bucket/models/coins/1/");
    assert_true(script_server_requests(s.f.server) <= cases[i].most_requests);
    tear_down(&s);
  }
}

/* ---- fetching ---------------------------------------------------------------------------------
 */

#define MD5 "900150983cd24fb0d6963f7d28e17f72"
#define SHA256 "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="

static void test_promises_are_taken_from_the_headers(void **state) {
  (void)state;
  static const struct {
    const char *headers;
    enum digest_kind kind;
  } cases[] = {
      {"ETag: \"" MD5 "\"\r\n", DIGEST_MD5},
      {"ETag: \"" MD5 "\"\r\nx-amz-server-side-encryption: AES256\r\n", DIGEST_MD5},
      {"ETag: \"" MD5 "\"\r\nx-amz-server-side-encryption: aws:kms\r\n", DIGEST_NONE},
      {"ETag: \"" MD5 "\"\r\nx-amz-server-side-encryption: aws:kms:dsse\r\n", DIGEST_NONE},
      {"ETag: \"" MD5 "\"\r\nx-amz-server-side-encryption-customer-algorithm: AES256\r\n",
       DIGEST_NONE},
      {"ETag: \"" MD5 "-2\"\r\n", DIGEST_NONE},
      {"ETag: W/\"" MD5 "\"\r\n", DIGEST_NONE},
      {"ETag: \"\"\r\n", DIGEST_NONE},
      {"ETag: \"\r\n", DIGEST_NONE},
      {"", DIGEST_NONE},
      {"x-amz-checksum-sha256: " SHA256 "\r\nETag: \"" MD5 "\"\r\n", DIGEST_SHA256},
      {"x-amz-checksum-sha256: " SHA256 "-2\r\nETag: \"" MD5 "\"\r\n", DIGEST_MD5},
      {"x-amz-checksum-sha256: nonsense\r\n", DIGEST_NONE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(mem)
    char *data = text_format("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n%s\r\nabc", cases[i].headers);
    const struct script_reply reply = {.data = data};
    struct s3_fixture s;
    struct digest actual;
    set_up_replay(&s, &reply, 1);
    assert_int_equal(fetch_key(&s, "k", NULL), HOIST_OK);
    assert_int_equal(s.collector.announced, 3);
    assert_string_equal(buf_str(&s.collector.data), "abc");
    assert_int_equal(s.promised.kind, cases[i].kind);
    if (cases[i].kind != DIGEST_NONE) {
      assert_int_equal(digest_of(cases[i].kind, "abc", 3, &actual, NULL), HOIST_OK);
      assert_true(digest_equal(&s.promised, &actual));
    }
    tear_down(&s);
  }
}

static void test_a_part_of_an_object_must_be_the_one_asked_for(void **state) {
  (void)state;
  static const struct {
    const char *head;
    int64_t from, to;
    enum hoist_status status;
    enum source_trouble trouble;
    int64_t size, offset;
  } cases[] = {
      {"206 P\r\nContent-Range: bytes 4-6/100", 4, 7, HOIST_OK, 0, 100, 4},
      {"206 P\r\nContent-Range: bytes 4-6/7", 4, 100, HOIST_OK, 0, 7, 4},
      {"206 P\r\nContent-Range: bytes 4-6/7", 4, SOURCE_TO_END, HOIST_OK, 0, 7, 4},
      {"206 P\r\nContent-Range: bytes 4-6/*", 4, 7, HOIST_OK, 0, FILE_SIZE_UNKNOWN, 4},
      {"200 OK", 4, 7, HOIST_OK, 0, 3, 0},
      {"206 P\r\nContent-Range: bytes 4-6/*", 4, 100, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 3-5/100", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 4-5/100", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 4-7/100", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 4-6/6", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 4-6", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 4-6/100x", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 4-6/99999999999999999999", 4, 7, HOIST_CORRUPT,
       SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: items 4-6/100", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Type: multipart/byteranges", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"206 P\r\nContent-Range: bytes 0-2/3", 0, SOURCE_TO_END, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0,
       0},
      {"206 P\r\nContent-Range: bytes 4-7/100", 4, 8, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
      {"204 No", 4, 7, HOIST_CORRUPT, 0, 0, 0},
      {"412 Changed", 4, 7, HOIST_UNAVAILABLE, SOURCE_CHANGED, 0, 0},
      {"416 No", 4, 7, HOIST_CORRUPT, SOURCE_BAD_RANGE, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool empty = strncmp(cases[i].head, "204", 3) == 0;
    HOIST_AUTO(mem)
    char *data = text_format("HTTP/1.1 %s\r\nETag: \"v1\"\r\n%s\r\n%s", cases[i].head,
                             empty ? "" : "Content-Length: 3\r\n", empty ? "" : "abc");
    const struct script_reply reply = {.data = data};
    struct s3_fixture s;
    set_up_replay(&s, &reply, 1);
    enum hoist_status status = fetch_part(&s, "k", cases[i].from, cases[i].to, "\"v1\"");
    if (status != cases[i].status || s.trouble != cases[i].trouble)
      fail_msg("%s: %d, %d: %s", cases[i].head, status, s.trouble, s.f.err.message);
    if (status == HOIST_OK) {
      assert_int_equal(s.response.size, cases[i].size);
      assert_int_equal(s.response.offset, cases[i].offset);
      assert_int_equal(s.response.length, 3);
      assert_string_equal(s.validator, "\"v1\"");
    }
    tear_down(&s);
  }
}

static void test_what_is_asked_for_is_in_the_request(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 206 P\r\nContent-Range: bytes 4-6/9\r\nContent-Length: 3\r\n\r\nabc"}};
  struct s3_fixture s;
  set_up_replay(&s, replies, 1);
  assert_int_equal(fetch_part(&s, "k", 4, 7, "\"v1\""), HOIST_OK);
  const char *asked = script_server_request(s.f.server, 0);
  assert_non_null(strstr(asked, "\r\nrange: bytes=4-6\r\n"));
  assert_non_null(strstr(asked, "\r\nif-match: \"v1\"\r\n"));
  assert_int_equal(fetch_part(&s, "k", 4, 7, "Wed, 21 Oct 2015 07:28:00 GMT"), HOIST_OK);
  asked = script_server_request(s.f.server, 1);
  assert_non_null(strstr(asked, "\r\nif-unmodified-since: Wed, 21 Oct 2015 07:28:00 GMT\r\n"));
  tear_down(&s);
}

static void test_a_checksum_that_comes_with_a_part_is_not_of_the_object(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 206 P\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n"
               "x-amz-checksum-sha256: " SHA256 "\r\nETag: \"" MD5 "\"\r\n\r\nabc"}};
  struct s3_fixture s;
  set_up_replay(&s, replies, 1);
  assert_int_equal(fetch_part(&s, "k", 0, 3, NULL), HOIST_OK);
  assert_int_equal(s.promised.kind, DIGEST_MD5);
  tear_down(&s);
}

static void test_the_object_fetched_is_the_one_listed(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"}};
  struct s3_fixture s;
  set_up_replay(&s, replies, 1);
  assert_int_equal(fetch_key(&s, "k", "\"e1\""), HOIST_UNAVAILABLE);
  assert_message(&s, "s3://bucket/k");
  assert_message(&s, "changed");
  assert_non_null(strstr(script_server_request(s.f.server, 0), "\r\nif-match: \"e1\"\r\n"));
  assert_int_equal(s.collector.begins, 0);
  tear_down(&s);
}

/* ---- errors -----------------------------------------------------------------------------------
 */

static void test_errors_say_what_to_do(void **state) {
  (void)state;
  static const struct {
    const char *head, *code, *more;
    enum hoist_status status;
    int http_status;
    const char *hint;
  } cases[] = {
      {"403 Forbidden", "InvalidAccessKeyId", "<AWSAccessKeyId>" ACCESS "</AWSAccessKeyId>",
       HOIST_DENIED, 403, "check AWS_ACCESS_KEY_ID"},
      {"403 Forbidden", "SignatureDoesNotMatch", "", HOIST_DENIED, 403,
       "check AWS_SECRET_ACCESS_KEY"},
      {"403 Forbidden", "AccessDenied", "", HOIST_DENIED, 403, "s3:GetObject"},
      {"400 Bad Request", "ExpiredToken", "", HOIST_DENIED, 400, "get new credentials"},
      {"400 Bad Request", "InvalidToken", "<Token-0>" SESSION "</Token-0>", HOIST_DENIED, 400,
       "AWS_SESSION_TOKEN"},
      {"403 Forbidden", "RequestTimeTooSkewed", "", HOIST_DENIED, 403, "set the clock"},
      {"404 Not Found", "NoSuchBucket", "", HOIST_NOT_FOUND, 404, "no such bucket; check its name"},
      {"404 Not Found", "NoSuchKey", "", HOIST_NOT_FOUND, 404, "no such object"},
      {"301 Moved Permanently", "PermanentRedirect", "", HOIST_INVALID, 301,
       "set AWS_REGION and AWS_ENDPOINT_URL_S3"},
      {"301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1", "PermanentRedirect", "",
       HOIST_INVALID, 301, "is in region eu-west-1, but not at this endpoint"},
      {"400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>",
       HOIST_INVALID, 400, "is in region eu-north-1, but not at this endpoint"},
      {"503 Slow Down", "SlowDown", "", HOIST_UNAVAILABLE, 503, "try again later"},
      {"403 Forbidden", "NewCode", "<Message>in their words</Message>", HOIST_DENIED, 403,
       "S3 error NewCode (in their words)"},
      {"403 Forbidden", "NewCode", "<Message>your key " SECRET " is bad</Message>", HOIST_DENIED,
       403, "S3 error NewCode: "},
      {"404 Not Found", NULL, "", HOIST_NOT_FOUND, 404, "not found"},
      {"307 Temporary Redirect\r\nLocation: http://elsewhere.invalid/", NULL, "", HOIST_INVALID,
       307, "a redirect"},
      {"418 Teapot", NULL, "", HOIST_CORRUPT, 418, "check the address"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(mem)
    char *body = cases[i].code
                     ? text_format("<Error><Code>%s</Code>%s</Error>", cases[i].code, cases[i].more)
                     : text_dup("not xml");
    HOIST_AUTO(mem)
    char *data = text_format("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", cases[i].head,
                             strlen(body), body);
    const struct script_reply reply = {.data = data};
    struct s3_fixture s;
    set_up_replay(&s, &reply, 1);
    assert_int_equal(describe(&s), cases[i].status);
    assert_int_equal(s.f.err.http_status, cases[i].http_status);
    assert_message(&s, "s3://bucket/models/coins/1/: ");
    assert_message(&s, cases[i].hint);
    assert_no_secret(&s);
    assert_int_equal(fetch_key(&s, "k/w.onnx", NULL), cases[i].status);
    assert_message(&s, "s3://bucket/k/w.onnx: ");
    assert_no_secret(&s);
    assert_int_equal(s.collector.begins, 0);
    tear_down(&s);
  }
}

static void test_a_denial_names_what_gave_the_credentials(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 403 No\r\nContent-Length: 49\r\n\r\n"
               "<Error><Code>SignatureDoesNotMatch</Code></Error>"}};
  struct s3_fixture s;
  set_up(&s);
  s.keys.provider = "profile";
  FIXTURE_REPLAY(&s.f, replies);
  open_source(&s);
  assert_int_equal(describe(&s), HOIST_DENIED);
  assert_message(&s, "check what gave the credentials: profile (SignatureDoesNotMatch)");
  tear_down(&s);
}

static void test_a_denial_without_credentials_asks_for_them(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data =
           "HTTP/1.1 403 No\r\nContent-Length: 45\r\n\r\n<Error><Code>AccessDenied</Code></Error>"
           "     "}};
  struct s3_fixture s;
  set_up(&s);
  s.options.credentials = NULL;
  FIXTURE_REPLAY(&s.f, replies);
  open_source(&s);
  assert_int_equal(describe(&s), HOIST_DENIED);
  assert_message(&s, "give some: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  tear_down(&s);
}

static void test_a_server_that_is_down_is_unavailable(void **state) {
  (void)state;
  static const struct script_reply replies[] = {{.data = ""}};
  struct s3_fixture s;
  set_up_replay(&s, replies, 1);
  script_server_stop(HOIST_TAKE(s.f.server));
  assert_int_equal(describe(&s), HOIST_UNAVAILABLE);
  assert_message(&s, "s3://bucket/models/coins/1/: after 5 attempts: 127.0.0.1:");
  assert_message(&s, "connection refused");
  tear_down(&s);
}

static void test_options_are_checked(void **state) {
  (void)state;
  static const struct {
    struct s3_options options;
    const char *message; /* NULL: fine */
  } cases[] = {
      {{.bucket = "b"}, NULL},
      {{.bucket = "my.bucket", .virtual_host = -1}, NULL},
      {{.bucket = "tenant:b_1", .virtual_host = -1}, NULL},
      {{.bucket = "b", .endpoint = "http://h:1/base/"}, NULL},
      {{.bucket = "b", .region = "eu-west-1"}, NULL},
      {{.bucket = NULL}, "INFER_BUCKET"},
      {{.bucket = ""}, "INFER_BUCKET"},
      {{.bucket = "a/b"}, "INFER_BUCKET"},
      {{.bucket = "a\nb"}, "INFER_BUCKET"},
      {{.bucket = "a_b", .virtual_host = 1}, "path style"},
      {{.bucket = "b", .region = "eu/west"}, "AWS_REGION"},
      {{.bucket = "b", .endpoint = "h:1"}, "AWS_ENDPOINT_URL_S3"},
      {{.bucket = "b", .endpoint = "s3://h"}, "AWS_ENDPOINT_URL_S3"},
      {{.bucket = "b", .endpoint = "http://"}, "no host"},
      {{.bucket = "b", .endpoint = "http://u:p@h"}, "AWS_ENDPOINT_URL_S3"},
      {{.bucket = "b", .endpoint = "http://h/?x"}, "AWS_ENDPOINT_URL_S3"},
  };
  struct fixture f;
  fixture_init(&f);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct source *source = NULL;
    enum hoist_status status = source_s3_new(f.http, &cases[i].options, &source, &f.err);
    assert_int_equal(status, cases[i].message ? HOIST_INVALID : HOIST_OK);
    if (cases[i].message && !strstr(f.err.message, cases[i].message))
      fail_msg("\"%s\" is not in \"%s\"", cases[i].message, f.err.message);
    assert_null(strstr(f.err.message, "u:p"));
    source_free(source);
  }
  fixture_done(&f);
}

/* ---- credentials ------------------------------------------------------------------------------
 */

#define EXPIRED                                                                                    \
  "HTTP/1.1 400 No\r\nContent-Length: 42\r\n\r\n<Error><Code>ExpiredToken</Code></Error>  "

struct expiry {
  struct s3_fixture s;
  int expired_answers; /* that many requests are told so */
  int gives_new_keys;
};

static enum hoist_status find_next_keys(const struct call *call, void *user,
                                        const struct aws_credentials **ret_credentials,
                                        struct hoist_error *err) {
  struct expiry *x = user;
  if (x->s.searches == 1 && x->gives_new_keys) x->s.keys.access_key = "AKIANEXT";
  return find_keys(call, &x->s, ret_credentials, err);
}

static void answer_expired(void *user, int n, const char *text, struct script_reply *ret_reply) {
  const struct expiry *x = user;
  (void)text;
  ret_reply->data =
      n < x->expired_answers ? EXPIRED : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
}

static void set_up_expiry(struct expiry *x) {
  set_up(&x->s);
  aws_provider_free(x->s.provider);
  assert_int_equal(aws_provider_new(find_next_keys, x, NULL, &x->s.provider, NULL), HOIST_OK);
  x->s.options.credentials = x->s.provider;
  x->s.f.server = script_server_start(answer_expired, x, 0);
  open_source(&x->s);
}

static void test_expired_credentials_are_renewed_once_and_the_request_goes_on(void **state) {
  (void)state;
  struct expiry x = {.expired_answers = 1, .gives_new_keys = 1};
  set_up_expiry(&x);
  assert_int_equal(fetch_key(&x.s, "k", NULL), HOIST_OK);
  assert_string_equal(buf_str(&x.s.collector.data), "ok");
  assert_int_equal(x.s.searches, 2);
  assert_non_null(strstr(script_server_request(x.s.f.server, 0), "Credential=" ACCESS "/"));
  assert_non_null(strstr(script_server_request(x.s.f.server, 1), "Credential=AKIANEXT/"));
  tear_down(&x.s);
}

static void test_renewed_credentials_that_have_expired_too_are_the_end(void **state) {
  (void)state;
  struct expiry x = {.expired_answers = 9, .gives_new_keys = 1};
  set_up_expiry(&x);
  assert_int_equal(fetch_key(&x.s, "k", NULL), HOIST_DENIED);
  assert_message(&x.s, "the session token has expired");
  assert_int_equal(script_server_requests(x.s.f.server), 2);
  tear_down(&x.s);
}

static void test_expired_credentials_without_others_are_not_tried_again(void **state) {
  (void)state;
  struct expiry x = {.expired_answers = 9};
  set_up_expiry(&x);
  assert_int_equal(fetch_key(&x.s, "k", NULL), HOIST_DENIED);
  assert_message(&x.s, "the session token has expired");
  assert_int_equal(script_server_requests(x.s.f.server), 1);
  assert_no_secret(&x.s);
  tear_down(&x.s);
}

/* ---- spans ------------------------------------------------------------------------------------
 */

static void test_spans_carry_the_conventions_of_aws(void **state) {
  (void)state;
  static const struct script_reply replies[] = {
      {.data = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-amz-request-id: R1\r\nx-amz-id-2: H1\r\n"
               "\r\nok"},
      {.data = "HTTP/1.1 404 No\r\nContent-Length: 86\r\n\r\n<Error><Code>NoSuchKey</Code>"
               "<RequestId>R2</RequestId><HostId>H2</HostId></Error>        "}};
  static const struct {
    const char *key, *value;
  } first[] = {{"rpc.method", "GetObject"},         {"aws.s3.bucket", "bucket"},
               {"aws.s3.key", "m/w.onnx"},          {"aws.request_id", "R1"},
               {"cloud.region", "us-east-1"},       {"aws.extended_request_id", "H1"},
               {"http.response.status_code", "200"}};
  struct s3_fixture s;
  struct hoist_span parent;
  struct fake_tracer *tracer = fake_tracer_new();
  set_up_replay(&s, replies, 2);
  hoist_span_start_root(tracer->telemetry, "parent", HOIST_SPAN_INTERNAL, NULL, &parent);
  s.f.call.span = &parent;
  assert_int_equal(fetch_key(&s, "m/w.onnx", NULL), HOIST_OK);
  assert_int_equal(describe(&s), HOIST_NOT_FOUND);
  hoist_span_end(&parent);
  const struct fake_span *get = fake_span(tracer, "S3.GetObject", 0);
  for (size_t i = 0; i < sizeof first / sizeof *first; i++)
    assert_string_equal(fake_attr(get, first[i].key), first[i].value);
  const struct fake_span *list = fake_span(tracer, "S3.ListObjectsV2", 0);
  assert_string_equal(fake_attr(list, "rpc.method"), "ListObjectsV2");
  assert_string_equal(fake_attr(list, "aws.request_id"), "R2");
  assert_string_equal(fake_attr(list, "aws.extended_request_id"), "H2");
  assert_string_equal(fake_attr(list, "error.type"), "404");
  assert_string_equal(fake_attr(list, "aws.error.code"), "NoSuchKey");
  assert_null(fake_attr(list, "aws.s3.key"));
  fake_tracer_check(tracer, ACCESS);
  fake_tracer_check(tracer, SECRET);
  fake_tracer_free(tracer);
  tear_down(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_listing_is_asked_for_and_signed),
      cmocka_unit_test(test_odd_keys_are_sent_and_signed_as_they_are),
      cmocka_unit_test(test_without_credentials_nothing_is_signed),
      cmocka_unit_test(test_a_bucket_may_be_a_virtual_host),
      cmocka_unit_test(test_a_model_is_described_over_pages),
      cmocka_unit_test(test_an_empty_prefix_is_not_found),
      cmocka_unit_test(test_an_answer_that_is_no_listing_is_corrupt),
      cmocka_unit_test(test_an_endless_listing_is_given_up),
      cmocka_unit_test(test_promises_are_taken_from_the_headers),
      cmocka_unit_test(test_a_part_of_an_object_must_be_the_one_asked_for),
      cmocka_unit_test(test_what_is_asked_for_is_in_the_request),
      cmocka_unit_test(test_a_checksum_that_comes_with_a_part_is_not_of_the_object),
      cmocka_unit_test(test_the_object_fetched_is_the_one_listed),
      cmocka_unit_test(test_errors_say_what_to_do),
      cmocka_unit_test(test_a_denial_names_what_gave_the_credentials),
      cmocka_unit_test(test_a_denial_without_credentials_asks_for_them),
      cmocka_unit_test(test_a_server_that_is_down_is_unavailable),
      cmocka_unit_test(test_options_are_checked),
      cmocka_unit_test(test_expired_credentials_are_renewed_once_and_the_request_goes_on),
      cmocka_unit_test(test_renewed_credentials_that_have_expired_too_are_the_end),
      cmocka_unit_test(test_expired_credentials_without_others_are_not_tried_again),
      cmocka_unit_test(test_spans_carry_the_conventions_of_aws),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
