/* SPDX-License-Identifier: Apache-2.0 */
/* A session: created on one model, described, released. Owns the OrtSession, a share of the runtime, the
 * mapping that its weights may lie in, and the listener to the session's log, which the runtime may call
 * until the session is released. One thread creates and closes it, or leaves it to its creation.c; the OrtSession
 * itself may be run by many. */
#include <sys/mman.h>

#include "clock.h"
#include "creation.h"
#include "dispatch.h"
#include "session_internal.h"

void session_close(struct session *s) {
  if (!s) return;
  tensor_list_free(s->inputs, s->input_count);
  tensor_list_free(s->outputs, s->output_count);
  s->ort->library.api.ReleaseSession(s->handle);
  if (s->map) munmap(s->map, s->map_size); /* not before the session, whose weights lie in it */
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

static struct OrtStatus *listen(const struct call *call, struct session *s,
                                struct OrtSessionOptions *options) {
  s->listens = call->span && call->span->telemetry;
  if (!s->listens) return NULL;
  struct OrtStatus *failed = listen_for_phases(s, options);
  if (!failed) phases_begin(&s->phases, telemetry_now(call->span), clock_monotonic_ns);
  return failed;
}

/* @param cpu_only  1: leave the providers out
 * @param s         set to NULL where the creation was left to itself */
static enum hoist_status create_once(const struct call *call, struct session **s,
                                     const struct session_model *model,
                                     const struct session_options *wanted, int cpu_only,
                                     struct hoist_error *err) {
  struct ort *ort = (*s)->ort;
  struct OrtSessionOptions *options = NULL;
  enum hoist_status status =
      session_make_options(ort, model, wanted, cpu_only, &options, &(*s)->providers, err);
  if (status != HOIST_OK) return status;
  struct OrtStatus *failed = listen(call, *s, options);
  if (failed)
    ort->library.api.ReleaseSessionOptions(options);
  else
    status = creation_run(call, *s, model, options, &failed, err);
  if (status != HOIST_OK) {
    *s = NULL;
    return status;
  }
  if (!failed) return HOIST_OK;
  status = call_check(call, SESSION_CREATING, err);
  if (status != HOIST_OK) {
    ort->library.api.ReleaseStatus(failed);
    return status;
  }
  return ort_fail_model(ort, failed, model->path ? model->path : GRAPH_MAPPED_FILE, err);
}

static bool has_requirement(const struct session_options *wanted) {
  __attribute__((cleanup(provider_list_cleanup))) struct provider_list list = {0};
  return provider_list_parse(wanted->providers, &list, NULL) != HOIST_OK ||
         provider_list_requires(&list);
}

/* A provider may be there and still not do: no device, a version that does not fit. Where it was only
 * preferred, the CPU does. */
static enum hoist_status create(const struct call *call, struct session **s,
                                const struct session_model *model,
                                const struct session_options *wanted, struct hoist_error *err) {
  struct hoist_error problem = {0};
  enum hoist_status status = create_once(call, s, model, wanted, 0, &problem);
  if (status == HOIST_OK) return HOIST_OK;
  bool is_final = status == HOIST_NO_MEMORY || status == HOIST_CANCELLED || status == HOIST_TIMEOUT;
  if (is_final || !(*s)->providers.beyond_cpu || has_requirement(wanted)) {
    if (err) *err = problem;
    return status;
  }
  struct provider_outcome refused = (*s)->providers;
  provider_outcome_refuse(&refused, refused.chosen, problem.message);
  status = create_once(call, s, model, wanted, 1, err);
  if (*s) memcpy((*s)->providers.refused, refused.refused, sizeof refused.refused);
  return status;
}

static enum hoist_status describe(struct session *s, struct hoist_error *err) {
  enum hoist_status status =
      tensor_list_read(s->ort, s->handle, TENSOR_INPUT, &s->inputs, &s->input_count, err);
  if (status != HOIST_OK) return status;
  return tensor_list_read(s->ort, s->handle, TENSOR_OUTPUT, &s->outputs, &s->output_count, err);
}

static enum hoist_status begin(const struct call *call, const struct session_options *options,
                               struct hoist_error *err) {
  enum hoist_status status = session_options_check(options, err);
  return status == HOIST_OK ? call_check(call, SESSION_CREATING, err) : status;
}

enum hoist_status session_create(const struct call *call, struct ort *ort,
                                 const struct session_model *model,
                                 const struct session_options *options,
                                 struct session **ret_session, struct hoist_error *err) {
  HOIST_AUTO(session) struct session *s = calloc(1, sizeof *s);
  if (!s) {
    if (model->map) munmap(model->map, model->map_size);
    return hoist_fail_memory(err, SESSION_CREATING);
  }
  s->ort = ort_ref(ort);
  s->map = model->map;
  s->map_size = model->map_size;
  enum hoist_status status = begin(call, options, err);
  if (status == HOIST_OK) status = create(call, &s, model, options, err);
  if (status == HOIST_OK) status = describe(s, err);
  if (status != HOIST_OK) return status;
  *ret_session = HOIST_TAKE(s);
  return HOIST_OK;
}

enum hoist_status session_open_path(const struct call *call, struct ort *ort, const char *path,
                                    const struct session_options *options,
                                    struct session **ret_session, struct hoist_error *err) {
  const struct session_model model = {.path = path};
  return session_create(call, ort, &model, options, ret_session, err);
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
  return s->providers.chosen;
}

const char *session_refused_providers(const struct session *s) {
  return s->providers.refused;
}

enum graph_use session_graph_use(const struct session *s, const char **ret_reason) {
  *ret_reason = s->graph_reason;
  return s->graph_use;
}
