/* SPDX-License-Identifier: Apache-2.0 */
/* Options of sessions: what can be written, what reaches the runtime, and what becomes of providers that it has
 * and of those it has not. A runtime with other providers is made out of the real one by replacing functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime.h"
#include "session_internal.h"

static const struct call plain_call = {0};
static struct ort *ort;
static struct ort_api real;

static int open_ort(void **state) {
  ort = open_runtime(&plain_call);
  real = ort->library.api;
  return 0;
}

static int close_ort(void **state) {
  ort_close(ort);
  return 0;
}

static int restore_api(void **state) {
  ort->library.api = real;
  return 0;
}

/* ---- what can be written ---- */

static void test_lists_of_providers_are_read(void **state) {
  struct provider_list list = {0};
  struct hoist_error err;
  assert_int_equal(
      provider_list_parse("CUDA(device_id=1; gpu_mem_limit = 2),  OpenVINO! ,cpu", &list, &err),
      HOIST_OK);
  assert_int_equal(list.count, 3);
  assert_string_equal(list.items[0].name, "CUDA");
  assert_int_equal(list.items[0].options.count, 2);
  assert_string_equal(list.items[0].options.keys[1], "gpu_mem_limit");
  assert_string_equal(list.items[0].options.values[1], "2");
  assert_false(list.items[0].required);
  assert_string_equal(list.items[1].name, "OpenVINO");
  assert_true(list.items[1].required);
  assert_string_equal(list.items[2].name, "cpu");
  assert_true(provider_list_requires(&list));
  provider_list_done(&list);
  assert_int_equal(provider_list_parse(NULL, &list, &err), HOIST_OK);
  assert_int_equal(list.count, 0);
  assert_int_equal(provider_list_parse("X(a=1,2;c=2)!,Y", &list, &err), HOIST_OK);
  assert_int_equal(list.count, 2);
  assert_string_equal(list.items[0].options.values[0], "1,2");
  provider_list_done(&list);
  assert_int_equal(provider_list_parse("CPU!", &list, &err), HOIST_OK);
  assert_false(provider_list_requires(&list)); /* it is always there */
  provider_list_done(&list);
}

