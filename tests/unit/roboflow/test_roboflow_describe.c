/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoints are asked for which id, in which order, and what is made of what each says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <hoist/hoist.h>

#include "roboflow_family.h"
#include "roboflow_world.h"

#define HEAD                                                                                       \
  "{\"modelMetadata\": {\"type\": \"external-model-metadata-v1\", \"modelId\": \"x\", "            \
  "\"modelArchitecture\": \"%s\", \"taskType\": \"%s\", "
#define PACKAGE                                                                                    \
  "{\"type\": \"external-model-package-v1\", \"packageId\": \"%s\", \"packageManifest\": "         \
  "{\"type\": "                                                                                    \
  "\"%s\", \"backendType\": \"onnx\", \"dynamicBatchSize\": true, \"quantization\": \"%s\", "      \
  "\"opset\": 17}, \"trustedSource\": true, \"packageFiles\": [{\"fileHandle\": "                  \
  "\"weights.onnx\", "                                                                             \
  "\"downloadUrl\": \"%s/w?X-Amz-Signature=" SIGNATURE "\", \"md5Hash\": \"" MD5_HEX "\"}, "       \
  "{\"fileHandle\": \"environment.json\", \"downloadUrl\": \"%s/env?X-Amz-Signature=" SIGNATURE    \
  "\"}]}"
#define ONNX "onnx-model-package-v1"

static void make_page(char page[2048], struct world *w, const char *id, const char *type,
                      const char *quantization, const char *next) {
  const char *storage = script_server_url(w->storage);
  char tail[64] = "";
  if (next) snprintf(tail, sizeof tail, ", \"nextPage\": \"%s\"", next);
  snprintf(page, 2048, HEAD "\"modelPackages\": [" PACKAGE "]%s}}", "vit-base", "classification",
           id, type, quantization, storage, storage, tail);
}

/* ---- which endpoints --------------------------------------------------------------------------- */

static void test_each_kind_of_id_has_its_endpoints(void **state) {
  static const struct {
    const char *id;
    const char *endpoints;
  } cases[] = {
      {"coco/3", "/ort /owlv2 "},
      {"coco/0", "/ort /owlv2 "},
      {"coco", "/getWeights "},
      {"coco/latest", "/getWeights "},
      {"coco/3a", "/getWeights "},
      {"workspace/coco/3", "/getWeights "},
      {"clip", "/core_model "},
      {"clip/ViT-B-16", "/core_model "},
      {"CLIP/ViT-B-16", "/core_model "},
      {"sam/vit_h", "/core_model "},
      {"sam2/hiera_large", "/core_model "},
      {"sam3/sam3_final", "/core_model "},
      {"doctr/default", "/core_model "},
      {"doctr_rec/crnn_vgg16_bn", "/core_model "},
      {"easy_ocr/english_g2", "/core_model "},
      {"trocr/trocr-base-printed", "/core_model "},
      {"gaze/L2CS", "/core_model "},
      {"grounding_dino/default", "/core_model "},
      {"yolo_world/l", "/core_model "},
      {"perception_encoder/PE-Core-L14-336", "/core_model "},
      {"owlv2/owlv2-large-patch14-ensemble", "/core_model "},
      {"clip/a/b", "/getWeights "},
      {"clipart/1", "/ort /owlv2 "},
      {"cli/1", "/ort /owlv2 "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    enum roboflow_family families[ROBOFLOW_MAX_FAMILIES];
    struct model_id id = world_id(cases[i].id);
    char found[128] = "";
    size_t count = roboflow_families_of(&id, families);
    assert_int_equal(families[0], ROBOFLOW_PACKAGES);
    for (size_t f = 1; f < count; f++) {
      strncat(found, roboflow_endpoint(families[f]), 32);
      strncat(found, " ", 2);
    }
    if (strcmp(found, cases[i].endpoints) != 0) fail_msg("%s: %s", cases[i].id, found);
  }
}

static void test_packages_are_asked_for_first_with_the_key_in_a_header(void **state) {
  struct world *w = *state;
  assert_int_equal(world_describe(w, "acme/coins b"), HOIST_OK);
  world_assert_asked(w->api, 0,
                     "GET /models/v1/external/weights?modelId=acme%2Fcoins+b HTTP/1.1\r\n");
  world_assert_asked(w->api, 0, "Authorization: Bearer " KEY "\r\n");
  world_assert_asked(w->api, 0, "X-Roboflow-Inference-Version: " HOIST_VERSION "\r\n");
  world_assert_asked(w->api, 0, "X-Allow-Chunked: true\r\n");
  assert_null(strstr(script_server_request(w->api, 0), "api_key"));
  assert_null(strstr(script_server_request(w->api, 1), "Authorization"));
}

static void test_without_a_key_there_is_no_authorization(void **state) {
  struct world *w = *state;
  struct roboflow_options options = world_options(w);
  options.api_key = "local";
  world_open(w, &options);
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_null(strstr(script_server_request(w->api, 0), "Authorization"));
}

static void test_an_endpoint_that_does_not_have_it_lets_the_next_one_try(void **state) {
  static const struct {
    int status;
    const char *page;
  } cases[] = {{404, NULL}, {400, NULL}, {405, NULL},
               {410, NULL}, {501, NULL}, {200, "{\"error\": \"endpoint not found\"}"}};
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    w->packages_status = cases[i].status;
    w->pages[0] = cases[i].page;
    assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
    assert_null(w->m.package_id);
    w->f.sleep_count = 0;
  }
}

