/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern and a name, with a NUL between them; and that a pattern without anything special matches itself alone. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 512) return 0;
  HOIST_AUTO(mem) char *text = calloc(1, size + 2);
  if (!text) return 0;
  memcpy(text, data, size);
  const char *pattern = text, *name = text + strlen(text) + 1;
  bool matches = glob_matches(pattern, name);
  if (!strpbrk(pattern, "*?[") && matches != (strcmp(pattern, name) == 0)) abort();
  if (!glob_matches("*", name)) abort();
  return 0;
}
