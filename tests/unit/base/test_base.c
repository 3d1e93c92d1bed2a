/* SPDX-License-Identifier: Apache-2.0 */
/* The base module: errors, buffers, text, digests, files, calls. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "call.h"
#include "clock.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "text.h"

/* ---- errors ---- */

static void test_a_failure_fills_the_record_and_returns_its_status(void **state) {
  struct hoist_error err = {0};
  assert_int_equal(hoist_fail(&err, HOIST_CORRUPT, "%s: bad", "x.onnx"), HOIST_CORRUPT);
  assert_int_equal(err.status, HOIST_CORRUPT);
  assert_string_equal(err.message, "x.onnx: bad");
  assert_int_equal(hoist_fail(NULL, HOIST_DENIED, "no record"), HOIST_DENIED);
}

static void test_failing_with_ok_is_a_defect(void **state) {
  struct hoist_error err = {0};
  assert_int_equal(hoist_fail(&err, HOIST_OK, "oops"), HOIST_INTERNAL);
}

static void test_control_bytes_cannot_start_a_second_line(void **state) {
  struct hoist_error err = {0};
  (void)hoist_fail(&err, HOIST_INVALID, "a\nb\x1b[31mc\r\x7f");
  assert_string_equal(err.message, "a?b?[31mc??");
}