static void test_an_endpoint_that_refuses_or_fails_is_the_end_of_it(void **state) {
  static const struct {
    int http_status;
    const char *page;
    enum hoist_status status;
  } cases[] = {{401, NULL, HOIST_DENIED},      {402, NULL, HOIST_DENIED},
               {403, NULL, HOIST_DENIED},      {423, NULL, HOIST_DENIED},
               {503, NULL, HOIST_UNAVAILABLE}, {200, "<html>", HOIST_CORRUPT}};
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    w->packages_status = cases[i].http_status;
    w->pages[0] = cases[i].page;
    assert_int_equal(world_describe(w, "coins/1"), cases[i].status);
    assert_int_equal(world_older_requests(w), 0);
    assert_non_null(strstr(w->err.message, "model \"coins/1\": "));
    w->f.sleep_count = 0;
  }
}

static void test_a_model_that_no_endpoint_has_is_not_found(void **state) {
  struct world *w = *state;
  w->api_status = 404;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_NOT_FOUND);
  assert_non_null(strstr(w->err.message, "has no such model: check the id"));
  world_assert_older_asked(w, 0, "GET /ort/coins/1?");
  world_assert_older_asked(w, 1,
                           "GET /owlv2/coins/1?nocache=true&device=dev+1&dynamic=true&api_key=");
  const struct fake_span *last = fake_span(w->tracer, "roboflow_api.call", 2);
  assert_string_equal(fake_attr(last, "roboflow_api.function"), "get_owlv2_model");
  assert_int_equal(last->errors, 1);
  assert_int_equal(fake_span(w->tracer, "roboflow_api.call", 1)->errors, 0);
}

/* ---- core models, OWLv2 ------------------------------------------------------------------------- */

static void test_a_core_model_is_a_bundle_of_files_named_by_their_urls(void **state) {
  struct world *w = *state;
  w->api_body = "{\"weights\": {\"visual\": \"https://s/clip/visual.onnx?X-Amz-Signature=" SIGNATURE
                "\", \"textual\": \"https://s/clip/textual.onnx#x/y\"}}";
  assert_int_equal(world_describe(w, "clip/ViT-B-16"), HOIST_OK);
  world_assert_older_asked(
      w, 0, "GET /core_model/clip/ViT-B-16?nocache=true&device=dev+1&dynamic=true&api_key=");
  assert_int_equal(w->m.file_count, 2);
  assert_int_equal(w->m.is_bundle, 1);
  assert_non_null(world_file(w, "visual.onnx")->locator);
  assert_non_null(world_file(w, "textual.onnx")->locator);
  assert_string_equal(
      fake_attr(fake_span(w->tracer, "roboflow_api.call", 1), "roboflow_api.function"),
      "get_core_model");
}

static void test_odd_core_models_are_corrupt(void **state) {
  static const struct {
    const char *body;
    const char *message;
  } cases[] = {
      {"{}", "weights: expected an object, but it is missing"},
      {"{\"weights\": {}}", "weights: there is no file in it"},
      {"{\"weights\": {\"a\": 1}}", "weights.a: expected a URL string, found a number"},
      {"{\"weights\": {\"a\": \"https://s\"}}", "no file name at the end of its path"},
      {"{\"weights\": {\"a\": \"https://s/x/?TOPSECRET\"}}", "no file name at the end of its path"},
  };
  struct world *w = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    w->api_body = cases[i].body;
    assert_int_equal(world_describe(w, "sam/vit_h"), HOIST_CORRUPT);
    if (!strstr(w->err.message, cases[i].message)) fail_msg("%zu: %s", i, w->err.message);
  }
}

