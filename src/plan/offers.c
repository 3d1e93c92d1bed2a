/* SPDX-License-Identifier: Apache-2.0 */
/* A stack of open directories: when one is left it is a model, and told, or its files belong to the one above. */
#include "offers.h"

#include <string.h>

#include "clock.h"
#include "plan.h"
#include "text.h"

/* A name that the plan would refuse marks nothing. */
bool offers_marks_model(const char *leaf) {
  return (text_ends_with(leaf, ".onnx") || text_ends_with(leaf, ".ort") ||
          text_equal(leaf, "environment.json")) &&
         plan_check_name(leaf, NULL) == HOIST_OK;
}

static void add(struct offers_model *sums, const struct offers_model *more) {
  if (__builtin_add_overflow(sums->size_bytes, more->size_bytes, &sums->size_bytes))
    sums->size_bytes = UINT64_MAX;
  sums->file_count += more->file_count;
  if (more->modified_unix_s > sums->modified_unix_s) sums->modified_unix_s = more->modified_unix_s;
}

/* What lies where the listing begins has no id to be loaded by. */
static enum hoist_status leave(struct offers *o, struct hoist_error *err) {
  struct offers_level *level = &o->levels[o->depth];
  if (!level->is_model) {
    add(&o->levels[--o->depth].sums, &level->sums);
    return HOIST_OK;
  }
  char id[OFFERS_MAX_NAME + 1];
  memcpy(id, o->name, level->name_size - 1);
  id[level->name_size - 1] = '\0';
  level->sums.id = id;
  o->depth--;
  return o->model(o->user, &level->sums, err);
}

static bool is_in(const struct offers *o, const char *name) {
  size_t size = o->levels[o->depth].name_size;
  return strncmp(o->name, name, size) == 0;
}

/* A directory deeper than there are levels counts as part of the one above. */
static void enter(struct offers *o, const char *name) {
  for (;;) {
    size_t size = o->levels[o->depth].name_size;
    const char *slash = strchr(name + size, '/');
    if (!slash || o->depth + 1 == OFFERS_MAX_LEVELS) return;
    size_t next = (size_t)(slash - name) + 1;
    memcpy(o->name + size, name + size, next - size);
    o->levels[++o->depth] = (struct offers_level){.name_size = next};
  }
}

enum hoist_status offers_add(struct offers *o, const char *name, int64_t size,
                             uint64_t modified_unix_ns, struct hoist_error *err) {
  if (strnlen(name, OFFERS_MAX_NAME + 1) > OFFERS_MAX_NAME)
    return hoist_fail(err, HOIST_CORRUPT, "the listing has a name of over %d bytes",
                      OFFERS_MAX_NAME);
  while (!is_in(o, name)) {
    enum hoist_status status = leave(o, err);
    if (status != HOIST_OK) return status;
  }
  enter(o, name);
  struct offers_level *level = &o->levels[o->depth];
  const struct offers_model file = {.size_bytes = size > 0 ? (uint64_t)size : 0,
                                    .file_count = 1,
                                    .modified_unix_s = modified_unix_ns / NS_PER_S};
  add(&level->sums, &file);
  level->is_model |= offers_marks_model(name + level->name_size);
  return HOIST_OK;
}

enum hoist_status offers_end(struct offers *o, struct hoist_error *err) {
  while (o->depth > 0) {
    enum hoist_status status = leave(o, err);
    if (status != HOIST_OK) return status;
  }
  return HOIST_OK;
}
