/* SPDX-License-Identifier: Apache-2.0 */
/* tar: ustar (POSIX.1-1988) with the names and sizes of pax headers (POSIX.1-2001) and GNU's long names, read as a
 * stream, through zlib where it begins as gzip does. Every header's checksum must be right. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "buf.h"
#include "text.h"
#include "unpack_internal.h"

#define BLOCK_BYTES 512u
#define MAX_HEADER_BYTES (1u << 20) /* of an extended header */
#define GZIP_MAGIC 0x1f             /* the first byte of it */

/* Field offsets and sizes of a header block. */
#define NAME_AT 0u
#define NAME_BYTES 100u
#define SIZE_AT 124u
#define SIZE_BYTES 12u
#define SUM_AT 148u
#define SUM_BYTES 8u
#define TYPE_AT 156u
#define MAGIC_AT 257u
#define PREFIX_AT 345u
#define PREFIX_BYTES 155u

struct input {
  struct unpack *u;
  bool is_gzip, has_stream, at_end;
  z_stream z;
  unsigned char in[UNPACK_BUFFER_BYTES], out[UNPACK_BUFFER_BYTES];
  size_t out_at, out_size;
};

static void input_free(struct input *i) {
  if (!i) return;
  if (i->has_stream) (void)inflateEnd(&i->z);
  free(i);
}
HOIST_DEFINE_AUTO(input, struct input, input_free)

/* ---- bytes ------------------------------------------------------------------------------------- */

static enum hoist_status read_some(const struct input *i, void *data, size_t size, size_t *ret_size,
                                   struct hoist_error *err) {
  ssize_t n;
  do
    n = read(i->u->fd, data, size);
  while (n < 0 && errno == EINTR);
  if (n < 0) return hoist_fail_errno(err, errno, "reading %s", i->u->name);
  *ret_size = (size_t)n;
  return HOIST_OK;
}

/* gzip files may be put end to end. */
static enum hoist_status begin_member(struct input *i, struct hoist_error *err) {
  int result = i->has_stream ? inflateReset(&i->z) : inflateInit2(&i->z, 16 + MAX_WBITS);
  if (result != Z_OK) return hoist_fail_memory(err, "unpacking");
  i->has_stream = true;
  return HOIST_OK;
}

