/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Runtime's C header where it is installed; else the few declarations of it that the examples
 * use, at their places in its function table (places never change). A program of your own includes
 * the official header. */
#ifndef EXAMPLES_ORT_H
#define EXAMPLES_ORT_H

#if defined(__has_include) && __has_include(<onnxruntime_c_api.h>)
#include <onnxruntime_c_api.h>
#else
#include <stddef.h>
#include <stdint.h>

typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtSession OrtSession;
typedef struct OrtStatus OrtStatus;
typedef struct OrtValue OrtValue;
enum { ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1, OrtArenaAllocator = 1, OrtMemTypeDefault = 0 };

typedef struct OrtApi {
  void *slots_0[2];
  const char *(*GetErrorMessage)(const OrtStatus *);
  void *slots_3[6];
  OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *input_names,
                    const OrtValue *const *inputs, size_t input_count,
                    const char *const *output_names, size_t output_count, OrtValue **outputs);
  void *slots_10[39];
  OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *data, size_t size,
                                               const int64_t *shape, size_t shape_size, int type,
                                               OrtValue **);
  void *slots_50[1];
  OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);
  void *slots_52[17];
  OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **);
  void *slots_70[24];
  void (*ReleaseMemoryInfo)(OrtMemoryInfo *);
  void *slots_95[1];
  void (*ReleaseValue)(OrtValue *);
} OrtApi;
#endif
#endif
