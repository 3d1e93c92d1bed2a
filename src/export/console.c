/* SPDX-License-Identifier: Apache-2.0 */
/* Shows spans as lines of text and metrics as OTLP/JSON, for looking at while developing. Owns nothing
 * but its buffer. The worker thread only. */
#include <inttypes.h>
#include <stdlib.h>

#include "fs.h"
#include "otlp_json.h"
#include "otlp_value.h"
#include "text.h"

#define TEXT_MAX_BYTES (64u << 20)

struct console {
  struct exporter base;
  int fd;
  struct buf text;
};

/* Control bytes would let a value draw on the terminal. */
static enum hoist_status append_clean(struct buf *out, struct otlp_bytes bytes,
                                      struct hoist_error *err) {
  size_t start = out->size;
  enum hoist_status status = buf_append(out, bytes.data, bytes.size, err);
  for (size_t i = start; status == HOIST_OK && i < out->size; i++)
    if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f) out->data[i] = '?';
  return status;
}

static enum hoist_status append_value(struct buf *out, const struct otlp_attr *attr,
                                      struct hoist_error *err) {
  char number[OTLP_NUMBER_SIZE];
  switch (attr->type) {
  case OTLP_STRING:
    return append_clean(out, attr->string, err);
  case OTLP_BOOL:
    return buf_append_str(out, attr->integer ? "true" : "false", err);
  case OTLP_INT:
    return buf_printf(out, err, "%" PRId64, attr->integer);
  case OTLP_DOUBLE:
    otlp_number_text(attr->number, number);
    return buf_append_str(out, number, err);
  case OTLP_OTHER:
    return otlp_append_value(out, attr->string, err);
  case OTLP_EMPTY:
    break;
  }
  return HOIST_OK;
}

static enum hoist_status append_attr(void *user, const struct otlp_attr *attr,
                                     struct hoist_error *err) {
  struct buf *out = user;
  enum hoist_status status = buf_append_str(out, " ", err);
  if (status == HOIST_OK) status = append_clean(out, attr->key, err);
  if (status == HOIST_OK) status = buf_append_str(out, "=", err);
  return status == HOIST_OK ? append_value(out, attr, err) : status;
}

static enum hoist_status append_span(void *user, const struct otlp_span *span,
                                     struct hoist_error *err) {
  struct buf *out = user;
  char trace[33], id[17], parent[17];
  hex_encode(span->trace_id, sizeof span->trace_id, trace);
  hex_encode(span->span_id, sizeof span->span_id, id);
  hex_encode(span->parent_id, sizeof span->parent_id, parent);
  enum hoist_status status = buf_append_str(out, "span ", err);
  if (status == HOIST_OK) status = append_clean(out, span->name, err);
  if (status == HOIST_OK)
    status = buf_printf(out, err, " %.3f ms trace=%s span=%s parent=%s%s",
                        (double)(span->end_unix_ns - span->start_unix_ns) / 1e6, trace, id, parent,
                        span->status_code == 2 ? " error: " : "");
  if (status == HOIST_OK) status = append_clean(out, span->status_message, err);
  if (status == HOIST_OK) status = otlp_each_attr(span->raw, 0, append_attr, out, err);
  return status == HOIST_OK ? buf_append_str(out, "\n", err) : status;
}

static enum hoist_status console_deliver(struct exporter *exporter, const struct batch *batch,
                                         struct partial *ret_partial, struct hoist_error *err) {
  struct console *console = (struct console *)exporter;
  struct buf *out = &console->text;
  buf_clear(out);
  enum hoist_status status;
  if (batch->signal == SIGNAL_TRACES) {
    status = otlp_each_span(batch->data, batch->size, append_span, out, err);
  } else {
    status = otlp_json_append(batch, out, err);
    if (status == HOIST_OK) status = buf_append_str(out, "\n", err);
  }
  if (status != HOIST_OK) return status;
  return fs_write_all(console->fd, out->data, out->size, "the console", err);
}

static void console_free(struct exporter *exporter) {
  struct console *console = (struct console *)exporter;
  buf_done(&console->text);
  free(console);
}

static const struct exporter_ops console_ops = {.deliver = console_deliver, .free = console_free};

enum hoist_status console_new(int fd, unsigned signals, struct exporter **ret_exporter,
                              struct hoist_error *err) {
  struct console *console = malloc(sizeof *console);
  if (!console) return hoist_fail_memory(err, "the console exporter");
  *console = (struct console){.base = {.ops = &console_ops, .signals = signals, .kind = "console"},
                              .fd = fd,
                              .text = buf_make(TEXT_MAX_BYTES)};
  *ret_exporter = &console->base;
  return HOIST_OK;
}
