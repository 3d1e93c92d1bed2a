/* SPDX-License-Identifier: Apache-2.0 */
/* Saved graphs compute what the model computes: bit for bit, on every model of the tests, in both forms, with
 * one thread and with several. Their name changes with all that they depend on. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpu.h"
#include "fs.h"
#include "model_run.h"
#include "runtime.h"

#define MAX_OUTPUT (64u << 20)

static const struct call plain_call = {0};
static const struct session_options one_thread = {.intra_op_threads = 1};
static const struct {
  const char *name;
  struct model_dims dims;
} models[] = {
    {"blazeface", {{0}}},     {"silero", {{1, 512, 1}}},     {"ppocr_det", {{1, 96, 160}}},
    {"ppocr_rec", {{1, 96}}}, {"ppocr_cls", {{1, 48, 192}}}, {"mlsd", {{0}}},
};

static const char *model_path(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s.onnx", getenv("HOIST_TEST_MODELS"), name);
  if (access(path, R_OK) != 0) fail_msg("%s is missing (tools/setup check installs it)", path);
  return path;
}

static const char *fresh_dir(void) {
  static int count;
  char name[32];
  snprintf(name, sizeof name, "graph-%d", count++);
  const char *path = scratch_path(name);
  assert_int_equal(mkdir(path, 0700), 0);
  return path;
}

static struct session *open_graph(const char *dir, enum graph_form form,
                                  const struct session_options *options) {
  char path[600];
  struct session_model model = {.is_optimized = 1};
  struct session *s = NULL;
  struct hoist_error err;
  snprintf(path, sizeof path, "%s/%s", dir,
           form == GRAPH_MAPPED ? GRAPH_MAPPED_FILE : GRAPH_PACKED_FILE);
  if (form == GRAPH_MAPPED) {
    HOIST_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    model.map_size = (size_t)st.st_size;
    model.map = mmap(NULL, model.map_size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(model.map != MAP_FAILED);
  } else {
    model.path = path;
  }
  if (session_create(&plain_call, test_ort, &model, options, &s, &err) != HOIST_OK)
    fail_msg("%s", err.message);
  return s;
}

static void assert_same(const struct session *a, const struct session *b,
                        const struct model_dims *dims, const char *name) {
  for (unsigned seed = 1; seed <= 2; seed++) {
    HOIST_AUTO(buf) struct buf x = buf_make(MAX_OUTPUT), y = buf_make(MAX_OUTPUT);
    model_run(a, dims, seed, &x);
    model_run(b, dims, seed, &y);
    assert_true(x.size > 0);
    assert_int_equal(x.size, y.size);
    if (memcmp(x.data, y.data, x.size) != 0)
      fail_msg("%s: the saved graph computes something else", name);
    buf_done(&y);
  }
}

static void compare_saved(const char *path, const char *name, const struct model_dims *dims,
                          const char *dir, enum graph_form form) {
  static const struct session_options several = {.intra_op_threads = 2};
  const struct session_options *each[] = {&one_thread, &several};
  for (size_t i = 0; i < 2; i++) {
    struct session *plain = NULL;
    assert_int_equal(session_open_path(&plain_call, test_ort, path, each[i], &plain, NULL),
                     HOIST_OK);
    struct session *saved = open_graph(dir, form, each[i]);
    assert_same(plain, saved, dims, name);
    session_close(saved);
    session_close(plain);
  }
}

/* Returns whether the model can be saved in that form. */
static bool check_form(const char *path, const char *name, const struct model_dims *dims,
                       enum graph_form form) {
  struct hoist_error err;
  char kept[512];
  snprintf(kept, sizeof kept, "%s", fresh_dir());
  enum hoist_status status =
      session_save_graph(&plain_call, test_ort, path, kept, form, &one_thread, &err);
  if (status == HOIST_OK) compare_saved(path, name, dims, kept, form);
  if (status != HOIST_OK && status != HOIST_UNSUPPORTED && status != HOIST_CORRUPT)
    fail_msg("%s", err.message);
  return status == HOIST_OK;
}

static void test_a_mapped_graph_computes_what_the_model_does(void **state) {
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
    assert_true(
        check_form(model_path(models[i].name), models[i].name, &models[i].dims, GRAPH_MAPPED));
}

/* What has no large weights, or weights that the runtime would place badly, is not packed. */
static void test_a_packed_graph_computes_what_the_model_does(void **state) {
  for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
    check_form(model_path(models[i].name), models[i].name, &models[i].dims, GRAPH_PACKED);
  static const unsigned dims[] = {520, 600, 777};
  for (size_t i = 0; i < 3; i++) {
    HOIST_AUTO(buf) struct buf model = buf_make(64u << 20);
    onnx_write_chain(3, dims[i], &model);
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_file("chain.onnx", model.data, model.size));
    assert_true(check_form(path, "chain", NULL, GRAPH_PACKED));
    assert_true(check_form(path, "chain", NULL, GRAPH_MAPPED));
  }
}

