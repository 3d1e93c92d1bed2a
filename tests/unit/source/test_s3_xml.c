/* SPDX-License-Identifier: Apache-2.0 */
/* S3's documents: listings and errors, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "s3_xml.h"

#define HEAD                                                                                       \
  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"                                                     \
  "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define TAIL "</ListBucketResult>"
#define OBJECT(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"

/* Feeds the document in pieces of `step` bytes. */
static enum hoist_status read_page(const char *xml, size_t step, struct s3_listing *listing,
                                   struct hoist_error *err) {
  HOIST_AUTO(s3_page) struct s3_page *page = NULL;
  enum hoist_status status = s3_page_new(listing, &page, err);
  for (size_t size = strlen(xml); status == HOIST_OK && size > 0;) {
    size_t n = step < size ? step : size;
    status = s3_page_feed(page, xml, n, err);
    xml += n;
    size -= n;
  }
  return status == HOIST_OK ? s3_page_finish(page, err) : status;
}

static void test_a_page_is_read_whatever_its_pieces(void **state) {
  (void)state;
  static const char xml[] =
      HEAD "<Name>b</Name><Prefix>m/</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>"
           "<IsTruncated>true</IsTruncated><NextContinuationToken>1ueG&amp;cX+/=</"
           "NextContinuationToken>"
           "<Contents><Key>m/environment.json</Key><LastModified>2009-10-12T17:50:30.000Z</"
           "LastModified><ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag>"
           "<Size>434234</Size><StorageClass>STANDARD</StorageClass><Owner><ID>x</ID>"
           "<DisplayName>y</DisplayName></Owner></Contents>"
           "<Contents><Key>m/a&lt;b&gt;&#252;.onnx</Key><Size>0</Size><ETag>abc-2</ETag></Contents>"
           "<CommonPrefixes><Prefix>m/x/</Prefix></CommonPrefixes>" TAIL;
  for (size_t step = 1; step < sizeof xml; step = step < 8 ? step + 1 : step * 7) {
    HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 10};
    assert_int_equal(read_page(xml, step, &l, NULL), HOIST_OK);
    assert_int_equal(l.count, 2);
    assert_string_equal(l.objects[0].key, "m/environment.json");
    assert_int_equal(l.objects[0].size, 434234);
    assert_true(l.objects[0].modified_unix_ns == UINT64_C(1255369830000000000));
    assert_string_equal(l.objects[0].etag, "\"fba9dede5f27731c9771645a39863328\"");
    assert_string_equal(l.objects[1].key, "m/a<b>\xc3\xbc.onnx");
    assert_int_equal(l.objects[1].size, 0);
    assert_true(l.objects[1].modified_unix_ns == 0);
    assert_string_equal(l.objects[1].etag, "\"abc-2\"");
    assert_string_equal(l.next_token, "1ueG&cX+/=");
  }
}

static void test_keys_are_decoded_where_the_server_says_so(void **state) {
  (void)state;
  static const struct {
    const char *xml, *key;
  } cases[] = {
      {HEAD OBJECT("a%20b+c%2Bd%C3%BC%25") "<EncodingType>url</EncodingType>" TAIL,
       "a b c+d\xc3\xbc%"},
      {HEAD "<EncodingType>url</EncodingType>" OBJECT("%01") TAIL, "\x01"},
      {HEAD OBJECT("a%20b+c") TAIL, "a%20b+c"},
      {HEAD "<EncodingType>none</EncodingType>" OBJECT("a%2") TAIL, "a%2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 10};
    assert_int_equal(read_page(cases[i].xml, 7, &l, NULL), HOIST_OK);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.objects[0].key, cases[i].key);
  }
}

