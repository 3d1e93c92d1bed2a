/* SPDX-License-Identifier: Apache-2.0 */
/* Files that several models have in common: packages of one model mostly. A note below the state directory says, by
 * what a source promised of its bytes, which file of which model has them; a later download links to that file in
 * place of fetching it. Notes are hints: never synced, never needed, and what they lead to is compared byte by byte
 * before it counts. Any thread that holds the lock of the model it stages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "plan.h"

#define NOTE_MAX_BYTES (MODEL_ID_MAX + MANIFEST_FILE_NAME_MAX + 2)

static void path_of(const struct digest *promised, char ret_path[CACHE_STATE_PATH_SIZE]) {
  char hex[DIGEST_HEX_SIZE];
  digest_hex(promised, hex);
  snprintf(ret_path, CACHE_STATE_PATH_SIZE, CACHE_SHARED_DIR "/%s-%s",
           digest_kind_name(promised->kind), hex);
}

/* ---- noting ----------------------------------------------------------------------------------- */

static void note(const struct cache *cache, const struct model_id *id,
                 const struct manifest_file *file) {
  char path[CACHE_STATE_PATH_SIZE];
  HOIST_AUTO(buf) struct buf text = buf_make(NOTE_MAX_BYTES);
  path_of(&file->promised, path);
  if (buf_printf(&text, NULL, "%s/%s\n", id->path, file->name) != HOIST_OK) return;
  if (mkdirat(cache->root_fd, CACHE_SHARED_DIR, 0777) != 0 && errno != EEXIST) return;
  HOIST_AUTO(fd)
  int fd =
      openat(cache->root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return;
  enum hoist_status ignored = fs_write_all(fd, text.data, text.size, "a note", NULL);
  (void)ignored; /* a torn one leads nowhere */
}

void cache_shared_note(const struct cache *cache, const struct model_id *id,
                       const struct manifest *m) {
  for (size_t i = 0; i < m->file_count; i++)
    if (m->files[i].promised.kind != DIGEST_NONE && m->files[i].size >= CACHE_SHARED_MIN_BYTES)
      note(cache, id, &m->files[i]);
}

/* ---- following -------------------------------------------------------------------------------- */

/* The path below the root that a note names, in `text`; false where there is no sensible one. */
static bool read_note(const struct cache *cache, const char *path, struct buf *text) {
  if (fs_read_file(cache->root_fd, path, text, NULL) != HOIST_OK || text->size < 2 ||
      text->data[text->size - 1] != '\n' || strlen(text->data) != text->size)
    return false;
  buf_cut(text, text->size - 1);
  return !strchr(text->data, '\n') && text->data[0] != '/' && !strstr(text->data, "..") &&
         strncmp(text->data, CACHE_STATE_DIR, strlen(CACHE_STATE_DIR)) != 0;
}

bool cache_shared_leads_nowhere(const struct cache *cache, const char *path) {
  HOIST_AUTO(buf) struct buf text = buf_make(NOTE_MAX_BYTES);
  if (!read_note(cache, path, &text)) return true;
  HOIST_AUTO(fd) int fd = tree_open(cache->root_fd, text.data, O_RDONLY);
  return fd < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Links `from` into the staging, in place of what an earlier download left there. */
static enum hoist_status link_file(const struct cache_txn *txn, const char *from, const char *name,
                                   struct hoist_error *err) {
  const char *from_leaf, *leaf;
  HOIST_AUTO(fd)
  int from_dir = tree_open_parent(txn->cache->root_fd, from, TREE_FIND_PARENTS, &from_leaf);
  HOIST_AUTO(fd) int dir = tree_open_parent(txn->dir_fd, name, TREE_MAKE_PARENTS, &leaf);
  if (from_dir < 0 || dir < 0 || (unlinkat(dir, leaf, 0) != 0 && errno != ENOENT) ||
      linkat(from_dir, from_leaf, dir, leaf, 0) != 0)
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: cannot be linked to", name);
  return HOIST_OK;
}

static enum hoist_status hash_file(const struct call *call, int fd, const char *name,
                                   enum digest_kind kind, struct digest *ret_digest,
                                   struct hoist_error *err) {
  HOIST_AUTO(hasher) struct hasher *hasher = NULL;
  enum hoist_status status = hasher_new(kind, &hasher, err);
  if (status == HOIST_OK && lseek(fd, 0, SEEK_SET) != 0)
    status = hoist_fail_errno(err, errno, "reading %s", name);
  if (status == HOIST_OK) status = cache_read_through(call, fd, name, hasher, NULL, err);
  return status == HOIST_OK ? hasher_final(hasher, ret_digest, err) : status;
}

static enum hoist_status prove(const struct call *call, const struct cache_txn *txn,
                               const char *name, const struct digest *promised, int64_t *ret_size,
                               struct digest *ret_sha256, struct hoist_error *err) {
  struct stat st;
  struct digest found;
  HOIST_AUTO(fd) int fd = tree_open(txn->dir_fd, name, O_RDONLY);
  if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: no file to link to", name);
  enum hoist_status status = hash_file(call, fd, name, promised->kind, &found, err);
  if (status == HOIST_OK && !digest_equal(&found, promised))
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: what is in the cache is something else", name);
  if (status == HOIST_OK) status = hash_file(call, fd, name, DIGEST_SHA256, ret_sha256, err);
  if (status == HOIST_OK) *ret_size = (int64_t)st.st_size;
  return status;
}

static void unlink_staged(const struct cache_txn *txn, const char *name) {
  const char *leaf;
  HOIST_AUTO(fd) int dir = tree_open_parent(txn->dir_fd, name, TREE_FIND_PARENTS, &leaf);
  if (dir >= 0) (void)unlinkat(dir, leaf, 0);
}

enum hoist_status cache_txn_share(const struct call *call, struct cache_txn *txn, const char *name,
                                  const struct digest *promised, int64_t *ret_size,
                                  struct digest *ret_sha256, struct hoist_error *err) {
  char path[CACHE_STATE_PATH_SIZE];
  HOIST_AUTO(buf) struct buf from = buf_make(NOTE_MAX_BYTES);
  path_of(promised, path);
  enum hoist_status status = plan_check_name(name, err);
  if (status != HOIST_OK) return status;
  if (!read_note(txn->cache, path, &from))
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: no other model has it", name);
  status = link_file(txn, from.data, name, err);
  if (status != HOIST_OK) return status;
  status = prove(call, txn, name, promised, ret_size, ret_sha256, err);
  if (status == HOIST_OK) return HOIST_OK;
  unlink_staged(txn, name);
  return status;
}
