/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Runtime as the hoist object has it: opened once, kept open. */
#ifndef HOIST_LOADER_RUNTIME_H
#define HOIST_LOADER_RUNTIME_H

#include "operation.h"

/** The runtime, opened by whoever asks first. @param ret_ort  ort_close is due. Errors: as ort_open */
HOIST_MUST_CHECK enum hoist_status runtime_open(const struct call *call, struct hoist *hoist,
                                                struct ort **ret_ort, struct hoist_error *err);

/** Opens it on a thread of its own, in a span model.runtime.open, while the operation does other things; where
 *  it is open already, or no thread can be had, does nothing. */
void runtime_open_ahead(struct operation *op);
/** Waits for that. Whoever opens it next hears what went wrong. */
void runtime_await(struct operation *op);

#endif
