/* SPDX-License-Identifier: Apache-2.0 */
/* Status, message, RetryInfo and frames as servers send them, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grpc_response.h"
#include "gzip.h"
#include "otlp.h"

static struct grpc_response read_lines(const char *const lines[]) {
  struct grpc_response response = {0};
  for (size_t i = 0; lines[i]; i++)
    grpc_response_line(&response, lines[i], strlen(lines[i]));
  return response;
}
#define LINES(...)                                                                                 \
  (const char *const[]) {                                                                          \
    __VA_ARGS__, NULL                                                                              \
  }

static void test_the_status_is_a_number_or_not_there(void **state) {
  static const struct {
    const char *line;
    bool has_status;
    uint32_t code;
  } cases[] = {
      {"grpc-status: 0\r\n", true, 0},
      {"grpc-status:14\r\n", true, 14},
      {"Grpc-Status: 8 \r\n", true, 8},
      {"grpc-status: 16", true, 16},
      {"grpc-status: 17\r\n", true, 2},
      {"grpc-status: 999999999\r\n", true, 2},
      {"grpc-status: 9999999999\r\n", false, 0},
      {"grpc-status: \r\n", false, 0},
      {"grpc-status: -1\r\n", false, 0},
      {"grpc-status: OK\r\n", false, 0},
      {"grpc-status-x: 1\r\n", false, 0},
      {"grpc-statu: 1\r\n", false, 0},
      {"grpc-status\r\n", false, 0},
      {"\r\n", false, 0},
      {"", false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct grpc_response response = read_lines(LINES(cases[i].line));
    assert_int_equal(response.has_status, cases[i].has_status);
    assert_int_equal(response.code, cases[i].code);
  }
}

static void test_a_new_status_line_begins_anew(void **state) {
  struct grpc_response response =
      read_lines(LINES("HTTP/2 503\r\n", "grpc-status: 14\r\n", "HTTP/2 200\r\n"));
  assert_false(response.has_status);
}

static void test_the_message_is_decoded(void **state) {
  static const struct {
    const char *encoded, *decoded;
  } cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"busy: 100%25 %C3%A9", "busy: 100% \xc3\xa9"},
      {"100% sure %zz %4", "100% sure %zz %4"}, /* no escapes: as they are */
      {"%", "%"},
      {"%e2%82%ac", "\xe2\x82\xac"},
      {"a%00b%0d%0ac%7f", "a?b??c?"}, /* one line, and no early end */
      {"bad %ff%fe \xc3", "bad ?? ?"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[128];
    snprintf(line, sizeof line, "grpc-message: %s\r\n", cases[i].encoded);
    assert_string_equal(read_lines(LINES(line)).message, cases[i].decoded);
  }
}

static void test_a_long_message_is_cut_at_a_character(void **state) {
  char line[4 * GRPC_MESSAGE_SIZE] = "grpc-message: a";
  for (size_t size = strlen(line); size + 6 < sizeof line; size += 6)
    memcpy(line + size, "%C3%A9", 7);
  struct grpc_response response = read_lines(LINES(line));
  size_t size = strlen(response.message);
  assert_true(size >= GRPC_MESSAGE_SIZE - 4 && size < GRPC_MESSAGE_SIZE);
  assert_null(strchr(response.message, '?'));
}

#define KEY "sk-SECRETSECRETSECRET-0123456789"

/* Wherever a text is cut, a secret must not be there in part. */
static void test_a_secret_is_hidden_wherever_a_message_is_cut(void **state) {
  struct otlp o = {.secrets = {.count = 0}};
  struct hoist_error err;
  assert_int_equal(secrets_add(&o.secrets, KEY, &err), HOIST_OK);
  for (size_t before = 0; before < GRPC_MESSAGE_SIZE; before += before < 300 ? 1 : 97) {
    char line[2 * GRPC_MESSAGE_SIZE] = "grpc-message: ", shown[256];
    size_t head = strlen(line);
    memset(line + head, '.', before);
    memcpy(line + head + before, KEY " is bad", sizeof KEY " is bad");
    struct grpc_response response = read_lines(LINES(line));
    otlp_copy_text(&o, response.message, strlen(response.message), shown, sizeof shown);
    assert_null(strstr(shown, "sk-"));
    assert_null(strchr(shown, 'S'));
  }
  secrets_done(&o.secrets);
}

