/* SPDX-License-Identifier: Apache-2.0 */
/* One file on its way to disk. Bytes collect in a fixed buffer and leave it in whole buffers, which is
 * twice as fast as writing what the network happens to deliver; they are hashed when they leave. One
 * thread at a time. */
#include "download.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fetch.h"
#include "fs.h"

enum hoist_status download_init(struct download *d, struct manifest_file *file, int fd,
                                struct hoist_error *err) {
  *d = (struct download){.file = file, .fd = fd, .announced = FILE_SIZE_UNKNOWN};
  d->buffer = malloc(FETCH_BUFFER_BYTES);
  if (!d->buffer) return hoist_fail_memory(err, "a download buffer");
  return download_restart(d, FILE_SIZE_UNKNOWN, NULL, err);
}

void download_done(struct download *d) {
  hasher_free(d->sha256);
  hasher_free(d->other);
  free(d->buffer);
  *d = (struct download){.fd = -1};
}

static enum hoist_status fail_disk(struct download *d, enum hoist_status status) {
  if (status != HOIST_OK) d->disk_failed = 1;
  return status;
}

static enum hoist_status check_announced(const struct download *d, struct hoist_error *err) {
  if (d->announced == FILE_SIZE_UNKNOWN) return HOIST_OK;
  if (d->announced < 0 || d->announced > FETCH_MAX_FILE_BYTES)
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: the server announces an absurd size of %" PRId64 " bytes", d->file->name,
                      d->announced);
  if (d->file->size != FILE_SIZE_UNKNOWN && d->file->size != d->announced)
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: the server sends %" PRId64 " bytes, its listing says %" PRId64,
                      d->file->name, d->announced, d->file->size);
  return HOIST_OK;
}

/* The promise worth checking: a SHA-256 beats anything else, the manifest beats the response. */
static struct digest choose_promise(const struct digest *manifest, const struct digest *response) {
  if (!response || response->kind == DIGEST_NONE) return *manifest;
  if (manifest->kind == DIGEST_NONE || (response->kind > manifest->kind)) return *response;
  return *manifest;
}

enum hoist_status download_restart(struct download *d, int64_t announced,
                                   const struct digest *promised, struct hoist_error *err) {
  d->announced = announced;
  d->received = 0;
  d->buffered = 0;
  d->promised = choose_promise(&d->file->digest, promised);
  enum hoist_status status = check_announced(d, err);
  if (status != HOIST_OK) return status;
  if (ftruncate(d->fd, 0) != 0 || lseek(d->fd, 0, SEEK_SET) != 0)
    return fail_disk(d, hoist_fail_errno(err, errno, "rewinding %s", d->file->name));
  hasher_free(HOIST_TAKE(d->sha256));
  hasher_free(HOIST_TAKE(d->other));
  status = hasher_new(DIGEST_SHA256, &d->sha256, err);
  if (status != HOIST_OK) return status;
  if (d->promised.kind == DIGEST_NONE || d->promised.kind == DIGEST_SHA256) return HOIST_OK;
  return hasher_new(d->promised.kind, &d->other, err);
}

static enum hoist_status flush(struct download *d, struct hoist_error *err) {
  enum hoist_status status = hasher_update(d->sha256, d->buffer, d->buffered, err);
  if (status == HOIST_OK && d->other) status = hasher_update(d->other, d->buffer, d->buffered, err);
  if (status == HOIST_OK)
    status = fail_disk(d, fs_write_all(d->fd, d->buffer, d->buffered, d->file->name, err));
  d->buffered = 0;
  return status;
}

static int64_t most_bytes(const struct download *d) {
  if (d->file->size != FILE_SIZE_UNKNOWN) return d->file->size;
  return d->announced != FILE_SIZE_UNKNOWN ? d->announced : FETCH_MAX_FILE_BYTES;
}

enum hoist_status download_write(struct download *d, const void *data, size_t size,
                                 struct hoist_error *err) {
  int64_t most = most_bytes(d);
  if (size > (uint64_t)(most - d->received))
    return hoist_fail(err, HOIST_CORRUPT,
                      "%s: the server sends more than the %" PRId64 " bytes expected",
                      d->file->name, most);
  const char *p = data;
  d->received += (int64_t)size;
  while (size > 0) {
    size_t room = FETCH_BUFFER_BYTES - d->buffered;
    size_t n = size < room ? size : room;
    memcpy(d->buffer + d->buffered, p, n);
    d->buffered += n;
    p += n;
    size -= n;
    if (d->buffered == FETCH_BUFFER_BYTES) {
      enum hoist_status status = flush(d, err);
      if (status != HOIST_OK) return status;
    }
  }
  return HOIST_OK;
}

static enum hoist_status check_promise(const struct download *d, const struct digest *actual,
                                       struct hoist_error *err) {
  if (digest_equal(actual, &d->promised)) return HOIST_OK;
  char got[DIGEST_HEX_SIZE], wanted[DIGEST_HEX_SIZE];
  digest_hex(actual, got);
  digest_hex(&d->promised, wanted);
  return hoist_fail(err, HOIST_CORRUPT, "%s: %s is %s, the source promised %s", d->file->name,
                    digest_kind_name(actual->kind), got, wanted);
}

enum hoist_status download_finish(struct download *d, struct hoist_error *err) {
  enum hoist_status status = flush(d, err);
  if (status != HOIST_OK) return status;
  int64_t wanted = d->file->size != FILE_SIZE_UNKNOWN ? d->file->size : d->announced;
  if (wanted != FILE_SIZE_UNKNOWN && d->received != wanted)
    return hoist_fail(err, HOIST_CORRUPT, "%s: got %" PRId64 " of %" PRId64 " bytes", d->file->name,
                      d->received, wanted);
  struct digest sha256, other;
  status = hasher_final(d->sha256, &sha256, err);
  if (status == HOIST_OK && d->other) status = hasher_final(d->other, &other, err);
  if (status == HOIST_OK && d->promised.kind != DIGEST_NONE)
    status = check_promise(d, d->other ? &other : &sha256, err);
  if (status != HOIST_OK) return status;
  d->file->size = d->received;
  d->file->digest = sha256;
  return HOIST_OK;
}
