/* SPDX-License-Identifier: Apache-2.0 */
/* Every byte the pull parser hands out lies in the input. */
#include <stdint.h>
#include <stdlib.h>

#include "otlp_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct otlp_bytes input;

static void check(struct otlp_bytes bytes) {
  if (bytes.size > 0 &&
      (bytes.data < input.data || bytes.data + bytes.size > input.data + input.size))
    abort();
}

static enum hoist_status on_attr(void *user, const struct otlp_attr *attr,
                                 struct hoist_error *err) {
  check(attr->key);
  check(attr->string);
  return HOIST_OK;
}

static enum hoist_status on_event(void *user, const struct otlp_event *event,
                                  struct hoist_error *err) {
  check(event->name);
  check(event->raw);
  return otlp_each_event_attr(event->raw, on_attr, user, err);
}

static enum hoist_status on_span(void *user, const struct otlp_span *span,
                                 struct hoist_error *err) {
  check(span->name);
  check(span->status_message);
  check(span->raw);
  check(span->resource);
  check(span->scope);
  enum hoist_status status = otlp_each_attr(span->raw, 0, on_attr, user, err);
  if (status == HOIST_OK) status = otlp_each_attr(span->resource, 1, on_attr, user, err);
  return status == HOIST_OK ? otlp_each_event(span->raw, on_event, user, err) : status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct hoist_error err;
  input = (struct otlp_bytes){data, size};
  enum hoist_status status = otlp_each_span(data, size, on_span, NULL, &err);
  if (status != HOIST_OK && status != HOIST_CORRUPT) abort();
  return 0;
}
