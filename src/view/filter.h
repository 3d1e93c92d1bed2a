/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans are worth showing: those that meet every condition, and the spans they are below, so
 * that the tree stays a tree. */
#ifndef HOIST_VIEW_FILTER_H
#define HOIST_VIEW_FILTER_H

#include "trace.h"

#define FILTER_MAX_ATTRS 16

struct filter {
  const char *name;                    /* part of a name, in any case; NULL: any */
  const char *attrs[FILTER_MAX_ATTRS]; /* "key=value", or "key": any value of it */
  size_t attr_count;
  bool by_duration;
  uint64_t longer_than_ns;
};

/** Adds a condition on an attribute. `text` is borrowed.
 *  Errors: INVALID no key, or more than FILTER_MAX_ATTRS */
HOIST_MUST_CHECK enum hoist_status filter_add_attr(struct filter *filter, const char *text,
                                                   struct hoist_error *err);
/** Sets the condition on the duration: "1.5s", "100ms", "20us", "1m30s", "2h"; a number needs its unit.
 *  Errors: INVALID */
HOIST_MUST_CHECK enum hoist_status filter_set_slower(struct filter *filter, const char *text,
                                                     struct hoist_error *err);

/** Whether there is any condition. */
bool filter_is_set(const struct filter *filter);
bool filter_matches(const struct filter *filter, const struct trace_span *span);

/** Sets trace_span.shown throughout a linked set. Returns how many spans match. */
size_t filter_apply(const struct filter *filter, struct trace_set *set);

#endif
