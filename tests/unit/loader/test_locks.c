/* SPDX-License-Identifier: Apache-2.0 */
/* What is said where file locks do nothing: flock is replaced at link time. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_source.h"
#include "fs.h"
#include "hoist_internal.h"

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

static int locks_do_nothing;

int __wrap_flock(int fd, int operation) {
  return locks_do_nothing ? 0 : __real_flock(fd, operation);
}

struct world {
  char root[64];
  struct hoist *hoist;
  int warnings;
  char warning[512], findings[2048];
};

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-locks-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  struct hoist_config config;
  hoist_config_init(&config);
  config.cache_dir = w->root;
  assert_int_equal(hoist_open(&config, &w->hoist, NULL), HOIST_OK);
  struct fake_source *source = fake_source_new("s3");
  fake_source_add(source, "weights.onnx", "0123456789");
  w->hoist->chain.sources[w->hoist->chain.count++] = &source->base;
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  hoist_close(w->hoist);
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

static void keep_warning(void *user, const struct hoist_progress *event) {
  struct world *w = user;
  if (event->kind != HOIST_PROGRESS_WARNING) return;
  w->warnings++;
  snprintf(w->warning, sizeof w->warning, "%s", event->message);
}

static void pull(struct world *w, const char *id) {
  const struct hoist_call_options options = {.progress = keep_warning, .progress_user = w};
  assert_int_equal(hoist_pull(w->hoist, id, &options, NULL, NULL), HOIST_OK);
}

static void keep_finding(void *user, const struct hoist_finding *f) {
  struct world *w = user;
  size_t used = strlen(w->findings);
  snprintf(w->findings + used, sizeof w->findings - used, "%s:%s:%s\n", f->subject,
           hoist_status_name(f->status), f->detail);
}

static const char *findings(struct world *w) {
  w->findings[0] = '\0';
  assert_int_equal(hoist_diagnose(w->hoist, NULL, keep_finding, w, NULL), HOIST_OK);
  return w->findings;
}

static void test_locks_that_work_are_not_worth_a_warning(void **state) {
  struct world *w = *state;
  locks_do_nothing = 0;
  assert_non_null(strstr(findings(w), "file locks:ok:are tried when the first model is fetched\n"));
  pull(w, "a/1");
  assert_int_equal(w->warnings, 0);
  assert_non_null(strstr(findings(w), "file locks:ok:work: "));
}

static void test_locks_that_do_nothing_are_told_once_and_by_the_doctor(void **state) {
  struct world *w = *state;
  locks_do_nothing = 1;
  pull(w, "a/1");
  pull(w, "b/1");
  assert_int_equal(w->warnings, 1);
  assert_non_null(strstr(w->warning, "file locks do nothing in "));
  assert_non_null(strstr(w->warning, "HOIST_CACHE_DIR"));
  assert_non_null(strstr(findings(w), "file locks:unsupported:do nothing in "));
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      T(test_locks_that_work_are_not_worth_a_warning),
      T(test_locks_that_do_nothing_are_told_once_and_by_the_doctor),
  };
  return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
