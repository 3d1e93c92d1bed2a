/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …?" */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "suggest.h"

static void test_slips_of_the_fingers_are_recognised(void **state) {
  static const char *const words[] = {"load", "pull", "ls", "verify", "config", "trace"};
  static const struct {
    const char *typed, *meant;
  } cases[] = {
      {"laod", "load"},
      {"lod", "load"},
      {"loadd", "load"},
      {"pul", "pull"},
      {"verfiy", "verify"},
      {"confg", "config"},
      {"Trace", "trace"},
      {"load", "load"},
      {"remove", NULL},
      {"x", NULL},
      {"", NULL},
      {"zz", NULL},
      {"a-word-that-is-much-longer-than-any-command-there-is", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *found = suggest(cases[i].typed, words, sizeof words / sizeof words[0]);
    if (cases[i].meant) {
      assert_non_null(found);
      assert_string_equal(found, cases[i].meant);
    } else {
      assert_null(found);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_slips_of_the_fingers_are_recognised),
  };
  return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
