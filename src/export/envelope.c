/* SPDX-License-Identifier: Apache-2.0 */
/* Resource, scopes and their items in one message. Lengths nest, so they are known before anything is
 * written. Pure; any thread. */
#include "envelope.h"

#include "attr.h"
#include "wire.h"

enum {
  DATA_RESOURCE = WIRE_TAG(1, WIRE_BYTES),
  RESOURCE_RESOURCE = WIRE_TAG(1, WIRE_BYTES),
  RESOURCE_SCOPE = WIRE_TAG(2, WIRE_BYTES),
  RESOURCE_SCHEMA = WIRE_TAG(3, WIRE_BYTES),
  SCOPE_SCOPE = WIRE_TAG(1, WIRE_BYTES),
  SCOPE_NAME = WIRE_TAG(1, WIRE_BYTES),
  SCOPE_VERSION = WIRE_TAG(2, WIRE_BYTES),
  HEAD_MAX = 16,
  TEXT_MAX = 255,
  SCOPE_MAX = 2 * (TEXT_MAX + 4) + HEAD_MAX,
};

/* The semantic conventions whose names hoist uses. */
static const char schema_url[] = "https://opentelemetry.io/schemas/1.37.0";

/* The InstrumentationScope message as a field; returns its size. */
static size_t put_scope(uint8_t out[SCOPE_MAX], const struct recorder_scope *scope) {
  uint8_t message[SCOPE_MAX], *end = message + sizeof message;
  uint8_t *p = text_put(message, end, SCOPE_NAME, scope->name, TEXT_MAX);
  if (scope->version) p = text_put(p, end, SCOPE_VERSION, scope->version, TEXT_MAX);
  return (size_t)(wire_put_bytes(out, SCOPE_SCOPE, message, (size_t)(p - message)) - out);
}

static enum hoist_status append_head(struct buf *out, uint8_t tag, size_t size,
                                     struct hoist_error *err) {
  uint8_t head[HEAD_MAX];
  return buf_append(out, head, (size_t)(wire_put_head(head, tag, size) - head), err);
}

static enum hoist_status append_field(struct buf *out, uint8_t tag, const void *data, size_t size,
                                      struct hoist_error *err) {
  enum hoist_status status = append_head(out, tag, size, err);
  return status == HOIST_OK ? buf_append(out, data, size, err) : status;
}

static enum hoist_status append_scope(struct buf *out, const struct recorder_scope *scope,
                                      const struct buf *items, struct hoist_error *err) {
  uint8_t bytes[SCOPE_MAX];
  size_t size = put_scope(bytes, scope);
  enum hoist_status status = append_head(out, RESOURCE_SCOPE, size + items->size, err);
  if (status == HOIST_OK) status = buf_append(out, bytes, size, err);
  return status == HOIST_OK ? buf_append(out, items->data, items->size, err) : status;
}

enum hoist_status envelope_wrap(const struct buf *resource, const struct recorder *recorder,
                                const struct buf items[RECORDER_SCOPES_MAX], struct buf *out,
                                struct hoist_error *err) {
  uint8_t scratch[SCOPE_MAX];
  size_t body = wire_bytes_size(resource->size) + wire_bytes_size(sizeof schema_url - 1);
  for (size_t i = 0; i < RECORDER_SCOPES_MAX; i++)
    if (items[i].size > 0)
      body += wire_bytes_size(put_scope(scratch, &recorder->scopes[i]) + items[i].size);
  enum hoist_status status = append_head(out, DATA_RESOURCE, body, err);
  if (status == HOIST_OK)
    status = append_field(out, RESOURCE_RESOURCE, resource->data, resource->size, err);
  for (size_t i = 0; status == HOIST_OK && i < RECORDER_SCOPES_MAX; i++)
    if (items[i].size > 0) status = append_scope(out, &recorder->scopes[i], &items[i], err);
  return status == HOIST_OK
             ? append_field(out, RESOURCE_SCHEMA, schema_url, sizeof schema_url - 1, err)
             : status;
}
