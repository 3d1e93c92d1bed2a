/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text: families of samples, each with its help and type once. What an OpenTelemetry metric
 * becomes follows "Prometheus and OpenMetrics Compatibility". Works under the aggregation's lock; memory
 * only. */
#include "prometheus.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "attr.h"
#include "prometheus_name.h"
#include "series.h"
#include "text.h"

enum {
  HELP_MAX = 1023,
  LABELS_MAX = 160,
  NUMBER_SIZE = TEXT_DOUBLE_SIZE,
  LABELS_TEXT_MAX = 512 << 10
};

/* The first failure sticks; later output is dropped. */
struct writer {
  struct buf *out;
  struct hoist_error *err;
  enum hoist_status status;
};

static void put(struct writer *w, const void *data, size_t size) {
  if (w->status == HOIST_OK) w->status = buf_append(w->out, data, size, w->err);
}

static void put_str(struct writer *w, const char *text) {
  put(w, text, strlen(text));
}

/* With backslashes before backslashes, line ends and, in labels, quotes. */
static void put_escaped(struct writer *w, const void *text, size_t size, bool is_label) {
  const char *at = text;
  for (size_t i = 0; i < size; i++) {
    char c = at[i];
    if (c == '\\' || c == '\n' || (c == '"' && is_label)) {
      put_str(w, "\\");
      if (c == '\n') c = 'n';
    }
    put(w, &c, 1);
  }
}

/* The shortest form that reads back as the same number; a decimal point in any locale. */
static void format_number(double value, char out[NUMBER_SIZE]) {
  if (!isfinite(value)) {
    snprintf(out, NUMBER_SIZE, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    return;
  }
  text_double(value, out);
}

/* ---- labels -------------------------------------------------------------------------------------- */

struct label {
  char name[PROMETHEUS_LABEL_SIZE];
  struct wire_field key;
  struct wire_field value; /* an AnyValue */
};

struct labels {
  struct label list[LABELS_MAX]; /* in the order of their keys */
  size_t count;
};

static bool comes_before(const struct wire_field *a, const struct wire_field *b) {
  size_t size = a->size < b->size ? a->size : b->size;
  int order = memcmp(a->data, b->data, size);
  return order < 0 || (order == 0 && a->size < b->size);
}

/* One KeyValue. `le` is the histogram's own label. */
static void add_label(struct labels *labels, const struct wire_field *pair, bool has_le) {
  struct wire_reader reader = wire_read(pair->data, pair->size);
  struct wire_field field, key = {0}, value = {0};
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == 1)
      key = field;
    else if (field.number == 2)
      value = field;
  if (labels->count == LABELS_MAX || key.size == 0) return;
  size_t at = labels->count++;
  for (; at > 0 && comes_before(&key, &labels->list[at - 1].key); at--)
    labels->list[at] = labels->list[at - 1];
  struct label *label = &labels->list[at];
  label->key = key;
  label->value = value;
  prometheus_label_name(key.data, key.size, label->name);
  if (has_le && strcmp(label->name, "le") == 0)
    snprintf(label->name, sizeof label->name, "exported_le");
}

static void add_labels(struct labels *labels, const void *data, size_t size, uint32_t number,
                       bool has_le) {
  struct wire_reader reader = wire_read(data, size);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == number && field.type == WIRE_BYTES) add_label(labels, &field, has_le);
}

/* A string of JSON inside a label: its quotes and backslashes are escaped once more. */
static void put_json_text(struct writer *w, const struct wire_field *text) {
  put_str(w, "\\\"");
  for (size_t i = 0; i < text->size; i++) {
    char escape[16], c = (char)text->data[i];
    if (c == '"' || c == '\\')
      snprintf(escape, sizeof escape, "\\\\\\%c", c);
    else if ((unsigned char)c < 0x20)
      snprintf(escape, sizeof escape, "\\\\u%04x", (unsigned)c);
    else
      snprintf(escape, sizeof escape, "%c", c);
    put_str(w, escape);
  }
  put_str(w, "\\\"");
}

static void put_value(struct writer *w, const struct wire_field *value, bool in_array);

