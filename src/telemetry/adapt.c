/* SPDX-License-Identifier: Apache-2.0 */
/* The tracer a host program already has, behind hoist's span calls. Owns a copy of the host's
 * table and the bound instruments; a span keeps only the host's pointer. Adds no locking: the host is
 * called from whichever thread records. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "clock.h"
#include "context.h"
#include "dispatch.h"
#include "err.h"

struct host_bound;

struct host {
  struct hoist_telemetry base;
  struct hoist_tracer tracer;
  _Atomic(struct host_bound *) bounds;
};

static const struct hoist_tracer *tracer_of(const struct hoist_telemetry *telemetry) {
  return &((const struct host *)telemetry)->tracer;
}

static void *host_span(const struct hoist_span *span) {
  return (void *)(uintptr_t)span->private_[0];
}

static void host_start(struct hoist_telemetry *telemetry, const struct hoist_span *parent,
                       const struct hoist_span_context *remote, const char *name,
                       enum hoist_span_kind kind, uint64_t start_unix_ns,
                       struct hoist_span *ret_span) {
  const struct hoist_tracer *t = tracer_of(telemetry);
  void *above = parent ? host_span(parent) : NULL;
  void *span = NULL;
  if (remote && !context_is_valid(remote)) remote = NULL;
  if (!parent || above) /* what is below a span that records nothing records nothing */
    span = t->span_start(t->user, name, kind, above, remote,
                         start_unix_ns ? start_unix_ns : clock_realtime_ns());
  ret_span->private_[0] = (uintptr_t)span;
  ret_span->telemetry = telemetry;
}

static void host_set_attr(struct hoist_span *span, const char *key, size_t key_size,
                          enum hoist_attr_type type, uint64_t value, size_t size) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  const struct hoist_attr attr = attr_of(key, type, value, size);
  if (host_span(span)) t->span_set_attr(t->user, host_span(span), &attr);
}

static void host_add_event(struct hoist_span *span, const struct span_event *event) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  uint64_t unix_ns = event->unix_ns ? event->unix_ns : clock_realtime_ns();
  if (host_span(span))
    t->span_add_event(t->user, host_span(span), event->name, unix_ns, event->attrs,
                      event->attr_count);
}

static void host_add_link(struct hoist_span *span, const struct span_link *link) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  if (host_span(span) && t->span_add_link)
    t->span_add_link(t->user, host_span(span), link->context, link->attrs, link->attr_count);
}

static void host_set_status(struct hoist_span *span, enum hoist_span_status status,
                            const char *description) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  if (host_span(span)) t->span_set_status(t->user, host_span(span), status, description);
}

static void host_update_name(struct hoist_span *span, const char *name) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  if (host_span(span) && t->span_update_name) t->span_update_name(t->user, host_span(span), name);
}

static int host_is_recording(const struct hoist_span *span) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  if (!host_span(span)) return 0;
  return t->span_is_recording ? t->span_is_recording(t->user, host_span(span)) : 1;
}

static void host_get_context(const struct hoist_span *span,
                             struct hoist_span_context *ret_context) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  if (host_span(span)) t->span_get_context(t->user, host_span(span), ret_context);
}

static void host_end(struct hoist_span *span, uint64_t end_unix_ns) {
  const struct hoist_tracer *t = tracer_of(span->telemetry);
  if (host_span(span))
    t->span_end(t->user, host_span(span), end_unix_ns ? end_unix_ns : clock_realtime_ns());
}

/* A host's span ends by the host's clock, which is told the real time, too. */
static uint64_t host_now(const struct hoist_span *span) {
  return clock_realtime_ns();
}

static void host_metric_add(struct hoist_telemetry *telemetry,
                            const struct measurement *measurement) {
  const struct hoist_tracer *t = tracer_of(telemetry);
  if (t->metric_add)
    t->metric_add(t->user, measurement->instrument, measurement->value, measurement->attrs,
                  measurement->attr_count);
}

/* ---- bound instruments: the host's metric_add, with attributes that are kept here ---------------- */

struct host_bound {
  struct hoist_bound base;
  const struct hoist_tracer *tracer;
  const struct hoist_instrument *instrument;
  struct host_bound *next;
  size_t attr_count;
  struct hoist_attr attrs[]; /* what they point to stands behind them */
};

static void host_bound_record(struct hoist_bound *base, double value) {
  const struct host_bound *b = (const struct host_bound *)base;
  b->tracer->metric_add(b->tracer->user, b->instrument, value, b->attrs, b->attr_count);
}

