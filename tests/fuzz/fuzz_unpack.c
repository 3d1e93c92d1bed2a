/* SPDX-License-Identifier: Apache-2.0 */
/* Archives, by their first byte a zip ('z') or a tar (anything else): whatever they hold, names stay below the
 * directory and files are as long as their entries say. What is unpacked goes nowhere. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs.h"
#include "unpack_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum hoist_status create(void *user, const struct manifest_file *file, int *ret_fd,
                                struct hoist_error *err) {
  if (strstr(file->name, "..") == file->name || file->name[0] == '/') abort();
  *ret_fd = memfd_create("out", MFD_CLOEXEC);
  return *ret_fd >= 0 ? HOIST_OK : hoist_fail_memory(err, "a file");
}

static enum hoist_status complete(void *user, const struct manifest_file *file, size_t index,
                                  int fd, struct hoist_error *err) {
  if (lseek(fd, 0, SEEK_END) != file->size) abort();
  return HOIST_OK;
}

static struct dest *open_directory(void) {
  char path[] = "/tmp/hoist-fuzz-unpack-XXXXXX";
  const struct call call = {0};
  struct dest *dest = NULL;
  if (!mkdtemp(path) || dest_open(&call, path, 0, &dest, NULL) != HOIST_OK) abort();
  return dest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct call call;
  struct unpacked sums = {0};
  if (size < 1) return 0;
  struct dest *dest = open_directory();
  struct unpack u = {.call = &call,
                     .dest = dest,
                     .target = {.create = create, .complete = complete},
                     .name = "archive",
                     .fd = memfd_create("in", MFD_CLOEXEC),
                     .size = (int64_t)size - 1,
                     .sums = &sums,
                     .out = -1};
  if (u.fd < 0 || write(u.fd, data + 1, size - 1) != (ssize_t)size - 1) abort();
  if (lseek(u.fd, 0, SEEK_SET) != 0) abort();
  enum hoist_status status = data[0] == 'z' ? unpack_zip(&u, NULL) : unpack_tar(&u, NULL);
  if (status == HOIST_OK && sums.files > size) abort();
  fd_cleanup(&u.fd);
  fd_cleanup(&u.out);
  free(u.file.name);
  HOIST_AUTO(mem) char *path = strdup(dest->directory);
  dest_close(dest, false);
  if (!path || fs_remove_tree(AT_FDCWD, path, NULL) != HOIST_OK) abort();
  return 0;
}
