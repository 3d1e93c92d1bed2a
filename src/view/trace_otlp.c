/* SPDX-License-Identifier: Apache-2.0 */
/* Spans out of OTLP protobuf: collects each span's attributes and hands both to the set. One thread
 * at a time. */
#include "trace.h"

struct attr_list {
  struct otlp_attr attrs[TRACE_MAX_ATTRS];
  size_t count;
};

static enum hoist_status collect_attr(void *user, const struct otlp_attr *attr,
                                      struct hoist_error *err) {
  struct attr_list *list = user;
  if (list->count < TRACE_MAX_ATTRS) list->attrs[list->count++] = *attr;
  return HOIST_OK;
}

static enum hoist_status add_span(void *user, const struct otlp_span *span,
                                  struct hoist_error *err) {
  struct attr_list list = {.count = 0};
  enum hoist_status status = otlp_each_attr(span->raw, 0, collect_attr, &list, err);
  if (status != HOIST_OK) return status;
  return trace_add(user, span, list.attrs, list.count, err);
}

enum hoist_status trace_read_otlp(struct trace_set *set, const void *data, size_t size,
                                  struct hoist_error *err) {
  return otlp_each_span(data, size, add_span, set, err);
}
