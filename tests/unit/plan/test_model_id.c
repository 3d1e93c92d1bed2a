/* SPDX-License-Identifier: Apache-2.0 */
/* Model ids: validation, cache paths, and a property test against a second implementation made of
 * regular expressions and RFC 7693. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model_id.h"
#include "path_rule.h"

static void test_the_published_vector_holds(void **state) {
  struct model_id id;
  assert_int_equal(model_id_parse("Coins/1", &id, NULL), HOIST_OK);
  assert_string_equal(id.text, "Coins/1");
  assert_string_equal(id.path, "~Coins-1-4feee23e30fccb2404a13288e65a2cf1");
}

static void test_plain_ids_are_their_own_path(void **state) {
  static const char *const ids[] = {"coins/1",     "a",           "a b/c_d-e.f/9", "x.y",
                                    "com0/1",      "lpt/1",       "console/1",     "coins/workflow",
                                    "a-deadbee/1", "a/b-deadbeef"};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    struct model_id id;
    assert_int_equal(model_id_parse(ids[i], &id, NULL), HOIST_OK);
    assert_string_equal(id.path, ids[i]);
  }
}

static void test_ids_that_the_file_system_or_the_server_would_mistake_get_a_slug(void **state) {
  static const struct {
    const char *id;
    const char *path_prefix;
  } cases[] = {
      {"A/1", "~A-1-"},
      {"caf\xc3\xa9/1", "~caf-1-"},
      {"A__b/1", "~A-b-1-"},
      {"coins./1", "~coins-1-"},
      {"coins /1", "~coins-1-"},
      {"con/1", "~con-1-"},
      {"nul.txt/1", "~nul-txt-1-"},
      {"a/com7.onnx", "~a-com7-onnx-"},
      {"~x/1", "~-x-1-"},
      {"workflow/1", "~workflow-1-"},
      {"_file_locks", "~_file_locks-"},
      {"usage.db", "~usage-db-"},
      {"name-0123abcd/1", "~name-0123abcd-1-"},
      {"!!!", "~--"},
      {"a+_b", "~a-b-"},
      {"a_b+", "~a_b--"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct model_id id;
    const char *prefix = cases[i].path_prefix;
    assert_int_equal(model_id_parse(cases[i].id, &id, NULL), HOIST_OK);
    assert_memory_equal(id.path, prefix, strlen(prefix));
    assert_int_equal(strlen(id.path), strlen(prefix) + 32);
  }
}

static void test_a_long_slug_is_cut_and_a_long_segment_gets_one(void **state) {
  char text[400];
  struct model_id id;
  memset(text, 'a', sizeof text);
  text[255] = '\0';
  assert_int_equal(model_id_parse(text, &id, NULL), HOIST_OK);
  assert_string_equal(id.path, text);
  text[255] = 'a';
  text[256] = '\0';
  assert_int_equal(model_id_parse(text, &id, NULL), HOIST_OK);
  assert_int_equal(strlen(id.path), 1 + 48 + 1 + 32);
  assert_memory_equal(id.path + 1, text, 48);
}

static void test_bad_ids_are_refused_with_the_rule_they_break(void **state) {
  static const struct {
    const char *id;
    const char *message;
  } cases[] = {
      {"", "model id \"\" is empty"},
      {"..", "has a segment \"..\""},
      {"../etc/passwd", "has a segment \"..\""},
      {"a/../b", "model id \"a/../b\" has a segment \"..\""},
      {"a/..", "has a segment \"..\""},
      {"./a", "has a segment \".\""},
      {"a//1", "has an empty segment"},
      {"/a", "begins with a slash"},
      {"/", "begins with a slash"},
      {"a/1/", "ends with a slash"},
      {"a\\1", "has a backslash"},
      {"..\\..\\x", "has a backslash"},
      {"a\n1", "model id \"a?1\" has a control byte"},
      {"a\x1b[31m", "has a control byte"},
      {"a\x7f", "has a control byte"},
      {"a\xc2\x9b"
       "31m",
       "has a control byte"},
      {"a\xff", "model id \"a?\" is not valid UTF-8"},
      {"a\xc3", "is not valid UTF-8"},
      {".hoist/1", "reserved"},
      {"a/.hoist-locks", "reserved"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct model_id id = {.text = "untouched"};
    struct hoist_error err = {0};
    assert_int_equal(model_id_parse(cases[i].id, &id, &err), HOIST_INVALID);
    assert_non_null(strstr(err.message, cases[i].message));
    assert_non_null(strstr(err.message, "dataset/1"));
    assert_string_equal(id.text, "untouched");
  }
}

static void test_an_id_of_4_kb_is_refused_and_shown_shortened(void **state) {
  static char text[4097];
  struct model_id id;
  struct hoist_error err = {0};
  memset(text, 'x', sizeof text - 1);
  assert_int_equal(model_id_parse(text, &id, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "xxx...\" is too long"));
  assert_true(strlen(err.message) < 200);
  text[MODEL_ID_MAX + 1] = '\0';
  assert_int_equal(model_id_parse(text, &id, NULL), HOIST_INVALID);
  text[MODEL_ID_MAX] = '\0';
  assert_int_equal(model_id_parse(text, &id, NULL), HOIST_OK);
}

static void test_a_shown_text_is_cut_between_characters(void **state) {
  char text[200], shown[PATH_SHOWN_SIZE];
  for (size_t i = 0; i < 99; i++)
    memcpy(text + 2 * i, "\xc3\xa9", 3);
  path_shown(text, shown);
  size_t size = strlen(shown);
  assert_true(size < sizeof shown);
  assert_string_equal(shown + size - 3, "...");
  assert_int_equal((size - 3) % 2, 0);
}

static void test_versioned_ids_have_two_segments_and_a_decimal_version(void **state) {
  static const struct {
    const char *id;
    int versioned;
  } cases[] = {{"a/1", 1},   {"a/0123", 1}, {"a", 0},    {"a/b", 0},
               {"a/1/2", 0}, {"a/1a", 0},   {"a/-1", 0}, {"1/x", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct model_id id;
    assert_int_equal(model_id_parse(cases[i].id, &id, NULL), HOIST_OK);
    assert_int_equal(model_id_is_versioned(&id), cases[i].versioned);
  }
}

/* ---- the second implementation --------------------------------------------------------------- */

