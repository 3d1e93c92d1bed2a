/* SPDX-License-Identifier: Apache-2.0 */
/* Debian 13's build of ONNX Runtime 1.21 registers the operator schemas twice (its own and those of
 * the system's libonnx), and the first session of a process prints a "Schema error" line for each,
 * 567 of them, straight to descriptor 2, past every logger. So that first session is made here, on
 * a tiny model, with descriptor 2 turned to /dev/null.
 *
 * Called under the lock of the opened runtimes. The descriptor belongs to the whole process: what
 * other threads write to standard error during these few milliseconds is lost. That is why only the
 * build known to need it is treated. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "fs.h"
#include "ort_internal.h"
#include "text.h"

/* y = Identity(x), both scalars of float32, as an ONNX ModelProto. */
/* clang-format off */
static const uint8_t tiny_model[] = {
    0x08, 7,                                       /* ir_version 7 */
    0x42, 2,  0x10, 13,                            /* opset_import { version 13 } */
    0x3a, 47,                                      /* graph { */
    0x0a, 16,                                      /*   node { */
    0x0a, 1,  'x',                                 /*     input */
    0x12, 1,  'y',                                 /*     output */
    0x22, 8,  'I',  'd', 'e', 'n', 't', 'i', 't', 'y', /* op_type } */
    0x12, 1,  'g',                                 /*   name */
    0x5a, 11, 0x0a, 1,   'x', 0x12, 6, 0x0a, 4, 0x08, 1, 0x12, 0, /* input { float32 [] } */
    0x62, 11, 0x0a, 1,   'y', 0x12, 6, 0x0a, 4, 0x08, 1, 0x12, 0, /* output { float32 [] } } */
};
/* clang-format on */

static bool prints_schema_errors(const struct ort *ort) {
  return text_starts_with(ort->library.version, "1.21.") &&
         text_starts_with(ort->library.path, "/usr/lib/");
}

/* Its outcome does not matter: whatever keeps this session from being made will show on the real
 * one. */
static void make_session(const struct ort *ort) {
  const struct ort_api *api = &ort->library.api;
  struct OrtSessionOptions *options = NULL;
  struct OrtSession *session = NULL;
  struct OrtStatus *failed = api->CreateSessionOptions(&options);
  if (!failed) failed = api->SetIntraOpNumThreads(options, 1);
  if (!failed)
    failed =
        api->CreateSessionFromArray(ort->env, tiny_model, sizeof tiny_model, options, &session);
  if (failed) api->ReleaseStatus(failed);
  api->ReleaseSession(session);
  api->ReleaseSessionOptions(options);
}

void ort_quiet_first_session(const struct ort *ort) {
  static bool made; /* the schemas are registered once per process; under the caller's lock */
  if (made || !prints_schema_errors(ort)) return;
  HOIST_AUTO(fd) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  HOIST_AUTO(fd) int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (null < 0 || saved < 0) return;
  fflush(stderr);
  dup2(null, STDERR_FILENO);
  make_session(ort);
  dup2(saved, STDERR_FILENO);
  made = true;
}
