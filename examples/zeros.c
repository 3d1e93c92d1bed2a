/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a model by its id and runs it once on zeros: zeros MODEL-ID */
#include <hoist/hoist.h>
#include <stdio.h>
#include <stdlib.h>

#include "ort.h"

int main(int argc, char **argv) {
  struct hoist_error err = {.message = "usage: zeros MODEL-ID"};
  struct hoist_config config;
  struct hoist *hoist = NULL;
  struct hoist_model *model = NULL;
  hoist_config_init(&config);
  if (argc != 2 || hoist_config_from_env(&config, NULL, &err) != HOIST_OK ||
      hoist_open(&config, &hoist, &err) != HOIST_OK ||
      hoist_load(hoist, argv[1], NULL, &model, &err) != HOIST_OK)
    return fprintf(stderr, "zeros: %s\n", err.message), 1;
  const struct hoist_info *info = hoist_model_info(model);
  int64_t shape[HOIST_MAX_DIMS], count = 1;
  for (size_t i = 0; i < info->inputs[0].dim_count; i++)
    count *= shape[i] = info->inputs[0].dims[i] > 0 ? info->inputs[0].dims[i] : 1;
  float *zeros = calloc((size_t)count, sizeof *zeros), *result = NULL;
  const OrtApi *ort = hoist_model_ort_api(model);
  OrtMemoryInfo *memory = NULL;
  OrtValue *input = NULL, *output = NULL;
  if (ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory) ||
      ort->CreateTensorWithDataAsOrtValue(memory, zeros, (size_t)count * sizeof *zeros, shape,
                                          info->inputs[0].dim_count,
                                          ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &input) ||
      ort->Run(hoist_model_ort_session(model), NULL, &info->inputs[0].name,
               (const OrtValue *const *)&input, 1, &info->outputs[0].name, 1, &output) ||
      ort->GetTensorMutableData(output, (void **)&result))
    return fprintf(stderr, "zeros: %s does not run on zeros\n", argv[1]), 1;
  printf("%s: %s[0] = %g after %.0f ms\n", argv[1], info->outputs[0].name, (double)result[0],
         info->load_time_s * 1e3);
  return 0; /* hoist_model_unref(model) and hoist_close(hoist) where a program goes on */
}
