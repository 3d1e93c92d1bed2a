/* SPDX-License-Identifier: Apache-2.0 */
/* One load in trouble. Each of hoist's allocations fails in turn, from hoist_open to the session: every
 * failure must be told, leave nothing in memory (the sanitized run sees to that) and nothing broken on
 * disk; the allocations of shared libraries are not touched. A file is swapped between verification
 * and session. A forked child uses its parent's object. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist/hoist.h>

#include "fail_alloc.h"
#include "fs.h"
#include "onnx_writer.h"

#define MOST_ALLOCATIONS 5000

struct world {
  char dir[64];
  char cache[80], sources[96];
  struct hoist_config config;
};

static void write_file(const struct world *w, const char *name, const void *data, size_t size) {
  char path[160];
  snprintf(path, sizeof path, "%s/models/tiny/1/%s", w->dir, name);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(fs_write_all(fd, data, size, path, NULL), HOIST_OK);
}

static int set_up(void **state) {
  static const char environment[] =
      "{\"PREPROCESSING\": {\"resize\": {\"enabled\": true, \"format\": "
      "\"Stretch to\", \"width\": 4, \"height\": 4}}, "
      "\"COLORS\": {\"a\": \"#00ff00\"}}";
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->dir, "/tmp/hoist-alloc-XXXXXX");
  assert_non_null(mkdtemp(w->dir));
  snprintf(w->cache, sizeof w->cache, "%s/cache", w->dir);
  snprintf(w->sources, sizeof w->sources, "dir:%s/models", w->dir);
  char models[96];
  snprintf(models, sizeof models, "%s/models/tiny/1", w->dir);
  assert_int_equal(fs_make_dirs(AT_FDCWD, models, NULL), HOIST_OK);
  HOIST_AUTO(buf) struct buf model = buf_make(1 << 20);
  const struct onnx_spec spec = {.dims = {{4, NULL}}, .dim_count = 1};
  onnx_write(&spec, &model);
  write_file(w, "weights.onnx", buf_str(&model), model.size);
  write_file(w, "environment.json", environment, sizeof environment - 1);
  write_file(w, "class_names.txt", "a\nb\n", 4);
  hoist_config_init(&w->config);
  w->config.cache_dir = w->cache;
  w->config.sources = w->sources;
  w->config.connections =
      1; /* everything on this thread, so that the count is nearly the same each time */
  w->config.graph_cache = "off";
  w->config.onnxruntime = getenv("HOIST_ONNXRUNTIME");
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->dir, NULL), HOIST_OK);
  free(w);
  return 0;
}

static enum hoist_status load_once(const struct world *w, struct hoist_error *err) {
  struct hoist *hoist = NULL;
  struct hoist_model *model = NULL;
  enum hoist_status status = hoist_open(&w->config, &hoist, err);
  if (status == HOIST_OK) status = hoist_load(hoist, "tiny/1", NULL, &model, err);
  if (status == HOIST_OK) assert_int_equal(hoist_model_info(model)->input_count, 1);
  hoist_model_unref(model);
  hoist_close(hoist);
  return status;
}

/* Nothing, or the whole model: whatever failed. */
static void check_cache(const struct world *w) {
  struct hoist *hoist = NULL;
  assert_int_equal(hoist_open(&w->config, &hoist, NULL), HOIST_OK);
  enum hoist_status status = hoist_verify(hoist, "tiny/1", NULL, NULL, NULL);
  assert_true(status == HOIST_OK || status == HOIST_NOT_FOUND);
  hoist_close(hoist);
}

