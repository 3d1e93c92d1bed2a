/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that do not come about: broken models, and a runtime that fails. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fs.h"
#include "ort_run.h"
#include "runtime.h"
#include "session_internal.h"

static const struct call plain_call = {0};
static const struct session_options one_thread = {.intra_op_threads = 1};
static struct ort *ort;

static int open_ort(void **state) {
  ort = open_runtime(&plain_call);
  return 0;
}

static int close_ort(void **state) {
  ort_close(ort);
  return 0;
}

static void assert_refused(const char *path, enum hoist_status status, const char *part1,
                           const char *part2) {
  struct session *s = NULL;
  struct hoist_error err = {0};
  enum hoist_status got = session_open_path(&plain_call, ort, path, &one_thread, &s, &err);
  assert_null(s);
  if (got != status || !strstr(err.message, part1) || !strstr(err.message, part2))
    fail_msg("%s: %s", hoist_status_name(got), err.message);
  assert_int_equal(err.status, status);
  assert_null(strchr(err.message, '\n'));
  assert_null(strstr(err.message, "/tmp/"));
  assert_null(strstr(err.message, ".cc:"));
}

/* ---- what it makes of broken models ---- */

static void test_files_that_are_not_models_are_corrupt(void **state) {
  static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 7\n";
  static const char html[] = "<!DOCTYPE html>\n<html><body>404</body></html>\n";
  uint8_t noise[4096];
  for (size_t i = 0; i < sizeof noise; i++)
    noise[i] = (uint8_t)(i * 2654435761u >> 13);
  const struct {
    const char *name;
    const void *data;
    size_t size;
  } cases[] = {{"empty.onnx", "", 0},
               {"nul.onnx", "", 1},
               {"pointer.onnx", lfs, sizeof lfs - 1},
               {"page.onnx", html, sizeof html - 1},
               {"noise.onnx", noise, sizeof noise}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_refused(scratch_file(cases[i].name, cases[i].data, cases[i].size), HOIST_CORRUPT,
                   cases[i].name, "is not a model ONNX Runtime ");
}

static void test_a_truncated_model_is_corrupt(void **state) {
  HOIST_AUTO(buf) struct buf model = buf_make(1u << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, blazeface_path(), &model, NULL), HOIST_OK);
  static const size_t sizes[] = {1, 100, 4096, 200000, 442004};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    assert_refused(scratch_file("cut.onnx", model.data, sizes[i]), HOIST_CORRUPT,
                   "cut.onnx is not a model", "check the file at its source");
}

static void test_a_missing_file_is_not_found(void **state) {
  assert_refused(scratch_path("nowhere.onnx"), HOIST_NOT_FOUND, "nowhere.onnx cannot be opened",
                 "load the model again");
}

static void test_a_directory_is_refused(void **state) {
  assert_refused("/tmp", HOIST_CORRUPT, "tmp", "is not a model ONNX Runtime ");
}

