/* SPDX-License-Identifier: Apache-2.0 */
/* A source that cannot be set up. What is in the cache is served all the same; who asks this source is told why. */
#include <stdlib.h>

#include "source.h"
#include "text.h"

struct unusable {
  struct source base;
  struct hoist_error error;
};

static enum hoist_status fail(const struct source *source, struct hoist_error *err) {
  const struct unusable *u = (const struct unusable *)source;
  if (err) *err = u->error;
  return u->error.status;
}

static enum hoist_status describe(const struct call *call, struct source *source,
                                  const struct model_id *id, struct manifest *ret_manifest,
                                  struct hoist_error *err) {
  (void)call, (void)id, (void)ret_manifest;
  return fail(source, err);
}

static enum hoist_status fetch(const struct call *call, struct source *source,
                               const struct model_id *id, struct source_request *request,
                               struct hoist_error *err) {
  (void)call, (void)id, (void)request;
  return fail(source, err);
}

static enum hoist_status list(const struct call *call, struct source *source,
                              const struct source_visit *visit, struct hoist_error *err) {
  (void)call, (void)visit;
  return fail(source, err);
}

static void free_source(struct source *source) {
  free(source->location);
  free(source);
}

static const struct source_ops ops = {
    .describe = describe, .fetch = fetch, .list = list, .free = free_source};

enum hoist_status source_unusable_new(const char *name, const char *location,
                                      const struct hoist_error *why, struct source **ret_source,
                                      struct hoist_error *err) {
  struct unusable *u = calloc(1, sizeof *u);
  char *copy = text_dup(location);
  if (!u || !copy) {
    free(u);
    free(copy);
    return hoist_fail_memory(err, "a source");
  }
  *u = (struct unusable){.base = {.ops = &ops, .name = name, .location = copy}, .error = *why};
  *ret_source = &u->base;
  return HOIST_OK;
}
