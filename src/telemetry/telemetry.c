/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls of <hoist/telemetry.h> that record. Each is a test for "not configured" and one
 * call through the object's table; nothing is kept here. Threads: any, one at a time per span. */
#include <string.h>

#include "attr.h"
#include "context.h"
#include "dispatch.h"
#include "err.h"

/* The library's own copies of what the header inlines. */
extern inline void hoist_span_start_root(struct hoist_telemetry *telemetry, const char *name,
                                         enum hoist_span_kind kind,
                                         const struct hoist_span_context *remote,
                                         struct hoist_span *ret_span);
extern inline void hoist_span_start_root_at(struct hoist_telemetry *telemetry, const char *name,
                                            enum hoist_span_kind kind,
                                            const struct hoist_span_context *remote,
                                            uint64_t start_unix_ns, struct hoist_span *ret_span);
extern inline void hoist_span_start(const struct hoist_span *parent, const char *name,
                                    enum hoist_span_kind kind, struct hoist_span *ret_span);
extern inline void hoist_span_start_at(const struct hoist_span *parent, const char *name,
                                       enum hoist_span_kind kind, uint64_t start_unix_ns,
                                       struct hoist_span *ret_span);
extern inline void hoist_span_set_string(struct hoist_span *span, const char *key,
                                         const char *value);
extern inline void hoist_span_set_int(struct hoist_span *span, const char *key, int64_t value);
extern inline void hoist_span_set_double(struct hoist_span *span, const char *key, double value);
extern inline void hoist_span_set_bool(struct hoist_span *span, const char *key, int value);
extern inline void hoist_span_end(struct hoist_span *span);
extern inline void hoist_span_end_at(struct hoist_span *span, uint64_t end_unix_ns);
extern inline void hoist_bound_add(struct hoist_bound *bound, double value);

/* ---- spans --------------------------------------------------------------------------------------- */

void hoist_span_begin_(struct hoist_telemetry *telemetry, const struct hoist_span *parent,
                       const struct hoist_span_context *remote, const char *name,
                       enum hoist_span_kind kind, uint64_t start_unix_ns,
                       struct hoist_span *ret_span) {
  if (remote && !remote->forced && !context_is_valid(remote)) remote = NULL;
  telemetry->spans->start(telemetry, parent, remote, name, kind, start_unix_ns, ret_span);
}

void hoist_span_start_in(struct hoist_telemetry *telemetry, const struct hoist_span *parent,
                         const char *name, enum hoist_span_kind kind, struct hoist_span *ret_span) {
  struct hoist_span_context context;
  ret_span->telemetry = NULL;
  if (!telemetry) return;
  if (!parent || telemetry_is_same(parent->telemetry, telemetry)) {
    hoist_span_begin_(telemetry, parent, NULL, name, kind, 0, ret_span);
    return;
  }
  hoist_span_get_context(parent, &context);
  context.remote = 1;
  hoist_span_begin_(telemetry, NULL, &context, name, kind, 0, ret_span);
}

void hoist_span_put_(struct hoist_span *span, const char *key, size_t key_size,
                     enum hoist_attr_type type, uint64_t value, size_t size) {
  span->telemetry->spans->set_attr(span, key, key_size, type, value, size);
}

void hoist_span_set_attr(struct hoist_span *span, const struct hoist_attr *attr) {
  uint64_t value;
  if (!span || !span->telemetry || !attr || !attr->key || attr_is_null(attr)) return;
  memcpy(&value, &attr->value, sizeof value);
  span->telemetry->spans->set_attr(span, attr->key, strlen(attr->key), attr->type, value,
                                   attr->type == HOIST_ATTR_STRING ? strlen(attr->value.string)
                                                                   : attr->count);
}

void hoist_span_add_event_at(struct hoist_span *span, const char *name, uint64_t unix_ns,
                             const struct hoist_attr *attrs, size_t attr_count) {
  if (!span || !span->telemetry || !name) return;
  const struct span_event event = {
      .name = name, .unix_ns = unix_ns, .attrs = attrs, .attr_count = attrs ? attr_count : 0};
  span->telemetry->spans->add_event(span, &event);
}

void hoist_span_add_event(struct hoist_span *span, const char *name, const struct hoist_attr *attrs,
                          size_t attr_count) {
  hoist_span_add_event_at(span, name, 0, attrs, attr_count);
}

void hoist_span_add_link(struct hoist_span *span, const struct hoist_span_context *context,
                         const struct hoist_attr *attrs, size_t attr_count) {
  if (!span || !span->telemetry || !context) return;
  const struct span_link link = {context, attrs, attrs ? attr_count : 0};
  bool is_empty = link.attr_count == 0 && (!context->tracestate || !*context->tracestate);
  if (context_is_valid(context) || !is_empty) span->telemetry->spans->add_link(span, &link);
}

void hoist_span_set_status(struct hoist_span *span, enum hoist_span_status status,
                           const char *description) {
  if (!span || !span->telemetry || status == HOIST_SPAN_UNSET) return;
  bool counts = status == HOIST_SPAN_ERROR && description;
  span->telemetry->spans->set_status(span, status, counts ? description : "");
}

static struct hoist_attr string_attr(const char *key, const char *text) {
  return (struct hoist_attr){.key = key, .type = HOIST_ATTR_STRING, .value = {.string = text}};
}

