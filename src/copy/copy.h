/* SPDX-License-Identifier: Apache-2.0 */
/* Copies what a source has below a place into a directory: lists it, chooses among it, fetches what is not there
 * already in the same state. */
#ifndef HOIST_COPY_COPY_H
#define HOIST_COPY_COPY_H

#include <hoist/hoist.h>

#include "call.h"
#include "source.h"

#define COPY_MAX_FILES 1000000u

struct copy_request {
  struct source *source; /* one that can list */
  /** As in source_visit; but what does not end in '/' may also be a directory, or a prefix that ends where a
   *  '/' follows: the file comes first. */
  const char *below;
  const char *directory;
  const struct hoist_copy_rule *rules; /* the last that matches decides; none: copied */
  size_t rule_count;
  int unpack; /* 1: an archive that is all there is, is unpacked */
  unsigned connections;
  uint64_t
      patience_ns; /* with another copy into the directory that gets nowhere; 0: no end to it */
};

/** @param ret_result  set in any case, to what was done by then; not its `seconds`
 *  Errors: NOT_FOUND nothing is there, or nothing of it is chosen · CORRUPT a name that cannot be below a
 *          directory, or not beside another; bytes that are not what was promised · as source_ops.list and
 *          fetch_files */
HOIST_MUST_CHECK enum hoist_status copy_run(const struct call *call,
                                            const struct copy_request *request,
                                            struct hoist_copy_result *ret_result,
                                            struct hoist_error *err);

#endif
