/* SPDX-License-Identifier: Apache-2.0 */
/* Escaping, numbers and labels of Prometheus text. Pure; one thread per text. */
#include "prometheus_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void prometheus_put(struct prometheus_text *t, const void *data, size_t size) {
  if (t->status == HOIST_OK) t->status = buf_append(t->out, data, size, NULL);
}

void prometheus_put_str(struct prometheus_text *t, const char *text) {
  prometheus_put(t, text, strlen(text));
}

void prometheus_put_escaped(struct prometheus_text *t, const void *text, size_t size,
                            bool is_label) {
  const char *at = text;
  for (size_t i = 0; i < size; i++) {
    char c = at[i];
    if (c == '\\' || c == '\n' || (c == '"' && is_label)) {
      prometheus_put_str(t, "\\");
      if (c == '\n') c = 'n';
    }
    prometheus_put(t, &c, 1);
  }
}

/* The shortest form that reads back as the same number; a decimal point in any locale. */
void prometheus_number(double value, char out[PROMETHEUS_NUMBER_SIZE]) {
  if (!isfinite(value)) {
    snprintf(out, PROMETHEUS_NUMBER_SIZE, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    return;
  }
  text_double(value, out);
}

/* ---- labels -------------------------------------------------------------------------------------- */

static bool comes_before(const struct wire_field *a, const struct wire_field *b) {
  size_t size = a->size < b->size ? a->size : b->size;
  int order = memcmp(a->data, b->data, size);
  return order < 0 || (order == 0 && a->size < b->size);
}

/* One KeyValue. `le` is the histogram's own label. */
static void add_label(struct prometheus_labels *labels, const struct wire_field *pair,
                      bool has_le) {
  struct wire_reader reader = wire_read(pair->data, pair->size);
  struct wire_field field, key = {0}, value = {0};
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == 1)
      key = field;
    else if (field.number == 2)
      value = field;
  if (labels->count == PROMETHEUS_LABELS_MAX || key.size == 0) return;
  size_t at = labels->count++;
  for (; at > 0 && comes_before(&key, &labels->list[at - 1].key); at--)
    labels->list[at] = labels->list[at - 1];
  struct prometheus_label *label = &labels->list[at];
  label->key = key;
  label->value = value;
  prometheus_label_name(key.data, key.size, label->name);
  if (has_le && strcmp(label->name, "le") == 0)
    snprintf(label->name, sizeof label->name, "exported_le");
}

void prometheus_labels_add(struct prometheus_labels *labels, const void *data, size_t size,
                           uint32_t number, bool has_le) {
  struct wire_reader reader = wire_read(data, size);
  struct wire_field field;
  while (wire_next(&reader, &field) == WIRE_FIELD)
    if (field.number == number && field.type == WIRE_BYTES) add_label(labels, &field, has_le);
}

/* A string of JSON inside a label: its quotes and backslashes are escaped once more. */
static void put_json_text(struct prometheus_text *t, const struct wire_field *text) {
  prometheus_put_str(t, "\\\"");
  for (size_t i = 0; i < text->size; i++) {
    char escape[16], c = (char)text->data[i];
    if (c == '"' || c == '\\')
      snprintf(escape, sizeof escape, "\\\\\\%c", c);
    else if ((unsigned char)c < 0x20)
      snprintf(escape, sizeof escape, "\\\\u%04x", (unsigned)c);
    else
      snprintf(escape, sizeof escape, "%c", c);
    prometheus_put_str(t, escape);
  }
  prometheus_put_str(t, "\\\"");
}

static void put_value(struct prometheus_text *t, const struct wire_field *value, bool in_array);

/* ArrayValue: {1: AnyValue…}, as JSON. */
static void put_array(struct prometheus_text *t, const struct wire_field *array) {
  struct wire_reader reader = wire_read(array->data, array->size);
  struct wire_field item;
  const char *separator = "";
  prometheus_put_str(t, "[");
  while (wire_next(&reader, &item) == WIRE_FIELD) {
    prometheus_put_str(t, separator);
    put_value(t, &item, true);
    separator = ",";
  }
  prometheus_put_str(t, "]");
}

/* An AnyValue as text inside quotes. */
static void put_value(struct prometheus_text *t, const struct wire_field *value, bool in_array) {
  struct wire_reader reader = wire_read(value->data, value->size);
  struct wire_field field;
  char text[PROMETHEUS_NUMBER_SIZE];
  if (wire_next(&reader, &field) != WIRE_FIELD) return;
  switch (field.number) {
  case 1:
    if (in_array)
      put_json_text(t, &field);
    else
      prometheus_put_escaped(t, field.data, field.size, true);
    return;
  case 2:
    prometheus_put_str(t, field.value ? "true" : "false");
    return;
  case 3:
    snprintf(text, sizeof text, "%" PRId64, (int64_t)field.value);
    break;
  case 4:
    prometheus_number(wire_as_double(field.value), text);
    break;
  case 5:
    if (!in_array) put_array(t, &field);
    return;
  default:
    return;
  }
  prometheus_put_str(t, text);
}

void prometheus_put_labels(struct prometheus_text *t, const struct prometheus_labels *labels) {
  const char *separator = "";
  for (size_t i = 0; i < labels->count; i++) {
    const char *name = labels->list[i].name;
    bool is_done = false;
    for (size_t j = 0; j < i; j++)
      is_done |= strcmp(labels->list[j].name, name) == 0;
    if (is_done) continue;
    prometheus_put_str(t, separator);
    prometheus_put_str(t, name);
    prometheus_put_str(t, "=\"");
    put_value(t, &labels->list[i].value, false);
    for (size_t j = i + 1; j < labels->count; j++)
      if (strcmp(labels->list[j].name, name) == 0) {
        prometheus_put_str(t, ";");
        put_value(t, &labels->list[j].value, false);
      }
    prometheus_put_str(t, "\"");
    separator = ",";
  }
}
