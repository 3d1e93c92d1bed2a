/* SPDX-License-Identifier: Apache-2.0 */
/* Spans out of OTLP-JSON lines (the OpenTelemetry file format): one JSON object a line, ids in hex,
 * 64-bit numbers as text or as numbers, status codes as numbers or names. Unknown members are
 * skipped, as the protocol asks; members of the wrong type make the line damaged. Holds one line in
 * memory at a time. One thread at a time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "text.h"
#include "trace.h"

static inline void json_cleanup(json_t **json) {
  json_decref(*json);
}

static enum hoist_status bad(struct hoist_error *err, const char *what) {
  return hoist_fail(err, HOIST_CORRUPT, "not OTLP-JSON: %s", what);
}

/* ---- single values --------------------------------------------------------------------------- */

static struct otlp_bytes bytes_of(const json_t *string) {
  return (struct otlp_bytes){(const uint8_t *)json_string_value(string),
                             json_string_length(string)};
}

static enum hoist_status read_text(const json_t *object, const char *key, struct otlp_bytes *out,
                                   struct hoist_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!value || json_is_null(value)) return HOIST_OK;
  if (!json_is_string(value)) return bad(err, key);
  *out = bytes_of(value);
  return HOIST_OK;
}

/* An absent or empty id is all zero. */
static enum hoist_status read_id(const json_t *object, const char *key, uint8_t *id, size_t size,
                                 struct hoist_error *err) {
  struct otlp_bytes text = {0};
  enum hoist_status status = read_text(object, key, &text, err);
  if (status != HOIST_OK || text.size == 0) return status;
  return hex_decode((const char *)text.data, text.size, id, size) ? HOIST_OK : bad(err, key);
}

static enum hoist_status read_time(const json_t *object, const char *key, uint64_t *ret_ns,
                                   struct hoist_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!value || json_is_null(value)) return HOIST_OK;
  if (json_is_integer(value) && json_integer_value(value) >= 0) {
    *ret_ns = (uint64_t)json_integer_value(value);
    return HOIST_OK;
  }
  return json_is_string(value) && parse_u64(json_string_value(value), ret_ns) ? HOIST_OK
                                                                              : bad(err, key);
}

static enum hoist_status read_status(const json_t *span, struct otlp_span *out,
                                     struct hoist_error *err) {
  const json_t *status = json_object_get(span, "status");
  if (!status || json_is_null(status)) return HOIST_OK;
  if (!json_is_object(status)) return bad(err, "status");
  const json_t *code = json_object_get(status, "code");
  if (json_is_integer(code))
    out->status_code = json_integer_value(code) == 2 ? 2 : 0;
  else if (json_is_string(code))
    out->status_code = strcmp(json_string_value(code), "STATUS_CODE_ERROR") == 0 ? 2 : 0;
  return read_text(status, "message", &out->status_message, err);
}

/* ---- attributes ------------------------------------------------------------------------------ */

static bool parse_i64(const char *text, int64_t *ret_value) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno) return false;
  *ret_value = value;
  return true;
}

static bool read_int(const json_t *value, int64_t *ret_value) {
  if (json_is_integer(value)) {
    *ret_value = json_integer_value(value);
    return true;
  }
  return json_is_string(value) && parse_i64(json_string_value(value), ret_value);
}

static bool read_value(const json_t *any, struct otlp_attr *out) {
  const json_t *value;
  if ((value = json_object_get(any, "stringValue"))) {
    out->type = OTLP_STRING;
    out->string = bytes_of(value);
    return json_is_string(value);
  }
  if ((value = json_object_get(any, "boolValue"))) {
    out->type = OTLP_BOOL;
    out->integer = json_is_true(value);
    return json_is_boolean(value);
  }
  if ((value = json_object_get(any, "intValue"))) {
    out->type = OTLP_INT;
    return read_int(value, &out->integer);
  }
  if ((value = json_object_get(any, "doubleValue"))) {
    out->type = json_is_number(value) ? OTLP_DOUBLE : OTLP_OTHER; /* "NaN", "Infinity" are texts */
    out->number = json_number_value(value);
    return json_is_number(value) || json_is_string(value);
  }
  out->type = json_object_size(any) > 0 ? OTLP_OTHER : OTLP_EMPTY;
  return true;
}

static enum hoist_status read_attrs(const json_t *span, struct otlp_attr *attrs, size_t *ret_count,
                                    struct hoist_error *err) {
  const json_t *list = json_object_get(span, "attributes"), *item;
  size_t i, count = 0;
  if (list && !json_is_array(list) && !json_is_null(list)) return bad(err, "attributes");
  json_array_foreach(list, i, item) {
    if (count == TRACE_MAX_ATTRS) break;
    struct otlp_attr *attr = &attrs[count++];
    *attr = (struct otlp_attr){0};
    enum hoist_status status = read_text(item, "key", &attr->key, err);
    if (status != HOIST_OK) return status;
    if (!read_value(json_object_get(item, "value"), attr))
      return bad(err, "the value of an attribute");
  }
  *ret_count = count;
  return HOIST_OK;
}