static void test_options_that_make_no_sense_are_named(void **state) {
  static const struct {
    struct session_options options;
    const char *message;
  } cases[] = {
      {{.providers = "CUDA(device_id"}, "providers: the options of CUDA do not end with"},
      {{.providers = "CUDA(device_id)"}, "providers: CUDA: \"device_id\" is not of the form"},
      {{.providers = ",CUDA"}, "is not the name of a provider"},
      {{.providers = "!"}, "is not the name of a provider"},
      {{.providers = "1,2,3,4,5,6,7,8,9"}, "more than 8 providers"},
      {{.config = "a"}, "session_config: \"a\" is not of the form"},
      {{.config = "=b"}, "has no key"},
      {{.intra_op_threads = -1}, "intra-op threads: -1"},
      {{.inter_op_threads = -2}, "inter-op threads: -2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct hoist_error err = {0};
    assert_int_equal(session_options_check(&cases[i].options, &err), HOIST_INVALID);
    if (!strstr(err.message, cases[i].message)) fail_msg("%s", err.message);
  }
}

/* ---- what reaches the runtime ---- */

static struct {
  char log[1024];
  int fail_sessions;  /* so many creations fail */
  const char *refuse; /* the provider that cannot be set up */
} fake;

static void note(const char *text) {
  size_t used = strlen(fake.log);
  snprintf(fake.log + used, sizeof fake.log - used, "%s ", text);
}

static struct OrtStatus *failure(const char *text) {
  typedef struct OrtStatus *(*create_fn)(unsigned, const char *);
  create_fn create = ORT_SLOT_FUNCTION(ort->library.api.table, 0, create);
  return create(1, text);
}

static struct OrtStatus *fake_config(struct OrtSessionOptions *o, const char *key,
                                     const char *value) {
  char text[256];
  snprintf(text, sizeof text, "%s=%s", key, value);
  note(text);
  return NULL;
}

static struct OrtStatus *fake_no_arena(struct OrtSessionOptions *o) {
  note("no-arena");
  return NULL;
}

static struct OrtStatus *fake_inter(struct OrtSessionOptions *o, int threads) {
  char text[32];
  snprintf(text, sizeof text, "inter-%d", threads);
  note(text);
  return NULL;
}

static struct OrtStatus *fake_custom(struct OrtSessionOptions *o, const char *path) {
  note(path);
  return strcmp(path, "/missing.so") == 0 ? failure("cannot open /missing.so") : NULL;
}

static void test_plain_options_reach_the_runtime(void **state) {
  const struct session_options options = {.inter_op_threads = 3,
                                          .no_spinning = 1,
                                          .no_arena = 1,
                                          .config = "a.b=1, c.d=two",
                                          .custom_ops = "/one.so, /two.so"};
  const struct session_model model = {.path = "x"};
  struct OrtSessionOptions *made = NULL;
  struct provider_outcome outcome;
  struct hoist_error err;
  fake.log[0] = '\0';
  ort->library.api.AddSessionConfigEntry = fake_config;
  ort->library.api.DisableCpuMemArena = fake_no_arena;
  ort->library.api.SetInterOpNumThreads = fake_inter;
  ort->library.api.RegisterCustomOpsLibrary_V2 = fake_custom;
  assert_int_equal(session_make_options(ort, &model, &options, 0, &made, &outcome, &err), HOIST_OK);
  ort->library.api.ReleaseSessionOptions(made);
  assert_string_equal(fake.log, "inter-3 no-arena session.intra_op.allow_spinning=0 "
                                "session.inter_op.allow_spinning=0 /one.so /two.so a.b=1 c.d=two ");
  assert_string_equal(outcome.chosen, "CPUExecutionProvider");
  assert_string_equal(outcome.refused, "");
  const struct session_options bad = {.custom_ops = "/missing.so"};
  assert_int_equal(session_make_options(ort, &model, &bad, 0, &made, &outcome, &err),
                   HOIST_UNSUPPORTED);
  assert_non_null(strstr(err.message, "custom_ops"));
  assert_non_null(strstr(err.message, "/missing.so"));
}

/* ---- providers of the real runtime ---- */

static struct session *open_with(const char *providers, struct hoist_error *err) {
  const struct session_options options = {.intra_op_threads = 1, .providers = providers};
  struct session *s = NULL;
  enum hoist_status status =
      session_open_path(&plain_call, ort, blazeface_path(), &options, &s, err);
  assert_true((status == HOIST_OK) == (s != NULL));
  return s;
}

/* The official builds list CUDA and TensorRT, whose libraries are not here; others do not list them. */
static void test_a_preferred_provider_that_cannot_be_had_is_put_down_and_the_cpu_serves(
    void **state) {
  struct hoist_error err;
  struct session *s = open_with("CUDA(device_id=0),TensorRT,Nonsense,CPU", &err);
  if (!s) fail_msg("%s", err.message);
  assert_string_equal(session_provider(s), "CPUExecutionProvider");
  assert_non_null(strstr(session_refused_providers(s), "CUDA: "));
  assert_non_null(strstr(session_refused_providers(s), "TensorRT: "));
  assert_non_null(strstr(session_refused_providers(s), "Nonsense: ONNX Runtime "));
  assert_non_null(strstr(session_refused_providers(s), "has no provider of that name"));
  const struct session_options options = {0};
  assert_null(session_graph_objection(s, &options));
  session_close(s);
}

static void test_a_required_provider_that_cannot_be_had_is_unsupported(void **state) {
  static const char *const each[] = {"CUDA!", "CUDAExecutionProvider!", "Nonsense!",
                                     "CPU,TensorRT!"};
  for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
    struct hoist_error err = {0};
    assert_null(open_with(each[i], &err));
    assert_int_equal(err.status, HOIST_UNSUPPORTED);
    assert_non_null(strstr(err.message, "is required"));
  }
}

static void test_the_cpu_may_be_asked_for_by_any_of_its_names(void **state) {
  static const char *const each[] = {"CPU", "cpu!", "CPUExecutionProvider", ""};
  for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
    struct hoist_error err;
    struct session *s = open_with(each[i], &err);
    if (!s) fail_msg("%s", err.message);
    assert_string_equal(session_provider(s), "CPUExecutionProvider");
    assert_string_equal(session_refused_providers(s), "");
    session_close(s);
  }
}

/* ---- a runtime that has them ---- */

static struct OrtStatus *fake_available(char ***ret_names, int *ret_count) {
  static char tensorrt[] = "TensorrtExecutionProvider", cuda[] = "CUDAExecutionProvider",
              xnnpack[] = "XnnpackExecutionProvider", openvino[] = "OpenVINOExecutionProvider",
              webgpu[] = "WebGpuExecutionProvider", cpu[] = "CPUExecutionProvider";
  static char *names[] = {tensorrt, cuda, xnnpack, openvino, webgpu, cpu};
  *ret_names = names;
  *ret_count = 6;
  return NULL;
}

