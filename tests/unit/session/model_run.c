/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of float32 and int64, outputs of anything with a fixed size. */
#include "model_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ort_run.h"

#define MAX_TENSORS 16
enum { FLOAT = 1, INT64 = 7 };

static void assert_worked(const struct session *s, struct OrtStatus *status) {
  if (status) fail_msg("%s", s->ort->library.api.GetErrorMessage(status));
}

static float next_random(unsigned *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) / 16777216.0f;
}

static struct OrtValue *make_input(const struct session *s, const struct tensor_info *t,
                                   const int64_t **dynamic, unsigned *state, void **ret_data) {
  const struct ort_api *api = &s->ort->library.api;
  int64_t dims[TENSOR_MAX_DIMS];
  size_t count = 1;
  for (size_t d = 0; d < t->dim_count; d++) {
    dims[d] = t->dims[d] < 0 ? *(*dynamic)++ : t->dims[d];
    count *= (size_t)dims[d];
  }
  size_t size = count * (t->type_code == INT64 ? 8 : 4);
  assert_true(t->type_code == FLOAT || t->type_code == INT64);
  *ret_data = malloc(size);
  for (size_t i = 0; i < count; i++) {
    if (t->type_code == FLOAT)
      ((float *)*ret_data)[i] = next_random(state);
    else
      ((int64_t *)*ret_data)[i] = 16000; /* Silero's sampling rate, the only one of its kind here */
  }
  struct OrtMemoryInfo *memory = NULL;
  struct OrtValue *value = NULL;
  assert_worked(s, api->CreateCpuMemoryInfo(ORT_DEVICE_ALLOCATOR, ORT_DEFAULT_MEMORY, &memory));
  assert_worked(s, api->CreateTensorWithDataAsOrtValue(memory, *ret_data, size, dims, t->dim_count,
                                                       t->type_code, &value));
  api->ReleaseMemoryInfo(memory);
  return value;
}

static void keep_output(const struct session *s, struct OrtValue *value, struct buf *out) {
  const struct ort_run_api run = ort_run_bind(s->ort->library.api.table);
  struct OrtTensorTypeAndShapeInfo *shape = NULL;
  size_t count = 0, dim_count = 0;
  int64_t dims[TENSOR_MAX_DIMS];
  void *data = NULL;
  assert_worked(s, run.GetTensorTypeAndShape(value, &shape));
  assert_worked(s, run.GetTensorShapeElementCount(shape, &count));
  assert_worked(s, s->ort->library.api.GetDimensionsCount(shape, &dim_count));
  assert_worked(s, s->ort->library.api.GetDimensions(shape, dims, dim_count));
  assert_worked(s, run.GetTensorMutableData(value, &data));
  run.ReleaseTensorTypeAndShapeInfo(shape);
  assert_int_equal(buf_append(out, dims, dim_count * sizeof *dims, NULL), HOIST_OK);
  assert_int_equal(buf_append(out, data, count * sizeof(float), NULL), HOIST_OK);
}

void model_run(const struct session *s, const struct model_dims *dims, unsigned seed,
               struct buf *ret_output) {
  const struct ort_api *api = &s->ort->library.api;
  const int64_t *dynamic = dims ? dims->sizes : NULL;
  struct OrtValue *inputs[MAX_TENSORS], *outputs[MAX_TENSORS] = {0};
  const char *input_names[MAX_TENSORS], *output_names[MAX_TENSORS];
  void *data[MAX_TENSORS];
  assert_true(s->input_count <= MAX_TENSORS && s->output_count <= MAX_TENSORS);
  for (size_t i = 0; i < s->input_count; i++) {
    input_names[i] = s->inputs[i].name;
    inputs[i] = make_input(s, &s->inputs[i], &dynamic, &seed, &data[i]);
  }
  for (size_t i = 0; i < s->output_count; i++)
    output_names[i] = s->outputs[i].name;
  assert_worked(s, api->Run(s->handle, NULL, input_names, (const struct OrtValue *const *)inputs,
                            s->input_count, output_names, s->output_count, outputs));
  for (size_t i = 0; i < s->output_count; i++) {
    keep_output(s, outputs[i], ret_output);
    api->ReleaseValue(outputs[i]);
  }
  for (size_t i = 0; i < s->input_count; i++) {
    api->ReleaseValue(inputs[i]);
    free(data[i]);
  }
}