static void test_a_secret_that_was_cut_already_is_hidden(void **state) {
  static const struct {
    const char *text, *shown;
  } cases[] = {{"bad key sk-SEC", "bad key ******"},
               {"bad key Bearer sk-SEC", "bad key *************"},
               {"bad key sk-", "bad key sk-"}, /* too short to be told from a word */
               {"sk-SEC is bad", "sk-SEC is bad"},
               {"", ""}};
  struct secrets secrets = {.count = 0};
  struct hoist_error err;
  assert_int_equal(secrets_add(&secrets, "Bearer " KEY, &err), HOIST_OK);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[64];
    snprintf(text, sizeof text, "%s", cases[i].text);
    secrets_hide_cut(&secrets, text);
    assert_string_equal(text, cases[i].shown);
  }
  secrets_done(&secrets);
}

/* google.rpc.Status {14, "busy", [the type, {its delay}]} in base64. */
static void test_retry_info_is_found_in_the_details(void **state) {
#define BUSY "CA4SBGJ1c3ka"
#define RETRY_INFO "odHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbx"
#define DEBUG_INFO "odHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkRlYnVnSW5mbx"
  static const struct {
    const char *details;
    bool has_retry_info;
    uint64_t ms;
  } cases[] = {
      {BUSY "Ngo" RETRY_INFO "IKCggIAhCAyrXuAQ==", true, 2500}, /* 2 s, 500000000 ns */
      {BUSY "Ngo" RETRY_INFO "IKCggIAhCAyrXuAQ", true, 2500},   /* without padding */
      {BUSY "Mgo" RETRY_INFO "IGCgQIABAB", true, 1},            /* 1 ns is rounded up */
      {BUSY "Nwo" RETRY_INFO "ILCgkIgKCUpY0dEAA=", true, GRPC_RETRY_MAX_S * UINT64_C(1000)},
      {BUSY "Owo" RETRY_INFO "IPCg0I////////////ARAA", false, 0}, /* -1 s */
      {BUSY "Ngo" RETRY_INFO "IKCggIARCAlOvcAw==", false, 0},     /* 10^9 ns */
      {BUSY "Mgo" DEBUG_INFO "IGCgQIAhAA", false, 0},
      {BUSY "Ngo" RETRY_INFO "IKCggIAhCA", false, 0}, /* cut short */
      {"CAg=", false, 0},
      {"", false, 0},
      {"!!!!", false, 0},
      {"A", false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[256];
    snprintf(line, sizeof line, "grpc-status-details-bin: %s\r\n", cases[i].details);
    struct grpc_response response = read_lines(LINES(line));
    assert_int_equal(response.has_retry_info, cases[i].has_retry_info);
    assert_int_equal(response.retry_ms, cases[i].ms);
  }
}

static void test_only_the_listed_codes_are_retried(void **state) {
  static const bool retried[GRPC_CODES] = {
      [GRPC_CANCELLED] = true,    [GRPC_DEADLINE_EXCEEDED] = true, [GRPC_ABORTED] = true,
      [GRPC_OUT_OF_RANGE] = true, [GRPC_UNAVAILABLE] = true,       [GRPC_DATA_LOSS] = true};
  for (uint32_t code = 0; code < GRPC_CODES + 3; code++) {
    bool listed = code < GRPC_CODES && retried[code];
    assert_int_equal(grpc_is_retryable(code, false), listed);
    assert_int_equal(grpc_is_retryable(code, true), listed || code == GRPC_RESOURCE_EXHAUSTED);
    assert_non_null(grpc_code_name(code));
  }
}

static void test_without_a_status_http_tells(void **state) {
  static const struct {
    long http_status;
    uint32_t code;
  } cases[] = {{200, GRPC_UNKNOWN},         {400, GRPC_INTERNAL},
               {401, GRPC_UNAUTHENTICATED}, {403, GRPC_PERMISSION_DENIED},
               {404, GRPC_UNIMPLEMENTED},   {429, GRPC_UNAVAILABLE},
               {500, GRPC_UNKNOWN},         {502, GRPC_UNAVAILABLE},
               {503, GRPC_UNAVAILABLE},     {504, GRPC_UNAVAILABLE}};
  struct grpc_response silent = {0}, ok = {.has_status = true};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(grpc_response_code(&silent, cases[i].http_status), cases[i].code);
    assert_int_equal(grpc_response_code(&ok, cases[i].http_status), GRPC_OK);
  }
}