static uint32_t rotate(uint32_t x, int n) {
  return (x >> n) | (x << (32 - n));
}

static void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y) {
  v[a] += v[b] + x;
  v[d] = rotate(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = rotate(v[b] ^ v[c], 12);
  v[a] += v[b] + y;
  v[d] = rotate(v[d] ^ v[a], 8);
  v[c] += v[d];
  v[b] = rotate(v[b] ^ v[c], 7);
}

static const uint32_t blake2s_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* RFC 7693, section 3.2 */
static void compress(uint32_t h[8], const uint8_t block[64], uint64_t counted, bool last) {
  static const uint8_t sigma[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                        {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                        {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                        {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                        {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                        {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
  static const uint8_t lanes[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14},
                                      {3, 7, 11, 15}, {0, 5, 10, 15}, {1, 6, 11, 12},
                                      {2, 7, 8, 13},  {3, 4, 9, 14}};
  uint32_t v[16], m[16];
  for (int i = 0; i < 16; i++)
    m[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
           (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
  memcpy(v, h, 32);
  memcpy(v + 8, blake2s_iv, 32);
  v[12] ^= (uint32_t)counted;
  v[13] ^= (uint32_t)(counted >> 32);
  if (last) v[14] = ~v[14];
  for (int round = 0; round < 10; round++)
    for (int i = 0; i < 8; i++)
      mix(v, lanes[i][0], lanes[i][1], lanes[i][2], lanes[i][3], m[sigma[round][2 * i]],
          m[sigma[round][2 * i + 1]]);
  for (int i = 0; i < 8; i++)
    h[i] ^= v[i] ^ v[i + 8];
}

static void blake2s_128_hex(const char *text, char out[33]) {
  uint32_t h[8];
  memcpy(h, blake2s_iv, sizeof h);
  h[0] ^= 0x01010000 ^ 16;
  size_t size = strlen(text), done = 0;
  for (; size - done > 64; done += 64)
    compress(h, (const uint8_t *)text + done, done + 64, false);
  uint8_t block[64] = {0};
  memcpy(block, text + done, size - done);
  compress(h, block, size, true);
  for (int i = 0; i < 16; i++)
    snprintf(out + 2 * i, 3, "%02x", (unsigned)(h[i / 4] >> (8 * (i % 4)) & 255));
}

static bool matches(const char *pattern, const char *text) {
  regex_t regex;
  assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
  bool result = regexec(&regex, text, 0, NULL, 0) == 0;
  regfree(&regex);
  return result;
}

static bool second_is_raw(const char *id) {
  return matches("^[a-z0-9._ -]*[a-z0-9_-](/[a-z0-9._ -]*[a-z0-9_-])*$", id) &&
         !matches("(^|/)(aux|con|nul|prn|com[1-9]|lpt[1-9])(\\.|/|$)", id) &&
         !matches("^(_file_locks|auto-resolution-cache|hf_home|huggingface|lora-bases|models-cache|"
                  "owl-v2-serialized-data|shared-blobs|usage\\.db|workflow)(/|$)",
                  id) &&
         !matches("^[A-Za-z0-9_-]{1,48}-[0-9a-f]{8}(/|$)", id);
}

/* Replaces every match of a pattern by '-', one match after the other. */
static void replace_all(const char *pattern, char *text) {
  regex_t regex;
  regmatch_t match;
  assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
  for (char *p = text; regexec(&regex, p, 1, &match, 0) == 0;) {
    char *start = p + match.rm_so, *end = p + match.rm_eo;
    *start = '-';
    memmove(start + 1, end, strlen(end) + 1);
    p = start + 1;
  }
  regfree(&regex);
}

static void second_path(const char *id, char *out, size_t out_size) {
  char slug[128], hex[33];
  snprintf(slug, sizeof slug, "%s", id);
  replace_all("[^A-Za-z0-9_-]+", slug);
  replace_all("[_-]{2,}", slug);
  slug[48] = '\0';
  blake2s_128_hex(id, hex);
  if (second_is_raw(id))
    snprintf(out, out_size, "%s", id);
  else
    snprintf(out, out_size, "~%s-%s", *slug ? slug : "special-char-only-model-id", hex);
}

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void make_random_id(uint64_t *seed, char out[128]) {
  static const char *const parts[] = {"a",
                                      "b9",
                                      "Z",
                                      "_",
                                      "__",
                                      "-",
                                      "--",
                                      ".",
                                      " ",
                                      "/",
                                      "/",
                                      "1",
                                      "con",
                                      "nul",
                                      "lpt1",
                                      "com0",
                                      "workflow",
                                      "usage.db",
                                      "hf_home",
                                      "~",
                                      "\xc3\xa9",
                                      "+",
                                      "deadbeef",
                                      "-0123abcd",
                                      "x-00000000",
                                      "models-cache",
                                      "aux.",
                                      "prn/",
                                      "abcdefghijklmnopqrstuvwxyz"};
  size_t used = 0, count = 1 + next_random(seed) % 6;
  out[0] = '\0';
  for (size_t i = 0; i < count && used < 90; i++)
    used += (size_t)snprintf(out + used, 128 - used, "%s",
                             parts[next_random(seed) % (sizeof parts / sizeof parts[0])]);
}

static void test_random_ids_get_the_path_of_the_second_implementation(void **state) {
  uint64_t seed = 0x9e3779b97f4a7c15;
  int accepted = 0, raw = 0;
  for (int i = 0; i < 2000; i++) {
    char text[128], expected[MODEL_ID_MAX + 1];
    make_random_id(&seed, text);
    struct model_id id;
    bool valid = !matches("(^|/)\\.{0,2}(/|$)", text) && !matches("(^|/)\\.hoist", text);
    enum hoist_status status = model_id_parse(text, &id, NULL);
    assert_int_equal(status, valid ? HOIST_OK : HOIST_INVALID);
    if (!valid) continue;
    second_path(text, expected, sizeof expected);
    assert_string_equal(id.path, expected);
    accepted++;
    raw += strcmp(id.path, text) == 0;
  }
  assert_true(accepted > 500 && raw > 100 && accepted - raw > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_published_vector_holds),
      cmocka_unit_test(test_plain_ids_are_their_own_path),
      cmocka_unit_test(test_ids_that_the_file_system_or_the_server_would_mistake_get_a_slug),
      cmocka_unit_test(test_a_long_slug_is_cut_and_a_long_segment_gets_one),
      cmocka_unit_test(test_bad_ids_are_refused_with_the_rule_they_break),
      cmocka_unit_test(test_an_id_of_4_kb_is_refused_and_shown_shortened),
      cmocka_unit_test(test_a_shown_text_is_cut_between_characters),
      cmocka_unit_test(test_versioned_ids_have_two_segments_and_a_decimal_version),
      cmocka_unit_test(test_random_ids_get_the_path_of_the_second_implementation),
  };
  return cmocka_run_group_tests_name("model_id", tests, NULL, NULL);
}