/* ArrayValue: {1: AnyValue…}, as JSON. */
static void put_array(struct writer *w, const struct wire_field *array) {
  struct wire_reader reader = wire_read(array->data, array->size);
  struct wire_field item;
  const char *separator = "";
  put_str(w, "[");
  while (wire_next(&reader, &item) == WIRE_FIELD) {
    put_str(w, separator);
    put_value(w, &item, true);
    separator = ",";
  }
  put_str(w, "]");
}

/* An AnyValue as text inside quotes. */
static void put_value(struct writer *w, const struct wire_field *value, bool in_array) {
  struct wire_reader reader = wire_read(value->data, value->size);
  struct wire_field field;
  char text[NUMBER_SIZE];
  if (wire_next(&reader, &field) != WIRE_FIELD) return;
  switch (field.number) {
  case 1:
    if (in_array)
      put_json_text(w, &field);
    else
      put_escaped(w, field.data, field.size, true);
    return;
  case 2:
    put_str(w, field.value ? "true" : "false");
    return;
  case 3:
    snprintf(text, sizeof text, "%" PRId64, (int64_t)field.value);
    break;
  case 4:
    format_number(wire_as_double(field.value), text);
    break;
  case 5:
    if (!in_array) put_array(w, &field);
    return;
  default:
    return;
  }
  put_str(w, text);
}

/* name="value",… Values of keys that come to the same name stand in one label. */
static void put_labels(struct writer *w, const struct labels *labels) {
  const char *separator = "";
  for (size_t i = 0; i < labels->count; i++) {
    const char *name = labels->list[i].name;
    bool is_done = false;
    for (size_t j = 0; j < i; j++)
      is_done |= strcmp(labels->list[j].name, name) == 0;
    if (is_done) continue;
    put_str(w, separator);
    put_str(w, name);
    put_str(w, "=\"");
    put_value(w, &labels->list[i].value, false);
    for (size_t j = i + 1; j < labels->count; j++)
      if (strcmp(labels->list[j].name, name) == 0) {
        put_str(w, ";");
        put_value(w, &labels->list[j].value, false);
      }
    put_str(w, "\"");
    separator = ",";
  }
}

/* ---- families ------------------------------------------------------------------------------------ */

/* The metrics of one name: of one instrument, or of several scopes'. */
struct family {
  char name[PROMETHEUS_NAME_SIZE];
  const char *type;
  const struct metric *metric;
  const struct family *leader; /* itself, or the first of the name; NULL: left out */
  bool has_head;
};

static const char *type_of(const struct metric *metric) {
  switch (metric->shape.kind) {
  case SHAPE_BUCKETS:
  case SHAPE_EXPONENTIAL:
    return "histogram";
  case SHAPE_SUM:
  case SHAPE_LAST:
    break;
  }
  return metric->instrument->kind == HOIST_COUNTER ? "counter" : "gauge";
}

/* Whether a sample of histogram `h` would be called `name`. */
static bool has_sample(const struct family *h, const char *name) {
  static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
  size_t size = strlen(h->name);
  if (strcmp(h->type, "histogram") != 0 || strncmp(h->name, name, size) != 0) return false;
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
    if (strcmp(name + size, suffixes[i]) == 0) return true;
  return false;
}

/* Where `f` belongs among those before it. */
static const struct family *place(const struct family *first, const struct family *f) {
  const struct family *leader = f;
  if (strcmp(f->name, "target_info") == 0 || !*f->name) return NULL;
  for (const struct family *other = first; other < f; other++) {
    if (!other->leader) continue;
    if (has_sample(other, f->name) || has_sample(f, other->name)) return NULL;
    if (strcmp(other->name, f->name) != 0) continue;
    if (strcmp(other->type, f->type) != 0 || other->metric->scope == f->metric->scope) return NULL;
    leader = other->leader;
  }
  return leader;
}

/* @return how many are left out */
static size_t make_families(const struct metrics *m, struct family *families) {
  size_t left_out = 0;
  for (size_t i = 0; i < m->metric_count; i++) {
    struct family *f = &families[i];
    f->metric = &m->metrics[i];
    f->type = type_of(f->metric);
    prometheus_metric_name(f->metric->instrument, f->name);
    f->leader = place(families, f);
    left_out += f->leader == NULL;
  }
  return left_out;
}

