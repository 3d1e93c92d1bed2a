/* SPDX-License-Identifier: Apache-2.0 */
/* Looking models up: a directory counts only after every byte in it was compared with its manifest.
 * An entry owns the directory's descriptor and the model's lock, shared; it is immutable and may be
 * used by any thread. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "clock.h"
#include "text.h"

#define READ_CHUNK (256u << 10)

static atomic_uint_least64_t serials;

enum hoist_status cache_entry_new(struct cache *cache, const struct model_id *id,
                                  struct cache_entry **ret_entry, struct hoist_error *err) {
  HOIST_AUTO(cache_entry) struct cache_entry *entry = calloc(1, sizeof *entry);
  if (!entry) return hoist_fail_memory(err, "a cache entry");
  entry->dir_fd = entry->lock_fd = -1;
  entry->cache = cache;
  entry->serial = 1 + atomic_fetch_add(&serials, 1);
  entry->dir = text_format("%s/%s", cache->root, id->path);
  if (!entry->dir) return hoist_fail_memory(err, "a cache entry");
  enum hoist_status status = cache_name_of(id, entry->name, err);
  if (status != HOIST_OK) return status;
  *ret_entry = HOIST_TAKE(entry);
  return HOIST_OK;
}

void cache_entry_release(struct cache_entry *entry) {
  if (!entry) return;
  fd_cleanup(&entry->dir_fd);
  cache_unlock_fd(entry->lock_fd);
  cache_record_done(&entry->record);
  free(entry->identities);
  free(entry->dir);
  free(entry);
}

const struct manifest *cache_entry_manifest(const struct cache_entry *entry) {
  return &entry->record.manifest;
}

const char *cache_entry_model_id(const struct cache_entry *entry) {
  return entry->record.model_id;
}

uint64_t cache_entry_serial(const struct cache_entry *entry) {
  return entry->serial;
}

uint64_t cache_entry_created_unix_s(const struct cache_entry *entry) {
  return entry->record.created_unix_s;
}

const char *cache_entry_dir(const struct cache_entry *entry) {
  return entry->dir;
}

/* ---- verification ------------------------------------------------------------------------ */

