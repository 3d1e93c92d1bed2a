/* SPDX-License-Identifier: Apache-2.0 */
/* The first run of a session: on zeros. Owns its tensors while it runs. Any thread. */
#include <string.h>

#include "session_internal.h"

#define MAX_TENSORS 64               /* inputs, and outputs */
#define MAX_BYTES ((size_t)64 << 20) /* of one input */

struct run {
  const struct ort_api *api;
  struct OrtMemoryInfo *memory;
  void *data[MAX_TENSORS];
  struct OrtValue *values[MAX_TENSORS], *outputs[MAX_TENSORS];
  size_t count;
};

static void run_cleanup(struct run *r) {
  for (size_t i = 0; i < r->count; i++) {
    r->api->ReleaseValue(r->values[i]);
    free(r->data[i]);
  }
  for (size_t i = 0; i < MAX_TENSORS; i++)
    if (r->outputs[i]) r->api->ReleaseValue(r->outputs[i]);
  r->api->ReleaseMemoryInfo(r->memory);
}

/* By ONNXTensorElementDataType; 0: not of a fixed size. */
static size_t element_size(unsigned type) {
  static const unsigned char sizes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2};
  return type < sizeof sizes ? sizes[type] : 0;
}

static enum hoist_status add_input(const struct ort *ort, struct run *r,
                                   const struct tensor_info *t, struct hoist_error *err) {
  size_t bytes = element_size(t->type_code);
  int64_t dims[TENSOR_MAX_DIMS];
  for (size_t d = 0; d < t->dim_count; d++) {
    dims[d] = t->dims[d] < 0 ? 1 : t->dims[d];
    if (__builtin_mul_overflow(bytes, (size_t)dims[d], &bytes)) bytes = SIZE_MAX;
  }
  if (element_size(t->type_code) == 0 || bytes > MAX_BYTES)
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "the input %.80s is no tensor that zeros can be made for", t->name);
  size_t i = r->count++;
  r->data[i] = calloc(bytes ? bytes : 1, 1);
  if (!r->data[i]) return hoist_fail_memory(err, "a first run");
  struct OrtStatus *failed = r->api->CreateTensorWithDataAsOrtValue(
      r->memory, r->data[i], bytes, dims, t->dim_count, t->type_code, &r->values[i]);
  return failed ? ort_fail(ort, failed, "making an input for a first run", err) : HOIST_OK;
}

static enum hoist_status run(const struct session *s, struct hoist_error *err) {
  __attribute__((cleanup(run_cleanup))) struct run r = {.api = &s->ort->library.api};
  const char *inputs[MAX_TENSORS], *names[MAX_TENSORS];
  if (s->input_count > MAX_TENSORS || s->output_count > MAX_TENSORS)
    return hoist_fail(err, HOIST_UNSUPPORTED, "the model has more than %d inputs or outputs",
                      MAX_TENSORS);
  struct OrtStatus *failed =
      r.api->CreateCpuMemoryInfo(ORT_DEVICE_ALLOCATOR, ORT_DEFAULT_MEMORY, &r.memory);
  if (failed) return ort_fail(s->ort, failed, "preparing a first run", err);
  for (size_t i = 0; i < s->input_count; i++) {
    inputs[i] = s->inputs[i].name;
    enum hoist_status status = add_input(s->ort, &r, &s->inputs[i], err);
    if (status != HOIST_OK) return status;
  }
  for (size_t i = 0; i < s->output_count; i++)
    names[i] = s->outputs[i].name;
  failed = r.api->Run(s->handle, NULL, inputs, (const struct OrtValue *const *)r.values, r.count,
                      names, s->output_count, r.outputs);
  return failed ? ort_fail(s->ort, failed, "running the model on zeros", err) : HOIST_OK;
}

enum hoist_status session_warm_up(const struct call *call, struct session *s,
                                  struct hoist_error *err) {
  struct hoist_span span;
  struct hoist_error problem = {0};
  hoist_span_start(call->span, "ort.first_run", HOIST_SPAN_INTERNAL, &span);
  enum hoist_status status = run(s, &problem);
  if (status != HOIST_OK) {
    hoist_span_record_error(&span, &problem);
    if (err) *err = problem;
  }
  hoist_span_end(&span);
  return status;
}
