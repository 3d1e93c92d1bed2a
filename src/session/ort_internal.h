/* SPDX-License-Identifier: Apache-2.0 */
/* The opened runtime, as the files of this module see it. */
#ifndef HOIST_SESSION_ORT_INTERNAL_H
#define HOIST_SESSION_ORT_INTERNAL_H

#include <hoist/telemetry.h>

#include "ort_api.h"
#include "session.h"

/** A library that was opened and found usable. It is never closed again, see ort_library.c. */
struct ort_library {
  void *handle;
  char *path;    /* resolved; malloc'd */
  char *version; /* "1.30.0"; malloc'd */
  struct ort_api api;
};

void ort_library_done(struct ort_library *library);
static inline void ort_library_cleanup(struct ort_library *library) {
  ort_library_done(library);
}

/** Opens the library at `path`, or where it is NULL or "" the first usable one of the search order.
 *  Errors: UNSUPPORTED what was tried, why it failed, what to do · NO_MEMORY */
HOIST_MUST_CHECK enum hoist_status ort_library_find(const char *path,
                                                    struct ort_library *ret_library,
                                                    struct hoist_error *err);

struct ort {
  struct ort *next; /* of the list of opened ones, under its lock */
  unsigned refs;    /* under the same lock */
  struct ort_library library;
  struct OrtEnv *env;
};

/** Swallows a line of the runtime's log. */
void ort_log_nothing(void *param, unsigned severity, const char *category, const char *log_id,
                     const char *location, const char *message);

/** Makes the runtime's first session, which on some builds prints hundreds of harmless lines to
 *  standard error, with standard error turned away. Does nothing for builds that keep quiet. */
void ort_quiet_first_session(const struct ort *ort);

/** hoist_fail out of a failed status, which is released: status by the runtime's error code, text
 *  "`doing`: <the runtime's message, on one line>". */
enum hoist_status ort_fail(const struct ort *ort, struct OrtStatus *failed, const char *doing,
                           struct hoist_error *err);

/** The same for a model file the runtime did not open: names the file, the runtime and what to do.
 */
enum hoist_status ort_fail_model(const struct ort *ort, struct OrtStatus *failed,
                                 const char *model_path, struct hoist_error *err);

#endif
