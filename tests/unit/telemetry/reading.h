/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded metrics, looked up by field numbers. Inline, for the tests of metrics. */
#ifndef HOIST_TESTS_READING_H
#define HOIST_TESTS_READING_H

#include <string.h>

#include "recording.h"
#include "wire.h"

/* Field `number` of a message: the nth occurrence, of any type. */
static inline bool find_field(struct wire_field in, uint32_t number, size_t nth,
                              struct wire_field *out) {
  struct wire_reader reader = wire_read(in.data, in.size);
  while (wire_next(&reader, out) == WIRE_FIELD)
    if (out->number == number && nth-- == 0) return true;
  return false;
}

static inline struct wire_field field(struct wire_field in, uint32_t number) {
  struct wire_field out;
  assert_true(find_field(in, number, 0, &out));
  return out;
}

static inline size_t count_fields(struct wire_field in, uint32_t number) {
  struct wire_field unused;
  size_t count = 0;
  while (find_field(in, number, count, &unused))
    count++;
  return count;
}

static inline bool is_text(struct wire_field f, const char *text) {
  return f.size == strlen(text) && memcmp(f.data, text, f.size) == 0;
}

static inline double number_in(struct wire_field point, uint32_t field_number) {
  return wire_as_double(field(point, field_number).value);
}

/* The Metric of that name in encoded metrics. */
static inline struct wire_field metric_in(const struct buf *encoded, const char *name) {
  struct wire_field all = {.data = (const uint8_t *)encoded->data, .size = encoded->size}, metric;
  for (size_t i = 0; find_field(all, 2, i, &metric); i++)
    if (is_text(field(metric, 1), name)) return metric;
  fail_msg("no metric %s", name);
  return metric;
}
#endif
