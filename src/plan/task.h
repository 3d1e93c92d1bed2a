/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about the tasks of models: the files that each needs beside its weights, and what its
 * weights are called. Of a task that is not known, nothing is demanded. Constant; any thread. */
#ifndef HOIST_PLAN_TASK_H
#define HOIST_PLAN_TASK_H

#include <stdbool.h>

#include "manifest.h"

#define TASK_MAX_FILES 3

/** The files that a model of this task needs beside its weights.
 *  @param task_type  NULL: not known
 *  @return how many of `ret_files` were set; 0: none, or the task is not known */
size_t task_files(const char *task_type, const char *ret_files[TASK_MAX_FILES]);

/** Errors: CORRUPT one of the files that the task needs is not in the manifest: names both */
HOIST_MUST_CHECK enum hoist_status task_check_files(const char *task_type, const struct manifest *m,
                                                    struct hoist_error *err);

/** The name that the weights of such a model have in the cache: "weights.onnx" unless the type has another.
 *  @param model_type  "yolov8n", "vit", …; NULL: not known */
const char *task_weights_name(const char *task_type, const char *model_type);

/** Whether class names come out of CLASS_MAP, whatever class_names.txt says. */
bool task_takes_class_map(const char *task_type);

#endif
