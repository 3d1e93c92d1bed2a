/* SPDX-License-Identifier: Apache-2.0 */
/* What a model's files looked like when all their bytes were last compared: a small text below the state
 * directory, by which a later look-up knows them again without reading them. It names the manifest by its
 * digest, so it speaks of one version of the model only. It is a shortcut and no promise: what is missing,
 * damaged or torn is written anew after the next comparison, and so it is never synced. Any thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache_internal.h"
#include "clock.h"

#define HEADER "hoist-verified 1\n"
#define TRAILER "end\n"
#define MAX_BYTES (1u << 20)

static void path_of(const struct cache_entry *entry, char ret_path[CACHE_STATE_PATH_SIZE]) {
  snprintf(ret_path, CACHE_STATE_PATH_SIZE, CACHE_VERIFIED_DIR "/%s", entry->name);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool skip(const char **text, const char *expected) {
  size_t size = strlen(expected);
  if (strncmp(*text, expected, size) != 0) return false;
  *text += size;
  return true;
}

/* The file of today against the line that speaks of it. */
static bool is_as_noted(struct cache_entry *entry, size_t i, const char **text) {
  const struct manifest_file *file = &entry->record.manifest.files[i];
  struct file_identity noted;
  HOIST_AUTO(fd) int fd = -1;
  return identity_scan(*text, &noted, text) && skip(text, "\n") &&
         cache_open_listed(entry->dir_fd, file->name, file->size, &fd, &entry->identities[i],
                           NULL) == HOIST_OK &&
         identity_is_same(&noted, &entry->identities[i]);
}

static bool compare(struct cache_entry *entry, const char *text) {
  char hex[DIGEST_HEX_SIZE];
  digest_hex(&entry->record.digest, hex);
  if (!skip(&text, HEADER) || !skip(&text, hex) || !skip(&text, "\n")) return false;
  for (size_t i = 0; i < entry->record.manifest.file_count; i++)
    if (!is_as_noted(entry, i, &text)) return false;
  return strcmp(text, TRAILER) == 0;
}

bool cache_verified_is_known(struct cache_entry *entry) {
  char path[CACHE_STATE_PATH_SIZE];
  path_of(entry, path);
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_BYTES);
  return fs_read_file(entry->cache->root_fd, path, &text, NULL) == HOIST_OK &&
         strlen(buf_str(&text)) == text.size && compare(entry, buf_str(&text));
}

/* ---- writing ----------------------------------------------------------------------------- */

static bool is_settled(const struct cache_entry *entry, uint64_t now_unix_ns) {
  for (size_t i = 0; i < entry->record.manifest.file_count; i++)
    if (!identity_is_settled(&entry->identities[i], now_unix_ns)) return false;
  return true;
}

static enum hoist_status print(const struct cache_entry *entry, struct buf *text) {
  char hex[DIGEST_HEX_SIZE], line[IDENTITY_TEXT_SIZE];
  digest_hex(&entry->record.digest, hex);
  enum hoist_status status = buf_printf(text, NULL, HEADER "%s\n", hex);
  for (size_t i = 0; status == HOIST_OK && i < entry->record.manifest.file_count; i++) {
    identity_print(&entry->identities[i], line);
    status = buf_printf(text, NULL, "%s\n", line);
  }
  return status == HOIST_OK ? buf_append_str(text, TRAILER, NULL) : status;
}

static int open_note(const struct cache_entry *entry) {
  char path[CACHE_STATE_PATH_SIZE];
  path_of(entry, path);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  int root = entry->cache->root_fd, fd = openat(root, path, flags, 0666);
  if (fd >= 0 || errno != ENOENT || faccessat(root, CACHE_STATE_DIR, W_OK, 0) != 0) return fd;
  if (mkdirat(root, CACHE_VERIFIED_DIR, 0777) != 0 && errno != EEXIST) return -1;
  return openat(root, path, flags, 0666);
}

void cache_verified_note(const struct cache_entry *entry) {
  if (entry->record.digest.kind == DIGEST_NONE || !is_settled(entry, entry->seen_unix_ns)) return;
  HOIST_AUTO(buf) struct buf text = buf_make(MAX_BYTES);
  if (print(entry, &text) != HOIST_OK) return;
  HOIST_AUTO(fd) int fd = open_note(entry);
  if (fd < 0) return;
  enum hoist_status ignored = fs_write_all(fd, text.data, text.size, "a note", NULL);
  (void)ignored; /* a torn one is no note */
}