static void test_owlv2_weights_come_from_two_endpoints(void **state) {
  struct world *w = *state;
  w->api_body = "{\"modelFiles\": {\"owlv2\": {\"model\": \"https://s/m\"}}}";
  assert_int_equal(world_describe(w, "acme/owl"), HOIST_OK);
  assert_int_equal(w->m.is_bundle, 1);
  assert_string_equal(world_file(w, "weights.pt")->locator, "https://s/m");
}

/* ---- packages ----------------------------------------------------------------------------------- */

static void test_the_chosen_package_is_the_manifest(void **state) {
  struct world *w = *state;
  char page[2048];
  struct digest md5;
  make_page(page, w, "p1", ONNX, "fp32", NULL);
  w->pages[0] = page;
  assert_true(digest_from_hex(DIGEST_MD5, MD5_HEX, &md5));
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(world_older_requests(w), 0);
  assert_string_equal(w->m.package_id, "p1");
  assert_string_equal(w->m.task_type, "classification");
  assert_string_equal(w->m.model_type, "vit-base");
  assert_int_equal(w->m.is_bundle, 0);
  /* Under the name by which the reference server looks for a ViT's weights. */
  assert_true(digest_equal(&world_file(w, "best.onnx")->digest, &md5));
  assert_null(world_file(w, "environment.json")->content);
  const struct fake_span *span = fake_span(w->tracer, "roboflow_api.call", 0);
  assert_string_equal(fake_attr(span, "roboflow_api.function"), "get_model_packages");
  assert_string_equal(fake_attr(span, "roboflow_api.package_id"), "p1");
  struct received r = {0};
  assert_int_equal(world_fetch(w, "best.onnx", &r), HOIST_OK);
}

static void test_pages_are_followed_and_the_best_of_all_is_taken(void **state) {
  struct world *w = *state;
  char pages[3][2048];
  make_page(pages[0], w, "p1", ONNX, "int8", "t/2");
  make_page(pages[1], w, "p2", ONNX, "fp32", "t3");
  make_page(pages[2], w, "p3", ONNX, "fp16", NULL);
  for (int i = 0; i < 3; i++)
    w->pages[i] = pages[i];
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_string_equal(w->m.package_id, "p2");
  assert_int_equal(script_server_requests(w->api), 3);
  world_assert_asked(w->api, 1, "weights?modelId=coins%2F1&startAfter=t%2F2 HTTP");
  world_assert_asked(w->api, 2, "weights?modelId=coins%2F1&startAfter=t3 HTTP");
  assert_int_equal(fake_span_count(w->tracer, "roboflow_api.call"), 1);
}

static void test_no_more_than_ten_pages_are_asked_for(void **state) {
  struct world *w = *state;
  char page[2048];
  make_page(page, w, "p1", ONNX, "fp32", "again");
  w->pages[0] = page;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_int_equal(script_server_requests(w->api), 10);
}

static void test_the_caller_says_what_quantization_is_best(void **state) {
  struct world *w = *state;
  char pages[2][2048];
  make_page(pages[0], w, "p1", ONNX, "int8", "2");
  make_page(pages[1], w, "p2", ONNX, "fp32", NULL);
  w->pages[0] = pages[0];
  w->pages[1] = pages[1];
  struct roboflow_options options = world_options(w);
  options.quantization = "int8";
  world_open(w, &options);
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_string_equal(w->m.package_id, "p1");
}

static void test_packages_of_no_use_lead_to_the_older_endpoint(void **state) {
  struct world *w = *state;
  char page[2048];
  make_page(page, w, "p1", "trt-model-package-v1", "fp32", NULL);
  w->pages[0] = page;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_null(w->m.package_id);
  const struct fake_span *span = fake_span(w->tracer, "roboflow_api.call", 0);
  assert_int_equal(span->errors, 0);
  assert_string_equal(fake_attr(span, "roboflow_api.outcome"), "unsupported");
}

