/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share about sessions. */
#ifndef HOIST_SESSION_SESSION_INTERNAL_H
#define HOIST_SESSION_SESSION_INTERNAL_H

#include "ort_internal.h"

/* Inputs or outputs of one model; the largest language models have a few hundred. */
#define SESSION_MAX_TENSORS 4096

/** session_open on a file that the caller vouches for. Relative paths are fine. */
HOIST_MUST_CHECK enum hoist_status session_open_path(const struct call *call, struct ort *ort,
                                                     const char *path,
                                                     const struct session_options *options,
                                                     struct session **ret_session,
                                                     struct hoist_error *err);

enum tensor_side { TENSOR_INPUT, TENSOR_OUTPUT };

/** Asks the runtime for the name, type and shape of every input or output.
 *  @param ret_tensors  release with tensor_list_free
 *  Errors: UNSUPPORTED over a cap, or the runtime fails to say · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status tensor_list_read(const struct ort *ort,
                                                    const struct OrtSession *session,
                                                    enum tensor_side side,
                                                    struct tensor_info **ret_tensors,
                                                    size_t *ret_count, struct hoist_error *err);
void tensor_list_free(struct tensor_info *tensors, size_t count);

#endif
