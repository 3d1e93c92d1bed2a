/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls of <hoist/telemetry.h> that record. Each is a test for "not configured" and one
 * call through the object's table; nothing is kept here. Threads: any, one at a time per span. */
#include <string.h>

#include "context.h"
#include "dispatch.h"

void hoist_span_start_root(struct hoist_telemetry *telemetry, const char *name,
                           enum hoist_span_kind kind, const struct hoist_span_context *remote,
                           struct hoist_span *ret_span) {
  ret_span->telemetry = NULL;
  if (!telemetry) return;
  if (remote && !context_is_valid(remote)) remote = NULL;
  struct span_start how = {.remote = remote, .name = name, .kind = kind};
  telemetry->spans->start(telemetry, &how, ret_span);
}

void hoist_span_start_at(const struct hoist_span *parent, const char *name,
                         enum hoist_span_kind kind, uint64_t start_unix_ns,
                         struct hoist_span *ret_span) {
  ret_span->telemetry = NULL;
  if (!parent || !parent->telemetry) return;
  struct span_start how = {
      .parent = parent, .name = name, .kind = kind, .start_unix_ns = start_unix_ns};
  parent->telemetry->spans->start(parent->telemetry, &how, ret_span);
}

void hoist_span_start(const struct hoist_span *parent, const char *name, enum hoist_span_kind kind,
                      struct hoist_span *ret_span) {
  hoist_span_start_at(parent, name, kind, 0, ret_span);
}

static void set_attr(struct hoist_span *span, const struct hoist_attr *attr) {
  if (span && span->telemetry && attr->key) span->telemetry->spans->set_attr(span, attr);
}

void hoist_span_set_string(struct hoist_span *span, const char *key, const char *value) {
  if (value)
    set_attr(span, &(struct hoist_attr){
                       .key = key, .type = HOIST_ATTR_STRING, .value = {.string = value}});
}

void hoist_span_set_int(struct hoist_span *span, const char *key, int64_t value) {
  set_attr(span,
           &(struct hoist_attr){.key = key, .type = HOIST_ATTR_INT, .value = {.integer = value}});
}

void hoist_span_set_double(struct hoist_span *span, const char *key, double value) {
  set_attr(span,
           &(struct hoist_attr){.key = key, .type = HOIST_ATTR_DOUBLE, .value = {.number = value}});
}

void hoist_span_set_bool(struct hoist_span *span, const char *key, int value) {
  set_attr(span, &(struct hoist_attr){
                     .key = key, .type = HOIST_ATTR_BOOL, .value = {.integer = value != 0}});
}

void hoist_span_add_event(struct hoist_span *span, const char *name, const struct hoist_attr *attrs,
                          size_t attr_count) {
  if (span && span->telemetry && name)
    span->telemetry->spans->add_event(span, name, attrs, attrs ? attr_count : 0);
}

void hoist_span_set_error(struct hoist_span *span, const char *type, const char *description) {
  if (!span || !span->telemetry) return;
  span->telemetry->spans->set_error(span, description ? description : "");
  hoist_span_set_string(span, "error.type", type);
}

void hoist_span_record_error(struct hoist_span *span, const struct hoist_error *err) {
  if (!span || !span->telemetry || !err || err->status == HOIST_OK) return;
  const char *type = hoist_status_name(err->status);
  hoist_span_set_error(span, type, err->message);
  struct hoist_attr attrs[] = {
      {.key = "exception.type", .type = HOIST_ATTR_STRING, .value = {.string = type}},
      {.key = "exception.message", .type = HOIST_ATTR_STRING, .value = {.string = err->message}}};
  hoist_span_add_event(span, "exception", attrs, sizeof attrs / sizeof attrs[0]);
}

void hoist_span_end_at(struct hoist_span *span, uint64_t end_unix_ns) {
  if (!span || !span->telemetry) return;
  span->telemetry->spans->end(span, end_unix_ns);
  span->telemetry = NULL;
}

void hoist_span_end(struct hoist_span *span) {
  hoist_span_end_at(span, 0);
}

void hoist_span_get_context(const struct hoist_span *span, struct hoist_span_context *ret_context) {
  memset(ret_context, 0, sizeof *ret_context);
  if (span && span->telemetry) span->telemetry->spans->get_context(span, ret_context);
}

void hoist_metric_add(struct hoist_telemetry *telemetry, const struct hoist_instrument *instrument,
                      double value, const struct hoist_attr *attrs, size_t attr_count) {
  if (telemetry)
    telemetry->spans->metric_add(telemetry, instrument, value, attrs, attrs ? attr_count : 0);
}

enum hoist_status hoist_telemetry_flush(struct hoist_telemetry *telemetry, uint32_t timeout_ms,
                                        struct hoist_error *err) {
  return telemetry ? telemetry->lifetime->flush(telemetry, timeout_ms, err) : HOIST_OK;
}

void hoist_telemetry_close(struct hoist_telemetry *telemetry, uint32_t timeout_ms) {
  if (telemetry) telemetry->lifetime->close(telemetry, timeout_ms);
}

void hoist_telemetry_get_status(const struct hoist_telemetry *telemetry,
                                struct hoist_telemetry_status *ret_status) {
  memset(ret_status, 0, sizeof *ret_status);
  if (telemetry) telemetry->lifetime->get_status(telemetry, ret_status);
}
