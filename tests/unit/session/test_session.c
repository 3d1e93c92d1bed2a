/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on good models: what they tell about the model, what a trace sees of their creation, and
 * that they run. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_tracer.h"
#include "ort_run.h"
#include "runtime.h"
#include "session_internal.h"

static const struct call plain_call = {0};
static const struct session_options one_thread = {.intra_op_threads = 1};
static struct ort *ort;

static int open_ort(void **state) {
  ort = open_runtime(&plain_call);
  return 0;
}

static int close_ort(void **state) {
  ort_close(ort);
  return 0;
}

static struct session *open_model(const char *path) {
  struct session *s = NULL;
  struct hoist_error err;
  if (session_open_path(&plain_call, ort, path, &one_thread, &s, &err) != HOIST_OK)
    fail_msg("%s", err.message);
  return s;
}

/* ---- what a session tells about its model ---- */

static void test_blazeface_has_its_known_inputs_and_outputs(void **state) {
  struct session *s = open_model(blazeface_path());
  size_t count;
  const struct tensor_info *inputs = session_inputs(s, &count);
  assert_int_equal(count, 1);
  assert_string_equal(inputs[0].name, "input:0");
  assert_string_equal(inputs[0].type, "float32");
  static const int64_t input_dims[] = {1, 128, 128, 3};
  assert_int_equal(inputs[0].dim_count, 4);
  assert_memory_equal(inputs[0].dims, input_dims, sizeof input_dims);

  static const int64_t output_dims[][3] = {{1, 512, 1}, {1, 384, 1}, {1, 512, 16}, {1, 384, 16}};
  const struct tensor_info *outputs = session_outputs(s, &count);
  assert_int_equal(count, 4);
  for (size_t i = 0; i < count; i++) {
    assert_string_equal(outputs[i].type, "float32");
    assert_int_equal(outputs[i].dim_count, 3);
    assert_memory_equal(outputs[i].dims, output_dims[i], sizeof output_dims[i]);
    assert_null(outputs[i].symbols[0]);
  }
  assert_string_equal(session_provider(s), "CPUExecutionProvider");
  assert_non_null(session_ort_api(s));
  assert_non_null(session_ort_env(s));
  assert_non_null(session_ort_session(s));
  session_close(s);
}

static void test_dynamic_dimensions_keep_their_names(void **state) {
  static const struct onnx_spec spec = {
      .dims = {{-1, "batch"}, {3, NULL}, {-1, NULL}, {-1, "width"}}, .dim_count = 4};
  struct session *s = open_model(scratch_model("dynamic.onnx", &spec));
  size_t count;
  const struct tensor_info *x = session_inputs(s, &count);
  assert_int_equal(count, 1);
  assert_string_equal(x->name, "x");
  assert_int_equal(x->dim_count, 4);
  static const int64_t dims[] = {-1, 3, -1, -1};
  assert_memory_equal(x->dims, dims, sizeof dims);
  assert_string_equal(x->symbols[0], "batch");
  assert_null(x->symbols[1]);
  assert_null(x->symbols[2]);
  assert_string_equal(x->symbols[3], "width");
  session_close(s);
}

