/* SPDX-License-Identifier: Apache-2.0 */
/* Staging: a model is written in a directory of its own, on the file system of the root, until all
 * of it is there. A transaction owns that directory and its descriptor; cache_txn_create may be
 * called from several threads at once, the rest from the lock's thread. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cache_internal.h"
#include "clock.h"
#include "plan.h"
#include "text.h"

struct cleaning {
  struct cache *cache;
  const char *name;
  char *adopt; /* where the path of one to go on with is put; NULL: all are removed */
};

bool cache_is_resumable(int staging, const char *name) {
  char path[CACHE_STATE_PATH_SIZE];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s", name, CACHE_JOURNAL);
  if (fstatat(staging, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return false;
  uint64_t now_s = clock_realtime_ns() / NS_PER_S;
  return now_s < (uint64_t)st.st_mtim.tv_sec + CACHE_KEEP_STAGING_S;
}

bool cache_name_before_dot(const char *file, char ret_name[CACHE_NAME_SIZE]) {
  size_t size = strcspn(file, ".");
  if (size == 0 || size >= CACHE_NAME_SIZE) return false;
  memcpy(ret_name, file, size);
  ret_name[size] = '\0';
  return true;
}

enum hoist_status cache_remove_staging(struct cache *cache, const struct tree_item *item,
                                       const char *name, bool *ret_gone, struct hoist_error *err) {
  int lock_fd = -1;
  enum hoist_status status = cache_lock_name(cache, name, &lock_fd, err);
  if (status != HOIST_OK || lock_fd < 0) return status;
  status = fs_remove_tree(item->dir_fd, item->name, err);
  *ret_gone = status == HOIST_OK;
  cache_unlock_fd(lock_fd);
  return status;
}

/* What another model's download left behind when it was killed: nobody holds that model's lock then.
 * Best effort, because it is not this model's business. What that model may go on with is left to it for
 * a while. */
static void remove_if_orphaned(struct cache *cache, const struct tree_item *item) {
  char name[CACHE_NAME_SIZE];
  bool gone;
  if (!cache_name_before_dot(item->name, name) || cache_is_resumable(item->dir_fd, item->name))
    return;
  enum hoist_status ignored = cache_remove_staging(cache, item, name, &gone, NULL);
  (void)ignored;
}

static enum hoist_status find_latest(void *user, struct tree_item *item, struct hoist_error *err) {
  uint64_t *latest_s = user, written_s = (uint64_t)item->st.st_mtim.tv_sec;
  (void)err;
  if (item->event == TREE_FILE && written_s > *latest_s) *latest_s = written_s;
  return HOIST_OK;
}

/* Where locks do nothing, holding one does not tell that whoever staged this is gone. */
static bool may_be_in_use(const struct cache *cache, int staging, const char *name) {
  struct stat st;
  if (cache_locks(cache) != CACHE_LOCKS_DO_NOTHING) return false;
  HOIST_AUTO(fd) int dir = tree_open(staging, name, O_RDONLY | O_DIRECTORY);
  if (dir < 0 || fstat(dir, &st) != 0) return false;
  uint64_t latest_s = (uint64_t)st.st_mtim.tv_sec, now_s = clock_realtime_ns() / NS_PER_S;
  return tree_walk(dir, find_latest, &latest_s, NULL) != HOIST_OK ||
         now_s < latest_s + CACHE_KEEP_STAGING_S;
}

static enum hoist_status remove_if_of_model(void *user, struct tree_item *item,
                                            struct hoist_error *err) {
  const struct cleaning *c = user;
  if (item->event == TREE_LEAVE) return HOIST_OK;
  item->skip = true;
  size_t size = strlen(c->name);
  if (strncmp(item->name, c->name, size) == 0 && item->name[size] == '.') {
    if (may_be_in_use(c->cache, item->dir_fd, item->name)) return HOIST_OK;
    bool adopt = c->adopt && !*c->adopt && cache_is_resumable(item->dir_fd, item->name);
    if (!adopt) return fs_remove_tree(item->dir_fd, item->name, err);
    snprintf(c->adopt, CACHE_STATE_PATH_SIZE, CACHE_STAGING_DIR "/%.150s", item->name);
    return HOIST_OK;
  }
  remove_if_orphaned(c->cache, item);
  return HOIST_OK;
}

static enum hoist_status clean(struct cache *cache, const char *name, char *adopt,
                               struct hoist_error *err) {
  HOIST_AUTO(fd) int staging = tree_open(cache->root_fd, CACHE_STAGING_DIR, O_RDONLY | O_DIRECTORY);
  if (staging < 0 && errno == ENOENT) return HOIST_OK;
  if (staging < 0) return hoist_fail_errno(err, errno, "opening the staging of %s", cache->root);
  struct cleaning c = {.cache = cache, .name = name, .adopt = adopt};
  return tree_walk(staging, remove_if_of_model, &c, err);
}

enum hoist_status cache_clean_staging(struct cache *cache, const char *name,
                                      struct hoist_error *err) {
  return clean(cache, name, NULL, err);
}

static enum hoist_status add_blocks(void *user, struct tree_item *item, struct hoist_error *err) {
  uint64_t *bytes = user;
  (void)err;
  if (item->event == TREE_FILE) *bytes += (uint64_t)item->st.st_blocks * 512;
  return HOIST_OK;
}

/* What is staged already needs no more room. */
static uint64_t staged_bytes(const struct cache_txn *txn) {
  uint64_t bytes = 0;
  if (txn->adopted && tree_walk(txn->dir_fd, add_blocks, &bytes, NULL) != HOIST_OK) return 0;
  return bytes;
}

static enum hoist_status check_space(const struct cache_lock *lock, uint64_t expected_bytes,
                                     uint64_t staged, struct hoist_error *err) {
  uint64_t free_bytes = fs_free_bytes(lock->cache->root);
  if (staged >= expected_bytes) return HOIST_OK;
  expected_bytes -= staged;
  if (expected_bytes <= free_bytes) return HOIST_OK;
  char needed[TEXT_BYTES_SIZE], available[TEXT_BYTES_SIZE];
  return hoist_fail(err, HOIST_NO_SPACE,
                    "%.128s needs %s and the cache %s has %s free: make room, or set "
                    "HOIST_CACHE_DIR to a directory with more",
                    lock->id.text, text_bytes(needed, expected_bytes), lock->cache->root,
                    text_bytes(available, free_bytes));
}

static enum hoist_status make_staging(struct cache_txn *txn, struct hoist_error *err) {
  struct cache *cache = txn->cache;
  uint64_t random;
  txn->adopted = false;
  if (getrandom(&random, sizeof random, 0) != sizeof random)
    return hoist_fail_errno(err, errno, "drawing a random number");
  snprintf(txn->path, sizeof txn->path, CACHE_STAGING_DIR "/%s.%016" PRIx64, txn->lock->name,
           random);
  if (mkdirat(cache->root_fd, txn->path, 0777) != 0)
    return cache_fail_write(cache, errno, "making a staging directory", err);
  txn->dir_fd = tree_open(cache->root_fd, txn->path, O_RDONLY | O_DIRECTORY);
  if (txn->dir_fd < 0) return hoist_fail_errno(err, errno, "opening a staging directory");
  return HOIST_OK;
}

static enum hoist_status open_staging(struct cache_txn *txn, struct hoist_error *err) {
  if (!*txn->path) return make_staging(txn, err);
  txn->adopted = true;
  txn->dir_fd = tree_open(txn->cache->root_fd, txn->path, O_RDONLY | O_DIRECTORY);
  if (txn->dir_fd < 0) return hoist_fail_errno(err, errno, "opening a staging directory");
  return HOIST_OK;
}

enum hoist_status cache_begin(const struct call *call, struct cache_lock *lock,
                              uint64_t expected_bytes, struct cache_txn **ret_txn,
                              struct hoist_error *err) {
  enum hoist_status status = call_check(call, "staging a model", err);
  if (status != HOIST_OK) return status;
  status = cache_make_state(lock->cache, err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = calloc(1, sizeof *txn);
  if (!txn) return hoist_fail_memory(err, "staging a model");
  *txn = (struct cache_txn){.cache = lock->cache, .lock = lock, .dir_fd = -1};
  status = clean(lock->cache, lock->name, txn->path, err);
  if (status != HOIST_OK) return status;
  status = open_staging(txn, err);
  if (status == HOIST_OK) status = check_space(lock, expected_bytes, staged_bytes(txn), err);
  if (status != HOIST_OK) return status;
  *ret_txn = HOIST_TAKE(txn);
  return HOIST_OK;
}

static void txn_free(struct cache_txn *txn) {
  fd_cleanup(&txn->dir_fd);
  free(txn->durable);
  free(txn);
}

void cache_discard(struct cache_txn *txn) {
  if (!txn) return;
  /* What cannot be removed now is removed by whoever stages this model next. */
  if (txn->path[0] && fs_remove_tree(txn->cache->root_fd, txn->path, NULL) != HOIST_OK)
    txn->path[0] = '\0';
  txn_free(txn);
}

enum hoist_status cache_txn_expect(struct cache_txn *txn, const struct manifest *planned,
                                   struct hoist_error *err) {
  atomic_bool *durable = calloc(planned->file_count + 1, sizeof *durable);
  if (!durable) return hoist_fail_memory(err, "staging a model");
  free(txn->durable);
  txn->durable = durable;
  txn->planned = planned;
  return HOIST_OK;
}

enum hoist_status cache_txn_sync(struct cache_txn *txn, const char *name, int fd,
                                 struct hoist_error *err) {
  const struct manifest_file *file = txn->planned ? manifest_find(txn->planned, name) : NULL;
  if (!file) return HOIST_OK;
  enum hoist_status status = fs_sync_fd(fd, name, err);
  if (status == HOIST_OK) atomic_store(&txn->durable[file - txn->planned->files], true);
  return status;
}

bool cache_txn_is_durable(const struct cache_txn *txn, const char *name) {
  const struct manifest_file *file = txn->planned ? manifest_find(txn->planned, name) : NULL;
  return file && atomic_load(&txn->durable[file - txn->planned->files]);
}

/* Blocks beyond the end of the file: it grows as it is written, so a short one still looks short.
 * Whatever cannot reserve, be it the file system or the kernel, finds out later, while writing. */
static enum hoist_status reserve(const struct cache_txn *txn, const char *name, int fd,
                                 struct hoist_error *err) {
  const struct manifest_file *file = txn->planned ? manifest_find(txn->planned, name) : NULL;
  if (!file || file->size <= 0) return HOIST_OK;
  while (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)file->size) != 0) {
    if (errno == EINTR) continue;
    if (errno != ENOSPC && errno != EDQUOT && errno != EFBIG) return HOIST_OK;
    char size[TEXT_BYTES_SIZE];
    return hoist_fail_errno(err, errno, "reserving %s for %s in the cache %s",
                            text_bytes(size, (uint64_t)file->size), name, txn->cache->root);
  }
  return HOIST_OK;
}

int cache_txn_is_adopted(const struct cache_txn *txn) {
  return txn->adopted;
}

bool cache_txn_has_journal(const struct cache_txn *txn) {
  struct stat st;
  return txn->dir_fd >= 0 && fstatat(txn->dir_fd, CACHE_JOURNAL, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void cache_txn_keep(struct cache_txn *txn) {
  if (!txn) return;
  txn_free(txn);
}

enum hoist_status cache_txn_reset(struct cache_txn *txn, struct hoist_error *err) {
  fd_cleanup(&txn->dir_fd);
  enum hoist_status status = fs_remove_tree(txn->cache->root_fd, txn->path, err);
  return status == HOIST_OK ? make_staging(txn, err) : status;
}

enum hoist_status cache_txn_journal(struct cache_txn *txn, int *ret_fd, struct hoist_error *err) {
  int fd = openat(txn->dir_fd, CACHE_JOURNAL, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
                  0666);
  if (fd < 0) return cache_fail_write(txn->cache, errno, "opening a journal", err);
  *ret_fd = fd;
  return HOIST_OK;
}

/* What an earlier download linked to belongs to another model as well: it is never written to. */
static void drop_if_shared(int parent, const char *leaf) {
  struct stat st;
  if (parent >= 0 && fstatat(parent, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink > 1)
    (void)unlinkat(parent, leaf, 0);
}

enum hoist_status cache_txn_create(struct cache_txn *txn, const char *name, int *ret_fd,
                                   struct hoist_error *err) {
  enum hoist_status status = plan_check_name(name, err);
  if (status != HOIST_OK) return status;
  const char *leaf;
  HOIST_AUTO(fd) int parent = tree_open_parent(txn->dir_fd, name, TREE_MAKE_PARENTS, &leaf);
  int exclusive = txn->adopted ? 0 : O_EXCL;
  if (txn->adopted) drop_if_shared(parent, leaf);
  HOIST_AUTO(fd)
  int fd = parent < 0
               ? -1
               : openat(parent, leaf, O_RDWR | O_CREAT | exclusive | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST)
    return hoist_fail(err, HOIST_INVALID, "%s was staged before", name);
  if (fd < 0 && errno == ENOTDIR)
    return hoist_fail(err, HOIST_CORRUPT, "%s: the model has a file and a directory of one name",
                      name);
  if (fd < 0) return cache_fail_write(txn->cache, errno, name, err);
  status = reserve(txn, name, fd, err);
  if (status != HOIST_OK) return status;
  *ret_fd = fd;
  fd = -1;
  return HOIST_OK;
}

enum hoist_status cache_txn_read(const struct cache_txn *txn, const char *name,
                                 struct buf *ret_data, struct hoist_error *err) {
  enum hoist_status status = plan_check_name(name, err);
  if (status != HOIST_OK) return status;
  return fs_read_file(txn->dir_fd, name, ret_data, err);
}
