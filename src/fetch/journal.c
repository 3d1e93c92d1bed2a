/* SPDX-License-Identifier: Apache-2.0 */
/* An append-only file of small records: the key, files as they are begun, parts as they are finished.
 * Parts wait in memory until JOURNAL_BATCH_PARTS of a file are there or JOURNAL_BATCH_NS have passed;
 * then their data is synced, and only then their records are written, so a record on disk speaks of
 * bytes on disk. Native byte order: a cache does not move between machines half-way. */
#include "journal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "clock.h"
#include "fs.h"

#define JOURNAL_MAX_BYTES (16u << 20)
#define JOURNAL_MAX_PENDING 256 /* what comes while a sync takes long is not noted beyond this */
#define JOURNAL_BATCH_PARTS 8
#define JOURNAL_BATCH_NS (2 * NS_PER_S)

enum record_type { RECORD_KEY = 0x31534b48, RECORD_FILE = 0x31464b48, RECORD_PART = 0x31504b48 };

struct record_head {
  uint32_t type;
  uint32_t crc; /* of the payload */
};

struct journal {
  int fd;
  struct journal_file *files; /* as read; of one file, the last one counts */
  struct journal_part *parts;
  size_t file_count, part_count;

  pthread_mutex_t lock; /* guards what follows */
  struct journal_part pending[JOURNAL_MAX_PENDING];
  size_t pending_count;
  uint64_t synced_ns;
  bool broken; /* a write failed: no record may follow a torn one */
  bool has_parts;
};

static uint32_t checksum(const void *data, size_t size) {
  return (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)size);
}

