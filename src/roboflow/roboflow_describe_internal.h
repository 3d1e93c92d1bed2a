/* SPDX-License-Identifier: Apache-2.0 */
/* One description being made, for the files that make it. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_DESCRIBE_INTERNAL_H
#define HOIST_ROBOFLOW_ROBOFLOW_DESCRIBE_INTERNAL_H

#include "roboflow_describe.h"

struct description {
  const struct roboflow_client *client;
  const struct model_id *id;
  enum roboflow_wanted wanted;
  const struct source_visitor *visitor; /* NULL: nobody wants to know */
  struct manifest manifest;             /* what came of it … */
  int is_makeshift;                     /* … and 1: another endpoint may know more */
};

void roboflow_visit(const struct description *d, const struct source_candidate *candidate);

/** Errors: NOT_FOUND · UNSUPPORTED there are packages, and none can be used · as roboflow_ask, roboflow_read_page */
HOIST_MUST_CHECK enum hoist_status roboflow_describe_by_packages(const struct call *call,
                                                                 struct description *d,
                                                                 struct hoist_error *err);

#endif
