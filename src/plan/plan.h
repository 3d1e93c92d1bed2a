/* SPDX-License-Identifier: Apache-2.0 */
/* From what a source says a model consists of to what will be fetched: names that cannot leave the
 * model's directory, no duplicates, exactly one weights file, caps kept. Pure. Sources are not
 * trusted; this is the gate. */
#ifndef HOIST_PLAN_PLAN_H
#define HOIST_PLAN_PLAN_H

#include "manifest.h"
#include "model_id.h"

/** A safe relative file name: 1..255 bytes of valid UTF-8 without control bytes or backslash, not
 *  absolute, no empty, "." or ".." segment, at most 8 segments, none beginning with ".hoist".
 *  Errors: CORRUPT, naming the (printable, shortened) name and what is wrong with it. */
HOIST_MUST_CHECK enum hoist_status plan_check_name(const char *name, struct hoist_error *err);

/** As plan_check_unique. @param names  is sorted */
HOIST_MUST_CHECK enum hoist_status plan_check_names(const char **names, size_t count,
                                                    struct hoist_error *err);

/** Errors: CORRUPT a name that occurs twice, or is both a file and a directory ("a", "a/b"). */
HOIST_MUST_CHECK enum hoist_status plan_check_unique(const struct manifest *m,
                                                     struct hoist_error *err);

/** Checks `m` and puts it in fetching order (small metadata first, then by name). Adds
 *  model_type.json (made from task_type, model_type, model_variant, model_id) where the source
 *  gives a task or type and has no such file.
 *  Errors: CORRUPT bad or duplicate name, negative size, none of a name that the task needs, and but for a
 *          bundle no weights file, two weights files (more than one *.onnx or *.ort that is not recognised by
 *          name) · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status plan_make(const struct model_id *id, struct manifest *m,
                                             struct hoist_error *err);

/** The model's weights file: the one *.onnx or *.ort; among several, the one that a model of this task and
 *  type has, else the well-known name (weights.onnx, yolov5s_weights.onnx, best.onnx, model.onnx) when
 *  exactly one has it.
 *  Errors: CORRUPT none, or two and no rule to choose: both are named · UNSUPPORTED the same of a bundle */
HOIST_MUST_CHECK enum hoist_status plan_weights(const struct manifest *m, const char **ret_name,
                                                struct hoist_error *err);
#endif