static size_t text_size(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

/* Bytes of an array's elements, without the texts they point to; 0 for what is none. */
static size_t array_size(const struct hoist_attr *attr) {
  if (attr_is_null(attr)) return 0;
  switch (attr->type) {
  case HOIST_ATTR_STRING_ARRAY:
    return attr->count * sizeof attr->value.strings[0];
  case HOIST_ATTR_INT_ARRAY:
    return attr->count * sizeof attr->value.integers[0];
  case HOIST_ATTR_DOUBLE_ARRAY:
    return attr->count * sizeof attr->value.numbers[0];
  case HOIST_ATTR_BOOL_ARRAY:
    return attr->count * sizeof attr->value.booleans[0];
  case HOIST_ATTR_STRING:
  case HOIST_ATTR_INT:
  case HOIST_ATTR_DOUBLE:
  case HOIST_ATTR_BOOL:
    break;
  }
  return 0;
}

enum { WORD = sizeof(uint64_t) };

static size_t whole_words(size_t size) {
  return (size + WORD - 1) & ~(size_t)(WORD - 1);
}

/* Bytes behind the attributes that one of them takes; elements of arrays begin on a word. */
static size_t room_for(const struct hoist_attr *attr) {
  size_t size = array_size(attr) + text_size(attr->key);
  if (attr->type == HOIST_ATTR_STRING) size += text_size(attr->value.string);
  if (attr->type == HOIST_ATTR_STRING_ARRAY && !attr_is_null(attr))
    for (uint32_t i = 0; i < attr->count; i++)
      size += text_size(attr->value.strings[i]);
  return whole_words(size);
}

static const char *keep_text(char **at, const char *text) {
  size_t size = text_size(text);
  char *copy = *at;
  if (size > 0) memcpy(copy, text, size);
  *at += size;
  return size > 0 ? copy : NULL;
}

/* Copies what `attr` points to, to `room`. */
static void keep_attr(struct hoist_attr *attr, char *room) {
  size_t size = array_size(attr);
  char *at = room + size;
  if (size > 0) memcpy(room, attr->value.numbers, size); /* the address, whatever it points to */
  if (attr->type == HOIST_ATTR_STRING_ARRAY && !attr_is_null(attr))
    for (uint32_t i = 0; i < attr->count; i++)
      ((const char **)(void *)room)[i] = keep_text(&at, attr->value.strings[i]);
  if (attr->type == HOIST_ATTR_STRING) attr->value.string = keep_text(&at, attr->value.string);
  if (size > 0) attr->value.numbers = (const double *)(void *)room;
  attr->key = keep_text(&at, attr->key);
}

static struct host_bound *make_bound(const struct hoist_attr *attrs, size_t attr_count) {
  size_t size = sizeof(struct host_bound) + attr_count * sizeof attrs[0];
  size_t at = size;
  for (size_t i = 0; i < attr_count; i++)
    size += room_for(&attrs[i]);
  struct host_bound *b = calloc(1, size);
  if (!b) return NULL;
  b->attr_count = attr_count;
  for (size_t i = 0; i < attr_count; i++) {
    b->attrs[i] = attrs[i];
    keep_attr(&b->attrs[i], (char *)b + at);
    at += room_for(&attrs[i]);
  }
  return b;
}

static struct hoist_bound *host_bind(struct hoist_telemetry *telemetry,
                                     const struct hoist_instrument *instrument,
                                     const struct hoist_attr *attrs, size_t attr_count) {
  struct host *host = (struct host *)telemetry;
  struct host_bound *b = host->tracer.metric_add ? make_bound(attrs, attr_count) : NULL;
  if (!b) return NULL;
  b->base.record = host_bound_record;
  b->tracer = &host->tracer;
  b->instrument = instrument;
  b->next = atomic_load(&host->bounds);
  while (!atomic_compare_exchange_weak(&host->bounds, &b->next, b))
    ;
  return &b->base;
}

static const struct span_ops host_spans = {
    .start = host_start,
    .set_attr = host_set_attr,
    .add_event = host_add_event,
    .add_link = host_add_link,
    .set_status = host_set_status,
    .update_name = host_update_name,
    .is_recording = host_is_recording,
    .get_context = host_get_context,
    .end = host_end,
    .now = host_now,
    .metric_add = host_metric_add,
    .bind = host_bind,
};

/* The host exports by itself: there is nothing to flush or to count. */
static enum hoist_status host_flush(struct hoist_telemetry *telemetry, uint32_t timeout_ms,
                                    struct hoist_error *err) {
  return HOIST_OK;
}

static void host_close(struct hoist_telemetry *telemetry, uint32_t timeout_ms) {
  struct host *host = (struct host *)telemetry;
  for (struct host_bound *b = atomic_load(&host->bounds), *next; b; b = next) {
    next = b->next;
    free(b);
  }
  free(host);
}

static void host_get_status(const struct hoist_telemetry *telemetry,
                            struct hoist_telemetry_status *ret_status) {
}

static const struct lifetime_ops host_lifetime = {
    .flush = host_flush,
    .close = host_close,
    .get_status = host_get_status,
};

enum hoist_status hoist_telemetry_adapt(const struct hoist_tracer *tracer,
                                        struct hoist_telemetry **ret_telemetry,
                                        struct hoist_error *err) {
  struct hoist_tracer copy = {0};
  if (tracer && tracer->size > 0 && tracer->size <= sizeof copy)
    memcpy(&copy, tracer, tracer->size);
  if (!copy.span_start || !copy.span_set_attr || !copy.span_add_event || !copy.span_set_status ||
      !copy.span_get_context || !copy.span_end)
    return hoist_fail(err, HOIST_INVALID,
                      "the tracer table lacks a required function or has the wrong size");
  struct host *host = calloc(1, sizeof *host);
  if (!host) return hoist_fail_memory(err, "the tracer adapter");
  host->base = (struct hoist_telemetry){&host_spans, &host_lifetime, host};
  host->tracer = copy;
  *ret_telemetry = &host->base;
  return HOIST_OK;
}
