/* SPDX-License-Identifier: Apache-2.0 */
/* The file of Prometheus text: whole or not there, and trouble with it is a warning. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hoist/telemetry.h>

#include "buf.h"
#include "fs.h"

#define PLENTY_MS 20000

static const struct hoist_instrument counter = {
    .name = "c", .description = "Things.", .kind = HOIST_COUNTER};

struct fixture {
  char directory[64], path[96];
  int warnings;
  char last_warning[500];
};

static void on_warning(void *user, const char *line) {
  struct fixture *f = user;
  snprintf(f->last_warning, sizeof f->last_warning, "%s", line);
  f->warnings++;
}

static int set_up(void **state) {
  static struct fixture f;
  f = (struct fixture){.directory = "/tmp/hoist-metrics-XXXXXX"};
  assert_non_null(mkdtemp(f.directory));
  snprintf(f.path, sizeof f.path, "%s/m.prom", f.directory);
  *state = &f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  return fs_remove_tree(AT_FDCWD, f->directory, NULL) == HOIST_OK ? 0 : -1;
}

static struct hoist_telemetry *opened(struct fixture *f, const char *path) {
  struct hoist_telemetry_config config;
  struct hoist_telemetry *telemetry;
  hoist_telemetry_config_init(&config);
  config.metrics_file = path;
  config.service_name = "shop";
  config.on_warning = on_warning;
  config.on_warning_user = f;
  assert_int_equal(hoist_telemetry_open(&config, &telemetry, NULL), HOIST_OK);
  return telemetry;
}

/* The file; released at the end of the program. */
static const char *contents(const char *path) {
  static struct buf data;
  buf_done(&data);
  data = buf_make(1 << 20);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &data, NULL), HOIST_OK);
  return buf_str(&data);
}

static int files_in(const char *directory) {
  int count = 0;
  DIR *dir = opendir(directory);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));)
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void test_each_export_replaces_the_file(void **state) {
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, f->path);
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  assert_non_null(strstr(contents(f->path), "} 1\n"));
  assert_non_null(strstr(contents(f->path), "# HELP c_total Things.\n# TYPE c_total counter\n"));
  assert_non_null(strstr(contents(f->path), "target_info{"));
  assert_non_null(strstr(contents(f->path), "service_name=\"shop\""));
  hoist_metric_add(telemetry, &counter, 4, NULL, 0);
  hoist_telemetry_close(telemetry, PLENTY_MS); /* and so does close */
  assert_non_null(strstr(contents(f->path), "c_total{otel_scope_name=\"hoist\","
                                            "otel_scope_version=\"" HOIST_VERSION "\"} 5\n"));
  assert_int_equal(files_in(f->directory), 1);
  assert_int_equal(f->warnings, 0);
}

static void test_close_without_time_still_writes_the_file(void **state) {
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, f->path);
  hoist_metric_add(telemetry, &counter, 2, NULL, 0);
  hoist_telemetry_close(telemetry, 0);
  assert_non_null(strstr(contents(f->path), "c_total{"));
}

static void test_others_may_read_the_file(void **state) {
  struct fixture *f = *state;
  struct stat st;
  mode_t before = umask(022);
  hoist_telemetry_close(opened(f, f->path), PLENTY_MS);
  umask(before);
  assert_int_equal(stat(f->path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0644);
}

static void test_a_file_that_cannot_be_written_is_one_warning(void **state) {
  struct fixture *f = *state;
  struct hoist_error err;
  struct hoist_telemetry_status status;
  struct hoist_telemetry *telemetry = opened(f, "/nonexistent/dir/m.prom");
  for (int i = 0; i < 2; i++)
    assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, &err), HOIST_UNAVAILABLE);
  hoist_telemetry_get_status(telemetry, &status);
  assert_int_equal(status.exports_failed, 2);
  assert_non_null(strstr(status.last_error, "/nonexistent/dir/m.prom"));
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_int_equal(f->warnings, 1);
  assert_non_null(strstr(f->last_warning, "/nonexistent/dir/m.prom"));
}

static void test_what_is_no_regular_file_is_left_alone(void **state) {
  struct fixture *f = *state;
  struct stat st;
  assert_int_equal(symlink("/dev/null", f->path), 0);
  hoist_telemetry_close(opened(f, f->path), PLENTY_MS);
  assert_int_equal(lstat(f->path, &st), 0);
  assert_true(S_ISLNK(st.st_mode));
  assert_int_equal(f->warnings, 1);
  assert_non_null(strstr(f->last_warning, "no regular file"));
  assert_int_equal(files_in(f->directory), 1);
}

