/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on spans. Owns nothing: the texts are the caller's. One thread at a time. */
#include "filter.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "otlp_value.h"
#include "text.h"

#define MAX_NS 9e18

enum hoist_status filter_add_attr(struct filter *filter, const char *text,
                                  struct hoist_error *err) {
  if (*text == '\0' || *text == '=')
    return hoist_fail(err, HOIST_INVALID, "--attr: '%.64s' has no key: write KEY=VALUE", text);
  if (filter->attr_count == FILTER_MAX_ATTRS)
    return hoist_fail(err, HOIST_INVALID, "--attr: more than %d conditions", FILTER_MAX_ATTRS);
  filter->attrs[filter->attr_count++] = text;
  return HOIST_OK;
}

/* Skips a unit and returns what it takes; 0: there is none. */
static double take_unit(const char **text) {
  static const struct {
    const char *unit;
    double ns;
  } units[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
               {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  size_t size = strcspn(*text, "0123456789");
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strlen(units[i].unit) == size && strncmp(*text, units[i].unit, size) == 0) {
      *text += size;
      return units[i].ns;
    }
  return 0;
}

/* "1m30s": numbers, each with its unit. */
static bool parse_duration(const char *text, double *ret_ns) {
  *ret_ns = 0;
  do {
    if (*text < '0' || *text > '9') return false; /* strtod would take signs, spaces, "inf" */
    char *end;
    double number = strtod(text, &end);
    text = end + (*end == ' ');
    double unit = take_unit(&text);
    if (unit <= 0) return false;
    *ret_ns += number * unit;
  } while (*text);
  return isfinite(*ret_ns) && *ret_ns <= MAX_NS;
}

enum hoist_status filter_set_slower(struct filter *filter, const char *text,
                                    struct hoist_error *err) {
  double ns;
  if (!parse_duration(text, &ns))
    return hoist_fail(err, HOIST_INVALID,
                      "--slower-than: '%.64s' is no duration: write 100ms, 1.5s, 20us or 1m30s",
                      text);
  filter->by_duration = true;
  filter->longer_than_ns = (uint64_t)ns;
  return HOIST_OK;
}

bool filter_is_set(const struct filter *filter) {
  return filter->name || filter->attr_count > 0 || filter->by_duration;
}

/* ---- matching -------------------------------------------------------------------------------- */

static const char *value_text(const struct hoist_attr *attr, char number[OTLP_NUMBER_SIZE]) {
  switch (attr->type) {
  case HOIST_ATTR_STRING:
    return attr->value.string;
  case HOIST_ATTR_BOOL:
    return attr->value.integer ? "true" : "false";
  case HOIST_ATTR_INT:
    snprintf(number, OTLP_NUMBER_SIZE, "%" PRId64, attr->value.integer);
    return number;
  case HOIST_ATTR_DOUBLE:
    otlp_number_text(attr->value.number, number);
    return number;
  case HOIST_ATTR_STRING_ARRAY: /* traces that were read have texts for these */
  case HOIST_ATTR_INT_ARRAY:
  case HOIST_ATTR_DOUBLE_ARRAY:
  case HOIST_ATTR_BOOL_ARRAY:
    break;
  }
  return "";
}

static bool is_among(const struct hoist_attr *attrs, size_t count, const char *condition) {
  size_t size = strcspn(condition, "=");
  const char *wanted = condition[size] ? condition + size + 1 : NULL;
  for (size_t i = 0; i < count; i++) {
    const struct hoist_attr *attr = &attrs[i];
    char number[OTLP_NUMBER_SIZE];
    if (strncmp(attr->key, condition, size) != 0 || attr->key[size] != '\0') continue;
    if (!wanted || strcmp(value_text(attr, number), wanted) == 0) return true;
  }
  return false;
}

static bool has_attr(const struct trace_span *span, const char *condition) {
  const struct trace_origin *origin = span->origin;
  return is_among(span->attrs, span->attr_count, condition) ||
         (origin && is_among(origin->attrs, origin->attr_count, condition));
}

bool filter_matches(const struct filter *filter, const struct trace_span *span) {
  if (filter->name && !strcasestr(span->name, filter->name)) return false;
  if (filter->by_duration && trace_duration(span) <= filter->longer_than_ns) return false;
  for (size_t i = 0; i < filter->attr_count; i++)
    if (!has_attr(span, filter->attrs[i])) return false;
  return true;
}

/* Stops at the first ancestor that is shown: all above that one are shown already. */
static void show_ancestors(struct trace_set *set, uint32_t at) {
  for (; at != TRACE_NONE && set->spans[at].shown == TRACE_HIDDEN; at = set->spans[at].parent)
    set->spans[at].shown = TRACE_CONTEXT;
}

size_t filter_apply(const struct filter *filter, struct trace_set *set) {
  size_t matches = 0;
  for (size_t i = 0; i < set->count; i++)
    set->spans[i].shown = TRACE_HIDDEN;
  for (size_t i = 0; i < set->count; i++) {
    struct trace_span *span = &set->spans[i];
    if (!filter_matches(filter, span)) continue;
    if (span->shown == TRACE_HIDDEN) show_ancestors(set, span->parent);
    span->shown = TRACE_SHOWN;
    matches++;
  }
  return matches;
}
