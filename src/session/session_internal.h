/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share about sessions. */
#ifndef HOIST_SESSION_SESSION_INTERNAL_H
#define HOIST_SESSION_SESSION_INTERNAL_H

#include "ort_internal.h"
#include "phases.h"
#include "providers.h"

/* Inputs or outputs of one model; the largest language models have a few hundred. */
#define SESSION_MAX_TENSORS 4096

/** Where a session's model is, and where its graph goes. */
struct session_model {
  const char *path;     /* of an ONNX file; NULL: `map` */
  void *map;            /* a graph in ORT format; the session takes it over in any case */
  size_t map_size;      /* of both: the session unmaps it at its end */
  int is_optimized;     /* nothing is left to optimise */
  const char *save_dir; /* save the optimised graph there; NULL: nowhere */
  enum graph_form save_form;
};

struct session {
  struct ort *ort;
  struct OrtSession *handle;
  struct tensor_info *inputs, *outputs;
  size_t input_count, output_count;
  struct provider_outcome providers;
  enum graph_use graph_use;
  char graph_reason[HOIST_ERROR_MESSAGE_SIZE];
  void *map; /* what the session's weights lie in; NULL: none */
  size_t map_size;
  bool listens; /* its log goes to `phases` */
  struct phases phases;
  uint64_t creation_cpu_ns; /* of the thread that created it */
};
HOIST_DEFINE_AUTO(session, struct session, session_close)

/** What is being done, for messages. */
#define SESSION_CREATING "creating the session"

/** Creates a session on files that the caller vouches for. */
HOIST_MUST_CHECK enum hoist_status session_create(const struct call *call, struct ort *ort,
                                                  const struct session_model *model,
                                                  const struct session_options *options,
                                                  struct session **ret_session,
                                                  struct hoist_error *err);
/** session_create on an ONNX file as it came. Relative paths are fine. */
HOIST_MUST_CHECK enum hoist_status session_open_path(const struct call *call, struct ort *ort,
                                                     const char *path,
                                                     const struct session_options *options,
                                                     struct session **ret_session,
                                                     struct hoist_error *err);

/* ---- options.c --------------------------------------------------------------------------- */
/** Makes the runtime's options out of ours. Release with the runtime's function.
 *  @param cpu_only     1: leave the providers out
 *  @param ret_outcome  what became of the wishes for providers */
HOIST_MUST_CHECK enum hoist_status session_make_options(
    const struct ort *ort, const struct session_model *model, const struct session_options *wanted,
    int cpu_only, struct OrtSessionOptions **ret_options, struct provider_outcome *ret_outcome,
    struct hoist_error *err);

/* ---- graph.c ----------------------------------------------------------------------------- */
#define GRAPH_MAPPED_FILE "graph.ort"
#define GRAPH_PACKED_FILE "graph.onnx"
#define GRAPH_PACKED_WEIGHTS "graph.weights"

/** Whether a packed graph below `dir` may be opened. Kernels take packed weights where they lie and load them as
 *  if their own allocator had placed them; releases up to 1.30 place only the large ones well, and a kernel that
 *  finds one at an odd address crashes.
 *  Errors: UNSUPPORTED there are none, or not all are placed well · by errno */
HOIST_MUST_CHECK enum hoist_status session_check_packed(const char *dir, struct hoist_error *err);

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