/* Under the lock. */
static void append(struct journal *j, enum record_type type, const void *payload, size_t size) {
  char record[sizeof(struct record_head) + sizeof(struct journal_file)];
  const struct record_head head = {.type = type, .crc = checksum(payload, size)};
  memcpy(record, &head, sizeof head);
  memcpy(record + sizeof head, payload, size);
  if (j->broken) return;
  j->broken = fs_write_all(j->fd, record, sizeof head + size, "the journal", NULL) != HOIST_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

static size_t payload_size(uint32_t type) {
  if (type == RECORD_KEY) return sizeof(struct digest);
  if (type == RECORD_FILE) return sizeof(struct journal_file);
  return type == RECORD_PART ? sizeof(struct journal_part) : 0;
}

/* The payload of the whole record at *at, which moves on; NULL where there is none. */
static const char *next_record(const struct buf *text, size_t *at, uint32_t *ret_type) {
  struct record_head head;
  if (text->size - *at < sizeof head) return NULL;
  memcpy(&head, text->data + *at, sizeof head);
  size_t size = payload_size(head.type);
  const char *payload = text->data + *at + sizeof head;
  if (size == 0 || text->size - *at - sizeof head < size) return NULL;
  if (checksum(payload, size) != head.crc) return NULL;
  *at += sizeof head + size;
  *ret_type = head.type;
  return payload;
}

static void void_parts(struct journal *j, uint32_t file) {
  size_t kept = 0;
  for (size_t i = 0; i < j->part_count; i++)
    if (j->parts[i].file != file) j->parts[kept++] = j->parts[i];
  j->part_count = kept;
}

static void take_record(struct journal *j, uint32_t type, const char *payload) {
  if (type == RECORD_PART) {
    memcpy(&j->parts[j->part_count++], payload, sizeof *j->parts);
  } else if (type == RECORD_FILE) {
    struct journal_file *file = &j->files[j->file_count++];
    memcpy(file, payload, sizeof *file);
    file->validator[sizeof file->validator - 1] = '\0';
    void_parts(j, file->file);
  }
}

static enum hoist_status read_all(int fd, struct buf *text, struct hoist_error *err) {
  char chunk[4096];
  for (;;) {
    ssize_t n = pread(fd, chunk, sizeof chunk, (off_t)text->size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "reading the journal of a download");
    if (n == 0) return HOIST_OK;
    enum hoist_status status = buf_append(text, chunk, (size_t)n, err);
    if (status != HOIST_OK) return status;
  }
}

/* Up to the first record that is not whole; what follows is cut off, so that it stays the last one. */
static enum hoist_status read_records(struct journal *j, const struct digest *key,
                                      const struct buf *text, bool *ret_void,
                                      struct hoist_error *err) {
  size_t at = 0;
  uint32_t type = 0;
  const char *payload = next_record(text, &at, &type);
  *ret_void =
      text->size > 0 && (!payload || type != RECORD_KEY || memcmp(payload, key, sizeof *key) != 0);
  if (*ret_void || !payload) return HOIST_OK;
  j->parts = calloc(text->size / sizeof *j->parts + 1, sizeof *j->parts);
  j->files = calloc(text->size / sizeof *j->files + 1, sizeof *j->files);
  if (!j->parts || !j->files) return hoist_fail_memory(err, "the journal of a download");
  while ((payload = next_record(text, &at, &type)))
    take_record(j, type, payload);
  j->has_parts = j->part_count > 0;
  if (ftruncate(j->fd, (off_t)at) != 0 || lseek(j->fd, 0, SEEK_END) < 0) j->broken = true;
  return HOIST_OK;
}

enum hoist_status journal_open(int fd, const struct digest *key, bool *ret_void,
                               struct journal **ret_journal, struct hoist_error *err) {
  struct journal *j = calloc(1, sizeof *j);
  if (!j) {
    close(fd);
    return hoist_fail_memory(err, "the journal of a download");
  }
  j->fd = fd;
  j->synced_ns = clock_monotonic_ns();
  pthread_mutex_init(&j->lock, NULL);
  HOIST_AUTO(buf) struct buf text = buf_make(JOURNAL_MAX_BYTES);
  enum hoist_status status = read_all(fd, &text, err);
  if (status == HOIST_OK) status = read_records(j, key, &text, ret_void, err);
  if (status != HOIST_OK) {
    journal_close(j);
    return status;
  }
  if (text.size == 0) append(j, RECORD_KEY, key, sizeof *key);
  *ret_journal = j;
  return HOIST_OK;
}

void journal_close(struct journal *j) {
  if (!j) return;
  fd_cleanup(&j->fd);
  free(j->files);
  free(j->parts);
  pthread_mutex_destroy(&j->lock);
  free(j);
}

bool journal_find(const struct journal *j, size_t file, struct journal_file *ret_file) {
  for (size_t i = j->file_count; i-- > 0;) {
    if (j->files[i].file != file) continue;
    *ret_file = j->files[i];
    return true;
  }
  return false;
}

const struct journal_part *journal_parts(const struct journal *j, size_t *ret_count) {
  *ret_count = j->part_count;
  return j->parts;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Moves what is pending of a file to `out`. Under the lock. */
static size_t take_pending(struct journal *j, uint32_t file,
                           struct journal_part out[JOURNAL_MAX_PENDING]) {
  size_t taken = 0, kept = 0;
  for (size_t i = 0; i < j->pending_count; i++)
    if (j->pending[i].file == file)
      out[taken++] = j->pending[i];
    else
      j->pending[kept++] = j->pending[i];
  j->pending_count = kept;
  return taken;
}

static void append_parts(struct journal *j, const struct journal_part *parts, size_t count) {
  for (size_t i = 0; i < count; i++)
    append(j, RECORD_PART, &parts[i], sizeof parts[i]);
  j->has_parts |= count > 0 && !j->broken;
}

void journal_begin(struct journal *j, const struct journal_file *file) {
  struct journal_part dropped[JOURNAL_MAX_PENDING];
  pthread_mutex_lock(&j->lock);
  (void)take_pending(j, file->file, dropped);
  append(j, RECORD_FILE, file, sizeof *file);
  pthread_mutex_unlock(&j->lock);
}

static bool is_due(const struct journal *j, uint32_t file) {
  size_t count = 0;
  for (size_t i = 0; i < j->pending_count; i++)
    count += j->pending[i].file == file;
  return count >= JOURNAL_BATCH_PARTS || clock_monotonic_ns() - j->synced_ns >= JOURNAL_BATCH_NS;
}

static enum hoist_status sync_data(int fd, struct hoist_error *err) {
  while (fdatasync(fd) != 0)
    if (errno != EINTR) return hoist_fail_errno(err, errno, "making a part durable");
  return HOIST_OK;
}

enum hoist_status journal_add(struct journal *j, const struct journal_part *part, int fd,
                              struct hoist_error *err) {
  struct journal_part due[JOURNAL_MAX_PENDING];
  size_t count = 0;
  pthread_mutex_lock(&j->lock);
  if (j->pending_count < JOURNAL_MAX_PENDING) j->pending[j->pending_count++] = *part;
  if (is_due(j, part->file)) {
    j->synced_ns = clock_monotonic_ns();
    count = take_pending(j, part->file, due);
  }
  pthread_mutex_unlock(&j->lock);
  if (count == 0) return HOIST_OK;
  enum hoist_status status = sync_data(fd, err);
  if (status != HOIST_OK) return status;
  pthread_mutex_lock(&j->lock);
  append_parts(j, due, count);
  pthread_mutex_unlock(&j->lock);
  (void)sync_data(j->fd, NULL); /* a record that is lost costs a part, no more */
  return HOIST_OK;
}

bool journal_keep(struct journal *j) {
  pthread_mutex_lock(&j->lock);
  append_parts(j, j->pending, j->pending_count);
  j->pending_count = 0;
  bool keep = j->has_parts && !j->broken;
  pthread_mutex_unlock(&j->lock);
  return keep;
}
