/* SPDX-License-Identifier: Apache-2.0 */
/* Aliases: the built-in table, and a user's file over it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alias.h"
#include "json_read.h"
#include "model_id.h"

static char path[] = "/tmp/hoist-alias-XXXXXX";

static int make_file(void **state) {
  memcpy(path + sizeof path - 7, "XXXXXX", 6);
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
  return unlink(path);
}

static void write_file(const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

static void test_the_built_in_table_leads_to_models(void **state) {
  static const struct {
    const char *name;
    const char *id;
  } cases[] = {
      {"yolov8n-640", "coco/3"},      {"yolov11n-640", "coco/25"},
      {"yolo11n-640", "coco/25"},     {"rfdetr-base", "coco/36"},
      {"resnet18", "classifiers/1"},  {"clip", "clip/ViT-B-16"},
      {"sam2", "sam2/hiera_large"},   {"doctr", "doctr/default"},
      {"coco/3", "coco/3"},           {"clip/ViT-L-14", "clip/ViT-L-14"},
      {"Yolov8n-640", "Yolov8n-640"}, {"", ""},
  };
  HOIST_AUTO(alias_table) struct alias_table *table = NULL;
  assert_int_equal(alias_table_new(NULL, &table, NULL), HOIST_OK);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_string_equal(alias_resolve(table, cases[i].name), cases[i].id);
}

static void test_every_built_in_alias_is_an_id_that_leads_to_another(void **state) {
  HOIST_AUTO(alias_table) struct alias_table *table = NULL;
  HOIST_AUTO(json) json_t *names = json_loads(alias_builtin, 0, NULL);
  assert_int_equal(alias_table_new(NULL, &table, NULL), HOIST_OK);
  assert_true(json_object_size(names) > 100);
  const char *name;
  json_t *value;
  json_object_foreach(names, name, value) {
    struct model_id id;
    const char *end = alias_resolve(table, name);
    assert_string_not_equal(end, name);
    assert_int_equal(model_id_parse(name, &id, NULL), HOIST_OK);
    assert_int_equal(model_id_parse(end, &id, NULL), HOIST_OK);
    assert_null(json_object_get(names, end));
  }
}

static void test_a_file_adds_changes_and_removes(void **state) {
  HOIST_AUTO(alias_table) struct alias_table *table = NULL;
  write_file("{\"mine\": \"acme/coins/2\", \"nano\": \"yolov8n-640\", \"clip\": \"clip/ViT-L-14\", "
             "\"sam\": null, \"nobody\": null}");
  assert_int_equal(alias_table_new(path, &table, NULL), HOIST_OK);
  assert_string_equal(alias_resolve(table, "mine"), "acme/coins/2");
  assert_string_equal(alias_resolve(table, "nano"), "coco/3");
  assert_string_equal(alias_resolve(table, "clip"), "clip/ViT-L-14");
  assert_string_equal(alias_resolve(table, "sam"), "sam");
  assert_string_equal(alias_resolve(table, "yolov8s-640"), "coco/6");
}

static void test_a_file_that_makes_no_sense_is_invalid(void **state) {
  static const struct {
    const char *text;
    const char *message;
  } cases[] = {
      {"", "not JSON"},
      {"[]", "expected an object, found a list"},
      {"{\"a\": 1}", "a: expected a string, found a number"},
      {"{\"a\": \"../b\"}", "model id \"../b\""},
      {"{\"a\": \"\"}", "model id \"\""},
      {"{\"a//b\": \"coco/3\"}", "model id \"a//b\""},
      {"{\"a\": \"a\"}", "\"a\" leads from one name to the next and to no model"},
      {"{\"a\": \"b\", \"b\": \"c\", \"c\": \"a\"}", "leads from one name to the next"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct alias_table *table = NULL;
    struct hoist_error err = {0};
    write_file(cases[i].text);
    assert_int_equal(alias_table_new(path, &table, &err), HOIST_INVALID);
    assert_int_equal(err.status, HOIST_INVALID);
    if (!strstr(err.message, cases[i].message)) fail_msg("case %zu: %s", i, err.message);
    assert_non_null(strstr(err.message, "aliases: "));
    assert_null(table);
  }
}

static void test_a_file_that_is_not_there_is_invalid(void **state) {
  struct alias_table *table = NULL;
  struct hoist_error err = {0};
  assert_int_equal(alias_table_new("/nonexistent/aliases.json", &table, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "/nonexistent/aliases.json"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_built_in_table_leads_to_models),
      cmocka_unit_test(test_every_built_in_alias_is_an_id_that_leads_to_another),
      cmocka_unit_test_setup_teardown(test_a_file_adds_changes_and_removes, make_file, remove_file),
      cmocka_unit_test_setup_teardown(test_a_file_that_makes_no_sense_is_invalid, make_file,
                                      remove_file),
      cmocka_unit_test(test_a_file_that_is_not_there_is_invalid),
  };
  return cmocka_run_group_tests_name("alias", tests, NULL, NULL);
}