/* ---- spans, lines, files --------------------------------------------------------------------- */

static enum hoist_status read_span(struct trace_set *set, const json_t *json,
                                   struct hoist_error *err) {
  struct otlp_span span = {0};
  struct otlp_attr attrs[TRACE_MAX_ATTRS];
  size_t attr_count = 0;
  if (!json_is_object(json)) return bad(err, "a span is not an object");
  enum hoist_status status = read_id(json, "traceId", span.trace_id, sizeof span.trace_id, err);
  if (status == HOIST_OK) status = read_id(json, "spanId", span.span_id, sizeof span.span_id, err);
  if (status == HOIST_OK)
    status = read_id(json, "parentSpanId", span.parent_id, sizeof span.parent_id, err);
  if (status == HOIST_OK) status = read_text(json, "name", &span.name, err);
  if (status == HOIST_OK) status = read_time(json, "startTimeUnixNano", &span.start_unix_ns, err);
  if (status == HOIST_OK) status = read_time(json, "endTimeUnixNano", &span.end_unix_ns, err);
  if (status == HOIST_OK) status = read_status(json, &span, err);
  if (status == HOIST_OK) status = read_attrs(json, attrs, &attr_count, err);
  if (status != HOIST_OK) return status;
  return trace_add(set, &span, attrs, attr_count, err);
}

/* The list `key` of an object; an absent one is empty. */
static enum hoist_status get_list(const json_t *object, const char *key, const json_t **ret_list,
                                  struct hoist_error *err) {
  *ret_list = json_object_get(object, key);
  if (!json_is_object(object)) return bad(err, "an object was expected");
  return !*ret_list || json_is_array(*ret_list) ? HOIST_OK : bad(err, key);
}

static enum hoist_status read_scope(struct trace_set *set, const json_t *scope,
                                    struct hoist_error *err) {
  const json_t *spans, *span;
  size_t i;
  enum hoist_status status = get_list(scope, "spans", &spans, err);
  if (status != HOIST_OK) return status;
  json_array_foreach(spans, i, span) {
    status = read_span(set, span, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status read_resource(struct trace_set *set, const json_t *resource,
                                       struct hoist_error *err) {
  const json_t *scopes, *scope;
  size_t i;
  enum hoist_status status = get_list(resource, "scopeSpans", &scopes, err);
  if (status != HOIST_OK) return status;
  json_array_foreach(scopes, i, scope) {
    status = read_scope(set, scope, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status read_line_spans(struct trace_set *set, const char *line, size_t size,
                                         struct hoist_error *err) {
  json_error_t where;
  HOIST_AUTO(json) json_t *root = json_loadb(line, size, 0, &where);
  if (!root) return hoist_fail(err, HOIST_CORRUPT, "not JSON: %s", where.text);
  const json_t *resources, *resource;
  size_t i;
  enum hoist_status status = get_list(root, "resourceSpans", &resources, err);
  if (status != HOIST_OK) return status;
  json_array_foreach(resources, i, resource) {
    status = read_resource(set, resource, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

/* Reads up to and without the next newline. `ret_more` is false at the end of the file. */
static enum hoist_status next_line(FILE *in, struct buf *line, bool *ret_more,
                                   struct hoist_error *err) {
  char part[8192];
  buf_clear(line);
  *ret_more = false;
  while (fgets(part, sizeof part, in)) {
    *ret_more = true;
    size_t size = strlen(part); /* a NUL in the file ends the part early: not JSON anyway */
    bool whole = size > 0 && part[size - 1] == '\n';
    enum hoist_status status = buf_append(line, part, size - whole, err);
    if (status != HOIST_OK || whole) return status;
  }
  return ferror(in) ? hoist_fail_errno(err, errno, "cannot be read") : HOIST_OK;
}

static bool is_blank(const struct buf *line) {
  return strspn(buf_str(line), " \t\r") == line->size;
}

enum hoist_status trace_read_json(struct trace_set *set, FILE *in, const char *name,
                                  struct hoist_error *err) {
  HOIST_AUTO(buf) struct buf line = buf_make(TRACE_MAX_LINE_BYTES);
  for (size_t number = 1;; number++) {
    bool more;
    enum hoist_status status = next_line(in, &line, &more, err);
    if (status == HOIST_OK && !more) return HOIST_OK;
    if (status == HOIST_OK && !is_blank(&line))
      status = read_line_spans(set, line.data, line.size, err);
    if (status != HOIST_OK) {
      hoist_error_prepend(err, "%s:%zu", name, number);
      return status;
    }
  }
}
