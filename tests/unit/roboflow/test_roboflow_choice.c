/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing among packages: each criterion, their order, and that the order of the packages plays no part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roboflow_choice.h"

#define MAX 8

/* A package as the tests write it. */
struct form {
  const char *id;
  int is_trusted;
  enum roboflow_quantization quantization;
  int64_t static_batch; /* 0: dynamic */
  int64_t opset;
  const char *incompatible; /* JSON; NULL: none */
  const char *missing;      /* a file it has not */
};

static void add_file(struct manifest *m, const char *name, const char *missing) {
  struct manifest_file *file;
  if (missing && strcmp(name, missing) == 0) return;
  assert_int_equal(manifest_add(m, name, &file, NULL), HOIST_OK);
}

static struct roboflow_package make(const struct form *f) {
  struct roboflow_package p = {.id = strdup(f->id),
                               .is_onnx = 1,
                               .is_trusted = f->is_trusted,
                               .quantization = f->quantization,
                               .is_dynamic = f->static_batch == 0,
                               .static_batch = f->static_batch,
                               .opset = f->opset};
  if (f->incompatible) p.incompatible = json_loads(f->incompatible, 0, NULL);
  add_file(&p.files, "weights.onnx", f->missing);
  add_file(&p.files, "environment.json", f->missing);
  add_file(&p.files, "class_names.txt", f->missing);
  return p;
}

static struct roboflow_packages make_all(const struct form *forms, size_t count) {
  struct roboflow_packages p = {.task_type = strdup("object-detection"),
                                .items = calloc(count, sizeof *p.items),
                                .count = count};
  for (size_t i = 0; i < count; i++)
    p.items[i] = make(&forms[i]);
  return p;
}

static struct roboflow_wish wish_of(const char *quantization, const char *providers) {
  struct roboflow_wish wish = {.providers = providers};
  assert_int_equal(roboflow_wish_parse(quantization, &wish, NULL), HOIST_OK);
  return wish;
}

/* The chosen one and the reasons of the first two are as expected, in either order. */
static void check(const struct form *better, const struct form *worse,
                  const struct roboflow_wish *wish, const char *won, const char *lost) {
  for (int swapped = 0; swapped < 2; swapped++) {
    const struct form forms[] = {swapped ? *worse : *better, swapped ? *better : *worse};
    HOIST_AUTO(roboflow_packages) struct roboflow_packages p = make_all(forms, 2);
    char reason[ROBOFLOW_REASON_SIZE];
    size_t chosen = roboflow_choose(&p, wish);
    assert_int_equal(chosen, swapped);
    assert_string_equal(roboflow_reason(&p, wish, chosen, chosen, reason), won);
    assert_memory_equal(roboflow_reason(&p, wish, chosen, 1 - chosen, reason), lost, strlen(lost));
  }
}

static void test_each_criterion_decides_where_those_before_it_do_not(void **state) {
  static const struct {
    struct form better, worse;
    const char *won, *lost;
  } cases[] = {
      {{"z", 1, ROBOFLOW_QUANTIZATION_UNKNOWN, 9, 1, NULL, NULL},
       {"a", 0, ROBOFLOW_FP32, 0, 20, NULL, NULL},
       "it is trusted",
       "not trusted, and another one is"},
      {{"z", 1, ROBOFLOW_FP32, 9, 1, NULL, NULL},
       {"a", 1, ROBOFLOW_FP16, 0, 20, NULL, NULL},
       "its quantization is preferred",
       "another quantization is preferred"},
      {{"z", 1, ROBOFLOW_FP32, 0, 1, NULL, NULL},
       {"a", 1, ROBOFLOW_FP32, 1, 20, NULL, NULL},
       "its batch is dynamic",
       "a fixed batch, and another one's is dynamic"},
      {{"z", 1, ROBOFLOW_FP32, 1, 1, NULL, NULL},
       {"a", 1, ROBOFLOW_FP32, 8, 20, NULL, NULL},
       "its batch is the smallest",
       "a larger batch than another one's"},
      {{"z", 1, ROBOFLOW_FP32, 1, 20, NULL, NULL},
       {"a", 1, ROBOFLOW_FP32, 1, 19, NULL, NULL},
       "its opset is the highest",
       "a lower opset than another one's"},
      {{"a", 1, ROBOFLOW_FP32, 1, 20, NULL, NULL},
       {"b", 1, ROBOFLOW_FP32, 1, 20, NULL, NULL},
       "its id sorts first",
       "equal to another one, whose id sorts first"},
  };
  struct roboflow_wish wish = wish_of(NULL, NULL);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    check(&cases[i].better, &cases[i].worse, &wish, cases[i].won, cases[i].lost);
}