static void test_element_types_have_their_names(void **state) {
  static const struct {
    unsigned type; /* TensorProto.DataType */
    const char *name;
  } cases[] = {{1, "float32"},  {2, "uint8"},   {3, "int8"},    {4, "uint16"},   {5, "int16"},
               {6, "int32"},    {7, "int64"},   {8, "string"},  {9, "bool"},     {10, "float16"},
               {11, "float64"}, {12, "uint32"}, {13, "uint64"}, {16, "bfloat16"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct onnx_spec spec = {.type = cases[i].type, .dims = {{2, NULL}}, .dim_count = 1};
    struct session *s = open_model(scratch_model("typed.onnx", &spec));
    size_t count;
    assert_string_equal(session_inputs(s, &count)->type, cases[i].name);
    assert_string_equal(session_outputs(s, &count)->type, cases[i].name);
    session_close(s);
  }
}

static void test_a_scalar_has_no_dimensions(void **state) {
  static const struct onnx_spec spec = {0};
  struct session *s = open_model(scratch_model("scalar.onnx", &spec));
  size_t count;
  assert_int_equal(session_inputs(s, &count)->dim_count, 0);
  session_close(s);
}

static void test_a_sequence_is_of_the_type_other(void **state) {
  static const struct onnx_spec spec = {.sequence = true, .dims = {{2, NULL}}, .dim_count = 1};
  struct session *s = open_model(scratch_model("sequence.onnx", &spec));
  size_t count;
  const struct tensor_info *x = session_inputs(s, &count);
  assert_string_equal(x->type, "other");
  assert_int_equal(x->dim_count, 0);
  session_close(s);
}

static void test_as_many_dimensions_as_the_cap(void **state) {
  struct onnx_spec spec = {.dim_count = TENSOR_MAX_DIMS};
  for (size_t i = 0; i < sizeof spec.dims / sizeof spec.dims[0]; i++)
    spec.dims[i].size = 1;
  struct session *s = open_model(scratch_model("deep.onnx", &spec));
  size_t count;
  assert_int_equal(session_inputs(s, &count)->dim_count, TENSOR_MAX_DIMS);
  session_close(s);
}

/* ---- what the caller asks for ---- */

static void test_a_negative_number_of_threads_is_invalid(void **state) {
  static const struct session_options options = {.intra_op_threads = -1};
  struct session *s = NULL;
  struct hoist_error err;
  assert_int_equal(session_open_path(&plain_call, ort, "x", &options, &s, &err), HOIST_INVALID);
  assert_non_null(strstr(err.message, "-1"));
  assert_null(s);
}

static void test_a_cancelled_call_creates_no_session(void **state) {
  atomic_int cancel = 1;
  const struct call call = {.cancel = &cancel};
  struct session *s = NULL;
  struct hoist_error err;
  assert_int_equal(session_open_path(&call, ort, blazeface_path(), &one_thread, &s, &err),
                   HOIST_CANCELLED);
  assert_null(s);
}

static void test_the_default_number_of_threads_works_too(void **state) {
  static const struct session_options options = {0};
  struct session *s = NULL;
  assert_int_equal(session_open_path(&plain_call, ort, blazeface_path(), &options, &s, NULL),
                   HOIST_OK);
  session_close(s);
}

static void test_closing_null_does_nothing(void **state) {
  session_close(NULL);
}

/* ---- phases ---- */

static void test_a_traced_creation_has_its_phases_in_order_inside_the_span(void **state) {
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span span;
  hoist_span_start_root(tracer->telemetry, "model.session.create", HOIST_SPAN_INTERNAL, NULL,
                        &span);
  const struct call call = {.span = &span};
  struct session *s = NULL;
  assert_int_equal(session_open_path(&call, ort, blazeface_path(), &one_thread, &s, NULL),
                   HOIST_OK);
  hoist_span_end(&span);
  static const char *const phases[] = {"ort.model_parse", "ort.partition", "ort.graph_optimize",
                                       "ort.kernel_init", "ort.weights",   "ort.prepack"};
  assert_int_equal(tracer->span_count, 7);
  fake_tracer_check(tracer, NULL);
  for (int i = 1; i < 7; i++) {
    const struct fake_span *phase = &tracer->spans[i];
    assert_string_equal(phase->name, phases[i - 1]);
    assert_int_equal(phase->parent, 0);
    assert_true(phase->end_ns <= tracer->spans[0].end_ns);
    if (i > 1) assert_true(phase->start_ns >= tracer->spans[i - 1].end_ns);
  }
  session_close(s);
  fake_tracer_free(tracer);
}

static void test_a_traced_failure_keeps_the_phases_that_ended(void **state) {
  static const struct onnx_spec spec = {.op = "MadeUpOperator"};
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span span;
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &span);
  const struct call call = {.span = &span};
  struct session *s = NULL;
  assert_int_equal(
      session_open_path(&call, ort, scratch_model("bad.onnx", &spec), &one_thread, &s, NULL),
      HOIST_UNSUPPORTED);
  hoist_span_end(&span);
  fake_tracer_check(tracer, NULL);
  assert_null(fake_span(tracer, "ort.prepack", 0));
  fake_tracer_free(tracer);
}

static int logging_calls;

static struct OrtStatus *count_logging(struct OrtSessionOptions *options, ort_log_fn function,
                                       void *param) {
  logging_calls++;
  return NULL;
}

static struct OrtStatus *count_severity(struct OrtSessionOptions *options, int severity) {
  logging_calls++;
  return NULL;
}

static void test_an_untraced_creation_asks_for_no_log(void **state) {
  const struct ort_api real = ort->library.api;
  ort->library.api.SetUserLoggingFunction = count_logging;
  ort->library.api.SetSessionLogSeverityLevel = count_severity;
  struct hoist_span records_nothing = {0};
  const struct call calls[] = {{0}, {.span = &records_nothing}};
  for (size_t i = 0; i < 2; i++) {
    struct session *s = NULL;
    assert_int_equal(session_open_path(&calls[i], ort, blazeface_path(), &one_thread, &s, NULL),
                     HOIST_OK);
    session_close(s);
  }
  assert_int_equal(logging_calls, 0);
  ort->library.api = real;
}

/* ---- running ---- */

static void assert_worked(struct OrtStatus *status) {
  if (status) fail_msg("%s", ort->library.api.GetErrorMessage(status));
}

