/* SPDX-License-Identifier: Apache-2.0 */
/* The files beside the weights. The input is all of them with lines "== name" in between; what comes
 * before the first is environment.json. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

static void demand(int holds) {
  if (!holds) abort();
}

/* An error is about one of the files, and is corrupt or this machine's. */
static void check_error(enum hoist_status status, const struct hoist_error *err) {
  static const char *const files[] = {"environment.json", "class_names.txt",
                                      "keypoints_metadata.json", "model_type.json"};
  int named = status == HOIST_NO_MEMORY;
  demand(status == HOIST_CORRUPT || status == HOIST_NO_MEMORY);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    named |= strncmp(err->message, files[i], strlen(files[i])) == 0;
  demand(named);
}

static int is_id(const struct numbered *names, int64_t id) {
  for (size_t i = 0; i < names->count; i++)
    if (names->numbers[i] == id) return 1;
  return 0;
}

static void check_keypoints(const struct artifacts *a) {
  for (size_t c = 0; c < a->keypoints_count; c++) {
    const struct artifacts_keypoints *k = &a->keypoints[c];
    demand(c == 0 || k[-1].class_id < k->class_id);
    for (size_t i = 1; i < k->names.count; i++)
      demand(k->names.numbers[i - 1] < k->names.numbers[i]);
    for (size_t i = 0; i < k->edge_count; i++)
      demand(is_id(&k->names, k->edges[i].from) && is_id(&k->names, k->edges[i].to));
  }
}

static void check_preprocessing(const struct artifacts *a) {
  const struct artifacts_preprocessing *p = &a->preprocessing;
  demand((p->resize == HOIST_RESIZE_NONE) == !p->resize_format);
  demand((p->contrast == HOIST_CONTRAST_NONE) == !p->contrast_type);
  demand(p->resize == HOIST_RESIZE_NONE || (a->input_width > 0 && a->input_height > 0));
  demand(a->input_width <= ARTIFACTS_MAX_PIXELS && a->input_height <= ARTIFACTS_MAX_PIXELS);
  demand(!p->has_static_crop || (p->static_crop.x_min < p->static_crop.x_max &&
                                 p->static_crop.y_min < p->static_crop.y_max));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct part all = {(const char *)data, size};
  const struct artifacts_reader reader = {.user = &all, .read = read_part};
  HOIST_AUTO(artifacts) struct artifacts a = {0};
  struct hoist_error err = {0};
  enum hoist_status status = artifacts_parse(&reader, &a, &err);
  if (status != HOIST_OK) {
    check_error(status, &err);
    return 0;
  }
  for (size_t i = 0; i < a.class_count && i < 16; i++)
    (void)artifacts_class_color(&a, a.classes[i]);
  check_keypoints(&a);
  check_preprocessing(&a);
  return 0;
}
