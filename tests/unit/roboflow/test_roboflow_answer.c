/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of the Roboflow API's answers, without a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roboflow_answer.h"

static const char *content(const struct manifest *m, const char *name) {
  const struct manifest_file *file = manifest_find(m, name);
  assert_non_null(file);
  assert_non_null(file->content);
  assert_int_equal(file->size, strlen(file->content));
  return file->content;
}

static void test_a_full_ort_answer_becomes_a_manifest(void **state) {
  static const char json[] =
      "{\"ort\": {\"name\": \"coins\", \"type\": \"keypoint-detection\", \"modelType\": "
      "\"yolov11n\","
      " \"modelVariant\": \"nano\", \"classes\": [\"cent\", \"d\\u00eeme\"], \"colors\": "
      "{\"cent\": "
      "\"#c0ffee\"}, \"environment\": \"https://s/env?sig=1\", \"model\": \"https://s/w?sig=2\","
      " \"keypoints_metadata\": [{\"object_class_id\": 0, \"keypoints\": {\"0\": \"edge\"}}],"
      " \"weights\": {\"extra.bin\": \"http://s/x\"}}, \"unknown\": 1}";
  HOIST_AUTO(roboflow_answer) struct roboflow_answer a = {0};
  assert_int_equal(roboflow_read_ort(json, sizeof json - 1, &a, NULL), HOIST_OK);
  struct manifest *m = &a.manifest;
  assert_string_equal(m->task_type, "keypoint-detection");
  assert_string_equal(m->model_type, "yolov11n");
  assert_string_equal(m->model_variant, "nano");
  assert_string_equal(a.environment_url, "https://s/env?sig=1");
  assert_int_equal(m->file_count, 4);
  assert_string_equal(manifest_find(m, "weights.onnx")->locator, "https://s/w?sig=2");
  assert_int_equal(manifest_find(m, "weights.onnx")->size, FILE_SIZE_UNKNOWN);
  assert_string_equal(manifest_find(m, "extra.bin")->locator, "http://s/x");
  assert_string_equal(content(m, "class_names.txt"), "cent\nd\xc3\xaeme\n");
  assert_string_equal(content(m, "keypoints_metadata.json"),
                      "[{\"object_class_id\": 0, \"keypoints\": {\"0\": \"edge\"}}]\n");
  static const char environment[] = "{\"PREPROCESSING\": \"{}\", \"COLORS\": \"old\"}";
  assert_int_equal(roboflow_add_environment(&a, environment, sizeof environment - 1, NULL),
                   HOIST_OK);
  assert_string_equal(content(m, "environment.json"),
                      "{\"PREPROCESSING\": \"{}\", \"COLORS\": {\"cent\": \"#c0ffee\"}}\n");
}

static void test_an_environment_without_colors_stays_byte_for_byte(void **state) {
  static const char json[] =
      "{\"ort\": {\"environment\": \"http://s/e\", \"model\": \"http://s/m\"}}";
  static const char environment[] = "{ \"PREPROCESSING\":{},\n\"x\": 0.10 }";
  HOIST_AUTO(roboflow_answer) struct roboflow_answer a = {0};
  assert_int_equal(roboflow_read_ort(json, sizeof json - 1, &a, NULL), HOIST_OK);
  assert_int_equal(roboflow_add_environment(&a, environment, sizeof environment - 1, NULL),
                   HOIST_OK);
  assert_string_equal(content(&a.manifest, "environment.json"), environment);
}

static void test_an_environment_that_is_no_object_is_corrupt(void **state) {
  static const char *const texts[] = {"", "[]", "<Error/>", "{", "null"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct roboflow_answer a = {0};
    struct hoist_error err = {0};
    assert_int_equal(roboflow_add_environment(&a, texts[i], strlen(texts[i]), &err), HOIST_CORRUPT);
    assert_non_null(strstr(err.message, "environment.json: "));
    assert_int_equal(a.manifest.file_count, 0);
  }
}

static void test_a_weights_answer_has_its_environment_inside(void **state) {
  static const char json[] =
      "{\"modelFiles\": {\"ort\": {\"model\": \"https://s/w\"}}, \"environment\": "
      "{\"PREPROCESSING\": {}}, \"colors\": {\"a\": \"#000000\"}, \"classes\": [],"
      " \"taskType\": \"classification\", \"modelType\": \"vit-base\"}";
  HOIST_AUTO(roboflow_answer) struct roboflow_answer a = {0};
  assert_int_equal(roboflow_read_weights(json, sizeof json - 1, &a, NULL), HOIST_OK);
  assert_null(a.environment_url);
  assert_string_equal(a.manifest.task_type, "classification");
  assert_string_equal(manifest_find(&a.manifest, "best.onnx")->locator, "https://s/w");
  assert_string_equal(content(&a.manifest, "class_names.txt"), "");
  assert_string_equal(content(&a.manifest, "environment.json"),
                      "{\"PREPROCESSING\": {}, \"COLORS\": {\"a\": \"#000000\"}}\n");
}