static void put_head(struct writer *w, const struct family *f) {
  uint8_t help[HELP_MAX + 8];
  const char *description = f->metric->instrument->description;
  struct wire_field text;
  uint8_t *end = description && *description
                     ? text_put(help, help + sizeof help, 0x0a, description, HELP_MAX)
                     : NULL;
  struct wire_reader reader = wire_read(help, end ? (size_t)(end - help) : 0);
  if (wire_next(&reader, &text) == WIRE_FIELD) {
    put_str(w, "# HELP ");
    put_str(w, f->name);
    put_str(w, " ");
    put_escaped(w, text.data, text.size, false);
    put_str(w, "\n");
  }
  put_str(w, "# TYPE ");
  put_str(w, f->name);
  put_str(w, " ");
  put_str(w, f->type);
  put_str(w, "\n");
}

/* ---- samples ------------------------------------------------------------------------------------- */

/* What the samples of one series have in common. */
struct sample {
  const char *name;
  const struct buf *labels;
};

static void put_sample(struct writer *w, const struct sample *s, const char *suffix,
                       const char *bound, double value) {
  char number[NUMBER_SIZE];
  put_str(w, s->name);
  put_str(w, suffix);
  if (s->labels->size > 0 || bound) put_str(w, "{");
  put(w, s->labels->data, s->labels->size);
  if (bound) {
    put_str(w, s->labels->size > 0 ? ",le=\"" : "le=\"");
    put_str(w, bound);
    put_str(w, "\"");
  }
  if (s->labels->size > 0 || bound) put_str(w, "}");
  put_str(w, " ");
  format_number(value, number);
  put_str(w, number);
  put_str(w, "\n");
}

static void put_bucket(struct writer *w, const struct sample *s, double bound, uint64_t below) {
  char text[NUMBER_SIZE];
  format_number(bound, text);
  put_sample(w, s, "_bucket", text, (double)below);
}

static void put_explicit(struct writer *w, const struct sample *s, const struct value *v,
                         const struct shape *shape) {
  uint64_t below = 0;
  for (size_t i = 0; i < shape->bound_count; i++) {
    below += v->buckets[i];
    put_bucket(w, s, shape->bounds[i], below);
  }
}

static double power_of_base(const struct exponential *h, int64_t index) {
  return ldexp(1, (int)(index * (INT64_C(1) << -h->scale)));
}

/* The text format has no exponential buckets. Powers of two close one at every scale up to 0, so the same
 * values, as far as they are needed, make exact bounds that are always the same. */
static void put_exponential(struct writer *w, const struct sample *s, struct value *v) {
  struct exponential *h = value_exponential(v);
  uint64_t below = 0;
  if (h->scale > 0) exponential_downscale(h, (unsigned)h->scale);
  for (uint64_t i = h->negative.used; i-- > 0;) {
    double bound = -power_of_base(h, h->negative.first + (int64_t)i);
    below += h->negative.counts[i];
    if (bound < 0) put_bucket(w, s, bound, below);
  }
  below += h->zero_count;
  if (below > 0) put_bucket(w, s, 0, below);
  for (uint64_t i = 0; i < h->positive.used; i++) {
    double bound = power_of_base(h, h->positive.first + (int64_t)i + 1);
    below += h->positive.counts[i];
    if (isfinite(bound)) put_bucket(w, s, bound, below);
  }
}

static void put_series(struct writer *w, const struct sample *s, struct value *v,
                       const struct shape *shape) {
  switch (shape->kind) {
  case SHAPE_SUM:
  case SHAPE_LAST:
    put_sample(w, s, "", NULL, v->sum);
    return;
  case SHAPE_BUCKETS:
    put_explicit(w, s, v, shape);
    break;
  case SHAPE_EXPONENTIAL:
    put_exponential(w, s, v);
    break;
  }
  put_sample(w, s, "_bucket", "+Inf", (double)v->count);
  put_sample(w, s, "_sum", NULL, v->sum);
  put_sample(w, s, "_count", NULL, (double)v->count);
}

/* An attribute that the recorder did not set, as a KeyValue. */
static size_t put_attribute(uint8_t *p, const uint8_t *end, const char *key, const char *text) {
  const struct hoist_attr attr = {.key = key, .type = HOIST_ATTR_STRING, .value = {.string = text}};
  const uint8_t *after =
      *text ? attr_put(p, end, EXPONENTIAL_ATTRIBUTES, &attr, attr_key_size(key), ATTR_TEXT_MAX)
            : NULL;
  return after ? (size_t)(after - p) : 0;
}

