/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that credentials come in, and what is said of those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_document.h"

#define SECRET "s3cr3t-never-shown"
#define KEYS "\"AccessKeyId\":\"AKIA1\",\"SecretAccessKey\":\"" SECRET "\""
#define EXPIRY "\"Expiration\":\"2030-01-02T03:04:05Z\""
#define EXPIRY_UNIX_S 1893553445

struct rejected {
  enum aws_document_kind kind;
  const char *text;
  enum hoist_status status;
  const char *message;
};

static void test_metadata_is_read(void **state) {
  (void)state;
  static const char text[] = "{\"Code\":\"Success\"," KEYS ",\"Token\":\"T\"," EXPIRY "}";
  HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
  assert_int_equal(aws_document_read(AWS_DOCUMENT_METADATA, text, strlen(text), "who", &c, NULL),
                   HOIST_OK);
  assert_string_equal(c->access_key, "AKIA1");
  assert_string_equal(c->secret_key, SECRET);
  assert_string_equal(c->session_token, "T");
  assert_int_equal(c->expires_unix_s, EXPIRY_UNIX_S);
  assert_string_equal(c->provider, "who");
}

static void test_what_a_process_prints_is_read(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{\"Version\":1," KEYS "}",
      "{\"Version\":1," KEYS ",\"SessionToken\":null,\"Expiration\":null}\n",
      " {\"Version\":1," KEYS ",\"SessionToken\":\"\",\"More\":[1]} ",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
    assert_int_equal(
        aws_document_read(AWS_DOCUMENT_PROCESS, texts[i], strlen(texts[i]), "who", &c, NULL),
        HOIST_OK);
    assert_null(c->session_token);
    assert_int_equal(c->expires_unix_s, 0);
  }
  static const char all[] = "{\"Version\":1," KEYS ",\"SessionToken\":\"T\"," EXPIRY "}";
  HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
  assert_int_equal(aws_document_read(AWS_DOCUMENT_PROCESS, all, strlen(all), "who", &c, NULL),
                   HOIST_OK);
  assert_string_equal(c->session_token, "T");
  assert_int_equal(c->expires_unix_s, EXPIRY_UNIX_S);
}

