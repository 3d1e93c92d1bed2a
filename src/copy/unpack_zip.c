/* SPDX-License-Identifier: Apache-2.0 */
/* zip (APPNOTE.TXT 6.3), with the sizes of zip64: by its central directory, entries stored or deflated, each held
 * against its CRC-32. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "text.h"
#include "unpack_internal.h"

#define END_BYTES 22 /* of the end record, without its comment */
#define MAX_COMMENT_BYTES 65535
#define LOCATOR_BYTES 20 /* of zip64's end record's locator */
#define END64_BYTES 56
#define CENTRAL_BYTES 46 /* of an entry of the central directory, without its texts */
#define LOCAL_BYTES 30
#define IS_ENCRYPTED 1u
#define MADE_ON_UNIX 3

struct entry {
  uint16_t flags, method;
  uint32_t crc;
  int64_t packed, size, at; /* `at`: of its local header */
  uint32_t mode;            /* as Unix has it; 0: made elsewhere */
  char *name;
};

/* ---- bytes ------------------------------------------------------------------------------------- */

static uint64_t little(const unsigned char *p, int bytes) {
  uint64_t value = 0;
  while (bytes > 0)
    value = value << 8 | p[--bytes];
  return value;
}

static enum hoist_status read_at(const struct unpack *u, int64_t at, void *data, size_t size,
                                 struct hoist_error *err) {
  if (at < 0 || (int64_t)size > u->size || at > u->size - (int64_t)size)
    return unpack_fail(u, "something in it is beyond its end", err);
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(u->fd, (char *)data + done, size - done, at + (int64_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hoist_fail_errno(err, errno, "reading %s", u->name);
    if (n == 0) return unpack_fail(u, "it is cut short", err);
    done += (size_t)n;
  }
  return HOIST_OK;
}

/* ---- the central directory --------------------------------------------------------------------- */

struct directory {
  int64_t at, size;
  uint64_t entries;
};

/* A signed 64-bit number has room for whatever can be a position. */
static int64_t position(uint64_t value) {
  return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static enum hoist_status read_end64(const struct unpack *u, int64_t end_at, struct directory *d,
                                    struct hoist_error *err) {
  unsigned char locator[LOCATOR_BYTES] = {0}, end[END64_BYTES] = {0};
  enum hoist_status status = read_at(u, end_at - LOCATOR_BYTES, locator, sizeof locator, err);
  if (status != HOIST_OK) return status;
  if (memcmp(locator, "PK\6\7", 4) != 0) return unpack_fail(u, "its zip64 record is missing", err);
  status = read_at(u, position(little(locator + 8, 8)), end, sizeof end, err);
  if (status != HOIST_OK) return status;
  if (memcmp(end, "PK\6\6", 4) != 0) return unpack_fail(u, "its zip64 record is missing", err);
  *d = (struct directory){.entries = little(end + 32, 8),
                          .size = position(little(end + 40, 8)),
                          .at = position(little(end + 48, 8))};
  return HOIST_OK;
}

static enum hoist_status find_directory(const struct unpack *u, struct directory *d,
                                        struct hoist_error *err) {
  int64_t most = END_BYTES + MAX_COMMENT_BYTES, size = u->size < most ? u->size : most;
  HOIST_AUTO(mem) unsigned char *tail = malloc((size_t)size + 1);
  if (!tail) return hoist_fail_memory(err, "unpacking");
  enum hoist_status status = read_at(u, u->size - size, tail, (size_t)size, err);
  if (status != HOIST_OK) return status;
  for (int64_t i = size - END_BYTES; i >= 0; i--) {
    const unsigned char *end = tail + i;
    if (memcmp(end, "PK\5\6", 4) != 0) continue;
    *d = (struct directory){.entries = little(end + 10, 2),
                            .size = (int64_t)little(end + 12, 4),
                            .at = (int64_t)little(end + 16, 4)};
    bool is_zip64 = d->entries == 0xffff || d->size == 0xffffffff || d->at == 0xffffffff;
    return is_zip64 ? read_end64(u, u->size - size + i, d, err) : HOIST_OK;
  }
  return unpack_fail(u, "it has no end record", err);
}

/* Takes from the extra fields what did not fit the entry's own. */
static void read_extra(const unsigned char *extra, size_t size, struct entry *e) {
  while (size >= 4) {
    size_t id = little(extra, 2), length = little(extra + 2, 2);
    if (length > size - 4) return;
    const unsigned char *p = extra + 4, *end = p + length;
    int64_t *const fields[] = {&e->size, &e->packed, &e->at};
    for (size_t i = 0; id == 1 && i < 3; i++) {
      if (*fields[i] != 0xffffffff || end - p < 8) continue;
      *fields[i] = position(little(p, 8));
      p += 8;
    }
    extra += 4 + length;
    size -= 4 + length;
  }
}

static enum hoist_status read_entry(const struct unpack *u, int64_t *at, struct entry *e,
                                    struct hoist_error *err) {
  unsigned char head[CENTRAL_BYTES] = {0};
  enum hoist_status status = read_at(u, *at, head, sizeof head, err);
  if (status != HOIST_OK) return status;
  if (memcmp(head, "PK\1\2", 4) != 0) return unpack_fail(u, "its directory is damaged", err);
  size_t name = little(head + 28, 2), extra = little(head + 30, 2), comment = little(head + 32, 2);
  HOIST_AUTO(mem) unsigned char *texts = malloc(name + extra + 1);
  if (!texts) return hoist_fail_memory(err, "unpacking");
  status = read_at(u, *at + CENTRAL_BYTES, texts, name + extra, err);
  if (status != HOIST_OK) return status;
  *e = (struct entry){.flags = (uint16_t)little(head + 8, 2),
                      .method = (uint16_t)little(head + 10, 2),
                      .crc = (uint32_t)little(head + 16, 4),
                      .packed = (int64_t)little(head + 20, 4),
                      .size = (int64_t)little(head + 24, 4),
                      .at = (int64_t)little(head + 42, 4),
                      .mode = head[5] == MADE_ON_UNIX ? (uint32_t)little(head + 40, 2) : 0};
  read_extra(texts + name, extra, e);
  if (memchr(texts, '\0', name)) return unpack_fail(u, "a name in it has a NUL", err);
  texts[name] = '\0';
  e->name = text_dup((const char *)texts);
  if (!e->name) return hoist_fail_memory(err, "unpacking");
  *at += (int64_t)(CENTRAL_BYTES + name + extra + comment);
  return HOIST_OK;
}

/* ---- data -------------------------------------------------------------------------------------- */

struct reader {
  struct unpack *u;
  int64_t at, left;
  uint32_t crc;
  unsigned char in[UNPACK_BUFFER_BYTES], out[UNPACK_BUFFER_BYTES];
};

static enum hoist_status read_more(struct reader *r, size_t *ret_size, struct hoist_error *err) {
  *ret_size = r->left < (int64_t)sizeof r->in ? (size_t)r->left : sizeof r->in;
  enum hoist_status status = read_at(r->u, r->at, r->in, *ret_size, err);
  r->at += (int64_t)*ret_size;
  r->left -= (int64_t)*ret_size;
  return status;
}

static enum hoist_status put(struct reader *r, const unsigned char *data, size_t size,
                             struct hoist_error *err) {
  r->crc = (uint32_t)crc32(r->crc, data, (unsigned)size);
  return unpack_write(r->u, data, size, err);
}

static enum hoist_status copy_stored(struct reader *r, struct hoist_error *err) {
  enum hoist_status status = HOIST_OK;
  while (r->left > 0 && status == HOIST_OK) {
    size_t n;
    status = read_more(r, &n, err);
    if (status == HOIST_OK) status = put(r, r->in, n, err);
  }
  return status;
}

static enum hoist_status inflate_all(struct reader *r, z_stream *z, struct hoist_error *err) {
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    enum hoist_status status = HOIST_OK;
    if (z->avail_in == 0 && r->left > 0) {
      size_t n;
      status = read_more(r, &n, err);
      if (status != HOIST_OK) return status;
      z->next_in = r->in;
      z->avail_in = (unsigned)n;
    }
    z->next_out = r->out;
    z->avail_out = sizeof r->out;
    result = inflate(z, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END)
      return unpack_fail(r->u, "the deflated data are damaged", err);
    status = put(r, r->out, sizeof r->out - z->avail_out, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status copy_deflated(struct reader *r, struct hoist_error *err) {
  z_stream z = {0};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return hoist_fail_memory(err, "unpacking");
  enum hoist_status status = inflate_all(r, &z, err);
  (void)inflateEnd(&z);
  return status;
}

static enum hoist_status find_data(const struct unpack *u, const struct entry *e, int64_t *ret_at,
                                   struct hoist_error *err) {
  unsigned char head[LOCAL_BYTES] = {0};
  enum hoist_status status = read_at(u, e->at, head, sizeof head, err);
  if (status != HOIST_OK) return status;
  if (memcmp(head, "PK\3\4", 4) != 0)
    return unpack_fail(u, "an entry is not where it should be", err);
  *ret_at = e->at + LOCAL_BYTES + (int64_t)(little(head + 26, 2) + little(head + 28, 2));
  return HOIST_OK;
}

static enum hoist_status unpack_file(struct unpack *u, const struct entry *e,
                                     struct hoist_error *err) {
  HOIST_AUTO(mem) struct reader *r = calloc(1, sizeof *r);
  if (!r) return hoist_fail_memory(err, "unpacking");
  r->u = u;
  r->left = e->packed;
  enum hoist_status status = find_data(u, e, &r->at, err);
  if (status == HOIST_OK) status = unpack_begin(u, e->name, e->size, err);
  if (status == HOIST_OK) status = e->method == 0 ? copy_stored(r, err) : copy_deflated(r, err);
  if (status != HOIST_OK) return status;
  if (r->crc != e->crc) return unpack_fail(u, "a file's CRC-32 is not right", err);
  return unpack_end(u, err);
}

static enum hoist_status refuse(const struct unpack *u, const struct entry *e, const char *problem,
                                struct hoist_error *err) {
  return hoist_fail(err, HOIST_UNSUPPORTED, "%s: \"%.100s\" in it %s", u->name, e->name, problem);
}

static enum hoist_status unpack_entry(struct unpack *u, struct entry *e, struct hoist_error *err) {
  size_t size = strlen(e->name);
  if (e->flags & IS_ENCRYPTED) return refuse(u, e, "is encrypted", err);
  if (e->mode && !S_ISREG(e->mode) && !S_ISDIR(e->mode) && (e->mode & S_IFMT))
    return refuse(u, e, "is a link or a device: pack files and directories only", err);
  if (size > 0 && e->name[size - 1] == '/') {
    e->name[size - 1] = '\0';
    return unpack_directory(u, e->name, err);
  }
  if (e->method != 0 && e->method != 8)
    return refuse(u, e, "is compressed in a way hoist does not unpack: use deflate", err);
  return unpack_file(u, e, err);
}

enum hoist_status unpack_zip(struct unpack *u, struct hoist_error *err) {
  struct directory d = {0};
  enum hoist_status status = find_directory(u, &d, err);
  if (status == HOIST_OK && d.entries == 0) return unpack_fail(u, "nothing is in it", err);
  for (uint64_t i = 0; status == HOIST_OK && i < d.entries; i++) {
    struct entry e = {0};
    status = read_entry(u, &d.at, &e, err);
    if (status == HOIST_OK) status = unpack_entry(u, &e, err);
    free(e.name);
  }
  return status;
}
