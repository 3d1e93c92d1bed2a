/* SPDX-License-Identifier: Apache-2.0 */
/* Traces and shares of time as JSON, for programs that want what a waterfall shows. Main thread. */
#include "trace_text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "breakdown.h"
#include "glyph.h"
#include "otlp_value.h"
#include "text.h"

static double seconds(uint64_t ns) {
  return (double)ns / 1e9;
}

static void put_id(struct json *j, const char *key, const uint8_t *id, size_t size) {
  char hex[33];
  hex_encode(id, size, hex);
  json_text(j, key, hex);
}

/* ---- shares ---------------------------------------------------------------------------------- */

static const char *phase_name(const struct phase *phase) {
  switch (phase->kind) {
  case PHASE_WAIT:
    return "lock_wait";
  case PHASE_DOWNLOAD:
    return "download";
  case PHASE_VERIFY:
    return "verify";
  case PHASE_READ:
    return "read";
  case PHASE_SESSION:
    return "session";
  case PHASE_REST:
    return "rest";
  case PHASE_NONE:
  case PHASE_SPAN:
    return phase->name;
  }
  return phase->name;
}

static const struct trace_span *last_operation(const struct trace_set *set) {
  for (size_t i = set->count; i > 0; i--)
    if (breakdown_is_operation(&set->spans[i - 1])) return &set->spans[i - 1];
  return NULL;
}

void trace_json_phases(struct json *j, const struct trace_set *set) {
  const struct trace_span *span = last_operation(set);
  if (!span) return;
  struct breakdown b = breakdown_of(set, span);
  put_id(j, "trace_id", span->trace_id, sizeof span->trace_id);
  json_open(j, "phases", '[');
  for (size_t i = 0; i < b.count; i++) {
    json_open(j, NULL, '{');
    json_text(j, "phase", phase_name(&b.phases[i]));
    if (*b.phases[i].source) json_text(j, "source", b.phases[i].source);
    json_number(j, "seconds", seconds(b.phases[i].ns));
    if (b.phases[i].bytes >= 0) json_int(j, "bytes", b.phases[i].bytes);
    if (b.phases[i].failed) json_bool(j, "failed", true);
    json_close(j, '}');
  }
  json_close(j, ']');
}

/* ---- whole traces ---------------------------------------------------------------------------- */

#define SCRIPT_MAX_INT (INT64_C(1) << 53) /* larger ones change in a browser's numbers */

/* A page shows what would not be seen, or would turn the text around, as a question mark. */
static void put_text(struct json *j, const char *key, const char *text) {
  char clean_key[TRACE_MAX_NAME_BYTES + 1], clean[TRACE_MAX_VALUE_BYTES + 1];
  if (!j->in_html) {
    json_text(j, key, text);
    return;
  }
  glyph_clean(clean_key, sizeof clean_key, key, strlen(key));
  glyph_clean(clean, sizeof clean, text, strlen(text));
  json_text(j, clean_key, clean);
}

static void put_int(struct json *j, const char *key, int64_t value) {
  char text[32];
  if (!j->in_html || (value <= SCRIPT_MAX_INT && value >= -SCRIPT_MAX_INT)) {
    json_int(j, key, value);
    return;
  }
  snprintf(text, sizeof text, "%" PRId64, value);
  put_text(j, key, text);
}

static void put_double(struct json *j, const char *key, double value) {
  char text[OTLP_NUMBER_SIZE];
  if (isfinite(value)) {
    json_number(j, key, value);
    return;
  }
  otlp_number_text(value, text);
  put_text(j, key, text);
}

/* In the page as text, as large numbers are. */
static void put_time(struct json *j, const char *key, uint64_t ns) {
  char text[32];
  snprintf(text, sizeof text, "%" PRIu64, ns);
  if (j->in_html)
    json_text(j, key, text);
  else
    json_uint(j, key, ns);
}

static void put_attr(struct json *j, const struct hoist_attr *attr) {
  switch (attr->type) {
  case HOIST_ATTR_STRING:
    put_text(j, attr->key, attr->value.string);
    break;
  case HOIST_ATTR_INT:
    put_int(j, attr->key, attr->value.integer);
    break;
  case HOIST_ATTR_DOUBLE:
    put_double(j, attr->key, attr->value.number);
    break;
  case HOIST_ATTR_BOOL:
    json_bool(j, attr->key, attr->value.integer != 0);
    break;
  case HOIST_ATTR_STRING_ARRAY: /* traces that were read have texts for these */
  case HOIST_ATTR_INT_ARRAY:
  case HOIST_ATTR_DOUBLE_ARRAY:
  case HOIST_ATTR_BOOL_ARRAY:
    break;
  }
}

static void put_attrs(struct json *j, const char *key, const struct hoist_attr *attrs,
                      size_t count) {
  json_open(j, key, '{');
  for (size_t i = 0; i < count; i++)
    put_attr(j, &attrs[i]);
  json_close(j, '}');
}

static void put_kind(struct json *j, int kind) {
  static const char *const names[] = {NULL, "internal", "server", "client", "producer", "consumer"};
  if (kind > 0 && kind < (int)(sizeof names / sizeof names[0])) json_text(j, "kind", names[kind]);
}