static void test_pages_add_up_and_the_last_has_no_token(void **state) {
  (void)state;
  HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 3};
  assert_int_equal(read_page(HEAD "<IsTruncated>true</IsTruncated><NextContinuationToken>t</"
                                  "NextContinuationToken>" OBJECT("a") OBJECT("b") TAIL,
                             100, &l, NULL),
                   HOIST_OK);
  assert_string_equal(l.next_token, "t");
  assert_int_equal(read_page(HEAD "<IsTruncated>false</IsTruncated><NextContinuationToken>t</"
                                  "NextContinuationToken>" OBJECT("c") TAIL,
                             100, &l, NULL),
                   HOIST_OK);
  assert_null(l.next_token);
  assert_int_equal(l.count, 3);
  s3_listing_truncate(&l, 1);
  assert_int_equal(l.count, 1);
  assert_string_equal(l.objects[0].key, "a");
}

static void test_what_is_not_a_listing_is_corrupt(void **state) {
  (void)state;
  static const struct {
    const char *xml, *message;
  } cases[] = {
      {"", "XML"},
      {"hello", "XML"},
      {"<html><body>login</body></html>", "<html>"},
      {"<Errors><Code>AccessDenied</Code></Errors>", "<Errors>"},
      {HEAD, "XML"},
      {HEAD OBJECT("a"), "XML"},
      {HEAD "</Wrong>", "XML"},
      {HEAD TAIL HEAD TAIL, "XML"},
      {HEAD "<Contents><Size>1</Size></Contents>" TAIL, "without a key"},
      {HEAD "<Contents><Key>a<b/>c</Key></Contents>" TAIL, "without a key"},
      {HEAD "<Contents><Key>a</Key><Size>-1</Size></Contents>" TAIL, "size of \"-1\""},
      {HEAD "<Contents><Key>a</Key><Size></Size></Contents>" TAIL, "size of"},
      {HEAD "<Contents><Key>a</Key><Size>9223372036854775808</Size></Contents>" TAIL, "size of"},
      {HEAD "<IsTruncated>true</IsTruncated>" TAIL, "no continuation token"},
      {HEAD "<IsTruncated>true</IsTruncated><NextContinuationToken/>" TAIL,
       "no continuation token"},
      {HEAD "<EncodingType>url</EncodingType>" OBJECT("a%2") TAIL, "not well encoded"},
      {HEAD "<EncodingType>url</EncodingType>" OBJECT("a%zz") TAIL, "not well encoded"},
      {HEAD "<EncodingType>url</EncodingType>" OBJECT("a%00b") TAIL, "not well encoded"},
      {HEAD OBJECT("1") OBJECT("2") OBJECT("3") OBJECT("4") TAIL, "more than 3 objects"},
      {"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><ListBucketResult><Contents><Key>"
       "&b;</Key></Contents></ListBucketResult>",
       "document type"},
      {"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><ListBucketResult/>", "document type"},
      {HEAD OBJECT("&nbsp;") TAIL, "XML"},
      {HEAD "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", "deep"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_error err = {0};
    HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 3};
    assert_int_equal(read_page(cases[i].xml, 5, &l, &err), HOIST_CORRUPT);
    if (!strstr(err.message, cases[i].message))
      fail_msg("\"%s\" is not in \"%s\"", cases[i].message, err.message);
  }
}

static enum hoist_status read_key_of(size_t size, bool encoded, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf xml = buf_make(1 << 20);
  HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 3};
  assert_int_equal(buf_append_str(&xml, HEAD "<Contents><Key>", NULL), HOIST_OK);
  for (size_t i = 0; i < size; i++)
    assert_int_equal(buf_append_str(&xml, encoded ? "%61" : "a", NULL), HOIST_OK);
  assert_int_equal(
      buf_append_str(&xml, "</Key></Contents><EncodingType>url</EncodingType>" TAIL, NULL),
      HOIST_OK);
  return read_page(buf_str(&xml), 4096, &l, err);
}

static void test_an_error_in_place_of_a_listing_is_named(void **state) {
  (void)state;
  static const char xml[] =
      "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>secret"
      "</Message><RequestId>R1</RequestId></Error>";
  for (size_t step = 1; step < sizeof xml; step += 11) {
    HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 10};
    struct hoist_error err = {0};
    assert_int_equal(read_page(xml, step, &l, &err), HOIST_UNAVAILABLE);
    assert_non_null(strstr(err.message, "InternalError, request R1; try again"));
    assert_null(strstr(err.message, "secret"));
    assert_int_equal(l.count, 0);
  }
}