static void test_a_missing_type_is_the_tasks_default(void **state) {
  static const struct {
    const char *json;
    const char *task_type;
    const char *model_type; /* NULL: none */
    const char *weights;
  } cases[] = {
      {"", "object-detection", "yolov5v2s", "yolov5s_weights.onnx"},
      {"\"type\": \"object-detection\", \"modelType\": \"ort\",", "object-detection", "yolov5v2s",
       "yolov5s_weights.onnx"},
      {"\"type\": \"instance-segmentation\",", "instance-segmentation", "yolact", "weights.onnx"},
      {"\"type\": \"classification\", \"modelType\": null,", "classification", "vit", "best.onnx"},
      {"\"type\": \"keypoint-detection\",", "keypoint-detection", "yolov8n", "weights.onnx"},
      {"\"type\": \"semantic-segmentation\",", "semantic-segmentation", NULL, "weights.onnx"},
      {"\"type\": \"semantic-segmentation\", \"modelType\": \"ort\",", "semantic-segmentation",
       NULL, "weights.onnx"},
      {"\"type\": \"classification\", \"modelType\": \"resnet18\",", "classification", "resnet18",
       "best.onnx"},
      {"\"type\": \"classification\", \"modelType\": \"dinov3\",", "classification", "dinov3",
       "best.onnx"},
      {"\"type\": \"classification\", \"modelType\": \"yolov8n\",", "classification", "yolov8n",
       "weights.onnx"},
      {"\"type\": \"instance-segmentation\", \"modelType\": \"yolov5s-seg\",",
       "instance-segmentation", "yolov5s-seg", "yolov5s_weights.onnx"},
      {"\"type\": \"keypoint-detection\", \"modelType\": \"yolov5x\",", "keypoint-detection",
       "yolov5x", "weights.onnx"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    HOIST_AUTO(buf) struct buf json = buf_make(1000);
    HOIST_AUTO(roboflow_answer) struct roboflow_answer a = {0};
    assert_int_equal(buf_printf(&json, NULL,
                                "{\"ort\": {%s \"environment\": \"http://s/e\", \"model\": "
                                "\"http://s/m\"}}",
                                cases[i].json),
                     HOIST_OK);
    assert_int_equal(roboflow_read_ort(json.data, json.size, &a, NULL), HOIST_OK);
    assert_string_equal(a.manifest.task_type, cases[i].task_type);
    if (cases[i].model_type)
      assert_string_equal(a.manifest.model_type, cases[i].model_type);
    else
      assert_null(a.manifest.model_type);
    assert_string_equal(a.manifest.files[0].name, cases[i].weights);
  }
}

#define URLS "\"environment\": \"http://s/e\", \"model\": \"http://s/m\""
#define FILES "\"modelFiles\": {\"ort\": {\"model\": \"http://s/m\"}}, \"environment\": {}"

typedef enum hoist_status reader(const char *json, size_t size, struct roboflow_answer *ret_answer,
                                 struct hoist_error *err);

static void test_malformed_answers_are_corrupt_and_say_where(void **state) {
  static const struct {
    reader *read;
    const char *json;
    const char *message;
  } cases[] = {
      {roboflow_read_ort, "", "the Roboflow API's answer: not JSON: it ends too early"},
      {roboflow_read_ort, "<html>", "the Roboflow API's answer: not JSON: syntax error"},
      {roboflow_read_ort, "{\"ort\": {\"model\": \"https://s/?X-Goog-Signature=SECRET", "not JSON"},
      {roboflow_read_ort, "[]", "answer: expected an object, found a list"},
      {roboflow_read_ort, "{}", "answer: ort: expected an object, but it is missing"},
      {roboflow_read_ort, "{\"ort\": null}", "ort: expected an object, but it is missing"},
      {roboflow_read_ort, "{\"ort\": [1]}", "ort: expected an object, found a list"},
      {roboflow_read_ort, "{\"ort\": {}}", "ort.model: expected a URL string, but it is missing"},
      {roboflow_read_ort, "{\"ort\": {\"model\": 5}}",
       "ort.model: expected a URL string, found a number"},
      {roboflow_read_ort, "{\"ort\": {\"model\": \"http://s/m\"}}",
       "ort.environment: expected a URL string, but it is missing"},
      {roboflow_read_ort, "{\"ort\": {\"model\": \"http://s/m\", \"environment\": {}}}",
       "ort.environment: expected a URL string, found an object"},
      {roboflow_read_ort, "{\"ort\": {\"model\": \"file:///etc/SECRET\"}}",
       "ort.model: expected an http or https URL"},
      {roboflow_read_ort, "{\"ort\": {\"model\": \"/SECRET\"}}", "expected an http or https URL"},
      {roboflow_read_ort, "{\"ort\": {\"model\": \"http://s/\\r\\nX: SECRET\"}}",
       "ort.model: a URL with a space or control character"},
      {roboflow_read_ort, "{\"ort\": {\"type\": 1, " URLS "}}",
       "ort.type: expected a string, found a number"},
      {roboflow_read_ort, "{\"ort\": {\"modelType\": {}, " URLS "}}",
       "ort.modelType: expected a string, found an object"},
      {roboflow_read_ort, "{\"ort\": {\"modelVariant\": [], " URLS "}}",
       "ort.modelVariant: expected a string"},
      {roboflow_read_ort, "{\"ort\": {\"classes\": {}, " URLS "}}",
       "ort.classes: expected a list, found an object"},
      {roboflow_read_ort, "{\"ort\": {\"classes\": [\"a\", 2], " URLS "}}",
       "ort.classes[1]: expected a string, found a number"},
      {roboflow_read_ort, "{\"ort\": {\"classes\": [\"a\\nb\"], " URLS "}}",
       "ort.classes[0]: a class name with a line break"},
      {roboflow_read_ort, "{\"ort\": {\"colors\": [], " URLS "}}",
       "ort.colors: expected an object, found a list"},
      {roboflow_read_ort, "{\"ort\": {\"keypoints_metadata\": {}, " URLS "}}",
       "ort.keypoints_metadata: expected a list, found an object"},
      {roboflow_read_ort, "{\"ort\": {\"weights\": [], " URLS "}}",
       "ort.weights: expected an object, found a list"},
      {roboflow_read_ort, "{\"ort\": {\"weights\": {\"x.bin\": 1}, " URLS "}}",
       "ort.weights.x.bin: expected a URL string, found a number"},
      {roboflow_read_weights, "{}",
       "modelFiles.ort.model: expected a URL string, but it is missing"},
      {roboflow_read_weights, "{\"modelFiles\": [], \"environment\": {}}",
       "modelFiles.ort.model: expected a URL string, but it is missing"},
      {roboflow_read_weights, "{\"modelFiles\": {\"ort\": {\"model\": \"http://s/m\"}}}",
       "environment: expected an object, but it is missing"},
      {roboflow_read_weights,
       "{\"modelFiles\": {\"ort\": {\"model\": \"http://s/m\"}}, \"environment\": \"http://s/e\"}",
       "environment: expected an object, found a string"},
      {roboflow_read_weights, "{\"taskType\": 1, " FILES "}",
       "taskType: expected a string, found a number"},
      {roboflow_read_weights, "{\"classes\": \"a\", " FILES "}",
       "classes: expected a list, found a string"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct roboflow_answer a = {.environment_url = NULL};
    struct hoist_error err = {0};
    enum hoist_status status = cases[i].read(cases[i].json, strlen(cases[i].json), &a, &err);
    if (status != HOIST_CORRUPT || !strstr(err.message, cases[i].message))
      fail_msg("case %zu: %s", i, err.message);
    assert_null(strstr(err.message, "SECRET"));
    assert_int_equal(a.manifest.file_count, 0);
  }
}

static void test_an_answer_over_a_cap_is_corrupt(void **state) {
  HOIST_AUTO(buf) struct buf json = buf_make(ROBOFLOW_MAX_ANSWER_BYTES + 1024);
  struct roboflow_answer a;
  struct hoist_error err = {0};
  assert_int_equal(buf_append_str(&json, "{\"ort\": {" URLS ", \"weights\": {", NULL), HOIST_OK);
  for (int i = 0; i <= MANIFEST_MAX_FILES; i++)
    assert_int_equal(buf_printf(&json, NULL, "%s\"%d\": \"http://s/\"", i ? "," : "", i), HOIST_OK);
  assert_int_equal(buf_append_str(&json, "}}}", NULL), HOIST_OK);
  assert_int_equal(roboflow_read_ort(json.data, json.size, &a, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "more than 4096 files"));
  while (json.size <= ROBOFLOW_MAX_ANSWER_BYTES)
    assert_int_equal(buf_append_str(&json, " ", NULL), HOIST_OK);
  assert_int_equal(roboflow_read_ort(json.data, json.size, &a, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "8388609 bytes, more than the 8388608 allowed"));
  buf_clear(&json);
  assert_int_equal(buf_append_str(&json, "{\"ort\": {\"model\": \"http://s/", NULL), HOIST_OK);
  for (int i = 0; i < ROBOFLOW_MAX_URL_BYTES; i++)
    assert_int_equal(buf_append_str(&json, "x", NULL), HOIST_OK);
  assert_int_equal(buf_append_str(&json, "\"}}", NULL), HOIST_OK);
  assert_int_equal(roboflow_read_ort(json.data, json.size, &a, &err), HOIST_CORRUPT);
  assert_non_null(strstr(err.message, "ort.model: a URL of more than 8192 bytes"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_full_ort_answer_becomes_a_manifest),
      cmocka_unit_test(test_an_environment_without_colors_stays_byte_for_byte),
      cmocka_unit_test(test_an_environment_that_is_no_object_is_corrupt),
      cmocka_unit_test(test_a_weights_answer_has_its_environment_inside),
      cmocka_unit_test(test_a_missing_type_is_the_tasks_default),
      cmocka_unit_test(test_malformed_answers_are_corrupt_and_say_where),
      cmocka_unit_test(test_an_answer_over_a_cap_is_corrupt),
  };
  return cmocka_run_group_tests_name("roboflow_answer", tests, NULL, NULL);
}