static void test_packages_of_no_use_and_nothing_else_are_unsupported(void **state) {
  struct world *w = *state;
  char page[2048];
  make_page(page, w, "p1", "trt-model-package-v1", "fp32", NULL);
  w->pages[0] = page;
  w->api_status = 404;
  assert_int_equal(world_describe(w, "coins/1"), HOIST_UNSUPPORTED);
  assert_non_null(
      strstr(w->err.message, "none of its 1 packages can be used here; p1: for TensorRT"));
  w->pages[0] = "{\"modelMetadata\": {\"type\": \"external-model-metadata-v1\", "
                "\"modelArchitecture\": \"florence\", \"modelDependencies\": [{\"name\": \"base\", "
                "\"modelId\": \"florence/base\"}], \"modelPackages\": []}}";
  assert_int_equal(world_describe(w, "coins/1"), HOIST_UNSUPPORTED);
  assert_non_null(
      strstr(w->err.message, "does not work without other models (base: florence/base)"));
  w->pages[0] = "{\"modelMetadata\": {\"type\": \"external-model-metadata-v1\", "
                "\"modelArchitecture\": \"florence\", \"modelPackages\": []}}";
  assert_int_equal(world_describe(w, "coins/1"), HOIST_UNSUPPORTED);
  assert_non_null(strstr(w->err.message, "has no package of it"));
}

static void note_warning(void *user, const struct hoist_progress *event) {
  struct world *w = user;
  if (event->kind != HOIST_PROGRESS_WARNING) return;
  w->warnings++;
  snprintf(w->warning, sizeof w->warning, "%s", event->message);
}

static void test_packages_of_unknown_types_are_skipped_with_a_warning(void **state) {
  struct world *w = *state;
  char pages[2][2048];
  w->f.call.progress = note_warning;
  w->f.call.progress_user = w;
  make_page(pages[0], w, "p1", "coreml-model-package-v1", "fp32", "2");
  make_page(pages[1], w, "p2", ONNX, "fp32", NULL);
  w->pages[0] = pages[0];
  w->pages[1] = pages[1];
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  assert_string_equal(w->m.package_id, "p2");
  assert_int_equal(w->warnings, 1);
  assert_string_equal(w->warning, "model \"coins/1\": 1 of 2 packages skipped; p1: of the type "
                                  "\"coreml-model-package-v1\", which this hoist does not know: a "
                                  "newer one may");
}

/* ---- why ---------------------------------------------------------------------------------------- */

static void note_candidate(void *user, const struct source_candidate *c) {
  struct buf *text = user;
  assert_int_equal(buf_printf(text, NULL, "%s%s %s: %s\n", c->is_chosen ? "* " : "", c->endpoint,
                              c->package_id ? c->package_id : "-", c->reason),
                   HOIST_OK);
}

static void assert_explained(struct world *w, enum hoist_status status, const char *expected) {
  HOIST_AUTO(buf) struct buf text = buf_make(4096);
  const struct source_visitor visitor = {.user = &text, .visit = note_candidate};
  struct model_id id = world_id("coins/1");
  assert_int_equal(w->source->ops->explain(&w->f.call, w->source, &id, &visitor, &w->err), status);
  assert_string_equal(buf_str(&text), expected);
}

static void test_what_was_weighed_is_told(void **state) {
  struct world *w = *state;
  char pages[2][2048];
  make_page(pages[0], w, "p1", ONNX, "int8", "2");
  make_page(pages[1], w, "p2", ONNX, "fp32", NULL);
  assert_explained(w, HOIST_OK,
                   "/models/v1/external/weights -: model \"coins/1\": the Roboflow API has no such "
                   "model: check the id and the API key's workspace (HTTP status 404)\n"
                   "* /ort -: it has the model\n"
                   "/owlv2 -: not asked: an endpoint before it has the model\n");
  w->pages[0] = pages[0];
  w->pages[1] = pages[1];
  assert_explained(w, HOIST_OK,
                   "/models/v1/external/weights p1: another quantization is preferred\n"
                   "* /models/v1/external/weights p2: its quantization is preferred\n"
                   "* /models/v1/external/weights -: it has the model\n"
                   "/ort -: not asked: an endpoint before it has the model\n"
                   "/owlv2 -: not asked: an endpoint before it has the model\n");
  assert_int_equal(script_server_requests(w->storage), 0);
}

/* ---- access ------------------------------------------------------------------------------------- */

static enum hoist_status check_access(struct world *w) {
  struct model_id id = world_id("coins/1");
  return w->source->ops->check_access(&w->f.call, w->source, &id, &w->err);
}