static void test_models_the_runtime_is_too_old_for_are_unsupported(void **state) {
  static const struct {
    struct onnx_spec spec;
    const char *part;
  } cases[] = {{{.ir_version = 99}, "IR version"},
               {{.opset = 999}, "opset"},
               {{.op = "MadeUpOperator"}, "MadeUpOperator"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_refused(scratch_model("future.onnx", &cases[i].spec), HOIST_UNSUPPORTED,
                   "future.onnx needs what ONNX Runtime ", cases[i].part);
}

static void test_a_model_that_contradicts_itself_is_corrupt(void **state) {
  static const struct onnx_spec spec = {.op = "Relu", .type = 8};
  assert_refused(scratch_model("wrong.onnx", &spec), HOIST_CORRUPT, "wrong.onnx is not a model",
                 "check the file at its source");
}

static void test_one_dimension_over_the_cap_is_unsupported(void **state) {
  struct onnx_spec spec = {.dim_count = TENSOR_MAX_DIMS + 1};
  for (size_t i = 0; i < spec.dim_count; i++)
    spec.dims[i].size = 1;
  assert_refused(scratch_model("deeper.onnx", &spec), HOIST_UNSUPPORTED, "\"x\"", "17 dimensions");
}

/* ---- a runtime that fails ---- */

static struct OrtStatus *refuse(const char *text) {
  return ort_run_bind(ort->library.api.table).CreateStatus(1, text);
}

static struct OrtStatus *fail_options(struct OrtSessionOptions **options) {
  return refuse("no options");
}

static struct OrtStatus *fail_threads(struct OrtSessionOptions *options, int threads) {
  return refuse("no threads");
}

static struct OrtStatus *fail_count(const struct OrtSession *session, size_t *ret_count) {
  return refuse("no count");
}

static struct OrtStatus *huge_count(const struct OrtSession *session, size_t *ret_count) {
  *ret_count = SESSION_MAX_TENSORS + 1;
  return NULL;
}

static struct OrtStatus *fail_name(const struct OrtSession *session, size_t index,
                                   struct OrtAllocator *allocator, char **ret_name) {
  return refuse("no\nname");
}

static struct OrtStatus *fail_type(const struct OrtSession *session, size_t index,
                                   struct OrtTypeInfo **ret_type) {
  return refuse("no type");
}

static struct OrtStatus *fail_dims(const struct OrtTensorTypeAndShapeInfo *info, int64_t *dims,
                                   size_t count) {
  return refuse("no dims");
}

static struct OrtStatus *fail_memory(const struct OrtEnv *env, const char *path,
                                     const struct OrtSessionOptions *options,
                                     struct OrtSession **ret_session) {
  return refuse("Exception during initialization: std::bad_alloc");
}

static void assert_refused_by(struct ort_api failing, enum hoist_status status, const char *part) {
  const struct ort_api real = ort->library.api;
  ort->library.api = failing;
  struct session *s = NULL;
  struct hoist_error err = {0};
  enum hoist_status got =
      session_open_path(&plain_call, ort, blazeface_path(), &one_thread, &s, &err);
  ort->library.api = real;
  assert_null(s);
  if (got != status || !strstr(err.message, part))
    fail_msg("%s: %s", hoist_status_name(got), err.message);
}

static void test_whatever_the_runtime_refuses_is_an_error_and_leaves_nothing_behind(void **state) {
  struct ort_api api = ort->library.api;
  api.CreateSessionOptions = fail_options;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no options");
  api = ort->library.api;
  api.SetIntraOpNumThreads = fail_threads;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no threads");
  api = ort->library.api;
  api.CreateSession = fail_memory;
  assert_refused_by(api, HOIST_NO_MEMORY, "out of memory");
  api = ort->library.api;
  api.SessionGetInputCount = fail_count;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no count");
  api.SessionGetInputCount = huge_count;
  assert_refused_by(api, HOIST_UNSUPPORTED, "4097 inputs");
  api = ort->library.api;
  api.SessionGetOutputCount = huge_count;
  assert_refused_by(api, HOIST_UNSUPPORTED, "4097 outputs");
  api = ort->library.api;
  api.SessionGetInputName = fail_name;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no name");
  api = ort->library.api;
  api.SessionGetOutputName = fail_name;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no name");
  api = ort->library.api;
  api.SessionGetOutputTypeInfo = fail_type;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no type");
  api = ort->library.api;
  api.GetDimensions = fail_dims;
  assert_refused_by(api, HOIST_UNSUPPORTED, "no dims");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_dimension_over_the_cap_is_unsupported),
      cmocka_unit_test(test_files_that_are_not_models_are_corrupt),
      cmocka_unit_test(test_a_truncated_model_is_corrupt),
      cmocka_unit_test(test_a_missing_file_is_not_found),
      cmocka_unit_test(test_a_directory_is_refused),
      cmocka_unit_test(test_models_the_runtime_is_too_old_for_are_unsupported),
      cmocka_unit_test(test_a_model_that_contradicts_itself_is_corrupt),
      cmocka_unit_test(test_whatever_the_runtime_refuses_is_an_error_and_leaves_nothing_behind),
  };
  return cmocka_run_group_tests(tests, open_ort, close_ort);
}
