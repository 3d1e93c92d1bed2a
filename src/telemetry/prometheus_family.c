/* SPDX-License-Identifier: Apache-2.0 */
/* Which metrics make a family, and which clash with those before them. What an OpenTelemetry metric becomes
 * follows "Prometheus and OpenMetrics Compatibility". Pure; any thread. */
#include "prometheus_family.h"

#include <string.h>

#include "attr.h"

enum { HELP_MAX = 1023 };

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
  if (!family_is_histogram(h) || strncmp(h->name, name, size) != 0) return false;
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

size_t families_make(const struct metrics *m, size_t count, struct family *families) {
  size_t left_out = 0;
  for (size_t i = 0; i < count; i++) {
    struct family *f = &families[i];
    f->metric = &m->metrics[i];
    f->type = type_of(f->metric);
    prometheus_metric_name(f->metric->instrument, f->name);
    f->leader = place(families, f);
    left_out += f->leader == NULL;
  }
  return left_out;
}

bool family_is_histogram(const struct family *f) {
  return strcmp(f->type, "histogram") == 0;
}

void family_put_head(struct prometheus_text *t, const struct family *f) {
  uint8_t help[HELP_MAX + 8];
  const char *description = f->metric->instrument->description;
  struct wire_field text;
  uint8_t *end = description && *description
                     ? text_put(help, help + sizeof help, 0x0a, description, HELP_MAX)
                     : NULL;
  struct wire_reader reader = wire_read(help, end ? (size_t)(end - help) : 0);
  if (wire_next(&reader, &text) == WIRE_FIELD) {
    prometheus_put_str(t, "# HELP ");
    prometheus_put_str(t, f->name);
    prometheus_put_str(t, " ");
    prometheus_put_escaped(t, text.data, text.size, false);
    prometheus_put_str(t, "\n");
  }
  prometheus_put_str(t, "# TYPE ");
  prometheus_put_str(t, f->name);
  prometheus_put_str(t, " ");
  prometheus_put_str(t, f->type);
  prometheus_put_str(t, "\n");
}
