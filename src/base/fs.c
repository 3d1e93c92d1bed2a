/* SPDX-License-Identifier: Apache-2.0 */
/* Files. Every descriptor is O_CLOEXEC; nothing follows a symbolic link while removing. Any thread. */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_CHUNK (64u << 10)
#define MAX_TREE_DEPTH 64

void fd_cleanup(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

enum hoist_status fs_read_file(int dir_fd, const char *path, struct buf *ret_data,
                               struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return hoist_fail_errno(err, errno, "%s", path);
  char chunk[READ_CHUNK];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "%s", path);
    if (n == 0) return buf_append(ret_data, "", 0, err);
    enum hoist_status status = buf_append(ret_data, chunk, (size_t)n, err);
    if (status != HOIST_OK) {
      hoist_error_prepend(err, "%s", path);
      return status;
    }
  }
}

enum hoist_status fs_write_all(int fd, const void *data, size_t size, const char *what,
                               struct hoist_error *err) {
  const char *p = data;
  while (size > 0) {
    ssize_t n = write(fd, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "writing %s", what);
    p += n;
    size -= (size_t)n;
  }
  return HOIST_OK;
}

enum hoist_status fs_sync_fd(int fd, const char *what, struct hoist_error *err) {
  while (fsync(fd) != 0)
    if (errno != EINTR) return hoist_fail_errno(err, errno, "making %s durable", what);
  return HOIST_OK;
}

enum hoist_status fs_make_dirs(int dir_fd, const char *path, struct hoist_error *err) {
  char part[4096];
  size_t size = strlen(path);
  if (size >= sizeof part)
    return hoist_fail(err, HOIST_INVALID, "%.64s...: the path is too long", path);
  for (size_t i = 1; i <= size; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdirat(dir_fd, part, 0777) != 0 && errno != EEXIST) {
      int mkdir_errno = errno;
      struct stat st; /* a read-only file system says EROFS even for a directory that is there */
      if (fstatat(dir_fd, part, &st, 0) == 0 && S_ISDIR(st.st_mode)) continue;
      return hoist_fail_errno(err, mkdir_errno, "creating directory %s", part);
    }
  }
  return HOIST_OK;
}

static enum hoist_status remove_below(int dir_fd, const char *path, int depth,
                                      struct hoist_error *err) {
  if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT) return HOIST_OK;
  if (errno != EISDIR && errno != EPERM) return hoist_fail_errno(err, errno, "removing %s", path);
  if (depth > MAX_TREE_DEPTH)
    return hoist_fail(err, HOIST_INVALID, "removing %s: more than %d levels deep", path,
                      MAX_TREE_DEPTH);
  int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? HOIST_OK : hoist_fail_errno(err, errno, "removing %s", path);
  DIR *dir = fdopendir(fd);
  if (!dir) {
    int open_errno = errno;
    close(fd);
    return hoist_fail_errno(err, open_errno, "removing %s", path);
  }
  enum hoist_status status = HOIST_OK;
  const struct dirent *entry;
  while (status == HOIST_OK && (entry = readdir(dir)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      status = remove_below(dirfd(dir), entry->d_name, depth + 1, err);
  closedir(dir);
  if (status != HOIST_OK) return status;
  if (unlinkat(dir_fd, path, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return hoist_fail_errno(err, errno, "removing %s", path);
  return HOIST_OK;
}

enum hoist_status fs_remove_tree(int dir_fd, const char *path, struct hoist_error *err) {
  return remove_below(dir_fd, path, 0, err);
}

uint64_t fs_free_bytes(const char *path) {
  struct statvfs v;
  if (statvfs(path, &v) != 0 || v.f_blocks == 0) return UINT64_MAX;
  return (uint64_t)v.f_bavail * v.f_frsize;
}
