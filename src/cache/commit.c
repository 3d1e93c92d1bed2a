/* SPDX-License-Identifier: Apache-2.0 */
/* Committing: what was staged is compared with the manifest, made durable and published, in that
 * order. Nothing that readers see changes before cache_publish. Runs in the lock's thread. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <hoist/telemetry.h>

#include "cache_internal.h"
#include "clock.h"

/* Every allocation is made here, before anything is published. The record is read back from the
 * very bytes that will lie on disk, so a manifest that could not be read later is never written. */
static enum hoist_status make_record(const struct manifest *m, const struct model_id *id,
                                     struct buf *ret_json, struct cache_record *ret_record,
                                     struct hoist_error *err) {
  enum hoist_status status =
      manifest_to_json(m, id->text, clock_realtime_ns() / NS_PER_S, ret_json, err);
  if (status == HOIST_OK)
    status = digest_of(DIGEST_SHA256, buf_str(ret_json), ret_json->size, &ret_record->digest, err);
  if (status != HOIST_OK) return status;
  return manifest_from_json(buf_str(ret_json), ret_json->size, &ret_record->manifest,
                            &ret_record->model_id, &ret_record->created_unix_s, err);
}

static enum hoist_status settle_file(const struct cache_txn *txn, const struct manifest_file *file,
                                     struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = tree_open(txn->dir_fd, file->name, O_RDONLY);
  struct stat st;
  if (fd < 0 && errno == ENOENT)
    return hoist_fail(err, HOIST_CORRUPT, "%s: in the manifest, but was not staged", file->name);
  if (fd < 0 || fstat(fd, &st) != 0) return hoist_fail_errno(err, errno, "%s", file->name);
  if (!S_ISREG(st.st_mode))
    return hoist_fail(err, HOIST_CORRUPT, "%s: staged, but not as a regular file", file->name);
  if (st.st_size != file->size)
    return hoist_fail(err, HOIST_CORRUPT, "%s: %jd bytes were staged, the manifest says %" PRId64,
                      file->name, (intmax_t)st.st_size, file->size);
  return cache_txn_is_durable(txn, file->name) ? HOIST_OK : fs_sync_fd(fd, file->name, err);
}

static enum hoist_status settle_item(void *user, struct tree_item *item, struct hoist_error *err) {
  const struct manifest *m = user;
  if (item->event == TREE_LEAVE) return fs_sync_fd(item->dir_fd, "a staging directory", err);
  if (item->event == TREE_FILE && strcmp(item->path, CACHE_JOURNAL) == 0) return HOIST_OK;
  if (item->event == TREE_FILE && !manifest_find(m, item->path))
    return hoist_fail(err, HOIST_CORRUPT, "%s: was staged, but is not in the manifest", item->path);
  return HOIST_OK;
}

static enum hoist_status write_manifest(int dir_fd, const struct buf *json, int *ret_fd,
                                        struct hoist_error *err) {
  HOIST_AUTO(fd)
  int fd =
      openat(dir_fd, CACHE_MANIFEST, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return hoist_fail_errno(err, errno, "writing %s", CACHE_MANIFEST);
  enum hoist_status status = fs_write_all(fd, json->data, json->size, CACHE_MANIFEST, err);
  if (status != HOIST_OK) return status;
  status = fs_sync_fd(fd, CACHE_MANIFEST, err);
  if (status != HOIST_OK) return status;
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

/* Afterwards the staging directory is exactly the model, and on disk, but for the journal: until the moment
 * of publishing, whoever comes after a crash goes on from what is here. */
static enum hoist_status settle(const struct call *call, const struct cache_txn *txn,
                                struct manifest *m, const struct buf *json, int *ret_manifest_fd,
                                struct hoist_error *err) {
  for (size_t i = 0; i < m->file_count; i++) {
    enum hoist_status status = call_check(call, "committing a model", err);
    if (status == HOIST_OK) status = settle_file(txn, &m->files[i], err);
    if (status != HOIST_OK) return status;
  }
  enum hoist_status status = tree_walk(txn->dir_fd, settle_item, m, err);
  if (status != HOIST_OK) return status;
  status = write_manifest(txn->dir_fd, json, ret_manifest_fd, err);
  if (status != HOIST_OK) return status;
  status = fs_sync_fd(txn->dir_fd, "a staging directory", err);
  if (status != HOIST_OK) return status;
  return call_check(call, "committing a model", err);
}

static enum hoist_status commit(const struct call *call, struct cache_txn *txn,
                                const struct manifest *m, struct cache_lock **lock,
                                struct cache_entry **ret_entry, struct hoist_error *err) {
  const struct model_id *id = &txn->lock->id;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = cache_entry_new(txn->cache, id, &entry, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(buf) struct buf json = buf_make(MANIFEST_MAX_JSON_BYTES);
  status = make_record(m, id, &json, &entry->record, err);
  if (status != HOIST_OK) return status;
  /* Of a commit that was cut short. */
  if (unlinkat(txn->dir_fd, CACHE_MANIFEST, 0) != 0 && errno != ENOENT)
    return cache_fail_write(txn->cache, errno, "removing an old manifest", err);
  HOIST_AUTO(fd) int manifest_fd = -1;
  status = settle(call, txn, &entry->record.manifest, &json, &manifest_fd, err);
  if (status != HOIST_OK) return status;
  status = cache_publish(call, txn, &entry->record.manifest, &entry->dir_fd, err);
  if (status != HOIST_OK) return status;
  status = cache_entry_note(entry, err);
  if (status != HOIST_OK) return status;
  cache_remove_derived(entry->cache, entry->name); /* of an earlier version */
  cache_verified_note(entry);
  cache_shared_note(entry->cache, id, m);
  status = cache_lock_downgrade(lock, manifest_fd, &entry->lock_fd, err);
  if (status != HOIST_OK) return status;
  *ret_entry = HOIST_TAKE(entry);
  return HOIST_OK;
}

enum hoist_status cache_commit(const struct call *call, struct cache_txn *txn,
                               const struct manifest *m, struct cache_lock **lock,
                               struct cache_entry **ret_entry, struct hoist_error *err) {
  HOIST_AUTO(cache_txn) struct cache_txn *own = txn;
  struct hoist_error local;
  if (!err) err = &local;
  struct hoist_span span;
  hoist_span_start(call->span, "model.artifacts.commit", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "model.id", own->lock->id.text);
  enum hoist_status status = commit(call, own, m, lock, ret_entry, err);
  if (status != HOIST_OK) hoist_span_record_error(&span, err);
  hoist_span_end(&span);
  bool was_called_off = status == HOIST_CANCELLED || status == HOIST_TIMEOUT;
  if (was_called_off && cache_txn_has_journal(own)) cache_txn_keep(HOIST_TAKE(own));
  return status;
}
