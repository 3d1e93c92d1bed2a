/* SPDX-License-Identifier: Apache-2.0 */
/* Whether file locks do anything here: two descriptors of one file must not both get it. Any thread; a
 * neighbour who tries the same at the same time only confirms that they do. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "cache_internal.h"

static int open_check_file(const struct cache *cache) {
  return openat(cache->root_fd, CACHE_LOCK_CHECK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
}

static enum cache_locks try_locks(const struct cache *cache) {
  HOIST_AUTO(fd) int first = open_check_file(cache);
  HOIST_AUTO(fd) int second = first >= 0 ? open_check_file(cache) : -1;
  if (second < 0) return CACHE_LOCKS_UNKNOWN;
  int failed = cache_try_flock(first, LOCK_EX);
  if (failed == EWOULDBLOCK) return CACHE_LOCKS_WORK; /* a neighbour has it: that is an answer */
  if (failed != 0) return CACHE_LOCKS_UNKNOWN;        /* taking a lock will tell why */
  enum cache_locks found =
      cache_try_flock(second, LOCK_EX) == 0 ? CACHE_LOCKS_DO_NOTHING : CACHE_LOCKS_WORK;
  /* For the copies in forked children, too, so that nobody is kept out for long. */
  cache_unlock_fd(first);
  first = -1;
  return found;
}

void cache_check_locks(struct cache *cache) {
  if (cache_locks(cache) == CACHE_LOCKS_UNKNOWN) atomic_store(&cache->locks, (int)try_locks(cache));
}

enum cache_locks cache_locks(const struct cache *cache) {
  return (enum cache_locks)atomic_load(&cache->locks);
}
