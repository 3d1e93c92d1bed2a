/* SPDX-License-Identifier: Apache-2.0 */
/* The cyclic redundancy checks against published values, in any pieces, by tables and by instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crc.h"
#include "digest.h"

#define NINE "123456789"

static void assert_crc(enum digest_kind kind, const void *data, size_t size, const char *hex) {
  struct digest d, wanted;
  assert_int_equal(digest_of(kind, data, size, &d, NULL), HOIST_OK);
  assert_true(digest_from_hex(kind, hex, &wanted));
  if (!digest_equal(&d, &wanted)) {
    char got[DIGEST_HEX_SIZE];
    digest_hex(&d, got);
    fail_msg("%s of %zu bytes is %s, not %s", digest_kind_name(kind), size, got, hex);
  }
}

/* The catalogue of parametrised CRC algorithms has one check value for each. */
static void test_check_values(void **state) {
  (void)state;
  assert_crc(DIGEST_CRC32, NINE, 9, "cbf43926");
  assert_crc(DIGEST_CRC32C, NINE, 9, "e3069283");
  assert_crc(DIGEST_CRC64NVME, NINE, 9, "ae8b14860a799888");
  assert_crc(DIGEST_CRC32, NULL, 0, "00000000");
  assert_crc(DIGEST_CRC32C, NULL, 0, "00000000");
  assert_crc(DIGEST_CRC64NVME, NULL, 0, "0000000000000000");
}

/* RFC 3720, B.4; the NVM command set specification has the same patterns in blocks of 4096 bytes. */
static void test_patterns_of_the_specifications(void **state) {
  (void)state;
  enum { SMALL = 32, BLOCK = 4096 };
  unsigned char zeros[BLOCK] = {0}, ones[BLOCK], up[BLOCK], down[BLOCK];
  memset(ones, 0xff, sizeof ones);
  for (int i = 0; i < BLOCK; i++) {
    up[i] = (unsigned char)i;
    down[i] = (unsigned char)(BLOCK - 1 - i);
  }
  assert_crc(DIGEST_CRC32C, zeros, SMALL, "8a9136aa");
  assert_crc(DIGEST_CRC32C, ones, SMALL, "62a8ab43");
  assert_crc(DIGEST_CRC32C, up, SMALL, "46dd794e");
  assert_crc(DIGEST_CRC32C, down + BLOCK - SMALL, SMALL, "113fdb5c");
  assert_crc(DIGEST_CRC64NVME, zeros, BLOCK, "6482d367eb22b64e");
  assert_crc(DIGEST_CRC64NVME, ones, BLOCK, "c0ddba7302eca3ac");
  assert_crc(DIGEST_CRC64NVME, up, BLOCK, "3e729f5f6750449c");
  assert_crc(DIGEST_CRC64NVME, down, BLOCK, "9a2df64b8e9e517e");
}

static void test_pieces_come_to_the_same_as_the_whole(void **state) {
  (void)state;
  enum { SIZE = 1000 };
  unsigned char data[SIZE + 1]; /* from 1 on: at no word's beginning */
  for (int i = 0; i <= SIZE; i++)
    data[i] = (unsigned char)(i * 7919 >> 3);
  static const enum digest_kind kinds[] = {DIGEST_CRC32, DIGEST_CRC32C, DIGEST_CRC64NVME};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    struct digest whole, pieces;
    assert_int_equal(digest_of(kinds[k], data + 1, SIZE, &whole, NULL), HOIST_OK);
    for (size_t step = 1; step < 40; step++) {
      HOIST_AUTO(hasher) struct hasher *h = NULL;
      assert_int_equal(hasher_new(kinds[k], &h, NULL), HOIST_OK);
      for (size_t at = 0; at < SIZE; at += step)
        assert_int_equal(hasher_update(h, data + 1 + at, at + step < SIZE ? step : SIZE - at, NULL),
                         HOIST_OK);
      assert_int_equal(hasher_final(h, &pieces, NULL), HOIST_OK);
      assert_true(digest_equal(&whole, &pieces));
    }
  }
}

static void test_tables_and_instruction_agree(void **state) {
  (void)state;
  unsigned char data[300];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (unsigned char)(i * i);
  for (size_t from = 0; from < 9; from++)
    for (size_t size = 0; size <= sizeof data - from; size++)
      assert_int_equal(crc_32c(7, data + from, size), crc_32c_by_tables(7, data + from, size));
}

static void test_base64_of_a_check_is_its_big_endian_bytes(void **state) {
  (void)state;
  struct digest d, wanted;
  assert_true(digest_from_base64(DIGEST_CRC32, "y/Q5Jg==", &d));
  assert_int_equal(digest_of(DIGEST_CRC32, NINE, 9, &wanted, NULL), HOIST_OK);
  assert_true(digest_equal(&d, &wanted));
  assert_true(digest_from_base64(DIGEST_CRC64NVME, "rosUhgp5mIg=", &d));
  assert_int_equal(digest_of(DIGEST_CRC64NVME, NINE, 9, &wanted, NULL), HOIST_OK);
  assert_true(digest_equal(&d, &wanted));
  assert_false(digest_from_base64(DIGEST_CRC32, "y/Q5Jg==-2", &d));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_check_values),
      cmocka_unit_test(test_patterns_of_the_specifications),
      cmocka_unit_test(test_pieces_come_to_the_same_as_the_whole),
      cmocka_unit_test(test_tables_and_instruction_agree),
      cmocka_unit_test(test_base64_of_a_check_is_its_big_endian_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