static void test_long_messages_are_cut_and_say_so(void **state) {
  struct hoist_error err = {0};
  char text[2000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  (void)hoist_fail(&err, HOIST_INVALID, "%s", text);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  assert_string_equal(err.message + sizeof err.message - 4, "...");
}

static void test_errno_decides_the_status(void **state) {
  static const struct {
    int sys_errno;
    enum hoist_status status;
  } cases[] = {{ENOENT, HOIST_NOT_FOUND},  {EACCES, HOIST_DENIED},   {EROFS, HOIST_DENIED},
               {ENOSPC, HOIST_NO_SPACE},   {EDQUOT, HOIST_NO_SPACE}, {ENOMEM, HOIST_NO_MEMORY},
               {EINVAL, HOIST_INVALID},    {EIO, HOIST_UNAVAILABLE}, {ETIMEDOUT, HOIST_UNAVAILABLE},
               {ENOTDIR, HOIST_NOT_FOUND}, {EFBIG, HOIST_NO_SPACE}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hoist_error err = {0};
    assert_int_equal(hoist_fail_errno(&err, cases[i].sys_errno, "file"), cases[i].status);
    assert_int_equal(err.sys_errno, cases[i].sys_errno);
  }
}

static void test_a_next_step_is_put_behind_a_message_that_has_none(void **state) {
  struct hoist_error err;
  hoist_fail(&err, HOIST_CORRUPT, "a.bin: got 1 of 2 bytes");
  hoist_error_advise(&err, "try again");
  assert_string_equal(err.message, "a.bin: got 1 of 2 bytes; try again");
  hoist_error_advise(&err, "check the file");
  assert_string_equal(err.message, "a.bin: got 1 of 2 bytes; try again");
  assert_int_equal(err.status, HOIST_CORRUPT);
  hoist_error_advise(NULL, "try again");
}

static void test_context_is_prepended_and_codes_stay(void **state) {
  struct hoist_error err = {0};
  (void)hoist_fail_errno(&err, ENOENT, "weights.onnx");
  hoist_error_prepend(&err, "%s/%d", "faces", 1);
  assert_string_equal(err.message, "faces/1: weights.onnx: No such file or directory");
  assert_int_equal(err.sys_errno, ENOENT);
  assert_int_equal(err.status, HOIST_NOT_FOUND);
}

static void test_every_status_has_its_own_name(void **state) {
  for (int i = HOIST_OK; i <= HOIST_INTERNAL; i++)
    for (int j = HOIST_OK; j < i; j++)
      assert_string_not_equal(hoist_status_name((enum hoist_status)i),
                              hoist_status_name((enum hoist_status)j));
}

/* ---- buffers ---- */

static void test_a_buffer_grows_up_to_its_cap_and_no_further(void **state) {
  struct buf b = buf_make(1000);
  struct hoist_error err = {0};
  for (int i = 0; i < 100; i++)
    assert_int_equal(buf_append(&b, "0123456789", 10, &err), HOIST_OK);
  assert_int_equal(b.size, 1000);
  assert_int_equal(buf_append(&b, "x", 1, &err), HOIST_CORRUPT);
  assert_int_equal(b.size, 1000);
  assert_int_equal(strlen(buf_str(&b)), 1000);
  buf_done(&b);
}

static void test_a_buffer_refuses_sizes_that_overflow(void **state) {
  struct buf b = buf_make(SIZE_MAX);
  b.size = 16;
  assert_int_equal(buf_append(&b, "x", SIZE_MAX - 8, NULL), HOIST_CORRUPT);
  b.size = 0;
  buf_done(&b);
}

static void test_an_empty_buffer_is_an_empty_string(void **state) {
  struct buf b = buf_make(10);
  assert_string_equal(buf_str(&b), "");
  char *taken = buf_take(&b);
  assert_string_equal(taken, "");
  free(taken);
}

static void test_formatted_text_is_appended_whole_or_not_at_all(void **state) {
  struct buf b = buf_make(8);
  assert_int_equal(buf_printf(&b, NULL, "%d-%s", 12, "abc"), HOIST_OK);
  assert_int_equal(buf_printf(&b, NULL, "%s", "too long"), HOIST_CORRUPT);
  assert_string_equal(buf_str(&b), "12-abc");
  buf_clear(&b);
  assert_string_equal(buf_str(&b), "");
  buf_done(&b);
}

/* ---- text ---- */

static void test_numbers_are_whole_or_refused(void **state) {
  static const struct {
    const char *text;
    int ok;
    uint64_t value;
  } cases[] = {{"0", 1, 0},
               {"42", 1, 42},
               {"18446744073709551615", 1, UINT64_MAX},
               {"18446744073709551616", 0, 0},
               {"", 0, 0},
               {"-1", 0, 0},
               {"1 ", 0, 0},
               {" 1", 0, 0},
               {"0x10", 0, 0},
               {"1e3", 0, 0},
               {"99999999999999999999", 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t value = 7;
    assert_int_equal(parse_u64(cases[i].text, &value), cases[i].ok);
    assert_int_equal(value, cases[i].ok ? cases[i].value : 7);
  }
  assert_false(parse_u64(NULL, &(uint64_t){0}));
}

static void test_urls_are_encoded_as_rfc_3986_says(void **state) {
  static const struct {
    const char *text, *whole, *path, *form;
  } cases[] = {
      {"abc-._~", "abc-._~", "abc-._~", "abc-._~"},
      {"a/b c", "a%2Fb%20c", "a/b%20c", "a%2Fb+c"},
      {"+%=&", "%2B%25%3D%26", "%2B%25%3D%26", "%2B%25%3D%26"},
      {"\xc3\xa9", "%C3%A9", "%C3%A9", "%C3%A9"},
      {"", "", "", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *whole = url_encode(cases[i].text, false), *path = url_encode(cases[i].text, true),
         *form = url_encode_form(cases[i].text);
    assert_string_equal(whole, cases[i].whole);
    assert_string_equal(path, cases[i].path);
    assert_string_equal(form, cases[i].form);
    free(whole);
    free(path);
    free(form);
  }
}

static void test_utf8_is_told_from_what_looks_like_it(void **state) {
  static const struct {
    const char *text;
    int valid;
  } cases[] = {{"", 1},
               {"plain", 1},
               {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 1},
               {"\xc0\x80", 0},         /* overlong NUL */
               {"\xe0\x80\x80", 0},     /* overlong */
               {"\xed\xa0\x80", 0},     /* surrogate */
               {"\xf4\x90\x80\x80", 0}, /* past U+10FFFF */
               {"\xc3", 0},             /* cut */
               {"\x80", 0},             /* stray continuation */
               {"\xff", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(utf8_valid(cases[i].text, strlen(cases[i].text)), cases[i].valid);
}

static void test_text_is_never_cut_inside_a_character(void **state) {
  const char *text = "a\xe2\x82\xac";
  assert_int_equal(utf8_prefix(text, 4, 4), 4);
  assert_int_equal(utf8_prefix(text, 4, 3), 1);
  assert_int_equal(utf8_prefix(text, 4, 2), 1);
  assert_int_equal(utf8_prefix(text, 4, 1), 1);
  assert_int_equal(utf8_prefix(text, 4, 0), 0);
}

static void test_blanks_at_both_ends_are_trimmed(void **state) {
  static const struct {
    const char *text, *trimmed;
  } cases[] = {{"", ""},      {" ", ""},          {"\t \t", ""}, {"a", "a"},
               {" a\t", "a"}, {"\t a b ", "a b"}, {"a\n", "a\n"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char copy[16];
    size_t size = strlen(cases[i].text);
    const char *at = text_trim(cases[i].text, &size);
    assert_int_equal(size, strlen(cases[i].trimmed));
    assert_memory_equal(at, cases[i].trimmed, size);
    memcpy(copy, cases[i].text, strlen(cases[i].text) + 1);
    assert_string_equal(text_trim_in_place(copy), cases[i].trimmed);
  }
}

static void test_bytes_that_are_no_character_are_replaced(void **state) {
  static const struct {
    const char *text, *repaired;
  } cases[] = {
      {"", ""},
      {"a\xc3\xa9", "a\xc3\xa9"},
      {"\xff", "\xef\xbf\xbd"},
      {"a\xc3", "a\xef\xbf\xbd"},
      {"\xe2\x82x", "\xef\xbf\xbd\xef\xbf\xbdx"},
      {"\xf0\x9f\x9a\x80", "\xf0\x9f\x9a\x80"},
  };
  char out[32];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t size = utf8_repair(cases[i].text, strlen(cases[i].text), out, sizeof out);
    assert_int_equal(size, strlen(cases[i].repaired));
    assert_memory_equal(out, cases[i].repaired, size);
  }
  /* What does not fit whole does not go in. */
  assert_int_equal(utf8_repair("ab\xff", 3, out, 4), 2);
  assert_int_equal(utf8_repair("ab\xc3\xa9", 4, out, 3), 2);
  assert_int_equal(utf8_repair("ab", 2, out, 0), 0);
}

static void test_hex_goes_both_ways(void **state) {
  uint8_t bytes[3] = {0};
  char text[7];
  assert_true(hex_decode("00fFa1", 6, bytes, 3));
  hex_encode(bytes, 3, text);
  assert_string_equal(text, "00ffa1");
  assert_false(hex_decode("00ff", 4, bytes, 3));
  assert_false(hex_decode("00ffg1", 6, bytes, 3));
}

static void test_copies_say_when_they_had_to_cut(void **state) {
  char out[4];
  assert_true(text_copy(out, sizeof out, "abc"));
  assert_false(text_copy(out, sizeof out, "abcd"));
  assert_string_equal(out, "abc");
}

/* ---- digests ---- */

static void test_digests_match_published_vectors(void **state) {
  static const struct {
    enum digest_kind kind;
    const char *hex; /* of "abc": RFC 1321, FIPS 180-2 */
  } cases[] = {
      {DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72"},
      {DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct digest d, parsed;
    char hex[DIGEST_HEX_SIZE];
    assert_int_equal(digest_of(cases[i].kind, "abc", 3, &d, NULL), HOIST_OK);
    digest_hex(&d, hex);
    assert_string_equal(hex, cases[i].hex);
    assert_true(digest_from_hex(cases[i].kind, hex, &parsed));
    assert_true(digest_equal(&d, &parsed));
  }
}

static void test_base64_digests_are_exact_or_refused(void **state) {
  struct digest d, md5;
  assert_int_equal(digest_of(DIGEST_MD5, "abc", 3, &md5, NULL), HOIST_OK);
  assert_true(digest_from_base64(DIGEST_MD5, "kAFQmDzST7DWlj99KOF/cg==", &d));
  assert_true(digest_equal(&d, &md5));
  static const char *const bad[] = {"", "kAFQmDzST7DWlj99KOF/cg=", "kAFQmDzST7DWlj99KOF/cgAA",
                                    "kAFQmDzST7DWlj99KOF!cg==", "kAFQmDzST7DWlj99KOF/===="};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(digest_from_base64(DIGEST_MD5, bad[i], &d));
}

static void test_digests_of_different_kinds_are_never_equal(void **state) {
  const struct digest a = {.kind = DIGEST_MD5}, b = {.kind = DIGEST_SHA256};
  assert_false(digest_equal(&a, &b));
}

/* ---- files ---- */

static char *temp_dir(void) {
  static char path[64];
  strcpy(path, "/tmp/hoist-base-XXXXXX");
  assert_non_null(mkdtemp(path));
  return path;
}

static void write_file(int dir_fd, const char *path, const char *text) {
  HOIST_AUTO(fd) int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(fs_write_all(fd, text, strlen(text), path, NULL), HOIST_OK);
  assert_int_equal(fs_sync_fd(fd, path, NULL), HOIST_OK);
}

static void test_files_are_read_whole_or_refused_over_the_cap(void **state) {
  const char *dir = temp_dir();
  HOIST_AUTO(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  write_file(fd, "f", "hello");
  HOIST_AUTO(buf) struct buf all = buf_make(5), small = buf_make(4);
  struct hoist_error err = {0};
  assert_int_equal(fs_read_file(fd, "f", &all, &err), HOIST_OK);
  assert_string_equal(buf_str(&all), "hello");
  assert_int_equal(fs_read_file(fd, "f", &small, &err), HOIST_CORRUPT);
  assert_int_equal(fs_read_file(fd, "none", &all, &err), HOIST_NOT_FOUND);
  assert_int_equal(fs_remove_tree(AT_FDCWD, dir, &err), HOIST_OK);
}

static void test_removing_a_tree_does_not_follow_links(void **state) {
  const char *dir = temp_dir();
  HOIST_AUTO(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_int_equal(fs_make_dirs(fd, "keep", NULL), HOIST_OK);
  write_file(fd, "keep/file", "x");
  assert_int_equal(fs_make_dirs(fd, "gone/a/b", NULL), HOIST_OK);
  assert_int_equal(fs_make_dirs(fd, "gone/a/b", NULL), HOIST_OK);
  assert_int_equal(symlinkat("../../keep", fd, "gone/a/link"), 0);
  assert_int_equal(fs_remove_tree(fd, "gone", NULL), HOIST_OK);
  assert_int_equal(faccessat(fd, "gone", F_OK, 0), -1);
  assert_int_equal(faccessat(fd, "keep/file", F_OK, 0), 0);
  assert_int_equal(fs_remove_tree(fd, "never-there", NULL), HOIST_OK);
  assert_int_equal(fs_remove_tree(AT_FDCWD, dir, NULL), HOIST_OK);
}

static void test_a_file_in_the_way_of_a_directory_is_an_error(void **state) {
  const char *dir = temp_dir();
  HOIST_AUTO(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  write_file(fd, "f", "x");
  struct hoist_error err = {0};
  assert_int_not_equal(fs_make_dirs(fd, "f/sub", &err), HOIST_OK);
  assert_non_null(strstr(err.message, "f"));
  assert_int_equal(fs_remove_tree(AT_FDCWD, dir, NULL), HOIST_OK);
}

/* ---- calls ---- */

static void test_a_call_is_stopped_by_cancel_sibling_or_deadline(void **state) {
  atomic_int flag = 0;
  struct hoist_error err = {0};
  struct call call = {.cancel = &flag};
  assert_int_equal(call_check(&call, "x", &err), HOIST_OK);
  flag = 1;
  assert_int_equal(call_check(&call, "reading x", &err), HOIST_CANCELLED);
  assert_string_equal(err.message, "reading x: cancelled");
  call = (struct call){.stop = &flag};
  assert_int_equal(call_check(&call, "x", &err), HOIST_CANCELLED);
  call = (struct call){.deadline_ns = 1};
  assert_int_equal(call_check(&call, "x", &err), HOIST_TIMEOUT);
  assert_int_equal(call_remaining_ms(&call, 99), 0);
  call = (struct call){0};
  assert_int_equal(call_remaining_ms(&call, 99), 99);
}

static void record_sleep(void *user, uint64_t ns) {
  *(uint64_t *)user += ns;
}

static void test_an_injected_sleep_replaces_the_real_one(void **state) {
  uint64_t slept = 0;
  const struct call call = {.sleep = record_sleep, .sleep_user = &slept};
  assert_int_equal(call_sleep(&call, 3600 * NS_PER_S, "waiting", NULL), HOIST_OK);
  assert_int_equal(slept, 3600 * NS_PER_S);
}

static void test_a_cancelled_call_does_not_sleep(void **state) {
  atomic_int flag = 1;
  const struct call call = {.cancel = &flag};
  assert_int_equal(call_sleep(&call, 3600 * NS_PER_S, "waiting", NULL), HOIST_CANCELLED);
}

static void test_numbers_are_written_as_short_as_they_read_back(void **state) {
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"},
               {-0.5, "-0.5"},
               {0.1, "0.1"},
               {1e300, "1e+300"},
               {5e-324, "4.94065645841247e-324"},
               {1.0 / 3, "0.3333333333333333"},
               {0.1 + 0.2, "0.30000000000000004"},
               {123456789012345, "123456789012345"},
               {-1.5e-7, "-1.5e-07"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[TEXT_DOUBLE_SIZE];
    text_double(cases[i].value, text);
    assert_string_equal(text, cases[i].text);
    assert_true(strtod(text, NULL) == cases[i].value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blanks_at_both_ends_are_trimmed),
      cmocka_unit_test(test_numbers_are_written_as_short_as_they_read_back),
      cmocka_unit_test(test_a_failure_fills_the_record_and_returns_its_status),
      cmocka_unit_test(test_failing_with_ok_is_a_defect),
      cmocka_unit_test(test_control_bytes_cannot_start_a_second_line),
      cmocka_unit_test(test_long_messages_are_cut_and_say_so),
      cmocka_unit_test(test_errno_decides_the_status),
      cmocka_unit_test(test_a_next_step_is_put_behind_a_message_that_has_none),
      cmocka_unit_test(test_context_is_prepended_and_codes_stay),
      cmocka_unit_test(test_every_status_has_its_own_name),
      cmocka_unit_test(test_a_buffer_grows_up_to_its_cap_and_no_further),
      cmocka_unit_test(test_a_buffer_refuses_sizes_that_overflow),
      cmocka_unit_test(test_an_empty_buffer_is_an_empty_string),
      cmocka_unit_test(test_formatted_text_is_appended_whole_or_not_at_all),
      cmocka_unit_test(test_numbers_are_whole_or_refused),
      cmocka_unit_test(test_urls_are_encoded_as_rfc_3986_says),
      cmocka_unit_test(test_utf8_is_told_from_what_looks_like_it),
      cmocka_unit_test(test_bytes_that_are_no_character_are_replaced),
      cmocka_unit_test(test_text_is_never_cut_inside_a_character),
      cmocka_unit_test(test_hex_goes_both_ways),
      cmocka_unit_test(test_copies_say_when_they_had_to_cut),
      cmocka_unit_test(test_digests_match_published_vectors),
      cmocka_unit_test(test_base64_digests_are_exact_or_refused),
      cmocka_unit_test(test_digests_of_different_kinds_are_never_equal),
      cmocka_unit_test(test_files_are_read_whole_or_refused_over_the_cap),
      cmocka_unit_test(test_removing_a_tree_does_not_follow_links),
      cmocka_unit_test(test_a_file_in_the_way_of_a_directory_is_an_error),
      cmocka_unit_test(test_a_call_is_stopped_by_cancel_sibling_or_deadline),
      cmocka_unit_test(test_an_injected_sleep_replaces_the_real_one),
      cmocka_unit_test(test_a_cancelled_call_does_not_sleep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
