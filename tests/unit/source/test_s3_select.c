/* SPDX-License-Identifier: Apache-2.0 */
/* Which objects are a model's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "s3_select.h"

/* The names selected at prefix "p/m/" out of `keys`, joined by spaces. */
static enum hoist_status select_from(const char *const *keys, char *out, size_t size,
                                     struct hoist_error *err) {
  struct s3_object objects[16];
  struct s3_listing listing = {.objects = objects, .max = 16};
  HOIST_AUTO(manifest) struct manifest m = {0};
  out[0] = '\0';
  for (; keys[listing.count]; listing.count++) {
    char *key = (char *)(uintptr_t)keys[listing.count];
    objects[listing.count] = (struct s3_object){.key = key, .size = key[strlen(key) - 1] != '/'};
  }
  enum hoist_status status = s3_select(&listing, "p/m/", &m, err);
  for (size_t i = 0; status == HOIST_OK && i < m.file_count; i++) {
    size_t used = strlen(out);
    assert_int_equal(m.files[i].size, 1);
    snprintf(out + used, size - used, "%s%s", i ? " " : "", m.files[i].name);
  }
  return status;
}

static void test_models_that_nest_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *keys[8];
    const char *names; /* NULL: not found */
  } cases[] = {
      {{"p/m/environment.json", "p/m/weights.onnx"}, "environment.json weights.onnx"},
      {{"p/m/", "p/m/a.ort"}, "a.ort"},
      {{"p/m/1/environment.json", "p/m/1/w.onnx", "p/m/w.onnx"}, "w.onnx"},
      {{"p/m/1/w.onnx", "p/m/1/data/x.bin", "p/m/w.onnx"}, "w.onnx"},
      {{"p/m/data/x.bin", "p/m/data/y/z.bin", "p/m/w.onnx"}, "data/x.bin data/y/z.bin w.onnx"},
      {{"p/m/data/x.bin", "p/m/data/sub/w.onnx", "p/m/w.onnx"}, "data/x.bin w.onnx"},
      {{"p/m/w.onnx", "p/m/w.onnx.data", "p/m/w.onnx.d/x"}, "w.onnx w.onnx.data w.onnx.d/x"},
      {{"p/m/environment.json"}, "environment.json"},
      {{"p/m/../up.onnx", "p/m/w.onnx"}, "../up.onnx w.onnx"} /* for plan_make to refuse */,
      {{NULL}, NULL},
      {{"p/m/", "p/m/data/"}, NULL},
      {{"p/m/1/w.onnx", "p/m/2/w.onnx"}, NULL},
      {{"p/m/README.md", "p/m/sub/environment.json"}, NULL},
      {{"p/m/not-environment.json", "p/m/onnx"}, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char names[512];
    struct hoist_error err = {0};
    enum hoist_status status = select_from(cases[i].keys, names, sizeof names, &err);
    assert_int_equal(status, cases[i].names ? HOIST_OK : HOIST_NOT_FOUND);
    assert_string_equal(names, cases[i].names ? cases[i].names : "");
  }
}

static void test_a_key_from_elsewhere_is_corrupt(void **state) {
  (void)state;
  static const char *const keys[] = {"p/m/w.onnx", "p/n/x", NULL};
  char names[512];
  struct hoist_error err = {0};
  assert_int_equal(select_from(keys, names, sizeof names, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "p/n/x"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_models_that_nest_are_told_apart),
      cmocka_unit_test(test_a_key_from_elsewhere_is_corrupt),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
