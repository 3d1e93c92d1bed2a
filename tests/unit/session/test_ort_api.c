/* SPDX-License-Identifier: Apache-2.0 */
/* The binding table against what the official header says: against a list of its slots always, and
 * against the header itself, slots and function types, where the build found one. */
#ifdef HAVE_OFFICIAL_HEADER
#include <onnxruntime_c_api.h>
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ort_run.h"

#define LIST_SLOTS 318 /* of interface version 22 */

struct row {
  unsigned slot;
  const char *name;
};

static const struct row rows[] = {
#define ROW(slot, result, name, parameters) {slot, #name},
    ORT_SLOTS(ROW) ORT_SLOTS_22(ROW) ORT_RUN_SLOTS(ROW)
#undef ROW
};

struct slot_list {
  char names[LIST_SLOTS][64];
  unsigned count;
};

static void read_list(struct slot_list *list) {
  const char *path = getenv("HOIST_TEST_ORT_SLOTS");
  assert_non_null(path);
  FILE *file = fopen(path, "re");
  assert_non_null(file);
  char line[128], name[64];
  unsigned slot;
  while (fgets(line, sizeof line, file)) {
    if (line[0] == '#') continue;
    assert_int_equal(sscanf(line, "%u %63s", &slot, name), 2);
    assert_int_equal(slot, list->count);
    assert_true(slot < LIST_SLOTS);
    memcpy(list->names[list->count++], name, sizeof name);
  }
  fclose(file);
}

static void test_every_slot_is_where_the_list_of_official_slots_has_it(void **state) {
  static struct slot_list list;
  read_list(&list);
  assert_int_equal(list.count, LIST_SLOTS);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_true(rows[i].slot < list.count);
    assert_string_equal(rows[i].name, list.names[rows[i].slot]);
  }
}

#ifdef HAVE_OFFICIAL_HEADER
#pragma GCC diagnostic error "-Wincompatible-pointer-types"

/* Compiles only where every function has the type that we call it with. */
__attribute__((unused)) static void assign_every_function(const OrtApi *official,
                                                          struct ort_api *ours,
                                                          struct ort_run_api *run) {
#define ASSIGN(slot, result, name, parameters) ours->name = official->name;
  ORT_SLOTS(ASSIGN)
#if ORT_API_VERSION >= 22
  ORT_SLOTS_22(ASSIGN)
#endif
#undef ASSIGN
#define ASSIGN(slot, result, name, parameters) run->name = official->name;
  ORT_RUN_SLOTS(ASSIGN)
#undef ASSIGN
}

static void test_every_slot_is_where_the_official_header_has_it(void **state) {
#define CHECK(slot, result, name, parameters)                                                      \
  assert_int_equal(offsetof(OrtApi, name) / sizeof(void *), slot);
  ORT_SLOTS(CHECK)
#if ORT_API_VERSION >= 22
  ORT_SLOTS_22(CHECK)
#endif
  ORT_RUN_SLOTS(CHECK)
#undef CHECK
}

static void test_the_entry_points_are_where_the_official_header_has_them(void **state) {
  assert_int_equal(offsetof(OrtApiBase, GetApi), offsetof(struct ort_api_base, GetApi));
  assert_int_equal(offsetof(OrtApiBase, GetVersionString),
                   offsetof(struct ort_api_base, GetVersionString));
  assert_int_equal(ORT_LOGGING_LEVEL_INFO, ORT_LOG_INFO);
  assert_int_equal(ORT_LOGGING_LEVEL_FATAL, ORT_LOG_FATAL);
}
#else
static void test_every_slot_is_where_the_official_header_has_it(void **state) {
  skip(); /* no header installed: Debian 13 has it in libonnxruntime-dev */
}

static void test_the_entry_points_are_where_the_official_header_has_them(void **state) {
  skip();
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_slot_is_where_the_list_of_official_slots_has_it),
      cmocka_unit_test(test_every_slot_is_where_the_official_header_has_it),
      cmocka_unit_test(test_the_entry_points_are_where_the_official_header_has_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
