/* SPDX-License-Identifier: Apache-2.0 */
/* The page of hoist info. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "info_text.h"

#define CREATED 1795359276

static const struct hoist_file files[] = {{"environment.json", 1200, "aa"},
                                          {"weights.onnx", 442000, "bb"}};
static const struct hoist_class classes[] = {{"face", "#ff0000"}, {"mask\033[2J", NULL}};
static const char *const names[] = {"left eye", "right eye"};
static const int64_t ids[] = {0, 4};
static const struct hoist_keypoint_edge edge = {.from = 0, .to = 4};
static const struct hoist_keypoints keypoints[] = {
    {.class_id = 0, .names = names, .ids = ids, .name_count = 2, .edges = &edge, .edge_count = 1}};
static const struct hoist_tensor input = {.name = "images",
                                          .type = "float32",
                                          .dim_count = 4,
                                          .dims = {-1, 3, 640, -1},
                                          .symbols = {"batch"}};

static struct hoist_info full(void) {
  return (struct hoist_info){.model_id = "faces/1",
                             .directory = "/cache/faces/1",
                             .source = "s3",
                             .created_unix_s = CREATED,
                             .total_bytes = 443200,
                             .files = files,
                             .file_count = 2,
                             .weights = "weights.onnx",
                             .task_type = "object-detection",
                             .model_type = "yolov8n",
                             .model_variant = "small",
                             .classes = classes,
                             .class_count = 2,
                             .preprocessing = {.present = 1,
                                               .auto_orient = 1,
                                               .grayscale = 1,
                                               .static_crop = 1,
                                               .crop_min = {10, 20},
                                               .crop_max = {90, 80},
                                               .contrast = HOIST_CONTRAST_ADAPTIVE,
                                               .contrast_type = "Adaptive Equalization",
                                               .resize = HOIST_RESIZE_FIT_BLACK,
                                               .resize_format = "Fit (black edges) in",
                                               .width = 640,
                                               .height = 480},
                             .keypoints = keypoints,
                             .keypoints_count = 1,
                             .onnxruntime_version = "1.30.0",
                             .execution_provider = "CPUExecutionProvider",
                             .refused_providers = "CUDA: no device",
                             .graph_cache = "hit",
                             .graph_detail = "mapped: 9.7 ms instead of 36.0",
                             .graph_bytes = 666432,
                             .inputs = &input,
                             .input_count = 1};
}

static void test_the_page_says_all_there_is_in_words(void **state) {
  struct capture c;
  capture_begin(&c);
  struct cli cli = {.out = c.stream, .out_term = {.unicode = true, .width = 100}};
  struct hoist_info info = full();
  info_print(&cli, &info, CREATED + 7200);
  assert_string_equal(capture_end(&c),
                      "faces/1\n"
                      "  task        object-detection\n"
                      "  type        yolov8n, variant small\n"
                      "  classes     2: face, mask?[2J\n"
                      "  keypoints   2 for face, 1 line between them: left eye, right eye\n"
                      "  input size  640 × 480 pixels\n"
                      "  images      turned upright, cropped to 10-90 % by 20-80 %, their "
                      "histogram equalised piece "
                      "by piece, made grey, fitted with black edges into 640 × 480\n"
                      "  inputs      images  float32 [batch, 3, 640, ?]\n"
                      "  session     ONNX Runtime 1.30.0, CPUExecutionProvider\n"
                      "  refused     CUDA: no device\n"
                      "  graph       hit, mapped: 9.7 ms instead of 36.0 (666 KB)\n"
                      "  files       environment.json   1.20 KB  sha256 aa\n"
                      "              weights.onnx        442 KB  sha256 bb\n"
                      "  size        443 KB\n"
                      "  source      s3, 2 hours ago (2026-11-22 14:54:36 UTC)\n"
                      "  directory   /cache/faces/1\n");
  capture_free(&c);
}

/* The words of one preprocessing. */
static void assert_images(struct hoist_preprocessing p, const char *words) {
  struct capture c;
  capture_begin(&c);
  struct cli cli = {.out = c.stream, .out_term = {.width = 100}};
  p.width = 8;
  p.height = 9;
  info_put_images(&cli, &p);
  assert_string_equal(capture_end(&c), words);
  capture_free(&c);
}

static void test_every_way_to_prepare_an_image_has_words(void **state) {
  assert_images((struct hoist_preprocessing){0}, "as they are");
  assert_images((struct hoist_preprocessing){.auto_orient = 1, .grayscale = 1},
                "turned upright, made grey");
  static const char *const resizes[] = {"as they are",
                                        "stretched to 8 x 9",
                                        "fitted with black edges into 8 x 9",
                                        "fitted with white edges into 8 x 9",
                                        "fitted with grey edges into 8 x 9",
                                        "fitted with reflected edges into 8 x 9",
                                        "fitted without edges into 8 x 9",
                                        "filled, cropped at the centre, into 8 x 9",
                                        "own?way 8 x 9"};
  for (int i = 0; i < 9; i++)
    assert_images(
        (struct hoist_preprocessing){.resize = (enum hoist_resize)i, .resize_format = "own\033way"},
        resizes[i]);
  static const char *const contrasts[] = {"as they are", "their contrast stretched",
                                          "their histogram equalised",
                                          "their histogram equalised piece by piece", "own?way"};
  for (int i = 0; i < 5; i++)
    assert_images((struct hoist_preprocessing){.contrast = (enum hoist_contrast)i,
                                               .contrast_type = "own\033way"},
                  contrasts[i]);
}