void hoist_span_set_error(struct hoist_span *span, const char *type, const char *description) {
  hoist_span_set_status(span, HOIST_SPAN_ERROR, description);
  hoist_span_set_string(span, "error.type", type);
}

void hoist_span_record_exception(struct hoist_span *span, const char *type, const char *message,
                                 const struct hoist_attr *attrs, size_t attr_count) {
  struct hoist_attr all[2 + HOIST_EXCEPTION_ATTRS_MAX];
  size_t count = 0;
  if (!span || !span->telemetry) return;
  if (type) all[count++] = string_attr("exception.type", type);
  if (message) all[count++] = string_attr("exception.message", message);
  for (size_t i = 0; attrs && i < attr_count && i < HOIST_EXCEPTION_ATTRS_MAX; i++)
    all[count++] = attrs[i];
  hoist_span_add_event(span, "exception", all, count);
}

void hoist_span_record_error(struct hoist_span *span, const struct hoist_error *err) {
  if (!span || !span->telemetry || !err || err->status == HOIST_OK) return;
  const char *type = hoist_status_name(err->status);
  hoist_span_set_error(span, type, err->message);
  hoist_span_record_exception(span, type, err->message, NULL, 0);
}

void hoist_span_update_name(struct hoist_span *span, const char *name) {
  if (span && span->telemetry && name) span->telemetry->spans->update_name(span, name);
}

int hoist_span_is_recording(const struct hoist_span *span) {
  return span && span->telemetry && span->telemetry->spans->is_recording(span);
}

void hoist_span_finish_(struct hoist_span *span, uint64_t end_unix_ns) {
  span->telemetry->spans->end(span, end_unix_ns);
  span->telemetry = NULL;
}

void hoist_span_get_context(const struct hoist_span *span, struct hoist_span_context *ret_context) {
  if (!ret_context) return;
  memset(ret_context, 0, sizeof *ret_context);
  if (span && span->telemetry) span->telemetry->spans->get_context(span, ret_context);
}

int hoist_span_context_is_valid(const struct hoist_span_context *context) {
  return context && context_is_valid(context);
}

/* ---- metrics ------------------------------------------------------------------------------------- */

void hoist_metric_add_in(const struct hoist_span *span, struct hoist_telemetry *telemetry,
                         const struct hoist_instrument *instrument, double value,
                         const struct hoist_attr *attrs, size_t attr_count) {
  if (!telemetry || !instrument || !instrument->name) return;
  const struct measurement measurement = {.instrument = instrument,
                                          .value = value,
                                          .attrs = attrs,
                                          .attr_count = attrs ? attr_count : 0,
                                          .span = span};
  telemetry->spans->metric_add(telemetry, &measurement);
}

void hoist_metric_add(struct hoist_telemetry *telemetry, const struct hoist_instrument *instrument,
                      double value, const struct hoist_attr *attrs, size_t attr_count) {
  hoist_metric_add_in(hoist_span_current(), telemetry, instrument, value, attrs, attr_count);
}

struct hoist_bound *hoist_metric_bind(struct hoist_telemetry *telemetry,
                                      const struct hoist_instrument *instrument,
                                      const struct hoist_attr *attrs, size_t attr_count) {
  if (!telemetry || !instrument || !instrument->name) return NULL;
  return telemetry->spans->bind(telemetry, instrument, attrs, attrs ? attr_count : 0);
}

void hoist_bound_record_(struct hoist_bound *bound, double value) {
  bound->record(bound, value);
}

/* ---- lifetime ------------------------------------------------------------------------------------ */

enum hoist_status hoist_telemetry_flush(struct hoist_telemetry *telemetry, uint32_t timeout_ms,
                                        struct hoist_error *err) {
  return telemetry ? telemetry->lifetime->flush(telemetry, timeout_ms, err) : HOIST_OK;
}

void hoist_telemetry_close(struct hoist_telemetry *telemetry, uint32_t timeout_ms) {
  if (telemetry) telemetry->lifetime->close(telemetry, timeout_ms);
}

void hoist_telemetry_get_status(const struct hoist_telemetry *telemetry,
                                struct hoist_telemetry_status *ret_status) {
  if (!ret_status) return;
  memset(ret_status, 0, sizeof *ret_status);
  if (telemetry) telemetry->lifetime->get_status(telemetry, ret_status);
}

struct hoist_telemetry *hoist_telemetry_scope(struct hoist_telemetry *telemetry, const char *name,
                                              const char *version) {
  return telemetry && telemetry->lifetime->scope
             ? telemetry->lifetime->scope(telemetry, name, version)
             : telemetry;
}

enum hoist_status hoist_telemetry_prometheus(struct hoist_telemetry *telemetry, char **ret_text,
                                             size_t *ret_size, struct hoist_error *err) {
  size_t unused;
  if (!ret_text) return hoist_fail(err, HOIST_INVALID, "there is nowhere to put the metrics' text");
  if (!telemetry || !telemetry->lifetime->prometheus)
    return hoist_fail(err, HOIST_UNSUPPORTED,
                      "this telemetry keeps no metrics of its own: ask the program's tracer");
  return telemetry->lifetime->prometheus(telemetry, ret_text, ret_size ? ret_size : &unused, err);
}
