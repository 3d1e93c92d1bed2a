/* SPDX-License-Identifier: Apache-2.0 */
/* Spans out of OTLP protobuf: collects each span's attributes, events and links and hands them to the
 * set. One thread at a time. */
#include <string.h>

#include "trace.h"

struct attr_list {
  struct otlp_attr attrs[TRACE_MAX_ATTRS];
  size_t count;
};

struct reading {
  struct trace_set *set;
  struct otlp_bytes resource, scope; /* that set->origin was made of */
};

static enum hoist_status collect_attr(void *user, const struct otlp_attr *attr,
                                      struct hoist_error *err) {
  struct attr_list *list = user;
  if (list->count < TRACE_MAX_ATTRS) list->attrs[list->count++] = *attr;
  return HOIST_OK;
}

static enum hoist_status add_event(void *user, const struct otlp_event *event,
                                   struct hoist_error *err) {
  struct attr_list list = {.count = 0};
  enum hoist_status status = otlp_each_event_attr(event->raw, collect_attr, &list, err);
  if (status != HOIST_OK) return status;
  return trace_add_event(user, event, list.attrs, list.count, err);
}

static enum hoist_status add_link(void *user, const struct otlp_link *link,
                                  struct hoist_error *err) {
  struct attr_list list = {.count = 0};
  enum hoist_status status = otlp_each_link_attr(link->raw, collect_attr, &list, err);
  if (status != HOIST_OK) return status;
  return trace_add_link(user, link, list.attrs, list.count, err);
}

static bool same_bytes(struct otlp_bytes a, struct otlp_bytes b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static enum hoist_status set_origin(struct reading *reading, const struct otlp_span *span,
                                    struct hoist_error *err) {
  struct otlp_scope scope;
  struct attr_list list = {.count = 0};
  if (reading->set->origin && same_bytes(reading->resource, span->resource) &&
      same_bytes(reading->scope, span->scope))
    return HOIST_OK;
  reading->resource = span->resource;
  reading->scope = span->scope;
  enum hoist_status status = otlp_each_attr(span->resource, 1, collect_attr, &list, err);
  if (status == HOIST_OK) status = otlp_read_scope(span->scope, &scope, err);
  if (status != HOIST_OK) return status;
  return trace_set_origin(reading->set, &scope, list.attrs, list.count, err);
}

static enum hoist_status add_span(void *user, const struct otlp_span *span,
                                  struct hoist_error *err) {
  struct reading *reading = user;
  struct attr_list list = {.count = 0};
  enum hoist_status status = set_origin(reading, span, err);
  if (status == HOIST_OK) status = otlp_each_attr(span->raw, 0, collect_attr, &list, err);
  if (status == HOIST_OK) status = trace_add(reading->set, span, list.attrs, list.count, err);
  if (status == HOIST_OK) status = otlp_each_event(span->raw, add_event, reading->set, err);
  return status == HOIST_OK ? otlp_each_link(span->raw, add_link, reading->set, err) : status;
}

enum hoist_status trace_read_otlp(struct trace_set *set, const void *data, size_t size,
                                  struct hoist_error *err) {
  struct reading reading = {.set = set};
  set->origin = NULL;
  return otlp_each_span(data, size, add_span, &reading, err);
}
