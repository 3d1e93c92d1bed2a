/* SPDX-License-Identifier: Apache-2.0 */
/* The directory source, on trees made for each test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs.h"
#include "source.h"
#include "text.h"

struct tree {
  char root[64]; /* "…/root": what the source is given; its parent is ours, too */
  struct source *source;
  struct call call;
  struct manifest m;
  struct hoist_error err;
};

static void make_dir(const struct tree *t, const char *name) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", t->root, name);
  assert_non_null(path);
  assert_int_equal(fs_make_dirs(AT_FDCWD, path, NULL), HOIST_OK);
}

static void put(const struct tree *t, const char *name, const char *text) {
  HOIST_AUTO(mem) char *path = text_format("%s/%s", t->root, name);
  HOIST_AUTO(mem) char *parent = text_dup(path);
  assert_true(path && parent);
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
  assert_non_null(t);
  snprintf(t->root, sizeof t->root, "/tmp/hoist-dir-XXXXXX");
  assert_non_null(mkdtemp(t->root));
  assert_true(text_copy(t->root + strlen(t->root), 6, "/root"));
  make_dir(t, "");
  assert_int_equal(source_dir_new(t->root, &t->source, NULL), HOIST_OK);
  *state = t;
  return 0;
}

static int teardown(void **state) {
  struct tree *t = *state;
  manifest_done(&t->m);
  source_free(t->source);
  *strrchr(t->root, '/') = '\0';
  assert_int_equal(fs_remove_tree(AT_FDCWD, t->root, NULL), HOIST_OK);
  free(t);
  return 0;
}

static enum hoist_status describe(struct tree *t, const char *id_text) {
  struct model_id id;
  assert_int_equal(model_id_parse(id_text, &id, NULL), HOIST_OK);
  manifest_done(&t->m);
  return t->source->ops->describe(&t->call, t->source, &id, &t->m, &t->err);
}

/* A sink that collects, with something to do to the file at its first byte. */
struct collector {
  struct buf data;
  int begins;
  int64_t announced;
  const char *append_to; /* a file that grows while it is read; NULL: none */
  const char *truncate;  /* one that shrinks */
  int64_t from, to;      /* what is asked for; `to` 0: to the end */
  struct source_response response;
  enum source_trouble trouble;
};

