/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text: families of samples, each with its help and type once. What an OpenTelemetry metric
 * becomes follows "Prometheus and OpenMetrics Compatibility". Values are copied under the aggregation's
 * lock, a few at a time, so that nobody who measures waits for text to be written. Memory only. */
#include "prometheus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "prometheus_family.h"
#include "prometheus_text.h"
#include "series.h"
#include "text_set.h"

/* Series whose values are copied in one go. */
enum { CHUNK = 16 };

/* ---- samples ------------------------------------------------------------------------------------- */

/* What the samples of one series have in common. */
struct sample {
  const char *name;
  const char *labels; /* their text */
  size_t labels_size;
};

static void put_sample(struct prometheus_text *t, const struct sample *s, const char *suffix,
                       const char *bound, double value) {
  char number[PROMETHEUS_NUMBER_SIZE];
  prometheus_put_str(t, s->name);
  prometheus_put_str(t, suffix);
  if (s->labels_size > 0 || bound) prometheus_put_str(t, "{");
  prometheus_put(t, s->labels, s->labels_size);
  if (bound) {
    prometheus_put_str(t, s->labels_size > 0 ? ",le=\"" : "le=\"");
    prometheus_put_str(t, bound);
    prometheus_put_str(t, "\"");
  }
  if (s->labels_size > 0 || bound) prometheus_put_str(t, "}");
  prometheus_put_str(t, " ");
  prometheus_number(value, number);
  prometheus_put_str(t, number);
  prometheus_put_str(t, "\n");
}

static void put_bucket(struct prometheus_text *t, const struct sample *s, double bound,
                       uint64_t below) {
  char text[PROMETHEUS_NUMBER_SIZE];
  prometheus_number(bound, text);
  put_sample(t, s, "_bucket", text, (double)below);
}

static void put_explicit(struct prometheus_text *t, const struct sample *s, const struct value *v,
                         const struct shape *shape) {
  uint64_t below = 0;
  for (size_t i = 0; i < shape->bound_count; i++) {
    below += v->buckets[i];
    put_bucket(t, s, shape->bounds[i], below);
  }
}

static double power_of_base(const struct exponential *h, int64_t index) {
  return ldexp(1, (int)(index * (INT64_C(1) << -h->scale)));
}

/* The text format has no exponential buckets. Powers of two close one at every scale up to 0, so the same
 * values, as far as they are needed, make exact bounds that are always the same. Of negative values, a power
 * of two belongs to the bucket above, so the bound of the one below is the number just beneath it. */
static void put_exponential(struct prometheus_text *t, const struct sample *s, struct value *v) {
  struct exponential *h = value_exponential(v);
  uint64_t below = 0;
  if (h->scale > 0) exponential_downscale(h, (unsigned)h->scale);
  for (uint64_t i = h->negative.used; i-- > 0;) {
    double power = power_of_base(h, h->negative.first + (int64_t)i);
    below += h->negative.counts[i];
    if (power > 0) put_bucket(t, s, nextafter(-power, -INFINITY), below);
  }
  below += h->zero_count;
  if (below > 0) put_bucket(t, s, 0, below);
  for (uint64_t i = 0; i < h->positive.used; i++) {
    double bound = power_of_base(h, h->positive.first + (int64_t)i + 1);
    below += h->positive.counts[i];
    if (isfinite(bound)) put_bucket(t, s, bound, below);
  }
}

