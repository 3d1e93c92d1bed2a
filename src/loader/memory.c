/* SPDX-License-Identifier: Apache-2.0 */
/* Memory to spare, by /proc/meminfo and control groups of version 2 and 1. Any thread. */
#include "memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs.h"
#include "text.h"

#define MAX_FILE (64u << 10)

/* Of a file that holds one number. */
static bool read_number(const char *path, uint64_t *ret_value) {
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_FILE);
  if (fs_read_file(AT_FDCWD, path, &text, NULL) != HOIST_OK || text.size == 0) return false;
  text.data[strcspn(text.data, "\n")] = '\0';
  return parse_u64(text.data, ret_value);
}

static uint64_t of_machine(void) {
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_FILE);
  unsigned long long kib;
  if (fs_read_file(AT_FDCWD, "/proc/meminfo", &text, NULL) != HOIST_OK) return UINT64_MAX;
  const char *line = strstr(buf_str(&text), "MemAvailable:");
  if (!line || sscanf(line, "MemAvailable: %18llu kB", &kib) != 1) return UINT64_MAX;
  return (uint64_t)kib * 1024;
}

/* "max" is no number, so a group without a limit says nothing. */
static uint64_t of_group(const char *limit_path, const char *usage_path) {
  uint64_t limit, usage;
  if (!read_number(limit_path, &limit) || !read_number(usage_path, &usage)) return UINT64_MAX;
  return usage < limit ? limit - usage : 0;
}

uint64_t memory_available(void) {
  const uint64_t each[] = {of_machine(),
                           of_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                           of_group("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                    "/sys/fs/cgroup/memory/memory.usage_in_bytes")};
  uint64_t least = UINT64_MAX;
  for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
    least = each[i] < least ? each[i] : least;
  return least;
}
