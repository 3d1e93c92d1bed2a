/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of /models/v1/external/weights, up to the choice and its reasons. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "plan.h"
#include "roboflow_choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct roboflow_packages *packages, const char *providers) {
  struct roboflow_wish wish = {.providers = providers};
  char reason[ROBOFLOW_REASON_SIZE], facts[ROBOFLOW_FACTS_SIZE];
  if (roboflow_wish_parse("int8", &wish, NULL) != HOIST_OK) abort();
  size_t chosen = roboflow_choose(packages, &wish);
  for (size_t i = 0; i < packages->count; i++) {
    const struct roboflow_package *package = &packages->items[i];
    if (!*roboflow_package_facts(package, facts)) abort();
    if (!*roboflow_reason(packages, &wish, chosen, i, reason)) abort();
    if (!package->problem[0] && (!package->id || !package->is_onnx || chosen == ROBOFLOW_NONE))
      abort();
    for (size_t f = 0; package->is_onnx && f < package->files.file_count; f++)
      if (plan_check_name(package->files.files[f].name, NULL) != HOIST_OK) abort();
  }
  if (chosen != ROBOFLOW_NONE && packages->items[chosen].problem[0]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(roboflow_packages) struct roboflow_packages packages = {0};
  struct hoist_error err;
  for (int i = 0; i < 2; i++) { /* pages add up */
    char *next = NULL;
    enum hoist_status status =
        roboflow_read_page((const char *)data, size, i, &packages, &next, &err);
    free(next);
    if (status != HOIST_OK) return 0;
  }
  check(&packages, NULL);
  check(&packages, "CUDA(device_id=0),CPU!");
  return 0;
}