static enum hoist_status begin(void *user, const struct source_response *response,
                               struct hoist_error *err) {
  struct collector *c = user;
  assert_int_equal(response->promised.kind, DIGEST_NONE);
  c->begins++;
  c->announced = response->size;
  c->response = *response;
  buf_clear(&c->data);
  if (c->truncate) assert_int_equal(truncate(c->truncate, 1), 0);
  if (c->append_to) {
    HOIST_AUTO(fd) int fd = open(c->append_to, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(fs_write_all(fd, "more", 4, "x", NULL), HOIST_OK);
  }
  return HOIST_OK;
}

static enum hoist_status collect(void *user, const void *data, size_t size,
                                 struct hoist_error *err) {
  struct collector *c = user;
  return buf_append(&c->data, data, size, err);
}

static enum hoist_status fetch(struct tree *t, const char *name, struct collector *c) {
  struct model_id id;
  assert_int_equal(model_id_parse("m", &id, NULL), HOIST_OK);
  struct manifest_file *file = NULL;
  for (size_t i = 0; i < t->m.file_count; i++)
    if (strcmp(t->m.files[i].name, name) == 0) file = &t->m.files[i];
  assert_non_null(file);
  c->data = buf_make(1 << 20);
  struct source_request request = {.file = file,
                                   .from = c->from,
                                   .to = c->to > 0 ? c->to : SOURCE_TO_END,
                                   .validator = file->etag,
                                   .sink = {.user = c, .begin = begin, .write = collect}};
  enum hoist_status status = t->source->ops->fetch(&t->call, t->source, &id, &request, &t->err);
  c->trouble = request.trouble;
  return status;
}

static void test_a_model_is_the_regular_files_below_its_directory(void **state) {
  struct tree *t = *state;
  put(t, "a/1/weights.onnx", "12345");
  put(t, "a/1/sub/deep/x.bin", "");
  put(t, "a/1/.hidden", "no");
  put(t, "a/1/.git/config", "no");
  put(t, "a/2/weights.onnx", "other model");
  make_dir(t, "a/1/empty");
  HOIST_AUTO(mem) char *fifo = text_format("%s/a/1/pipe", t->root);
  assert_int_equal(mkfifo(fifo, 0600), 0);
  assert_int_equal(describe(t, "a/1"), HOIST_OK);
  assert_int_equal(t->m.file_count, 2);
  assert_string_equal(t->m.source, "dir");
  assert_int_equal(manifest_find(&t->m, "weights.onnx")->size, 5);
  assert_int_equal(manifest_find(&t->m, "sub/deep/x.bin")->size, 0);
  assert_non_null(manifest_find(&t->m, "weights.onnx")->etag);
}

static void test_models_inside_a_models_directory_are_left_out(void **state) {
  struct tree *t = *state;
  put(t, "a/weights.onnx", "1");
  put(t, "a/data/table.bin", "1");
  put(t, "a/1/x.onnx", "1");
  put(t, "a/2/x.ort", "1");
  put(t, "a/3/environment.json", "{}");
  put(t, "a/3/big.bin", "1");
  assert_int_equal(describe(t, "a"), HOIST_OK);
  assert_int_equal(t->m.file_count, 2);
  assert_non_null(manifest_find(&t->m, "data/table.bin"));
}

static void test_what_is_not_there_is_not_found(void **state) {
  struct tree *t = *state;
  put(t, "file", "x");
  put(t, "parent/1/weights.onnx", "x");
  static const struct {
    const char *id;
    const char *message;
  } cases[] = {{"none", "no model \"none\": there is no such directory"},
               {"none/1", "there is no such directory"},
               {"file", "it is not a directory"},
               {"file/1", "there is no such directory"},
               {"parent", "its directory has no files"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(describe(t, cases[i].id), HOIST_NOT_FOUND);
    assert_non_null(strstr(t->err.message, cases[i].message));
    assert_non_null(strstr(t->err.message, t->root));
  }
}

static void test_a_missing_root_is_not_found_and_an_empty_one_invalid(void **state) {
  struct tree *t = *state;
  struct source *source = NULL;
  struct model_id id;
  assert_int_equal(source_dir_new("", &source, &t->err), HOIST_INVALID);
  assert_int_equal(source_dir_new(NULL, &source, &t->err), HOIST_INVALID);
  assert_int_equal(source_dir_new("/nonexistent/models", &source, NULL), HOIST_OK);
  assert_int_equal(model_id_parse("m", &id, NULL), HOIST_OK);
  assert_int_equal(source->ops->describe(&t->call, source, &id, &t->m, &t->err), HOIST_NOT_FOUND);
  assert_non_null(strstr(t->err.message, "/nonexistent/models: no such directory"));
  source_free(source);
}

static void test_links_to_files_below_the_root_are_followed(void **state) {
  struct tree *t = *state;
  put(t, "blobs/abc", "weights");
  make_dir(t, "m");
  link_to(t, "../blobs/abc", "m/weights.onnx");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  struct collector c = {0};
  assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_OK);
  assert_string_equal(buf_str(&c.data), "weights");
  buf_done(&c.data);
}

static void test_links_that_leave_the_root_or_lead_elsewhere_are_refused(void **state) {
  static const struct {
    const char *target;
    const char *message;
  } cases[] = {{"/etc/passwd", "a symbolic link that leaves "},
               {"../../outside", "a symbolic link that leaves "},
               {"nothing", "a symbolic link to nothing"},
               {"../other", "not a regular file"},
               {"link", "a symbolic link: "}};
  struct tree *t = *state;
  HOIST_AUTO(mem) char *outside = text_format("%s/../outside", t->root);
  HOIST_AUTO(fd) int fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  make_dir(t, "other");
  put(t, "m/weights.onnx", "x");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    HOIST_AUTO(mem) char *path = text_format("%s/m/link", t->root);
    link_to(t, cases[i].target, "m/link");
    enum hoist_status status = describe(t, "m");
    assert_true(status == HOIST_CORRUPT || (i == 4 && status == HOIST_UNAVAILABLE));
    if (!strstr(t->err.message, cases[i].message)) fail_msg("%zu: %s", i, t->err.message);
    assert_int_equal(unlink(path), 0);
  }
}

