/* SPDX-License-Identifier: Apache-2.0 */
/* The Roboflow API's answer to /core_model/{id}, up to the plan made of it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "plan.h"
#include "roboflow_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_error err;
  HOIST_AUTO(roboflow_answer) struct roboflow_answer answer = {0};
  if (roboflow_read_core_model((const char *)data, size, &answer, &err) != HOIST_OK) return 0;
  if (answer.manifest.file_count == 0 || !answer.manifest.is_bundle) abort();
  struct model_id id;
  if (model_id_parse("clip/a", &id, NULL) != HOIST_OK) abort();
  if (plan_make(&id, &answer.manifest, &err) != HOIST_OK) return 0;
  for (size_t i = 0; i < answer.manifest.file_count; i++)
    if (!answer.manifest.files[i].locator ||
        plan_check_name(answer.manifest.files[i].name, NULL) != HOIST_OK)
      abort();
  return 0;
}
