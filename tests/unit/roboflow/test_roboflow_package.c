/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pages of packages, and the answers about a model's type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roboflow_package.h"
#include "roboflow_shape.h"

#define MD5 "5d41402abc4b2a76b9719d911017c592"
#define HEAD                                                                                       \
  "{\"modelMetadata\": {\"type\": \"external-model-metadata-v1\", \"modelId\": \"coco/3\", "       \
  "\"modelArchitecture\": \"yolov8\", "
#define PACKAGES(list) HEAD "\"modelPackages\": [" list "]}}"
#define MANIFEST                                                                                   \
  "\"packageManifest\": {\"type\": \"onnx-model-package-v1\", \"backendType\": \"onnx\", "         \
  "\"dynamicBatchSize\": true, \"quantization\": \"fp32\", \"opset\": 17}"
#define FILES                                                                                      \
  "\"packageFiles\": [{\"fileHandle\": \"weights.onnx\", \"downloadUrl\": "                        \
  "\"https://s/w?SECRET\", "                                                                       \
  "\"md5Hash\": \"" MD5 "\"}]"
#define PACKAGE(id, rest)                                                                          \
  "{\"type\": \"external-model-package-v1\", \"packageId\": \"" id "\", " rest "}"

static enum hoist_status read_page(const char *json, struct roboflow_packages *packages,
                                   char **next, struct hoist_error *err) {
  return roboflow_read_page(json, strlen(json), 1, packages, next, err);
}

static void test_a_full_page_is_read(void **state) {
  static const char json[] =
      HEAD "\"modelVariant\": \"n\", \"taskType\": \"object-detection\", \"nextPage\": \"t 2\", "
           "\"recommendedParameters\": {\"confidence\": 0.4}, \"modelPackages\": ["
           "{\"type\": \"external-model-package-v1\", \"packageId\": \"a1\", \"packageManifest\": "
           "{\"type\": \"onnx-model-package-v1\", \"backendType\": \"onnx\", \"dynamicBatchSize\": "
           "false,"
           " \"staticBatchSize\": 4, \"quantization\": \"int8\", \"opset\": 19, "
           "\"incompatibleProviders\": [\"TensorrtExecutionProvider\"]}, \"trustedSource\": true, "
           "\"modelFeatures\": {}, \"packageFiles\": [{\"fileHandle\": \"weights.onnx\", "
           "\"downloadUrl\": "
           "\"https://s/w\", \"md5Hash\": \"" MD5 "\"}, {\"fileHandle\": \"environment.json\", "
           "\"downloadUrl\": \"https://s/e\"}]}]}}";
  HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
  HOIST_AUTO(mem) char *next = NULL;
  assert_int_equal(read_page(json, &p, &next, NULL), HOIST_OK);
  assert_string_equal(next, "t 2");
  assert_string_equal(p.task_type, "object-detection");
  assert_string_equal(p.model_type, "yolov8");
  assert_string_equal(p.model_variant, "n");
  assert_null(p.dependencies);
  assert_int_equal(p.count, 1);
  const struct roboflow_package *a = &p.items[0];
  assert_string_equal(a->problem, "");
  assert_string_equal(a->id, "a1");
  assert_true(a->is_onnx && a->is_trusted && !a->is_dynamic && !a->is_odd);
  assert_int_equal(a->static_batch, 4);
  assert_int_equal(a->opset, 19);
  assert_int_equal(a->quantization, ROBOFLOW_INT8);
  assert_int_equal(a->files.file_count, 2);
  struct digest md5;
  assert_true(digest_from_hex(DIGEST_MD5, MD5, &md5));
  assert_true(digest_equal(&a->files.files[0].digest, &md5));
  assert_int_equal(a->files.files[1].digest.kind, DIGEST_NONE);
  assert_string_equal(a->files.files[1].locator, "https://s/e");
  char facts[ROBOFLOW_FACTS_SIZE];
  assert_string_equal(roboflow_package_facts(a, facts),
                      "ONNX, int8, batch of 4, opset 19, trusted, 2 files");
}

static void test_hashes_are_no_promises_where_the_user_says_so(void **state) {
  static const char json[] = PACKAGES(PACKAGE("a", MANIFEST ", " FILES));
  HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
  HOIST_AUTO(mem) char *next = NULL;
  assert_int_equal(roboflow_read_page(json, sizeof json - 1, 0, &p, &next, NULL), HOIST_OK);
  assert_int_equal(p.items[0].files.files[0].digest.kind, DIGEST_NONE);
}

static void test_pages_add_up(void **state) {
  HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
  for (int i = 0; i < 3; i++) {
    HOIST_AUTO(mem) char *next = NULL;
    assert_int_equal(read_page(PACKAGES(PACKAGE("a", MANIFEST ", " FILES)), &p, &next, NULL),
                     HOIST_OK);
    assert_null(next);
  }
  assert_int_equal(p.count, 3);
}