static void test_the_caller_decides_what_is_preferred(void **state) {
  static const struct {
    const char *text;
    const char *order;
  } cases[] = {
      {NULL, "fp32 fp16 bf16 int8 unknown "},
      {"", "fp32 fp16 bf16 int8 unknown "},
      {"int8", "int8 fp32 fp16 bf16 unknown "},
      {" int8 , fp16 ,", "int8 fp16 fp32 bf16 unknown "},
      {"unknown,int8,bf16,fp16,fp32", "unknown int8 bf16 fp16 fp32 "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct roboflow_wish wish = wish_of(cases[i].text, NULL);
    char order[64] = "";
    for (int q = 0; q < ROBOFLOW_QUANTIZATIONS; q++) {
      strncat(order, roboflow_quantization_name(wish.quantizations[q]), 16);
      strncat(order, " ", 2);
    }
    assert_string_equal(order, cases[i].order);
  }
  static const struct form exact = {"a", 1, ROBOFLOW_FP32, 0, 17, NULL, NULL};
  static const struct form small = {"b", 1, ROBOFLOW_INT8, 0, 17, NULL, NULL};
  struct roboflow_wish wish = wish_of("int8", NULL);
  check(&small, &exact, &wish, "its quantization is preferred",
        "another quantization is preferred");
}

static void test_what_cannot_be_used_is_never_chosen(void **state) {
  static const struct {
    struct form form;
    const char *providers;
    const char *problem;
  } cases[] = {
      {{"a", 1, ROBOFLOW_FP32, 0, 17, "[\"CPUExecutionProvider\"]", NULL},
       NULL,
       "does not run on CPU"},
      {{"a", 1, ROBOFLOW_FP32, 0, 17, "[\"cuda\"]", NULL},
       "OpenVINO(device=GPU,x=1), CUDAExecutionProvider!",
       "does not run on CUDAExecutionProvider"},
      {{"a", 1, ROBOFLOW_FP32, 0, 17, NULL, "environment.json"},
       NULL,
       "environment.json is missing: a model for object-detection needs it"},
      {{"a", 1, ROBOFLOW_FP32, 0, 17, NULL, "class_names.txt"},
       NULL,
       "class_names.txt is missing: a model for object-detection needs it"},
  };
  static const struct form poor = {"b", 0, ROBOFLOW_QUANTIZATION_UNKNOWN, 64, 1, NULL, NULL};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct roboflow_wish wish = wish_of(NULL, cases[i].providers);
    check(&poor, &cases[i].form, &wish, "the only one that can be used", cases[i].problem);
    HOIST_AUTO(roboflow_packages) struct roboflow_packages alone = make_all(&cases[i].form, 1);
    assert_true(roboflow_choose(&alone, &wish) == ROBOFLOW_NONE);
  }
}

