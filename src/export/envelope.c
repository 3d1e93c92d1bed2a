/* SPDX-License-Identifier: Apache-2.0 */
/* Resource, scope and items in one message. Lengths nest, so the heads are written inside out. Pure;
 * any thread. */
#include "envelope.h"

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
};

/* The semantic conventions whose names hoist uses. */
static const char schema_url[] = "https://opentelemetry.io/schemas/1.37.0";

static size_t put_scope(uint8_t *out) {
  uint8_t scope[64];
  uint8_t *p = wire_put_bytes(scope, SCOPE_NAME, "hoist", 5);
  p = wire_put_bytes(p, SCOPE_VERSION, HOIST_VERSION, sizeof HOIST_VERSION - 1);
  return (size_t)(wire_put_bytes(out, SCOPE_SCOPE, scope, (size_t)(p - scope)) - out);
}

enum hoist_status envelope_wrap(const struct buf *resource, const struct buf *items,
                                struct buf *out, struct hoist_error *err) {
  uint8_t scope[80], schema[80], data_head[HEAD_MAX], resource_head[HEAD_MAX], scope_head[HEAD_MAX];
  size_t scope_size = put_scope(scope);
  size_t schema_size =
      (size_t)(wire_put_bytes(schema, RESOURCE_SCHEMA, schema_url, sizeof schema_url - 1) - schema);
  size_t inner = scope_size + items->size;
  size_t body = wire_bytes_size(resource->size) + wire_bytes_size(inner) + schema_size;
  const struct {
    const void *data;
    size_t size;
  } parts[] = {
      {data_head, (size_t)(wire_put_head(data_head, DATA_RESOURCE, body) - data_head)},
      {resource_head,
       (size_t)(wire_put_head(resource_head, RESOURCE_RESOURCE, resource->size) - resource_head)},
      {resource->data, resource->size},
      {scope_head, (size_t)(wire_put_head(scope_head, RESOURCE_SCOPE, inner) - scope_head)},
      {scope, scope_size},
      {items->data, items->size},
      {schema, schema_size},
  };
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    enum hoist_status status = buf_append(out, parts[i].data, parts[i].size, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}
