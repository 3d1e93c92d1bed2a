/* SPDX-License-Identifier: Apache-2.0 */
/* Reads model ids, one to a line, and prints where each would lie in a cache, or "-" for what is no id. For
 * tests/lib/model_paths.test.mjs, which knows the rule from elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_id.h"

int main(void) {
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) {
    struct model_id id;
    line[strcspn(line, "\n")] = '\0';
    puts(model_id_parse(line, &id, NULL) == HOIST_OK ? id.path : "-");
  }
  free(line);
  return 0;
}
