/* SPDX-License-Identifier: Apache-2.0 */
/* Listing a directory tree, on trees made for each test. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs.h"
#include "text.h"
#include "visited.h"

struct tree {
  char top[64];  /* ours */
  char root[80]; /* of the source, in it */
  struct source *source;
  struct call call;
  struct buf text;
  struct hoist_error err;
};

static void put(const struct tree *t, const char *name, const char *text) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", t->root, name);
  HOIST_AUTO(mem) char *parent = text_dup(path);
  *strrchr(parent, '/') = '\0';
  assert_int_equal(fs_make_dirs(AT_FDCWD, parent, NULL), HOIST_OK);
  HOIST_AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(fs_write_all(fd, text, strlen(text), name, NULL), HOIST_OK);
}

static void link_to(const struct tree *t, const char *target, const char *name) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", t->root, name);
  assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state) {
  struct tree *t = calloc(1, sizeof *t);
  strcpy(t->top, "/tmp/hoist-visit-XXXXXX");
  assert_non_null(mkdtemp(t->top));
  snprintf(t->root, sizeof t->root, "%s/root", t->top);
  t->text = buf_make(1u << 20);
  put(t, "b/2.txt", "22");
  put(t, "b/1.txt", "1");
  put(t, "a.txt", "");
  put(t, ".hidden/x", "xxx");
  assert_int_equal(source_dir_new(t->root, &t->source, NULL), HOIST_OK);
  *state = t;
  return 0;
}

static int teardown(void **state) {
  struct tree *t = *state;
  buf_done(&t->text);
  source_free(t->source);
  assert_int_equal(fs_remove_tree(AT_FDCWD, t->top, NULL), HOIST_OK);
  free(t);
  return 0;
}

static enum hoist_status list(struct tree *t, const char *below, int everything) {
  return visited(t->source, &t->call, below, everything, &t->text, &t->err);
}

static void test_files_are_told_directory_by_directory(void **state) {
  struct tree *t = *state;
  assert_int_equal(list(t, "", 0), HOIST_OK);
  assert_string_equal(buf_str(&t->text), "a.txt 0\nb/1.txt 1\nb/2.txt 2\n");
  assert_int_equal(list(t, "", 1), HOIST_OK);
  assert_string_equal(buf_str(&t->text), ".hidden/x 3\na.txt 0\nb/1.txt 1\nb/2.txt 2\n");
  assert_int_equal(list(t, "b/", 0), HOIST_OK);
  assert_string_equal(buf_str(&t->text), "1.txt 1\n2.txt 2\n");
}

static void test_one_file_is_told_by_its_last_segment(void **state) {
  struct tree *t = *state;
  assert_int_equal(list(t, "b/2.txt", 0), HOIST_OK);
  assert_string_equal(buf_str(&t->text), "2.txt 2\n");
}

static void test_what_is_not_there_is_not_found(void **state) {
  struct tree *t = *state;
  static const char *const cases[] = {"c", "c/", "b", "a.txt/x", "a.txt/x/"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(list(t, cases[i], 1), HOIST_NOT_FOUND);
}

static void test_links_are_followed_below_the_root_only(void **state) {
  struct tree *t = *state;
  link_to(t, "b/2.txt", "link");
  assert_int_equal(list(t, "", 1), HOIST_OK);
  assert_non_null(strstr(buf_str(&t->text), "link 2\n"));
  assert_int_equal(list(t, "link", 1), HOIST_OK);
  assert_string_equal(buf_str(&t->text), "link 2\n");
}

static void test_links_that_are_of_no_use_are_refused_or_passed_over(void **state) {
  static const struct {
    const char *target, *problem;
  } cases[] = {{"/etc/passwd", "leaves the source"},
               {"nowhere", "to nothing"},
               {"b", "not a regular file"},
               {"bad", "to nothing"}}; /* itself */
  struct tree *t = *state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    link_to(t, cases[i].target, "bad");
    assert_int_equal(list(t, "", 1), HOIST_CORRUPT);
    if (!strstr(t->err.message, cases[i].problem)) fail_msg("%s", t->err.message);
    assert_int_equal(list(t, "", 0), HOIST_OK);
    assert_null(strstr(buf_str(&t->text), "bad"));
    HOIST_AUTO(mem) char *path = text_format("%s/bad", t->root);
    assert_int_equal(unlink(path), 0);
  }
}

static void test_a_cancelled_call_stops(void **state) {
  struct tree *t = *state;
  atomic_int cancel = 1;
  t->call.cancel = &cancel;
  assert_int_equal(list(t, "", 1), HOIST_CANCELLED);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TREE_TEST(test_files_are_told_directory_by_directory),
      TREE_TEST(test_one_file_is_told_by_its_last_segment),
      TREE_TEST(test_what_is_not_there_is_not_found),
      TREE_TEST(test_links_are_followed_below_the_root_only),
      TREE_TEST(test_links_that_are_of_no_use_are_refused_or_passed_over),
      TREE_TEST(test_a_cancelled_call_stops),
  };
  return cmocka_run_group_tests_name("dir_visit", tests, NULL, NULL);
}
