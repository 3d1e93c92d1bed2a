/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of dest share; not for others. */
#ifndef HOIST_COPY_DEST_INTERNAL_H
#define HOIST_COPY_DEST_INTERNAL_H

#include "dest.h"
#include "holder.h"

/* No name from outside may begin so: path_problem refuses it. */
#define DEST_STATE ".hoist-copy"
#define DEST_LOCK "lock"
#define DEST_LOCK_IN_CAPITALS "LOCK"
#define DEST_JOURNAL "journal"
#define DEST_NEW "new"

struct dest {
  char *directory;       /* as it was named, for errors */
  size_t existing_bytes; /* of its path that were there before */
  int dir_fd, state_fd, lock_fd;
  bool is_locked;
  struct holder_note note; /* for those who wait for the lock */
  bool is_adopted;         /* an earlier copy left a journal */
  bool folds_case;
  const struct dest_file *files; /* of the target in use */
};

/** hoist_fail_errno, naming the directory. */
enum hoist_status dest_fail(const struct dest *dest, int sys_errno, const char *doing,
                            struct hoist_error *err);

#endif
