/* SPDX-License-Identifier: Apache-2.0 */
/* Copies from a made-up source into directories made for each test. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "copy.h"
#include "dest_internal.h"
#include "files.h"
#include "fs.h"
#include "text.h"

#define MODIFIED_NS UINT64_C(1700000000123456789)

/* A source whose files hold their own names. */
struct made_up {
  struct source base;
  const char *const *names; /* NULL at the end; NULL: `count` numbers */
  size_t count;
  size_t fetches;
};

struct world {
  char root[64];
  struct made_up source;
  struct call call;
  struct hoist_copy_result result;
  struct hoist_error err;
  int64_t last_total;
  size_t last_files, events;
};

static enum hoist_status tell(const struct source_visit *visit, const char *name,
                              struct hoist_error *err) {
  const struct source_object object = {.name = name,
                                       .locator = name,
                                       .etag = "\"e\"",
                                       .size = (int64_t)strlen(name),
                                       .modified_unix_ns = MODIFIED_NS};
  return visit->object(visit->user, &object, err);
}

static enum hoist_status list(const struct call *call, struct source *source,
                              const struct source_visit *visit, struct hoist_error *err) {
  const struct made_up *s = (const struct made_up *)source;
  enum hoist_status status = HOIST_OK;
  char number[48];
  for (size_t i = 0; s->names && s->names[i] && status == HOIST_OK; i++)
    status = tell(visit, s->names[i], err);
  for (size_t i = 0; !s->names && i < s->count && status == HOIST_OK; i++) {
    snprintf(number, sizeof number, "d%zu/%zu", i / 100, i);
    status = tell(visit, number, err);
  }
  return status;
}

static enum hoist_status fetch(const struct call *call, struct source *source,
                               const struct model_id *id, struct source_request *request,
                               struct hoist_error *err) {
  struct made_up *s = (struct made_up *)source;
  const char *data = request->file->locator;
  const struct source_response response = {
      .length = (int64_t)strlen(data), .size = (int64_t)strlen(data), .validator = "\"e\""};
  __atomic_fetch_add(&s->fetches, 1, __ATOMIC_RELAXED);
  enum hoist_status status = request->sink.begin(request->sink.user, &response, err);
  return status == HOIST_OK ? request->sink.write(request->sink.user, data, strlen(data), err)
                            : status;
}

static const struct source_ops ops = {.list = list, .fetch = fetch};

static void note_progress(void *user, const struct hoist_progress *event) {
  struct world *w = user;
  w->events++;
  if (event->kind != HOIST_PROGRESS_FILE) return;
  w->last_total = event->total_done;
  w->last_files = event->files_done;
  assert_int_equal(event->file_count, w->source.count);
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  strcpy(w->root, "/tmp/hoist-copy-XXXXXX");
  assert_non_null(mkdtemp(w->root));
  w->source.base = (struct source){.ops = &ops, .name = "made up", .location = w->root};
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  struct world *w = *state;
  assert_int_equal(fs_remove_tree(AT_FDCWD, w->root, NULL), HOIST_OK);
  free(w);
  return 0;
}

static enum hoist_status copy(struct world *w) {
  HOIST_AUTO(mem) char *directory = text_format("%s/dest", w->root);
  const struct copy_request request = {
      .source = &w->source.base, .below = "", .directory = directory, .connections = 2};
  return copy_run(&w->call, &request, &w->result, &w->err);
}

static void assert_holds(const struct world *w, const char *name, const char *text) {
  HOIST_AUTO(buf) struct buf data = buf_make(1000);
  HOIST_AUTO(mem) char *path = text_format("%s/dest/%s", w->root, name);
  assert_int_equal(fs_read_file(AT_FDCWD, path, &data, NULL), HOIST_OK);
  assert_string_equal(buf_str(&data), text);
}