static struct OrtStatus *fake_release_available(char **names, int count) {
  return NULL;
}

static void note_pairs(const char *name, const char *const *keys, const char *const *values,
                       size_t count) {
  char text[256];
  snprintf(text, sizeof text, "%s:", name);
  for (size_t i = 0; i < count; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s=%s;", keys[i], values[i]);
  note(text);
}

static struct OrtStatus *fake_append(struct OrtSessionOptions *o, const char *name,
                                     const char *const *keys, const char *const *values,
                                     size_t count) {
  note_pairs(name, keys, values, count);
  return fake.refuse && strcmp(name, fake.refuse) == 0 ? failure("no device") : NULL;
}

static struct OrtStatus *fake_cuda_new(struct OrtCUDAProviderOptionsV2 **ret) {
  *ret = (struct OrtCUDAProviderOptionsV2 *)&fake;
  return NULL;
}

static struct OrtStatus *fake_cuda_update(struct OrtCUDAProviderOptionsV2 *o,
                                          const char *const *keys, const char *const *values,
                                          size_t count) {
  note_pairs("cuda-options", keys, values, count);
  return NULL;
}

static struct OrtStatus *fake_cuda_append(struct OrtSessionOptions *o,
                                          const struct OrtCUDAProviderOptionsV2 *own) {
  note("cuda");
  return NULL;
}

static void fake_cuda_release(struct OrtCUDAProviderOptionsV2 *o) {
  note("released");
}

static struct OrtStatus *fake_trt_new(struct OrtTensorRTProviderOptionsV2 **ret) {
  *ret = (struct OrtTensorRTProviderOptionsV2 *)&fake;
  return NULL;
}

static struct OrtStatus *fake_trt_append(struct OrtSessionOptions *o,
                                         const struct OrtTensorRTProviderOptionsV2 *own) {
  note("tensorrt");
  return NULL;
}

static void fake_trt_release(struct OrtTensorRTProviderOptionsV2 *o) {
}

static struct OrtStatus *fake_create(const struct OrtEnv *env, const char *path,
                                     const struct OrtSessionOptions *options,
                                     struct OrtSession **ret_session) {
  if (fake.fail_sessions-- > 0) return failure("the device is of no use");
  return real.CreateSession(env, path, options, ret_session);
}

static void equip(void) {
  fake.log[0] = '\0';
  fake.fail_sessions = 0;
  fake.refuse = NULL;
  ort->library.api.GetAvailableProviders = fake_available;
  ort->library.api.ReleaseAvailableProviders = fake_release_available;
  ort->library.api.SessionOptionsAppendExecutionProvider = fake_append;
  ort->library.api.CreateCUDAProviderOptions = fake_cuda_new;
  ort->library.api.UpdateCUDAProviderOptions = fake_cuda_update;
  ort->library.api.SessionOptionsAppendExecutionProvider_CUDA_V2 = fake_cuda_append;
  ort->library.api.ReleaseCUDAProviderOptions = fake_cuda_release;
  ort->library.api.CreateTensorRTProviderOptions = fake_trt_new;
  ort->library.api.SessionOptionsAppendExecutionProvider_TensorRT_V2 = fake_trt_append;
  ort->library.api.ReleaseTensorRTProviderOptions = fake_trt_release;
  ort->library.api.CreateSession = fake_create;
}

static void test_the_providers_of_a_runtime_are_listed(void **state) {
  char list[160], narrow[12];
  ort_list_providers(ort, list, sizeof list);
  assert_non_null(strstr(list, "CPU"));
  assert_null(strstr(list, "ExecutionProvider"));
  equip();
  ort_list_providers(ort, list, sizeof list);
  assert_string_equal(list, "Tensorrt, CUDA, Xnnpack, OpenVINO, WebGpu, CPU");
  ort_list_providers(ort, narrow, sizeof narrow);
  assert_string_equal(narrow, "Tensorrt, C");
}

static void test_providers_are_appended_in_the_order_of_preference(void **state) {
  struct hoist_error err;
  equip();
  struct session *s =
      open_with("TensorRT,cuda(device_id=1),Xnnpack(threads=2),openvino,WebGPU", &err);
  if (!s) fail_msg("%s", err.message);
  assert_string_equal(fake.log, "tensorrt cuda-options:device_id=1; cuda released "
                                "XNNPACK:threads=2; OpenVINO: WebGPU: ");
  assert_string_equal(session_provider(s), "TensorrtExecutionProvider");
  assert_string_equal(session_refused_providers(s), "");
  const struct session_options options = {0};
  assert_non_null(strstr(session_graph_objection(s, &options), "provider"));
  session_close(s);
}

static void test_a_provider_that_is_refused_gives_way_to_the_next(void **state) {
  struct hoist_error err;
  equip();
  fake.refuse = "OpenVINO";
  struct session *s = open_with("OpenVINO(device_type=NPU),CUDA", &err);
  if (!s) fail_msg("%s", err.message);
  assert_string_equal(session_provider(s), "CUDAExecutionProvider");
  assert_non_null(strstr(session_refused_providers(s), "OpenVINO: "));
  assert_non_null(strstr(session_refused_providers(s), "no device"));
  session_close(s);
}

static void test_a_session_that_fails_on_a_preferred_provider_is_created_on_the_cpu(void **state) {
  struct hoist_error err;
  equip();
  fake.fail_sessions = 1;
  struct session *s = open_with("CUDA", &err);
  if (!s) fail_msg("%s", err.message);
  assert_string_equal(session_provider(s), "CPUExecutionProvider");
  assert_non_null(strstr(session_refused_providers(s), "CUDAExecutionProvider: "));
  assert_non_null(strstr(session_refused_providers(s), "the device is of no use"));
  session_close(s);
  equip();
  fake.fail_sessions = 1;
  assert_null(open_with("CUDA!", &err));
  assert_non_null(strstr(err.message, "the device is of no use"));
  equip();
  fake.fail_sessions = 2; /* the model itself is the reason */
  assert_null(open_with("CUDA", &err));
}

static void test_custom_operators_are_an_objection_to_saving(void **state) {
  struct hoist_error err;
  struct session *s = open_with(NULL, &err);
  const struct session_options options = {.custom_ops = "/x.so"};
  assert_non_null(strstr(session_graph_objection(s, &options), "custom operators"));
  session_close(s);
}

/* ---- the first run ---- */

static void test_a_session_is_run_on_zeros(void **state) {
  struct hoist_error err;
  struct session *s = open_with(NULL, &err);
  assert_int_equal(session_warm_up(&plain_call, s, &err), HOIST_OK);
  session_close(s);
}

static void test_what_cannot_be_run_on_zeros_is_said(void **state) {
  static const struct onnx_spec strings = {.type = 8, .dims = {{2, NULL}}, .dim_count = 1},
                                huge = {.dims = {{1 << 15, NULL}, {1 << 15, NULL}}, .dim_count = 2},
                                sequence = {.sequence = true, .dim_count = 0};
  const struct onnx_spec *each[] = {&strings, &huge, &sequence};
  const struct session_options options = {.intra_op_threads = 1};
  for (size_t i = 0; i < 3; i++) {
    struct session *s = NULL;
    struct hoist_error err = {0};
    const char *path = scratch_model("odd.onnx", each[i]);
    assert_int_equal(session_open_path(&plain_call, ort, path, &options, &s, &err), HOIST_OK);
    assert_int_equal(session_warm_up(&plain_call, s, &err), HOIST_UNSUPPORTED);
    assert_non_null(strstr(err.message, "the input x"));
    session_close(s);
  }
}

int main(void) {
#define CASE(test) cmocka_unit_test_teardown(test, restore_api)
  const struct CMUnitTest tests[] = {
      CASE(test_lists_of_providers_are_read),
      CASE(test_options_that_make_no_sense_are_named),
      CASE(test_plain_options_reach_the_runtime),
      CASE(test_a_preferred_provider_that_cannot_be_had_is_put_down_and_the_cpu_serves),
      CASE(test_a_required_provider_that_cannot_be_had_is_unsupported),
      CASE(test_the_cpu_may_be_asked_for_by_any_of_its_names),
      CASE(test_the_providers_of_a_runtime_are_listed),
      CASE(test_providers_are_appended_in_the_order_of_preference),
      CASE(test_a_provider_that_is_refused_gives_way_to_the_next),
      CASE(test_a_session_that_fails_on_a_preferred_provider_is_created_on_the_cpu),
      CASE(test_custom_operators_are_an_objection_to_saving),
      CASE(test_a_session_is_run_on_zeros),
      CASE(test_what_cannot_be_run_on_zeros_is_said),
  };
  return cmocka_run_group_tests(tests, open_ort, close_ort);
}
