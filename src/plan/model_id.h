/* SPDX-License-Identifier: Apache-2.0 */
/* Model ids: what is a valid one, and where its files live below a cache root. */
#ifndef HOIST_PLAN_MODEL_ID_H
#define HOIST_PLAN_MODEL_ID_H

#include "err.h"

#define MODEL_ID_MAX 1024    /* bytes of an id, without NUL */
#define MODEL_PATH_SIZE 4096 /* bytes of a cache path, NUL included */

/** A checked model id: non-empty, at most MODEL_ID_MAX bytes of valid UTF-8, no control bytes, no
 *  backslash, no segment that is empty, "." or "..", none that begins with ".hoist". Made only by
 *  model_id_parse. */
struct model_id {
  char text[MODEL_ID_MAX + 1];
  /* The cache path relative to the root: the raw id, or its slug "~S-H" (contract of the reference
   * server's cache layout). */
  char path[MODEL_ID_MAX + 1];
};

/** Errors: INVALID, naming the id (shortened, printable) and the rule it breaks. */
HOIST_MUST_CHECK enum hoist_status model_id_parse(const char *text, struct model_id *ret_id,
                                                  struct hoist_error *err);

/** Whether the id is "dataset/version" with a decimal version. */
int model_id_is_versioned(const struct model_id *id);

#endif
