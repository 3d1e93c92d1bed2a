/* SPDX-License-Identifier: Apache-2.0 */
/* Reads spans out of OTLP protobuf (TracesData / ExportTraceServiceRequest, which share their wire
 * form). A pull parser: nothing is copied, everything points into the given bytes. Input is not
 * trusted. */
#ifndef HOIST_TELEMETRY_OTLP_READ_H
#define HOIST_TELEMETRY_OTLP_READ_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct otlp_bytes {
  const uint8_t *data;
  size_t size;
};

enum otlp_value_type { OTLP_EMPTY, OTLP_STRING, OTLP_BOOL, OTLP_INT, OTLP_DOUBLE, OTLP_OTHER };
struct otlp_attr {
  struct otlp_bytes key; /* text, not terminated */
  enum otlp_value_type type;
  struct otlp_bytes string; /* OTLP_OTHER: the AnyValue message, for otlp_append_value */
  int64_t integer;          /* also bool */
  double number;
};

struct otlp_span {
  uint8_t trace_id[16], span_id[8], parent_id[8]; /* all zero: none */
  struct otlp_bytes name;
  int kind;
  uint64_t start_unix_ns, end_unix_ns;
  int status_code; /* 0 unset, 1 ok, 2 error */
  struct otlp_bytes status_message;
  struct otlp_bytes tracestate;
  uint32_t flags, dropped_attributes, dropped_events, dropped_links;
  struct otlp_bytes raw;      /* the Span message */
  struct otlp_bytes resource; /* the Resource message it stands under */
  struct otlp_bytes scope;    /* the InstrumentationScope message */
};

/** Calls `visit` for every span. Errors: CORRUPT malformed bytes; whatever visit returns */
HOIST_MUST_CHECK enum hoist_status otlp_each_span(
    const void *traces_data, size_t size,
    enum hoist_status (*visit)(void *user, const struct otlp_span *span, struct hoist_error *err),
    void *user, struct hoist_error *err);

/** Calls `visit` for every attribute of a span's `raw` (or of a Resource message, with
 * is_resource). */
HOIST_MUST_CHECK enum hoist_status otlp_each_attr(
    struct otlp_bytes message, int is_resource,
    enum hoist_status (*visit)(void *user, const struct otlp_attr *attr, struct hoist_error *err),
    void *user, struct hoist_error *err);

struct otlp_event {
  uint64_t time_unix_ns;
  struct otlp_bytes name;
  uint32_t dropped_attributes;
  struct otlp_bytes raw; /* the Event message, for otlp_each_event_attr */
};
HOIST_MUST_CHECK enum hoist_status otlp_each_event(
    struct otlp_bytes span_raw,
    enum hoist_status (*visit)(void *user, const struct otlp_event *event, struct hoist_error *err),
    void *user, struct hoist_error *err);
/** Calls `visit` for every attribute of an event's `raw`. */
HOIST_MUST_CHECK enum hoist_status otlp_each_event_attr(
    struct otlp_bytes event_raw,
    enum hoist_status (*visit)(void *user, const struct otlp_attr *attr, struct hoist_error *err),
    void *user, struct hoist_error *err);

struct otlp_link {
  uint8_t trace_id[16], span_id[8];
  struct otlp_bytes tracestate;
  uint32_t dropped_attributes;
  struct otlp_bytes raw; /* the Link message, for otlp_each_link_attr */
};
HOIST_MUST_CHECK enum hoist_status otlp_each_link(
    struct otlp_bytes span_raw,
    enum hoist_status (*visit)(void *user, const struct otlp_link *link, struct hoist_error *err),
    void *user, struct hoist_error *err);
/** Calls `visit` for every attribute of a link's `raw`. */
HOIST_MUST_CHECK enum hoist_status otlp_each_link_attr(
    struct otlp_bytes link_raw,
    enum hoist_status (*visit)(void *user, const struct otlp_attr *attr, struct hoist_error *err),
    void *user, struct hoist_error *err);

struct otlp_scope {
  struct otlp_bytes name, version;
};
/** Reads an InstrumentationScope message. Errors: CORRUPT */
HOIST_MUST_CHECK enum hoist_status otlp_read_scope(struct otlp_bytes message,
                                                   struct otlp_scope *ret_scope,
                                                   struct hoist_error *err);
#endif
