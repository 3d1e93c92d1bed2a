/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the formats of trace files apart by what is in them. JSON lines are read as a stream;
 * protobuf is read whole. One thread at a time. */
#include <errno.h>
#include <string.h>

#include "buf.h"
#include "trace.h"

#define MESSAGE_TAG 0x0a /* field 1 of TracesData, and a newline */
#define FRAME_HEAD 4     /* bytes of a message's size, in a Collector's file, big-endian */
#define HEAD_BYTES 4096u

static enum hoist_status read_whole(FILE *in, const char *name, struct buf *data,
                                    struct hoist_error *err) {
  char part[65536];
  size_t size;
  while ((size = fread(part, 1, sizeof part, in)) > 0) {
    enum hoist_status status = buf_append(data, part, size, err);
    if (status != HOIST_OK) {
      hoist_error_prepend(err, "%s", name);
      return status;
    }
  }
  return ferror(in) ? hoist_fail_errno(err, errno, "%s cannot be read", name) : HOIST_OK;
}

/* JSON holds no control bytes but white space; protobuf has 0x12 at least, the tag of the spans. */
static bool is_protobuf(const struct buf *data) {
  size_t size = data->size < HEAD_BYTES ? data->size : HEAD_BYTES;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)data->data[i];
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return true;
  }
  return false;
}

static enum hoist_status read_frames(struct trace_set *set, const struct buf *data,
                                     struct hoist_error *err) {
  for (size_t at = 0; at < data->size;) {
    const unsigned char *p = (const unsigned char *)data->data + at;
    size_t left = data->size - at;
    if (left < FRAME_HEAD) return hoist_fail(err, HOIST_CORRUPT, "ends inside a message");
    size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (size > left - FRAME_HEAD) return hoist_fail(err, HOIST_CORRUPT, "ends inside a message");
    enum hoist_status status = trace_read_otlp(set, p + FRAME_HEAD, size, err);
    if (status != HOIST_OK) return status;
    at += FRAME_HEAD + size;
  }
  return HOIST_OK;
}

static enum hoist_status read_json_of(struct trace_set *set, const struct buf *data,
                                      const char *name, struct hoist_error *err) {
  FILE *in = fmemopen(data->data, data->size, "r");
  if (!in) return hoist_fail_memory(err, "the lines of a trace file");
  enum hoist_status status = trace_read_json(set, in, name, err);
  fclose(in);
  return status;
}

enum hoist_status trace_read(struct trace_set *set, FILE *in, const char *name,
                             struct hoist_error *err) {
  int first = getc(in);
  if (first != EOF) ungetc(first, in);
  if (first != MESSAGE_TAG && first != 0) return trace_read_json(set, in, name, err);
  HOIST_AUTO(buf) struct buf data = buf_make(TRACE_MAX_FILE_BYTES);
  enum hoist_status status = read_whole(in, name, &data, err);
  if (status != HOIST_OK) return status;
  if (!is_protobuf(&data)) return read_json_of(set, &data, name, err);
  status =
      first == 0 ? read_frames(set, &data, err) : trace_read_otlp(set, data.data, data.size, err);
  if (status != HOIST_OK) hoist_error_prepend(err, "%s", name);
  return status;
}
