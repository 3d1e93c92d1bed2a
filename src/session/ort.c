/* SPDX-License-Identifier: Apache-2.0 */
/* The opened runtimes: one record per library of the process, with its environment, shared by all
 * who ask for it and gone with the last of them (the library stays, see ort_library.c). The list
 * and the counts have one lock, which is also held while a library is opened, so that of several
 * threads one opens it and the others find it. */
#include <pthread.h>
#include <string.h>

#include "dispatch.h"
#include "ort_internal.h"

static pthread_mutex_t opened_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ort *opened;

void ort_log_nothing(void *param, unsigned severity, const char *category, const char *log_id,
                     const char *location, const char *message) {
}

static struct ort *find_opened(const void *handle) {
  for (struct ort *ort = opened; ort; ort = ort->next)
    if (ort->library.handle == handle) return ort;
  return NULL;
}

/* Whether the library was open already is only known afterwards, and only a first opening is worth
 * a span. */
static void record_dlopen(const struct call *call, uint64_t started_unix_ns,
                          enum hoist_status status, const struct hoist_error *err) {
  struct hoist_span span;
  hoist_span_start_at(call->span, "ort.dlopen", HOIST_SPAN_INTERNAL, started_unix_ns, &span);
  if (status != HOIST_OK) hoist_span_record_error(&span, err);
  hoist_span_end(&span);
}

static enum hoist_status start_environment(struct ort *ort, struct hoist_error *err) {
  const struct ort_api *api = &ort->library.api;
  struct OrtStatus *failed =
      api->CreateEnvWithCustomLogger(ort_log_nothing, NULL, ORT_LOG_FATAL, "hoist", &ort->env);
  if (failed) return ort_fail(ort, failed, "starting the runtime", err);
  failed = api->DisableTelemetryEvents(ort->env);
  if (failed) api->ReleaseStatus(failed); /* a build without telemetry has nothing to disable */
  ort_quiet_first_session(ort);
  return HOIST_OK;
}

static enum hoist_status create_environment(const struct call *call, struct ort *ort,
                                            struct hoist_error *err) {
  struct hoist_span span;
  hoist_span_start(call->span, "ort.create_env", HOIST_SPAN_INTERNAL, &span);
  struct hoist_error problem;
  enum hoist_status status = start_environment(ort, &problem);
  if (status != HOIST_OK) {
    hoist_span_record_error(&span, &problem);
    if (err) *err = problem;
  }
  hoist_span_end(&span);
  return status;
}

static void free_ort(struct ort *ort) {
  if (ort->env) ort->library.api.ReleaseEnv(ort->env);
  ort_library_done(&ort->library);
  free(ort);
}

/* Takes the library over, also on failure. */
static enum hoist_status add_opened(const struct call *call, struct ort_library *library,
                                    struct ort **ret_ort, struct hoist_error *err) {
  struct ort *ort = calloc(1, sizeof *ort);
  if (!ort) {
    ort_library_done(library);
    return hoist_fail_memory(err, "opening ONNX Runtime");
  }
  ort->library = *library;
  *library = (struct ort_library){0};
  enum hoist_status status = create_environment(call, ort, err);
  if (status != HOIST_OK) {
    free_ort(ort);
    return status;
  }
  ort->refs = 1;
  ort->next = opened;
  opened = ort;
  *ret_ort = ort;
  return HOIST_OK;
}

static enum hoist_status open_locked(const struct call *call, const char *path,
                                     struct ort **ret_ort, struct hoist_error *err) {
  uint64_t started = telemetry_now(call->span);
  HOIST_AUTO(ort_library) struct ort_library library = {0};
  struct hoist_error problem;
  enum hoist_status status = ort_library_find(path, &library, &problem);
  if (status != HOIST_OK) {
    record_dlopen(call, started, status, &problem);
    if (err) *err = problem;
    return status;
  }
  struct ort *shared = find_opened(library.handle);
  if (shared) {
    shared->refs++;
    *ret_ort = shared;
    return HOIST_OK;
  }
  record_dlopen(call, started, HOIST_OK, NULL);
  return add_opened(call, &library, ret_ort, err);
}

enum hoist_status ort_open(const struct call *call, const char *path, struct ort **ret_ort,
                           struct hoist_error *err) {
  pthread_mutex_lock(&opened_lock);
  enum hoist_status status = open_locked(call, path, ret_ort, err);
  pthread_mutex_unlock(&opened_lock);
  return status;
}

struct ort *ort_ref(struct ort *ort) {
  pthread_mutex_lock(&opened_lock);
  ort->refs++;
  pthread_mutex_unlock(&opened_lock);
  return ort;
}

static void remove_opened(const struct ort *ort) {
  struct ort **link = &opened;
  while (*link != ort)
    link = &(*link)->next;
  *link = ort->next;
}

void ort_close(struct ort *ort) {
  if (!ort) return;
  pthread_mutex_lock(&opened_lock);
  if (--ort->refs == 0) {
    remove_opened(ort);
    free_ort(ort);
  }
  pthread_mutex_unlock(&opened_lock);
}

const char *ort_version(const struct ort *ort) {
  return ort->library.version;
}

const char *ort_path(const struct ort *ort) {
  return ort->library.path;
}
