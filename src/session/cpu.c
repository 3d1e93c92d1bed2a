/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's kind, out of the first block of /proc/cpuinfo: there x86 and arm64 both say all that
 * matters, under different names. Elsewhere the machine's architecture has to do. */
#include "cpu.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "digest.h"
#include "text.h"

#define LINE_MAX_BYTES 8192

static char identity[DIGEST_HEX_SIZE];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Not the clock's speed, which changes, nor the number of the processor. */
static bool matters(const char *line) {
  static const char *const names[] = {"vendor_id", "cpu family",      "model",
                                      "flags",     "CPU implementer", "CPU architecture",
                                      "CPU part",  "Features"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (text_starts_with(line, names[i])) return true;
  return false;
}

static void add_processor(struct hasher *hasher) {
  static char line[LINE_MAX_BYTES];
  FILE *file = fopen("/proc/cpuinfo", "re");
  if (!file) return;
  while (fgets(line, sizeof line, file) && line[0] != '\n')
    if (matters(line) && hasher_update(hasher, line, strlen(line), NULL) != HOIST_OK) break;
  fclose(file);
}

static void find_out(void) {
  HOIST_AUTO(hasher) struct hasher *hasher = NULL;
  struct utsname machine;
  struct digest digest = {.kind = DIGEST_NONE};
  if (hasher_new(DIGEST_SHA256, &hasher, NULL) != HOIST_OK) return;
  add_processor(hasher);
  if (uname(&machine) == 0 &&
      hasher_update(hasher, machine.machine, strlen(machine.machine), NULL) == HOIST_OK &&
      hasher_final(hasher, &digest, NULL) == HOIST_OK)
    digest_hex(&digest, identity);
}

const char *cpu_identity(void) {
  pthread_once(&once, find_out);
  return identity;
}