static void test_clashing_names_are_one_warning(void **state) {
  static const struct hoist_instrument other = {.name = "c.total", .kind = HOIST_GAUGE};
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, f->path);
  hoist_metric_add(telemetry, &counter, 1, NULL, 0);
  hoist_metric_add(telemetry, &other, 1, NULL, 0);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_int_equal(f->warnings, 1);
  assert_non_null(strstr(f->last_warning, "1 metrics or attribute sets are not in "));
}

static void test_the_text_can_be_had_without_a_file(void **state) {
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, NULL);
  char *text;
  size_t size;
  hoist_metric_add(telemetry, &counter, 3, NULL, 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(hoist_telemetry_prometheus(telemetry, &text, &size, NULL), HOIST_OK);
    assert_int_equal(strlen(text), size);
    assert_non_null(strstr(text, "} 3\n"));
    free(text);
  }
  assert_int_equal(hoist_telemetry_prometheus(NULL, &text, &size, NULL), HOIST_UNSUPPORTED);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}

#ifndef __SANITIZE_THREAD__ /* whose run time cannot start threads after a fork */
static void test_a_forked_child_has_metrics_of_its_own(void **state) {
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, NULL);
  char *text;
  size_t size;
  hoist_metric_add(telemetry, &counter, 3, NULL, 0);
  pid_t child = fork();
  if (child == 0) {
    hoist_metric_add(telemetry, &counter, 1, NULL, 0);
    _exit(hoist_telemetry_prometheus(telemetry, &text, &size, NULL) != HOIST_OK ||
          !strstr(text, "c_total{") || strstr(text, "} 3\n"));
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  hoist_telemetry_close(telemetry, PLENTY_MS);
}
#endif

static void *add_and_render(void *arg) {
  struct hoist_bound *bound = hoist_metric_bind(arg, &counter, NULL, 0);
  for (int i = 0; i < 500; i++) {
    struct hoist_span span;
    char *text;
    size_t size;
    hoist_span_start_root(arg, "span", HOIST_SPAN_INTERNAL, NULL, &span);
    hoist_bound_add(bound, 1);
    hoist_metric_add_in(&span, arg, &counter, 1, NULL, 0);
    hoist_span_end(&span);
    if (i % 50) continue;
    if (hoist_telemetry_prometheus(arg, &text, &size, NULL) != HOIST_OK) abort();
    free(text);
  }
  return NULL;
}

static void test_threads_render_while_others_measure_and_export(void **state) {
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, f->path);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, add_and_render, telemetry), 0);
  for (int i = 0; i < 10; i++)
    assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  hoist_telemetry_close(telemetry, PLENTY_MS);
  assert_non_null(strstr(contents(f->path), "} 3000\n"));
  assert_non_null(
      strstr(contents(f->path),
             "RECORD_AND_SAMPLE\",otel_scope_name=\"hoist\",otel_scope_version=\"" HOIST_VERSION
             "\"} 1500\n")); /* spans started */
}

#ifndef __SANITIZE_THREAD__
static int child_counts_too(struct hoist_telemetry *telemetry) {
  static const struct hoist_instrument in_child = {.name = "in_child", .kind = HOIST_COUNTER};
  hoist_metric_add(telemetry, &in_child, 1, NULL, 0);
  if (hoist_telemetry_flush(telemetry, PLENTY_MS, NULL) != HOIST_OK) return 1;
  hoist_telemetry_close(telemetry, PLENTY_MS);
  return 0;
}

static void test_a_forked_child_leaves_the_file_to_its_parent(void **state) {
  static const struct hoist_instrument requests = {.name = "requests", .kind = HOIST_COUNTER};
  struct fixture *f = *state;
  struct hoist_telemetry *telemetry = opened(f, f->path);
  int status;
  hoist_metric_add(telemetry, &requests, 1000, NULL, 0);
  assert_int_equal(hoist_telemetry_flush(telemetry, PLENTY_MS, NULL), HOIST_OK);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(child_counts_too(telemetry));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_non_null(strstr(contents(f->path), "requests_total"));
  assert_null(strstr(contents(f->path), "in_child"));
  hoist_telemetry_close(telemetry, PLENTY_MS);
}
#endif

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(test_each_export_replaces_the_file),
      TEST(test_close_without_time_still_writes_the_file),
      TEST(test_others_may_read_the_file),
      TEST(test_a_file_that_cannot_be_written_is_one_warning),
      TEST(test_what_is_no_regular_file_is_left_alone),
      TEST(test_clashing_names_are_one_warning),
      TEST(test_threads_render_while_others_measure_and_export),
      TEST(test_the_text_can_be_had_without_a_file),
#ifndef __SANITIZE_THREAD__
      TEST(test_a_forked_child_has_metrics_of_its_own),
      TEST(test_a_forked_child_leaves_the_file_to_its_parent),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
