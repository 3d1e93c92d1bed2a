/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the objects below a model's prefix belong to the model. */
#ifndef HOIST_SOURCE_S3_SELECT_H
#define HOIST_SOURCE_S3_SELECT_H

#include "manifest.h"
#include "s3_xml.h"

/** Adds the files of the model at `prefix`, which ends in '/', to `m`: all objects below it but
 * directory markers and the directories that are models of their own. A directory is a model when
 * it directly holds an *.onnx, an *.ort or an environment.json. Errors: NOT_FOUND the prefix itself
 * is not a model in that sense · CORRUPT over MANIFEST_MAX_FILES, or a key that does not begin with
 * the prefix · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status s3_select(const struct s3_listing *listing, const char *prefix,
                                             struct manifest *m, struct hoist_error *err);

#endif
