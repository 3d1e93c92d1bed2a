/* SPDX-License-Identifier: Apache-2.0 */
/* Every release of the runtime that is installed: its phases, its saved graphs, its results. Each in a process
 * of its own, because a library stays loaded. `tools/setup check` installs two, `tools/setup runtimes` all
 * from 1.21 to 1.30. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_tracer.h"
#include "fs.h"
#include "model_run.h"
#include "onnx_writer.h"
#include "text.h"

#define MAX_RELEASES 32

static struct {
  char paths[MAX_RELEASES][512];
  size_t count;
} releases;

static void add_release(const char *path) {
  if (releases.count == MAX_RELEASES || access(path, R_OK) != 0) return;
  text_copy(releases.paths[releases.count++], sizeof releases.paths[0], path);
}

static void find_releases(void) {
  const char *dir = getenv("HOIST_TEST_RUNTIMES"), *main_one = getenv("HOIST_ONNXRUNTIME");
  if (main_one) add_release(main_one);
  DIR *listing = dir ? opendir(dir) : NULL;
  for (struct dirent *e; listing && (e = readdir(listing));) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s/libonnxruntime.so.1", dir, e->d_name);
    if (e->d_name[0] != '.') add_release(path);
  }
  if (listing) closedir(listing);
}

/* ---- in the child: an expectation that fails ends it ---- */

#define EXPECT(what)                                                                               \
  do {                                                                                             \
    if (!(what)) {                                                                                 \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                   \
      _exit(1);                                                                                    \
    }                                                                                              \
  } while (0)

static const struct session_options one_thread = {.intra_op_threads = 1};

static void check_phases(struct ort *ort, const char *model) {
  static const char *const phases[] = {"ort.model_parse", "ort.partition", "ort.graph_optimize",
                                       "ort.kernel_init", "ort.weights",   "ort.prepack"};
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span root;
  struct session *s = NULL;
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &root);
  const struct call call = {.span = &root};
  EXPECT(session_open_path(&call, ort, model, &one_thread, &s, NULL) == HOIST_OK);
  hoist_span_end(&root);
  EXPECT(tracer->span_count == 7);
  for (int i = 1; i < 7; i++) {
    EXPECT(strcmp(tracer->spans[i].name, phases[i - 1]) == 0);
    EXPECT(i == 1 || tracer->spans[i].start_ns >= tracer->spans[i - 1].end_ns);
    EXPECT(tracer->spans[i].end_ns <= tracer->spans[0].end_ns);
  }
  session_close(s);
  fake_tracer_free(tracer);
}

static void check_graph(struct ort *ort, const char *model, const char *dir, enum graph_form form) {
  const struct call call = {0};
  struct hoist_error err;
  uint64_t ns = 0;
  EXPECT(mkdir(dir, 0700) == 0);
  enum hoist_status status = session_save_graph(&call, ort, model, dir, form, &one_thread, &err);
  if (status == HOIST_UNSUPPORTED && form == GRAPH_PACKED) { /* releases that do not know it */
    printf("# %s\n", err.message);
    return;
  }
  if (status != HOIST_OK) fprintf(stderr, "%s\n", err.message);
  EXPECT(status == HOIST_OK);
  EXPECT(session_time_graph(&call, ort, dir, form, &one_thread, &ns, &err) == HOIST_OK);
  EXPECT(ns > 0);
}

static const char *write_chain(const char *scratch) {
  static char path[600];
  HOIST_AUTO(buf) struct buf model = buf_make(64u << 20);
  onnx_write_chain(2, 600, &model);
  snprintf(path, sizeof path, "%s/chain.onnx", scratch);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  EXPECT(fs_write_all(fd, model.data, model.size, path, NULL) == HOIST_OK);
  return path;
}

static void use(const char *library, const char *model, const char *scratch) {
  const struct call call = {0};
  struct ort *ort = NULL;
  struct hoist_error err;
  char mapped[600], packed[600];
  if (ort_open(&call, library, &ort, &err) != HOIST_OK) {
    fprintf(stderr, "%s\n", err.message);
    _exit(1);
  }
  snprintf(mapped, sizeof mapped, "%s/mapped-%s", scratch, ort_version(ort));
  snprintf(packed, sizeof packed, "%s/packed-%s", scratch, ort_version(ort));
  check_phases(ort, model);
  check_graph(ort, model, mapped, GRAPH_MAPPED);
  check_graph(ort, write_chain(scratch), packed, GRAPH_PACKED);
  printf("# %s\n", ort_version(ort));
  fflush(stdout);
  ort_close(ort);
  _exit(0);
}

static void test_every_installed_release_has_its_phases_and_saves_graphs(void **state) {
  char scratch[] = "/tmp/hoist-releases-XXXXXX";
  assert_non_null(mkdtemp(scratch));
  for (size_t i = 0; i < releases.count; i++) {
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) use(releases.paths[i], getenv("HOIST_TEST_BLAZEFACE"), scratch);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s", releases.paths[i]);
  }
  assert_int_equal(fs_remove_tree(AT_FDCWD, scratch, NULL), HOIST_OK);
}

static void test_there_is_more_than_one_release_to_test_with(void **state) {
#if defined(__x86_64__)
  assert_true(releases.count >= 2 || !getenv("HOIST_ONNXRUNTIME"));
#else
  assert_true(releases.count >= 1 || !getenv("HOIST_ONNXRUNTIME"));
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_there_is_more_than_one_release_to_test_with),
      cmocka_unit_test(test_every_installed_release_has_its_phases_and_saves_graphs),
  };
  find_releases();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
