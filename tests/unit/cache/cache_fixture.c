/* SPDX-License-Identifier: Apache-2.0 */
/* Making caches and models for tests. The fixture owns its directory. */
#include "cache_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs.h"

const struct call no_limits = {0};

bool fixture_init(struct fixture *f) {
  *f = (struct fixture){.root = "/tmp/hoist-cache-test-XXXXXX"};
  struct hoist_error err = {.status = HOIST_OK};
  if (mkdtemp(f->root) && cache_open(f->root, &f->cache, &err) == HOIST_OK) return true;
  fprintf(stderr, "no cache to test in %s: %s\n", f->root, err.message);
  return false;
}

void fixture_done(struct fixture *f) {
  struct hoist_error err;
  cache_close(f->cache);
  if (fs_remove_tree(AT_FDCWD, f->root, &err) != HOIST_OK) fprintf(stderr, "%s\n", err.message);
}

int fixture_set_up(void **state) {
  static struct fixture f;
  *state = &f;
  return fixture_init(&f) ? 0 : -1;
}

int fixture_tear_down(void **state) {
  fixture_done(*state);
  return 0;
}

struct model_id id_of(const char *text) {
  struct model_id id;
  if (model_id_parse(text, &id, NULL) != HOIST_OK) abort();
  return id;
}

/* ---- models ------------------------------------------------------------------------------ */

static enum hoist_status stage_file(struct cache_txn *txn, const struct made_file *file,
                                    struct hoist_error *err) {
  HOIST_AUTO(fd) int fd = -1;
  enum hoist_status status = cache_txn_create(txn, file->name, &fd, err);
  if (status != HOIST_OK) return status;
  return fs_write_all(fd, file->content, strlen(file->content), file->name, err);
}

enum hoist_status model_stage(struct cache_lock *lock, const struct made_file *files,
                              struct cache_txn **ret_txn, struct hoist_error *err) {
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  enum hoist_status status = cache_begin(&no_limits, lock, 0, &txn, err);
  for (; status == HOIST_OK && files->name; files++)
    status = stage_file(txn, files, err);
  if (status == HOIST_OK) *ret_txn = HOIST_TAKE(txn);
  return status;
}

enum hoist_status model_manifest(const struct made_file *files, struct manifest *ret_manifest,
                                 struct hoist_error *err) {
  HOIST_AUTO(manifest) struct manifest m = {.source = strdup("test")};
  if (!m.source) return hoist_fail_memory(err, "a manifest");
  for (; files->name; files++) {
    struct manifest_file *file = NULL;
    enum hoist_status status = manifest_add(&m, files->name, &file, err);
    if (status != HOIST_OK) return status;
    file->size = (int64_t)strlen(files->content);
    status = digest_of(DIGEST_SHA256, files->content, strlen(files->content), &file->digest, err);
    if (status != HOIST_OK) return status;
  }
  *ret_manifest = m;
  m = (struct manifest){0};
  return HOIST_OK;
}

enum hoist_status model_publish(struct cache *cache, const char *id, const struct made_file *files,
                                struct cache_entry **ret_entry, struct hoist_error *err) {
  struct model_id model = id_of(id);
  HOIST_AUTO(cache_lock) struct cache_lock *lock = NULL;
  HOIST_AUTO(cache_txn) struct cache_txn *txn = NULL;
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  HOIST_AUTO(manifest) struct manifest m = {0};
  enum hoist_status status = cache_lock(&no_limits, cache, &model, &lock, err);
  if (status == HOIST_OK) status = model_stage(lock, files, &txn, err);
  if (status == HOIST_OK) status = model_manifest(files, &m, err);
  if (status == HOIST_OK)
    status = cache_commit(&no_limits, HOIST_TAKE(txn), &m, &lock, &entry, err);
  if (status == HOIST_OK && ret_entry) *ret_entry = HOIST_TAKE(entry);
  return status;
}

static enum hoist_status check_file(const struct cache_entry *entry, const struct made_file *file,
                                    struct hoist_error *err) {
  if (!manifest_find(cache_entry_manifest(entry), file->name))
    return hoist_fail(err, HOIST_CORRUPT, "%s: published, but not there", file->name);
  HOIST_AUTO(buf) struct buf data = buf_make(1 << 20);
  enum hoist_status status = cache_entry_read(entry, file->name, &data, err);
  if (status == HOIST_OK && strcmp(buf_str(&data), file->content) != 0)
    return hoist_fail(err, HOIST_CORRUPT, "%s: not what was published", file->name);
  return status;
}

enum hoist_status model_check(struct cache *cache, const char *id, const struct made_file *files,
                              struct hoist_error *err) {
  struct model_id model = id_of(id);
  HOIST_AUTO(cache_entry) struct cache_entry *entry = NULL;
  enum hoist_status status = cache_find(&no_limits, cache, &model, &entry, err);
  if (status != HOIST_OK) return status;
  size_t count = 0;
  for (; files[count].name; count++) {
    status = check_file(entry, &files[count], err);
    if (status != HOIST_OK) return status;
  }
  if (cache_entry_manifest(entry)->file_count != count)
    return hoist_fail(err, HOIST_CORRUPT, "more files than were published");
  return HOIST_OK;
}

enum hoist_status model_remove(struct cache *cache, const char *id, uint64_t *ret_freed,
                               struct hoist_error *err) {
  struct model_id model = id_of(id);
  return cache_remove(&no_limits, cache, &model, ret_freed, err);
}

/* ---- paths ------------------------------------------------------------------------------- */

static int open_root(const struct fixture *f) {
  return open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool path_exists(const struct fixture *f, const char *path) {
  HOIST_AUTO(fd) int root = open_root(f);
  struct stat st;
  return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool path_write(const struct fixture *f, const char *path, const void *data, size_t size) {
  HOIST_AUTO(fd) int root = open_root(f);
  HOIST_AUTO(fd) int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return fd >= 0 && fs_write_all(fd, data, size, path, NULL) == HOIST_OK;
}

bool path_make_dirs(const struct fixture *f, const char *path) {
  HOIST_AUTO(fd) int root = open_root(f);
  return fs_make_dirs(root, path, NULL) == HOIST_OK;
}

bool path_remove(const struct fixture *f, const char *path) {
  HOIST_AUTO(fd) int root = open_root(f);
  return fs_remove_tree(root, path, NULL) == HOIST_OK;
}

int path_count(const struct fixture *f, const char *path) {
  HOIST_AUTO(fd) int root = open_root(f);
  int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir) return -1;
  int count = -2;
  while (readdir(dir))
    count++;
  closedir(dir);
  return count;
}

int run_in_child(int (*work)(void *user), void *user) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(work(user));
  int how;
  if (pid < 0 || waitpid(pid, &how, 0) != pid || !WIFEXITED(how)) return -1;
  return WEXITSTATUS(how);
}
