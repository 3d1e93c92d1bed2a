/* SPDX-License-Identifier: Apache-2.0 */
/* A command line: its words are together no longer than it is, and there is at least one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws_search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  HOIST_AUTO(mem) char *command = strndup((const char *)data, size);
  HOIST_AUTO(aws_words) struct aws_words words = {0};
  if (!command || aws_words_split(command, &words, NULL) != HOIST_OK) return 0;
  size_t total = 0, count = 0;
  for (; words.words[count]; count++)
    total += strlen(words.words[count]);
  if (count == 0 || total > strlen(command)) abort();
  return 0;
}