static void test_other_documents_are_refused_without_showing_them(void **state) {
  (void)state;
  static const struct rejected cases[] = {
      {AWS_DOCUMENT_METADATA, "", HOIST_CORRUPT, "who: not a JSON object"},
      {AWS_DOCUMENT_METADATA, SECRET, HOIST_CORRUPT, "who: not a JSON object"},
      {AWS_DOCUMENT_METADATA, "[\"" SECRET "\"]", HOIST_CORRUPT, "not a JSON object"},
      {AWS_DOCUMENT_METADATA, "{" KEYS ",", HOIST_CORRUPT, "not a JSON object (line 1"},
      {AWS_DOCUMENT_METADATA, "{" KEYS "," EXPIRY "}", HOIST_CORRUPT, "there is no \"Token\""},
      {AWS_DOCUMENT_METADATA, "{" KEYS ",\"Token\":\"T\"}", HOIST_CORRUPT, "no \"Expiration\""},
      {AWS_DOCUMENT_METADATA, "{" KEYS ",\"Token\":\"T\",\"Expiration\":\"" SECRET "\"}",
       HOIST_CORRUPT, "\"Expiration\" is not a time"},
      {AWS_DOCUMENT_METADATA, "{\"AccessKeyId\":1}", HOIST_CORRUPT,
       "\"AccessKeyId\" is not a text"},
      {AWS_DOCUMENT_METADATA,
       "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no trust\"}", HOIST_DENIED,
       "who gives no credentials: AssumeRoleUnauthorizedAccess: no trust"},
      {AWS_DOCUMENT_METADATA, "{\"Code\":\"" SECRET "\"," KEYS "}", HOIST_CORRUPT,
       "who: \"Code\" is not \"Success\""},
      {AWS_DOCUMENT_PROCESS, "{" KEYS "}", HOIST_CORRUPT, "\"Version\" is not 1"},
      {AWS_DOCUMENT_PROCESS, "{\"Version\":2," KEYS "}", HOIST_CORRUPT, "\"Version\" is not 1"},
      {AWS_DOCUMENT_PROCESS, "{\"Version\":\"1\"," KEYS "}", HOIST_CORRUPT, "\"Version\" is not 1"},
      {AWS_DOCUMENT_PROCESS, "{\"Version\":1,\"AccessKeyId\":\"A\"}", HOIST_CORRUPT,
       "there is no \"SecretAccessKey\""},
      {AWS_DOCUMENT_PROCESS, "{\"Version\":1,\"SecretAccessKey\":\"" SECRET "\"}", HOIST_CORRUPT,
       "there is no \"AccessKeyId\""},
      {AWS_DOCUMENT_PROCESS,
       "{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"" SECRET "\"}", HOIST_CORRUPT,
       "there is no \"AccessKeyId\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct aws_credentials *c = NULL;
    struct hoist_error err;
    enum hoist_status status =
        aws_document_read(cases[i].kind, cases[i].text, strlen(cases[i].text), "who", &c, &err);
    if (status != cases[i].status || !strstr(err.message, cases[i].message))
      fail_msg("%s: %s", cases[i].text, status == HOIST_OK ? "taken" : err.message);
    assert_null(c);
    assert_null(strstr(err.message, SECRET));
  }
}

static void test_documents_have_a_bound(void **state) {
  (void)state;
  const struct aws_credentials *c = NULL;
  HOIST_AUTO(mem) char *text = malloc(AWS_DOCUMENT_MAX_BYTES + 1);
  memset(text, ' ', AWS_DOCUMENT_MAX_BYTES + 1);
  assert_int_equal(
      aws_document_read(AWS_DOCUMENT_PROCESS, text, AWS_DOCUMENT_MAX_BYTES + 1, "who", &c, NULL),
      HOIST_CORRUPT);
  assert_int_equal(aws_sts_read(text, AWS_DOCUMENT_MAX_BYTES + 1, "who", &c, NULL), HOIST_CORRUPT);
}

/* ---- STS -------------------------------------------------------------------------------------- */

#define STS_KEYS "<AccessKeyId>AKIA1</AccessKeyId><SecretAccessKey>" SECRET "</SecretAccessKey>"
#define STS(credentials)                                                                           \
  "<?xml version=\"1.0\"?><AssumeRoleResponse "                                                    \
  "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"                                           \
  "<AssumeRoleResult><AssumedRoleUser><AccessKeyId>other</AccessKeyId></AssumedRoleUser>"          \
  "<Credentials>" credentials "</Credentials></AssumeRoleResult></AssumeRoleResponse>"

static void test_the_answer_of_sts_is_read(void **state) {
  (void)state;
  static const char text[] = STS(STS_KEYS "<SessionToken>a&amp;b/==</SessionToken>"
                                          "<Expiration>2030-01-02T03:04:05Z</Expiration>");
  HOIST_AUTO(aws_credentials) const struct aws_credentials *c = NULL;
  assert_int_equal(aws_sts_read(text, strlen(text), "who", &c, NULL), HOIST_OK);
  assert_string_equal(c->access_key, "AKIA1");
  assert_string_equal(c->secret_key, SECRET);
  assert_string_equal(c->session_token, "a&b/==");
  assert_int_equal(c->expires_unix_s, EXPIRY_UNIX_S);
}

static void test_other_answers_of_sts_are_refused_without_showing_them(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"", "is not its XML"},
      {"{\"" SECRET "\"}", "is not its XML"},
      {"<a>", "is not its XML"},
      {"<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>", "is not its XML"},
      {"<a/>", "no proper AccessKeyId"},
      {STS("<AccessKeyId>A</AccessKeyId>"), "no proper SecretAccessKey"},
      {STS(STS_KEYS), "no proper SessionToken"},
      {STS(STS_KEYS "<SessionToken>T</SessionToken>"), "no proper Expiration"},
      {STS(STS_KEYS "<SessionToken>T</SessionToken><Expiration>" SECRET "</Expiration>"),
       "no proper Expiration"},
      {"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a>"
       "</a></a></a></a></a></a></a>",
       "is not its XML"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct aws_credentials *c = NULL;
    struct hoist_error err;
    assert_int_equal(aws_sts_read(cases[i].text, strlen(cases[i].text), "who", &c, &err),
                     HOIST_CORRUPT);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s: %s", cases[i].text, err.message);
    assert_null(strstr(err.message, SECRET));
    assert_null(c);
  }
}

static void test_errors_of_sts_are_read(void **state) {
  (void)state;
  static const char text[] = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                             "<Message>not &lt;you&gt;</Message></Error><RequestId>r</RequestId>"
                             "</ErrorResponse>";
  static const char plain[] = "<Error><Code>InvalidClientTokenId</Code></Error>";
  struct aws_sts_error error = {.code = ""};
  assert_true(aws_sts_read_error(text, strlen(text), &error));
  assert_string_equal(error.code, "AccessDenied");
  assert_string_equal(error.message, "not <you>");
  assert_true(aws_sts_read_error(plain, strlen(plain), &error));
  assert_string_equal(error.code, "InvalidClientTokenId");
  assert_string_equal(error.message, "");
  assert_false(aws_sts_read_error("<a/>", 4, &error));
  assert_false(aws_sts_read_error("nonsense", 8, &error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_metadata_is_read),
      cmocka_unit_test(test_what_a_process_prints_is_read),
      cmocka_unit_test(test_other_documents_are_refused_without_showing_them),
      cmocka_unit_test(test_documents_have_a_bound),
      cmocka_unit_test(test_the_answer_of_sts_is_read),
      cmocka_unit_test(test_other_answers_of_sts_are_refused_without_showing_them),
      cmocka_unit_test(test_errors_of_sts_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
