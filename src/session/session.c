/* SPDX-License-Identifier: Apache-2.0 */
/* A session: created on one model file, described, released. Owns the OrtSession, a share of the
 * runtime, and the listener to the session's log, which the runtime may call until the session is
 * released. One thread creates and closes it; the OrtSession itself may be run by many. */
#include "clock.h"
#include "dispatch.h"
#include "phases.h"
#include "session_internal.h"

struct session {
  struct ort *ort;
  struct OrtSession *handle;
  struct tensor_info *inputs, *outputs;
  size_t input_count, output_count;
  struct phases phases;
};

HOIST_DEFINE_AUTO(session, struct session, session_close)

void session_close(struct session *s) {
  if (!s) return;
  tensor_list_free(s->inputs, s->input_count);
  tensor_list_free(s->outputs, s->output_count);
  s->ort->library.api.ReleaseSession(s->handle);
  ort_close(s->ort);
  free(s);
}

/* A session logs at INFO, which costs it something even when run, only where somebody looks. */
static struct OrtStatus *listen_for_phases(struct session *s, struct OrtSessionOptions *options) {
  const struct ort_api *api = &s->ort->library.api;
  struct OrtStatus *failed = api->SetUserLoggingFunction(options, phases_log, &s->phases);
  if (failed) return failed;
  return api->SetSessionLogSeverityLevel(options, ORT_LOG_INFO);
}

static struct OrtStatus *set_options(struct session *s, const struct session_options *wanted,
                                     bool listen, struct OrtSessionOptions *options) {
  struct OrtStatus *failed = NULL;
  if (wanted->intra_op_threads > 0)
    failed = s->ort->library.api.SetIntraOpNumThreads(options, wanted->intra_op_threads);
  if (!failed && listen) failed = listen_for_phases(s, options);
  return failed;
}

static enum hoist_status make_options(struct session *s, const struct session_options *wanted,
                                      bool listen, struct OrtSessionOptions **ret_options,
                                      struct hoist_error *err) {
  const struct ort_api *api = &s->ort->library.api;
  struct OrtSessionOptions *options = NULL;
  struct OrtStatus *failed = api->CreateSessionOptions(&options);
  if (!failed) failed = set_options(s, wanted, listen, options);
  if (failed) {
    api->ReleaseSessionOptions(options);
    return ort_fail(s->ort, failed, "setting the options of a session", err);
  }
  *ret_options = options;
  return HOIST_OK;
}

static enum hoist_status create(const struct call *call, struct session *s, const char *path,
                                const struct session_options *wanted, struct hoist_error *err) {
  const struct ort_api *api = &s->ort->library.api;
  bool listen = call->span && call->span->telemetry;
  struct OrtSessionOptions *options = NULL;
  enum hoist_status status = make_options(s, wanted, listen, &options, err);
  if (status != HOIST_OK) return status;
  if (listen) phases_begin(&s->phases, telemetry_now(call->span), clock_monotonic_ns);
  struct OrtStatus *failed = api->CreateSession(s->ort->env, path, options, &s->handle);
  if (listen) phases_end(&s->phases, call->span);
  api->ReleaseSessionOptions(options);
  return failed ? ort_fail_model(s->ort, failed, path, err) : HOIST_OK;
}

static enum hoist_status describe(struct session *s, struct hoist_error *err) {
  enum hoist_status status =
      tensor_list_read(s->ort, s->handle, TENSOR_INPUT, &s->inputs, &s->input_count, err);
  if (status != HOIST_OK) return status;
  return tensor_list_read(s->ort, s->handle, TENSOR_OUTPUT, &s->outputs, &s->output_count, err);
}

enum hoist_status session_open_path(const struct call *call, struct ort *ort, const char *path,
                                    const struct session_options *options,
                                    struct session **ret_session, struct hoist_error *err) {
  if (options->intra_op_threads < 0)
    return hoist_fail(err, HOIST_INVALID,
                      "intra-op threads: %d is not a number of threads; use 0 "
                      "for the runtime's default",
                      options->intra_op_threads);
  /* Once begun, a session's creation cannot be interrupted. */
  enum hoist_status status = call_check(call, "creating the session", err);
  if (status != HOIST_OK) return status;
  HOIST_AUTO(session) struct session *s = calloc(1, sizeof *s);
  if (!s) return hoist_fail_memory(err, "creating the session");
  s->ort = ort_ref(ort);
  status = create(call, s, path, options, err);
  if (status != HOIST_OK) return status;
  status = describe(s, err);
  if (status != HOIST_OK) return status;
  *ret_session = HOIST_TAKE(s);
  return HOIST_OK;
}

const void *session_ort_api(const struct session *s) {
  return s->ort->library.api.table;
}

void *session_ort_env(const struct session *s) {
  return s->ort->env;
}

void *session_ort_session(const struct session *s) {
  return s->handle;
}

const struct tensor_info *session_inputs(const struct session *s, size_t *ret_count) {
  *ret_count = s->input_count;
  return s->inputs;
}

const struct tensor_info *session_outputs(const struct session *s, size_t *ret_count) {
  *ret_count = s->output_count;
  return s->outputs;
}

const char *session_provider(const struct session *s) {
  return "CPUExecutionProvider";
}
