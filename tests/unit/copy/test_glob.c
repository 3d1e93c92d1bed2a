/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "glob.h"

static void test_patterns_match_as_those_of_the_aws_cli(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *name;
    bool matches;
  } cases[] = {
      {"*", "", true},
      {"*", "a/b/c", true},
      {"", "", true},
      {"", "a", false},
      {"a", "", false},
      {"*.onnx", "weights.onnx", true},
      {"*.onnx", "1/weights.onnx", true}, /* a star crosses directories */
      {"*.onnx", "weights.onnx.bak", false},
      {"1/*", "1/a/b", true},
      {"1/*", "11/a", false},
      {"?.txt", "a.txt", true},
      {"?.txt", "ab.txt", false},
      {"a?b", "a/b", true},
      {"?", "\xc3\xbc", true}, /* one character, two bytes */
      {"??", "\xc3\xbc", false},
      {"?", "\xf0\x9f\x98\x80", true},
      {"??",
       "\xc3"
       "a",
       true}, /* what is no character counts by bytes */
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[!abc]", "d", true},
      {"[!abc]", "a", false},
      {"[a-c]x", "bx", true},
      {"[a-c]x", "dx", false},
      {"[\xc3\xa0-\xc3\xbf]", "\xc3\xbc", true},
      {"[-a]", "-", true},
      {"[a-]", "-", true},
      {"[]]", "]", true},
      {"[!]]", "]", false},
      {"[c-a]", "b", false},
      {"[abc", "[abc", true}, /* nothing closes it */
      {"[", "[", true},
      {"[]", "[]", true},
      {"[!]", "[!]", true},
      {"a*b*c", "axxbyybzzc", true},
      {"a*b*c", "axxbyybzz", false},
      {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {"a\\*", "a\\b", true}, /* no escapes */
      {"*[ab]?*", "xxay", true},
      {".*", ".hidden", true},
      {"*", ".hidden", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (glob_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
      fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_patterns_match_as_those_of_the_aws_cli),
  };
  return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
