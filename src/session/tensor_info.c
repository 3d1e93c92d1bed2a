/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of a session: names, element types, shapes, copied out of the runtime so that
 * they need nothing from it afterwards. Owns the lists it returns. One thread per session. */
#include <string.h>

#include "session_internal.h"
#include "text.h"

static const char *element_type_name(unsigned type) {
  static const char *const names[] = {
      /* by ONNXTensorElementDataType */
      "other",          "float32",    "uint8",          "int8",       "uint16",   "int16",
      "int32",          "int64",      "string",         "bool",       "float16",  "float64",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",
  };
  return type < sizeof names / sizeof names[0] ? names[type] : "other";
}

static enum hoist_status read_count(const struct ort *ort, const struct OrtSession *session,
                                    enum tensor_side side, size_t *ret_count,
                                    struct hoist_error *err) {
  const struct ort_api *api = &ort->library.api;
  size_t count = 0;
  struct OrtStatus *failed = side == TENSOR_INPUT ? api->SessionGetInputCount(session, &count)
                                                  : api->SessionGetOutputCount(session, &count);
  if (failed) return ort_fail(ort, failed, "counting the model's inputs and outputs", err);
  if (count > SESSION_MAX_TENSORS)
    return hoist_fail(err, HOIST_UNSUPPORTED, "the model has %zu %s, hoist handles %d", count,
                      side == TENSOR_INPUT ? "inputs" : "outputs", SESSION_MAX_TENSORS);
  *ret_count = count;
  return HOIST_OK;
}

static enum hoist_status read_name(const struct ort *ort, const struct OrtSession *session,
                                   enum tensor_side side, size_t index, struct tensor_info *tensor,
                                   struct hoist_error *err) {
  const struct ort_api *api = &ort->library.api;
  struct OrtAllocator *allocator = NULL;
  char *name = NULL;
  struct OrtStatus *failed = api->GetAllocatorWithDefaultOptions(&allocator);
  if (!failed)
    failed = side == TENSOR_INPUT ? api->SessionGetInputName(session, index, allocator, &name)
                                  : api->SessionGetOutputName(session, index, allocator, &name);
  if (failed) return ort_fail(ort, failed, "reading the name of an input or output", err);
  tensor->name = text_dup(name);
  failed = api->AllocatorFree(allocator, name);
  if (failed) return ort_fail(ort, failed, "reading the name of an input or output", err);
  return tensor->name ? HOIST_OK : hoist_fail_memory(err, "reading the model's inputs and outputs");
}

static enum hoist_status copy_symbols(struct tensor_info *tensor,
                                      const char *const symbols[TENSOR_MAX_DIMS],
                                      struct hoist_error *err) {
  for (size_t i = 0; i < tensor->dim_count; i++) {
    if (tensor->dims[i] >= 0 || !symbols[i] || symbols[i][0] == '\0') continue;
    tensor->symbols[i] = text_dup(symbols[i]);
    if (!tensor->symbols[i])
      return hoist_fail_memory(err, "reading the model's inputs and outputs");
  }
  return HOIST_OK;
}

static enum hoist_status read_shape(const struct ort *ort,
                                    const struct OrtTensorTypeAndShapeInfo *info,
                                    struct tensor_info *tensor, struct hoist_error *err) {
  const struct ort_api *api = &ort->library.api;
  unsigned type = 0;
  size_t dim_count = 0;
  const char *symbols[TENSOR_MAX_DIMS] = {0};
  struct OrtStatus *failed = api->GetTensorElementType(info, &type);
  if (!failed) failed = api->GetDimensionsCount(info, &dim_count);
  if (!failed && dim_count > TENSOR_MAX_DIMS)
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "\"%.80s\" of the model has %zu dimensions, hoist "
                      "handles %d",
                      tensor->name, dim_count, TENSOR_MAX_DIMS);
  if (!failed) failed = api->GetDimensions(info, tensor->dims, dim_count);
  if (!failed) failed = api->GetSymbolicDimensions(info, symbols, dim_count);
  if (failed) return ort_fail(ort, failed, "reading the shape of an input or output", err);
  tensor->type = element_type_name(type);
  tensor->type_code = type;
  tensor->dim_count = dim_count;
  return copy_symbols(tensor, symbols, err);
}

static enum hoist_status read_type(const struct ort *ort, const struct OrtSession *session,
                                   enum tensor_side side, size_t index, struct tensor_info *tensor,
                                   struct hoist_error *err) {
  const struct ort_api *api = &ort->library.api;
  struct OrtTypeInfo *type = NULL;
  const struct OrtTensorTypeAndShapeInfo *info = NULL; /* stays NULL for sequences and maps */
  struct OrtStatus *failed = side == TENSOR_INPUT
                                 ? api->SessionGetInputTypeInfo(session, index, &type)
                                 : api->SessionGetOutputTypeInfo(session, index, &type);
  if (!failed) failed = api->CastTypeInfoToTensorInfo(type, &info);
  enum hoist_status status = HOIST_OK;
  tensor->type = element_type_name(0);
  if (failed)
    status = ort_fail(ort, failed, "reading the type of an input or output", err);
  else if (info)
    status = read_shape(ort, info, tensor, err);
  api->ReleaseTypeInfo(type);
  return status;
}

static enum hoist_status read_tensor(const struct ort *ort, const struct OrtSession *session,
                                     enum tensor_side side, size_t index,
                                     struct tensor_info *tensor, struct hoist_error *err) {
  enum hoist_status status = read_name(ort, session, side, index, tensor, err);
  if (status != HOIST_OK) return status;
  return read_type(ort, session, side, index, tensor, err);
}

enum hoist_status tensor_list_read(const struct ort *ort, const struct OrtSession *session,
                                   enum tensor_side side, struct tensor_info **ret_tensors,
                                   size_t *ret_count, struct hoist_error *err) {
  size_t count = 0;
  enum hoist_status status = read_count(ort, session, side, &count, err);
  if (status != HOIST_OK) return status;
  struct tensor_info *tensors = calloc(count ? count : 1, sizeof *tensors);
  if (!tensors) return hoist_fail_memory(err, "reading the model's inputs and outputs");
  for (size_t i = 0; i < count && status == HOIST_OK; i++)
    status = read_tensor(ort, session, side, i, &tensors[i], err);
  if (status != HOIST_OK) {
    tensor_list_free(tensors, count);
    return status;
  }
  *ret_tensors = tensors;
  *ret_count = count;
  return HOIST_OK;
}

void tensor_list_free(struct tensor_info *tensors, size_t count) {
  for (size_t i = 0; tensors && i < count; i++) {
    free(tensors[i].name);
    for (size_t d = 0; d < TENSOR_MAX_DIMS; d++)
      free(tensors[i].symbols[d]);
  }
  free(tensors);
}
