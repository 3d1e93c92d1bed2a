/* SPDX-License-Identifier: Apache-2.0 */
/* The way in from outside: a session on a model that a real cache published. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "digest.h"
#include "fs.h"
#include "runtime.h"
#include "text.h"

static const struct call plain_call = {0};
static const struct session_options one_thread = {.intra_op_threads = 1};

struct published {
  struct cache *cache;
  struct cache_entry *entry;
  struct ort *ort;
};

static void assert_ok(enum hoist_status status, const struct hoist_error *err) {
  if (status != HOIST_OK) fail_msg("%s", err->message);
}

static void stage(struct cache_txn *txn, const char *name, const struct buf *data,
                  struct manifest *m) {
  struct hoist_error err;
  struct manifest_file *file = NULL;
  HOIST_AUTO(fd) int fd = -1;
  assert_ok(cache_txn_create(txn, name, &fd, &err), &err);
  assert_ok(fs_write_all(fd, data->data, data->size, name, &err), &err);
  assert_ok(manifest_add(m, name, &file, &err), &err);
  file->size = (int64_t)data->size;
  assert_ok(digest_of(DIGEST_SHA256, data->data, data->size, &file->digest, &err), &err);
}

static int publish(void **state) {
  static struct published p;
  struct hoist_error err;
  struct model_id id;
  struct cache_lock *lock = NULL;
  struct cache_txn *txn = NULL;
  HOIST_AUTO(manifest) struct manifest m = {.source = text_dup("dir")};
  HOIST_AUTO(buf) struct buf model = buf_make(1u << 20);
  assert_ok(fs_read_file(AT_FDCWD, blazeface_path(), &model, &err), &err);
  assert_ok(cache_open(scratch_path("cache"), &p.cache, &err), &err);
  assert_ok(model_id_parse("faces/1", &id, &err), &err);
  assert_ok(cache_lock(&plain_call, p.cache, &id, &lock, &err), &err);
  assert_ok(cache_begin(&plain_call, lock, 0, &txn, &err), &err);
  stage(txn, "weights.onnx", &model, &m);
  model.size = 1000;
  stage(txn, "half.onnx", &model, &m);
  assert_ok(cache_commit(&plain_call, txn, &m, &lock, &p.entry, &err), &err);
  p.ort = open_runtime(&plain_call);
  *state = &p;
  return 0;
}

static int withdraw(void **state) {
  struct published *p = *state;
  ort_close(p->ort);
  cache_entry_release(p->entry);
  cache_close(p->cache);
  return 0;
}

static void test_a_session_opens_on_the_weights_of_a_cached_model(void **state) {
  struct published *p = *state;
  struct session *s = NULL;
  struct hoist_error err;
  assert_ok(
      session_open(&plain_call, p->ort, p->entry, "weights.onnx", NULL, &one_thread, &s, &err),
      &err);
  size_t count;
  assert_string_equal(session_inputs(s, &count)->name, "input:0");
  session_close(s);
}

static void test_a_file_the_manifest_does_not_list_is_not_opened(void **state) {
  static const char *const names[] = {"best.onnx", "", "../faces/1/weights.onnx", "/etc/passwd",
                                      "./weights.onnx"};
  struct published *p = *state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct session *s = NULL;
    struct hoist_error err;
    assert_int_equal(
        session_open(&plain_call, p->ort, p->entry, names[i], NULL, &one_thread, &s, &err),
        HOIST_NOT_FOUND);
    assert_non_null(strstr(err.message, "is not a file of model faces/1"));
    assert_null(s);
  }
}

static void test_a_verified_file_may_still_not_be_a_model(void **state) {
  struct published *p = *state;
  struct session *s = NULL;
  struct hoist_error err;
  assert_int_equal(
      session_open(&plain_call, p->ort, p->entry, "half.onnx", NULL, &one_thread, &s, &err),
      HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "half.onnx is not a model"));
  assert_null(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_session_opens_on_the_weights_of_a_cached_model),
      cmocka_unit_test(test_a_file_the_manifest_does_not_list_is_not_opened),
      cmocka_unit_test(test_a_verified_file_may_still_not_be_a_model),
  };
  return cmocka_run_group_tests(tests, publish, withdraw);
}
