/* SPDX-License-Identifier: Apache-2.0 */
/* Runs sessions on made-up inputs and keeps what comes out. */
#ifndef HOIST_TESTS_MODEL_RUN_H
#define HOIST_TESTS_MODEL_RUN_H

#include "buf.h"
#include "session_internal.h"

/** Sizes for the dynamic dimensions of a model's inputs, in the order in which they come. */
struct model_dims {
  int64_t sizes[8];
};

/** Runs `s` on pseudo-random inputs and appends the bytes of every output, with its shape, to `ret_output`;
 *  fails the test when that is impossible. The same seed makes the same inputs. */
void model_run(const struct session *s, const struct model_dims *dims, unsigned seed,
               struct buf *ret_output);

#endif