/* The scope's name and version as attributes are: what they say may look like any text. */
static size_t put_scope(uint8_t out[2 * ATTR_TEXT_MAX + 128],
                        const struct prometheus_scope *scope) {
  const uint8_t *end = out + 2 * ATTR_TEXT_MAX + 128;
  size_t size = put_attribute(out, end, "otel_scope_name", scope->name);
  return size + put_attribute(out + size, end, "otel_scope_version", scope->version);
}

static uint32_t attributes_number(enum shape_kind kind) {
  switch (kind) {
  case SHAPE_BUCKETS:
    return HISTOGRAM_ATTRIBUTES >> 3;
  case SHAPE_EXPONENTIAL:
    return EXPONENTIAL_ATTRIBUTES >> 3;
  case SHAPE_SUM:
  case SHAPE_LAST:
    break;
  }
  return NUMBER_ATTRIBUTES >> 3;
}

struct renderer {
  struct writer writer;
  struct labels labels;
  struct buf text; /* of the labels */
};

static void put_metric(struct renderer *r, struct family *leader, const struct metric *metric,
                       const struct prometheus_source *source) {
  uint8_t scope[2 * ATTR_TEXT_MAX + 128];
  size_t scope_size =
      metric->scope < source->scope_count ? put_scope(scope, &source->scopes[metric->scope]) : 0;
  bool is_histogram = strcmp(leader->type, "histogram") == 0;
  for (const struct series *s = metric->first; s; s = s->next_in_metric) {
    union any_value v;
    series_read(s, true, &v);
    if (v.value.count == 0) continue;
    if (!leader->has_head) put_head(&r->writer, leader);
    leader->has_head = true;
    r->labels.count = 0;
    add_labels(&r->labels, s->attrs, s->attr_size, attributes_number(metric->shape.kind),
               is_histogram);
    add_labels(&r->labels, scope, scope_size, EXPONENTIAL_ATTRIBUTES >> 3, is_histogram);
    buf_clear(&r->text);
    struct writer labels = {&r->text, r->writer.err, r->writer.status};
    put_labels(&labels, &r->labels);
    r->writer.status = labels.status;
    put_series(&r->writer, &(struct sample){leader->name, &r->text}, &v.value, &metric->shape);
  }
}

static void put_target(struct renderer *r, const struct prometheus_source *source) {
  r->labels.count = 0;
  add_labels(&r->labels, source->resource, source->resource_size, 1, false);
  if (r->labels.count == 0) return;
  put_str(&r->writer, "# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{");
  put_labels(&r->writer, &r->labels);
  put_str(&r->writer, "} 1\n");
}

/* Under the lock. */
static enum hoist_status render(const struct prometheus_source *source, struct family *families,
                                struct renderer *r) {
  struct metrics *m = source->metrics;
  metrics_harvest(m);
  put_target(r, source);
  for (size_t i = 0; i < m->metric_count; i++)
    if (families[i].leader == &families[i])
      for (size_t j = i; j < m->metric_count && r->writer.status == HOIST_OK; j++)
        if (families[j].leader == &families[i]) put_metric(r, &families[i], &m->metrics[j], source);
  return r->writer.status;
}

enum hoist_status prometheus_render(const struct prometheus_source *source, struct buf *out,
                                    size_t *ret_left_out, struct hoist_error *err) {
  struct metrics *m = source->metrics;
  HOIST_AUTO(mem) struct renderer *r = calloc(1, sizeof *r);
  HOIST_AUTO(mem) struct family *families = calloc(METRICS_INSTRUMENTS_MAX, sizeof *families);
  if (!r || !families) return hoist_fail_memory(err, "the metrics' text");
  r->writer = (struct writer){out, err, HOIST_OK};
  r->text = buf_make(LABELS_TEXT_MAX);
  pthread_mutex_lock(&m->lock);
  size_t left_out = make_families(m, families);
  enum hoist_status status = render(source, families, r);
  pthread_mutex_unlock(&m->lock);
  buf_done(&r->text);
  if (status == HOIST_OK) *ret_left_out = left_out;
  return status;
}
