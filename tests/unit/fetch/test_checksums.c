/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of one file in one pass: of the whole file, and composites of the digests of its parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checksums.h"

#define DATA "The quick brown fox jumps over the lazy dog"
#define SIZE (sizeof DATA - 1)

static const enum digest_kind all_kinds[] = {DIGEST_CRC32, DIGEST_CRC32C, DIGEST_CRC64NVME,
                                             DIGEST_MD5,   DIGEST_SHA1,   DIGEST_SHA256};
enum { KINDS = sizeof all_kinds / sizeof *all_kinds };

/* The digest of the digests, the slow way. */
static struct promise composite(enum digest_kind kind, size_t part) {
  struct promise p = {.part_bytes = (int64_t)part};
  uint8_t all[SIZE * DIGEST_MAX_BYTES];
  size_t used = 0;
  for (size_t at = 0; at < SIZE; at += part) {
    struct digest d;
    size_t n = at + part < SIZE ? part : SIZE - at;
    assert_int_equal(digest_of(kind, DATA + at, n, &d, NULL), HOIST_OK);
    memcpy(all + used, d.bytes, digest_kind_size(kind));
    used += digest_kind_size(kind);
  }
  assert_int_equal(digest_of(kind, all, used, &p.digest, NULL), HOIST_OK);
  return p;
}

static enum hoist_status run(const struct promise *promise, const char *data, size_t step,
                             struct hoist_error *err) {
  struct checksums c = {0};
  struct digest sha256, wanted;
  assert_int_equal(checksums_restart(&c, promise, NULL), HOIST_OK);
  for (size_t at = 0; at < SIZE; at += step)
    assert_int_equal(checksums_update(&c, data + at, at + step < SIZE ? step : SIZE - at, NULL),
                     HOIST_OK);
  enum hoist_status status = checksums_finish(&c, "w.onnx", &sha256, err);
  if (status == HOIST_OK) {
    assert_int_equal(digest_of(DIGEST_SHA256, data, SIZE, &wanted, NULL), HOIST_OK);
    assert_true(digest_equal(&sha256, &wanted));
  }
  checksums_done(&c);
  return status;
}

static void test_a_composite_is_verified_whatever_the_pieces(void **state) {
  (void)state;
  static const size_t parts[] = {1, 5, 8, SIZE - 1, SIZE, SIZE + 1};
  for (size_t k = 0; k < KINDS; k++)
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
      for (size_t step = 1; step <= SIZE; step += 3) {
        const struct promise promise = composite(all_kinds[k], parts[p]);
        assert_int_equal(run(&promise, DATA, step, NULL), HOIST_OK);
      }
}

static void test_one_wrong_byte_breaks_any_promise(void **state) {
  (void)state;
  for (size_t k = 0; k < KINDS; k++) {
    char data[] = DATA;
    struct hoist_error err = {0};
    struct promise promise = composite(all_kinds[k], 8);
    data[20] ^= 1;
    assert_int_equal(run(&promise, data, 7, &err), HOIST_CORRUPT);
    assert_non_null(strstr(err.message, "w.onnx: the composite "));
    assert_int_equal(digest_of(all_kinds[k], DATA, SIZE, &promise.digest, NULL), HOIST_OK);
    promise.part_bytes = 0;
    assert_int_equal(run(&promise, DATA, 7, NULL), HOIST_OK);
    assert_int_equal(run(&promise, data, 7, &err), HOIST_CORRUPT);
    assert_null(strstr(err.message, "composite"));
  }
}

static void test_it_may_begin_again_in_the_middle(void **state) {
  (void)state;
  struct checksums c = {0};
  struct digest sha256;
  const struct promise promise = composite(DIGEST_CRC32C, 8);
  assert_int_equal(checksums_restart(&c, &promise, NULL), HOIST_OK);
  assert_int_equal(checksums_update(&c, DATA, 13, NULL), HOIST_OK);
  assert_int_equal(checksums_restart(&c, &c.promise, NULL), HOIST_OK);
  assert_int_equal(checksums_update(&c, DATA, SIZE, NULL), HOIST_OK);
  assert_int_equal(checksums_finish(&c, "w.onnx", &sha256, NULL), HOIST_OK);
  checksums_done(&c);
}

static void test_the_better_promise_is_the_one_kept(void **state) {
  (void)state;
  static const struct {
    enum digest_kind manifest, response, chosen;
  } cases[] = {
      {DIGEST_NONE, DIGEST_CRC32, DIGEST_CRC32},     {DIGEST_MD5, DIGEST_NONE, DIGEST_MD5},
      {DIGEST_MD5, DIGEST_CRC64NVME, DIGEST_MD5},    {DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA256},
      {DIGEST_SHA256, DIGEST_SHA256, DIGEST_SHA256}, {DIGEST_NONE, DIGEST_NONE, DIGEST_NONE},
      {DIGEST_CRC32C, DIGEST_CRC32, DIGEST_CRC32C},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct digest manifest = {.kind = cases[i].manifest, .bytes = {1}};
    const struct promise response = {{.kind = cases[i].response, .bytes = {2}}, 4};
    struct promise chosen = checksums_choose(&manifest, &response);
    assert_int_equal(chosen.digest.kind, cases[i].chosen);
    bool is_manifests = manifest.kind != DIGEST_NONE && manifest.kind >= response.digest.kind;
    assert_int_equal(chosen.digest.bytes[0], is_manifests ? 1 : 2);
    assert_int_equal(chosen.part_bytes, is_manifests ? 0 : 4);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_composite_is_verified_whatever_the_pieces),
      cmocka_unit_test(test_one_wrong_byte_breaks_any_promise),
      cmocka_unit_test(test_it_may_begin_again_in_the_middle),
      cmocka_unit_test(test_the_better_promise_is_the_one_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
