/* SPDX-License-Identifier: Apache-2.0 */
/* Files that pass by, and the models they make up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "offers.h"

static enum hoist_status write_down(void *user, const struct offers_model *m,
                                    struct hoist_error *err) {
  return buf_printf(user, err, "%s %zu %llu %llu;", m->id, m->file_count,
                    (unsigned long long)m->size_bytes, (unsigned long long)m->modified_unix_s);
}

/* Names in the order a source lists them, each of 10 bytes, one second newer than the one before. */
static void expect(const char *const *names, const char *models) {
  HOIST_AUTO(buf) struct buf text = buf_make(1u << 16);
  struct offers offers = {.user = &text, .model = write_down};
  for (uint64_t i = 0; names[i]; i++)
    assert_int_equal(offers_add(&offers, names[i], 10, (i + 1) * 1000000000u, NULL), HOIST_OK);
  assert_int_equal(offers_end(&offers, NULL), HOIST_OK);
  assert_string_equal(buf_str(&text), models);
}
#define EXPECT(models, ...) expect((const char *const[]){__VA_ARGS__, NULL}, models)

static void test_a_directory_with_a_weights_file_is_a_model(void **state) {
  (void)state;
  EXPECT("a/1 2 20 2;b/c 1 10 3;d 1 10 4;", "a/1/environment.json", "a/1/w.onnx", "b/c/m.ort",
         "d/x.onnx");
}

static void test_what_is_no_model_belongs_to_the_one_above(void **state) {
  (void)state;
  EXPECT("a 4 40 4;", "a/data/1/x", "a/data/2/y", "a/data/z", "a/w.onnx");
}

static void test_models_nest_and_the_inner_one_comes_first(void **state) {
  (void)state;
  EXPECT("a/1 2 20 2;a 2 20 4;", "a/1/w.onnx", "a/1/x", "a/w.onnx", "a/y");
}

static void test_what_belongs_to_no_model_is_left_out(void **state) {
  (void)state;
  EXPECT("", "readme.md", "w.onnx", "a/b/c");
  EXPECT("b 1 10 3;", "a.onnx", "a/notes.txt", "b/w.onnx", "c.txt");
}

static void test_names_that_the_plan_refuses_mark_nothing(void **state) {
  (void)state;
  EXPECT("", "a/\x01.onnx", "a/.hoist.onnx");
}

static void test_a_directory_whose_name_begins_another_is_its_own(void **state) {
  (void)state;
  EXPECT("a 1 10 1;ab 1 10 2;", "a/w.onnx", "ab/w.onnx");
}

static void test_trees_deeper_than_there_are_levels_count_above(void **state) {
  (void)state;
  char name[512] = "";
  for (int i = 0; i < 100; i++)
    memcpy(name + 2 * i, "d/", 3);
  memcpy(name + 200, "w.onnx", 7);
  HOIST_AUTO(buf) struct buf text = buf_make(1u << 16);
  struct offers offers = {.user = &text, .model = write_down};
  assert_int_equal(offers_add(&offers, name, 1, 0, NULL), HOIST_OK);
  assert_int_equal(offers_end(&offers, NULL), HOIST_OK);
  assert_string_equal(buf_str(&text), "");
}

static enum hoist_status refuse(void *user, const struct offers_model *m, struct hoist_error *err) {
  return HOIST_CANCELLED;
}

static void test_a_callback_that_fails_and_a_name_too_long_end_it(void **state) {
  (void)state;
  struct offers offers = {.model = refuse};
  assert_int_equal(offers_add(&offers, "a/w.onnx", 1, 0, NULL), HOIST_OK);
  assert_int_equal(offers_add(&offers, "b/w.onnx", 1, 0, NULL), HOIST_CANCELLED);
  char name[OFFERS_MAX_NAME + 2];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(offers_add(&offers, name, 1, 0, NULL), HOIST_CORRUPT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_directory_with_a_weights_file_is_a_model),
      cmocka_unit_test(test_what_is_no_model_belongs_to_the_one_above),
      cmocka_unit_test(test_models_nest_and_the_inner_one_comes_first),
      cmocka_unit_test(test_what_belongs_to_no_model_is_left_out),
      cmocka_unit_test(test_names_that_the_plan_refuses_mark_nothing),
      cmocka_unit_test(test_a_directory_whose_name_begins_another_is_its_own),
      cmocka_unit_test(test_trees_deeper_than_there_are_levels_count_above),
      cmocka_unit_test(test_a_callback_that_fails_and_a_name_too_long_end_it),
  };
  return cmocka_run_group_tests_name("offers", tests, NULL, NULL);
}
