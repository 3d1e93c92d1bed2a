/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a file beside the one that is meant and renames it. Its name does not end in ".prom", so that who
 * collects those does not see it. Nothing is synced: after a crash the numbers would be old anyway. */
#include "metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"
#include "text.h"

static enum hoist_status check_target(const char *path, struct hoist_error *err) {
  struct stat st;
  if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
    return hoist_fail(err, HOIST_INVALID, "the metrics file %s is there and is no regular file",
                      path);
  return HOIST_OK;
}

static enum hoist_status write_text(const char *path, const struct buf *text,
                                    struct hoist_error *err) {
  HOIST_AUTO(fd)
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return hoist_fail_errno(err, errno, "making the metrics file %s", path);
  return fs_write_all(fd, text->data, text->size, path, err);
}

enum hoist_status metrics_file_write(const char *path, const struct buf *text,
                                     struct hoist_error *err) {
  enum hoist_status status = check_target(path, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(mem) char *temporary = text_format("%s.%ld.tmp", path, (long)getpid());
  if (!temporary) return hoist_fail_memory(err, "the metrics file");
  status = write_text(temporary, text, err);
  if (status == HOIST_OK && rename(temporary, path) != 0)
    status = hoist_fail_errno(err, errno, "putting the metrics file %s in its place", path);
  if (status != HOIST_OK) (void)unlink(temporary);
  return status;
}