static void test_the_last_rule_that_matches_decides(void **state) {
  (void)state;
  static const struct hoist_copy_rule rules[] = {{0, "*"}, {1, "*.onnx"}, {0, "old/*"}};
  static const struct {
    const char *name;
    bool with[4]; /* so many rules */
  } cases[] = {
      {"a.onnx", {true, false, true, true}},
      {"old/a.onnx", {true, false, true, false}},
      {"a.txt", {true, false, false, false}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t count = 0; count <= 3; count++)
      assert_int_equal(copy_chooses(rules, count, cases[i].name), cases[i].with[count]);
}

static void test_a_second_copy_fetches_nothing(void **state) {
  struct world *w = *state;
  static const char *const names[] = {"a", "b/c", NULL};
  w->source.names = names;
  assert_int_equal(copy(w), HOIST_OK);
  assert_holds(w, "a", "a");
  assert_holds(w, "b/c", "b/c");
  assert_int_equal(w->result.copied_files, 2);
  assert_int_equal(w->source.fetches, 2);
  assert_int_equal(copy(w), HOIST_OK);
  assert_int_equal(w->source.fetches, 2);
  assert_int_equal(w->result.copied_files, 0);
  assert_int_equal(w->result.unchanged_files, 2);
}

static void test_more_files_than_a_manifest_holds(void **state) {
  struct world *w = *state;
  w->source.count = MANIFEST_MAX_FILES + 100;
  w->call.progress = note_progress;
  w->call.progress_user = w;
  assert_int_equal(copy(w), HOIST_OK);
  assert_int_equal(w->result.copied_files, w->source.count);
  assert_int_equal(w->last_files, w->source.count);
  assert_true(w->last_total == (int64_t)w->result.bytes);
  assert_holds(w, "d0/0", "d0/0");
  assert_holds(w, "d41/4195", "d41/4195");
  assert_int_equal(copy(w), HOIST_OK);
  assert_int_equal(w->source.fetches, w->source.count);
}

static void test_nothing_and_nothing_chosen_are_not_found(void **state) {
  struct world *w = *state;
  static const struct hoist_copy_rule rules[] = {{0, "*"}};
  assert_int_equal(copy(w), HOIST_NOT_FOUND);
  w->source.count = 3;
  const struct copy_request request = {.source = &w->source.base,
                                       .below = "",
                                       .directory = w->root,
                                       .rules = rules,
                                       .rule_count = 1,
                                       .connections = 2};
  assert_int_equal(copy_run(&w->call, &request, &w->result, &w->err), HOIST_NOT_FOUND);
  assert_int_equal(w->result.excluded_files, 3);
  struct stat st;
  HOIST_AUTO(mem) char *state_dir = text_format("%s/" DEST_STATE, w->root);
  assert_int_not_equal(stat(state_dir, &st), 0);
}

static void test_names_that_cannot_be_are_refused(void **state) {
  struct world *w = *state;
  static const char *const bad[] = {"../x", "/x", "a//b", "a/", ".hoist-copy", "a\\b", "a\nb", "."};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *const names[] = {"good", bad[i], NULL};
    w->source.names = names;
    assert_int_equal(copy(w), HOIST_CORRUPT);
    assert_non_null(strstr(w->err.message, "--exclude"));
    assert_int_equal(w->source.fetches, 0);
  }
}

static void test_names_that_cannot_be_side_by_side_are_refused(void **state) {
  struct world *w = *state;
  struct dest dest = {.directory = w->root};
  static const struct {
    const char *one, *two;
    bool folds_case, is_fine;
  } cases[] = {
      {"a", "a/b", false, false}, {"a", "a", false, false},          {"a", "A", false, true},
      {"a", "A", true, false},    {"x/File", "X/file", true, false}, {"a", "b", true, true},
      {"a-b", "a/b", true, true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *names[] = {cases[i].one, "m", cases[i].two};
    dest.folds_case = cases[i].folds_case;
    assert_int_equal(dest_check_names(&dest, names, 3, &w->err),
                     cases[i].is_fine ? HOIST_OK : HOIST_CORRUPT);
  }
}

static void test_a_copy_waits_for_another_as_long_as_it_may(void **state) {
  struct world *w = *state;
  struct dest *dest = NULL;
  HOIST_AUTO(mem) char *directory = text_format("%s/dest", w->root);
  w->source.count = 1;
  assert_int_equal(dest_open(&w->call, directory, 0, &dest, NULL), HOIST_OK);
  w->call.deadline_ns = 1; /* long ago */
  assert_int_equal(copy(w), HOIST_TIMEOUT);
  dest_close(dest, false);
  w->call.deadline_ns = 0;
  assert_int_equal(copy(w), HOIST_OK);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_last_rule_that_matches_decides),
      WORLD_TEST(test_a_second_copy_fetches_nothing),
      WORLD_TEST(test_more_files_than_a_manifest_holds),
      WORLD_TEST(test_nothing_and_nothing_chosen_are_not_found),
      WORLD_TEST(test_names_that_cannot_be_are_refused),
      WORLD_TEST(test_names_that_cannot_be_side_by_side_are_refused),
      WORLD_TEST(test_a_copy_waits_for_another_as_long_as_it_may),
  };
  return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