enum hoist_status cache_open_listed(int dir_fd, const char *name, int64_t size, int *ret_fd,
                                    struct file_identity *ret_identity, struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = tree_open(dir_fd, name, O_RDONLY);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return hoist_fail(err, HOIST_CORRUPT, "%s: missing", name);
  if (fd < 0 && errno == ELOOP)
    return hoist_fail(err, HOIST_CORRUPT, "%s: a symbolic link, not a file", name);
  if (fd < 0) return hoist_fail_errno(err, errno, "%s", name);
  struct stat st;
  if (fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", name);
  if (!S_ISREG(st.st_mode)) return hoist_fail(err, HOIST_CORRUPT, "%s: not a regular file", name);
  if (st.st_size != size)
    return hoist_fail(err, HOIST_CORRUPT, "%s: %jd bytes, the manifest says %" PRId64, name,
                      (intmax_t)st.st_size, size);
  if (ret_identity) *ret_identity = identity_of(&st);
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

enum hoist_status cache_read_through(const struct call *call, int fd, const char *name,
                                     struct hasher *hasher, struct buf *ret_data,
                                     struct hoist_error *err) {
  HOIST_AUTO(mem) char *chunk = malloc(READ_CHUNK);
  if (!chunk) return hoist_fail_memory(err, name);
#ifdef POSIX_FADV_SEQUENTIAL
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  for (;;) {
    enum hoist_status status = call_check(call, name, err);
    if (status != HOIST_OK) return status;
    ssize_t n = read(fd, chunk, READ_CHUNK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EIO) /* a bad sector is damage like any other: fetched again */
      return hoist_fail(err, HOIST_CORRUPT, "%s: the disk cannot read it", name);
    if (n < 0) return hoist_fail_errno(err, errno, "reading %s", name);
    if (n == 0) return HOIST_OK;
    status = hasher_update(hasher, chunk, (size_t)n, err);
    if (status == HOIST_OK && ret_data) status = buf_append(ret_data, chunk, (size_t)n, err);
    if (status != HOIST_OK) return status;
  }
}

static enum hoist_status verify_file(const struct call *call, int dir_fd,
                                     const struct manifest_file *file,
                                     struct file_identity *ret_identity, struct buf *ret_data,
                                     struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = -1;
  enum hoist_status status =
      cache_open_listed(dir_fd, file->name, file->size, &fd, ret_identity, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(hasher) struct hasher *hasher = NULL;
  status = hasher_new(DIGEST_SHA256, &hasher, err);
  if (status != HOIST_OK) return status;
  status = cache_read_through(call, fd, file->name, hasher, ret_data, err);
  if (status != HOIST_OK) return status;
  struct digest found;
  status = hasher_final(hasher, &found, err);
  if (status != HOIST_OK || digest_equal(&found, &file->digest)) return status;
  char found_hex[DIGEST_HEX_SIZE], listed_hex[DIGEST_HEX_SIZE];
  digest_hex(&found, found_hex);
  digest_hex(&file->digest, listed_hex);
  return hoist_fail(err, HOIST_CORRUPT, "%s: sha256 is %s, the manifest says %s", file->name,
                    found_hex, listed_hex);
}

enum hoist_status cache_entry_make_identities(struct cache_entry *entry, struct hoist_error *err) {
  if (!entry->identities)
    entry->identities = calloc(entry->record.manifest.file_count, sizeof *entry->identities);
  return entry->identities ? HOIST_OK : hoist_fail_memory(err, "a cache entry");
}

/* Compares every byte, and puts down what the files looked like when that began. */
static enum hoist_status verify(const struct call *call, struct cache_entry *entry,
                                struct hoist_error *err) {
  const struct manifest *m = &entry->record.manifest;
  enum hoist_status status = cache_entry_make_identities(entry, err);
  entry->seen_unix_ns = clock_realtime_ns();
  for (size_t i = 0; status == HOIST_OK && i < m->file_count; i++)
    status = verify_file(call, entry->dir_fd, &m->files[i], &entry->identities[i], NULL, err);
  if (status == HOIST_OK) cache_verified_note(entry);
  return status;
}

enum hoist_status cache_entry_note(struct cache_entry *entry, struct hoist_error *err) {
  const struct manifest *m = &entry->record.manifest;
  enum hoist_status status = cache_entry_make_identities(entry, err);
  entry->seen_unix_ns = clock_realtime_ns();
  for (size_t i = 0; status == HOIST_OK && i < m->file_count; i++) {
    HOIST_AUTO(fd) int fd = -1;
    status = cache_open_listed(entry->dir_fd, m->files[i].name, m->files[i].size, &fd,
                               &entry->identities[i], err);
  }
  return status;
}

static bool is_where_it_was(const struct cache_entry *entry) {
  struct stat held, there;
  return fstat(entry->dir_fd, &held) == 0 && stat(entry->dir, &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/* A link that another model made, or took away, changes a file's time of change and nothing else: then the bytes
 * decide. */
static bool has_its_bytes(const struct cache_entry *entry, size_t i,
                          const struct file_identity *now) {
  const struct call no_limit = {0};
  return identity_is_same_but_for_change(now, &entry->identities[i]) &&
         verify_file(&no_limit, entry->dir_fd, &entry->record.manifest.files[i], NULL, NULL,
                     NULL) == HOIST_OK;
}

enum hoist_status cache_entry_check_unchanged(const struct cache_entry *entry,
                                              struct hoist_error *err) {
  const struct manifest *m = &entry->record.manifest;
  if (!is_where_it_was(entry))
    return hoist_fail(err, HOIST_CORRUPT, "%s was replaced while it was in use", entry->dir);
  for (size_t i = 0; i < m->file_count; i++) {
    HOIST_AUTO(fd) int fd = -1;
    struct file_identity now = {0};
    enum hoist_status status =
        cache_open_listed(entry->dir_fd, m->files[i].name, m->files[i].size, &fd, &now, err);
    if (status != HOIST_OK) return status;
    if (!identity_is_same(&now, &entry->identities[i]) && !has_its_bytes(entry, i, &now))
      return hoist_fail(err, HOIST_CORRUPT,
                        "%s/%s was changed by something else while it was in use", entry->dir,
                        m->files[i].name);
  }
  return HOIST_OK;
}

enum hoist_status cache_entry_look(const struct cache *cache, const struct model_id *id,
                                   struct cache_entry *entry, int *ret_manifest_fd,
                                   struct hoist_error *err) {
  entry->dir_fd = tree_open(cache->root_fd, id->path, O_RDONLY | O_DIRECTORY);
  if (entry->dir_fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
    return cache_fail_absent(cache, id, err);
  if (entry->dir_fd < 0) return hoist_fail_errno(err, errno, "opening %s", entry->dir);
  enum hoist_status status =
      cache_record_read(entry->dir_fd, CACHE_MANIFEST, &entry->record, ret_manifest_fd, err);
  if (status == HOIST_NOT_FOUND) return cache_fail_absent(cache, id, err);
  if (status == HOIST_OK && strcmp(entry->record.model_id, id->text) != 0)
    status = hoist_fail(err, HOIST_CORRUPT, "%s is the one of %.128s", CACHE_MANIFEST,
                        entry->record.model_id);
  if (status != HOIST_OK) hoist_error_prepend(err, "%.128s in the cache", id->text);
  return status;
}

enum hoist_status cache_entry_prove(const struct call *call, struct cache_entry *entry,
                                    struct hoist_error *err) {
  enum hoist_status status = verify(call, entry, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%.128s in the cache", entry->record.model_id);
  return status;
}

/* ---- looking up -------------------------------------------------------------------------- */

enum hoist_status cache_find(const struct call *call, struct cache *cache,
                             const struct model_id *id, struct cache_entry **ret_entry,
                             struct hoist_error *err) {
  struct cache_claim *claim = NULL;
  enum hoist_status status = cache_claim(call, cache, id, CACHE_VERIFY_SHA256, &claim, err);
  return status == HOIST_OK ? cache_claim_prove(call, claim, ret_entry, err) : status;
}

enum hoist_status cache_find_locked(const struct call *call, struct cache_lock **lock,
                                    struct cache_entry **ret_entry, struct hoist_error *err) {
  struct cache *cache = (*lock)->cache;
  const struct model_id *id = &(*lock)->id;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = cache_entry_new(cache, id, &entry, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(fd) int manifest_fd = -1;
  status = cache_entry_look(cache, id, entry, &manifest_fd, err);
  if (status == HOIST_OK) status = cache_entry_prove(call, entry, err);
  if (status != HOIST_OK) return status;
  status = cache_lock_downgrade(lock, manifest_fd, &entry->lock_fd, err);
  if (status != HOIST_OK) return status;
  *ret_entry = HOIST_TAKE(entry);
  return HOIST_OK;
}

enum hoist_status cache_entry_read(const struct cache_entry *entry, const char *name,
                                   struct buf *ret_data, struct hoist_error *err) {
  const struct manifest_file *file = manifest_find(&entry->record.manifest, name);
  if (!file)
    return hoist_fail(err, HOIST_NOT_FOUND, "%s: %.128s has no such file", name,
                      entry->record.model_id);
  const struct call no_limit = {0};
  HOIST_AUTO(buf) struct buf data = buf_make(ret_data->max);
  enum hoist_status status = verify_file(&no_limit, entry->dir_fd, file, NULL, &data, err);
  if (status == HOIST_OK) status = buf_append(ret_data, buf_str(&data), data.size, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%.128s in the cache", entry->record.model_id);
  return status;
}