static enum hoist_status inflate_some(struct input *i, struct hoist_error *err) {
  i->z.next_out = i->out;
  i->z.avail_out = UNPACK_BUFFER_BYTES;
  while (i->z.avail_out == UNPACK_BUFFER_BYTES) {
    size_t n = i->z.avail_in;
    enum hoist_status status = HOIST_OK;
    if (n == 0) status = read_some(i, i->in, sizeof i->in, &n, err);
    if (status != HOIST_OK) return status;
    if (i->z.avail_in == 0) i->z.next_in = i->in;
    i->z.avail_in = (unsigned)n;
    if (n == 0) {
      if (!i->at_end) return unpack_fail(i->u, "it is cut short", err);
      break;
    }
    if (i->at_end && i->z.next_in[0] != GZIP_MAGIC) break; /* some pad the end */
    if (i->at_end) status = begin_member(i, err);
    if (status != HOIST_OK) return status;
    int result = inflate(&i->z, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
      return unpack_fail(i->u, "the gzip data are damaged", err);
    i->at_end = result == Z_STREAM_END;
  }
  i->out_size = UNPACK_BUFFER_BYTES - i->z.avail_out;
  return HOIST_OK;
}

static enum hoist_status refill(struct input *i, struct hoist_error *err) {
  i->out_at = i->out_size = 0;
  return i->is_gzip ? inflate_some(i, err) : read_some(i, i->out, sizeof i->out, &i->out_size, err);
}

/* The next bytes, at least one unless the archive is at its end, at most `most`. */
static enum hoist_status next_bytes(struct input *i, size_t most, const unsigned char **ret_data,
                                    size_t *ret_size, struct hoist_error *err) {
  enum hoist_status status = i->out_at == i->out_size ? refill(i, err) : HOIST_OK;
  if (status != HOIST_OK) return status;
  size_t left = i->out_size - i->out_at;
  *ret_data = i->out + i->out_at;
  *ret_size = left < most ? left : most;
  i->out_at += *ret_size;
  return HOIST_OK;
}

/* @param take  called with each piece; NULL: they are skipped */
static enum hoist_status pass(struct input *i, int64_t size,
                              enum hoist_status (*take)(void *user, const void *data, size_t size,
                                                        struct hoist_error *err),
                              void *user, struct hoist_error *err) {
  while (size > 0) {
    const unsigned char *data;
    size_t n, most = size < (int64_t)UNPACK_BUFFER_BYTES ? (size_t)size : UNPACK_BUFFER_BYTES;
    enum hoist_status status = next_bytes(i, most, &data, &n, err);
    if (status != HOIST_OK) return status;
    if (n == 0) return unpack_fail(i->u, "it is cut short", err);
    if (take) status = take(user, data, n, err);
    if (status != HOIST_OK) return status;
    size -= (int64_t)n;
  }
  return HOIST_OK;
}

static enum hoist_status to_buf(void *user, const void *data, size_t size,
                                struct hoist_error *err) {
  return buf_append(user, data, size, err);
}

static enum hoist_status to_file(void *user, const void *data, size_t size,
                                 struct hoist_error *err) {
  return unpack_write(user, data, size, err);
}

static enum hoist_status pass_padding(struct input *i, int64_t size, struct hoist_error *err) {
  return pass(i, (int64_t)(BLOCK_BYTES - (uint64_t)size % BLOCK_BYTES) % BLOCK_BYTES, NULL, NULL,
              err);
}

/* ---- headers ----------------------------------------------------------------------------------- */

struct entry {
  struct buf block; /* the header's */
  struct buf name;  /* from an extended header; empty: none */
  int64_t size;     /* of the data */
  int64_t pax_size; /* -1: none */
  char type;
};

static inline void entry_cleanup(struct entry *e) {
  buf_done(&e->block);
  buf_done(&e->name);
}

/* Octal digits, or, where the first byte says so, a binary number. */
static bool parse_number(const unsigned char *field, size_t size, int64_t *ret_value) {
  int64_t value = 0;
  size_t at = 0;
  if (field[0] & 0x80) {
    for (at = 1; at < size; at++) {
      if (value > INT64_MAX >> 8) return false;
      value = value << 8 | field[at];
    }
    if (field[0] != 0x80) return false; /* negative, or beyond 88 bits */
    *ret_value = value;
    return true;
  }
  while (at < size && field[at] == ' ')
    at++;
  for (; at < size && field[at] >= '0' && field[at] <= '7'; at++) {
    if (value > INT64_MAX >> 3) return false;
    value = value << 3 | (field[at] - '0');
  }
  if (at < size && field[at] != ' ' && field[at] != '\0') return false;
  *ret_value = value;
  return true;
}

static bool has_right_sum(const unsigned char *block) {
  int64_t expected, sum = 0;
  for (size_t i = 0; i < BLOCK_BYTES; i++)
    sum += i >= SUM_AT && i < SUM_AT + SUM_BYTES ? ' ' : block[i];
  return parse_number(block + SUM_AT, SUM_BYTES, &expected) && sum == expected;
}

static bool is_zero(const unsigned char *block) {
  for (size_t i = 0; i < BLOCK_BYTES; i++)
    if (block[i]) return false;
  return true;
}

/* @param ret_end  set to true at the archive's end: a block of zeros, or nothing more */
static enum hoist_status read_header(struct input *i, struct entry *e, bool *ret_end,
                                     struct hoist_error *err) {
  const unsigned char *data;
  size_t n;
  buf_clear(&e->block);
  enum hoist_status status = next_bytes(i, BLOCK_BYTES, &data, &n, err);
  if (status == HOIST_OK) status = buf_append(&e->block, data, n, err);
  if (status != HOIST_OK) return status;
  *ret_end = n == 0;
  if (n == 0) return HOIST_OK;
  status = pass(i, (int64_t)(BLOCK_BYTES - n), to_buf, &e->block, err);
  if (status != HOIST_OK) return status;
  const unsigned char *block = (const unsigned char *)e->block.data;
  *ret_end = is_zero(block);
  if (*ret_end) return HOIST_OK;
  if (!has_right_sum(block)) return unpack_fail(i->u, "a tar header is damaged", err);
  if (!parse_number(block + SIZE_AT, SIZE_BYTES, &e->size))
    return unpack_fail(i->u, "a tar header has no right size", err);
  e->type = (char)block[TYPE_AT];
  return HOIST_OK;
}

static enum hoist_status read_extension(struct input *i, const struct entry *e,
                                        struct buf *ret_data, struct hoist_error *err) {
  if (e->size > MAX_HEADER_BYTES) return unpack_fail(i->u, "a tar header is too long", err);
  buf_clear(ret_data);
  enum hoist_status status = pass(i, e->size, to_buf, ret_data, err);
  return status == HOIST_OK ? pass_padding(i, e->size, err) : status;
}

/* "LENGTH KEY=VALUE\n", whose length counts all of it. Cuts one off the front; false: damaged. */
static bool next_record(char **rest, size_t *left, const char **ret_key, const char **ret_value) {
  char *at = *rest;
  size_t length = 0, digits = 0;
  for (; digits < *left && at[digits] >= '0' && at[digits] <= '9' && digits < 9; digits++)
    length = 10 * length + (size_t)(at[digits] - '0');
  if (digits == 0 || length <= digits + 2 || length > *left || at[digits] != ' ' ||
      at[length - 1] != '\n')
    return false;
  char *equals = memchr(at + digits + 1, '=', length - digits - 2);
  if (!equals) return false;
  *equals = at[length - 1] = '\0';
  *ret_key = at + digits + 1;
  *ret_value = equals + 1;
  *rest += length;
  *left -= length;
  return true;
}

static enum hoist_status read_pax(struct input *i, struct entry *e, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf data = buf_make(MAX_HEADER_BYTES);
  enum hoist_status status = read_extension(i, e, &data, err);
  char *rest = data.data;
  size_t left = data.size;
  while (status == HOIST_OK && left > 0) {
    const char *key, *value;
    uint64_t size;
    if (!next_record(&rest, &left, &key, &value))
      return unpack_fail(i->u, "a pax header is damaged", err);
    if (strcmp(key, "path") == 0) {
      buf_clear(&e->name);
      status = buf_append_str(&e->name, value, err);
    } else if (strcmp(key, "size") == 0) {
      if (!parse_u64(value, &size) || size > INT64_MAX)
        return unpack_fail(i->u, "a pax header has no right size", err);
      e->pax_size = (int64_t)size;
    } else if (text_starts_with(key, "GNU.sparse.")) {
      return hoist_fail(err, HOIST_UNSUPPORTED, "%s: it has sparse files: pack it without",
                        i->u->name);
    }
  }
  return status;
}

/* It counts the NUL that ends it. */
static enum hoist_status read_long_name(struct input *i, struct entry *e, struct hoist_error *err) {
  enum hoist_status status = read_extension(i, e, &e->name, err);
  if (status == HOIST_OK) buf_cut(&e->name, strlen(buf_str(&e->name)));
  return status;
}

static enum hoist_status find_name(struct entry *e, struct hoist_error *err) {
  const char *block = e->block.data;
  if (e->name.size > 0) return HOIST_OK;
  size_t prefix =
      memcmp(block + MAGIC_AT, "ustar", 6) == 0 ? strnlen(block + PREFIX_AT, PREFIX_BYTES) : 0;
  return buf_printf(&e->name, err, "%.*s%s%.*s", (int)prefix, block + PREFIX_AT, prefix ? "/" : "",
                    (int)strnlen(block + NAME_AT, NAME_BYTES), block + NAME_AT);
}

/* ---- entries ----------------------------------------------------------------------------------- */

/* Without what many archivers put around a name: "./" before it, "/" behind that of a directory. */
static const char *tidy(struct buf *name) {
  while (name->size > 0 && name->data[name->size - 1] == '/')
    buf_cut(name, name->size - 1);
  const char *text = buf_str(name);
  while (text[0] == '.' && text[1] == '/')
    text += 2;
  return strcmp(text, ".") == 0 ? "" : text;
}

static enum hoist_status unpack_entry(struct input *i, struct entry *e, struct hoist_error *err) {
  enum hoist_status status = find_name(e, err);
  if (status != HOIST_OK) return status;
  bool is_directory = e->type == '5' || text_ends_with(buf_str(&e->name), "/");
  const char *name = tidy(&e->name);
  int64_t size = e->pax_size >= 0 ? e->pax_size : e->size;
  if (e->type != '0' && e->type != '\0' && e->type != '7' && !is_directory)
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "%s: \"%.100s\" in it is a link or a device: pack files and directories only",
                      i->u->name, name);
  if (is_directory) return *name ? unpack_directory(i->u, name, err) : HOIST_OK;
  status = unpack_begin(i->u, name, size, err);
  if (status == HOIST_OK) status = pass(i, size, to_file, i->u, err);
  if (status == HOIST_OK) status = unpack_end(i->u, err);
  return status == HOIST_OK ? pass_padding(i, size, err) : status;
}

