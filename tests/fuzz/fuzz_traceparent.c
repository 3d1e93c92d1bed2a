/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the header, an accepted one formats to a valid one that parses to the same again. */
#include <hoist/telemetry.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_span_context context = {0}, again = {0};
  char text[HOIST_TRACEPARENT_SIZE];
  char *header = malloc(size + 1);
  if (!header) return 0;
  memcpy(header, data, size);
  header[size] = '\0';
  if (hoist_traceparent_parse(header, &context) == HOIST_OK) {
    hoist_traceparent_format(&context, text);
    if (hoist_traceparent_parse(text, &again) != HOIST_OK ||
        memcmp(&context, &again, sizeof context) != 0)
      abort();
  }
  free(header);
  return 0;
}