static void test_one_with_its_environment_is_better_than_one_that_only_describes_itself(
    void **state) {
  static const struct form whole = {"b", 0, ROBOFLOW_QUANTIZATION_UNKNOWN, 64, 1, NULL, NULL};
  static const struct form half = {"a", 1, ROBOFLOW_FP32, 0, 20, NULL, "environment.json"};
  const struct form forms[] = {half, whole};
  struct roboflow_wish wish = wish_of(NULL, NULL);
  HOIST_AUTO(roboflow_packages) struct roboflow_packages p = make_all(forms, 2);
  char reason[ROBOFLOW_REASON_SIZE];
  add_file(&p.items[0].files, "inference_config.json", NULL);
  assert_int_equal(roboflow_choose(&p, &wish), 1);
  assert_string_equal(roboflow_reason(&p, &wish, 1, 0, reason),
                      "it lacks environment.json, and another one has it");
  HOIST_AUTO(roboflow_packages) struct roboflow_packages alone = make_all(&half, 1);
  add_file(&alone.items[0].files, "inference_config.json", NULL);
  assert_int_equal(roboflow_choose(&alone, &wish), 0);
  assert_int_equal(alone.items[0].is_complete, 0);
}

static void test_a_provider_that_is_not_wished_for_does_not_matter(void **state) {
  static const struct form form = {"a", 1, ROBOFLOW_FP32, 0, 17, "[\"TensorrtExecutionProvider\"]",
                                   NULL};
  static const char *const providers[] = {NULL, "", "CPU", "CUDA(device_id=0)", "Tensor"};
  for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
    struct roboflow_wish wish = wish_of(NULL, providers[i]);
    HOIST_AUTO(roboflow_packages) struct roboflow_packages p = make_all(&form, 1);
    assert_int_equal(roboflow_choose(&p, &wish), 0);
  }
}

static struct form random_form(unsigned *seed, char id[8]) {
  snprintf(id, 8, "p%d", rand_r(seed) % 100);
  return (struct form){id,
                       rand_r(seed) % 2,
                       (enum roboflow_quantization)(rand_r(seed) % ROBOFLOW_QUANTIZATIONS),
                       rand_r(seed) % 3,
                       17 + rand_r(seed) % 3,
                       rand_r(seed) % 4 == 0 ? "[\"CPU\"]" : NULL,
                       NULL};
}

/* The criteria written down once more, as one number: whoever has more of it is better. */
static int64_t worth(const struct form *f) {
  int64_t worth = f->is_trusted;
  worth = worth * 10 + (ROBOFLOW_QUANTIZATIONS - (int)f->quantization);
  worth = worth * 10 + (f->static_batch == 0);
  worth = worth * 10 + (9 - f->static_batch);
  return worth * 100 + f->opset;
}

static void test_the_best_is_found_among_any(void **state) {
  unsigned seed = 7;
  struct roboflow_wish wish = wish_of(NULL, NULL);
  for (int round = 0; round < 2000; round++) {
    struct form forms[MAX];
    char ids[MAX][8];
    size_t count = 1 + (size_t)rand_r(&seed) % MAX;
    for (size_t i = 0; i < count; i++)
      forms[i] = random_form(&seed, ids[i]);
    HOIST_AUTO(roboflow_packages) struct roboflow_packages p = make_all(forms, count);
    size_t chosen = roboflow_choose(&p, &wish);
    for (size_t i = 0; i < count; i++) {
      if (forms[i].incompatible) {
        assert_true(chosen != i);
        continue;
      }
      assert_true(chosen != ROBOFLOW_NONE);
      int64_t ahead = worth(&forms[chosen]) - worth(&forms[i]);
      if (ahead < 0 || (ahead == 0 && strcmp(forms[chosen].id, forms[i].id) > 0))
        fail_msg("round %d: %zu was chosen, %zu is better", round, chosen, i);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_criterion_decides_where_those_before_it_do_not),
      cmocka_unit_test(test_the_caller_decides_what_is_preferred),
      cmocka_unit_test(test_what_cannot_be_used_is_never_chosen),
      cmocka_unit_test(test_one_with_its_environment_is_better_than_one_that_only_describes_itself),
      cmocka_unit_test(test_a_provider_that_is_not_wished_for_does_not_matter),
      cmocka_unit_test(test_the_best_is_found_among_any),
  };
  return cmocka_run_group_tests_name("roboflow_choice", tests, NULL, NULL);
}