static void test_a_model_directory_may_be_a_link_only_below_the_root(void **state) {
  struct tree *t = *state;
  put(t, "real/weights.onnx", "x");
  link_to(t, "real", "alias");
  link_to(t, "/etc", "out");
  assert_int_equal(describe(t, "alias"), HOIST_OK);
  assert_int_equal(t->m.file_count, 1);
  assert_int_equal(describe(t, "out"), HOIST_CORRUPT);
  assert_non_null(strstr(t->err.message, "leaves"));
}

static void test_a_tree_that_is_too_deep_is_corrupt(void **state) {
  struct tree *t = *state;
  put(t, "m/1/2/3/4/5/6/7/x", "1");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  put(t, "m/1/2/3/4/5/6/7/8/x", "1");
  assert_int_equal(describe(t, "m"), HOIST_CORRUPT);
  assert_non_null(strstr(t->err.message, "more than 7 directories deep"));
}

static void test_too_many_files_are_corrupt(void **state) {
  struct tree *t = *state;
  char name[32];
  for (int i = 0; i <= MANIFEST_MAX_FILES; i++) {
    snprintf(name, sizeof name, "m/%d", i);
    put(t, name, "");
  }
  assert_int_equal(describe(t, "m"), HOIST_CORRUPT);
  assert_non_null(strstr(t->err.message, "more than 4096 files"));
}

static void test_a_file_is_streamed_whole(void **state) {
  struct tree *t = *state;
  HOIST_AUTO(buf) struct buf text = buf_make(1 << 20);
  for (int i = 0; i < 30000; i++)
    assert_int_equal(buf_printf(&text, NULL, "%d,", i), HOIST_OK);
  put(t, "m/weights.onnx", buf_str(&text));
  put(t, "m/empty", "");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  struct collector c = {0}, none = {0};
  assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_OK);
  assert_int_equal(c.begins, 1);
  assert_int_equal(c.announced, text.size);
  assert_string_equal(buf_str(&c.data), buf_str(&text));
  assert_int_equal(fetch(t, "empty", &none), HOIST_OK);
  assert_int_equal(none.begins, 1);
  assert_int_equal(none.data.size, 0);
  buf_done(&c.data);
  buf_done(&none.data);
}

static void test_a_file_that_changes_is_noticed(void **state) {
  struct tree *t = *state;
  HOIST_AUTO(mem) char *path = text_format("%s/m/weights.onnx", t->root);
  for (int i = 0; i < 4; i++) {
    put(t, "m/weights.onnx", "12345");
    assert_int_equal(describe(t, "m"), HOIST_OK);
    struct collector c = {.append_to = i == 0 ? path : NULL, .truncate = i == 1 ? path : NULL};
    if (i == 2) put(t, "m/weights.onnx", "123456");
    if (i == 3) { /* another file of the same size and time in its place */
      struct stat st;
      assert_int_equal(stat(path, &st), 0);
      put(t, "m/new", "abcde");
      HOIST_AUTO(mem) char *new_path = text_format("%s/m/new", t->root);
      const struct timespec times[2] = {st.st_atim, st.st_mtim};
      assert_int_equal(utimensat(AT_FDCWD, new_path, times, 0), 0);
      assert_int_equal(rename(new_path, path), 0);
    }
    assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_UNAVAILABLE);
    assert_non_null(strstr(t->err.message, "weights.onnx: changed while it was being read"));
    assert_int_equal(c.trouble, SOURCE_CHANGED);
    buf_done(&c.data);
  }
}

