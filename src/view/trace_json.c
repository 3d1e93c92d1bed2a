/* SPDX-License-Identifier: Apache-2.0 */
/* Spans out of OTLP-JSON lines (the OpenTelemetry file format): one JSON object a line, ids in hex,
 * 64-bit numbers as text or as numbers, status codes as numbers or names. Unknown members are
 * skipped, as the protocol asks; members of the wrong type make the line damaged. Holds one line in
 * memory at a time. One thread at a time. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "otlp_value.h"
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

/* A number, or the text of one that JSON lacks. */
static bool read_double(const json_t *value, double *ret_number) {
  static const struct {
    const char *text;
    double number;
  } others[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
  if (json_is_number(value)) {
    *ret_number = json_number_value(value);
    return true;
  }
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (text_equal(json_string_value(value), others[i].text)) {
      *ret_number = others[i].number;
      return true;
    }
  return false;
}

/* The attributes of something. Those of OTLP-JSON are no AnyValue messages: values that are no scalars
 * are texts in `text` here already. */
struct attr_list {
  struct otlp_attr attrs[TRACE_MAX_ATTRS];
  size_t count;
  struct buf text;
};

static inline void attr_list_cleanup(struct attr_list *list) {
  buf_done(&list->text);
}

static enum hoist_status append_any(struct buf *out, const json_t *any, int depth,
                                    struct hoist_error *err);

static enum hoist_status append_values(struct buf *out, const json_t *list, bool is_map, int depth,
                                       struct hoist_error *err) {
  const json_t *item;
  size_t i;
  enum hoist_status status = buf_append_str(out, is_map ? "{" : "[", err);
  json_array_foreach(json_object_get(list, "values"), i, item) {
    if (status == HOIST_OK && i > 0) status = buf_append_str(out, ",", err);
    if (status == HOIST_OK && is_map)
      status = otlp_append_quoted(out, bytes_of(json_object_get(item, "key")), err);
    if (status == HOIST_OK && is_map) status = buf_append_str(out, ":", err);
    const json_t *value = is_map ? json_object_get(item, "value") : item;
    if (status == HOIST_OK) status = append_any(out, value, depth, err);
  }
  return status == HOIST_OK ? buf_append_str(out, is_map ? "}" : "]", err) : status;
}

static enum hoist_status append_any(struct buf *out, const json_t *any, int depth,
                                    struct hoist_error *err) {
  const json_t *value;
  int64_t integer;
  double number;
  if (depth == OTLP_VALUE_MAX_DEPTH) return buf_append_str(out, "null", err);
  if ((value = json_object_get(any, "arrayValue")))
    return append_values(out, value, false, depth + 1, err);
  if ((value = json_object_get(any, "kvlistValue")))
    return append_values(out, value, true, depth + 1, err);
  if ((value = json_object_get(any, "boolValue")) && json_is_boolean(value))
    return buf_append_str(out, json_is_true(value) ? "true" : "false", err);
  if ((value = json_object_get(any, "intValue")) && read_int(value, &integer))
    return buf_printf(out, err, "%" PRId64, integer);
  if ((value = json_object_get(any, "doubleValue")) && read_double(value, &number))
    return otlp_append_number(out, number, err);
  value = json_object_get(any, "stringValue");
  if (!value) value = json_object_get(any, "bytesValue");
  return json_is_string(value) ? otlp_append_quoted(out, bytes_of(value), err)
                               : buf_append_str(out, "null", err);
}

static bool read_scalar(const json_t *any, struct otlp_attr *out) {
  const json_t *value;
  if ((value = json_object_get(any, "stringValue")) ||
      (value = json_object_get(any, "bytesValue"))) {
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
    out->type = OTLP_DOUBLE;
    return read_double(value, &out->number);
  }
  out->type = json_object_size(any) > 0 ? OTLP_OTHER : OTLP_EMPTY;
  return true;
}

static enum hoist_status read_attr(const json_t *item, struct attr_list *list,
                                   struct hoist_error *err) {
  struct otlp_attr *attr = &list->attrs[list->count];
  *attr = (struct otlp_attr){0};
  const json_t *any = json_object_get(item, "value");
  enum hoist_status status = read_text(item, "key", &attr->key, err);
  if (status != HOIST_OK) return status;
  if (!read_scalar(any, attr)) return bad(err, "the value of an attribute");
  list->count++;
  if (attr->type != OTLP_OTHER) return HOIST_OK;
  size_t start = list->text.size;
  status = append_any(&list->text, any, 0, err);
  attr->string.size = list->text.size - start;
  return status;
}

/* The texts have moved while more were added: their places are known only now. */
static void place_texts(struct attr_list *list) {
  size_t at = 0;
  for (size_t i = 0; i < list->count; i++) {
    struct otlp_attr *attr = &list->attrs[i];
    if (attr->type != OTLP_OTHER) continue;
    attr->type = OTLP_STRING;
    attr->string.data = (const uint8_t *)list->text.data + at;
    at += attr->string.size;
  }
}

static enum hoist_status read_attrs(const json_t *object, struct attr_list *list,
                                    struct hoist_error *err) {
  const json_t *items = json_object_get(object, "attributes"), *item;
  size_t i;
  list->count = 0;
  list->text = buf_make(TRACE_MAX_FILE_BYTES);
  if (items && !json_is_array(items) && !json_is_null(items)) return bad(err, "attributes");
  json_array_foreach(items, i, item) {
    if (list->count == TRACE_MAX_ATTRS) break;
    enum hoist_status status = read_attr(item, list, err);
    if (status != HOIST_OK) return status;
  }
  place_texts(list);
  return HOIST_OK;
}

/* ---- spans, lines, files --------------------------------------------------------------------- */

/* An absent count is 0. */
static enum hoist_status read_count(const json_t *object, const char *key, uint32_t *ret_count,
                                    struct hoist_error *err) {
  uint64_t count = 0;
  enum hoist_status status = read_time(object, key, &count, err);
  *ret_count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
  return status;
}

static int kind_of(const json_t *span) {
  static const char *const names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL",
                                      "SPAN_KIND_SERVER",      "SPAN_KIND_CLIENT",
                                      "SPAN_KIND_PRODUCER",    "SPAN_KIND_CONSUMER"};
  const json_t *kind = json_object_get(span, "kind");
  for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
    if (json_integer_value(kind) == i ? json_is_integer(kind)
                                      : text_equal(json_string_value(kind), names[i]))
      return i;
  return 0;
}

