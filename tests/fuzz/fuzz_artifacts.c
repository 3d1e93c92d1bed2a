/* SPDX-License-Identifier: Apache-2.0 */
/* The files beside the weights. The input is all of them with lines "== name" in between; what comes
 * before the first is environment.json. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "artifacts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
  const char *data; /* NULL: not in the input */
  size_t size;
};

/* What follows `mark`, up to the next line of that kind. */
static struct part find_part(struct part all, const char *mark) {
  const char *start = memmem(all.data, all.size, mark, strlen(mark));
  if (!start) return (struct part){0};
  start += strlen(mark);
  size_t left = all.size - (size_t)(start - all.data);
  const char *end = memmem(start, left, "\n== ", 4);
  return (struct part){start, end ? (size_t)(end - start) : left};
}

static enum hoist_status read_part(void *user, const char *name, struct buf *ret_data,
                                   struct hoist_error *err) {
  const struct part *all = user;
  char mark[64];
  snprintf(mark, sizeof mark, "\n== %s\n", name);
  struct part part = find_part(*all, strcmp(name, "environment.json") == 0 ? "" : mark);
  if (!part.data) return hoist_fail(err, HOIST_NOT_FOUND, "%s: not there", name);
  return buf_append(ret_data, part.data, part.size, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct part all = {(const char *)data, size};
  const struct artifacts_reader reader = {.user = &all, .read = read_part};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  struct hoist_error err;
  if (artifacts_parse(&reader, &a, &err) != HOIST_OK) return 0;
  for (size_t i = 0; i < a.class_count && i < 16; i++)
    (void)artifacts_class_color(&a, a.classes[i]);
  return 0;
}