static void test_long_keys_and_pages_are_corrupt(void **state) {
  (void)state;
  struct hoist_error err = {0};
  assert_int_equal(read_key_of(S3_MAX_KEY_BYTES, false, &err), HOIST_OK);
  assert_int_equal(read_key_of(S3_MAX_KEY_BYTES, true, &err), HOIST_OK);
  assert_int_equal(read_key_of(S3_MAX_KEY_BYTES + 1, false, &err), HOIST_CORRUPT);
  assert_int_equal(read_key_of(S3_MAX_KEY_BYTES + 1, true, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "key of over 1024 bytes"));
  assert_int_equal(read_key_of(S3_MAX_TEXT_BYTES + 1, false, &err), HOIST_CORRUPT);

  HOIST_AUTO(s3_listing) struct s3_listing l = {.max = 3};
  HOIST_AUTO(s3_page) struct s3_page *page = NULL;
  char filler[4096];
  memset(filler, ' ', sizeof filler);
  assert_int_equal(s3_page_new(&l, &page, NULL), HOIST_OK);
  assert_int_equal(s3_page_feed(page, HEAD, strlen(HEAD), NULL), HOIST_OK);
  enum hoist_status status = HOIST_OK;
  for (size_t fed = 0; status == HOIST_OK && fed <= S3_MAX_PAGE_BYTES; fed += sizeof filler)
    status = s3_page_feed(page, filler, sizeof filler, &err);
  assert_int_equal(status, HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "over 4194304 bytes"));
}

static void test_an_error_document_is_read(void **state) {
  (void)state;
  static const char xml[] =
      "<?xml version=\"1.0\"?>\n<Error><Code>PermanentRedirect</Code><Message>The bucket &amp; "
      "you</Message><Region>eu-west-1</Region><RequestId>4442587FB7D0A2F9</RequestId>"
      "<HostId>abc=</HostId><Other><Code>Nested</Code></Other></Error>";
  struct s3_error e = {0};
  assert_true(s3_error_parse(xml, strlen(xml), &e));
  assert_string_equal(e.code, "PermanentRedirect");
  assert_string_equal(e.message, "The bucket & you");
  assert_string_equal(e.region, "eu-west-1");
  assert_string_equal(e.request_id, "4442587FB7D0A2F9");
  assert_string_equal(e.host_id, "abc=");
}

static void test_a_long_error_text_is_cut(void **state) {
  (void)state;
  HOIST_AUTO(buf) struct buf xml = buf_make(8192);
  struct s3_error e = {0};
  assert_int_equal(
      buf_printf(&xml, NULL, "<Error><Code>%0*d</Code><Message>m</Message></Error>", 5000, 7),
      HOIST_OK);
  assert_true(s3_error_parse(xml.data, xml.size, &e));
  assert_int_equal(strlen(e.code), sizeof e.code - 1);
  assert_string_equal(e.message, "m");
}

static void test_what_is_not_an_error_document_is_none(void **state) {
  (void)state;
  static const char *const cases[] = {
      "",
      "Forbidden",
      "<html><Code>x</Code></html>",
      "<Error></Error>",
      "<Error><Message>m</Message></Error>",
      "<Error><Code>x</Code>",
      "<!DOCTYPE Error [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>",
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct s3_error e = {.code = "untouched"};
    assert_false(s3_error_parse(cases[i], strlen(cases[i]), &e));
    assert_string_equal(e.code, "untouched");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_page_is_read_whatever_its_pieces),
      cmocka_unit_test(test_keys_are_decoded_where_the_server_says_so),
      cmocka_unit_test(test_pages_add_up_and_the_last_has_no_token),
      cmocka_unit_test(test_what_is_not_a_listing_is_corrupt),
      cmocka_unit_test(test_an_error_in_place_of_a_listing_is_named),
      cmocka_unit_test(test_long_keys_and_pages_are_corrupt),
      cmocka_unit_test(test_an_error_document_is_read),
      cmocka_unit_test(test_a_long_error_text_is_cut),
      cmocka_unit_test(test_what_is_not_an_error_document_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
