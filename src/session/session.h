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
/** One more owner of `ort`: another ort_close is due. */
struct ort *ort_ref(struct ort *ort);
void ort_close(struct ort *ort);                /* NULL is fine; the library itself stays loaded */
const char *ort_version(const struct ort *ort); /* "1.30.0" */
const char *ort_path(const struct ort *ort);    /* what was opened, resolved */
/** The providers that this runtime was built with, without their "ExecutionProvider": "CPU, CUDA". Cut to
 *  fit; "" where it does not say. */
void ort_list_providers(const struct ort *ort, char *out, size_t size);

/** What the caller wants of a session. Texts are borrowed; zeroed means the runtime's defaults. */
struct session_options {
  int intra_op_threads;  /* of one operator; 0: the runtime decides */
  int inter_op_threads;  /* operators at once, where a session runs them in parallel; 0: the same */
  int no_spinning;       /* 1: threads that wait for work sleep, instead of spinning for a while */
  int no_arena;          /* 1: the CPU's memory comes from malloc */
  const char *providers; /* "CUDA(device_id=0),OpenVINO!": see providers.h; NULL: the CPU */
  const char *config;    /* the runtime's own config entries: "key=value,key=value" */
  const char *custom_ops; /* paths of libraries with operators, comma-separated */
};

/** Whether the texts can be understood.
 *  Errors: INVALID names the option and the part · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status session_options_check(const struct session_options *options,
                                                         struct hoist_error *err);

/** Element type and shape of one input or output. */
#define TENSOR_MAX_DIMS 16
struct tensor_info {
  char *name;
  const char *type;   /* "float32", "int64", …; "other" for sequences and maps; static */
  unsigned type_code; /* ONNXTensorElementDataType; 0 for those */
  size_t dim_count;
  int64_t dims[TENSOR_MAX_DIMS];  /* -1: dynamic */
  char *symbols[TENSOR_MAX_DIMS]; /* name of a dynamic dimension, or NULL */
};

/** Where a model's optimised graph came from. */
enum graph_use {
  GRAPH_OFF,     /* nobody looked for a saved one */
  GRAPH_MISS,    /* there is none */
  GRAPH_HIT,     /* the session runs on one */
  GRAPH_REFUSED, /* there was one that did not fit, was damaged or did not open */
};

/** A session is made in two steps, so that reading a model's bytes and checking them may overlap: a draft
 *  is a session on bytes that may turn out wrong, and nothing can be done with it. Only an entry made from
 *  the same claim, that is, the proof that the bytes are right, turns it into a session. */
struct session_draft;

/** Creates the draft of a session on the weights `weights_name` of a claimed model. Children of the call's
 *  span (the caller's model.session.create): ort.model_parse, ort.partition, ort.graph_optimize,
 *  ort.kernel_init, ort.weights, ort.prepack, as far as the runtime's log marks them. Blocks until the
 *  runtime is done, or the call is called off or out of time: then a creation that has begun is told to stop (from 1.22
 *  on) and left to itself, see session_await_left. Shares `ort`.
 *  @param graph  a saved graph of this very model, runtime, machine and options: opened instead of the
 *                weights. Where that fails the weights are, and session_graph_use tells. NULL: none
 *  Errors: CORRUPT the runtime refuses the file (its message, one line) · UNSUPPORTED the model needs
 *          an operator or version this runtime lacks, or a required provider cannot be had · NOT_FOUND
 *          the model has no such file · INVALID an option makes no sense · CANCELLED, TIMEOUT ·
 *          NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status session_draft_open(const struct call *call, struct ort *ort,
                                                      const struct cache_claim *claim,
                                                      const char *weights_name,
                                                      const struct cache_graph *graph,
                                                      const struct session_options *options,
                                                      struct session_draft **ret_draft,
                                                      struct hoist_error *err);
/** What the draft tells of itself; not to be run. Borrowed. */
const struct session *session_draft_session(const struct session_draft *draft);
void session_draft_discard(struct session_draft *draft); /* NULL is fine */
/** Consumes the draft. Errors: CORRUPT the entry's files were changed meanwhile · INTERNAL the entry is of
 *  another claim */
