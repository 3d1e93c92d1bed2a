/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing among the packages of a model, and saying why. */
#ifndef HOIST_ROBOFLOW_ROBOFLOW_CHOICE_H
#define HOIST_ROBOFLOW_ROBOFLOW_CHOICE_H

#include "roboflow_package.h"

/** What a package should be like. */
struct roboflow_wish {
  enum roboflow_quantization quantizations[ROBOFLOW_QUANTIZATIONS]; /* all of them, best first */
  const char *providers; /* execution providers as the session is configured; NULL: the CPU */
};

/** Fills the order in: those that `text` names ("int8,fp16"), then the others, most exact first.
 *  @param text  NULL or "": all of them so
 *  Errors: INVALID an unknown name, or one that occurs twice */
HOIST_MUST_CHECK enum hoist_status roboflow_wish_parse(const char *text, struct roboflow_wish *wish,
                                                       struct hoist_error *err);

#define ROBOFLOW_NONE SIZE_MAX

/** Puts down what speaks against packages that cannot be used here, and returns the best of the rest, or
 *  ROBOFLOW_NONE: runnable with the providers, with the files its task needs; then with its environment.json, trusted, as wished for, a
 *  dynamic batch, the smaller static batch, the higher opset, the id that sorts first. */
size_t roboflow_choose(struct roboflow_packages *packages, const struct roboflow_wish *wish);

/** Why package `i` was chosen or not, as the end of a sentence. */
const char *roboflow_reason(const struct roboflow_packages *packages,
                            const struct roboflow_wish *wish, size_t chosen, size_t i,
                            char out[ROBOFLOW_REASON_SIZE]);

#endif