static enum hoist_status add_event(struct trace_set *set, const json_t *json,
                                   struct hoist_error *err) {
  HOIST_AUTO(attr_list) struct attr_list list = {.count = 0};
  struct otlp_event event = {0};
  enum hoist_status status = read_attrs(json, &list, err);
  if (status == HOIST_OK) status = read_text(json, "name", &event.name, err);
  if (status == HOIST_OK) status = read_time(json, "timeUnixNano", &event.time_unix_ns, err);
  if (status == HOIST_OK)
    status = read_count(json, "droppedAttributesCount", &event.dropped_attributes, err);
  return status == HOIST_OK ? trace_add_event(set, &event, list.attrs, list.count, err) : status;
}

static enum hoist_status add_link(struct trace_set *set, const json_t *json,
                                  struct hoist_error *err) {
  HOIST_AUTO(attr_list) struct attr_list list = {.count = 0};
  struct otlp_link link = {0};
  enum hoist_status status = read_attrs(json, &list, err);
  if (status == HOIST_OK)
    status = read_id(json, "traceId", link.trace_id, sizeof link.trace_id, err);
  if (status == HOIST_OK) status = read_id(json, "spanId", link.span_id, sizeof link.span_id, err);
  if (status == HOIST_OK) status = read_text(json, "traceState", &link.tracestate, err);
  if (status == HOIST_OK)
    status = read_count(json, "droppedAttributesCount", &link.dropped_attributes, err);
  return status == HOIST_OK ? trace_add_link(set, &link, list.attrs, list.count, err) : status;
}

/* The list `key` of an object; an absent one is empty. */
static enum hoist_status get_list(const json_t *object, const char *key, const json_t **ret_list,
                                  struct hoist_error *err) {
  *ret_list = json_object_get(object, key);
  if (!json_is_object(object)) return bad(err, "an object was expected");
  return !*ret_list || json_is_null(*ret_list) || json_is_array(*ret_list) ? HOIST_OK
                                                                           : bad(err, key);
}

typedef enum hoist_status item_reader(struct trace_set *set, const json_t *item,
                                      struct hoist_error *err);

