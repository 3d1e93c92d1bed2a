/* SPDX-License-Identifier: Apache-2.0 */
/* The growing buffer. Doubles its memory, never past its declared maximum. One thread per buffer. */
#include "buf.h"

#include <stdio.h>
#include <string.h>

void buf_done(struct buf *b) {
  if (!b) return;
  free(b->data);
  *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b) {
  b->size = 0;
  if (b->data) b->data[0] = '\0';
}

static enum hoist_status reserve(struct buf *b, size_t more, struct hoist_error *err) {
  if (more > b->max || b->size > b->max - more)
    return hoist_fail(err, HOIST_CORRUPT, "more than the %zu bytes allowed here", b->max);
  size_t needed = b->size + more + 1;
  if (needed <= b->capacity) return HOIST_OK;
  size_t capacity = b->capacity < 256 ? 256 : b->capacity * 2;
  if (capacity > b->max + 1) capacity = b->max + 1;
  if (capacity < needed) capacity = needed;
  char *data = realloc(b->data, capacity);
  if (!data) return hoist_fail_memory(err, "a buffer");
  b->data = data;
  b->capacity = capacity;
  return HOIST_OK;
}

void buf_cut(struct buf *b, size_t size) {
  b->size = size;
  if (b->data) b->data[size] = '\0';
}

enum hoist_status buf_append(struct buf *b, const void *data, size_t size,
                             struct hoist_error *err) {
  enum hoist_status status = reserve(b, size, err);
  if (status != HOIST_OK) return status;
  if (size > 0) memcpy(b->data + b->size, data, size);
  b->size += size;
  b->data[b->size] = '\0';
  return HOIST_OK;
}

enum hoist_status buf_append_str(struct buf *b, const char *text, struct hoist_error *err) {
  return buf_append(b, text, strlen(text), err);
}

enum hoist_status buf_printf(struct buf *b, struct hoist_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (n < 0) return hoist_fail(err, HOIST_INTERNAL, "a text could not be formatted");
  enum hoist_status status = reserve(b, (size_t)n, err);
  if (status != HOIST_OK) return status;
  va_start(args, fmt);
  vsnprintf(b->data + b->size, (size_t)n + 1, fmt, args);
  va_end(args);
  b->size += (size_t)n;
  return HOIST_OK;
}

const char *buf_str(const struct buf *b) {
  return b->data ? b->data : "";
}

char *buf_take(struct buf *b) {
  char *data = b->data ? b->data : calloc(1, 1);
  *b = (struct buf){.max = b->max};
  return data;
}