static void test_on_a_terminal_long_values_break_between_words(void **state) {
  struct capture c;
  capture_begin(&c);
  struct cli cli = {.out = c.stream, .out_term = {.tty = true, .unicode = true, .width = 40}};
  struct hoist_info info = {.model_id = "m",
                            .directory = "/d",
                            .source = "s3",
                            .classes = classes,
                            .class_count = 2,
                            .preprocessing = {.present = 1,
                                              .auto_orient = 1,
                                              .resize = HOIST_RESIZE_FIT_BLACK,
                                              .width = 640,
                                              .height = 480}};
  info_print(&cli, &info, 0);
  const char *page = capture_end(&c);
  assert_non_null(strstr(page, "  classes     2: face, mask?[2J\n"));
  assert_non_null(strstr(page, "  images      turned upright, fitted\n"
                               "              with black edges into 640\n"
                               "              × 480\n"));
  capture_free(&c);
}

static void test_what_is_not_known_is_left_out(void **state) {
  struct capture c;
  capture_begin(&c);
  struct cli cli = {.out = c.stream, .out_term = {.width = 100}};
  struct hoist_info info = {.model_id = "plain", .directory = "/d", .source = "dir"};
  info_print(&cli, &info, 30);
  assert_string_equal(capture_end(&c), "plain\n"
                                       "  size        0 B\n"
                                       "  source      dir, just now (1970-01-01 00:00:00 UTC)\n"
                                       "  directory   /d\n");
  capture_free(&c);
}

static void test_many_classes_are_counted_and_begun(void **state) {
  struct hoist_class many[20];
  for (size_t i = 0; i < 20; i++)
    many[i] = (struct hoist_class){"x", NULL};
  struct capture c;
  capture_begin(&c);
  struct cli cli = {.out = c.stream, .out_term = {.unicode = true, .width = 100}};
  struct hoist_info info = full();
  info.classes = many;
  info.class_count = 20;
  info.multiclass = 1;
  info_print(&cli, &info, CREATED);
  assert_non_null(
      strstr(capture_end(&c), "classes     20, several may apply: x, x, x, x, x, x, x, x, …\n"));
  capture_free(&c);
}

static void test_programs_get_the_same_as_json(void **state) {
  struct capture c;
  capture_begin(&c);
  struct cli cli = {.out = c.stream, .json = {.out = c.stream}};
  struct hoist_info info = full();
  json_open(&cli.json, NULL, '{');
  info_json_members(&cli, &info);
  json_close(&cli.json, '}');
  assert_string_equal(
      capture_end(&c),
      "{\"source\":\"s3\",\"directory\":\"/cache/faces/1\",\"created_unix_s\":1795359276,"
      "\"total_bytes\":443200,\"weights\":\"weights.onnx\",\"files\":[{\"name\":"
      "\"environment.json\",\"size_bytes\":1200,\"sha256\":\"aa\"},{\"name\":\"weights.onnx\","
      "\"size_bytes\":442000,\"sha256\":\"bb\"}],\"task_type\":\"object-detection\","
      "\"model_type\":\"yolov8n\",\"model_variant\":\"small\",\"multiclass\":false,\"classes\":["
      "{\"name\":\"face\",\"color\":\"#ff0000\"},{\"name\":\"mask\\u001b[2J\"}],"
      "\"preprocessing\":{\"auto_orient\":true,\"crop_min\":[10,20],\"crop_max\":[90,80],"
      "\"contrast\":\"Adaptive Equalization\",\"grayscale\":true,\"resize_format\":"
      "\"Fit (black edges) in\","
      "\"width\":640,\"height\":480},\"keypoints\":[{\"class_id\":0,\"names\":[\"left eye\","
      "\"right "
      "eye\"],\"ids\":[0,4],\"edges\":[[0,4]]}],\"onnxruntime_version\":\"1.30.0\",\"execution_"
      "provider\":"
      "\"CPUExecutionProvider\",\"refused_providers\":\"CUDA: no device\",\"graph_cache\":\"hit\","
      "\"graph_detail\":\"mapped: 9.7 ms instead of "
      "36.0\",\"graph_bytes\":666432,\"inputs\":[{\"name\":\"images\",\"type\":\"float32\","
      "\"shape\":["
      "\"batch\",3,640,null]}],\"outputs\":[]}");
  capture_free(&c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_page_says_all_there_is_in_words),
      cmocka_unit_test(test_every_way_to_prepare_an_image_has_words),
      cmocka_unit_test(test_on_a_terminal_long_values_break_between_words),
      cmocka_unit_test(test_what_is_not_known_is_left_out),
      cmocka_unit_test(test_many_classes_are_counted_and_begun),
      cmocka_unit_test(test_programs_get_the_same_as_json),
  };
  return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