static void fail_each_allocation(const struct world *w, int from_cache) {
  struct hoist_error err;
  for (long n = 1; n < MOST_ALLOCATIONS; n++) {
    if (!from_cache) assert_int_equal(fs_remove_tree(AT_FDCWD, w->cache, NULL), HOIST_OK);
    err = (struct hoist_error){0};
    fail_alloc_at(n);
    enum hoist_status status = load_once(w, &err);
    int happened = fail_alloc_happened();
    fail_alloc_at(0);
    check_cache(w);
    if (!happened) {
      assert_int_equal(status, HOIST_OK);
      assert_true(n > 20); /* or nothing was wrapped */
      print_message("# %ld allocations\n", n - 1);
      return;
    }
    if (status != HOIST_OK && (status != HOIST_NO_MEMORY || err.message[0] == '\0'))
      fail_msg("allocation %ld: %s: %s", n, hoist_status_name(status), err.message);
  }
  fail_msg("still failing after %d allocations", MOST_ALLOCATIONS);
}

static void test_a_load_from_a_source_survives_each_failed_allocation(void **state) {
  fail_each_allocation(*state, 0);
}

static void test_a_load_from_the_cache_survives_each_failed_allocation(void **state) {
  const struct world *w = *state;
  assert_int_equal(load_once(w, NULL), HOIST_OK);
  fail_each_allocation(w, 1);
}

/* Whatever fails while a graph is looked for, or saved, the load does not; there may be one or none. */
static void test_a_load_that_saves_its_graph_survives_each_failed_allocation(void **state) {
  struct world *w = *state;
  assert_int_equal(load_once(w, NULL), HOIST_OK);
  w->config.graph_cache = "before_returning";
  fail_each_allocation(w, 1);
}

struct swap {
  const struct world *world;
  int done;
};

/* What a program does that shares the directory and knows nothing of hoist's locks. */
static void swap_weights(void *user, const struct hoist_progress *event) {
  struct swap *swap = user;
  if (event->kind != HOIST_PROGRESS_SESSION) return;
  char path[160];
  snprintf(path, sizeof path, "%s/tiny/1/weights.onnx", swap->world->cache);
  HOIST_AUTO(buf) struct buf other = buf_make(1 << 20);
  const struct onnx_spec spec = {.op = "Neg", .dims = {{4, NULL}}, .dim_count = 1};
  onnx_write(&spec, &other);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(fs_write_all(fd, buf_str(&other), other.size, path, NULL), HOIST_OK);
  swap->done = 1;
}

static void test_a_model_changed_after_its_verification_is_not_handed_out(void **state) {
  const struct world *w = *state;
  struct swap swap = {.world = w};
  const struct hoist_call_options options = {.progress = swap_weights, .progress_user = &swap};
  struct hoist *hoist = NULL;
  struct hoist_model *model = NULL;
  struct hoist_error err = {0};
  assert_int_equal(load_once(w, NULL), HOIST_OK);
  assert_int_equal(hoist_open(&w->config, &hoist, &err), HOIST_OK);
  assert_int_equal(hoist_load(hoist, "tiny/1", &options, &model, &err), HOIST_CORRUPT);
  assert_true(swap.done);
  assert_null(model);
  assert_non_null(strstr(err.message, "weights.onnx"));
  assert_int_equal(hoist_load(hoist, "tiny/1", NULL, &model, &err), HOIST_OK); /* fetched again */
  hoist_model_unref(model);
  hoist_close(hoist);
}

static void test_a_forked_child_is_told_to_open_its_own(void **state) {
  const struct world *w = *state;
  struct hoist *hoist = NULL;
  assert_int_equal(hoist_open(&w->config, &hoist, NULL), HOIST_OK);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct hoist_error err = {0};
    enum hoist_status status = hoist_pull(hoist, "tiny/1", NULL, NULL, &err);
    _exit(status == HOIST_INVALID && strstr(err.message, "fork") ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(hoist_pull(hoist, "tiny/1", NULL, NULL, NULL), HOIST_OK);
  hoist_close(hoist);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_load_from_a_source_survives_each_failed_allocation,
                                      set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_load_from_the_cache_survives_each_failed_allocation,
                                      set_up, tear_down),
      cmocka_unit_test_setup_teardown(
          test_a_load_that_saves_its_graph_survives_each_failed_allocation, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_model_changed_after_its_verification_is_not_handed_out,
                                      set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_forked_child_is_told_to_open_its_own, set_up,
                                      tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
