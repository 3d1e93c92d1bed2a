/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the changing system calls. Only calls out of the program's own objects come here, not
 * those that the C library makes itself. */
#include "wrapped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct wrapped_hooks wrapped_hooks;
int wrapped_no_exchange;

ssize_t __real_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __real_mkdirat(int dir_fd, const char *path, mode_t mode);
int __real_unlinkat(int dir_fd, const char *path, int flags);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __real_openat(int dir_fd, const char *path, int flags, ...);
int __real_openat64(int dir_fd, const char *path, int flags, ...);
int __real_flock(int fd, int operation);

ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat64(int dir_fd, const char *path, int flags, ...);
int __wrap_flock(int fd, int operation);

static void before(const char *call) {
  if (wrapped_hooks.before) wrapped_hooks.before(call);
}

/* Written in two halves, so that a test can stop in the middle. */
ssize_t __wrap_write(int fd, const void *data, size_t size) {
  size_t half = size / 2;
  before("write");
  if (half > 0 && __real_write(fd, data, half) != (ssize_t)half) return -1;
  before("write");
  ssize_t rest = __real_write(fd, (const char *)data + half, size - half);
  if (wrapped_hooks.wrote) wrapped_hooks.wrote(fd);
  return rest < 0 ? rest : (ssize_t)half + rest;
}

int __wrap_fsync(int fd) {
  before("fsync");
  int result = __real_fsync(fd);
  if (result == 0 && wrapped_hooks.synced) wrapped_hooks.synced(fd);
  return result;
}

static void made(int dir_fd, const char *path) {
  if (wrapped_hooks.made) wrapped_hooks.made(dir_fd, path);
}

int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode) {
  before("mkdirat");
  int result = __real_mkdirat(dir_fd, path, mode);
  if (result == 0) made(dir_fd, path);
  return result;
}

int __wrap_unlinkat(int dir_fd, const char *path, int flags) {
  before("unlinkat");
  if (wrapped_hooks.removing) wrapped_hooks.removing(dir_fd, path);
  return __real_unlinkat(dir_fd, path, flags);
}

static void renaming(int from_fd, const char *from, int to_fd, const char *to) {
  before("rename");
  if (wrapped_hooks.renaming) wrapped_hooks.renaming(from_fd, from, to_fd, to);
}

static void renamed(int from_fd, const char *from, int to_fd, const char *to) {
  if (wrapped_hooks.renamed) wrapped_hooks.renamed(from_fd, from, to_fd, to);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to) {
  renaming(from_fd, from, to_fd, to);
  int result = __real_renameat(from_fd, from, to_fd, to);
  if (result == 0) renamed(from_fd, from, to_fd, to);
  return result;
}

int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
  if (wrapped_no_exchange) {
    errno = EINVAL;
    return -1;
  }
  renaming(from_fd, from, to_fd, to);
  int result = __real_renameat2(from_fd, from, to_fd, to, flags);
  if (result == 0) renamed(from_fd, from, to_fd, to);
  return result;
}

static int open_and_tell(int dir_fd, const char *path, int flags, mode_t mode) {
  if (!(flags & O_CREAT)) return __real_openat(dir_fd, path, flags);
  before("openat");
  struct stat st;
  int is_new = fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
  int fd = __real_openat(dir_fd, path, flags, mode);
  if (fd >= 0 && is_new) made(dir_fd, path);
  return fd;
}

static mode_t mode_of(int flags, va_list args) {
  return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

int __wrap_openat(int dir_fd, const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = mode_of(flags, args);
  va_end(args);
  return open_and_tell(dir_fd, path, flags, mode);
}

int __wrap_openat64(int dir_fd, const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = mode_of(flags, args);
  va_end(args);
  return open_and_tell(dir_fd, path, flags, mode);
}

int __wrap_flock(int fd, int operation) {
  before("flock");
  return __real_flock(fd, operation);
}
