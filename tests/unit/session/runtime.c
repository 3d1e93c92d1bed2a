/* SPDX-License-Identifier: Apache-2.0 */
/* A runtime and scratch files for the tests of this module. */
#include "runtime.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs.h"

struct ort *open_runtime(const struct call *call) {
  struct ort *ort = NULL;
  struct hoist_error err;
  if (ort_open(call, getenv("HOIST_ONNXRUNTIME"), &ort, &err) != HOIST_OK)
    fail_msg("%s (tools/setup run installs one; then configure the build again)", err.message);
  return ort;
}

struct ort *test_ort;

int open_test_runtime(void **state) {
  const struct call call = {0};
  test_ort = open_runtime(&call);
  return 0;
}

int close_test_runtime(void **state) {
  ort_close(test_ort);
  return 0;
}

static char scratch_dir[] = "/tmp/hoist-session-XXXXXX";

static void remove_scratch(void) {
  if (fs_remove_tree(AT_FDCWD, scratch_dir, NULL) != HOIST_OK) perror(scratch_dir);
}

const char *scratch_path(const char *name) {
  static char path[PATH_MAX];
  static int made;
  if (!made) {
    assert_non_null(mkdtemp(scratch_dir));
    atexit(remove_scratch);
    made = 1;
  }
  snprintf(path, sizeof path, "%s/%s", scratch_dir, name);
  return path;
}

const char *scratch_file(const char *name, const void *data, size_t size) {
  const char *path = scratch_path(name);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(fs_write_all(fd, data, size, name, NULL), HOIST_OK);
  return path;
}

const char *scratch_model(const char *name, const struct onnx_spec *spec) {
  HOIST_AUTO(buf) struct buf model = buf_make(1u << 16);
  onnx_write(spec, &model);
  return scratch_file(name, model.data, model.size);
}

const char *blazeface_path(void) {
  const char *path = getenv("HOIST_TEST_BLAZEFACE");
  if (!path || access(path, R_OK) != 0)
    fail_msg("%s: the tests' model is missing (tools/setup run installs it)", path);
  return path;
}