static void test_packed_weights_at_odd_addresses_are_not_used(void **state) {
#define ENTRY(key, size, value) "\x0a\x0b" key "\x12" size value
  static const struct {
    const char *content;
    bool is_sound;
  } cases[] = {
      {"", false}, /* nothing is packed */
      {"some model without any", false},
      {ENTRY("prepacked_0", "\x0c", "K+1|4096;9;0"), true},
      {ENTRY("prepacked_0", "\x0c", "K+1|4100;9;0"), false},
      {ENTRY("prepacked_0", "\x16", "K+1|64;9;0|4100;9;0xxx"), false},
      {ENTRY("prepacked_0", "\x13", "K+1|64;9;0|128;9;0"), true},
      {ENTRY("prepacked_0", "\x0c", "K+1|4096;9;0") ENTRY("prepacked_1", "\x0a", "K+2|7;9;0 "),
       false},
      {ENTRY("prepacked_0", "\x0c", "K+1|4096;9;0") ENTRY("prepacked_1", "\x0a", "K+2|0;9;0 "),
       true},
      {ENTRY("prepacked_0", "\x7f", "K+1|4096;9;0"), false}, /* longer than there is */
      {ENTRY("prepacked_0", "\x03", "K+1|4096;9;0"), false}, /* no offset in it */
      {"a node called prepacked_twice", false},
      {"prepacked_", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char dir[512], file[600];
    snprintf(dir, sizeof dir, "%s", fresh_dir());
    snprintf(file, sizeof file, "%s/" GRAPH_PACKED_FILE, dir);
    HOIST_AUTO(fd) int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fs_write_all(fd, cases[i].content, strlen(cases[i].content) + 1, file, NULL),
                     HOIST_OK);
    struct hoist_error err;
    enum hoist_status status = session_check_packed(dir, &err);
    if ((status == HOIST_OK) != cases[i].is_sound) fail_msg("case %zu: %s", i, err.message);
    if (status != HOIST_OK) assert_int_equal(status, HOIST_UNSUPPORTED);
  }
}

static void test_a_session_runs_on_after_its_mapped_file_is_gone(void **state) {
  char kept[512], file[600];
  struct hoist_error err;
  snprintf(kept, sizeof kept, "%s", fresh_dir());
  snprintf(file, sizeof file, "%s/" GRAPH_MAPPED_FILE, kept);
  const char *path = model_path("mlsd");
  assert_int_equal(
      session_save_graph(&plain_call, test_ort, path, kept, GRAPH_MAPPED, &one_thread, &err),
      HOIST_OK);
  struct session *saved = open_graph(kept, GRAPH_MAPPED, &one_thread), *plain = NULL;
  assert_int_equal(unlink(file), 0);
  assert_int_equal(session_open_path(&plain_call, test_ort, path, &one_thread, &plain, &err),
                   HOIST_OK);
  assert_same(plain, saved, NULL, "mlsd");
  session_close(saved);
  session_close(plain);
}

static void test_a_damaged_graph_is_an_error_and_no_crash(void **state) {
  HOIST_AUTO(buf) struct buf graph = buf_make(16u << 20);
  char kept[512], file[600];
  struct hoist_error err;
  snprintf(kept, sizeof kept, "%s", fresh_dir());
  snprintf(file, sizeof file, "%s/" GRAPH_MAPPED_FILE, kept);
  assert_int_equal(session_save_graph(&plain_call, test_ort, model_path("blazeface"), kept,
                                      GRAPH_MAPPED, &one_thread, &err),
                   HOIST_OK);
  assert_int_equal(fs_read_file(AT_FDCWD, file, &graph, NULL), HOIST_OK);
  assert_int_equal(truncate(file, (off_t)(graph.size / 2)), 0);
  uint64_t ns = 0;
  assert_int_not_equal(
      session_time_graph(&plain_call, test_ort, kept, GRAPH_MAPPED, &one_thread, &ns, &err),
      HOIST_OK);
  assert_true(err.message[0] != '\0');
  assert_int_equal(ns, 0);
}

static void test_the_key_of_a_graph_names_all_that_it_depends_on(void **state) {
  static const struct session_options options[] = {
      {0},
      {.providers = "CPU"},
      {.config = "session.enable_quant_qdq=0"},
      {.custom_ops = "/lib/ops.so"},
  };
  char keys[8][DIGEST_HEX_SIZE];
  size_t count = 0;
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(session_graph_key(test_ort, &options[i], "one", keys[count++], NULL),
                     HOIST_OK);
  assert_int_equal(session_graph_key(test_ort, &options[0], "two", keys[count++], NULL), HOIST_OK);
  struct ort other = *test_ort;
  other.library.version = (char[]){"1.99.0"};
  assert_int_equal(session_graph_key(&other, &options[0], "one", keys[count++], NULL), HOIST_OK);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(keys[i], keys[j]);
  /* Threads do not shape a graph. */
  assert_int_equal(session_graph_key(test_ort, &one_thread, "one", keys[count], NULL), HOIST_OK);
  assert_string_equal(keys[count], keys[0]);
}

static void test_the_processor_has_an_identity_that_does_not_change(void **state) {
  assert_int_equal(strlen(cpu_identity()), 64);
  assert_ptr_equal(cpu_identity(), cpu_identity());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_mapped_graph_computes_what_the_model_does),
      cmocka_unit_test(test_a_packed_graph_computes_what_the_model_does),
      cmocka_unit_test(test_packed_weights_at_odd_addresses_are_not_used),
      cmocka_unit_test(test_a_session_runs_on_after_its_mapped_file_is_gone),
      cmocka_unit_test(test_a_damaged_graph_is_an_error_and_no_crash),
      cmocka_unit_test(test_the_key_of_a_graph_names_all_that_it_depends_on),
      cmocka_unit_test(test_the_processor_has_an_identity_that_does_not_change),
  };
  return cmocka_run_group_tests(tests, open_test_runtime, close_test_runtime);
}
