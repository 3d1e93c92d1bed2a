/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that change files, on their way from the cache to the C library. The linker's
 * --wrap (see meson.build) sends them through wrapped.c, which tells the hooks of the test. */
#ifndef HOIST_TESTS_WRAPPED_H
#define HOIST_TESTS_WRAPPED_H

#include <stddef.h>

struct wrapped_hooks {
  void (*before)(const char *call); /* each changing call; "write" twice: before, and half done */
  void (*wrote)(int fd);
  void (*made)(int dir_fd, const char *path); /* a file or directory */
  void (*renaming)(int from_fd, const char *from, int to_fd, const char *to);
  void (*renamed)(int from_fd, const char *from, int to_fd, const char *to);
  void (*removing)(int dir_fd, const char *path);
  void (*synced)(int fd);
};

/** NULL members are not called. All NULL: the calls go straight through. */
extern struct wrapped_hooks wrapped_hooks;
/** Non-zero: the file system cannot exchange two names. */
extern int wrapped_no_exchange;

#endif
