/* SPDX-License-Identifier: Apache-2.0 */
/* gzip through zlib, a piece of output at a time so that the buffer's cap holds. Pure but for memory;
 * any thread. */
#define ZLIB_CONST
#include "gzip.h"

#include <limits.h>
#include <zlib.h>

enum {
  WINDOW_GZIP = 15 + 16, /* zlib's way of asking for the gzip format */
  MEMORY_LEVEL = 8,
  PIECE_BYTES = 16384
};

/* Runs deflate or inflate to the end of the stream. */
static enum hoist_status run(z_stream *z, int (*step)(z_stream *z, int flush), struct buf *out,
                             struct hoist_error *err) {
  unsigned char piece[PIECE_BYTES];
  for (int code = Z_OK; code != Z_STREAM_END;) {
    z->next_out = piece;
    z->avail_out = sizeof piece;
    code = step(z, Z_FINISH);
    size_t size = sizeof piece - z->avail_out;
    if (code == Z_MEM_ERROR) return hoist_fail_memory(err, "a gzip stream");
    /* Z_BUF_ERROR asks for more room, but with no progress the input is cut short. */
    if (code != Z_STREAM_END && ((code != Z_OK && code != Z_BUF_ERROR) || size == 0))
      return hoist_fail(err, HOIST_CORRUPT, "not a whole gzip stream");
    enum hoist_status status = buf_append(out, piece, size, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status check_size(size_t size, struct hoist_error *err) {
  if (size > UINT_MAX) return hoist_fail(err, HOIST_CORRUPT, "more than 4 GiB for gzip");
  return HOIST_OK;
}

enum hoist_status gzip_append(struct buf *out, const void *data, size_t size,
                              struct hoist_error *err) {
  z_stream z = {.next_in = data, .avail_in = (uInt)size};
  enum hoist_status status = check_size(size, err);
  if (status != HOIST_OK) return status;
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return hoist_fail_memory(err, "a gzip stream");
  status = run(&z, deflate, out, err);
  (void)deflateEnd(&z);
  return status;
}

enum hoist_status gunzip_append(struct buf *out, const void *data, size_t size,
                                struct hoist_error *err) {
  z_stream z = {.next_in = data, .avail_in = (uInt)size};
  enum hoist_status status = check_size(size, err);
  if (status != HOIST_OK) return status;
  if (inflateInit2(&z, WINDOW_GZIP) != Z_OK) return hoist_fail_memory(err, "a gzip stream");
  status = run(&z, inflate, out, err);
  (void)inflateEnd(&z);
  return status;
}