static bool read_frame(const char *bytes, size_t size, struct buf *inflated, const void **message,
                       size_t *message_size) {
  struct hoist_error err;
  static struct buf body;
  buf_done(&body);
  body = buf_make(1000);
  assert_int_equal(buf_append(&body, bytes, size, &err), HOIST_OK);
  bool is_read = grpc_frame_read(&body, inflated, message, message_size);
  return is_read;
}

static void test_a_frame_is_read_whole_or_not_at_all(void **state) {
  static const struct {
    const char *bytes;
    size_t size;
    int message_size; /* -1: no frame */
  } cases[] = {
      {"\0\0\0\0\0", 5, 0},          {"\0\0\0\0\2ab", 7, 2},  {"\0\0\0\0\2abc", 8, -1},
      {"\0\0\0\0\2a", 6, -1},        {"\0\0\0\0", 4, -1},     {"", 0, -1},
      {"\2\0\0\0\2ab", 7, -1},       {"\1\0\0\0\2ab", 7, -1}, /* said to be compressed */
      {"\0\377\377\377\377", 5, -1},
  };
  HOIST_AUTO(buf) struct buf inflated = buf_make(1000);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const void *message;
    size_t size;
    bool is_read = read_frame(cases[i].bytes, cases[i].size, &inflated, &message, &size);
    assert_int_equal(is_read, cases[i].message_size >= 0);
    if (is_read) assert_int_equal(size, cases[i].message_size);
  }
}

static void test_a_compressed_frame_is_inflated_up_to_the_cap(void **state) {
  struct hoist_error err;
  static const size_t caps[] = {100, 99};
  for (size_t i = 0; i < 2; i++) {
    char text[100] = "response";
    HOIST_AUTO(buf) struct buf body = buf_make(1000);
    HOIST_AUTO(buf) struct buf inflated = buf_make(caps[i]);
    const void *message;
    size_t size;
    assert_int_equal(buf_append(&body, "\1\0\0\0\0", 5, &err), HOIST_OK);
    assert_int_equal(gzip_append(&body, text, sizeof text, &err), HOIST_OK);
    body.data[4] = (char)(body.size - 5);
    assert_int_equal(grpc_frame_read(&body, &inflated, &message, &size), i == 0);
    if (i > 0) continue;
    assert_int_equal(size, sizeof text);
    assert_memory_equal(message, text, sizeof text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_status_is_a_number_or_not_there),
      cmocka_unit_test(test_a_new_status_line_begins_anew),
      cmocka_unit_test(test_the_message_is_decoded),
      cmocka_unit_test(test_a_long_message_is_cut_at_a_character),
      cmocka_unit_test(test_a_secret_is_hidden_wherever_a_message_is_cut),
      cmocka_unit_test(test_a_secret_that_was_cut_already_is_hidden),
      cmocka_unit_test(test_retry_info_is_found_in_the_details),
      cmocka_unit_test(test_only_the_listed_codes_are_retried),
      cmocka_unit_test(test_without_a_status_http_tells),
      cmocka_unit_test(test_a_frame_is_read_whole_or_not_at_all),
      cmocka_unit_test(test_a_compressed_frame_is_inflated_up_to_the_cap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
