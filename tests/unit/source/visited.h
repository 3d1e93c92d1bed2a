/* SPDX-License-Identifier: Apache-2.0 */
/* A visitor that writes down what a source tells, one line a file. */
#ifndef HOIST_TESTS_VISITED_H
#define HOIST_TESTS_VISITED_H

#include "buf.h"
#include "source.h"

static inline enum hoist_status visited_object(void *user, const struct source_object *o,
                                               struct hoist_error *err) {
  return buf_printf(user, err, "%s %lld\n", o->name, (long long)o->size);
}

/** What the source lists below `below`, in `ret_text`. */
static inline enum hoist_status visited(struct source *source, const struct call *call,
                                        const char *below, int everything, struct buf *ret_text,
                                        struct hoist_error *err) {
  const struct source_visit visit = {
      .below = below, .everything = everything, .user = ret_text, .object = visited_object};
  buf_clear(ret_text);
  return source->ops->list(call, source, &visit, err);
}

#endif
