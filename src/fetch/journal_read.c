/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a journal back. Nothing in it is trusted: a record counts when it is whole and its checksum is
 * right, and what it says is checked by whoever goes by it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "fs.h"
#include "journal_internal.h"

#define JOURNAL_MAX_BYTES (16u << 20)

uint32_t journal_checksum(const void *payload, size_t size) {
  return (uint32_t)crc32(crc32(0, NULL, 0), payload, (uInt)size);
}

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
  if (journal_checksum(payload, size) != head.crc) return NULL;
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

enum hoist_status journal_read(struct journal *j, const struct digest *key, bool *ret_void,
                               bool *ret_empty, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf text = buf_make(JOURNAL_MAX_BYTES);
  enum hoist_status status = read_all(j->fd, &text, err);
  if (status == HOIST_OK) status = read_records(j, key, &text, ret_void, err);
  *ret_empty = text.size == 0;
  return status;
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
