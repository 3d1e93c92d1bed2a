/* SPDX-License-Identifier: Apache-2.0 */
/* gzip there and back, and what is not gzip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gzip.h"

/* Bytes that hardly compress, the same in every run. */
static void fill(char *data, size_t size) {
  uint32_t x = 1;
  for (size_t i = 0; i < size; i++) {
    x = x * 1664525u + 1013904223u;
    data[i] = (char)(x >> 24);
  }
}

static void test_any_size_comes_back(void **state) {
  static const size_t sizes[] = {0, 1, 100, 16384, 16385, 1u << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    HOIST_AUTO(buf) struct buf packed = buf_make(2u << 20);
    HOIST_AUTO(buf) struct buf back = buf_make(2u << 20);
    HOIST_AUTO(mem) char *data = malloc(sizes[i] + 1);
    struct hoist_error err;
    assert_non_null(data);
    fill(data, sizes[i]);
    assert_int_equal(buf_append_str(&packed, "head", &err), HOIST_OK);
    assert_int_equal(gzip_append(&packed, data, sizes[i], &err), HOIST_OK);
    assert_memory_equal(packed.data, "head\x1f\x8b", 6);
    assert_int_equal(gunzip_append(&back, packed.data + 4, packed.size - 4, &err), HOIST_OK);
    assert_int_equal(back.size, sizes[i]);
    assert_memory_equal(buf_str(&back), data, sizes[i]);
  }
}

static void test_a_bomb_stops_at_the_cap(void **state) {
  HOIST_AUTO(buf) struct buf packed = buf_make(1u << 20);
  HOIST_AUTO(buf) struct buf back = buf_make(1000);
  HOIST_AUTO(mem) char *zeros = calloc(1, 1u << 20);
  struct hoist_error err;
  assert_non_null(zeros);
  assert_int_equal(gzip_append(&packed, zeros, 1u << 20, &err), HOIST_OK);
  assert_true(packed.size < 5000);
  assert_int_equal(gunzip_append(&back, packed.data, packed.size, &err), HOIST_CORRUPT);
  assert_true(back.size <= 1000);
}

static void test_what_is_not_gzip_is_corrupt(void **state) {
  HOIST_AUTO(buf) struct buf packed = buf_make(1000);
  struct hoist_error err;
  assert_int_equal(gzip_append(&packed, "some text", 9, &err), HOIST_OK);
  for (size_t size = 0; size < packed.size; size++) {
    HOIST_AUTO(buf) struct buf back = buf_make(1000);
    assert_int_equal(gunzip_append(&back, packed.data, size, &err), HOIST_CORRUPT);
  }
  packed.data[packed.size - 8] ^= 1; /* the checksum */
  HOIST_AUTO(buf) struct buf back = buf_make(1000);
  assert_int_equal(gunzip_append(&back, packed.data, packed.size, &err), HOIST_CORRUPT);
  assert_int_equal(gunzip_append(&back, "plain", 5, &err), HOIST_CORRUPT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_size_comes_back),
      cmocka_unit_test(test_a_bomb_stops_at_the_cap),
      cmocka_unit_test(test_what_is_not_gzip_is_corrupt),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
