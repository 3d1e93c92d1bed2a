/* SPDX-License-Identifier: Apache-2.0 */
/* Execution providers: which ones are wanted, which ones the runtime takes. */
#ifndef HOIST_SESSION_PROVIDERS_H
#define HOIST_SESSION_PROVIDERS_H

#include <stdbool.h>

#include "ort_internal.h"
#include "pairs.h"

#define PROVIDERS_MAX 8
#define PROVIDER_NAME_SIZE 64

struct provider_wish {
  char name[PROVIDER_NAME_SIZE]; /* as it was written: "CUDA", "CUDAExecutionProvider" */
  struct pairs options;
  bool required;
};

/** Wishes in order of preference. The CPU takes what the others do not, wished for or not. */
struct provider_list {
  struct provider_wish items[PROVIDERS_MAX];
  size_t count;
};

/** Reads "CUDA(device_id=0;gpu_mem_limit=2147483648),OpenVINO!": names with or without their
 *  "ExecutionProvider", in any case; options in parentheses; "!" where a session without it is of no use.
 *  @param text  NULL or "": the CPU alone
 *  Errors: INVALID says what is wrong · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status provider_list_parse(const char *text,
                                                       struct provider_list *ret_list,
                                                       struct hoist_error *err);
void provider_list_done(struct provider_list *list);
static inline void provider_list_cleanup(struct provider_list *list) {
  provider_list_done(list);
}

/** What became of the wishes. */
struct provider_outcome {
  char chosen[PROVIDER_NAME_SIZE]; /* the first that was taken, by its full name */
  char refused[SESSION_REFUSED_SIZE];
  bool beyond_cpu; /* something else than the CPU was taken */
};

/** Appends the wished-for providers to the options of a session. What the runtime does not have or will
 *  not set up is put down in `ret_outcome->refused`, with the reason.
 *  Errors: UNSUPPORTED a required one was refused · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status providers_append(const struct ort *ort,
                                                    struct OrtSessionOptions *options,
                                                    const struct provider_list *list,
                                                    struct provider_outcome *ret_outcome,
                                                    struct hoist_error *err);
/** Whether one of the wishes for another provider than the CPU is a requirement. */
bool provider_list_requires(const struct provider_list *list);
/** Puts one more refusal down. */
void provider_outcome_refuse(struct provider_outcome *outcome, const char *name,
                             const char *reason);

#endif