static void put_count(struct json *j, const char *key, uint32_t count) {
  if (count > 0) json_uint(j, key, count);
}

static void put_note_end(struct json *j, const struct trace_note *note) {
  put_count(j, "dropped_attributes", note->dropped_attributes);
  put_attrs(j, "attributes", note->attrs, note->attr_count);
  json_close(j, '}');
}

static void put_events(struct json *j, const struct trace_span *span, const struct trace *trace) {
  if (!span->events) return;
  json_open(j, "events", '[');
  for (const struct trace_note *event = span->events; event; event = event->next) {
    json_open(j, NULL, '{');
    put_text(j, "name", event->text);
    if (event->time_ns > 0)
      json_number(j, "at_s", (double)diff_between(trace->start_ns, event->time_ns) / 1e9);
    put_note_end(j, event);
  }
  json_close(j, ']');
}

static void put_links(struct json *j, const struct trace_span *span) {
  if (!span->links) return;
  json_open(j, "links", '[');
  for (const struct trace_note *link = span->links; link; link = link->next) {
    json_open(j, NULL, '{');
    put_id(j, "trace_id", link->trace_id, sizeof link->trace_id);
    put_id(j, "span_id", link->span_id, sizeof link->span_id);
    if (*link->text) put_text(j, "tracestate", link->text);
    put_note_end(j, link);
  }
  json_close(j, ']');
}

static void put_origin(struct json *j, const struct trace_origin *origin) {
  if (!origin) return;
  json_open(j, "scope", '{');
  if (*origin->scope_name) put_text(j, "name", origin->scope_name);
  if (*origin->scope_version) put_text(j, "version", origin->scope_version);
  json_close(j, '}');
  put_attrs(j, "resource", origin->attrs, origin->attr_count);
}

static void put_span(struct json *j, const struct trace_set *set, const struct trace_span *span,
                     const struct trace *trace) {
  json_open(j, NULL, '{');
  put_id(j, "span_id", span->span_id, sizeof span->span_id);
  if (span->parent != TRACE_NONE)
    put_id(j, "parent_id", set->spans[span->parent].span_id, sizeof span->span_id);
  put_text(j, "name", span->name);
  json_number(j, "start_s", seconds(span->start_ns - trace->start_ns));
  json_number(j, "duration_s", seconds(trace_duration(span)));
  if (span->shown == TRACE_CONTEXT) json_bool(j, "context", true);
  if (span->critical) json_bool(j, "critical", true);
  if (span->unfinished) json_bool(j, "unfinished", true);
  if (span->failed) {
    json_bool(j, "failed", true);
    put_text(j, "message", span->message);
  }
  put_kind(j, span->kind);
  if (*span->tracestate) put_text(j, "tracestate", span->tracestate);
  put_count(j, "dropped_attributes", span->dropped_attributes);
  put_count(j, "dropped_events", span->dropped_events);
  put_count(j, "dropped_links", span->dropped_links);
  put_attrs(j, "attributes", span->attrs, span->attr_count);
  put_events(j, span, trace);
  put_links(j, span);
  if (span->parent == TRACE_NONE || span->origin != set->spans[span->parent].origin)
    put_origin(j, span->origin);
  json_close(j, '}');
}

void trace_json(struct json *j, const struct trace_set *set, const struct trace *trace) {
  const struct trace_span *span = trace_root(set, trace, 0);
  json_open(j, NULL, '{');
  put_id(j, "trace_id", span->trace_id, sizeof span->trace_id);
  put_time(j, "start_unix_ns", trace->start_ns);
  json_number(j, "duration_s", seconds(trace->end_ns - trace->start_ns));
  json_open(j, "spans", '[');
  for (; span; span = trace_next(set, trace, span))
    if (span->shown != TRACE_HIDDEN) put_span(j, set, span, trace);
  json_close(j, ']');
  json_close(j, '}');
}

/* ---- comparisons ----------------------------------------------------------------------------- */

static void put_row(struct json *j, const struct diff_row *row) {
  const struct trace_span *span = diff_span(row);
  json_open(j, NULL, '{');
  json_uint(j, "depth", row->depth);
  if (span) json_text(j, "name", span->name);
  if (span && *diff_subject(span)) json_text(j, "subject", diff_subject(span));
  if (!span) json_uint(j, "more", row->more);
  if (row->a || !span) json_number(j, "a_s", seconds(row->a_ns));
  if (row->b || !span) json_number(j, "b_s", seconds(row->b_ns));
  json_close(j, '}');
}

void trace_json_diff(struct json *j, const struct diff *diff) {
  json_open(j, NULL, '{');
  json_number(j, "a_s", seconds(diff->a_ns));
  json_number(j, "b_s", seconds(diff->b_ns));
  if (diff->culprit) json_int(j, "culprit", diff->culprit - diff->rows);
  json_open(j, "rows", '[');
  for (size_t i = 0; i < diff->count; i++)
    put_row(j, &diff->rows[i]);
  json_close(j, ']');
  json_close(j, '}');
}
