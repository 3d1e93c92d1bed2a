/* SPDX-License-Identifier: Apache-2.0 */
/* The only code that knows ONNX Runtime: finds and opens the library at run time, creates sessions on
 * verified cache entries, and turns the runtime's own log into spans of the phases inside. */
#ifndef HOIST_SESSION_SESSION_H
#define HOIST_SESSION_SESSION_H

#include "cache.h"
#include "call.h"

struct ort;     /* the opened runtime and its environment: one per process and library, shared */
struct session; /* one OrtSession */

/** Opens the runtime: `path` (HOIST_ONNXRUNTIME, as given by the caller) if neither NULL nor "", else
 *  the first usable of libonnxruntime.so.1.30 down to .so.1.17, .so.1, .so, and the path compiled in.
 *  The first opening of a library has spans ort.dlopen and ort.create_env; later ones share it.
 *  Errors: UNSUPPORTED no usable library: lists what was tried and how to install one · NO_MEMORY
 *  Threads: any */
HOIST_MUST_CHECK enum hoist_status ort_open(const struct call *call, const char *path,
                                            struct ort **ret_ort, struct hoist_error *err);
void ort_close(struct ort *ort);                /* NULL is fine; the library itself stays loaded */
const char *ort_version(const struct ort *ort); /* "1.30.0" */
const char *ort_path(const struct ort *ort);    /* what was opened, resolved */

struct session_options {
  int intra_op_threads; /* 0: the runtime's default */
};

/** Element type and shape of one input or output. */
#define TENSOR_MAX_DIMS 16
struct tensor_info {
  char *name;
  const char *type; /* "float32", "int64", …; "other" for sequences and maps; static */
  size_t dim_count;
  int64_t dims[TENSOR_MAX_DIMS];  /* -1: dynamic */
  char *symbols[TENSOR_MAX_DIMS]; /* name of a dynamic dimension, or NULL */
};

/** Creates a session on the entry's weights file `weights_name`. Children of the call's span (the
 *  caller's model.session.create): ort.model_parse, ort.partition, ort.graph_optimize,
 *  ort.kernel_init, ort.weights, ort.prepack, as far as the runtime's log marks them. Blocks until the
 *  runtime is done: once begun, the creation can be neither cancelled nor timed out. The session shares
 *  `ort`; the entry may be released first.
 *  Errors: CORRUPT the runtime refuses the file (its message, one line) · UNSUPPORTED the model needs
 *          an operator or version this runtime lacks · NOT_FOUND the model has no such file · INVALID
 *          a negative number of threads · CANCELLED, TIMEOUT before it began · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status session_open(const struct call *call, struct ort *ort,
                                                const struct cache_entry *entry,
                                                const char *weights_name,
                                                const struct session_options *options,
                                                struct session **ret_session,
                                                struct hoist_error *err);
void session_close(struct session *s); /* NULL is fine */

const void *session_ort_api(const struct session *s); /* const OrtApi * */
void *session_ort_env(const struct session *s);       /* OrtEnv * */
void *session_ort_session(const struct session *s);   /* OrtSession * */
const struct tensor_info *session_inputs(const struct session *s, size_t *ret_count);
const struct tensor_info *session_outputs(const struct session *s, size_t *ret_count);
const char *session_provider(const struct session *s); /* "CPUExecutionProvider" */

#endif