static enum hoist_status take_entry(struct input *i, struct entry *e, struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf ignored = buf_make(MAX_HEADER_BYTES);
  switch (e->type) {
  case 'x':
    return read_pax(i, e, err);
  case 'L':
    return read_long_name(i, e, err);
  case 'g': /* for all that follow: comments, mostly, and never names */
  case 'K':
    return read_extension(i, e, &ignored, err);
  default:
    break;
  }
  enum hoist_status status = unpack_entry(i, e, err);
  buf_clear(&e->name);
  e->pax_size = -1;
  return status;
}

static enum hoist_status find_compression(struct input *i, struct hoist_error *err) {
  static const struct {
    const char *magic, *name;
  } others[] = {{"BZh", "bzip2"},
                {"\xfd"
                 "7zXZ",
                 "xz"},
                {"\x28\xb5\x2f\xfd", "zstd"},
                {"\x1f\x9d", "compress"}};
  unsigned char magic[8] = {0};
  if (pread(i->u->fd, magic, sizeof magic, 0) < 0)
    return hoist_fail_errno(err, errno, "reading %s", i->u->name);
  for (size_t n = 0; n < sizeof others / sizeof *others; n++)
    if (memcmp(magic, others[n].magic, strlen(others[n].magic)) == 0)
      return hoist_fail(err, HOIST_UNSUPPORTED,
                        "%s: it is compressed with %s, which hoist does not unpack: use gzip",
                        i->u->name, others[n].name);
  i->is_gzip = magic[0] == GZIP_MAGIC && magic[1] == 0x8b;
  return i->is_gzip ? begin_member(i, err) : HOIST_OK;
}