static void test_an_endpoint_that_refuses_keeps_the_others_from_being_asked(void **state) {
  struct world *w = *state;
  w->packages_status = 403;
  assert_explained(
      w, HOIST_DENIED,
      "/models/v1/external/weights -: model \"coins/1\": the Roboflow API forbids it: check "
      "the scopes of the API key and its workspace (HTTP status 403)\n"
      "/ort -: not asked: one before it could not say whether it has the model\n"
      "/owlv2 -: not asked: one before it could not say whether it has the model\n");
}

static void test_access_is_checked_by_stat_and_else_by_the_older_endpoint(void **state) {
  struct world *w = *state;
  w->stat_body = "{\"modelMetadata\": {\"modelArchitecture\": \"yolov8\"}}";
  assert_int_equal(check_access(w), HOIST_OK);
  world_assert_asked(w->api, 0, "GET /models/v1/external/stat?modelId=coins%2F1 HTTP/1.1\r\n");
  world_assert_asked(w->api, 0, "Authorization: Bearer " KEY "\r\n");
  assert_int_equal(script_server_requests(w->api), 1);
  const struct fake_span *span = fake_span(w->tracer, "roboflow_api.call", 0);
  assert_string_equal(fake_attr(span, "roboflow_api.function"), "get_model_metadata");
  w->stat_body = NULL;
  assert_int_equal(check_access(w), HOIST_OK);
  world_assert_asked(w->api, 2, "GET /ort/coins/1?");
  w->api_status = 401;
  assert_int_equal(check_access(w), HOIST_DENIED);
  w->api_status = 404;
  assert_int_equal(check_access(w), HOIST_NOT_FOUND);
  assert_int_equal(script_server_requests(w->storage), 0);
}

/* ---- old URLs ----------------------------------------------------------------------------------- */

static void test_a_file_is_not_begun_from_an_old_url(void **state) {
  struct world *w = *state;
  struct received r = {0};
  struct roboflow_options options = world_options(w);
  options.url_lifetime_ms = 1;
  world_open(w, &options);
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  int asked = w->generation;
  nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  assert_int_equal(w->generation, asked + 1);
  assert_int_equal(world_generation_of(world_file(w, "weights.onnx")->locator), asked + 1);
  /* An API that fails meanwhile does not take away what still works. */
  nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  w->api_status = 401;
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
}

static void test_a_young_url_is_used_as_it_is(void **state) {
  struct world *w = *state;
  struct received r = {0};
  assert_int_equal(world_describe(w, "coins/1"), HOIST_OK);
  int asked = w->generation;
  assert_int_equal(world_fetch(w, "weights.onnx", &r), HOIST_OK);
  assert_int_equal(w->generation, asked);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_kind_of_id_has_its_endpoints),
      WORLD_TEST(test_packages_are_asked_for_first_with_the_key_in_a_header),
      WORLD_TEST(test_without_a_key_there_is_no_authorization),
      WORLD_TEST(test_an_endpoint_that_does_not_have_it_lets_the_next_one_try),
      WORLD_TEST(test_an_endpoint_that_refuses_or_fails_is_the_end_of_it),
      WORLD_TEST(test_a_model_that_no_endpoint_has_is_not_found),
      WORLD_TEST(test_a_core_model_is_a_bundle_of_files_named_by_their_urls),
      WORLD_TEST(test_odd_core_models_are_corrupt),
      WORLD_TEST(test_owlv2_weights_come_from_two_endpoints),
      WORLD_TEST(test_the_chosen_package_is_the_manifest),
      WORLD_TEST(test_pages_are_followed_and_the_best_of_all_is_taken),
      WORLD_TEST(test_no_more_than_ten_pages_are_asked_for),
      WORLD_TEST(test_the_caller_says_what_quantization_is_best),
      WORLD_TEST(test_packages_of_no_use_lead_to_the_older_endpoint),
      WORLD_TEST(test_packages_of_no_use_and_nothing_else_are_unsupported),
      WORLD_TEST(test_packages_of_unknown_types_are_skipped_with_a_warning),
      WORLD_TEST(test_what_was_weighed_is_told),
      WORLD_TEST(test_an_endpoint_that_refuses_keeps_the_others_from_being_asked),
      WORLD_TEST(test_access_is_checked_by_stat_and_else_by_the_older_endpoint),
      WORLD_TEST(test_a_file_is_not_begun_from_an_old_url),
      WORLD_TEST(test_a_young_url_is_used_as_it_is),
  };
  return cmocka_run_group_tests_name("roboflow_describe", tests, NULL, NULL);
}
