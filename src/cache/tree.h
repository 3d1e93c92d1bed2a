/* SPDX-License-Identifier: Apache-2.0 */
/* Directory trees below a descriptor, segment by segment: no symbolic link is ever followed, so
 * nothing planted in the cache leads out of it. Descriptors are O_CLOEXEC. Any thread. */
#ifndef HOIST_CACHE_TREE_H
#define HOIST_CACHE_TREE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "err.h"

/* Levels walked below a starting directory; one descriptor each. */
#define TREE_MAX_DEPTH 64
#define TREE_PATH_SIZE 4096

enum tree_parents { TREE_FIND_PARENTS, TREE_MAKE_PARENTS };

/** Opens the directory that holds the last segment of `path`, which `ret_leaf` points to.
 *  Parents that had to be made are durable. Returns -1 and errno; ENOTDIR where a segment is
 *  something else. */
int tree_open_parent(int dir_fd, const char *path, enum tree_parents parents,
                     const char **ret_leaf);

/** Opens the file or directory at `path`; O_NOFOLLOW and O_CLOEXEC are added to the flags.
 *  Never blocks on a FIFO. Returns -1 and errno; ELOOP for a symbolic link. */
int tree_open(int dir_fd, const char *path, int flags);

/** Removes the directory at `path` and then its parents below dir_fd for as long as they are
 *  empty. */
void tree_prune(int dir_fd, const char *path);

enum tree_event {
  TREE_FILE,  /* anything that is not a directory */
  TREE_ENTER, /* before a directory is opened; the visitor may set `skip` */
  TREE_LEAVE, /* after everything in it; also for the starting directory, with path "" */
};

struct tree_item {
  enum tree_event event;
  const char *path; /* relative to where the walk began */
  const char *name; /* its last segment */
  int dir_fd;       /* the directory that holds `name`; with TREE_LEAVE the directory itself */
  struct stat st;   /* not with TREE_LEAVE */
  bool skip;
};

/** Visits everything below dir_fd; stops where the visitor does not return OK. What vanishes
 *  meanwhile is passed over, and so is what lies deeper than TREE_MAX_DEPTH. */
HOIST_MUST_CHECK enum hoist_status tree_walk(int dir_fd,
                                             enum hoist_status (*visit)(void *user,
                                                                        struct tree_item *item,
                                                                        struct hoist_error *err),
                                             void *user, struct hoist_error *err);

#endif
