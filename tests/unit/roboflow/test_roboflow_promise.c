/* SPDX-License-Identifier: Apache-2.0 */
/* Digests that storage hosts promise in response headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "roboflow_promise.h"

#define MD5_HEX "5d41402abc4b2a76b9719d911017c592" /* of "hello" */
#define MD5_BASE64 "XUFAKrxLKna5cZ2REBfFkg=="

static void test_digests_are_found_in_headers_that_can_be_believed(void **state) {
  static const struct {
    const char *headers;
    int found;
  } cases[] = {
      {"", 0},
      {"x-goog-hash: md5=" MD5_BASE64 "\n", 1},
      {"x-goog-hash: crc32c=AAAAAA==,md5=" MD5_BASE64 "\n", 1},
      {"x-goog-hash: md5=" MD5_BASE64 ", crc32c=AAAAAA==\n", 1},
      {"x-goog-hash: crc32c=AAAAAA==\nx-goog-hash: md5=" MD5_BASE64 "\n", 1},
      {"x-goog-hash: crc32c=AAAAAA==\n", 0},
      {"x-goog-hash: md5=short\n", 0},
      {"x-goog-hash: md5=@@@@@@@@@@@@@@@@@@@@@@==\n", 0},
      {"x-goog-stored-content-encoding: identity\nx-goog-hash: md5=" MD5_BASE64 "\n", 1},
      {"x-goog-stored-content-encoding: gzip\nx-goog-hash: md5=" MD5_BASE64 "\n", 0},
      {"content-md5: " MD5_BASE64 "\n", 1},
      {"content-md5: nonsense\n", 0},
      {"etag: \"" MD5_HEX "\"\n", 0},
      {"x-amz-request-id: 1\netag: \"" MD5_HEX "\"\n", 1},
      {"x-amz-request-id: 1\netag: " MD5_HEX "\n", 0},
      {"x-amz-request-id: 1\netag: W/\"" MD5_HEX "\"\n", 0},
      {"x-amz-request-id: 1\netag: \"" MD5_HEX "-2\"\n", 0},
      {"x-amz-request-id: 1\nx-amz-server-side-encryption: AES256\netag: \"" MD5_HEX "\"\n", 1},
      {"x-amz-request-id: 1\nx-amz-server-side-encryption: aws:kms\netag: \"" MD5_HEX "\"\n", 0},
      {"x-amz-request-id: 1\nx-amz-server-side-encryption-customer-algorithm: AES256\netag: "
       "\"" MD5_HEX "\"\n",
       0},
  };
  struct digest md5;
  assert_true(digest_from_hex(DIGEST_MD5, MD5_HEX, &md5));
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct http_response response = {.headers = buf_make(HTTP_MAX_HEADER_BYTES)};
    assert_int_equal(buf_append_str(&response.headers, cases[i].headers, NULL), HOIST_OK);
    struct digest promised = roboflow_promised_digest(&response);
    if (promised.kind != (cases[i].found ? DIGEST_MD5 : DIGEST_NONE)) fail_msg("case %zu", i);
    if (cases[i].found) assert_true(digest_equal(&promised, &md5));
    buf_done(&response.headers);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_digests_are_found_in_headers_that_can_be_believed),
  };
  return cmocka_run_group_tests_name("roboflow_promise", tests, NULL, NULL);
}
