/* SPDX-License-Identifier: Apache-2.0 */
/* What archives of all kinds are made into. Files are written as copied ones are: beside their place first. One
 * thread. */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"
#include "text.h"
#include "tree.h"
#include "unpack_internal.h"

static bool has_suffix(const char *name, const char *const *suffixes) {
  size_t size = strlen(name);
  for (; *suffixes; suffixes++) {
    size_t n = strlen(*suffixes);
    if (size > n && strcasecmp(name + size - n, *suffixes) == 0) return true;
  }
  return false;
}

static const char *const tar_suffixes[] = {".tar",  ".tar.gz", ".tgz", ".taz",   ".tar.bz2",
                                           ".tbz2", ".tar.xz", ".txz", ".tar.Z", NULL};
static const char *const zip_suffixes[] = {".zip", NULL};

bool unpack_is_archive(const char *name) {
  return has_suffix(name, tar_suffixes) || has_suffix(name, zip_suffixes);
}

enum hoist_status unpack_fail(const struct unpack *u, const char *problem,
                              struct hoist_error *err) {
  return hoist_fail(err, HOIST_CORRUPT, "%s: not a whole archive: %s", u->name, problem);
}

/* ---- files ------------------------------------------------------------------------------------- */

static enum hoist_status check_name(const struct unpack *u, const char *name,
                                    struct hoist_error *err) {
  enum hoist_status status = call_check(u->call, "unpacking", err);
  if (status == HOIST_OK) status = dest_check_name(name, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", u->name);
  return status;
}

enum hoist_status unpack_begin(struct unpack *u, const char *name, int64_t size,
                               struct hoist_error *err) {
  enum hoist_status status = check_name(u, name, err);
  if (status != HOIST_OK) return status;
  if (u->sums->files == UNPACK_MAX_FILES)
    return hoist_fail(err, HOIST_CORRUPT, "%s: more than %u files", u->name, UNPACK_MAX_FILES);
  if (size < 0 || size > UNPACK_MAX_BYTES - (int64_t)u->sums->bytes)
    return hoist_fail(err, HOIST_CORRUPT, "%s: its files take more than %" PRId64 " bytes", u->name,
                      UNPACK_MAX_BYTES);
  free(u->file.name);
  u->file = (struct manifest_file){.name = text_dup(name), .size = size};
  if (!u->file.name) return hoist_fail_memory(err, "unpacking");
  u->written = 0;
  status = u->target.create(u->target.user, &u->file, &u->out, err);
  if (status != HOIST_OK) return status;
  if (ftruncate(u->out, 0) != 0) return hoist_fail_errno(err, errno, "emptying %s", name);
  return HOIST_OK;
}

enum hoist_status unpack_write(struct unpack *u, const void *data, size_t size,
                               struct hoist_error *err) {
  enum hoist_status status = call_check(u->call, "unpacking", err);
  if (status != HOIST_OK) return status;
  if ((int64_t)size > u->file.size - u->written)
    return unpack_fail(u, "a file is longer than it says", err);
  u->written += (int64_t)size;
  u->sums->bytes += size;
  return fs_write_all(u->out, data, size, u->file.name, err);
}

enum hoist_status unpack_end(struct unpack *u, struct hoist_error *err) {
  if (u->written != u->file.size) return unpack_fail(u, "a file is shorter than it says", err);
  enum hoist_status status = u->target.complete(u->target.user, &u->file, 0, u->out, err);
  fd_cleanup(&u->out);
  if (status == HOIST_OK) u->sums->files++;
  return status;
}

/* A directory is the parent of what would be in it. */
enum hoist_status unpack_directory(struct unpack *u, const char *name, struct hoist_error *err) {
  enum hoist_status status = check_name(u, name, err);
  if (status != HOIST_OK) return status;
  const char *leaf;
  HOIST_AUTO(mem) char *inside = text_format("%s/.", name);
  if (!inside) return hoist_fail_memory(err, "unpacking");
  HOIST_AUTO(fd) int fd = tree_open_parent(u->dest->dir_fd, inside, TREE_MAKE_PARENTS, &leaf);
  return fd >= 0 ? HOIST_OK : dest_fail(u->dest, errno, name, err);
}

/* ---- the archive ------------------------------------------------------------------------------- */

static enum hoist_status open_archive(struct unpack *u, struct hoist_error *err) {
  struct stat st;
  u->fd = tree_open(u->dest->dir_fd, u->name, O_RDONLY);
  if (u->fd < 0 || fstat(u->fd, &st) != 0) return dest_fail(u->dest, errno, u->name, err);
  u->size = st.st_size;
  return HOIST_OK;
}

static enum hoist_status remove_archive(const struct unpack *u, struct hoist_error *err) {
  const char *leaf;
  struct stat mine, there;
  HOIST_AUTO(fd) int parent = tree_open_parent(u->dest->dir_fd, u->name, TREE_FIND_PARENTS, &leaf);
  if (parent < 0 || fstat(u->fd, &mine) != 0 ||
      fstatat(parent, leaf, &there, AT_SYMLINK_NOFOLLOW) != 0)
    return dest_fail(u->dest, errno, u->name, err);
  if (mine.st_ino != there.st_ino) return HOIST_OK; /* a file in it is called as it is itself */
  return unlinkat(parent, leaf, 0) == 0 ? HOIST_OK : dest_fail(u->dest, errno, u->name, err);
}

static enum hoist_status unpack(struct unpack *u, struct hoist_error *err) {
  enum hoist_status status = open_archive(u, err);
  if (status == HOIST_OK)
    status = has_suffix(u->name, zip_suffixes) ? unpack_zip(u, err) : unpack_tar(u, err);
  return status == HOIST_OK ? remove_archive(u, err) : status;
}

enum hoist_status unpack_archive(const struct call *call, struct dest *dest, const char *name,
                                 struct unpacked *ret_unpacked, struct hoist_error *err) {
  const struct dest_file any_time = {0};
  *ret_unpacked = (struct unpacked){0};
  struct unpack u = {.call = call,
                     .dest = dest,
                     .target = dest_target(dest, &any_time),
                     .name = name,
                     .fd = -1,
                     .out = -1,
                     .sums = ret_unpacked};
  enum hoist_status status = unpack(&u, err);
  fd_cleanup(&u.fd);
  fd_cleanup(&u.out);
  free(u.file.name);
  return status;
}
