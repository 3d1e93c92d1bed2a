/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests as they lie in a model's directory. A manifest is what makes a directory a model:
 * whoever publishes writes it last, whoever removes takes it away first. Any thread. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "text.h"

#define READ_CHUNK (16u << 10)

void cache_record_done(struct cache_record *r) {
  manifest_done(&r->manifest);
  free(r->model_id);
  *r = (struct cache_record){0};
}

static enum hoist_status open_manifest(int dir_fd, const char *name, int *ret_fd,
                                       struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = tree_open(dir_fd, name, O_RDONLY);
  if (fd < 0 && errno == ELOOP)
    return hoist_fail(err, HOIST_CORRUPT, "%s is a symbolic link", name);
  if (fd < 0) return hoist_fail_errno(err, errno, "%s", name);
  struct stat st;
  if (fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", name);
  if (!S_ISREG(st.st_mode)) return hoist_fail(err, HOIST_CORRUPT, "%s is not a regular file", name);
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

static enum hoist_status read_text(int fd, const char *name, struct buf *ret_text,
                                   struct hoist_error *err) {
  char chunk[READ_CHUNK];
  for (;;) {
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "reading %s", name);
    if (n == 0) return HOIST_OK;
    enum hoist_status status = buf_append(ret_text, chunk, (size_t)n, err);
    if (status != HOIST_OK) return status;
  }
}

enum hoist_status cache_record_read(int dir_fd, const char *name, struct cache_record *ret_record,
                                    int *ret_fd, struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = -1;
  enum hoist_status status = open_manifest(dir_fd, name, &fd, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(buf) struct buf text = buf_make(MANIFEST_MAX_JSON_BYTES);
  status = read_text(fd, name, &text, err);
  struct cache_record record = {0};
  if (status == HOIST_OK)
    status = manifest_from_json(buf_str(&text), text.size, &record.manifest, &record.model_id,
                                &record.created_unix_s, err);
  if (status == HOIST_OK)
    status = digest_of(DIGEST_SHA256, buf_str(&text), text.size, &record.digest, err);
  if (status != HOIST_OK) {
    cache_record_done(&record);
    if (status == HOIST_CORRUPT) hoist_error_prepend(err, "%s", name);
    return status;
  }
  *ret_record = record;
  if (ret_fd) {
    *ret_fd = fd;
    fd = -1;
  }
  return HOIST_OK;
}

enum hoist_status cache_record_read_any(int dir_fd, struct cache_record *ret_record,
                                        bool *ret_known, struct hoist_error *err) {
  enum hoist_status status = cache_record_read(dir_fd, CACHE_MANIFEST, ret_record, NULL, err);
  if (status == HOIST_NOT_FOUND)
    status = cache_record_read(dir_fd, CACHE_RETIRED, ret_record, NULL, err);
  if (status != HOIST_OK && status != HOIST_NOT_FOUND && status != HOIST_CORRUPT) return status;
  *ret_known = status == HOIST_OK;
  return HOIST_OK;
}

bool cache_record_exists(int dir_fd, const char *name) {
  char path[NAME_MAX + sizeof CACHE_MANIFEST + 2];
  struct stat st;
  snprintf(path, sizeof path, "%s/" CACHE_MANIFEST, name);
  return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool cache_record_has_dir(const struct manifest *m, const char *path) {
  size_t size = strlen(path);
  for (size_t i = 0; i < m->file_count; i++)
    if (text_starts_with(m->files[i].name, path) && m->files[i].name[size] == '/') return true;
  return false;
}

int cache_has(const struct cache *cache, const struct model_id *id) {
  struct stat st;
  HOIST_AUTO(fd) int dir = tree_open(cache->root_fd, id->path, O_RDONLY | O_DIRECTORY);
  return dir >= 0 && fstatat(dir, CACHE_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