static void put_samples(struct prometheus_text *t, const struct sample *s, struct value *v,
                        const struct shape *shape) {
  switch (shape->kind) {
  case SHAPE_SUM:
  case SHAPE_LAST:
    put_sample(t, s, "", NULL, v->sum);
    return;
  case SHAPE_BUCKETS:
    put_explicit(t, s, v, shape);
    break;
  case SHAPE_EXPONENTIAL:
    put_exponential(t, s, v);
    break;
  }
  put_sample(t, s, "_bucket", "+Inf", (double)v->count);
  put_sample(t, s, "_sum", NULL, v->sum);
  put_sample(t, s, "_count", NULL, (double)v->count);
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

/* ---- rendering ----------------------------------------------------------------------------------- */

struct chunk {
  const struct series *series[CHUNK];
  union any_value values[CHUNK];
  size_t count;
};

struct renderer {
  const struct prometheus_source *source;
  struct prometheus_text text;
  bool is_full; /* something did not fit: neither does what follows */
  size_t left_out;
  struct chunk chunk;
  struct prometheus_labels labels;
  struct text_set label_sets; /* of the family */
  bool has_head;              /* the family */
};

/* The next series of a metric behind `last` (NULL: from the first). False at the end. */
static bool copy_chunk(struct metrics *m, const struct metric *metric, const struct series *last,
                       struct chunk *ret_chunk) {
  ret_chunk->count = 0;
  pthread_mutex_lock(&m->lock);
  const struct series *s = last ? last->next_in_metric : metric->first;
  for (; s && ret_chunk->count < CHUNK; s = s->next_in_metric) {
    series_read(s, true, &ret_chunk->values[ret_chunk->count]);
    ret_chunk->series[ret_chunk->count++] = s;
  }
  pthread_mutex_unlock(&m->lock);
  return ret_chunk->count > 0;
}

/* Ends what was begun when the text had `size` bytes: what does not fit is left out whole. */
static void keep_whole(struct renderer *r, size_t size) {
  if (r->text.status != HOIST_CORRUPT) return;
  buf_cut(r->text.out, size);
  r->text.status = HOIST_OK;
  r->is_full = true;
  r->left_out++;
}

/* Attributes that differ may make labels that do not, and samples must. */
static bool put_label_set(struct renderer *r, struct sample *ret_sample) {
  struct buf *texts = &r->label_sets.texts;
  size_t size = texts->size;
  bool is_new = false;
  struct prometheus_text labels = {texts, r->text.status};
  prometheus_put_labels(&labels, &r->labels);
  r->text.status = labels.status;
  if (labels.status == HOIST_OK) r->text.status = text_set_add(&r->label_sets, size, &is_new);
  if (r->text.status != HOIST_OK) return false;
  if (!is_new) {
    r->left_out++;
    return false;
  }
  ret_sample->labels = buf_str(texts) + size;
  ret_sample->labels_size = texts->size - size;
  return true;
}

/* The labels are set. */
static void put_series(struct renderer *r, const struct family *leader, const struct shape *shape,
                       struct value *v) {
  struct sample sample = {.name = leader->name};
  size_t before = r->text.out->size;
  bool had_head = r->has_head;
  if (r->is_full) {
    r->left_out++;
    return;
  }
  if (put_label_set(r, &sample)) {
    if (!had_head) family_put_head(&r->text, leader);
    r->has_head = true;
    put_samples(&r->text, &sample, v, shape);
  }
  keep_whole(r, before);
}

static void put_metric(struct renderer *r, const struct family *leader,
                       const struct metric *metric) {
  uint8_t scope[2 * ATTR_TEXT_MAX + 128];
  size_t scope_size = metric->scope < r->source->scope_count
                          ? put_scope(scope, &r->source->scopes[metric->scope])
                          : 0;
  bool has_le = family_is_histogram(leader);
  const struct series *last = NULL;
  while (copy_chunk(r->source->metrics, metric, last, &r->chunk)) {
    for (size_t i = 0; i < r->chunk.count && r->text.status == HOIST_OK; i++) {
      const struct series *s = r->chunk.series[i];
      if (r->chunk.values[i].value.count == 0) continue;
      r->labels.count = 0;
      prometheus_labels_add(&r->labels, s->attrs, s->attr_size,
                            attributes_number(metric->shape.kind), has_le);
      prometheus_labels_add(&r->labels, scope, scope_size, EXPONENTIAL_ATTRIBUTES >> 3, has_le);
      put_series(r, leader, &metric->shape, &r->chunk.values[i].value);
    }
    last = r->chunk.series[r->chunk.count - 1];
  }
}

static void put_family(struct renderer *r, const struct family *families, size_t count,
                       const struct family *leader) {
  text_set_clear(&r->label_sets);
  r->has_head = false;
  for (const struct family *f = leader; f < families + count && r->text.status == HOIST_OK; f++)
    if (f->leader == leader) put_metric(r, leader, f->metric);
}

static void put_target(struct renderer *r) {
  size_t before = r->text.out->size;
  r->labels.count = 0;
  prometheus_labels_add(&r->labels, r->source->resource, r->source->resource_size, 1, false);
  if (r->labels.count == 0) return;
  prometheus_put_str(&r->text, "# HELP target_info Target metadata\n"
                               "# TYPE target_info gauge\ntarget_info{");
  prometheus_put_labels(&r->text, &r->labels);
  prometheus_put_str(&r->text, "} 1\n");
  keep_whole(r, before);
}

/* @return how many metrics there are now */
static size_t harvest(struct metrics *m) {
  pthread_mutex_lock(&m->lock);
  metrics_harvest(m);
  size_t count = m->metric_count;
  pthread_mutex_unlock(&m->lock);
  return count;
}

enum hoist_status prometheus_render(const struct prometheus_source *source, struct buf *out,
                                    size_t *ret_left_out, struct hoist_error *err) {
  HOIST_AUTO(mem) struct renderer *r = calloc(1, sizeof *r);
  HOIST_AUTO(mem) struct family *families = calloc(METRICS_INSTRUMENTS_MAX, sizeof *families);
  if (!r || !families) return hoist_fail_memory(err, "the metrics' text");
  r->source = source;
  r->text = (struct prometheus_text){out, HOIST_OK};
  r->label_sets.texts = buf_make(PROMETHEUS_MAX);
  size_t count = harvest(source->metrics);
  r->left_out = families_make(source->metrics, count, families);
  put_target(r);
  for (size_t i = 0; i < count; i++)
    if (families[i].leader == &families[i]) put_family(r, families, count, &families[i]);
  text_set_done(&r->label_sets);
  if (r->text.status != HOIST_OK) return hoist_fail_memory(err, "the metrics' text");
  *ret_left_out = r->left_out;
  return HOIST_OK;
}
