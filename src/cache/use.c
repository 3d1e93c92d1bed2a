/* SPDX-License-Identifier: Apache-2.0 */
/* When a model was last used: the time of modification of its manifest, because that takes no file
 * of its own, goes with the model, and survives a crash as well as anything that is not fsynced can.
 * Any thread. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "cache_internal.h"
#include "clock.h"

uint64_t cache_used_unix_ns(int dir_fd) {
  struct stat st;
  if (fstatat(dir_fd, CACHE_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_mtim.tv_sec < 0)
    return 0;
  return (uint64_t)st.st_mtim.tv_sec * NS_PER_S + (uint64_t)st.st_mtim.tv_nsec;
}

/* A time in the future, from before a clock was set right, is replaced as well. */
void cache_entry_mark_used(const struct cache_entry *entry) {
  uint64_t now = clock_realtime_ns(), last = cache_used_unix_ns(entry->dir_fd);
  if (now >= last && now - last < CACHE_USE_INTERVAL_S * NS_PER_S) return;
  /* Both times to "now": that alone is allowed to everyone who may write the file. */
  const struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
  if (utimensat(entry->dir_fd, CACHE_MANIFEST, times, AT_SYMLINK_NOFOLLOW) != 0)
    return; /* a cache that may only be read */
}
