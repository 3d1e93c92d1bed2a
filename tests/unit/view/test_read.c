/* SPDX-License-Identifier: Apache-2.0 */
/* Files of every format, told apart by what is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(text) text, sizeof text - 1
#define LINE(name)                                                                                 \
  "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"" name "\"}]}]}]}\n"
/* TracesData { ResourceSpans { ScopeSpans { Span { name } } } }, the name being one letter. */
#define MESSAGE(name) "\x0a\x07\x12\x05\x12\x03\x2a\x01" name

static enum hoist_status read_bytes(struct trace_set *set, const char *data, size_t size,
                                    struct hoist_error *err) {
  FILE *in = tmpfile();
  assert_non_null(in);
  assert_int_equal(fwrite(data, 1, size, in), size);
  rewind(in);
  enum hoist_status status = trace_read(set, in, "t", err);
  fclose(in);
  return status;
}

static void test_the_content_tells_the_format(void **state) {
  static const struct {
    const char *what, *data;
    size_t size;
    enum hoist_status status;
    const char *names, *error;
  } cases[] = {
      {"nothing", BYTES(""), HOIST_OK, "", NULL},
      {"lines", BYTES(LINE("a") LINE("b")), HOIST_OK, "ab", NULL},
      {"lines after an empty one", BYTES("\n" LINE("a")), HOIST_OK, "a", NULL},
      {"only empty lines", BYTES("\n\n"), HOIST_OK, "", NULL},
      {"one message", BYTES(MESSAGE("a")), HOIST_OK, "a", NULL},
      {"messages one after the other", BYTES(MESSAGE("a") MESSAGE("b")), HOIST_OK, "ab", NULL},
      {"messages with sizes", BYTES("\0\0\0\x09" MESSAGE("a") "\0\0\0\x09" MESSAGE("b")), HOIST_OK,
       "ab", NULL},
      {"a message of size 0", BYTES("\0\0\0\0\0\0\0\x09" MESSAGE("a")), HOIST_OK, "a", NULL},
      {"a cut message", BYTES(MESSAGE("a") "\x0a\x07\x12"), HOIST_CORRUPT, "a",
       "t: TracesData: not OTLP protobuf"},
      {"a cut message with a size", BYTES("\0\0\0\x09" MESSAGE("a") "\0\0\0\x09\x0a"),
       HOIST_CORRUPT, "a", "t: ends inside a message"},
      {"a cut size", BYTES("\0\0\0\x09" MESSAGE("a") "\0\0"), HOIST_CORRUPT, "a",
       "t: ends inside a message"},
      {"text", BYTES("hello\n"), HOIST_CORRUPT, "", "t:1: not JSON"},
      {"text after an empty line", BYTES("\nhello\n"), HOIST_CORRUPT, "", "t:2: not JSON"},
      {"a picture", BYTES("\x89PNG\r\n\x1a\n"), HOIST_CORRUPT, "", "t:1: not JSON"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
    struct hoist_error err = {0};
    char names[16] = "";
    enum hoist_status status = read_bytes(&set, cases[i].data, cases[i].size, &err);
    for (size_t k = 0; k < set.count; k++)
      strncat(names, set.spans[k].name, 1);
    if (status != cases[i].status || strcmp(names, cases[i].names) != 0)
      fail_msg("%s: status %d, spans '%s'", cases[i].what, (int)status, names);
    if (cases[i].error && strncmp(err.message, cases[i].error, strlen(cases[i].error)) != 0)
      fail_msg("%s: %s", cases[i].what, err.message);
  }
}

static void test_a_directory_cannot_be_read(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  struct hoist_error err;
  FILE *in = fopen("/", "re");
  assert_non_null(in);
  assert_int_not_equal(trace_read(&set, in, "/", &err), HOIST_OK);
  assert_int_not_equal(err.sys_errno, 0);
  fclose(in);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_content_tells_the_format),
      cmocka_unit_test(test_a_directory_cannot_be_read),
  };
  return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