/* What follows the last entry are zeros, but gzip's own checksum stands behind them. */
static enum hoist_status drain(struct input *i, struct hoist_error *err) {
  const unsigned char *data;
  size_t n = 1;
  enum hoist_status status = HOIST_OK;
  while (status == HOIST_OK && n > 0)
    status = next_bytes(i, UNPACK_BUFFER_BYTES, &data, &n, err);
  return status;
}

enum hoist_status unpack_tar(struct unpack *u, struct hoist_error *err) {
  HOIST_AUTO(input) struct input *i = calloc(1, sizeof *i);
  if (!i) return hoist_fail_memory(err, "unpacking");
  i->u = u;
  HOIST_AUTO(entry)
  struct entry e = {
      .block = buf_make(BLOCK_BYTES), .name = buf_make(MAX_HEADER_BYTES), .pax_size = -1};
  enum hoist_status status = find_compression(i, err);
  bool is_end = false, any = false;
  while (status == HOIST_OK) {
    status = read_header(i, &e, &is_end, err);
    if (status != HOIST_OK || is_end) break;
    any = true;
    status = take_entry(i, &e, err);
  }
  if (status == HOIST_OK && !any) return unpack_fail(u, "nothing is in it", err);
  return status == HOIST_OK ? drain(i, err) : status;
}
