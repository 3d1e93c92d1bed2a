/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of this module need: a runtime, and files in a directory of their own. */
#ifndef HOIST_TESTS_RUNTIME_H
#define HOIST_TESTS_RUNTIME_H

#include <stddef.h>

#include "onnx_writer.h"
#include "ort_internal.h"

/** The runtime as a program would find it: HOIST_ONNXRUNTIME, else the search. There must be one:
 *  tools/setup installs it, so its absence fails the test. */
struct ort *open_runtime(const struct call *call);

/** The same as a group's set-up and tear-down of cmocka's, around all tests of a program. */
extern struct ort *test_ort;
int open_test_runtime(void **state);
int close_test_runtime(void **state);

/** A path below a directory that is removed when the program ends. Static storage, one at a time.
 */
const char *scratch_path(const char *name);
/** Writes the file and returns scratch_path(name). */
const char *scratch_file(const char *name, const void *data, size_t size);
const char *scratch_model(const char *name, const struct onnx_spec *spec);

/** The demo's model, blazeface.onnx, which tools/setup installs too. Static storage. */
const char *blazeface_path(void);

#endif