static void test_a_part_of_a_file_is_read_where_it_lies(void **state) {
  struct tree *t = *state;
  put(t, "m/weights.onnx", "0123456789");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  static const struct {
    int64_t from, to;
    const char *data;
  } cases[] = {{0, 4, "0123"}, {4, 8, "4567"}, {8, 100, "89"}, {3, 0, "3456789"}, {10, 0, ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct collector c = {.from = cases[i].from, .to = cases[i].to};
    assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_OK);
    assert_string_equal(buf_str(&c.data), cases[i].data);
    assert_int_equal(c.response.offset, cases[i].from);
    assert_int_equal(c.response.length, strlen(cases[i].data));
    assert_int_equal(c.response.size, 10);
    buf_done(&c.data);
  }
  struct collector beyond = {.from = 11};
  assert_int_equal(fetch(t, "weights.onnx", &beyond), HOIST_UNAVAILABLE);
  assert_int_equal(beyond.trouble, SOURCE_CHANGED);
}

static void test_a_file_that_went_away_is_not_found(void **state) {
  struct tree *t = *state;
  put(t, "m/weights.onnx", "12345");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  HOIST_AUTO(mem) char *path = text_format("%s/m/weights.onnx", t->root);
  assert_int_equal(unlink(path), 0);
  struct collector c = {0};
  assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_NOT_FOUND);
  assert_int_equal(symlink("/etc/passwd", path), 0);
  assert_int_not_equal(fetch(t, "weights.onnx", &c), HOIST_OK);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkfifo(path, 0600), 0); /* must not block */
  assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_UNAVAILABLE);
  assert_int_equal(c.begins, 0);
}

static void test_a_cancelled_call_stops(void **state) {
  struct tree *t = *state;
  put(t, "m/weights.onnx", "12345");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  atomic_int cancel = 1;
  struct collector c = {0};
  t->call.cancel = &cancel;
  assert_int_equal(fetch(t, "weights.onnx", &c), HOIST_CANCELLED);
  assert_int_equal(describe(t, "m"), HOIST_CANCELLED);
  t->call.cancel = NULL;
  buf_done(&c.data);
}

static enum hoist_status full(void *user, const void *data, size_t size, struct hoist_error *err) {
  return hoist_fail(err, HOIST_NO_SPACE, "the disk is full");
}

static void test_a_sink_that_fails_is_heard(void **state) {
  struct tree *t = *state;
  put(t, "m/weights.onnx", "12345");
  assert_int_equal(describe(t, "m"), HOIST_OK);
  struct collector c = {0};
  struct model_id id;
  assert_int_equal(model_id_parse("m", &id, NULL), HOIST_OK);
  struct source_request request = {.file = &t->m.files[0],
                                   .to = SOURCE_TO_END,
                                   .sink = {.user = &c, .begin = begin, .write = full}};
  assert_int_equal(t->source->ops->fetch(&t->call, t->source, &id, &request, &t->err),
                   HOIST_NO_SPACE);
  assert_string_equal(t->err.message, "the disk is full");
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TREE_TEST(test_a_model_is_the_regular_files_below_its_directory),
      TREE_TEST(test_models_inside_a_models_directory_are_left_out),
      TREE_TEST(test_what_is_not_there_is_not_found),
      TREE_TEST(test_a_missing_root_is_not_found_and_an_empty_one_invalid),
      TREE_TEST(test_links_to_files_below_the_root_are_followed),
      TREE_TEST(test_links_that_leave_the_root_or_lead_elsewhere_are_refused),
      TREE_TEST(test_a_model_directory_may_be_a_link_only_below_the_root),
      TREE_TEST(test_a_tree_that_is_too_deep_is_corrupt),
      TREE_TEST(test_too_many_files_are_corrupt),
      TREE_TEST(test_a_file_is_streamed_whole),
      TREE_TEST(test_a_file_that_changes_is_noticed),
      TREE_TEST(test_a_part_of_a_file_is_read_where_it_lies),
      TREE_TEST(test_a_file_that_went_away_is_not_found),
      TREE_TEST(test_a_cancelled_call_stops),
      TREE_TEST(test_a_sink_that_fails_is_heard),
  };
  return cmocka_run_group_tests_name("dir", tests, NULL, NULL);
}