static void assert_finite(const struct ort_run_api *run, struct OrtValue *value) {
  struct OrtTensorTypeAndShapeInfo *shape = NULL;
  size_t count = 0;
  void *data = NULL;
  assert_worked(run->GetTensorTypeAndShape(value, &shape));
  assert_worked(run->GetTensorShapeElementCount(shape, &count));
  assert_worked(run->GetTensorMutableData(value, &data));
  assert_true(count > 0);
  for (size_t i = 0; i < count; i++)
    assert_true(isfinite(((const float *)data)[i]));
  run->ReleaseTensorTypeAndShapeInfo(shape);
}

static void run_on_zeros(struct session *s) {
  const struct ort_run_api run = ort_run_bind(session_ort_api(s));
  size_t input_count, output_count;
  const struct tensor_info *in = session_inputs(s, &input_count),
                           *out = session_outputs(s, &output_count);
  static float zeros[128 * 128 * 3];
  struct OrtMemoryInfo *memory = NULL;
  struct OrtValue *input = NULL, *outputs[8] = {0};
  const char *names[8];
  assert_true(output_count <= 8);
  for (size_t i = 0; i < output_count; i++)
    names[i] = out[i].name;
  assert_worked(run.CreateCpuMemoryInfo(ORT_ARENA_ALLOCATOR, ORT_MEMORY_DEFAULT, &memory));
  assert_worked(run.CreateTensorWithDataAsOrtValue(memory, zeros, sizeof zeros, in->dims,
                                                   in->dim_count, ORT_ELEMENT_FLOAT, &input));
  assert_worked(run.Run(session_ort_session(s), NULL, (const char *const[]){in->name},
                        (const struct OrtValue *const[]){input}, 1, names, output_count, outputs));
  for (size_t i = 0; i < output_count; i++) {
    assert_finite(&run, outputs[i]);
    run.ReleaseValue(outputs[i]);
  }
  run.ReleaseValue(input);
  run.ReleaseMemoryInfo(memory);
}

static void test_blazeface_runs_on_zeros_and_gives_finite_numbers(void **state) {
  struct session *s = open_model(blazeface_path());
  run_on_zeros(s);
  session_close(s);
}

/* The session logs into itself for life. */
static void test_a_traced_session_runs_after_its_span_ended(void **state) {
  struct fake_tracer *tracer = fake_tracer_new();
  struct hoist_span span;
  hoist_span_start_root(tracer->telemetry, "root", HOIST_SPAN_INTERNAL, NULL, &span);
  const struct call call = {.span = &span};
  struct session *s = NULL;
  assert_int_equal(session_open_path(&call, ort, blazeface_path(), &one_thread, &s, NULL),
                   HOIST_OK);
  hoist_span_end(&span);
  fake_tracer_free(tracer);
  run_on_zeros(s);
  session_close(s);
}

static void test_a_session_outlives_the_closing_of_its_runtime(void **state) {
  struct ort *own = open_runtime(&plain_call);
  struct session *s = NULL;
  assert_int_equal(session_open_path(&plain_call, own, blazeface_path(), &one_thread, &s, NULL),
                   HOIST_OK);
  ort_close(own);
  run_on_zeros(s);
  session_close(s);
}

static void *open_and_close(void *arg) {
  for (int i = 0; i < 3; i++) {
    struct ort *own = open_runtime(&plain_call);
    struct session *s = NULL;
    assert_int_equal(session_open_path(&plain_call, own, arg, &one_thread, &s, NULL), HOIST_OK);
    ort_close(own);
    session_close(s);
  }
  return NULL;
}

static void test_threads_may_create_sessions_at_once(void **state) {
  static char path[512];
  snprintf(path, sizeof path, "%s", blazeface_path());
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, path), 0);
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blazeface_has_its_known_inputs_and_outputs),
      cmocka_unit_test(test_dynamic_dimensions_keep_their_names),
      cmocka_unit_test(test_element_types_have_their_names),
      cmocka_unit_test(test_a_scalar_has_no_dimensions),
      cmocka_unit_test(test_a_sequence_is_of_the_type_other),
      cmocka_unit_test(test_as_many_dimensions_as_the_cap),
      cmocka_unit_test(test_a_negative_number_of_threads_is_invalid),
      cmocka_unit_test(test_a_cancelled_call_creates_no_session),
      cmocka_unit_test(test_the_default_number_of_threads_works_too),
      cmocka_unit_test(test_closing_null_does_nothing),
      cmocka_unit_test(test_a_traced_creation_has_its_phases_in_order_inside_the_span),
      cmocka_unit_test(test_a_traced_failure_keeps_the_phases_that_ended),
      cmocka_unit_test(test_an_untraced_creation_asks_for_no_log),
      cmocka_unit_test(test_blazeface_runs_on_zeros_and_gives_finite_numbers),
      cmocka_unit_test(test_a_traced_session_runs_after_its_span_ended),
      cmocka_unit_test(test_a_session_outlives_the_closing_of_its_runtime),
      cmocka_unit_test(test_threads_may_create_sessions_at_once),
  };
  return cmocka_run_group_tests(tests, open_ort, close_ort);
}