static enum hoist_status read_list(struct trace_set *set, const json_t *object, const char *key,
                                   item_reader *read, struct hoist_error *err) {
  const json_t *list, *item;
  size_t i;
  enum hoist_status status = get_list(object, key, &list, err);
  if (status != HOIST_OK) return status;
  json_array_foreach(list, i, item) {
    status = read(set, item, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status read_counts(const json_t *json, struct otlp_span *span,
                                     struct hoist_error *err) {
  enum hoist_status status =
      read_count(json, "droppedAttributesCount", &span->dropped_attributes, err);
  if (status == HOIST_OK)
    status = read_count(json, "droppedEventsCount", &span->dropped_events, err);
  if (status == HOIST_OK) status = read_count(json, "droppedLinksCount", &span->dropped_links, err);
  return status;
}

static enum hoist_status read_span(struct trace_set *set, const json_t *json,
                                   struct hoist_error *err) {
  struct otlp_span span = {.kind = kind_of(json)};
  HOIST_AUTO(attr_list) struct attr_list list = {.count = 0};
  if (!json_is_object(json)) return bad(err, "a span is not an object");
  enum hoist_status status = read_id(json, "traceId", span.trace_id, sizeof span.trace_id, err);
  if (status == HOIST_OK) status = read_id(json, "spanId", span.span_id, sizeof span.span_id, err);
  if (status == HOIST_OK)
    status = read_id(json, "parentSpanId", span.parent_id, sizeof span.parent_id, err);
  if (status == HOIST_OK) status = read_text(json, "name", &span.name, err);
  if (status == HOIST_OK) status = read_text(json, "traceState", &span.tracestate, err);
  if (status == HOIST_OK) status = read_time(json, "startTimeUnixNano", &span.start_unix_ns, err);
  if (status == HOIST_OK) status = read_time(json, "endTimeUnixNano", &span.end_unix_ns, err);
  if (status == HOIST_OK) status = read_status(json, &span, err);
  if (status == HOIST_OK) status = read_counts(json, &span, err);
  if (status == HOIST_OK) status = read_attrs(json, &list, err);
  if (status == HOIST_OK) status = trace_add(set, &span, list.attrs, list.count, err);
  if (status == HOIST_OK) status = read_list(set, json, "events", add_event, err);
  return status == HOIST_OK ? read_list(set, json, "links", add_link, err) : status;
}

/* What the current origin of the set was made of. Most lines of a file come from one origin, which is
 * kept once. */
struct origin {
  json_t *resource, *scope;
};

static inline void origin_cleanup(struct origin *origin) {
  json_decref(origin->resource);
  json_decref(origin->scope);
}

static bool same_json(const json_t *a, const json_t *b) {
  return a == b || json_equal(a, b);
}

static enum hoist_status set_origin(struct trace_set *set, struct origin *origin, json_t *resource,
                                    json_t *scope, struct hoist_error *err) {
  HOIST_AUTO(attr_list) struct attr_list list = {.count = 0};
  struct otlp_scope out = {0};
  if (set->origin && same_json(origin->resource, resource) && same_json(origin->scope, scope))
    return HOIST_OK;
  enum hoist_status status = read_attrs(resource, &list, err);
  if (status == HOIST_OK) status = read_text(scope, "name", &out.name, err);
  if (status == HOIST_OK) status = read_text(scope, "version", &out.version, err);
  if (status == HOIST_OK) status = trace_set_origin(set, &out, list.attrs, list.count, err);
  if (status != HOIST_OK) return status;
  origin_cleanup(origin);
  *origin = (struct origin){json_incref(resource), json_incref(scope)};
  return HOIST_OK;
}

static enum hoist_status read_resource(struct trace_set *set, struct origin *origin,
                                       const json_t *resource, struct hoist_error *err) {
  const json_t *scopes, *scope;
  size_t i;
  enum hoist_status status = get_list(resource, "scopeSpans", &scopes, err);
  if (status != HOIST_OK) return status;
  json_array_foreach(scopes, i, scope) {
    status = set_origin(set, origin, json_object_get(resource, "resource"),
                        json_object_get(scope, "scope"), err);
    if (status == HOIST_OK) status = read_list(set, scope, "spans", read_span, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}

static enum hoist_status read_line_spans(struct trace_set *set, struct origin *origin,
                                         const char *line, size_t size, struct hoist_error *err) {
  json_error_t where;
  HOIST_AUTO(json) json_t *root = json_loadb(line, size, 0, &where);
  if (!root && strstr(where.text, "near end of file"))
    return hoist_fail(err, HOIST_CORRUPT,
                      "not JSON: the object is not whole on this line (of JSON over several lines, "
                      "'jq -c .' makes one)");
  if (!root) return hoist_fail(err, HOIST_CORRUPT, "not JSON: %s", where.text);
  const json_t *resources, *resource;
  size_t i;
  enum hoist_status status = get_list(root, "resourceSpans", &resources, err);
  if (status != HOIST_OK) return status;
  json_array_foreach(resources, i, resource) {
    status = read_resource(set, origin, resource, err);
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
  HOIST_AUTO(origin) struct origin origin = {0};
  set->origin = NULL;
  for (size_t number = 1;; number++) {
    bool more;
    enum hoist_status status = next_line(in, &line, &more, err);
    if (status == HOIST_OK && !more) return HOIST_OK;
    if (status == HOIST_OK && !is_blank(&line))
      status = read_line_spans(set, &origin, line.data, line.size, err);
    if (status != HOIST_OK) {
      hoist_error_prepend(err, "%s:%zu", name, number);
      return status;
    }
  }
}