HOIST_MUST_CHECK enum hoist_status session_confirm(struct session_draft *draft,
                                                   const struct cache_entry *entry,
                                                   struct session **ret_session,
                                                   struct hoist_error *err);
HOIST_DEFINE_AUTO(session_draft, struct session_draft, session_draft_discard)

/** Both steps at once, on a model that was verified already. */
HOIST_MUST_CHECK enum hoist_status session_open(
    const struct call *call, struct ort *ort, const struct cache_entry *entry,
    const char *weights_name, const struct cache_graph *graph,
    const struct session_options *options, struct session **ret_session, struct hoist_error *err);
void session_close(struct session *s); /* NULL is fine */

/** Waits until the runtime has come to an end with every creation of this process that was left to itself. */
void session_await_left(void);
/** How many of them the runtime is still at. */
unsigned session_count_left(void);

const void *session_ort_api(const struct session *s); /* const OrtApi * */
void *session_ort_env(const struct session *s);       /* OrtEnv * */
void *session_ort_session(const struct session *s);   /* OrtSession * */
const struct tensor_info *session_inputs(const struct session *s, size_t *ret_count);
const struct tensor_info *session_outputs(const struct session *s, size_t *ret_count);
const char *session_provider(const struct session *s); /* "CPUExecutionProvider": the first taken */
/** The providers that were wished for and not taken, with the reasons: "CUDA: …; …". "": none. */
const char *session_refused_providers(const struct session *s);
#define SESSION_REFUSED_SIZE 512
/** Whether the session runs on the saved graph it was given; GRAPH_REFUSED: it did not open.
 *  @param ret_reason  why, where it was refused; borrowed */
enum graph_use session_graph_use(const struct session *s, const char **ret_reason);

/** Runs the model once, on zeros, dynamic dimensions being 1, so that the first real run finds memory and
 *  kernels warm. In a span ort.first_run.
 *  Errors: UNSUPPORTED inputs that are no plain tensors, or over 64 MiB; or the model does not run on such
 *          input · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status session_warm_up(const struct call *call, struct session *s,
                                                   struct hoist_error *err);

/* ---- saved graphs ------------------------------------------------------------------------ */

/** Why the optimised graph of such sessions is not worth saving, or cannot be: custom operators, a provider
 *  other than the CPU. NULL: it may be saved. */
const char *session_graph_objection(const struct session *s, const struct session_options *options);

/** The name of everything that a saved graph depends on: the model's bytes (`model_digest`, text of the
 *  caller), the runtime's version and build, the CPU's features, and the options that shape the graph. */
HOIST_MUST_CHECK enum hoist_status session_graph_key(const struct ort *ort,
                                                     const struct session_options *options,
                                                     const char *model_digest,
                                                     char ret_key[DIGEST_HEX_SIZE],
                                                     struct hoist_error *err);

/** How a graph is saved. */
enum graph_form {
  GRAPH_MAPPED, /* one file in ORT format, which is mapped; weights are used where they lie */
  GRAPH_PACKED, /* an optimised ONNX file and one with the weights in the layout that kernels want */
};
/** "mapped", "packed". */
const char *graph_form_name(enum graph_form form);

/** Optimises the model at `weights_path` and saves the graph below the directory `dir`.
 *  Errors: UNSUPPORTED this model cannot be saved in this form · NO_SPACE and others by errno */
HOIST_MUST_CHECK enum hoist_status session_save_graph(const struct call *call, struct ort *ort,
                                                      const char *weights_path, const char *dir,
                                                      enum graph_form form,
                                                      const struct session_options *options,
                                                      struct hoist_error *err);
/** How much of the processor's time, in ns, it takes to create a session on the weights, or on a graph below
 *  `dir`: what the calling thread uses, so with one thread per session all of it, however busy the machine
 *  is. */
HOIST_MUST_CHECK enum hoist_status session_time_weights(const struct call *call, struct ort *ort,
                                                        const char *weights_path,
                                                        const struct session_options *options,
                                                        uint64_t *ret_ns, struct hoist_error *err);
HOIST_MUST_CHECK enum hoist_status session_time_graph(const struct call *call, struct ort *ort,
                                                      const char *dir, enum graph_form form,
                                                      const struct session_options *options,
                                                      uint64_t *ret_ns, struct hoist_error *err);

#endif