static void test_dependencies_are_named(void **state) {
  static const char json[] =
      HEAD "\"modelDependencies\": [{\"type\": \"model-dependency-v1\", \"name\": \"vision\", "
           "\"modelId\": "
           "\"clip/x\"}, {\"name\": \"text\", \"modelId\": \"bert/1\"}], \"modelPackages\": []}}";
  HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
  HOIST_AUTO(mem) char *next = NULL;
  assert_int_equal(read_page(json, &p, &next, NULL), HOIST_OK);
  assert_string_equal(p.dependencies, "vision: clip/x, text: bert/1");
}

/* What is wrong with one package is no reason to do without the others. */
static void test_a_package_that_cannot_be_used_says_why(void **state) {
  static const struct {
    const char *json; /* of the package */
    const char *problem;
    int is_odd;
  } cases[] = {
      {"7",
       "it makes no sense: the Roboflow API's answer: modelMetadata.modelPackages[0]: expected an "
       "object, found a number",
       1},
      {"{}", "modelPackages[0].packageId: expected a string, but it is missing", 1},
      {"{\"packageId\": \"a/b\"}", "packageId: expected 1 to 255 letters and digits", 1},
      {"{\"packageId\": \"\"}", "packageId: expected 1 to 255 letters and digits", 1},
      {"{\"packageId\": \"a\", \"type\": \"external-model-package-v2\"}",
       "of the type \"external-model-package-v2\", which this hoist does not know", 1},
      {PACKAGE("a", "\"packageManifest\": {\"type\": \"trt-model-package-v1\"}"),
       "for TensorRT: hoist runs ONNX packages", 0},
      {PACKAGE("a", "\"packageManifest\": {\"type\": \"coreml-model-package-v1\"}"),
       "of the type \"coreml-model-package-v1\"", 1},
      {PACKAGE("a", "\"packageManifest\": {\"type\": \"onnx-model-package-v1\"}"),
       "backendType: expected a string, but it is missing", 1},
      {PACKAGE("a", "\"packageManifest\": {\"type\": \"onnx-model-package-v1\", \"backendType\": "
                    "\"trt\"}"),
       "backendType: expected onnx", 1},
#define ONNX(rest)                                                                                 \
  PACKAGE("a", "\"packageManifest\": {\"type\": \"onnx-model-package-v1\", \"backendType\": "      \
               "\"onnx\", " rest "}, " FILES)
      {ONNX("\"dynamicBatchSize\": true, \"staticBatchSize\": 1"),
       "staticBatchSize: there is a static batch size beside a dynamic one", 1},
      {ONNX("\"dynamicBatchSize\": false"), "staticBatchSize: expected a whole number", 1},
      {ONNX("\"dynamicBatchSize\": false, \"staticBatchSize\": 0"), "staticBatchSize", 1},
      {ONNX("\"dynamicBatchSize\": false, \"staticBatchSize\": -4"), "staticBatchSize", 1},
      {ONNX("\"dynamicBatchSize\": 1"), "dynamicBatchSize: expected", 1},
      {ONNX("\"dynamicBatchSize\": true"), "quantization: expected a string", 1},
      {ONNX("\"dynamicBatchSize\": true, \"quantization\": \"FP32\""),
       "quantization: expected fp32, fp16, bf16, int8 or unknown", 1},
      {ONNX("\"dynamicBatchSize\": true, \"quantization\": \"fp32\""), "opset: expected", 1},
      {ONNX("\"dynamicBatchSize\": true, \"quantization\": \"fp32\", \"opset\": 0"), "opset", 1},
      {ONNX("\"dynamicBatchSize\": true, \"quantization\": \"fp32\", \"opset\": 17, "
            "\"incompatibleProviders\": [1]"),
       "incompatibleProviders[0]: expected a string", 1},
      {PACKAGE("a", MANIFEST ", \"trustedSource\": \"yes please\", " FILES), "trustedSource", 1},
      {PACKAGE("a", MANIFEST), "packageFiles: expected a list, but it is missing", 1},
      {PACKAGE("a", MANIFEST ", \"packageFiles\": []"), "no weights file", 1},
#define FILE_OF(rest) PACKAGE("a", MANIFEST ", \"packageFiles\": [{" rest "}]")
      {FILE_OF("\"fileHandle\": \"../w.onnx\", \"downloadUrl\": \"https://s/\""),
       "file name \"../w.onnx\"", 1},
      {FILE_OF("\"fileHandle\": \"w.onnx\", \"downloadUrl\": \"file:///SECRET\""),
       "downloadUrl: expected an http or https URL", 1},
      {FILE_OF("\"fileHandle\": \"w.onnx\", \"downloadUrl\": \"https://s/\", \"md5Hash\": "
               "\"5D41402ABC4B2A76B9719D911017C592\""),
       "md5Hash: expected 32 lower-case hexadecimal digits", 1},
      {FILE_OF("\"fileHandle\": \"w.onnx\", \"downloadUrl\": \"https://s/\"}, {\"fileHandle\": "
               "\"w.onnx\", \"downloadUrl\": \"https://s/\""),
       "\"w.onnx\" occurs twice", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    HOIST_AUTO(buf) struct buf json = buf_make(8192);
    HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
    HOIST_AUTO(mem) char *next = NULL;
    assert_int_equal(buf_printf(&json, NULL, "%s\"modelPackages\": [%s, %s]}}", HEAD, cases[i].json,
                                PACKAGE("good", MANIFEST ", " FILES)),
                     HOIST_OK);
    assert_int_equal(read_page(json.data, &p, &next, NULL), HOIST_OK);
    assert_int_equal(p.count, 2);
    if (!strstr(p.items[0].problem, cases[i].problem))
      fail_msg("case %zu: %s", i, p.items[0].problem);
    assert_null(strstr(p.items[0].problem, "SECRET"));
    assert_int_equal(p.items[0].is_odd, cases[i].is_odd);
    assert_string_equal(p.items[1].problem, "");
  }
}

static void test_malformed_pages_say_where(void **state) {
  static const struct {
    const char *json;
    enum hoist_status status;
    const char *message;
  } cases[] = {
      {"<html>SECRET", HOIST_CORRUPT, "not JSON"},
      {"[]", HOIST_CORRUPT, "expected an object, found a list"},
      {"{}", HOIST_CORRUPT, "modelMetadata: expected an object, but it is missing"},
      {"{\"error\": \"endpoint not found SECRET\"}", HOIST_NOT_FOUND,
       "an error instead of a model"},
      {"{\"modelMetadata\": {}}", HOIST_CORRUPT, "modelMetadata.type: expected a string"},
      {"{\"modelMetadata\": {\"type\": \"external-model-metadata-v2\"}}", HOIST_CORRUPT,
       "type: not external-model-metadata-v1: a newer hoist may know it"},
      {"{\"modelMetadata\": {\"type\": \"external-model-metadata-v1\"}}", HOIST_CORRUPT,
       "modelArchitecture: expected a string"},
      {HEAD "\"taskType\": 1}}", HOIST_CORRUPT, "taskType: expected a string"},
      {HEAD "\"modelPackages\": {}}}", HOIST_CORRUPT, "modelPackages: expected a list"},
      {HEAD "\"modelDependencies\": {}, \"modelPackages\": []}}", HOIST_CORRUPT,
       "modelDependencies: expected a list"},
      {HEAD "\"modelDependencies\": [{\"name\": \"a\"}], \"modelPackages\": []}}", HOIST_CORRUPT,
       "modelDependencies[0].modelId: expected a string"},
      {HEAD "\"nextPage\": 2, \"modelPackages\": []}}", HOIST_CORRUPT,
       "nextPage: expected a string"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
    struct hoist_error err = {0};
    char *next = NULL;
    assert_int_equal(read_page(cases[i].json, &p, &next, &err), cases[i].status);
    if (!strstr(err.message, cases[i].message)) fail_msg("case %zu: %s", i, err.message);
    assert_null(strstr(err.message, "SECRET"));
    assert_null(next);
  }
}

static void test_more_packages_than_fit_are_corrupt(void **state) {
  HOIST_AUTO(buf) struct buf json = buf_make(1u << 20);
  HOIST_AUTO(roboflow_packages) struct roboflow_packages p = {0};
  struct hoist_error err = {0};
  char *next = NULL;
  assert_int_equal(buf_append_str(&json, HEAD "\"modelPackages\": [{}", NULL), HOIST_OK);
  for (int i = 0; i < ROBOFLOW_MAX_PACKAGES; i++)
    assert_int_equal(buf_append_str(&json, ",{}", NULL), HOIST_OK);
  assert_int_equal(buf_append_str(&json, "]}}", NULL), HOIST_OK);
  assert_int_equal(read_page(json.data, &p, &next, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "more than 1024 packages"));
}

static void test_stat_tells_the_type(void **state) {
  static const char json[] =
      "{\"modelMetadata\": {\"modelId\": \"coco/3\", \"modelArchitecture\": "
      "\"yolov8\", \"modelVariant\": \"n\", \"taskType\": \"object-detection\"}}";
  HOIST_AUTO(manifest) struct manifest m = {0};
  struct hoist_error err = {0};
  assert_int_equal(roboflow_read_stat(json, sizeof json - 1, &m, NULL), HOIST_OK);
  assert_string_equal(m.model_type, "yolov8");
  assert_string_equal(m.model_variant, "n");
  assert_string_equal(m.task_type, "object-detection");
  static const char wrong[] = "{\"modelMetadata\": {\"modelId\": \"coco/3\"}}";
  struct manifest unused = {0};
  assert_int_equal(roboflow_read_stat(wrong, sizeof wrong - 1, &unused, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "modelArchitecture"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_full_page_is_read),
      cmocka_unit_test(test_hashes_are_no_promises_where_the_user_says_so),
      cmocka_unit_test(test_pages_add_up),
      cmocka_unit_test(test_dependencies_are_named),
      cmocka_unit_test(test_a_package_that_cannot_be_used_says_why),
      cmocka_unit_test(test_malformed_pages_say_where),
      cmocka_unit_test(test_more_packages_than_fit_are_corrupt),
      cmocka_unit_test(test_stat_tells_the_type),
  };
  return cmocka_run_group_tests_name("roboflow_package", tests, NULL, NULL);
}
