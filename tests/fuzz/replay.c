/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over its corpus, so that the ordinary tests replay every input that ever mattered:
 * replay DIRECTORY. Prints TAP, one test per file; a crash or a sanitizer report ends the program. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fs.h"

#define MAX_INPUT_BYTES (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int compare(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_input(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

int main(int argc, char **argv) {
  struct dirent **entries = NULL;
  int count = argc == 2 ? scandir(argv[1], &entries, is_input, compare) : -1;
  HOIST_AUTO(fd) int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (count <= 0 || dir < 0) {
    printf("Bail out! no corpus\n");
    return 1;
  }
  printf("1..%d\n", count);
  int failed = 0;
  for (int i = 0; i < count; i++) {
    HOIST_AUTO(buf) struct buf input = buf_make(MAX_INPUT_BYTES);
    struct hoist_error err = {0};
    int readable = fs_read_file(dir, entries[i]->d_name, &input, &err) == HOIST_OK;
    /* A copy of the exact size, so that a read past the end is one the sanitizer sees. */
    uint8_t *exact = readable ? malloc(input.size ? input.size : 1) : NULL;
    if (exact) {
      memcpy(exact, buf_str(&input), input.size);
      (void)LLVMFuzzerTestOneInput(exact, input.size);
    }
    failed += !exact;
    printf("%s %d - replays %s\n", exact ? "ok" : "not ok", i + 1, entries[i]->d_name);
    fflush(stdout);
    free(exact);
    free(entries[i]);
  }
  free(entries);
  return failed > 0;
}
