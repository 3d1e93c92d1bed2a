/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans decided when a trace ended. */
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
#define MAX_SPANS 8

static const struct {
  const char *what;
  struct sample samples[MAX_SPANS];
  const char *path; /* names of the marked spans in the order of the tree */
} cases[] = {
    {"one after the other are all on it",
     {{1, 1, 0, "r", 0, 30, NULL, NULL},
      {1, 2, 1, "a", 0, 10, NULL, NULL},
      {1, 3, 1, "b", 10, 30, NULL, NULL}},
     "r a b "},
    {"of two at once the one that ends last",
     {{1, 1, 0, "r", 0, 30, NULL, NULL},
      {1, 2, 1, "long", 0, 30, NULL, NULL},
      {1, 3, 1, "short", 5, 20, NULL, NULL}},
     "r long "},
    {"before the last one, the last that ended before it began",
     {{1, 1, 0, "r", 0, 40, NULL, NULL},
      {1, 2, 1, "a", 0, 12, NULL, NULL},
      {1, 3, 1, "b", 0, 15, NULL, NULL},
      {1, 4, 1, "c", 10, 25, NULL, NULL},
      {1, 5, 1, "d", 20, 40, NULL, NULL}},
     "r b d "},
    {"inside the spans on it, and not inside others",
     {{1, 1, 0, "r", 0, 30, NULL, NULL},
      {1, 2, 1, "a", 0, 30, NULL, NULL},
      {1, 3, 2, "in a", 1, 29, NULL, NULL},
      {1, 4, 1, "b", 0, 20, NULL, NULL},
      {1, 5, 4, "in b", 1, 19, NULL, NULL}},
     "r a in a "},
    {"a child that outlives its parent ends with it",
     {{1, 1, 0, "r", 0, 30, NULL, NULL},
      {1, 2, 1, "a", 0, 20, NULL, NULL},
      {1, 3, 1, "late", 20, 90, NULL, NULL},
      {1, 4, 3, "in late", 25, 80, NULL, NULL}},
     "r a late in late "},
    {"a child that begins after its parent's end is not on it",
     {{1, 1, 0, "r", 0, 30, NULL, NULL}, {1, 2, 1, "after", 40, 50, NULL, NULL}},
     "r "},
    {"what took no time is not on it",
     {{1, 1, 0, "r", 0, 30, NULL, NULL},
      {1, 2, 1, "none", 30, 30, NULL, NULL},
      {1, 3, 1, "some", 0, 10, NULL, NULL}},
     "r some "},
    {"of two roots the one that ends last",
     {{1, 1, 0, "first", 0, 30, NULL, NULL}, {1, 2, 0, "second", 10, 50, NULL, NULL}},
     "second "},
    {"every trace has its own",
     {{1, 1, 0, "one", 0, 30, NULL, NULL}, {2, 2, 0, "two", 40, 50, NULL, NULL}},
     "one two "},
};

static void path_of(const struct trace_set *set, char *out, size_t size) {
  out[0] = '\0';
  for (size_t i = 0; i < set->trace_count; i++)
    for (const struct trace_span *span = trace_root(set, &set->traces[i], 0); span;
         span = trace_next(set, &set->traces[i], span)) {
      size_t used = strlen(out);
      if (span->critical) snprintf(out + used, size - used, "%s ", span->name);
    }
}

static void test_the_path_is_what_decided_the_end(void **state) {
  for (size_t i = 0; i < COUNT(cases); i++) {
    HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
    char path[256];
    size_t count = 0;
    while (count < MAX_SPANS && cases[i].samples[count].name)
      count++;
    sample_read(&set, cases[i].samples, count);
    path_of(&set, path, sizeof path);
    if (strcmp(path, cases[i].path) != 0) fail_msg("%s: %s", cases[i].what, path);
  }
}

static void test_linking_again_finds_it_again(void **state) {
  static const struct sample first[] = {{1, 1, 0, "r", 0, 30, NULL, NULL},
                                        {1, 2, 1, "a", 0, 20, NULL, NULL}};
  static const struct sample second[] = {{1, 3, 1, "b", 0, 25, NULL, NULL}};
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  char path[64];
  sample_read(&set, first, COUNT(first));
  sample_read(&set, second, COUNT(second));
  path_of(&set, path, sizeof path);
  assert_string_equal(path, "r b ");
}

static void test_the_waterfall_marks_it_and_explains_the_mark(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, cases[1].samples, 3);
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 1, 0);
  assert_non_null(strstr(text, "critical path • ╷0"));
  assert_non_null(strstr(text, "├ long         30.0 ms • "));
  assert_non_null(strstr(text, "└ short        15.0 ms   "));
}

static void test_a_span_alone_is_not_marked(void **state) {
  HOIST_AUTO(trace_set) struct trace_set set = trace_set_make();
  sample_read(&set, cases[0].samples, 1);
  HOIST_AUTO(mem) char *text = sample_draw(&set, 80, 0, 0);
  assert_null(strstr(text, "critical"));
  assert_null(strchr(text, '*'));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_path_is_what_decided_the_end),
      cmocka_unit_test(test_linking_again_finds_it_again),
      cmocka_unit_test(test_the_waterfall_marks_it_and_explains_the_mark),
      cmocka_unit_test(test_a_span_alone_is_not_marked),
  };
  return cmocka_run_group_tests_name("critical", tests, NULL, NULL);
}
