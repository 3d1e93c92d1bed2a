/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the API, and keeping what it said. Whoever switches this on wants a model to be out of reach when the
 * API says so, so that it fails closed: no answer is no access. Any thread. */
#include "access.h"

#include "access_answers.h"
#include "clock.h"
#include "text.h"

struct access {
  struct source *api;
  char *api_key; /* NULL: none */
  uint64_t ttl_ns;
  struct access_answers answers;
};

void access_free(struct access *access) {
  if (!access) return;
  source_free(access->api);
  access_answers_done(&access->answers);
  free(access->api_key);
  free(access);
}

enum hoist_status access_new(const struct hoist_config *config, struct http *http,
                             struct access **ret_access, struct hoist_error *err) {
  if (!config->cache_auth) {
    *ret_access = NULL;
    return HOIST_OK;
  }
  HOIST_AUTO(access) struct access *access = calloc(1, sizeof *access);
  if (!access) return hoist_fail_memory(err, "the configuration");
  access_answers_init(&access->answers);
  access->ttl_ns = config->cache_auth_ttl_ms * NS_PER_MS;
  access->api_key = text_dup(config->api_key);
  if (config->api_key && !access->api_key) return hoist_fail_memory(err, "the configuration");
  enum hoist_status status = chain_make_api(config, http, &access->api, err);
  if (status == HOIST_OK) *ret_access = HOIST_TAKE(access);
  return status;
}

static enum hoist_status ask(struct operation *op, struct source *api, struct hoist_error *err) {
  struct hoist_span span;
  struct call call = op->call;
  hoist_span_start(&op->span, "model.access.check", HOIST_SPAN_INTERNAL, &span);
  hoist_span_set_string(&span, "model.id", op->id.text);
  call.span = &span;
  enum hoist_status status = api->ops->check_access(&call, api, &op->id, err);
  if (status != HOIST_OK) hoist_span_record_error(&span, err);
  hoist_span_end(&span);
  return status;
}

/* An answer is what the API said about the key and the model; that it could not be asked is none. */
static int is_answer(enum hoist_status status) {
  return status == HOIST_OK || status == HOIST_DENIED;
}

static enum hoist_status find_out(struct operation *op, struct access *access,
                                  struct hoist_error *ret_answer) {
  struct digest who_what;
  enum hoist_status status = access_who_what(access->api_key, op->id.text, &who_what, ret_answer);
  if (status != HOIST_OK) return status;
  if (access_answers_find(&access->answers, &who_what, clock_monotonic_ns(), ret_answer))
    return ret_answer->status;
  status = ask(op, access->api, ret_answer);
  uint64_t now_ns = clock_monotonic_ns();
  if (is_answer(status))
    access_answers_keep(&access->answers, &who_what, now_ns, now_ns + access->ttl_ns, ret_answer);
  return status;
}

enum hoist_status access_check(struct operation *op) {
  struct access *access = op->hoist->access;
  if (!access || op->hoist->offline) return HOIST_OK;
  struct hoist_error answer = {.status = HOIST_OK};
  enum hoist_status status = find_out(op, access, &answer);
  if (status == HOIST_OK) return HOIST_OK;
  op->error = answer;
  if (!is_answer(status) && status != HOIST_NOT_FOUND)
    hoist_error_prepend(&op->error, "whether the API key may use it cannot be found out, and "
                                    "MODELS_CACHE_AUTH_ENABLED is on");
  hoist_error_prepend(&op->error, "%s: not served", op->id.text);
  return status;
}
