/* SPDX-License-Identifier: Apache-2.0 */
/* Writing Prometheus text: a buffer that remembers its first failure, labels, and their order. */
#ifndef HOIST_TELEMETRY_PROMETHEUS_TEXT_H
#define HOIST_TELEMETRY_PROMETHEUS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "prometheus_name.h"
#include "text.h"
#include "wire.h"

#define PROMETHEUS_LABELS_MAX 160
#define PROMETHEUS_NUMBER_SIZE TEXT_DOUBLE_SIZE

/* The first failure sticks; later output is dropped. */
struct prometheus_text {
  struct buf *out;
  enum hoist_status status;
};

void prometheus_put(struct prometheus_text *t, const void *data, size_t size);
void prometheus_put_str(struct prometheus_text *t, const char *text);
/** With backslashes before backslashes, line ends and, in labels, quotes. */
void prometheus_put_escaped(struct prometheus_text *t, const void *text, size_t size,
                            bool is_label);
void prometheus_number(double value, char out[PROMETHEUS_NUMBER_SIZE]);

struct prometheus_label {
  char name[PROMETHEUS_LABEL_SIZE];
  struct wire_field key;
  struct wire_field value; /* an AnyValue */
};

/* Borrows the encoded attributes. */
struct prometheus_labels {
  struct prometheus_label list[PROMETHEUS_LABELS_MAX]; /* in the order of their keys */
  size_t count;
};

/** Adds the KeyValues that are fields `number` of a message.
 *  @param has_le  `le` is the histogram's own label */
void prometheus_labels_add(struct prometheus_labels *labels, const void *data, size_t size,
                           uint32_t number, bool has_le);
/** name="value",… Values of keys that come to the same name stand in one label. */
void prometheus_put_labels(struct prometheus_text *t, const struct prometheus_labels *labels);

#endif
